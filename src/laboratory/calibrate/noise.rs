//! The noise of a frame against its intensity, a + b I + c I^2.

use crate::Result;
use crate::laboratory::bench::{Bench, moments};
use crate::laboratory::fit::least_squares;

/// Frames of one mask at each of the exposures.
const FRAMES: usize = 384;

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
    for part in [1.0, 0.6, 0.3, 0.12, 0.04, 0.01] {
        let seen = bench.flat(FRAMES, part * exposure)?;
        // The noise from frame to frame: what all frames of a second share is no noise of theirs.
        let apart: Vec<f64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let variance = apart.iter().map(|x| x * x).sum::<f64>() / (2.0 * apart.len() as f64);
        points.push((moments(&seen)[0], variance));
        readings.extend(seen);
    }
    readings.retain(|seen| seen.is_finite());
    readings.sort_by(f64::total_cmp);
    let steps = readings.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > FINEST);
    let step = steps.fold(1.0, f64::min);
    let bits = (1.0 / step + 1.0).log2().round() as u32;
    // Each variance is known to the same part of itself, down to that of rounding.
    let floor = step * step / 12.0;
    let of = |p: &[f64]| Noise { read: p[0].exp(), shot: p[1].exp(), laser: p[2].exp(), bits };
    let found = least_squares(&[1e-3f64.ln(), 1e-4f64.ln(), 3e-3f64.ln()], |p| {
        let noise = of(p);
        let apart = |(mean, variance): &(f64, f64)| {
            ((noise.variance(*mean) + floor) / (variance + floor)).ln()
        };
        points.iter().map(apart).collect()
    });
    Ok(of(&found))
}
