//! What is run: every machine on a few seeds, pairs of what matters, more seeds where the ranking
//! is undecided, tolerances.

use super::ledger::{Factors, Ledger};
use super::machines::{Machines, State};
use super::ranking::{self, Looked};
use super::{Budget, BudgetDirectory, Conduct, Options, Subject, outcome, tolerance};
use crate::study::Progress;
use crate::{Error, Result};

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
    let mut ledger = Ledger::new(subject, directory.records(), conduct, watch)?;
    let seeds = options.seeds;
    let runs: Vec<_> = machines.all().into_iter().flat_map(|m| on(m, 0, seeds)).collect();
    ledger.complete(&runs)?;
    if (0..seeds).all(|replicate| ledger.score(&machines.full, replicate).is_none()) {
        let error = match ledger.outcome(&machines.full, 0) {
            Some(crate::study::Outcome::Error(error)) => error.clone(),
            _ => format!("it has no result {}", subject.metric()),
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
