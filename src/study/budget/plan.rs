//! What is run: every machine on a few seeds, pairs of what matters, more seeds where the ranking
//! is undecided, tolerances.

use super::ledger::{Factors, Ledger};
use super::ranking::{self, Looked};
use super::{Budget, BudgetDirectory, Conduct, Contrast, Subject, outcome, tolerance};
use crate::study::Progress;
use crate::{Error, Result};

/// What a budget asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The least number of seeds of every machine, at least 2.
    pub seeds: u64,
    /// Runs after which no more seeds are asked for; tolerances come on top. None is three times
    /// what the least number of seeds takes.
    pub runs: Option<usize>,
    /// How many effects are to be in a settled order.
    pub top: usize,
    /// Differences of accuracy below this are none: effects closer than that need no order.
    pub within: f64,
    /// How many effects are tested in pairs.
    pub paired: usize,
    /// The loss of accuracy whose tolerances are wanted, 0 to 1.
    pub tolerances: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seeds: 5, runs: None, top: 3, within: 0.005, paired: 4, tolerances: None }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        if self.seeds < 2 {
            let seeds = self.seeds;
            return Err(Error::input(format!(
                "--seeds {seeds}: one seed has no standard error; expected at least 2"
            )));
        }
        for (option, value) in [("--within", Some(self.within)), ("--loss", self.tolerances)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && *value < 1.0)) {
                return Err(Error::input(format!(
                    "{option} {}: expected points above 0 and below 100",
                    100.0 * value
                )));
            }
        }
        Ok(())
    }
}

/// The machines of a budget. Where there is no such machine, why not.
pub(super) struct Machines {
    pub full: Factors,
    pub ideal: Factors,
    pub alone: Vec<Result<Factors, String>>,
    pub away: Vec<Result<Factors, String>>,
    pub doubled: Vec<Result<Factors, String>>,
    needs: Vec<Vec<usize>>,
}

impl Machines {
    fn of(subject: &dyn Subject) -> Result<Self> {
        let effects = subject.effects();
        let count = effects.len();
        let needs: Vec<Vec<usize>> = effects.into_iter().map(|effect| effect.needs).collect();
        let (full, ideal) = (vec![1.0; count], vec![0.0; count]);
        subject.identity(&full, 0)?;
        subject.identity(&ideal, 0)?;
        let mut machines =
            Self { full, ideal, alone: Vec::new(), away: Vec::new(), doubled: Vec::new(), needs };
        let there = |factors: Factors| match subject.identity(&factors, 0) {
            Ok(_) => Ok(factors),
            Err(error) => Err(error.to_string()),
        };
        for effect in 0..count {
            let mut alone = machines.ideal.clone();
            for needed in machines.needs[effect].iter().chain([&effect]) {
                alone[*needed] = 1.0;
            }
            machines.alone.push(there(alone));
            machines.away.push(there(machines.without(&[effect])));
            machines.doubled.push(there(machines.scaled(effect, 2.0)));
        }
        Ok(machines)
    }

    /// The full device without `effects`, and without what makes no sense without them.
    pub fn without(&self, effects: &[usize]) -> Factors {
        let lost = |effect: &usize| {
            effects.contains(effect) || self.needs[*effect].iter().any(|n| effects.contains(n))
        };
        (0..self.full.len()).map(|effect| if lost(&effect) { 0.0 } else { 1.0 }).collect()
    }

    /// The full device with one effect `factor` times as large.
    pub fn scaled(&self, effect: usize, factor: f64) -> Factors {
        let mut factors = self.full.clone();
        factors[effect] = factor;
        factors
    }

    /// Every machine there is, each once.
    fn all(&self) -> Vec<&Factors> {
        let mut all = vec![&self.full, &self.ideal];
        for machine in [&self.alone, &self.away, &self.doubled].into_iter().flatten().flatten() {
            if !all.contains(&machine) {
                all.push(machine);
            }
        }
        all
    }
}

/// How far a budget is.
pub(super) struct State {
    /// Seeds of the machine without each effect.
    pub away: Vec<u64>,
    /// Pairs of effects, and the seeds of the machine without both.
    pub pairs: Vec<([usize; 2], u64)>,
    /// Looks at the ranking.
    pub looks: usize,
}

impl State {
    /// The seeds of the machine that has most.
    pub fn most_seeds(&self) -> u64 {
        let pairs = self.pairs.iter().map(|(_, seeds)| *seeds);
        self.away.iter().copied().chain(pairs).max().unwrap_or(0)
    }
}

/// A machine on the seeds `from` to below `to`.
fn on(machine: &Factors, from: u64, to: u64) -> impl Iterator<Item = (Factors, u64)> + '_ {
    (from..to).map(move |replicate| (machine.clone(), replicate))
}

/// How many runs the least number of seeds takes, pairs included.
///
/// # Errors
/// When options are out of range, or fewer runs are allowed than that; when the machine as it is, or
/// without any effect, is none.
pub fn first_runs(subject: &dyn Subject, options: &Options) -> Result<usize> {
    options.check()?;
    let machines = Machines::of(subject)?;
    let paired = options.paired.min(machines.full.len());
    let pairs = paired * paired.saturating_sub(1) / 2;
    let first = (machines.all().len() + pairs) * options.seeds as usize;
    match options.runs.filter(|limit| *limit < first) {
        Some(limit) => Err(Error::input(format!(
            "--runs {limit}: {} seeds of every machine take {first} runs; expected at least that",
            options.seeds
        ))),
        None => Ok(first),
    }
}

/// The error budget of `subject`, whose runs are kept in `directory`; `watch` hears of every run
/// that ends.
///
/// # Errors
/// Those of [`first_runs`]; when the device as it is fails on every seed, or a file cannot be
/// written. A run that fails is recorded with its error, and what depends on it has one seed fewer.
pub fn budget(
    subject: &dyn Subject,
    directory: &BudgetDirectory,
    options: &Options,
    conduct: Conduct,
    watch: &mut dyn FnMut(Progress),
) -> Result<Budget> {
    let first = first_runs(subject, options)?;
    let limit = options.runs.unwrap_or(3 * first);
    let machines = Machines::of(subject)?;
    let mut ledger = Ledger::new(subject, directory, conduct, watch)?;
    let seeds = options.seeds;
    let runs: Vec<_> = machines.all().into_iter().flat_map(|m| on(m, 0, seeds)).collect();
    ledger.complete(&runs)?;
    if (0..seeds).all(|replicate| ledger.value(&machines.full, replicate, ACCURACY).is_none()) {
        let error = match ledger.outcome(&machines.full, 0) {
            Some(crate::study::Outcome::Error(error)) => error.clone(),
            _ => format!("it has no result {ACCURACY}"),
        };
        return Err(Error::Machine(format!("the device as it is failed on every seed: {error}")));
    }
    let mut state = State { away: vec![seeds; machines.full.len()], pairs: Vec::new(), looks: 0 };
    for pair in ranking::candidates(&machines, &ledger, &state, options.paired) {
        let both = machines.without(&pair);
        if subject.identity(&both, 0).is_ok() {
            state.pairs.push((pair, seeds));
        }
    }
    let runs: Vec<_> = state
        .pairs
        .iter()
        .flat_map(|(pair, seeds)| on(&machines.without(pair), 0, *seeds).collect::<Vec<_>>())
        .collect();
    ledger.complete(&runs)?;
    let settled = loop {
        state.looks += 1;
        let looked = ranking::look(&machines, &ledger, &state, options);
        let Looked { effects, pairs, .. } = &looked;
        if effects.is_empty() && pairs.is_empty() {
            break true;
        }
        let next = more_seeds(&machines, &state, effects, pairs);
        if ledger.asked() + ledger.new_among(&next.runs)? > limit {
            break effects.is_empty();
        }
        ledger.complete(&next.runs)?;
        (state.away, state.pairs) = (next.away, next.pairs);
    };
    let asked = ledger.asked();
    let tolerances = match options.tolerances {
        Some(loss) => tolerance::tolerances(subject, &machines, &mut ledger, seeds, loss)?,
        None => Vec::new(),
    };
    let told = outcome::Told { options, state: &state, settled, asked, tolerances };
    let found = outcome::outcome(subject, &machines, &ledger, told);
    directory.write(&found, &outcome::runs(subject, &machines, &ledger, &state))?;
    Ok(found)
}

/// The result that a budget is about.
pub(super) const ACCURACY: &str = "test_accuracy";

/// What is run next, and how far it brings a budget.
struct Next {
    runs: Vec<(Factors, u64)>,
    away: Vec<u64>,
    pairs: Vec<([usize; 2], u64)>,
}

/// Half as many seeds again for undecided effects; where there are none, for undecided pairs.
fn more_seeds(machines: &Machines, state: &State, effects: &[usize], undecided: &[usize]) -> Next {
    let more = |seeds: u64| seeds + (seeds / 2).max(2);
    let (mut runs, mut away, mut pairs) = (Vec::new(), state.away.clone(), state.pairs.clone());
    let mut extend = |effect: usize, to: u64, runs: &mut Vec<_>| {
        let from = away[effect];
        if to > from {
            runs.extend(on(&machines.full, from, to));
            runs.extend(machines.away[effect].iter().flat_map(|machine| on(machine, from, to)));
            away[effect] = to;
        }
    };
    // All of them to as many seeds as the one that has most: they are compared on seeds in common.
    let most = effects.iter().map(|effect| state.away[*effect]).max().unwrap_or(0);
    for effect in effects {
        let least = effects.iter().map(|effect| state.away[*effect]).min().unwrap_or(0);
        let to = if least < most { most } else { more(most) };
        extend(*effect, to, &mut runs);
    }
    if effects.is_empty() {
        for index in undecided {
            let (pair, seeds) = &mut pairs[*index];
            let to = more(*seeds);
            runs.extend(on(&machines.without(pair), *seeds, to));
            pair.iter().for_each(|effect| extend(*effect, to, &mut runs));
            *seeds = to;
        }
    }
    Next { runs, away, pairs }
}

/// Accuracies with their signs, added up seed by seed, on the seeds that all of `terms` have among
/// the first `seeds`.
pub(super) fn differences(ledger: &Ledger, terms: &[(f64, &Factors)], seeds: u64) -> Vec<f64> {
    let at = |replicate: u64| {
        terms.iter().try_fold(0.0, |sum, (sign, machine)| {
            Some(sum + sign * ledger.value(machine, replicate, ACCURACY)?)
        })
    };
    (0..seeds).filter_map(at).collect()
}

/// What the machine gains without an effect, on its seeds.
pub(super) fn gain(
    machines: &Machines,
    ledger: &Ledger,
    state: &State,
    effect: usize,
) -> Option<Contrast> {
    let away = machines.away[effect].as_ref().ok()?;
    let terms = [(1.0, away), (-1.0, &machines.full)];
    let found = differences(ledger, &terms, state.away[effect]);
    Contrast::among(&found, machines.full.len())
}
