//! The points of a study as lines of text.

use super::dimension::Dimension;
use super::quantity::{interval, title, value};
use crate::arithmetic::{Span, Statistics};
use crate::study::{Point, Study, Table};

/// Whether a run reached the target.
const AT_TARGET: &str = "at_target";
/// More points than this are left to the files.
const SHOWN: usize = 60;

/// One line a point: the values of its axes by their names, the study's metric with its 95 % interval,
/// how many runs it has.
pub fn describe_points(study: &Study, table: &Table) -> Vec<String> {
    let metric = study.metric();
    let Some(result) = table.result(&metric) else { return Vec::new() };
    let (points, dimensions) = (table.points(), Dimension::all(study, table));
    let heads = dimensions.iter().map(|dimension| dimension.label.clone());
    let mut rows: Vec<Vec<String>> =
        vec![heads.chain([title(&metric), "95 % interval".into(), "runs".into()]).collect()];
    let row = |point: &Point| {
        let names = dimensions.iter().map(|dimension| dimension.name(point));
        let of = point.statistics[result];
        let mean = of.map_or_else(|| "-".into(), |of| value(&metric, of.mean));
        let interval = of.and_then(|of| interval(&metric, &of)).unwrap_or_else(|| "-".into());
        names.chain([mean, interval, runs(point)]).collect()
    };
    rows.extend(points.iter().take(SHOWN).map(row));
    let reached = |of: Option<Statistics>| {
        let told = |of: Statistics| {
            let sure = interval(AT_TARGET, &of).map_or(String::new(), |sure| format!(" ({sure})"));
            value(AT_TARGET, of.mean) + &sure
        };
        of.map_or_else(|| "-".into(), told)
    };
    let aimed = study.target().zip(table.result(AT_TARGET));
    if let Some((target, at)) = aimed.filter(|_| study.chips.is_some()) {
        rows[0].push(format!("at {} or more", value(&metric, target)));
        for (row, point) in rows[1..].iter_mut().zip(&points) {
            row.push(reached(point.statistics[at]));
        }
    }
    let mut lines = aligned(&rows);
    if points.len() > SHOWN {
        lines.push(format!("... and {} more points, in summary.csv", points.len() - SHOWN));
    }
    if let Some((target, at)) = aimed.filter(|_| study.draw.is_some()) {
        let runs = table.rows.iter().filter_map(|row| row.outcome.as_ref().ok()?[at]);
        let of = Statistics::of(&runs.collect::<Vec<_>>(), Span::Trial);
        lines.push(format!("at {} or more: {} of the runs", value(&metric, target), reached(of)));
    }
    lines.push(String::new());
    lines
}

/// Rows of cells as lines of text, each column as wide as its widest cell.
pub fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let pad = |(cell, width): (&String, &usize)| {
        format!("{cell}{}", " ".repeat(width - cell.chars().count()))
    };
    rows.iter()
        .map(|row| {
            row.iter().zip(&widths).map(pad).collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// How many runs a point has.
pub(super) fn runs(point: &Point) -> String {
    if point.failed == 0 {
        point.done.to_string()
    } else {
        format!("{}, {} failed", point.done, point.failed)
    }
}
