//! Phase response: the phase of each level, smoothed to rise.
//!
//! Phases of a level are averaged; where all lie within a turn they were measured within one, and turns are
//! added so that each level is next to the one before. The rising sequence next to them in the sense of least squares is made of plateaus
//! (isotonic regression: neighbours that fall are pooled until none does), and the response is the
//! straight line through the middles of the plateaus.

use std::f64::consts::{PI, TAU};

use super::columns::Columns;
use super::estimate::{ends, rounded};
use super::{Fitted, Panel, source};
use crate::{Error, Result};

/// Bits of a modulator at most.
const BITS: u32 = 16;

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
    let near = |phase: f64, to: f64| match wrapped {
        true => phase - TAU * ((phase - to) / TAU).round(),
        false => phase,
    };
    let mut sums = vec![[0.0; 2]; highest + 1];
    for (level, phase) in levels.iter().zip(&read) {
        let sum = &mut sums[*level as usize];
        // Reads of one level on either side of a full turn are one phase.
        let phase = if sum[0] > 0.0 { near(*phase, sum[1] / sum[0]) } else { *phase };
        *sum = [sum[0] + 1.0, sum[1] + phase];
    }
    let seen: Vec<usize> = (0..sums.len()).filter(|level| sums[*level][0] > 0.0).collect();
    let mut means: Vec<f64> = Vec::new();
    for level in &seen {
        let mean = sums[*level][1] / sums[*level][0];
        means.push(means.last().map_or(mean, |before| near(mean, *before)));
    }
    let at: Vec<f64> = seen.iter().map(|level| *level as f64).collect();
    let weights: Vec<f64> = seen.iter().map(|level| sums[*level][0]).collect();
    let points = plateaus(&at, &means, &weights);
    if points.len() < 2 {
        let path = table.path().display();
        return Err(Error::input(format!(
            "{path}: phases do not rise with the level: expected a response that does; one that falls is \
             measured against the other sign"
        )));
    }
    // From level 0, to which the others are relative.
    let first = through(&points, 0.0);
    let phases: Vec<f64> =
        (0..1usize << bits).map(|level| through(&points, level as f64) - first).collect();
    let left: f64 =
        at.iter().zip(&means).map(|(at, mean)| (through(&points, *at) - mean).powi(2)).sum();
    let residual = (left / at.len() as f64).sqrt();
    let what = format!("{} phases of {} levels", table.len(), seen.len());
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
        dots: at.iter().zip(&means).map(|(at, mean)| (*at, mean - first)).collect(),
        lines: vec![
            phases.iter().enumerate().map(|(level, phase)| (level as f64, *phase)).collect(),
        ],
        logarithmic: false,
    });
    found.response = Some((phases.into_iter().map(|phase| rounded(phase, 9)).collect(), source));
    Ok(found)
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
