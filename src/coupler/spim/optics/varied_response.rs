//! A response that varies over the panel: cells are thicker here than there, and warmer.
//!
//! ```text
//! phi(r) = phi (1 + g(r)),      g(r) = slope . r / half the panel + a measured map + a smooth random map
//! ```
//!
//! A measured map has a number for each region of an evenly divided panel: between the middles of regions
//! lines are straight, beyond the outermost nothing changes any more. `equilux fit` makes one of phases
//! that were read region by region. The random map is dealt once by the chip: a sum of plane waves of random directions, phases and lengths,
//! normal at each point with standard deviation `map_sd`, two points at a distance d correlated by
//! exp(-d^2 / 2 l^2) (Rahimi & Recht 2007, random features of a Gaussian kernel). One response is
//! known of the whole panel, so nothing of this is made up for. The effective tier gives each
//! macro-pixel its mean.

use std::f64::consts::TAU;
use std::path::Path;

use nalgebra::DMatrix;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path as LightPath};
use crate::file::matrix::read_matrix;
use crate::quantity::range;
use crate::{Error, Result};

/// Plane waves in a map.
const WAVES: usize = 48;

/// A response that is not the same everywhere: the table `[device.spim.varied_response]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VariedResponse {
    /// Relative change of all phases from the panel's middle to its lower and to its right edge.
    pub slope: [f64; 2],
    /// A measured map: a file (.npy, .csv) of the relative change of all phases in each region of an evenly
    /// divided panel, rows and columns as one looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// Standard deviation of the random map, a relative change of all phases.
    #[serde(deserialize_with = "range::fraction")]
    pub map_sd: f64,
    /// Correlation length of the random map, in units of half the panel's shorter side.
    #[serde(deserialize_with = "range::positive")]
    pub map_length: f64,
}

impl Default for VariedResponse {
    fn default() -> Self {
        Self { slope: [0.0; 2], map: None, map_sd: 0.0, map_length: 0.5 }
    }
}

impl VariedResponse {
    /// What was measured of each region, if anything was.
    fn regions(&self) -> Result<Option<DMatrix<f64>>> {
        let Some(file) = &self.map else { return Ok(None) };
        let regions = read_matrix(Path::new(file))?;
        for (column, changes) in regions.column_iter().enumerate() {
            if let Some(row) = changes.iter().position(|change| change.abs() >= 1.0) {
                return Err(Error::input(format!(
                    "{file}: row {}, column {}: {} is out of range: expected relative changes of phases, \
                     within +-1",
                    row + 1,
                    column + 1,
                    changes[row]
                )));
            }
        }
        Ok(Some(regions))
    }

    /// The relative change of all phases at each pixel, row by row.
    fn gains(
        &self,
        (height, width): (usize, usize),
        regions: Option<&DMatrix<f64>>,
        chip: Key,
    ) -> Vec<f64> {
        let place = |count: usize, at: usize| 2.0 * (at as f64 + 0.5) / count as f64 - 1.0;
        let mut map = Vec::with_capacity(height * width);
        for row in 0..height {
            let down = self.slope[0] * place(height, row);
            map.extend((0..width).map(|column| down + self.slope[1] * place(width, column)));
        }
        if let Some(regions) = regions {
            let [down, across] = [(height, regions.nrows()), (width, regions.ncols())]
                .map(|(pixels, regions)| between_middles(pixels, regions));
            for (line, (rows, low)) in map.chunks_exact_mut(width).zip(&down) {
                for (gain, (columns, left)) in line.iter_mut().zip(&across) {
                    let at = |row: usize| {
                        left * regions[(row, columns[0])]
                            + (1.0 - left) * regions[(row, columns[1])]
                    };
                    *gain += low * at(rows[0]) + (1.0 - low) * at(rows[1]);
                }
            }
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

/// The two regions between whose middles each pixel lies, and the part that it has of the first.
fn between_middles(pixels: usize, regions: usize) -> Vec<([usize; 2], f64)> {
    let last = regions - 1;
    let of = |pixel: usize| {
        let at = (pixel as f64 + 0.5) / pixels as f64 * regions as f64 - 0.5;
        let at = at.clamp(0.0, last as f64);
        let low = (at as usize).min(last);
        ([low, (low + 1).min(last)], 1.0 - (at - low as f64))
    };
    (0..pixels).map(of).collect()
}

impl Effect for VariedResponse {
    fn title(&self) -> &'static str {
        "varied response"
    }

    fn is_off(&self) -> bool {
        self.slope == [0.0; 2] && self.map.is_none() && self.map_sd == 0.0
    }

    fn check(&self) -> Result<(), String> {
        match self.slope.iter().find(|slope| slope.is_nan() || slope.abs() >= 1.0) {
            Some(bad) => Err(format!("slope: {bad} is out of range: expected numbers within +-1")),
            None => Ok(()),
        }
    }

    fn measured(&mut self) -> Option<&mut String> {
        self.map.as_mut()
    }

    /// A measured map is what it is.
    fn scale(&mut self, factor: f64) -> bool {
        if self.map.is_some() {
            return false;
        }
        self.slope = self.slope.map(|slope| slope * factor);
        self.map_sd *= factor;
        true
    }
}

impl Optic for VariedResponse {
    fn followed_by(&self, path: LightPath, _: &SpimDevice) -> bool {
        !matches!(path, LightPath::Overlaps | LightPath::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let size = (optics.layout.height, optics.layout.width);
        let regions = self.regions()?;
        optics.phase_gains = Some(self.gains(size, regions.as_ref(), optics.chip));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_reaches_its_edges() {
        let varied = VariedResponse { slope: [0.1, -0.02], ..VariedResponse::default() };
        let map = varied.gains((100, 50), None, Key::new(1, "chip"));
        // The outermost pixels' middles are half a pixel from the edge.
        assert!((map[0] - (-0.1 * 0.99 + 0.02 * 0.98)).abs() < 1e-15);
        assert!((map[99 * 50 + 49] - (0.1 * 0.99 - 0.02 * 0.98)).abs() < 1e-15);
    }

    #[test]
    fn regions_have_what_was_measured_in_their_middles() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("map.csv");
        let varied =
            VariedResponse { map: Some(path.display().to_string()), ..VariedResponse::default() };
        std::fs::write(&path, "0.01,0.03,-0.02\n0.05,0.07,0.0\n").unwrap();
        let regions = varied.regions().unwrap();
        // Regions of 5 x 3 pixels, whose middles are pixels.
        let map = varied.gains((10, 9), regions.as_ref(), Key::new(1, "chip"));
        let at = |row: usize, column: usize| map[row * 9 + column];
        for (row, middle) in [2, 7].into_iter().enumerate() {
            for (column, across) in [1, 4, 7].into_iter().enumerate() {
                let measured = regions.as_ref().unwrap()[(row, column)];
                assert!((at(middle, across) - measured).abs() < 1e-15);
            }
        }
        assert!((at(2, 2) - (0.01 + 0.02 / 3.0)).abs() < 1e-15, "a third of the way");
        assert!((at(4, 4) - (0.03 + 0.04 * 0.4)).abs() < 1e-15);
        assert!((at(0, 0) - 0.01).abs() < 1e-15, "flat beyond the middles");
        std::fs::write(&path, "0.01,0.03\n-1.0,0.0\n").unwrap();
        let refused = varied.regions().unwrap_err().to_string();
        assert!(refused.contains("map.csv: row 2, column 1: -1 is out of range"), "{refused}");
    }

    #[test]
    fn maps_of_many_chips_have_their_spread_and_their_length() {
        let varied = VariedResponse { map_sd: 0.02, map_length: 0.5, ..VariedResponse::default() };
        let chips = 4000;
        let (mut square, mut product) = (0.0, 0.0);
        for chip in 0..chips {
            // One line of 17 pixels of a panel whose shorter side is 1 pixel would have no length:
            // a small square panel, its correlation length a quarter of its side.
            let map = varied.gains((16, 16), None, Key::new(chip, "chip"));
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
