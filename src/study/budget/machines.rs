//! The machines of a budget, and differences between them.

use super::ledger::{Factors, Ledger};
use super::{Contrast, Subject};
use crate::Result;

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
    /// The machines of `subject`.
    ///
    /// # Errors
    /// When the device as it is, or without any effect, is none.
    pub fn of(subject: &dyn Subject) -> Result<Self> {
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
    pub fn all(&self) -> Vec<&Factors> {
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

/// Scores with their signs, added up seed by seed, on the seeds that all of `terms` have among
/// the first `seeds`.
pub(super) fn differences(ledger: &Ledger, terms: &[(f64, &Factors)], seeds: u64) -> Vec<f64> {
    let at = |replicate: u64| {
        terms.iter().try_fold(0.0, |sum, (sign, machine)| {
            Some(sum + sign * ledger.score(machine, replicate)?)
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
