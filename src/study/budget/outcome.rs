//! What a budget found.

use serde::{Deserialize, Serialize};

use super::ledger::{Factors, Ledger};
use super::machines::{Machines, State, differences, gain};
use super::ranking::{interaction, order};
use super::{Contrast, Options, Subject, Tolerance};
use crate::arithmetic::{Span, Statistics};
use crate::study::Outcome;
use crate::study::table::as_text;

/// An error budget. Scores and their differences are parts of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The name of the result that is counted: `test_accuracy` or `test_r2`.
    pub metric: String,
    /// The score of the device as it is, the mean over its seeds.
    pub baseline: f64,
    /// The score without any effect.
    pub ideal: Option<f64>,
    /// The device as it is.
    pub full: MachineCost,
    /// The device without any effect.
    pub without_all: MachineCost,
    /// The least number of seeds of every machine.
    pub seeds: u64,
    /// Different runs that the budget took, without tolerances.
    pub runs: usize,
    /// Whether the order of the first effects is settled; if not, runs were spent before.
    pub settled: bool,
    /// How many effects are the first.
    pub top: usize,
    /// Differences below this are none.
    pub within: f64,
    /// The effects, the one that moves the machine most when it is taken away first.
    pub effects: Vec<EffectCost>,
    /// What all effects cost together, and the sums over single ones.
    pub sum: Sum,
    /// Pairs of those that matter most, the largest departure from a sum first.
    pub pairs: Vec<Pair>,
    /// The loss of score that tolerances allow, if they were asked for.
    pub loss: Option<f64>,
    /// How large each effect may be, in the order of `effects`.
    pub tolerances: Vec<Tolerance>,
}

/// One machine of a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineCost {
    /// Seeds on which it ran.
    pub seeds: usize,
    /// Of these, runs that failed.
    pub failed: usize,
    /// What went wrong first, or why there is no such machine.
    pub error: Option<String>,
    /// The mean score.
    pub score: Option<f64>,
    /// What else is told of it, means over seeds.
    #[serde(flatten)]
    pub costs: Costs,
}

/// What a machine costs beside its score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Cosine of the learning rule's gradient with the machine's own, before training.
    pub cosine: Option<f64>,
    /// Camera frames of training.
    pub frames: Option<f64>,
    /// Conversions of training.
    pub conversions: Option<f64>,
    /// Laboratory seconds of training.
    pub lab_seconds: Option<f64>,
    /// What is known of the energy of training, joule.
    pub joules: Option<f64>,
}

/// What one effect costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectCost {
    /// Its table.
    pub effect: String,
    /// What it is called.
    pub title: String,
    /// Its numbers, by their keys.
    pub values: Vec<(String, String)>,
    /// The score without it.
    pub without: Option<f64>,
    /// What the device gains without it.
    pub difference: Option<f64>,
    /// The standard error of that.
    pub standard_error: Option<f64>,
    /// What the device gains without it.
    pub away: Option<Contrast>,
    /// What an ideal device loses with it.
    pub alone: Option<Contrast>,
    /// What the device loses when it is twice as large.
    pub doubled: Option<Contrast>,
    /// The device without it.
    pub machine_away: MachineCost,
    /// An ideal device with it.
    pub machine_alone: MachineCost,
    /// The device with twice as much of it.
    pub machine_doubled: MachineCost,
}

/// What all effects cost together, against sums over single ones, each on seeds that all share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// What the ideal device has more than the full one.
    pub whole: Option<Contrast>,
    /// The sum of what each costs alone.
    pub alone: Option<Contrast>,
    /// The sum of what each gains when it is taken away.
    pub away: Option<Contrast>,
}

/// Two effects, taken away together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Their tables.
    pub effects: [String; 2],
    /// What they are called.
    pub titles: [String; 2],
    /// What the device gains without both.
    pub both: Option<Contrast>,
    /// What it gains without both beyond the sum of what it gains without each: above 0 where they
    /// cancel each other or either is enough to spoil the machine, below 0 where each spoils only
    /// with the other.
    pub beyond_sum: Option<Contrast>,
    /// Whether the sum of parts is surely not the whole.
    pub sure: bool,
}

/// What the plan knows at the end.
pub(super) struct Told<'a> {
    pub options: &'a Options,
    pub state: &'a State,
    pub settled: bool,
    pub asked: usize,
    pub tolerances: Vec<Tolerance>,
}

/// What is told of a machine on its first `seeds` seeds.
fn machine_cost(ledger: &Ledger, machine: &Result<Factors, String>, seeds: u64) -> MachineCost {
    let machine = match machine {
        Ok(machine) => machine,
        Err(error) => {
            let error = Some(error.clone());
            let costs = Costs::default();
            return MachineCost { seeds: 0, failed: 0, error, score: None, costs };
        }
    };
    let mean = |name: &str| {
        let values: Vec<f64> =
            (0..seeds).filter_map(|at| ledger.value(machine, at, name)).collect();
        Statistics::of(&values, Span::All).map(|found| found.mean)
    };
    let outcomes: Vec<_> = (0..seeds).filter_map(|at| ledger.outcome(machine, at)).collect();
    let errors = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Error(error) => Some(error.clone()),
        Outcome::Results(_) => None,
    });
    let costs = Costs {
        cosine: mean("cosine"),
        frames: mean("frames"),
        conversions: mean("conversions"),
        lab_seconds: mean("lab_seconds"),
        joules: mean("joules"),
    };
    MachineCost {
        seeds: outcomes.len(),
        failed: errors.clone().count(),
        error: errors.clone().next(),
        score: mean(ledger.metric()),
        costs,
    }
}

/// What came of it all.
pub(super) fn outcome(
    subject: &dyn Subject,
    machines: &Machines,
    ledger: &Ledger,
    told: Told,
) -> Budget {
    let Told { options, state, settled, asked, tolerances } = told;
    let (listed, seeds) = (subject.effects(), options.seeds);
    let count = listed.len();
    let most = state.most_seeds();
    let mut order = order(machines, ledger, state);
    // Those that could not be taken away come last.
    order.extend((0..count).filter(|effect| !order.contains(effect)).collect::<Vec<_>>());
    let contrast = |more: &Factors, less: &Result<Factors, String>| {
        let terms = [(1.0, more), (-1.0, less.as_ref().ok()?)];
        Contrast::among(&differences(ledger, &terms, seeds), count)
    };
    let effect_cost = |effect: &usize| {
        let effect = *effect;
        let away = gain(machines, ledger, state, effect);
        let machine_away = machine_cost(ledger, &machines.away[effect], state.away[effect]);
        EffectCost {
            effect: listed[effect].name.clone(),
            title: listed[effect].title.clone(),
            values: subject.values(effect, 1.0),
            without: machine_away.score,
            difference: away.map(|found| found.mean),
            standard_error: away.and_then(|found| found.standard_error),
            away,
            alone: contrast(&machines.ideal, &machines.alone[effect]),
            doubled: contrast(&machines.full, &machines.doubled[effect]),
            machine_away,
            machine_alone: machine_cost(ledger, &machines.alone[effect], seeds),
            machine_doubled: machine_cost(ledger, &machines.doubled[effect], seeds),
        }
    };
    let full = machine_cost(ledger, &Ok(machines.full.clone()), most);
    let without_all = machine_cost(ledger, &Ok(machines.ideal.clone()), seeds);
    let tolerances = order.iter().filter_map(|effect| tolerances.get(*effect).cloned()).collect();
    Budget {
        metric: subject.metric().to_owned(),
        baseline: full.score.unwrap_or(f64::NAN),
        ideal: without_all.score,
        full,
        without_all,
        seeds,
        runs: asked,
        settled,
        top: options.top,
        within: options.within,
        effects: order.iter().map(effect_cost).collect(),
        sum: sums(machines, ledger, seeds),
        pairs: pairs(subject, machines, ledger, state),
        loss: options.tolerances,
        tolerances,
    }
}

/// The whole and the sums of parts; a sum is none where one of its parts is.
fn sums(machines: &Machines, ledger: &Ledger, seeds: u64) -> Sum {
    let (full, ideal) = (&machines.full, &machines.ideal);
    let over = |parts: &[Result<Factors, String>], sign: f64, other: &'_ Factors| {
        let mut terms: Vec<(f64, &Factors)> = Vec::new();
        for part in parts {
            terms.extend([(sign, part.as_ref().ok()?), (-sign, other)]);
        }
        Contrast::among(&differences(ledger, &terms, seeds), 1)
    };
    Sum {
        whole: Contrast::among(&differences(ledger, &[(1.0, ideal), (-1.0, full)], seeds), 1),
        alone: over(&machines.alone, -1.0, ideal),
        away: over(&machines.away, 1.0, full),
    }
}

fn pairs(subject: &dyn Subject, machines: &Machines, ledger: &Ledger, state: &State) -> Vec<Pair> {
    let (listed, compared) = (subject.effects(), state.pairs.len());
    let pair = |(pair, seeds): &([usize; 2], u64)| {
        let both = machines.without(pair);
        let terms = [(1.0, &both), (-1.0, &machines.full)];
        let beyond_sum =
            interaction(machines, ledger, (*pair, *seeds), 0.05 / compared.max(1) as f64);
        Pair {
            effects: pair.map(|effect| listed[effect].name.clone()),
            titles: pair.map(|effect| listed[effect].title.clone()),
            both: Contrast::among(&differences(ledger, &terms, *seeds), compared),
            beyond_sum,
            sure: beyond_sum.is_some_and(|found| found.is_sure()),
        }
    };
    let mut pairs: Vec<Pair> = state.pairs.iter().map(pair).collect();
    let size = |pair: &Pair| pair.beyond_sum.map_or(0.0, |found| found.mean.abs());
    pairs.sort_by(|a, b| size(b).total_cmp(&size(a)));
    pairs
}

/// Every run of the budget that has ended, but for tolerances, as CSV: the machine, the seed's
/// number, what came of it.
pub(super) fn runs(
    subject: &dyn Subject,
    machines: &Machines,
    ledger: &Ledger,
    state: &State,
) -> String {
    let listed = subject.effects();
    let name = |effect: usize| listed[effect].name.as_str();
    let mut rows: Vec<(String, Factors)> =
        vec![("full".into(), machines.full.clone()), ("ideal".into(), machines.ideal.clone())];
    for (kind, machines) in
        [("alone", &machines.alone), ("away", &machines.away), ("doubled", &machines.doubled)]
    {
        for (effect, machine) in machines.iter().enumerate() {
            rows.extend(machine.iter().map(|m| (format!("{kind} {}", name(effect)), m.clone())));
        }
    }
    for ([a, b], _) in &state.pairs {
        let both = machines.without(&[*a, *b]);
        rows.push((format!("away {} {}", name(*a), name(*b)), both));
    }
    let mut columns: Vec<String> = Vec::new();
    let each = |machine: &Factors| {
        (0..state.most_seeds())
            .filter_map(|at| Some((at, ledger.outcome(machine, at)?)))
            .collect::<Vec<_>>()
    };
    for (_, machine) in &rows {
        for (_, outcome) in each(machine) {
            if let Outcome::Results(results) = outcome {
                for (name, _) in results {
                    if !columns.contains(name) {
                        columns.push(name.clone());
                    }
                }
            }
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["machine", "replicate"].into_iter().chain(columns.iter().map(String::as_str));
    writer.write_record(head.chain(["error"])).expect("memory takes it");
    for (machine, factors) in &rows {
        for (at, outcome) in each(factors) {
            let error = match outcome {
                Outcome::Error(error) => as_text(error),
                Outcome::Results(_) => String::new(),
            };
            let value = |name: &String| {
                ledger.value(factors, at, name).map_or(String::new(), |value| value.to_string())
            };
            let cells = [as_text(machine), at.to_string()];
            let cells = cells.into_iter().chain(columns.iter().map(value)).chain([error]);
            writer.write_record(cells).expect("memory takes it");
        }
    }
    let bytes = writer.into_inner().expect("memory takes it");
    String::from_utf8(bytes).expect("text was written")
}
