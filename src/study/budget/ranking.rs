//! Which effects matter most, and whether that is settled.

use super::ledger::{Factors, Ledger};
use super::machines::{Machines, State, differences, gain};
use super::{Contrast, Options};

/// Effects by what the machine gains or loses without them, the most first.
pub(super) fn order(machines: &Machines, ledger: &Ledger, state: &State) -> Vec<usize> {
    let size =
        |effect: usize| gain(machines, ledger, state, effect).map(|contrast| contrast.mean.abs());
    let mut ranked: Vec<(usize, f64)> =
        (0..machines.full.len()).filter_map(|effect| Some((effect, size(effect)?))).collect();
    // Where two are equal, the order of the list.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().map(|(effect, _)| effect).collect()
}

/// The pairs among the `count` effects that matter most, alone or taken away.
pub(super) fn candidates(
    machines: &Machines,
    ledger: &Ledger,
    state: &State,
    count: usize,
) -> Vec<[usize; 2]> {
    let matters = |effect: usize| {
        let away = gain(machines, ledger, state, effect).map_or(0.0, |found| found.mean.abs());
        let alone = machines.alone[effect].as_ref().ok().map_or(0.0, |alone| {
            let terms = [(1.0, &machines.ideal), (-1.0, alone)];
            let found = differences(ledger, &terms, state.away[effect]);
            Contrast::among(&found, 1).map_or(0.0, |found| found.mean.abs())
        });
        away.max(alone)
    };
    let mut ranked: Vec<(usize, f64)> =
        (0..machines.full.len()).map(|effect| (effect, matters(effect))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut first: Vec<usize> = ranked.into_iter().take(count).map(|(effect, _)| effect).collect();
    first.sort_unstable();
    let pairs = |(place, a): (usize, &usize)| {
        first[place + 1..].iter().map(|b| [*a, *b]).collect::<Vec<_>>()
    };
    first.iter().enumerate().flat_map(pairs).collect()
}

/// What both away gain beyond what each away gains, on the seeds of the pair.
pub(super) fn interaction(
    machines: &Machines,
    ledger: &Ledger,
    ([a, b], seeds): ([usize; 2], u64),
    exceeds: f64,
) -> Option<Contrast> {
    let both = machines.without(&[a, b]);
    let [a, b] = [a, b].map(|effect| machines.away[effect].as_ref().ok());
    let terms: [(f64, &Factors); 4] = [(1.0, &both), (-1.0, a?), (-1.0, b?), (1.0, &machines.full)];
    Contrast::of(&differences(ledger, &terms, seeds), exceeds)
}

/// What a look at the ranking leaves undecided.
pub(super) struct Looked {
    /// Effects whose place among the first is not settled.
    pub effects: Vec<usize>,
    /// Pairs, by their place in the state, of which it is not known whether they add up.
    pub pairs: Vec<usize>,
}

/// Looks at the order of the first effects and at the pairs.
pub(super) fn look(
    machines: &Machines,
    ledger: &Ledger,
    state: &State,
    options: &Options,
) -> Looked {
    let order = order(machines, ledger, state);
    let neighbours: Vec<[usize; 2]> =
        order.windows(2).take(options.top).map(|two| [two[0], two[1]]).collect();
    let share = |compared: usize| 0.05 / (compared.max(1) * state.looks * (state.looks + 1)) as f64;
    let decided = |contrast: Option<Contrast>| {
        contrast.is_none_or(|found| found.is_sure() || found.is_within(options.within))
    };
    let mut effects = Vec::new();
    for [more, less] in &neighbours {
        let found = neighbour(machines, ledger, state, [*more, *less], share(neighbours.len()));
        if !decided(found) {
            effects.extend([*more, *less]);
        }
    }
    effects.sort_unstable();
    effects.dedup();
    let undecided = |index: &usize| {
        let pair = state.pairs[*index];
        !decided(interaction(machines, ledger, pair, share(state.pairs.len())))
    };
    let pairs = (0..state.pairs.len()).filter(undecided).collect();
    Looked { effects, pairs }
}

/// By how much the first of two effects moves the machine more than the second.
fn neighbour(
    machines: &Machines,
    ledger: &Ledger,
    state: &State,
    effects: [usize; 2],
    exceeds: f64,
) -> Option<Contrast> {
    let signs = effects.map(|effect| {
        gain(machines, ledger, state, effect).map_or(1.0, |found| 1f64.copysign(found.mean))
    });
    let [more, less] = effects.map(|effect| machines.away[effect].as_ref().ok());
    let terms = [(signs[0], more?), (-signs[1], less?), (signs[1] - signs[0], &machines.full)];
    let seeds = effects.map(|effect| state.away[effect]);
    Contrast::of(&differences(ledger, &terms, seeds[0].min(seeds[1])), exceeds)
}
