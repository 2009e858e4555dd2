//! A response that varies over the panel: cells are thicker here than there, and warmer.
//!
//! ```text
//! phi(r) = phi (1 + g(r)),      g(r) = slope . r / half the panel + a smooth random map
//! ```
//!
//! The map is dealt once by the chip: a sum of plane waves of random directions, phases and lengths,
//! normal at each point with standard deviation `map_sd`, two points at a distance d correlated by
//! exp(-d^2 / 2 l^2) (Rahimi & Recht 2007, random features of a Gaussian kernel). One response is
//! known of the whole panel, so nothing of this is made up for. The effective tier gives each
//! macro-pixel its mean.

use std::f64::consts::TAU;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Plane waves in a map.
const WAVES: usize = 48;

/// A response that is not the same everywhere: the table `[device.spim.varied_response]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VariedResponse {
    /// Relative change of all phases from the panel's middle to its lower and to its right edge.
    pub slope: [f64; 2],
    /// Standard deviation of the random map, a relative change of all phases.
    #[serde(deserialize_with = "range::fraction")]
    pub map_sd: f64,
    /// Correlation length of the random map, in units of half the panel's shorter side.
    #[serde(deserialize_with = "range::positive")]
    pub map_length: f64,
}

impl Default for VariedResponse {
    fn default() -> Self {
        Self { slope: [0.0; 2], map_sd: 0.0, map_length: 0.5 }
    }
}

impl VariedResponse {
    /// The relative change of all phases at each pixel, row by row.
    fn map(&self, (height, width): (usize, usize), chip: Key) -> Vec<f64> {
        let place = |count: usize, at: usize| 2.0 * (at as f64 + 0.5) / count as f64 - 1.0;
        let mut map = Vec::with_capacity(height * width);
        for row in 0..height {
            let down = self.slope[0] * place(height, row);
            map.extend((0..width).map(|column| down + self.slope[1] * place(width, column)));
        }
        if self.map_sd > 0.0 {
            let length = self.map_length * height.min(width) as f64 / 2.0;
            let mut stream = Key::new(0, "response map").join(chip).stream();
            let amplitude = self.map_sd * (2.0 / WAVES as f64).sqrt();
            for _ in 0..WAVES {
                let [ky, kx] = [0; 2].map(|_| f64::normal(&mut stream) / length);
                let turn = TAU * stream.random::<f64>();
                let across: Vec<(f64, f64)> =
                    (0..width).map(|column| (kx * column as f64).sin_cos()).collect();
                for (row, line) in map.chunks_exact_mut(width).enumerate() {
                    let (sin, cos) = (ky * row as f64 + turn).sin_cos();
                    for (gain, (sin_x, cos_x)) in line.iter_mut().zip(&across) {
                        *gain += amplitude * (cos * cos_x - sin * sin_x);
                    }
                }
            }
        }
        map
    }
}

impl Effect for VariedResponse {
    fn title(&self) -> &'static str {
        "varied response"
    }

    fn is_off(&self) -> bool {
        self.slope == [0.0; 2] && self.map_sd == 0.0
    }

    fn check(&self) -> Result<(), String> {
        match self.slope.iter().find(|slope| slope.is_nan() || slope.abs() >= 1.0) {
            Some(bad) => Err(format!("slope: {bad} is out of range: expected numbers within +-1")),
            None => Ok(()),
        }
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.slope = self.slope.map(|slope| slope * factor);
        self.map_sd *= factor;
        true
    }
}

impl Optic for VariedResponse {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let size = (optics.layout.height, optics.layout.width);
        optics.phase_gains = Some(self.map(size, optics.chip));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_reaches_its_edges() {
        let varied = VariedResponse { slope: [0.1, -0.02], ..VariedResponse::default() };
        let map = varied.map((100, 50), Key::new(1, "chip"));
        // The outermost pixels' middles are half a pixel from the edge.
        assert!((map[0] - (-0.1 * 0.99 + 0.02 * 0.98)).abs() < 1e-15);
        assert!((map[99 * 50 + 49] - (0.1 * 0.99 - 0.02 * 0.98)).abs() < 1e-15);
    }

    #[test]
    fn maps_of_many_chips_have_their_spread_and_their_length() {
        let varied = VariedResponse { map_sd: 0.02, map_length: 0.5, ..VariedResponse::default() };
        let chips = 4000;
        let (mut square, mut product) = (0.0, 0.0);
        for chip in 0..chips {
            // One line of 17 pixels of a panel whose shorter side is 1 pixel would have no length:
            // a small square panel, its correlation length a quarter of its side.
            let map = varied.map((16, 16), Key::new(chip, "chip"));
            square += map[3 * 16 + 5] * map[3 * 16 + 5];
            product += map[3 * 16 + 5] * map[3 * 16 + 9];
        }
        let (square, product) = (square / chips as f64, product / chips as f64);
        // Five standard errors of a mean of squares of normal deviates.
        let error = 5.0 * (2.0 / chips as f64).sqrt();
        assert!((square / 0.02f64.powi(2) - 1.0).abs() < error, "{square}");
        let expected = (-0.5f64).exp() * 0.02f64.powi(2);
        assert!((product - expected).abs() < error * 0.02f64.powi(2), "{product} {expected}");
    }
}
