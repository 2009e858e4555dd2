//! A budget on one page: an HTML file that needs nothing but itself.

use super::budget_table::{self, Rows, points};
use super::datasheet::datasheet;
use super::html::{card, document, escaped, figure, table};
use super::quantity::digits;
use crate::Result;
use crate::experiment::Experiment;
use crate::study::budget::Budget;

/// The page of a budget called `name`; `tornado` is its chart.
///
/// # Errors
/// When a datasheet cannot be read.
pub fn budget_page(
    name: &str,
    budget: &Budget,
    experiment: Option<&Experiment>,
    tornado: &str,
) -> Result<String> {
    let line = experiment.map_or(String::new(), |experiment| {
        format!("{} on {}", experiment.data.set, experiment.device.describe())
    });
    let header = format!(
        "<header>\n<h1>What each imperfection costs: {}</h1>\n<p>{}</p>\n</header>\n<main>\n",
        escaped(name),
        escaped(&line)
    );
    let body = [
        header,
        cards(budget),
        chart(budget, tornado),
        section("Effects", EFFECTS, &budget_table::effects(budget)),
        section("Pairs", PAIRS, &budget_table::pairs(budget)),
        tolerances(budget),
        match experiment {
            Some(experiment) => datasheet(experiment, &[])? + &repeat(experiment),
            None => String::new(),
        },
        "</main>\n".into(),
    ];
    Ok(document(&format!("Error budget, {name}"), &body.concat()))
}

const EFFECTS: &str = "Points, hundredths of what is counted, with half their intervals. Alone: on an otherwise \
    ideal device. Without, doubled: on the device as it is. Cosine (of the rule's gradient with the \
    machine's own, before training), reads, laboratory time and energy of training are those of \
    the device without the effect.";
const PAIRS: &str = "Of the effects that matter most, what the device gains without both, and how \
    much of it is more than the sum of what it gains without each.";

fn cards(budget: &Budget) -> String {
    let seeds = format!("{} seeds", budget.full.seeds);
    let ideal = format!("without any effect, {} seeds", budget.without_all.seeds);
    let mut cards = vec![
        card("The device", &budget_table::counted(budget, Some(budget.baseline)), &seeds),
        card("Ideal", &budget_table::counted(budget, budget.ideal), &ideal),
        card("All effects cost", &points(budget.sum.whole), "points"),
    ];
    if let Some(first) = budget.effects.first() {
        let gains = format!("{} points without it", points(first.away));
        cards.push(card("Matters most", &escaped(&first.title), &gains));
    }
    format!("<dl class=\"results\">\n{}</dl>\n", cards.concat())
}

fn chart(budget: &Budget, tornado: &str) -> String {
    let said: String = budget_table::sentences(budget)
        .iter()
        .map(|sentence| format!("<p>{}</p>\n", escaped(sentence)))
        .collect();
    let caption = format!(
        "What each effect costs in points of test {}, the one that moves the device most on top; lines are \
         intervals, cut at the rim.",
        budget_table::metric(budget)
    );
    format!("<section>\n<h2>Budget</h2>\n{}{said}</section>\n", figure(tornado, &caption))
}

fn section(title: &str, note: &str, rows: &Rows) -> String {
    if rows.rows.is_empty() {
        return String::new();
    }
    format!(
        "<section>\n<h2>{title}</h2>\n<p class=\"faint\">{note}</p>\n{}</section>\n",
        table(title, &rows.heads, rows.rows.iter().cloned())
    )
}

fn tolerances(budget: &Budget) -> String {
    let note = format!(
        "The largest that each effect may be, everything else as it is, before the device loses {} \
         points against the device without it; and what surely loses less and more.",
        digits(100.0 * budget.loss.unwrap_or(0.0))
    );
    section("Tolerances", &note, &budget_table::tolerances(budget))
}

fn repeat(experiment: &Experiment) -> String {
    format!(
        "<section>\n<h2>Repeat this budget</h2>\n<p>Save this as <code>experiment.toml</code>, then \
         run <code>equilux budget experiment.toml</code>.</p>\n<details>\n<summary>Experiment\
         </summary>\n<pre>{}</pre>\n</details>\n<p class=\"faint\">Written by Equilux {}. Every run \
         is repeatable to the bit.</p>\n</section>\n",
        escaped(&experiment.to_toml()),
        env!("CARGO_PKG_VERSION"),
    )
}
