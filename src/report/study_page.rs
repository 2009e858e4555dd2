//! A study on one page: an HTML file that needs nothing but itself.

use super::datasheet::datasheet;
use super::dimension::Dimension;
use super::format::{self, count, counted, duration};
use super::html::{card, document, escaped, table};
use super::nudges::best_nudges;
use super::paired::paired;
use super::points::runs;
use super::quantity::{interval, title, value};
use crate::Result;
use crate::experiment::Experiment;
use crate::study::{Point, Study, Table};

/// More points than this are left to `summary.csv`.
const POINTS_SHOWN: usize = 400;
/// A table of points with more rows than this is collapsed.
const POINTS_OPEN: usize = 40;
/// Failures that are shown.
const FAILURES_SHOWN: usize = 20;

/// Results with this in their names are left to the files: of single arrays, and what follows from
/// others.
const UNLISTED: [&str; 4] = ["/", "_per_inference", "conversions", "pulses"];

/// The page of a study called `name`: its question, results with intervals, plots, failures, the
/// device, and how to repeat it; `figures` is the HTML of its plots.
///
/// # Errors
/// When a datasheet cannot be read.
pub fn study_page(
    name: &str,
    study: &Study,
    runs: usize,
    data: &Table,
    figures: &str,
) -> Result<String> {
    let called = if study.title.is_empty() { name } else { &study.title };
    let experiment = study.base()?;
    let points = data.points();
    let body = [
        header(called, name, study, &experiment),
        cards(study, runs, data, &points),
        plots(figures),
        best_nudges(study, data, &points, &experiment),
        paired(study, data),
        results(study, data, &points),
        failures(data),
        datasheet(&experiment, &study.keys())?,
        repeat(study),
    ];
    Ok(document(called, &body.concat()))
}

fn header(title: &str, name: &str, study: &Study, experiment: &Experiment) -> String {
    let line = format!(
        "{name}: {} on {}, {}",
        experiment.data.set,
        experiment.device.describe(),
        study.procedure.name()
    );
    format!("<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n<main>\n", escaped(title), escaped(&line))
}

fn cards(study: &Study, runs: usize, data: &Table, points: &[Point]) -> String {
    let failed = data.failed();
    let done = data.rows.len() - failed;
    let mut notes = format!("of {} in {}", count(runs as f64), counted(points.len(), "point"));
    if points.iter().any(|point| point.done == 2) {
        notes +=
            "<br>Two seeds: a 95 % interval is 12.7 standard errors to either side; of five, 2.8";
    }
    if failed > 0 {
        notes += &format!("<br>{} failed", count(failed as f64));
    }
    let mut cards = vec![card("Runs done", &count(done as f64), &notes)];
    let metric = study.metric();
    if let Some(result) = data.result(&metric) {
        let ends = extremes(points, result);
        for (end, point) in [
            ("Best point", ends.map(|(_, best)| best)),
            ("Worst point", ends.map(|(worst, _)| worst)),
        ] {
            let Some(statistics) = point.and_then(|point: &Point| point.statistics[result]) else {
                continue;
            };
            let mut at = point.map_or(String::new(), |point| described(study, data, point));
            let same = |point: &&Point| {
                point.statistics[result].is_some_and(|other| other.mean == statistics.mean)
            };
            match points.iter().filter(same).count() {
                0 | 1 => {}
                all => at += &format!(", and {} like it", counted(all - 1, "point")),
            }
            let sure = interval(&metric, &statistics).map_or(String::new(), |interval| {
                format!("<br>95 % interval: {}", escaped(&interval))
            });
            cards.push(card(
                &format!("{end}: {}", escaped(&title(&metric))),
                &escaped(&value(&metric, statistics.mean)),
                &(escaped(&at) + &sure),
            ));
        }
    }
    let sum = |name: &str| {
        let result = data.result(name)?;
        Some(data.rows.iter().filter_map(|row| row.outcome.as_ref().ok()?[result]).sum::<f64>())
    };
    if let Some(seconds) = sum("lab_seconds").filter(|seconds| *seconds > 0.0) {
        let frames = sum("frames").unwrap_or(0.0);
        let joules = sum("joules").unwrap_or(0.0);
        let mut notes = "of all training together".to_owned();
        if frames > 0.0 {
            notes += &format!("<br>{} camera frames", count(frames));
        }
        if joules > 0.0 {
            notes += &format!("<br>{}", format::joules(joules));
        }
        cards.push(card("Laboratory time", &duration(seconds), &notes));
    }
    format!("<dl class=\"results\">\n{}</dl>\n", cards.concat())
}

/// The points with the smallest and the largest mean.
fn extremes(points: &[Point], result: usize) -> Option<(&Point, &Point)> {
    let mean = |point: &Point| point.statistics[result].map(|statistics| statistics.mean);
    let with = || points.iter().filter_map(|point| Some((mean(point)?, point)));
    let worst = with().min_by(|a, b| a.0.total_cmp(&b.0))?.1;
    Some((worst, with().max_by(|a, b| a.0.total_cmp(&b.0))?.1))
}

/// Where a point is, in words.
fn described(study: &Study, data: &Table, point: &Point) -> String {
    let dimensions = Dimension::all(study, data);
    let at = |dimension: &Dimension| {
        Some(format!("{}: {}", dimension.label, dimension.names[dimension.place(&point.values)?]))
    };
    dimensions.iter().filter_map(at).collect::<Vec<_>>().join("; ")
}

fn plots(figures: &str) -> String {
    if figures.is_empty() {
        return String::new();
    }
    format!(
        "<section>\n<h2>Results</h2>\n<div class=\"plots\">\n{figures}</div>\n<p class=\"faint\">Lines are means over seeds, bands and bars \
         their 95 % intervals; as SVG, PNG and PDF in plots/.</p>\n</section>\n"
    )
}

/// The table of points: the axes, the runs, the results that say something; those that are the same
/// everywhere are told in a sentence.
fn results(study: &Study, data: &Table, points: &[Point]) -> String {
    let dimensions = Dimension::all(study, data);
    let listed = |result: &usize| !UNLISTED.iter().any(|part| data.results[*result].contains(part));
    let (same, shown): (Vec<usize>, Vec<usize>) = (0..data.results.len())
        .filter(|result| listed(result) && says_something(points, *result))
        .partition(|result| points.len() > 1 && is_same(data, *result));
    let mut heads: Vec<String> =
        dimensions.iter().map(|dimension| dimension.label.clone()).collect();
    heads.push("Runs".into());
    heads.extend(shown.iter().map(|result| title(&data.results[*result])));
    let cell = |point: &Point, result: usize| {
        let Some(of) = point.statistics[result] else { return "–".into() };
        let (name, mean) = (&data.results[result], value(&data.results[result], of.mean));
        interval(name, &of).map_or(mean.clone(), |interval| format!("{mean}\n{interval}"))
    };
    let row = |point: &Point| {
        let mut cells: Vec<String> =
            dimensions.iter().map(|dimension| dimension.name(point)).collect();
        cells.push(runs(point));
        cells.extend(shown.iter().map(|result| cell(point, *result)));
        cells
    };
    let listed = table("Points of the study", &heads, points.iter().take(POINTS_SHOWN).map(row));
    let more = match points.len().saturating_sub(POINTS_SHOWN) {
        0 => String::new(),
        more => format!("<p>{} more points are in summary.csv.</p>\n", count(more as f64)),
    };
    let listed = if points.len() > POINTS_OPEN {
        format!(
            "<details>\n<summary>{} points</summary>\n{listed}{more}</details>\n",
            count(points.len().min(POINTS_SHOWN) as f64)
        )
    } else {
        listed
    };
    let told = |result: &usize| {
        let name = &data.results[*result];
        let mean = points.iter().find_map(|point| point.statistics[*result]).map(|of| of.mean);
        format!("{}: {}", title(name), mean.map_or("–".into(), |mean| value(name, mean)))
    };
    let same: Vec<String> = same.iter().map(told).collect();
    let same = match same.is_empty() {
        true => String::new(),
        false => {
            format!("<p class=\"faint\">The same in all runs: {}.</p>\n", escaped(&same.join("; ")))
        }
    };
    format!(
        "<section>\n<h2>Points</h2>\n<p class=\"faint\">Mean over seeds, its 95 % interval below; everything else is in \
         summary.csv.</p>\n{listed}{same}</section>\n"
    )
}

/// Whether a result differs from zero anywhere.
fn says_something(points: &[Point], result: usize) -> bool {
    points
        .iter()
        .any(|point| point.statistics[result].is_some_and(|statistics| statistics.mean != 0.0))
}

/// Whether a result is one number in all runs.
fn is_same(data: &Table, result: usize) -> bool {
    let mut values = data.rows.iter().filter_map(|row| row.outcome.as_ref().ok()?[result]);
    let first = values.next();
    values.all(|value| Some(value) == first)
}

fn failures(data: &Table) -> String {
    let failed = data.failed();
    if failed == 0 {
        return String::new();
    }
    let heads: Vec<String> = ["Run".to_owned(), "Seed".into()]
        .into_iter()
        .chain(data.keys.clone())
        .chain(["What went wrong".into()])
        .collect();
    let rows = data.rows.iter().filter_map(|row| {
        let error = row.outcome.as_ref().err()?;
        Some(
            [row.number.to_string(), row.seed.to_string()]
                .into_iter()
                .chain(row.values.clone())
                .chain([error.clone()])
                .collect(),
        )
    });
    format!(
        "<section class=\"device\">\n<h2>Failed runs</h2>\n<p class=\"warning\">{} runs failed; what follows shows up to {FAILURES_SHOWN}.</p>\n{}</section>\n",
        count(failed as f64),
        table("Failed runs", &heads, rows.take(FAILURES_SHOWN))
    )
}

fn repeat(study: &Study) -> String {
    format!(
        "<section>\n<h2>Study</h2>\n<details>\n<summary>All of it</summary>\n<pre>{}</pre>\n</details>\n</section>\n<section>\n<h2>Repeat this study</h2>\n\
         <p>Save the study above as <code>study.toml</code>, then run</p>\n<pre>equilux sweep study.toml --out again\n\
         equilux report again</pre>\n<p class=\"faint\">Written by Equilux {}. Every run is repeatable to the bit.</p>\n</section>\n</main>\n",
        escaped(&study.to_toml()),
        env!("CARGO_PKG_VERSION"),
    )
}
