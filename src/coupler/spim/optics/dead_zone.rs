//! Fill factor and dead zone: only the middle of a pixel modulates.
//!
//! Pixels of pitch 1 have an active square of side q = sqrt(F); the rest, the dead zone, reflects
//! with amplitude r e^(i theta) whatever is shown. At spatial frequency f (cycles a pixel) the
//! active square's field has the envelope q sinc(q fy) q sinc(q fx), the dead zone's r e^(i theta)
//! (sinc fy sinc fx - q sinc(q fy) q sinc(q fx)).

use std::f64::consts::PI;

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use super::fourier::sinc;
use super::fringing::POINTS;
use crate::Result;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Pixels that do not modulate everywhere: the table `[device.spim.dead_zone]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadZone {
    /// The part of a pixel's area that modulates.
    #[serde(deserialize_with = "range::up_to_one")]
    pub fill_factor: f64,
    /// Amplitude reflectivity of the rest; 0 absorbs.
    #[serde(deserialize_with = "range::unit_interval")]
    pub reflectivity: f64,
    /// Phase of the rest, radians.
    #[serde(deserialize_with = "range::finite")]
    pub phase_rad: f64,
}

impl Default for DeadZone {
    fn default() -> Self {
        Self { fill_factor: 1.0, reflectivity: 0.0, phase_rad: 0.0 }
    }
}

impl Effect for DeadZone {
    fn title(&self) -> &'static str {
        "fill factor, dead zone"
    }

    fn is_off(&self) -> bool {
        self.fill_factor == 1.0
    }

    /// The dead part of the area is.
    fn scale(&mut self, factor: f64) -> bool {
        self.fill_factor = 1.0 - factor * (1.0 - self.fill_factor);
        true
    }
}

impl Optic for DeadZone {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        optics.pixel = Pixel::new(self.fill_factor, self.reflectivity, self.phase_rad);
        Ok(())
    }
}

/// Active area and dead zone of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pixel {
    /// The active square's side, in pitches.
    side: f64,
    /// The dead zone's amplitude.
    gap: Complex<f64>,
}

impl Pixel {
    /// Fill factor F in (0, 1] and the dead zone's reflectivity and phase.
    pub fn new(fill_factor: f64, gap_reflectivity: f64, gap_phase_rad: f64) -> Self {
        Self { side: fill_factor.sqrt(), gap: Complex::from_polar(gap_reflectivity, gap_phase_rad) }
    }

    /// The field of the active square at frequency `f` along one axis.
    pub fn envelope(&self, f: f64) -> Complex<f64> {
        Complex::from(self.side * sinc(self.side * f))
    }

    /// The field along one axis of the part of the active square that belongs to each of a pixel's
    /// points.
    pub fn point_envelopes(&self, f: f64) -> [Complex<f64>; POINTS] {
        let middle = self.side.min(1.0 / 3.0);
        let outer = (self.side - middle) / 2.0;
        let strip = |width: f64, offset: f64| {
            Complex::from_polar(width * sinc(width * f), -2.0 * PI * f * offset)
        };
        let offset = (middle + outer) / 2.0;
        [strip(outer, -offset), strip(middle, 0.0), strip(outer, offset)]
    }

    /// The field of the dead zone at the frequencies `fy`, `fx`.
    pub fn gap(&self, fy: f64, fx: f64) -> Complex<f64> {
        self.gap * (sinc(fy) * sinc(fx) - self.envelope(fy) * self.envelope(fx))
    }

    /// Whether the dead zone adds any light.
    pub fn has_gap(&self) -> bool {
        self.gap.norm() > 0.0 && self.side < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_add_up_to_the_active_square() {
        for fill in [1.0, 0.93, 0.5, 0.05] {
            let pixel = Pixel::new(fill, 0.0, 0.0);
            for f in [0.0, 0.1, -0.37, 0.5, 1.0] {
                let sum: Complex<f64> = pixel.point_envelopes(f).iter().sum();
                assert!((sum - pixel.envelope(f)).norm() < 1e-15, "{fill} {f}");
            }
        }
    }

    #[test]
    fn a_reflecting_pixel_at_phase_0_is_a_whole_one() {
        let pixel = Pixel::new(0.93, 1.0, 0.0);
        for (fy, fx) in [(0.0, 0.0), (0.3, -0.2), (0.5, 0.5)] {
            let whole = pixel.envelope(fy) * pixel.envelope(fx) + pixel.gap(fy, fx);
            assert!((whole - sinc(fy) * sinc(fx)).norm() < 1e-15);
        }
        assert!(!Pixel::new(1.0, 1.0, 0.0).has_gap());
    }
}
