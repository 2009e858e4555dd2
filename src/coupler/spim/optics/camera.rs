//! The camera: an intensity becomes a count.
//!
//! The zero order falls on a square of w x w camera pixels, sinc^2 along both axes. Each pixel
//! collects electrons (Poisson), adds read noise (normal), clips at its full well and rounds to a
//! code; the codes are summed. Intensities are relative to the zero order of a panel all of whose
//! light arrives in phase.

use rand_distr::{Distribution, Poisson};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fourier::sinc;
use super::region::CameraRegion;
use super::sensor::Sensor;
use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};
use crate::arithmetic::simd::{self, vectorised};
use crate::coupler::Effect;
use crate::coupler::quantiser::{fewer_bits, rounding_error};
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Electrons from which shot noise is drawn as a normal deviate: the error of the distribution is
/// then below 1 %.
const MANY_ELECTRONS: f64 = 1000.0;

/// The intensity in which the camera's full scale is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CameraExposure {
    /// That of a zero order with all nodes in phase.
    #[default]
    InPhase,
    /// That of as many nodes at random phases: an exposure for each mask, and for each of its
    /// sides.
    Typical,
}

/// What reads intensities: the table `[device.spim.camera]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// Bits; 0 is a camera without rounding or clipping.
    #[serde(deserialize_with = "range::camera_bits")]
    pub bits: u32,
    /// Standard deviation of a frame's read noise, in units of the full scale.
    #[serde(deserialize_with = "range::relative_noise")]
    pub noise: f64,
    /// The intensity at the brightest code, in units of `exposure`.
    #[serde(deserialize_with = "range::positive")]
    pub full_scale: f64,
    /// What the full scale is relative to.
    pub exposure: CameraExposure,
    /// Electrons of a camera pixel at the brightest code, its full well: shot noise; 0 is none.
    #[serde(deserialize_with = "range::non_negative")]
    pub electrons: f64,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            bits: 0,
            noise: 0.0,
            full_scale: 1.0,
            exposure: CameraExposure::InPhase,
            electrons: 0.0,
        }
    }
}

impl Camera {
    /// Whether what is read is what arrives, normal noise apart.
    pub fn is_linear(&self) -> bool {
        self.bits == 0 && self.electrons == 0.0
    }

    /// The camera before an aperture of `nodes` macro-pixels, whose light in phase makes the field
    /// `in_phase` of as many; its `region` is summed.
    pub fn detector(&self, region: &CameraRegion, nodes: usize, in_phase: f64) -> Detector {
        let exposure = match self.exposure {
            CameraExposure::InPhase => 1.0,
            CameraExposure::Typical => nodes as f64 / in_phase.powi(2),
        };
        Detector::new(self.bits, self.noise, self.full_scale * exposure, self.electrons, region)
    }
}

impl Effect for Camera {
    fn title(&self) -> &'static str {
        "camera"
    }

    fn is_off(&self) -> bool {
        self.noise == 0.0 && self.is_linear()
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// Deviations are, of the read noise and of shot noise, and rounding errors to the nearest bit.
    fn scale(&mut self, factor: f64) -> bool {
        let Some(bits) = fewer_bits(self.bits, factor, 24) else { return false };
        self.bits = bits;
        self.noise *= factor;
        self.electrons /= factor * factor;
        true
    }
}

impl Optic for Camera {
    /// Products know noise added to forces, and frames of overlaps that one pixel rounds.
    fn followed_by(&self, path: Path, device: &SpimDevice) -> bool {
        match path {
            Path::Overlaps if self.is_off() => true,
            Path::Overlaps => {
                let rounded = device.readout.get().reads_overlaps()
                    && self.electrons == 0.0
                    && device.region.side_px == 1;
                (self.is_linear() || rounded) && !device.frames.separate_noise
            }
            Path::Once => self.is_linear(),
            _ => true,
        }
    }
}

/// A camera whose exposure puts `full_scale` at its brightest code.
#[derive(Clone, Debug)]
pub struct Detector {
    /// Standard deviation of a pixel's read noise, in the units of intensities.
    noise: f64,
    /// The intensity in a pixel at its brightest code.
    full_scale: f64,
    /// Electrons at the brightest code; 0 is no shot noise.
    electrons: f64,
    /// The distance between codes, and its inverse; absent for a camera without rounding or
    /// clipping.
    step: Option<(f64, f64)>,
    /// The part of the region's light in each of its pixels.
    shares: Vec<f64>,
    /// What parts its pixels from ideal ones; absent where nothing does.
    sensor: Option<Box<Sensor>>,
}

vectorised! {
    fn count_from<T: Real>(seen: &[T], limit: T) -> usize {
        seen.iter().map(|seen| usize::from(*seen >= limit)).sum()
    }

    fn round_to_codes<T: Real>(seen: &mut [T], full_scale: T, steps: [T; 2]) {
        for seen in seen {
            let lit = if *seen > T::zero() { *seen } else { T::zero() };
            let within = if lit < full_scale { lit } else { full_scale };
            *seen = (within * steps[1] + T::of(0.5)).floor() * steps[0];
        }
    }
}

impl Detector {
    /// `bits` 0 is a camera without rounding or clipping; `noise` is a standard deviation, in units
    /// of a pixel's full scale; `full_scale` is the intensity in the whole region at which its
    /// brightest pixel shows its brightest code; `electrons` is what that pixel then holds, 0 for
    /// no shot noise.
    pub fn new(
        bits: u32,
        noise: f64,
        full_scale: f64,
        electrons: f64,
        region: &CameraRegion,
    ) -> Self {
        let middle = (region.side_px as f64 - 1.0) / 2.0;
        let along: Vec<f64> = (0..region.side_px)
            .map(|at| sinc((at as f64 - middle) / region.spot_px).powi(2))
            .collect();
        let total: f64 = along.iter().sum();
        let shares: Vec<f64> =
            along.iter().flat_map(|y| along.iter().map(move |x| y * x / (total * total))).collect();
        let full_scale = full_scale * shares.iter().copied().fold(0.0, f64::max);
        let codes = 2f64.powi(bits as i32) - 1.0;
        let step = (bits > 0).then(|| (full_scale / codes, codes / full_scale));
        Self { noise: noise * full_scale, full_scale, electrons, step, shares, sensor: None }
    }

    /// What parts its pixels from ideal ones, to be changed.
    pub fn sensor_mut(&mut self) -> &mut Sensor {
        let pixels = self.shares.len();
        self.sensor.get_or_insert_with(|| Box::new(Sensor::ideal(pixels)))
    }

    /// The intensity in a pixel at its brightest code.
    pub fn pixel_full_scale(&self) -> f64 {
        self.full_scale
    }

    /// Whether what is read is what arrives.
    pub fn is_exact(&self) -> bool {
        self.noise == 0.0 && self.is_linear()
    }

    /// Whether what is read is what arrives plus a normal deviate of standard deviation
    /// [`deviation`](Self::deviation).
    pub fn is_linear(&self) -> bool {
        self.step.is_none() && self.electrons == 0.0 && self.sensor.is_none()
    }

    /// Whether [`take_all`](Self::take_all) may be asked: a single pixel without shot noise.
    pub fn takes_all_at_once(&self) -> bool {
        self.is_one_pixel() && self.electrons == 0.0 && self.sensor.is_none()
    }

    /// The reading from which on a camera pixel is at its brightest code; absent where there is none.
    pub fn limit(&self) -> Option<f64> {
        self.step.map(|(step, _)| self.full_scale - 0.5 * step)
    }

    /// Replaces `intensities` by what a frame of each reports; returns how many are at the limit.
    pub fn take_all<T: Real>(&self, intensities: &mut [T], key: Key) -> u64 {
        debug_assert!(self.takes_all_at_once());
        if self.noise > 0.0 {
            key.add_normals(intensities, T::of(self.noise));
        }
        self.code_all(intensities)
    }

    /// The same, the deviates of the read noise in single precision.
    pub fn take_frames(&self, intensities: &mut [f64], key: Key) -> u64 {
        debug_assert!(self.takes_all_at_once());
        if self.noise > 0.0 {
            key.add_single_normals(intensities, self.noise);
        }
        self.code_all(intensities)
    }

    /// Rounds `intensities` to codes; returns how many are at the limit.
    fn code_all<T: Real>(&self, intensities: &mut [T]) -> u64 {
        let (Some((step, per_step)), Some(limit)) = (self.step, self.limit()) else { return 0 };
        round_to_codes(intensities, T::of(self.full_scale), [step, per_step].map(T::of));
        // Codes are not negative, and mostly none is at the limit.
        let limit = T::of(limit);
        if simd::largest(intensities) < limit { 0 } else { count_from(intensities, limit) as u64 }
    }

    /// Whether the region is a single pixel.
    pub fn is_one_pixel(&self) -> bool {
        self.shares.len() == 1
    }

    /// The part of the region's light in each of its pixels, row by row.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The standard deviation of the region's read noise.
    pub fn deviation(&self) -> f64 {
        self.noise * (self.shares.len() as f64).sqrt()
    }

    /// The intensity that one frame reports; `at_limit` becomes true where a pixel is at its limit.
    pub fn frame(&self, intensity: f64, at_limit: &mut bool, stream: &mut Stream) -> f64 {
        if self.shares.len() > 1 && self.is_linear() {
            return intensity
                + self.deviation() * if self.noise > 0.0 { f64::normal(stream) } else { 0.0 };
        }
        let mut pixel =
            |(at, share): (usize, &f64)| self.pixel_at(at, intensity * share, at_limit, stream);
        self.shares.iter().enumerate().map(&mut pixel).sum()
    }

    /// What pixel `at` of the region reports, the dark level subtracted; `at_limit` becomes true where
    /// it is at its limit.
    #[inline]
    pub fn pixel_at(
        &self,
        at: usize,
        intensity: f64,
        at_limit: &mut bool,
        stream: &mut Stream,
    ) -> f64 {
        let limit = self.limit().unwrap_or(f64::INFINITY);
        let Some(sensor) = &self.sensor else {
            let seen = self.pixel(intensity, stream);
            *at_limit |= seen >= limit;
            return seen;
        };
        let full = self.full_scale;
        let lit = intensity * sensor.gains[at] + sensor.dark[at] * full;
        let collected = if self.electrons > 0.0 { self.collected(lit, stream) } else { lit };
        let reading = full * (sensor.bent(collected / full) + sensor.pedestal);
        let seen = self.coded(reading, stream);
        *at_limit |= seen >= limit;
        seen - sensor.subtracted * full
    }

    /// What one camera pixel reports.
    #[inline]
    pub fn pixel(&self, intensity: f64, stream: &mut Stream) -> f64 {
        let collected =
            if self.electrons > 0.0 { self.collected(intensity, stream) } else { intensity };
        self.coded(collected, stream)
    }

    /// The code of a `reading`, with its read noise.
    #[inline]
    fn coded(&self, reading: f64, stream: &mut Stream) -> f64 {
        let mut seen = reading;
        if self.noise > 0.0 {
            seen += self.noise * f64::normal(stream);
        }
        match self.step {
            // Codes are not negative, so that cutting off rounds; it takes one instruction.
            Some((step, per_step)) => {
                f64::from((seen.clamp(0.0, self.full_scale) * per_step + 0.5) as u32) * step
            }
            None => seen,
        }
    }

    /// The intensity that the electrons collected stand for.
    fn collected(&self, intensity: f64, stream: &mut Stream) -> f64 {
        if intensity <= 0.0 {
            return intensity;
        }
        let per_electron = self.full_scale / self.electrons;
        let expected = intensity / per_electron;
        per_electron
            * match Poisson::new(expected) {
                Ok(poisson) if expected < MANY_ELECTRONS => poisson.sample(stream),
                _ => expected + expected.sqrt() * f64::normal(stream),
            }
    }

    /// The standard deviation of the error of one frame of `intensity`.
    pub fn resolution(&self, intensity: f64) -> f64 {
        let rounding = self.step.map_or(0.0, |(step, _)| rounding_error(step))
            * (self.shares.len() as f64).sqrt();
        let dark: f64 = self.sensor.as_ref().map_or(0.0, |sensor| sensor.dark.iter().sum());
        let shot = if self.electrons > 0.0 {
            ((intensity + dark * self.full_scale) * self.full_scale / self.electrons).sqrt()
        } else {
            0.0
        };
        self.deviation().hypot(rounding).hypot(shot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    const POINT: CameraRegion = CameraRegion { side_px: 1, spot_px: 1.0 };

    fn moments(camera: &Detector, intensity: f64) -> (f64, f64) {
        let mut stream = Key::new(3, "camera").stream();
        let frames: Vec<f64> =
            (0..20_000).map(|_| camera.frame(intensity, &mut false, &mut stream)).collect();
        let mean = frames.iter().sum::<f64>() / 20_000.0;
        (mean, frames.iter().map(|frame| (frame - mean).powi(2)).sum::<f64>() / 20_000.0)
    }

    #[test]
    fn shot_noise_is_poisson() {
        for (electrons, intensity) in [(1e4, 0.5), (1e4, 0.01), (100.0, 0.02)] {
            let (mean, variance) =
                moments(&Detector::new(0, 0.0, 1.0, electrons, &POINT), intensity);
            let expected = intensity / electrons;
            assert!((mean - intensity).abs() < 5.0 * (expected / 20_000.0).sqrt(), "mean {mean}");
            // A Poisson variance has a relative standard error of sqrt((2 + 1 / mean count) /
            // draws).
            let error = 5.0 * ((2.0 + 1.0 / (intensity * electrons)) / 20_000.0).sqrt();
            assert!(
                (variance / expected - 1.0).abs() < error,
                "{electrons} {intensity}: {variance} {expected}"
            );
        }
    }

    #[test]
    fn a_region_adds_the_noise_of_its_pixels() {
        let region = CameraRegion { side_px: 6, spot_px: 2.0 };
        for bits in [0, 8] {
            let camera = Detector::new(bits, 0.02, 1.0, 0.0, &region);
            let (mean, variance) = moments(&camera, 0.5);
            // Below its first code, a pixel's clipped noise has a positive mean: judged without
            // clipping only.
            if bits == 0 {
                assert!((mean - 0.5).abs() < 5.0 * camera.deviation() / 20_000f64.sqrt());
                assert!(
                    (variance.sqrt() / camera.deviation() - 1.0).abs() < 5.0 / 40_000f64.sqrt()
                );
            } else {
                // Clipping at the dark end takes some of the noise away.
                let ratio = variance.sqrt() / camera.resolution(0.5);
                assert!((0.7..1.02).contains(&ratio), "{ratio}");
            }
        }
        let dark = Detector::new(0, 0.0, 1.0, 0.0, &region);
        assert_eq!(
            dark.frame(0.3, &mut false, &mut Key::new(1, "camera").stream()),
            0.3,
            "an exact camera collects all light"
        );
    }

    #[test]
    fn clips_at_full_scale_and_rounds_to_codes() {
        let camera = Detector::new(2, 0.0, 0.6, 0.0, &POINT);
        let mut stream = Key::new(1, "camera").stream();
        let mut at_limit = [false; 5];
        let frames: Vec<f64> = [-0.1, 0.05, 0.19, 0.31, 7.0]
            .into_iter()
            .zip(&mut at_limit)
            .map(|(intensity, at_limit)| camera.frame(intensity, at_limit, &mut stream))
            .collect();
        assert_eq!(at_limit, [false, false, false, false, true]);
        for (frame, expected) in frames.into_iter().zip([0.0, 0.0, 0.2, 0.4, 0.6]) {
            assert!((frame - expected).abs() < 1e-15);
        }
    }
}
