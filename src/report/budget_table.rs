//! A budget as tables of text, for the terminal and for the page.

use super::format::{count, duration};
use super::points::aligned;
use super::quantity::{self, digits};
use crate::study::budget::{Budget, Contrast, EffectCost, MachineCost, Pair, Tolerance};

/// A table's heads and rows.
pub struct Rows {
    /// What stands over the columns.
    pub heads: Vec<String>,
    /// The rows, each as long as the heads.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    fn new(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: rows.collect() }
    }

    fn lines(&self) -> Vec<String> {
        let all: Vec<_> = std::iter::once(&self.heads).chain(&self.rows).cloned().collect();
        aligned(&all)
    }
}

/// A difference in points with half its interval: `+1.25 ± 0.80`; a dash for none.
pub fn points(contrast: Option<Contrast>) -> String {
    let Some(Contrast { mean, half_width, .. }) = contrast else { return "–".into() };
    // No minus before nothing.
    let mean = 100.0 * mean;
    let mean = if mean.abs() < 0.005 { "0.00".into() } else { format!("{mean:+.2}") };
    half_width.map_or(mean.clone(), |half| format!("{mean} ± {:.2}", 100.0 * half))
}

/// Cosine, frames or conversions, seconds, joules.
fn costs(machine: &MachineCost) -> [String; 4] {
    let or_dash = |value: Option<f64>, show: fn(f64) -> String| {
        value.filter(|value| *value > 0.0).map_or("–".into(), show)
    };
    let costs = &machine.costs;
    let reads = costs.frames.filter(|frames| *frames > 0.0).or(costs.conversions);
    [
        costs.cosine.map_or("–".into(), |cosine| format!("{cosine:.3}")),
        or_dash(reads, count),
        or_dash(costs.lab_seconds, duration),
        or_dash(costs.joules, digits),
    ]
}

/// What the reads of a budget are called.
pub fn reads(budget: &Budget) -> &'static str {
    if budget.full.costs.frames.is_some_and(|frames| frames > 0.0) {
        "frames"
    } else {
        "conversions"
    }
}

/// What is counted of the test samples: accuracy, or R2.
pub fn metric(budget: &Budget) -> String {
    let title = quantity::title(&budget.metric);
    title.strip_prefix("Test ").map_or(title.clone(), str::to_owned)
}

/// A value of it.
pub fn counted(budget: &Budget, value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| quantity::value(&budget.metric, value))
}

/// The effects, the one that matters most first.
pub fn effects(budget: &Budget) -> Rows {
    let row = |effect: &EffectCost| {
        let away = &effect.machine_away;
        let differences = [effect.alone, effect.away, effect.doubled].map(points);
        let head = [effect.title.clone()].into_iter().chain(differences);
        head.chain([counted(budget, away.score)])
            .chain(costs(away))
            .chain([away.seeds.to_string()])
            .collect()
    };
    let whole = |name: &str, machine: &MachineCost| -> Vec<String> {
        let dashes = ["–"; 3].map(String::from);
        [name.to_owned()]
            .into_iter()
            .chain(dashes)
            .chain([counted(budget, machine.score)])
            .chain(costs(machine))
            .chain([machine.seeds.to_string()])
            .collect()
    };
    let rows = [whole("(the device)", &budget.full), whole("(ideal)", &budget.without_all)];
    Rows::new(
        &[
            "effect",
            "alone loses",
            "without gains",
            "doubled loses",
            &format!("{} without", metric(budget)),
            "cosine",
            reads(budget),
            "lab time",
            "joule",
            "seeds",
        ],
        rows.into_iter().chain(budget.effects.iter().map(row)),
    )
}

/// The pairs.
pub fn pairs(budget: &Budget) -> Rows {
    let row = |pair: &Pair| {
        let verdict = if pair.sure { "more than its parts" } else { "" };
        let [a, b] = &pair.titles;
        let n = pair.beyond_sum.map_or(0, |found| found.n);
        vec![
            format!("{a} and {b}"),
            points(pair.both),
            points(pair.beyond_sum),
            n.to_string(),
            verdict.to_owned(),
        ]
    };
    Rows::new(
        &["pair", "without both gains", "beyond the sum", "seeds", ""],
        budget.pairs.iter().map(row),
    )
}

/// The tolerances.
pub fn tolerances(budget: &Budget) -> Rows {
    let shown = |values: &[(String, String)], factor: Option<f64>, none: &str| {
        let Some(factor) = factor else { return none.to_owned() };
        let values: Vec<String> =
            values.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{} (x {})", values.join(", "), digits(factor))
    };
    let row = |tolerance: &Tolerance| {
        let Tolerance { factor, values, surely_less, surely_more, interval, .. } = tolerance;
        let mut largest = match &tolerance.refused {
            Some(_) => "–".into(),
            None => shown(values, *factor, "less than a 32nd of what it is"),
        };
        if tolerance.open {
            largest += ", nothing larger tried";
        }
        vec![
            tolerance.effect.clone(),
            largest,
            shown(&interval[0], *surely_less, "–"),
            shown(&interval[1], *surely_more, "–"),
        ]
    };
    let rows = budget.tolerances.iter().map(row);
    Rows::new(&["effect", "largest that will do", "surely less", "surely more"], rows)
}

/// What is to be said of a budget as a whole, sentence by sentence.
pub fn sentences(budget: &Budget) -> Vec<String> {
    let mut said = vec![format!(
        "{} different runs; intervals are 95 % for all {} effects of a column together (Student, \
         Bonferroni).",
        budget.runs,
        budget.effects.len()
    )];
    let top = budget.top.min(budget.effects.len());
    said.push(if budget.settled {
        format!(
            "The order of the first {top} is settled; what differs by less than {} points counts as \
             equal.",
            100.0 * budget.within
        )
    } else {
        format!("The runs were spent before the order of the first {top} was settled.")
    });
    let sum = &budget.sum;
    said.push(format!(
        "All effects together cost {} points; alone they add up to {}, taken away one by one to {}.",
        points(sum.whole),
        points(sum.alone),
        points(sum.away)
    ));
    for pair in budget.pairs.iter().filter(|pair| pair.sure) {
        let [a, b] = &pair.titles;
        let Some(beyond) = pair.beyond_sum else { continue };
        let meaning = if beyond.mean > 0.0 {
            "they cancel each other, or either is enough"
        } else {
            "each costs only with the other"
        };
        said.push(format!(
            "{a} and {b}: without both the device gains {} points more than the sum of what it \
             gains without each: {meaning}.",
            points(Some(beyond))
        ));
    }
    for effect in &budget.effects {
        for (what, machine) in [
            ("alone", &effect.machine_alone),
            ("taken away", &effect.machine_away),
            ("doubled", &effect.machine_doubled),
        ] {
            let Some(error) = &machine.error else { continue };
            let line = error.lines().next().unwrap_or_default();
            let runs = match (machine.seeds, machine.failed) {
                (0, _) => String::new(),
                (seeds, failed) => format!(" ({failed} of {seeds} runs failed)"),
            };
            said.push(format!("{} {what}{runs}: {line}", effect.title));
        }
    }
    said
}

/// A budget as lines of text.
pub fn describe_budget(budget: &Budget) -> Vec<String> {
    let mut lines = effects(budget).lines();
    for (title, rows) in [("", pairs(budget)), ("tolerances", tolerances(budget))] {
        if rows.rows.is_empty() {
            continue;
        }
        lines.push(String::new());
        if !title.is_empty() {
            let loss = digits(100.0 * budget.loss.unwrap_or(0.0));
            lines.push(format!("{title} for a loss of {loss} points"));
        }
        lines.extend(rows.lines());
    }
    lines.push(String::new());
    lines.extend(sentences(budget));
    lines
}
