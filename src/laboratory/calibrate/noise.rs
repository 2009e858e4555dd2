//! The noise of a frame against its intensity, a + b I + c I^2.

use nalgebra::{DMatrix, DVector};

use crate::Result;
use crate::laboratory::bench::{Bench, mean, moments};

/// Parts of the exposure at which the light is looked at, and frames at each.
const PARTS: [(f64, usize); 6] =
    [(1.0, 768), (0.6, 768), (0.3, 768), (0.12, 768), (0.04, 384), (0.01, 384)];

/// Frames among which a variance is taken: what all of them share is no noise of theirs.
const TOGETHER: usize = 64;

/// Steps between readings that are none: rounding of single precision, on the way here.
const FINEST: f64 = 2e-7;

/// The noise of frames.
pub(super) struct Noise {
    /// Whatever the light, in units of the camera's full scale.
    pub read: f64,
    /// The inverse of the electrons of the full scale.
    pub shot: f64,
    /// Relative to the light.
    pub laser: f64,
    /// Bits of a camera whose codes are as far apart as readings are: what a region adds up has more
    /// than each of its pixels.
    pub bits: u32,
}

impl Noise {
    /// The variance of a frame of this intensity.
    pub fn variance(&self, intensity: f64) -> f64 {
        self.read.powi(2) + self.shot * intensity + (self.laser * intensity).powi(2)
    }
}

/// Measures it, on frames of all pixels in phase.
pub(super) fn noise(bench: &mut Bench, exposure: f64) -> Result<Noise> {
    let (mut points, mut readings) = (Vec::new(), Vec::new());
    for (part, frames) in PARTS {
        let seen = bench.flat(frames, part * exposure)?;
        let variances = seen.chunks(TOGETHER).map(|seen| moments(seen)[1].powi(2));
        let variance = mean(variances);
        points.push((moments(&seen)[0], variance));
        readings.extend(seen);
    }
    readings.retain(|seen| seen.is_finite());
    readings.sort_by(f64::total_cmp);
    let steps = readings.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > FINEST);
    let step = steps.fold(1.0, f64::min);
    let bits = (1.0 / step + 1.0).log2().round() as u32;
    let [read, shot, laser] = parabola(&points, step * step / 12.0);
    Ok(Noise { read: read.sqrt(), shot, laser: laser.sqrt(), bits })
}

/// a, b and c of a + b I + c I^2, none below 0, that miss the variances of `points` (I, variance)
/// least: each is known to the same part of itself, down to that of rounding.
fn parabola(points: &[(f64, f64)], rounding: f64) -> [f64; 3] {
    let of = |terms: &[f64; 3], i: f64| terms[0] + terms[1] * i + terms[2] * i * i;
    let mut expected: Vec<f64> = points.iter().map(|(_, variance)| *variance).collect();
    let mut found = [0.0; 3];
    for _ in 0..4 {
        let rows = points.len();
        let scale = |row: usize| 1.0 / (expected[row] + rounding);
        let target = DVector::from_fn(rows, |row, _| points[row].1 * scale(row));
        let mut least = f64::INFINITY;
        for kept in 1..8 {
            let terms: Vec<i32> = (0..3).filter(|term| kept >> term & 1 == 1).collect();
            let of_term = |row: usize, at: usize| points[row].0.powi(terms[at]) * scale(row);
            let matrix = DMatrix::from_fn(rows, terms.len(), of_term);
            let square = matrix.tr_mul(&matrix).cholesky();
            let Some(own) = square.map(|square| square.solve(&matrix.tr_mul(&target))) else {
                continue;
            };
            let missed = (&matrix * &own - &target).norm();
            if own.min() >= 0.0 && missed < least {
                (least, found) = (missed, [0.0; 3]);
                terms.iter().zip(&own).for_each(|(term, own)| found[*term as usize] = *own);
            }
        }
        expected = points.iter().map(|(i, _)| of(&found, *i)).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parabola_is_found_again_and_none_of_its_terms_is_below_0() {
        let intensities = [0.7, 0.4, 0.2, 0.08, 0.03, 0.007];
        for truth in [[3.7e-8, 2.8e-6, 2.5e-5], [0.0, 2.8e-6, 2.5e-5], [4e-6, 0.0, 0.0]] {
            let variance = |i: f64| truth[0] + truth[1] * i + truth[2] * i * i;
            let points: Vec<(f64, f64)> = intensities.iter().map(|i| (*i, variance(*i))).collect();
            let found = parabola(&points, 1e-9);
            for (found, truth) in found.iter().zip(truth) {
                assert!((found - truth).abs() <= 1e-6 * truth + 1e-15, "{found:?} {truth:?}");
            }
        }
        assert_eq!(parabola(&[(0.1, 1e-4), (0.5, 1e-5), (1.0, 1e-6)], 1e-9)[2], 0.0);
    }
}
