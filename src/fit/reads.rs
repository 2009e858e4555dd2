//! Read noise: the deviation of each cell's reads, against its mean.

use super::columns::Columns;
use super::estimate::{rounded, variance};
use super::{Fitted, Panel, points, source};
use crate::{Error, Result};

/// Points of a curve at most: cells of similar conductance stand in one.
const POINTS: usize = 8;

/// Standard errors by which a mean is not one of noise alone.
const SURE: f64 = 3.0;

/// Deviations of conductances that should be one, against their mean.
pub(super) struct Deviations {
    /// Each group's mean and deviation.
    pub groups: Vec<(f64, f64)>,
    /// The curve through groups of similar conductance: mean and pooled deviation.
    pub curve: Vec<(f64, f64)>,
    /// The relative standard error of a deviation of the curve.
    error: f64,
}

impl Deviations {
    /// Of the rows of a table with the same text in column `key`; `mean` says where a group stands, by its
    /// rows.
    ///
    /// # Errors
    /// `once` where no group has two rows.
    pub fn of(
        table: &Columns,
        key: &str,
        mean: impl Fn(&[usize]) -> f64,
        once: &str,
    ) -> Result<Self> {
        let held = table.numbers("conductance_uS")?;
        let mut groups = Vec::new();
        for (_, rows) in table.groups(key)? {
            if rows.len() > 1 {
                let own: Vec<f64> = rows.iter().map(|row| held[*row]).collect();
                let (mean, square) = (mean(&rows), variance(&own));
                // Noise may take single reads below 0.
                if mean < -SURE * (square / rows.len() as f64).sqrt() {
                    let message =
                        format!("conductances of {mean:.3} uS: expected 0 or more on average");
                    return Err(table.wrong(rows[0], &message));
                }
                groups.push((mean, square, rows.len()));
            }
        }
        if groups.is_empty() {
            return Err(Error::input(format!("{}: {once}", table.path().display())));
        }
        let freedom: usize = groups.iter().map(|(_, _, n)| n - 1).sum();
        let of_groups = groups.iter().map(|(mean, square, _)| (*mean, square.sqrt())).collect();
        let curve = curve(groups);
        // Of a deviation from so many degrees of freedom in each point.
        let error = (curve.len() as f64 / (2.0 * freedom as f64)).sqrt();
        Ok(Self { groups: of_groups, curve, error })
    }

    /// How well each deviation is known, in words.
    pub fn known(&self) -> String {
        format!("each deviation to {:.0} %", 100.0 * self.error)
    }
}

/// Cells by mean, deviation and how many reads: the curve through groups of cells of similar
/// conductance, each point [mean, pooled deviation].
fn curve(mut cells: Vec<(f64, f64, usize)>) -> Vec<(f64, f64)> {
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let each = cells.len().div_ceil(POINTS);
    // Mean, sum of squares and degrees of freedom.
    let mut points: Vec<[f64; 3]> = Vec::new();
    for group in cells.chunks(each) {
        let freedom: f64 = group.iter().map(|(_, _, n)| (n - 1) as f64).sum();
        let squares: f64 = group.iter().map(|(_, square, n)| square * (n - 1) as f64).sum();
        let mean = group.iter().map(|(mean, _, _)| mean).sum::<f64>() / group.len() as f64;
        let mean = rounded(mean.max(0.0), 4);
        match points.last_mut() {
            // Points rise: those at one place are one.
            Some(last) if last[0] == mean => {
                last[1] += squares;
                last[2] += freedom;
            }
            _ => points.push([mean, squares, freedom]),
        }
    }
    points.iter().map(|[mean, squares, freedom]| (*mean, (squares / freedom).sqrt())).collect()
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let reads = table.numbers("conductance_uS")?;
    let mean = |rows: &[usize]| rows.iter().map(|row| reads[*row]).sum::<f64>() / rows.len() as f64;
    let once = "every cell is read once: expected at least two reads";
    let deviations = Deviations::of(table, "cell", mean, once)?;
    let what = format!("{} reads of {} cells", table.len(), deviations.groups.len());
    let mut found = Fitted::new("crossbar");
    let source = format!("{}; {}", source(table, &what), deviations.known());
    found.number("read_noise.sd_points_uS", points(&deviations.curve), "uS", source);
    found.say("read noise", format!("{} points, {}", deviations.curve.len(), deviations.known()));
    found.panels.push(Panel {
        name: "read-noise",
        caption: format!("Read noise: {what}; the line is what the datasheet says"),
        axes: ["Conductance (µS)".into(), "Deviation of reads (µS)".into()],
        dots: deviations.groups,
        lines: vec![deviations.curve],
        logarithmic: false,
    });
    Ok(found)
}
