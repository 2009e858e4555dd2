//! Effect 4, fill factor and dead zone: only the middle of a pixel modulates.
//!
//! Pixels of pitch 1 have an active square of side q = sqrt(F); the rest, the dead zone, reflects
//! with amplitude r e^(i theta) whatever is shown. At spatial frequency f (cycles a pixel) the
//! active square's field has the envelope q sinc(q fy) q sinc(q fx), the dead zone's r e^(i theta)
//! (sinc fy sinc fx - q sinc(q fy) q sinc(q fx)).

use std::f64::consts::PI;

use num_complex::Complex;

use super::fringing::POINTS;

/// Active area and dead zone of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillFactor {
    /// The active square's side, in pitches.
    side: f64,
    /// The dead zone's amplitude.
    gap: Complex<f64>,
}

impl FillFactor {
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

/// sin(pi t) / (pi t).
pub fn sinc(t: f64) -> f64 {
    let x = PI * t;
    if x.abs() < 1e-8 { 1.0 - x * x / 6.0 } else { x.sin() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_add_up_to_the_active_square() {
        for fill in [1.0, 0.93, 0.5, 0.05] {
            let pixel = FillFactor::new(fill, 0.0, 0.0);
            for f in [0.0, 0.1, -0.37, 0.5, 1.0] {
                let sum: Complex<f64> = pixel.point_envelopes(f).iter().sum();
                assert!((sum - pixel.envelope(f)).norm() < 1e-15, "{fill} {f}");
            }
        }
    }

    #[test]
    fn a_reflecting_pixel_at_phase_0_is_a_whole_one() {
        let pixel = FillFactor::new(0.93, 1.0, 0.0);
        for (fy, fx) in [(0.0, 0.0), (0.3, -0.2), (0.5, 0.5)] {
            let whole = pixel.envelope(fy) * pixel.envelope(fx) + pixel.gap(fy, fx);
            assert!((whole - sinc(fy) * sinc(fx)).norm() < 1e-15);
        }
        assert!(!FillFactor::new(1.0, 1.0, 0.0).has_gap());
    }
}
