//! Read noise: the deviation of each cell's reads, against its mean.

use super::columns::Columns;
use super::estimate::{rounded, variance};
use super::{Fitted, Panel, points, source};
use crate::{Error, Result};

/// Points of a curve at most: cells of similar conductance stand in one.
const POINTS: usize = 8;

/// Cells by mean, deviation and how many reads: the curve through groups of cells of similar
/// conductance, each point [mean, pooled deviation].
pub(super) fn curve(mut cells: Vec<(f64, f64, usize)>) -> Vec<(f64, f64)> {
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let each = cells.len().div_ceil(POINTS);
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for group in cells.chunks(each) {
        let freedom: f64 = group.iter().map(|(_, _, n)| (n - 1) as f64).sum();
        let squares: f64 = group.iter().map(|(_, square, n)| square * (n - 1) as f64).sum();
        let mean = group.iter().map(|(mean, _, _)| mean).sum::<f64>() / group.len() as f64;
        let (mean, deviation) = (rounded(mean.max(0.0), 4), (squares / freedom).sqrt());
        // Points rise.
        if curve.last().is_none_or(|(before, _)| *before < mean) {
            curve.push((mean, deviation));
        }
    }
    curve
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let reads = table.numbers("conductance_uS")?;
    let mut cells = Vec::new();
    for (_, rows) in table.groups("cell")? {
        let own: Vec<f64> = rows.iter().map(|row| reads[*row]).collect();
        if own.len() > 1 {
            cells.push((own.iter().sum::<f64>() / own.len() as f64, variance(&own), own.len()));
        }
    }
    if cells.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!(
            "{path}: every cell is read once: expected at least two reads"
        )));
    }
    let dots = cells.iter().map(|(mean, square, _)| (*mean, square.sqrt())).collect();
    let freedom: usize = cells.iter().map(|(_, _, n)| n - 1).sum();
    let count = cells.len();
    let curve = curve(cells);
    let mut found = Fitted::new("crossbar");
    let what = format!("{} reads of {count} cells", table.len());
    // Of a deviation from so many degrees of freedom in each point.
    let error = (curve.len() as f64 / (2.0 * freedom as f64)).sqrt();
    let source = format!("{}; each deviation to {:.0} %", source(table, &what), 100.0 * error);
    found.number("read_noise.sd_points_uS", points(&curve), "uS", source);
    found.say("read noise", format!("{} points to {:.0} % each", curve.len(), 100.0 * error));
    found.panels.push(Panel {
        name: "read-noise",
        caption: format!("Read noise: {what}; the line is what the datasheet says"),
        axes: ["Conductance (µS)".into(), "Deviation of reads (µS)".into()],
        dots,
        lines: vec![curve],
        logarithmic: false,
    });
    Ok(found)
}
