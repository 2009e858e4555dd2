//! Pixel flicker: each pixel's phase moves by itself, phi + N(0, sigma) from pixel to pixel and
//! frame to frame, which takes the mean intensity of a field S of pixels with amplitudes A to
//!
//! ```text
//! e^(-sigma^2) |S|^2 + (1 - e^(-sigma^2)) sum A^2
//! ```

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot, Sight};
use crate::quantity::range;

/// Flicker of single pixels: the table `[device.spim.pixel_flicker]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PixelFlicker {
    /// Standard deviation of each pixel's own phase from frame to frame, radians.
    #[serde(deserialize_with = "range::non_negative")]
    pub sd_rad: f64,
}

impl PixelFlicker {
    /// What becomes of the zero order's field `S` of pixels whose squared amplitudes sum to
    /// `power`: faded, with a speckle on it. The speckle of many pixels is circular.
    fn speckle(&self, field: Complex<f64>, power: f64, stream: &mut Stream) -> Complex<f64> {
        let variance = self.sd_rad * self.sd_rad;
        let deviation = (-(-variance).exp_m1() * power / 2.0).sqrt();
        field * (-variance / 2.0).exp()
            + Complex::new(f64::normal(stream), f64::normal(stream)) * deviation
    }
}

impl Effect for PixelFlicker {
    fn title(&self) -> &'static str {
        "pixel flicker"
    }

    fn is_off(&self) -> bool {
        self.sd_rad == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// The deviation is.
    fn scale(&mut self, factor: f64) -> bool {
        self.sd_rad *= factor;
        true
    }
}

impl Optic for PixelFlicker {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Analytic)
    }

    fn pixel_phases(&self, phases: &mut [f64], key: Key) {
        key.add_normals(phases, self.sd_rad);
    }

    /// By its moments; the wave tier moves the pixels themselves.
    fn field(&self, field: Complex<f64>, shot: &Shot, stream: Option<&mut Stream>) -> Complex<f64> {
        match stream {
            Some(stream) if shot.sight.path != Path::Wave => {
                self.speckle(field, shot.sight.power, stream)
            }
            _ => field,
        }
    }

    fn frame_error(&self, intensity: f64, sight: &Sight) -> f64 {
        self.sd_rad * (2.0 * intensity * sight.power).sqrt() / sight.light
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_intensity_is_that_of_independent_pixels() {
        let (sigma, pixels, draws) = (0.3, 400, 4000);
        let flicker = PixelFlicker { sd_rad: sigma };
        let mut stream = Key::new(1, "flicker").stream();
        let phases: Vec<f64> = (0..pixels).map(|i| f64::from(i) * 0.71).collect();
        let still: Complex<f64> =
            phases.iter().map(|phase| Complex::from_polar(1.0, *phase)).sum::<Complex<f64>>()
                + 10.0;
        let (mut pixelwise, mut closed) = (0.0, 0.0);
        for _ in 0..draws {
            let moving = |phase: &f64, stream: &mut _| {
                Complex::from_polar(1.0, phase + sigma * f64::normal(stream))
            };
            // Ten pixels at phase 0 stand for the coherent part.
            let field: Complex<f64> =
                phases.iter().chain(&[0.0; 10]).map(|phase| moving(phase, &mut stream)).sum();
            pixelwise += field.norm_sqr();
            closed += flicker.speckle(still, 410.0, &mut stream).norm_sqr();
        }
        let fade = (-sigma * sigma).exp();
        let expected = fade * still.norm_sqr() + (1.0 - fade) * 410.0;
        // The intensity's standard deviation is at most sqrt(2 |S|^2 V + V^2) with V = (1 - fade)
        // 410.
        let spread = (1.0 - fade) * 410.0;
        let error = 5.0
            * ((2.0 * fade * still.norm_sqr() * spread + spread * spread) / f64::from(draws))
                .sqrt();
        assert!((pixelwise / f64::from(draws) - expected).abs() < error);
        assert!((closed / f64::from(draws) - expected).abs() < error);
    }
}
