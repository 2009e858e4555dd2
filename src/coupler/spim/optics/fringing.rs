//! Fringing fields: a pixel's voltage bends the liquid crystal of its neighbours too.
//!
//! The phases as driven (wrapped, so that a step from 2 pi to 0 is a step) are convolved with a
//! kernel on a grid of 3 x 3 points a pixel (form and grid: Schroff et al. 2023,
//! doi:10.1038/s41598-023-30296-6, and their program hologradpy):
//!
//! ```text
//! phi -> K * phi,      K = |F^-1 exp(-(|kx|^q + |ky|^q) / sigma^q)|,      sum K = 1
//! ```
//!
//! Beyond the panel the phases of its rim go on. The width sigma is in cycles a pixel, so that
//! crosstalk is the same whatever the pitch: a panel of smaller pixels has more of it, and needs a
//! smaller sigma. Two sets of numbers are in the datasheets: q = 2.3 and sigma = 0.92, those of
//! hologradpy's own example (`hamamatsu-x15213`), and q = 1.2 and sigma = 2.03, an assumption that
//! no source confirms. A kernel measured on the panel takes the place of both.

use std::f64::consts::TAU;
use std::path::Path;

use nalgebra::DMatrix;
use num_complex::Complex64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::arithmetic::simd;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path as LightPath};
use crate::file::matrix::read_matrix;
use crate::quantity::range;
use crate::{Error, Result};

/// Points along a pixel's side.
pub const POINTS: usize = 3;
/// Points from the middle to the rim of the formula's kernel: three pixels in all, as in hologradpy, where
/// its width and exponent belong.
const RADIUS: usize = 4;
/// How far the sum of a measured kernel may be from 1.
const SUM_TOLERANCE: f64 = 1e-3;

/// Phases smeared over neighbours: the table `[device.spim.fringing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fringing {
    /// Width of the kernel's spectrum, cycles a pixel whatever the pitch; 0 is no crosstalk.
    #[serde(deserialize_with = "range::non_negative")]
    pub sigma: f64,
    /// The exponent q of the kernel's spectrum.
    #[serde(deserialize_with = "range::positive")]
    pub order: f64,
    /// A measured kernel, three samples a pixel, in place of the formula: an .npy or .csv file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

impl Default for Fringing {
    fn default() -> Self {
        Self { sigma: 0.0, order: 1.2, kernel: None }
    }
}

impl Effect for Fringing {
    fn title(&self) -> &'static str {
        "fringing fields"
    }

    fn is_off(&self) -> bool {
        self.sigma == 0.0 && self.kernel.is_none()
    }

    fn measured(&mut self) -> Option<&mut String> {
        self.kernel.as_mut()
    }

    /// The kernel is wider by it. A measured kernel is what it is.
    fn scale(&mut self, factor: f64) -> bool {
        if self.kernel.is_some() {
            return false;
        }
        self.sigma /= factor;
        true
    }
}

impl Optic for Fringing {
    fn followed_by(&self, path: LightPath, _: &SpimDevice) -> bool {
        !matches!(path, LightPath::Overlaps | LightPath::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        optics.fringing = Some(match &self.kernel {
            Some(path) => FringingKernel::read(Path::new(path))?,
            None => FringingKernel::from_formula(self.sigma, self.order),
        });
        Ok(())
    }
}

/// The kernel, as weights of whole pixels around each of a pixel's 3 x 3 points.
#[derive(Clone, Debug, PartialEq)]
pub struct FringingKernel {
    /// Pixels from the middle to the rim.
    reach: usize,
    /// For each point, row by row, the weights of (2 reach + 1)^2 pixels, row by row.
    weights: Vec<Vec<f64>>,
}

impl FringingKernel {
    /// The kernel of the formula: `sigma` in cycles a pixel, exponent `order`. Width and exponent
    /// belong to the grid on which they were fitted: as many frequencies as points, the first at
    /// -1.5 cycles a pixel.
    pub fn from_formula(sigma: f64, order: f64) -> Self {
        let side = 2 * RADIUS + 1;
        // The kernel is a product of one factor a direction: the absolute value of a product is the
        // product of absolute values.
        let factor = |point: usize| {
            let term = |index: usize| {
                let cycles = index as f64 - side as f64 / 2.0;
                let spectrum =
                    (-(cycles * POINTS as f64 / side as f64 / sigma).abs().powf(order)).exp();
                Complex64::from_polar(
                    spectrum,
                    TAU * cycles * (point as f64 - RADIUS as f64) / side as f64,
                )
            };
            (0..side).map(term).sum::<Complex64>().norm()
        };
        let along: Vec<f64> = (0..side).map(factor).collect();
        let kernel = DMatrix::from_fn(side, side, |i, j| along[i] * along[j]);
        Self::from_kernel(&(&kernel / kernel.sum()))
    }

    /// The measured kernel in `path` (.npy or .csv): a square of an odd number of points, 3 a
    /// pixel, that sums to 1.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no such kernel.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |message: String| Err(Error::input(format!("{}: {message}", path.display())));
        let kernel = read_matrix(path)?;
        let (rows, columns) = kernel.shape();
        if rows != columns || rows % 2 == 0 {
            return wrong(format!(
                "expected a square kernel of an odd number of points, 3 a pixel, found \
                 {rows} x {columns}"
            ));
        }
        let sum = kernel.sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return wrong(format!("expected a kernel that sums to 1, found {sum}"));
        }
        Ok(Self::from_kernel(&(kernel / sum)))
    }

    fn from_kernel(kernel: &DMatrix<f64>) -> Self {
        let radius = (kernel.nrows() / 2) as isize;
        let reach = (radius + POINTS as isize - 1) / POINTS as isize;
        let side = (2 * reach + 1) as usize;
        let points = POINTS as isize;
        let weights = (0..points * points).map(|point| {
            let mut weights = vec![0.0; side * side];
            for i in -radius..=radius {
                for j in -radius..=radius {
                    // The pixel that holds the point at distance (i, j) from this one.
                    let (row, column) = (
                        (point / points + i).div_euclid(points) + reach,
                        (point % points + j).div_euclid(points) + reach,
                    );
                    weights[row as usize * side + column as usize] +=
                        kernel[((i + radius) as usize, (j + radius) as usize)];
                }
            }
            weights
        });
        Self { reach: reach as usize, weights: weights.collect() }
    }

    /// Pixels from the middle to the rim of the weights.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// The weights of the pixels around point `point` of a pixel, row by row.
    pub fn weights(&self, point: usize) -> &[f64] {
        &self.weights[point]
    }

    /// The phase at point `point` of every pixel of row `row`, from the `phases` of a panel of
    /// `height` x `width`.
    pub fn smear_row(
        &self,
        phases: &[f64],
        (height, width): (usize, usize),
        row: usize,
        point: usize,
        smeared: &mut [f64],
    ) {
        let (reach, side) = (self.reach as isize, 2 * self.reach + 1);
        smeared.fill(0.0);
        for (index, weight) in
            self.weights[point].iter().enumerate().filter(|(_, weight)| **weight != 0.0)
        {
            let (down, right) = ((index / side) as isize - reach, (index % side) as isize - reach);
            let source = (row as isize + down).clamp(0, height as isize - 1) as usize;
            let line = &phases[source * width..(source + 1) * width];
            // Columns whose source lies inside the panel, and those beyond its rim.
            let first = ((-right).max(0) as usize).min(width);
            let last = width - (right.max(0) as usize).min(width);
            smeared[..first].iter_mut().for_each(|phase| *phase += weight * line[0]);
            if first < last {
                let shifted =
                    &line[(first as isize + right) as usize..(last as isize + right) as usize];
                simd::add_scaled(&mut smeared[first..last], *weight, shifted);
            }
            smeared[last.max(first)..]
                .iter_mut()
                .for_each(|phase| *phase += weight * line[width - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::arithmetic::random::Key;

    fn smear(
        fringing: &FringingKernel,
        phases: &[f64],
        (height, width): (usize, usize),
    ) -> Vec<Vec<f64>> {
        let plane = |point| {
            let mut plane = vec![0.0; height * width];
            plane.chunks_mut(width).enumerate().for_each(|(row, line)| {
                fringing.smear_row(phases, (height, width), row, point, line)
            });
            plane
        };
        (0..9).map(plane).collect()
    }

    #[test]
    fn a_flat_phase_survives() {
        for fringing in
            [FringingKernel::from_formula(2.03, 1.2), FringingKernel::from_formula(0.7, 2.0)]
        {
            for plane in smear(&fringing, &[1.234; 35], (5, 7)) {
                assert!(plane.iter().all(|phase| (phase - 1.234).abs() < 1e-14));
            }
        }
    }

    #[test]
    fn agrees_with_a_convolution_on_the_fine_grid() {
        let (height, width) = (9, 11);
        let phases: Vec<f64> = (0..height * width).map(|i| (i as f64 * 0.77).sin() + 1.0).collect();
        let kernel = DMatrix::from_fn(5, 5, |i, j| 1.0 + i as f64 + 0.3 * j as f64);
        let kernel = &kernel / kernel.sum();
        let planes = smear(&FringingKernel::from_kernel(&kernel), &phases, (height, width));
        for y in 0..3 * height {
            for x in 0..3 * width {
                let mut sum = 0.0;
                for i in 0..5 {
                    for j in 0..5 {
                        let row = ((y + i) as isize - 2).div_euclid(3).clamp(0, height as isize - 1)
                            as usize;
                        let column =
                            ((x + j) as isize - 2).div_euclid(3).clamp(0, width as isize - 1)
                                as usize;
                        sum += kernel[(i, j)] * phases[row * width + column];
                    }
                }
                let found = planes[y % 3 * 3 + x % 3][y / 3 * width + x / 3];
                assert!((found - sum).abs() < 1e-13, "{y} {x}: {found} {sum}");
            }
        }
    }

    /// The rms difference between the mean fields of 64 macro-pixels and the best multiple of their
    /// values (0 to 1), over the rms of that: phases in (-pi, pi], macro-pixels of 16 x 16,
    /// checkerboards of `checker` pixels.
    fn residual(checker: usize, draw: u64) -> f64 {
        const SIDE: usize = 128;
        let mut stream = Key::new(draw, "test").stream();
        let values: Vec<f64> = (0..64).map(|_| stream.random()).collect();
        let node = |row: usize, column: usize| row / 16 * 8 + column / 16;
        let phase = |row: usize, column: usize| {
            let sign =
                if (row / checker + column / checker).is_multiple_of(2) { 1.0 } else { -1.0 };
            sign * values[node(row, column)].acos()
        };
        let phases: Vec<f64> = (0..SIDE * SIDE).map(|at| phase(at / SIDE, at % SIDE)).collect();
        let mut fields = [Complex64::ZERO; 64];
        for plane in smear(&FringingKernel::from_formula(2.03, 1.2), &phases, (SIDE, SIDE)) {
            plane.iter().enumerate().for_each(|(at, phase)| {
                fields[node(at / SIDE, at % SIDE)] += Complex64::from_polar(1.0, *phase)
            });
        }
        let square = values.iter().map(|value| value * value).sum::<f64>();
        let multiple =
            fields.iter().zip(&values).map(|(field, value)| field * value).sum::<Complex64>()
                / square;
        let missed = fields
            .iter()
            .zip(&values)
            .map(|(field, value)| (field - multiple * value).norm_sqr())
            .sum::<f64>();
        (missed / (multiple.norm_sqr() * square)).sqrt()
    }

    /// Percent, for checkerboards of 1, 2, 4 and 8 pixels: derived elsewhere with the assumed
    /// kernel.
    #[test]
    fn wider_checkerboards_fringe_less() {
        for (checker, expected) in [(1, 37.0), (2, 25.0), (4, 13.0), (8, 7.0)] {
            let found = 100.0 * (0..8).map(|draw| residual(checker, draw)).sum::<f64>() / 8.0;
            assert!((found - expected).abs() < 3.0, "{checker} px: {found:.1} %");
        }
    }

    #[test]
    fn measured_kernels_are_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kernel.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            FringingKernel::read(&path)
        };
        assert!(read("0,0.1,0\n0.1,0.6,0.1\n0,0.1,0\n").is_ok());
        let sum = read("0,0.1,0\n0.1,0.7,0.1\n0,0.1,0\n").unwrap_err().to_string();
        assert!(sum.contains("kernel.csv") && sum.contains("sums to 1"), "{sum}");
        assert!(read("0.5,0.5\n0,0\n").unwrap_err().to_string().contains("found 2 x 2"));
    }
}
