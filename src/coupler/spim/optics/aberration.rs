//! Aberration: lenses and the panel's own backplane bend the wave front.
//!
//! psi = 2 pi sum_j c_j Z_j(rho, theta), Noll's normalised Zernike modes (Noll 1976,
//! doi:10.1364/JOSA.66.000207) on the circle about the panel's middle through its corners; c_j in
//! waves, rms over that circle. A modulator corrects most of it by adding the opposite phase.

use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// The first of Noll's modes that a lens cannot get rid of by moving: defocus.
const FIRST_MODE: usize = 4;

/// A wave front that is not flat: the table `[device.spim.aberration]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Aberration {
    /// Waves (rms) of the Zernike modes from Noll index 4 (defocus) on.
    pub waves: Vec<f64>,
    /// The part that the modulator's own correction takes away.
    #[serde(deserialize_with = "range::unit_interval")]
    pub correction: f64,
}

impl Aberration {
    /// What is left after correction.
    fn left(&self) -> Vec<f64> {
        self.waves.iter().map(|waves| waves * (1.0 - self.correction)).collect()
    }
}

impl Effect for Aberration {
    fn title(&self) -> &'static str {
        "aberration"
    }

    fn is_off(&self) -> bool {
        self.left().iter().all(|waves| *waves == 0.0)
    }

    fn check(&self) -> Result<(), String> {
        match self.waves.iter().find(|waves| !waves.is_finite()) {
            Some(bad) => Err(format!("waves: {bad} is out of range: expected finite numbers")),
            None => Ok(()),
        }
    }

    /// Waves of every mode are.
    fn scale(&mut self, factor: f64) -> bool {
        self.waves.iter_mut().for_each(|waves| *waves *= factor);
        true
    }
}

impl Optic for Aberration {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let phases = phases(&self.left(), (optics.layout.height, optics.layout.width));
        optics.multiply_beam(phases.into_iter().map(|phase| Complex::from_polar(1.0, phase)));
        Ok(())
    }
}

/// The phase in radians at each pixel of a panel, row by row, of modes from [`FIRST_MODE`] on.
fn phases(waves: &[f64], (height, width): (usize, usize)) -> Vec<f64> {
    let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let radius = ((height * height + width * width) as f64).sqrt() / 2.0;
    let modes: Vec<(f64, (usize, i32))> =
        waves.iter().enumerate().map(|(index, c)| (*c, noll(FIRST_MODE + index))).collect();
    let phase = |at: usize| {
        let (y, x) =
            (((at / width) as f64 - middle_y) / radius, ((at % width) as f64 - middle_x) / radius);
        let (rho, theta) = (y.hypot(x), y.atan2(x));
        TAU * modes.iter().map(|(c, (n, m))| c * mode(*n, *m, rho, theta)).sum::<f64>()
    };
    (0..height * width).map(phase).collect()
}

/// The radial and the azimuthal order of Noll's mode `j`; a negative azimuthal order is a sine.
fn noll(j: usize) -> (usize, i32) {
    let (mut n, mut first) = (0, 1);
    while first + n < j {
        first += n + 1;
        n += 1;
    }
    let within = j - first;
    let m = if n % 2 == 0 { 2 * within.div_ceil(2) } else { 2 * (within / 2) + 1 } as i32;
    (n, if j.is_multiple_of(2) { m } else { -m })
}

/// Noll's mode of radial order `n` and azimuthal order `m`; mean square 1 over the unit circle.
fn mode(n: usize, m: i32, rho: f64, theta: f64) -> f64 {
    let order = m.unsigned_abs() as usize;
    let factorial = |k: usize| (1..=k).map(|i| i as f64).product::<f64>();
    let radial: f64 = (0..=(n - order) / 2)
        .map(|k| {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let below =
                factorial(k) * factorial((n + order) / 2 - k) * factorial((n - order) / 2 - k);
            sign * factorial(n - k) / below * rho.powi((n - 2 * k) as i32)
        })
        .sum();
    let norm = ((n + 1) as f64).sqrt();
    match m {
        0 => norm * radial,
        m if m > 0 => norm * SQRT_2 * radial * (f64::from(m) * theta).cos(),
        m => norm * SQRT_2 * radial * (f64::from(-m) * theta).sin(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nolls_order() {
        // Defocus, astigmatism, coma, trefoil, spherical aberration.
        let expected = [(2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0)];
        assert_eq!((4..12).map(noll).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn modes_are_orthonormal_on_the_circle() {
        let grid = 400;
        let inside = (0..grid * grid).filter_map(|at| {
            let coordinate = |index: usize| (2.0 * index as f64 + 1.0) / grid as f64 - 1.0;
            let (y, x) = (coordinate(at / grid), coordinate(at % grid));
            (y.hypot(x) <= 1.0).then(|| (y.hypot(x), y.atan2(x)))
        });
        let points: Vec<_> = inside.collect();
        for i in 4..12 {
            for j in 4..=i {
                let ((n, m), (p, q)) = (noll(i), noll(j));
                let product = points
                    .iter()
                    .map(|(rho, theta)| mode(n, m, *rho, *theta) * mode(p, q, *rho, *theta))
                    .sum::<f64>();
                let mean = product / points.len() as f64;
                // The circle's rim is resolved to a grid cell: errors of order 1 / grid.
                assert!((mean - f64::from(u8::from(i == j))).abs() < 0.02, "{i} {j}: {mean}");
            }
        }
    }
}
