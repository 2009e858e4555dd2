//! How large each effect may be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::machines::{Machines, differences};
use super::{Contrast, Subject};
use crate::Result;

/// The search ends this many times above and below what the device has.
const FARTHEST: f64 = 32.0;
/// How far beyond both ends a factor is sought that surely loses less, or more.
const BEYOND: f64 = 4.0;
/// Seeds of a factor are doubled so often while it is open whether it loses less.
const DOUBLINGS: u32 = 2;
/// Bisections between a factor that will do and the next that will not, twice as large.
const BISECTIONS: usize = 3;

/// The largest that an effect may be before the machine, with everything else as it is, has lost so
/// much of its score against the machine without the effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// The effect's name.
    pub effect: String,
    /// The largest factor tried that loses less, in units of what the device has; none where even
    /// the smallest lost more.
    pub factor: Option<f64>,
    /// The effect's numbers there, by their keys.
    pub values: Vec<(String, String)>,
    /// The largest factor tried that surely loses less; none where none was.
    pub surely_less: Option<f64>,
    /// The smallest factor tried that surely loses more; none where none was.
    pub surely_more: Option<f64>,
    /// The effect's numbers at these two.
    pub interval: [Vec<(String, String)>; 2],
    /// Whether nothing larger was tried, so that it may be larger still.
    pub open: bool,
    /// Why not, where the effect cannot be scaled.
    pub refused: Option<String>,
}

/// The search for one effect.
#[derive(Clone, Debug, Default)]
struct Search {
    /// The loss at each factor tried, by the factor's bits, which sort as the factors do.
    tried: BTreeMap<u64, Option<Contrast>>,
    low: Option<f64>,
    high: Option<f64>,
    /// A factor from which on there is no such device.
    none_from: Option<f64>,
    bisections: usize,
    /// Whether a factor was tried that surely loses less, and one that surely loses more.
    sure: [bool; 2],
    /// Seeds of the factor that is being tried.
    seeds: u64,
}

impl Search {
    /// The factor to try next.
    fn next(&self) -> Option<f64> {
        match (self.low, self.high, self.none_from) {
            (None, None, _) => Some(1.0),
            (Some(low), None, None) => (low < FARTHEST).then_some(2.0 * low),
            (Some(_), None, Some(_)) => None,
            (None, Some(high), _) => (high > 1.0 / FARTHEST).then_some(0.5 * high),
            (Some(low), Some(high), _) if self.bisections < BISECTIONS => Some((low * high).sqrt()),
            _ => None,
        }
        .or_else(|| self.farther())
    }

    /// A factor beyond those tried, on a side where nothing is sure yet.
    fn farther(&self) -> Option<f64> {
        let (low, high) = (self.low?, self.high?);
        let ends = [self.tried.keys().next(), self.tried.keys().next_back()];
        let [least, most] = ends.map(|end| end.map_or(1.0, |bits| f64::from_bits(*bits)));
        if !self.sure[1] && self.none_from.is_none() && most < high * BEYOND {
            return Some(2.0 * most.max(high));
        }
        (!self.sure[0] && least > low / BEYOND).then(|| 0.5 * least.min(low))
    }

    /// Takes what was found at `factor`.
    fn take(&mut self, factor: f64, found: Option<Contrast>, loss: f64) {
        self.tried.insert(factor.to_bits(), found);
        if let Some((found, half)) = found.and_then(|found| Some((found, found.half_width?))) {
            self.sure[0] |= found.mean + half < loss;
            self.sure[1] |= found.mean - half > loss;
        }
        if let (Some(low), Some(high)) = (self.low, self.high) {
            self.bisections += 1;
            // Beyond both ends only what is sure is wanted.
            if factor < low || factor > high {
                return;
            }
        }
        // Where every run failed, the machine does not bear it.
        if found.is_some_and(|found| found.mean < loss) {
            self.low = Some(factor);
        } else {
            self.high = Some(factor);
        }
    }
}

/// The tolerances of all effects for a `loss` of score, by bisection on differences paired over
/// the first `seeds` seeds; over up to four times as many where a loss is not surely less or more.
pub(super) fn tolerances(
    subject: &dyn Subject,
    machines: &Machines,
    ledger: &mut Ledger,
    seeds: u64,
    loss: f64,
) -> Result<Vec<Tolerance>> {
    let count = machines.full.len();
    let mut searches = vec![Search { seeds, ..Search::default() }; count];
    let refused: Vec<Option<String>> = (0..count)
        .map(|effect| {
            let scaled = [2.0, 0.5].map(|factor| {
                subject.identity(&machines.scaled(effect, factor), 0).map_err(|e| e.to_string())
            });
            match (scaled, &machines.away[effect]) {
                (_, Err(error)) => Some(error.clone()),
                ([Err(error), Err(_)], _) => Some(error),
                _ => None,
            }
        })
        .collect();
    loop {
        let mut wanted = Vec::new();
        for effect in (0..count).filter(|effect| refused[*effect].is_none()) {
            let Some(factor) = searches[effect].next() else { continue };
            let machine = machines.scaled(effect, factor);
            if subject.identity(&machine, 0).is_ok() {
                wanted.push((effect, factor, machine));
            } else if factor > 1.0 {
                searches[effect].none_from = Some(factor);
            } else {
                // No device has less of it.
                searches[effect].take(factor, None, loss);
            }
        }
        if wanted.is_empty() {
            break;
        }
        let runs: Vec<_> = wanted
            .iter()
            .flat_map(|(effect, _, machine)| {
                let away = machines.away[*effect].iter();
                let both = away.chain([machine]).cloned();
                let last = searches[*effect].seeds;
                both.flat_map(move |one| (0..last).map(move |seed| (one.clone(), seed)))
            })
            .collect();
        ledger.complete(&runs)?;
        for (effect, factor, machine) in wanted {
            let Ok(away) = &machines.away[effect] else { continue };
            let search = &mut searches[effect];
            let found = differences(ledger, &[(1.0, away), (-1.0, &machine)], search.seeds);
            let found = Contrast::among(&found, count);
            let half = |found: Contrast| found.half_width.unwrap_or(f64::INFINITY);
            let open = found.is_some_and(|found| (found.mean - loss).abs() <= half(found));
            if open && search.seeds < seeds << DOUBLINGS {
                search.seeds *= 2;
            } else {
                search.seeds = seeds;
                search.take(factor, found, loss);
            }
        }
    }
    let tolerance = |effect: usize| {
        let search = &searches[effect];
        let sure = |above: bool| {
            move |(factor, found): (&u64, &Option<Contrast>)| {
                let (factor, found) = (f64::from_bits(*factor), (*found)?);
                let half = found.half_width?;
                let sure = if above { found.mean - half > loss } else { found.mean + half < loss };
                sure.then_some(factor)
            }
        };
        let values = |factor: Option<f64>| {
            factor.map_or(Vec::new(), |factor| subject.values(effect, factor))
        };
        let surely_less = search.tried.iter().filter_map(sure(false)).next_back();
        let surely_more = search.tried.iter().find_map(sure(true));
        Tolerance {
            effect: subject.effects()[effect].name.clone(),
            factor: search.low,
            values: values(search.low),
            surely_less,
            surely_more,
            interval: [values(surely_less), values(surely_more)],
            open: search.low.is_some() && search.high.is_none(),
            refused: refused[effect].clone(),
        }
    };
    Ok((0..count).map(tolerance).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor found where the loss is `slope` times the factor and `loss` is allowed.
    fn found(slope: f64, loss: f64) -> (Option<f64>, Option<f64>) {
        let mut search = Search::default();
        while let Some(factor) = search.next() {
            search.take(factor, Contrast::among(&[slope * factor; 2], 1), loss);
        }
        (search.low, search.high)
    }

    #[test]
    fn a_known_slope_is_bracketed_to_an_eighth_of_an_octave() {
        for slope in [0.001, 0.004, 0.01, 0.03, 0.2] {
            let (low, high) = found(slope, 0.01);
            let (low, high) = (low.unwrap(), high.unwrap());
            assert!(low * slope < 0.01 && high * slope >= 0.01, "{slope}: {low} to {high}");
            assert!((high / low - 2f64.powf(0.125)).abs() < 1e-12, "{slope}: {low} to {high}");
        }
    }

    #[test]
    fn what_is_not_sure_is_sought_beyond_the_ends() {
        let mut search = Search::default();
        while let Some(factor) = search.next() {
            // A loss of the factor, of which nothing is sure within a factor of 3.
            let half = 2.0 * factor / 3.0;
            let found =
                Contrast { n: 2, mean: factor, standard_error: None, half_width: Some(half) };
            search.take(factor, Some(found), 1.0);
        }
        let (low, high) = (search.low.unwrap(), search.high.unwrap());
        assert!((high / low - 2f64.powf(0.125)).abs() < 1e-12, "{low} to {high}");
        assert_eq!(search.sure, [true, true]);
        assert!(search.tried.len() < 12, "{:?}", search.tried);
    }

    #[test]
    fn what_never_costs_and_what_always_does_end_at_the_ends() {
        assert_eq!(found(0.0, 0.01), (Some(32.0), None));
        assert_eq!(found(100.0, 0.01), (None, Some(1.0 / 32.0)));
    }
}
