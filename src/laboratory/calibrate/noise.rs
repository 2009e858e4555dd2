//! The noise of a frame against its intensity, a + b I + c I^2.

use crate::Result;
use crate::laboratory::bench::{Bench, moments};
use crate::laboratory::fit::least_squares;

/// Frames of one mask at each of the exposures.
const FRAMES: usize = 384;

/// The noise of frames.
pub(super) struct Noise {
    /// Whatever the light, in units of the camera's full scale.
    pub read: f64,
    /// The inverse of the electrons of the full scale.
    pub shot: f64,
    /// Relative to the light.
    pub laser: f64,
}

impl Noise {
    /// The variance of a frame of this intensity.
    pub fn variance(&self, intensity: f64) -> f64 {
        self.read.powi(2) + self.shot * intensity + (self.laser * intensity).powi(2)
    }
}

/// Measures it, on frames of all pixels in phase.
pub(super) fn noise(bench: &mut Bench, exposure: f64) -> Result<Noise> {
    let mut points = Vec::new();
    for part in [1.0, 0.6, 0.3, 0.12, 0.04, 0.01] {
        let seen = bench.flat(FRAMES, part * exposure)?;
        // The noise from frame to frame: what all frames of a second share is no noise of theirs.
        let apart: Vec<f64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let variance = apart.iter().map(|x| x * x).sum::<f64>() / (2.0 * apart.len() as f64);
        points.push((moments(&seen)[0], variance));
    }
    // Each variance is known to the same part of itself, down to that of the camera's rounding.
    let codes = 2f64.powi(bench.kind.camera.bits as i32) - 1.0;
    let floor = 1.0 / (12.0 * codes * codes);
    let of = |p: &[f64]| Noise { read: p[0].exp(), shot: p[1].exp(), laser: p[2].exp() };
    let found = least_squares(&[1e-3f64.ln(), 1e-4f64.ln(), 3e-3f64.ln()], |p| {
        let noise = of(p);
        let apart = |(mean, variance): &(f64, f64)| {
            ((noise.variance(*mean) + floor) / (variance + floor)).ln()
        };
        points.iter().map(apart).collect()
    });
    Ok(of(&found))
}
