//! Phase response: the phase of each level, smoothed to rise.
//!
//! Phases of a level are averaged; where all lie within a turn they were measured within one, and turns are
//! added so that each level is next to the one before. The rising sequence next to them in the sense of least squares is made of plateaus
//! (isotonic regression: neighbours that fall are pooled until none does), and the response is the
//! straight line through the middles of the plateaus.
//!
//! Where `row` and `column` say of which region of the panel a phase is, all regions have one response, each
//! times a factor of its own (cells are thicker here than there): response and factors are found in turns.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::{PI, TAU};

use nalgebra::DMatrix;

use super::columns::Columns;
use super::estimate::{Estimate, ends, rounded};
use super::{Fitted, Panel, source};
use crate::experiment::Beside;
use crate::{Error, Result};

/// Bits of a modulator at most.
const BITS: u32 = 16;

/// Rounds in which the response of the panel and the scales of its regions are found in turns.
const ROUNDS: usize = 20;

/// The rising sequence next to `values` of these weights, as plateaus: middle and height.
fn plateaus(at: &[f64], values: &[f64], weights: &[f64]) -> Vec<(f64, f64)> {
    // Weight, weighted place, height.
    let mut pools: Vec<[f64; 3]> = Vec::new();
    for ((at, value), weight) in at.iter().zip(values).zip(weights) {
        pools.push([*weight, *at, *value]);
        while let [.., before, last] = &pools[..]
            && before[2] >= last[2]
        {
            let all = before[0] + last[0];
            let mean = |k: usize| (before[0] * before[k] + last[0] * last[k]) / all;
            let pool = [all, mean(1), mean(2)];
            pools.truncate(pools.len() - 2);
            pools.push(pool);
        }
    }
    pools.into_iter().map(|[_, at, value]| (at, value)).collect()
}

/// The line through rising `points` at `x`; beyond them it goes on as at their ends.
fn through(points: &[(f64, f64)], x: f64) -> f64 {
    let above = points.partition_point(|point| point.0 <= x).clamp(1, points.len() - 1);
    let ((x0, y0), (x1, y1)) = (points[above - 1], points[above]);
    y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}

/// The phases of one region, level by level.
struct Curve {
    levels: Vec<usize>,
    /// Means over the reads of a level, each next to that of the level before.
    phases: Vec<f64>,
    /// Reads.
    weights: Vec<f64>,
}

impl Curve {
    /// Of some `rows` of a table; `wrapped` are phases that were read within a turn.
    fn new(levels: &[f64], read: &[f64], rows: &[usize], wrapped: bool) -> Self {
        let near = |phase: f64, to: f64| match wrapped {
            true => phase - TAU * ((phase - to) / TAU).round(),
            false => phase,
        };
        let mut sums: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        for row in rows {
            let sum = sums.entry(levels[*row] as usize).or_default();
            // Reads of one level on either side of a full turn are one phase.
            let phase = if sum[0] > 0.0 { near(read[*row], sum[1] / sum[0]) } else { read[*row] };
            *sum = [sum[0] + 1.0, sum[1] + phase];
        }
        let mut phases: Vec<f64> = Vec::new();
        for [reads, sum] in sums.values() {
            let mean = sum / reads;
            phases.push(phases.last().map_or(mean, |before| near(mean, *before)));
        }
        let weights = sums.values().map(|[reads, _]| *reads).collect();
        Self { levels: sums.into_keys().collect(), phases, weights }
    }
}

/// A region's phases against those of the panel: `first` + `scale` phi.
#[derive(Clone, Copy)]
struct Line {
    first: f64,
    scale: f64,
    /// The standard error of `scale`.
    error: f64,
}

/// A response: the middles of its plateaus, from a phase of 0 at level 0.
type Response = Vec<(f64, f64)>;

/// The response that all curves have in common but for a first phase and a scale each (of mean 1), and
/// those.
fn in_common(curves: &[Curve]) -> Option<(Response, Vec<Line>)> {
    let mut lines: Vec<Line> = curves
        .iter()
        .map(|curve| Line { first: curve.phases[0], scale: 1.0, error: f64::NAN })
        .collect();
    let mut points = Vec::new();
    for _ in 0..if curves.len() > 1 { ROUNDS } else { 1 } {
        // Weight, and weighted phase, of each level.
        let mut sums: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        for (curve, line) in curves.iter().zip(&lines) {
            for ((level, phase), weight) in
                curve.levels.iter().zip(&curve.phases).zip(&curve.weights)
            {
                let sum = sums.entry(*level).or_default();
                sum[0] += weight * line.scale * line.scale;
                sum[1] += weight * line.scale * (phase - line.first);
            }
        }
        let at: Vec<f64> = sums.keys().map(|level| *level as f64).collect();
        let phases: Vec<f64> = sums.values().map(|[weight, sum]| sum / weight).collect();
        let weights: Vec<f64> = sums.values().map(|[weight, _]| *weight).collect();
        points = plateaus(&at, &phases, &weights);
        if points.len() < 2 {
            return None;
        }
        // From level 0, to which the others are relative.
        let first = through(&points, 0.0);
        points.iter_mut().for_each(|point| point.1 -= first);
        if curves.len() == 1 {
            lines[0].first += first;
            break;
        }
        for (curve, line) in curves.iter().zip(&mut lines) {
            *line = curve.against(&points);
        }
        let mean = lines.iter().map(|line| line.scale).sum::<f64>() / lines.len() as f64;
        for line in &mut lines {
            line.scale /= mean;
            line.error /= mean;
        }
        points.iter_mut().for_each(|point| point.1 *= mean);
    }
    Some((points, lines))
}

impl Curve {
    /// The straight line that it is of the response through `points`, by least squares.
    fn against(&self, points: &[(f64, f64)]) -> Line {
        let shown: Vec<f64> =
            self.levels.iter().map(|level| through(points, *level as f64)).collect();
        let total: f64 = self.weights.iter().sum();
        let mean = |of: &[f64]| {
            of.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f64>() / total
        };
        let (x, y) = (mean(&shown), mean(&self.phases));
        let (mut xx, mut xy) = (0.0, 0.0);
        for ((shown, phase), weight) in shown.iter().zip(&self.phases).zip(&self.weights) {
            xx += weight * (shown - x).powi(2);
            xy += weight * (shown - x) * (phase - y);
        }
        let (scale, free) = (xy / xx, self.levels.len() as f64 - 2.0);
        let first = y - scale * x;
        let left = shown.iter().zip(&self.phases).zip(&self.weights);
        let left: f64 = left
            .map(|((shown, phase), weight)| weight * (phase - first - scale * shown).powi(2))
            .sum();
        Line { first, scale, error: (left / free.max(0.0) / xx).sqrt() }
    }
}

/// The rows of each region of the panel, row by row, and how many rows and columns of regions there
/// are; one region of all where the table names none.
fn regions(table: &Columns) -> Result<(Vec<Vec<usize>>, [usize; 2])> {
    if !table.has("row") && !table.has("column") {
        return Ok((vec![(0..table.len()).collect()], [1, 1]));
    }
    let places = [table.numbers("row")?, table.numbers("column")?];
    let sorted = |places: &[f64]| {
        let mut all = places.to_vec();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    };
    let [down, across] = [sorted(&places[0]), sorted(&places[1])];
    let path = table.path().display();
    for (name, all) in [("row", &down), ("column", &across)] {
        let step = all.get(1).map_or(0.0, |second| second - all[0]);
        let even = |pair: &[f64]| (pair[1] - pair[0] - step).abs() < 1e-6 * step;
        if let Some(pair) = all.windows(2).find(|pair| !even(pair)) {
            return Err(Error::input(format!(
                "{path}: {name} {} after {}: expected regions of an evenly divided panel, steps of {step}",
                pair[1], pair[0]
            )));
        }
    }
    if down.len().saturating_mul(across.len()) > table.len() {
        return Err(Error::input(format!(
            "{path}: {} phases of {} x {} regions: expected phases of every region",
            table.len(),
            down.len(),
            across.len()
        )));
    }
    let mut regions = vec![Vec::new(); down.len() * across.len()];
    for (row, (y, x)) in places[0].iter().zip(&places[1]).enumerate() {
        let place = |all: &[f64], at: &f64| all.partition_point(|other| other < at);
        regions[place(&down, y) * across.len() + place(&across, x)].push(row);
    }
    if let Some(empty) = regions.iter().position(Vec::is_empty) {
        return Err(Error::input(format!(
            "{path}: no phase of row {}, column {}: expected phases of every region of an evenly divided panel",
            down[empty / across.len()],
            across[empty % across.len()]
        )));
    }
    Ok((regions, [down.len(), across.len()]))
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (levels, read) = (table.numbers("level")?, table.numbers("phase_rad")?);
    let most = f64::from((1u32 << BITS) - 1);
    for (row, level) in levels.iter().enumerate() {
        if level.fract() != 0.0 || !(0.0..=most).contains(level) {
            let expected = format!("level = {level}: expected a whole number from 0 to {most}");
            return Err(table.wrong(row, &expected));
        }
    }
    let highest = levels.iter().copied().fold(0.0, f64::max) as usize;
    let bits = (1..=BITS).find(|bits| highest < 1 << bits).unwrap_or(BITS);
    // Read within a turn, or over several; a little beyond is noise.
    let [lowest, largest] = ends(read.iter().copied());
    let wrapped = largest - lowest < 1.05 * TAU;
    let (regions, [down, across]) = regions(table)?;
    let curves: Vec<Curve> =
        regions.iter().map(|rows| Curve::new(&levels, &read, rows, wrapped)).collect();
    let path = table.path().display();
    let wrong = |region: usize, expected: &str| {
        let (row, column) = (region / across + 1, region % across + 1);
        Err(Error::input(format!(
            "{path}: region {row}, {column} of {down} x {across}: {expected}"
        )))
    };
    if let Some(few) = curves.iter().position(|curve| curves.len() > 1 && curve.levels.len() < 3) {
        return wrong(few, "expected phases of at least three levels");
    }
    // Of other levels a region's phases would say nothing against the others'.
    if let Some(other) = curves.iter().position(|curve| curve.levels != curves[0].levels) {
        return wrong(
            other,
            "phases of other levels than of the first: expected the same in all regions",
        );
    }
    let Some((points, lines)) = in_common(&curves) else {
        return Err(Error::input(format!(
            "{path}: phases do not rise with the level: expected a response that does; one that falls is \
             measured against the other sign"
        )));
    };
    let phases: Vec<f64> =
        (0..1usize << bits).map(|level| through(&points, level as f64)).collect();
    // As if all had been measured where the panel is as it is on average.
    let mut dots = Vec::new();
    let (mut left, mut count) = (0.0, 0.0);
    for (curve, line) in curves.iter().zip(&lines) {
        for (level, phase) in curve.levels.iter().zip(&curve.phases) {
            let shown = through(&points, *level as f64);
            left += (phase - line.first - line.scale * shown).powi(2);
            count += 1.0;
            dots.push((*level as f64, (phase - line.first) / line.scale));
        }
    }
    let residual = (left / count).sqrt();
    let seen: BTreeSet<usize> =
        curves.iter().flat_map(|curve| curve.levels.iter().copied()).collect();
    let mut what = format!("{} phases of {} levels", table.len(), seen.len());
    if curves.len() > 1 {
        what += &format!(" in {down} x {across} regions");
    }
    let stroke = phases[phases.len() - 1];
    let mut found = Fitted::new("spim");
    let source = format!("{}; {:.4} rad rms from the line", source(table, &what), residual);
    found.number("quantisation.bits", i64::from(bits), "bit", source.clone());
    found.say("bits", bits);
    found.say("stroke", format!("{:.4} rad, {:.3} pi", stroke, stroke / PI));
    found.say("residual", format!("{residual:.4} rad rms"));
    found.panels.push(Panel {
        name: "response",
        caption: format!("Phase response: {what}; the line is what the datasheet says"),
        axes: ["Level".into(), "Phase (rad)".into()],
        dots,
        lines: vec![
            phases.iter().enumerate().map(|(level, phase)| (level as f64, *phase)).collect(),
        ],
        logarithmic: false,
    });
    let phases: Vec<f64> = phases.into_iter().map(|phase| rounded(phase, 9)).collect();
    found.beside.push(Beside {
        key: "response.table",
        values: DMatrix::from_column_slice(phases.len(), 1, &phases),
        unit: "rad",
        source: source.clone(),
    });
    if curves.len() > 1 {
        vary(&mut found, &lines, [down, across], source);
    }
    Ok(found)
}

/// Adds the map of a response that is not the same in all regions.
fn vary(found: &mut Fitted, lines: &[Line], [down, across]: [usize; 2], source: String) {
    let changes: Vec<f64> = lines.iter().map(|line| line.scale - 1.0).collect();
    let own: Vec<f64> = lines.iter().map(|line| line.error.powi(2)).collect();
    let [lowest, highest] = ends(changes.iter().copied());
    let spread = Estimate::spread(&changes, &own);
    found.say("regions", format!("{down} x {across}"));
    found.say("spread over the panel", format!("{} of all phases", spread));
    found.say("of regions", format!("from {:+.2} to {:+.2} %", 100.0 * lowest, 100.0 * highest));
    let numbered = |number: usize| number as f64 + 1.0;
    found.panels.push(Panel {
        name: "regions",
        caption: format!(
            "Change of all phases in each of {down} x {across} regions, row by row from the upper left; the \
             line is no change"
        ),
        axes: ["Region".into(), "Relative change".into()],
        dots: changes.iter().enumerate().map(|(at, change)| (numbered(at), *change)).collect(),
        lines: vec![vec![(numbered(0), 0.0), (numbered(changes.len() - 1), 0.0)]],
        logarithmic: false,
    });
    let changes: Vec<f64> = changes.into_iter().map(|change| rounded(change, 6)).collect();
    found.beside.push(Beside {
        key: "varied_response.map",
        values: DMatrix::from_row_slice(down, across, &changes),
        unit: "1",
        source,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_neighbours_are_pooled() {
        let at = [0.0, 1.0, 2.0, 3.0, 4.0];
        let found = plateaus(&at, &[0.0, 2.0, 1.0, 1.5, 3.0], &[1.0; 5]);
        assert_eq!(found, [(0.0, 0.0), (2.0, 1.5), (4.0, 3.0)]);
        assert_eq!(through(&found, 1.0), 0.75);
        assert_eq!(through(&found, 6.0), 4.5);
        // A weight of three pulls three times.
        let found = plateaus(&at[..2], &[4.0, 0.0], &[3.0, 1.0]);
        assert_eq!(found, [(0.25, 3.0)]);
    }
}
