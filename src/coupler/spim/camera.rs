//! The camera: an intensity becomes a count.

use crate::coupler::quantiser::rounding_error;
use crate::random::Stream;
use crate::real::Real;

/// A camera whose exposure puts `full_scale` at its brightest code: additive Gaussian read noise, then clipping and rounding.
///
/// Intensities are relative to the zero order of a panel all of whose light arrives in phase.
#[derive(Clone, Copy, Debug)]
pub struct Camera<T> {
    noise: T,
    full_scale: T,
    /// The distance between codes, and its inverse; absent for a camera without rounding or clipping.
    step: Option<(T, T)>,
}

impl<T: Real> Camera<T> {
    /// `bits` 0 is a camera without rounding or clipping; `noise` is a standard deviation, in units of `full_scale`.
    pub fn new(bits: u32, noise: f64, full_scale: f64) -> Self {
        let codes = 2f64.powi(bits as i32) - 1.0;
        let step = (bits > 0).then(|| (T::of(full_scale / codes), T::of(codes / full_scale)));
        Self { noise: T::of(noise * full_scale), full_scale: T::of(full_scale), step }
    }

    /// Whether what is read is what arrives.
    pub fn is_exact(&self) -> bool {
        self.noise == T::zero() && self.step.is_none()
    }

    /// The intensity that one frame reports.
    pub fn frame(&self, intensity: T, stream: &mut Stream) -> T {
        let mut seen = intensity;
        if self.noise > T::zero() {
            seen += self.noise * T::normal(stream);
        }
        match self.step {
            Some((step, per_step)) => (seen.clamp(T::zero(), self.full_scale) * per_step).round() * step,
            None => seen,
        }
    }

    /// The standard deviation of one frame's error.
    pub fn resolution(&self) -> f64 {
        let rounding = self.step.map_or(0.0, |(step, _)| rounding_error(step.f64()));
        self.noise.f64().hypot(rounding)
    }
}
