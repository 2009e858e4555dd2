//! Differences between the values of an axis, seed by seed: what seeds share, split, start and noise,
//! is in neither side of a difference.

use std::collections::HashMap;

use super::dimension::Dimension;
use super::html::table;
use super::quantity::{Quantity, digits, title};
use crate::arithmetic::{Span, Statistics};
use crate::study::{Row, Study, Table};

/// More rows than this are left to whoever reads results.csv.
const SHOWN: usize = 60;

/// The section of differences to the first value of the axis that says what is compared: of names if
/// there is one, else the last. Nothing where no two runs share a seed, and for points of a draw.
pub fn paired(study: &Study, data: &Table) -> String {
    let metric = study.metric();
    let dimensions = Dimension::all(study, data);
    let long = || dimensions.iter().enumerate().filter(|(_, dimension)| dimension.len() > 1);
    let named =
        long().find(|(_, dimension)| !dimension.is_numeric()).or_else(|| long().next_back());
    let (Some(result), Some((axis, _)), None) = (data.result(&metric), named, study.draw) else {
        return String::new();
    };
    let compared = &dimensions[axis];
    let rows = differences(data, &dimensions, axis, result);
    if rows.is_empty() {
        return String::new();
    }
    let quantity = Quantity::of(&metric, 1.0);
    let others =
        || dimensions.iter().enumerate().filter(|(index, one)| *index != axis && one.len() > 1);
    let mut heads: Vec<String> = vec![compared.label.clone()];
    heads.extend(others().map(|(_, dimension)| dimension.label.clone()));
    let unit = if quantity.factor == 100.0 { "points" } else { "difference" };
    heads.extend([format!("{} ({unit})", title(&metric)), "95 % interval".into(), "Seeds".into()]);
    let signed = |value: f64| match quantity.factor {
        100.0 if value.abs() < 5e-5 => "0.00".into(),
        100.0 => format!("{:+.2}", 100.0 * value),
        _ if value > 0.0 => format!("+{}", digits(value)),
        _ => digits(value),
    };
    let row = |(places, of): &(Vec<usize>, Statistics)| {
        let mut cells = vec![compared.names[places[axis]].clone()];
        cells.extend(others().map(|(index, dimension)| dimension.names[places[index]].clone()));
        let interval =
            of.interval.map(|(low, high)| format!("{} to {}", signed(low), signed(high)));
        cells.extend([signed(of.mean), interval.unwrap_or("–".into()), of.n.to_string()]);
        cells
    };
    let more = match rows.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("<p class=\"faint\">{more} more follow from results.csv.</p>\n"),
    };
    let listed = table("Paired differences", &heads, rows.iter().take(SHOWN).map(row));
    let first = super::html::escaped(&format!("{} {}", compared.label, compared.names[0]));
    format!(
        "<section>\n<h2>Paired differences</h2>\n<p class=\"faint\">To the runs at {first}, seed by seed: what runs of one seed share is in \
         neither side. Intervals are Student's.</p>\n{listed}{more}</section>\n"
    )
}

/// For each place on all axes but those at the first of `axis`: the statistics of the differences of
/// a `result` to the run of the same seed there.
fn differences(
    data: &Table,
    dimensions: &[Dimension],
    axis: usize,
    result: usize,
) -> Vec<(Vec<usize>, Statistics)> {
    let places = |row: &Row| -> Option<Vec<usize>> {
        dimensions.iter().map(|dimension| dimension.place(&row.values)).collect()
    };
    let value = |row: &Row| row.outcome.as_ref().ok()?[result];
    let found = || data.rows.iter().filter_map(|row| Some((places(row)?, row.seed, value(row)?)));
    let known: HashMap<(Vec<usize>, u64), f64> =
        found().map(|(places, seed, value)| ((places, seed), value)).collect();
    let mut points: Vec<(Vec<usize>, Vec<f64>)> = Vec::new();
    for (places, seed, value) in found().filter(|(places, ..)| places[axis] > 0) {
        let mut first = places.clone();
        first[axis] = 0;
        let Some(before) = known.get(&(first, seed)) else { continue };
        match points.iter_mut().find(|(known, _)| *known == places) {
            Some((_, values)) => values.push(value - before),
            None => points.push((places, vec![value - before])),
        }
    }
    let of = |(places, values): (_, Vec<f64>)| Some((places, Statistics::of(&values, Span::All)?));
    let points = points.into_iter().filter_map(of);
    points.filter(|(_, of)| of.n > 1).collect()
}
