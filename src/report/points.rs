//! The points of a study as lines of text.

use super::format::percent;
use crate::arithmetic::Statistics;
use crate::study::{Point, Study, Table};

/// More points than this are left to the files.
const SHOWN: usize = 60;

/// One line a point: the values of its axes, the study's metric with its 95 % interval, how many
/// runs it has.
pub fn describe_points(study: &Study, table: &Table) -> Vec<String> {
    let metric = study.metric();
    let Some(result) = table.result(&metric) else { return Vec::new() };
    let points = table.points();
    let mut rows: Vec<Vec<String>> = vec![
        table
            .keys
            .iter()
            .map(|key| short(key).to_owned())
            .chain([metric.clone(), "runs".into()])
            .collect(),
    ];
    rows.extend(points.iter().take(SHOWN).map(|point| row(point, &metric, result)));
    let mut lines = aligned(&rows);
    if points.len() > SHOWN {
        lines.push(format!("... and {} more points, in summary.csv", points.len() - SHOWN));
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

fn row(point: &Point, metric: &str, result: usize) -> Vec<String> {
    let runs = if point.failed == 0 {
        point.done.to_string()
    } else {
        format!("{}, {} failed", point.done, point.failed)
    };
    let value = point.statistics[result]
        .map_or_else(|| "-".into(), |statistics| with_interval(metric, &statistics));
    point.values.iter().cloned().chain([value, runs]).collect()
}

/// A mean with half its 95 % interval: percent for accuracies and what else ends so.
pub(super) fn with_interval(metric: &str, statistics: &Statistics) -> String {
    let Statistics { mean, half_width, .. } = *statistics;
    if is_fraction(metric) {
        let mean = percent(mean);
        return half_width.map_or(mean.clone(), |half| {
            format!("{} ± {}", mean.trim_end_matches(" %"), percent(half))
        });
    }
    half_width.map_or(digits(mean), |half| format!("{} ± {}", digits(mean), digits(half)))
}

/// Whether a result is a part of a whole that people read in percent.
pub(super) fn is_fraction(metric: &str) -> bool {
    metric.ends_with("accuracy") || metric.ends_with("unsettled") || metric.ends_with("truncated")
}

/// Four digits of any number.
pub(super) fn digits(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if (1e-3..1e4).contains(&size) {
        format!("{value:.*}", (3 - size.log10().floor() as i32).clamp(0, 4) as usize)
    } else {
        format!("{value:.3e}")
    }
}

/// The last part of a key.
pub(super) fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
