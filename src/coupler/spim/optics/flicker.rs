//! Effects 5 and 6, flicker: phases move with the modulator's drive and by themselves.
//!
//! *Common*: phi (1 + eps sin 2 pi f t), the same for all pixels. *Pixel*: phi + N(0, sigma) from
//! pixel to pixel and frame to frame, which takes the mean intensity of a field S of pixels with
//! amplitudes A to
//!
//! ```text
//! e^(-sigma^2) |S|^2 + (1 - e^(-sigma^2)) sum A^2
//! ```

use std::f64::consts::TAU;

use num_complex::Complex;
use rand::RngExt;

use crate::arithmetic::random::Stream;
use crate::arithmetic::real::Real;

/// Both kinds of flicker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flicker {
    /// The common flicker's amplitude eps.
    pub common: f64,
    /// Its turns from one frame to the next.
    pub turns_per_frame: f64,
    /// Standard deviation of a pixel's phase, radians.
    pub pixel_rad: f64,
}

impl Flicker {
    /// Whether phases stay as they are asked for.
    pub fn is_off(&self) -> bool {
        self.common == 0.0 && self.pixel_rad == 0.0
    }

    /// Where the common flicker stands when a read begins: no camera is locked to it.
    pub fn start(&self, stream: &mut Stream) -> f64 {
        if self.common > 0.0 { stream.random::<f64>() } else { 0.0 }
    }

    /// The relative change of all phases in the frame numbered `frame` since `start`.
    pub fn change(&self, start: f64, frame: u64) -> f64 {
        if self.common == 0.0 {
            0.0
        } else {
            self.common * (TAU * (start + self.turns_per_frame * frame as f64)).sin()
        }
    }

    /// What pixel flicker makes of the zero order's field `S` of pixels whose squared amplitudes
    /// sum to `power`: faded, with a speckle on it. The speckle of many pixels is circular.
    pub fn speckle(&self, field: Complex<f64>, power: f64, stream: &mut Stream) -> Complex<f64> {
        if self.pixel_rad == 0.0 {
            return field;
        }
        let variance = self.pixel_rad * self.pixel_rad;
        let deviation = (-(-variance).exp_m1() * power / 2.0).sqrt();
        field * (-variance / 2.0).exp()
            + Complex::new(f64::normal(stream), f64::normal(stream)) * deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    #[test]
    fn the_mean_intensity_is_that_of_independent_pixels() {
        let (sigma, pixels, draws) = (0.3, 400, 4000);
        let flicker = Flicker { common: 0.0, turns_per_frame: 1.0, pixel_rad: sigma };
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

    #[test]
    fn the_common_flicker_has_its_period_and_its_rms() {
        let flicker = Flicker { common: 0.01, turns_per_frame: 0.25, pixel_rad: 0.0 };
        let changes: Vec<f64> = (0..8).map(|frame| flicker.change(0.1, frame)).collect();
        assert!((changes[1] - changes[5]).abs() < 1e-15);
        let mean_square = changes.iter().map(|c| c * c).sum::<f64>() / 8.0;
        assert!((mean_square - 0.5e-4).abs() < 1e-12);
    }
}
