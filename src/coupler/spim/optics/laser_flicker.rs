//! 1/f noise of the laser's intensity: I (1 + delta), delta of the one-sided density a^2 (1 Hz / f).
//!
//! A sum over octaves: a deviate for each, which lasts 2^j frames and is the same for all frames
//! within them (Voss & Clarke 1978, doi:10.1121/1.381721). Octaves reach from half the frame rate
//! down to `slowest_Hz`; what is slower is the drift of the power. Over all,
//!
//! ```text
//! var delta = a^2 ln(f_high / f_low)
//! ```
//!
//! and two frames a time apart differ by what is faster than that. Where the octaves stand as a read
//! begins is random.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rand::RngExt;

use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot, Sight};
use crate::quantity::range;

/// Names that fit a double precision number exactly.
const NAMES: u64 = 1 << 53;

/// The laser's 1/f noise: the table `[device.spim.laser_flicker]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LaserFlicker {
    /// The relative amplitude density a at 1 Hz, per root Hz.
    #[serde(deserialize_with = "range::relative_noise")]
    pub density: f64,
    /// The lowest frequency that is followed.
    #[serde(rename = "slowest_Hz", deserialize_with = "range::positive")]
    pub slowest_hz: f64,
}

impl Default for LaserFlicker {
    fn default() -> Self {
        Self { density: 0.0, slowest_hz: 0.1 }
    }
}

impl LaserFlicker {
    /// The octaves at so many frames a second, and the variance of each.
    fn octaves(&self, rate_hz: f64) -> (u32, f64) {
        let span = (rate_hz / 2.0 / self.slowest_hz).max(1.0);
        let octaves = (span.log2().ceil() as u32).clamp(1, 40);
        (octaves, self.density.powi(2) * span.ln() / f64::from(octaves))
    }

    /// delta in frame `number` of a read that `name` names.
    fn delta(&self, name: u64, number: u64, rate_hz: f64) -> f64 {
        let (octaves, variance) = self.octaves(rate_hz);
        let key = Key::new(name, "laser flicker");
        // Where the octaves stand is part of the name.
        let at = number + (name & 0xffff_ffff);
        let octave =
            |j: u32| -> f64 { f64::normal(&mut key.with(u64::from(j)).with(at >> j).stream()) };
        variance.sqrt() * (0..octaves).map(octave).sum::<f64>()
    }

    /// The variance of the difference of two frames in a row.
    fn apart(&self, rate_hz: f64) -> f64 {
        let (octaves, variance) = self.octaves(rate_hz);
        2.0 * variance * (0..octaves).map(|j| 0.5f64.powi(j as i32)).sum::<f64>()
    }
}

impl Effect for LaserFlicker {
    fn title(&self) -> &'static str {
        "1/f laser noise"
    }

    fn is_off(&self) -> bool {
        self.density == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.density *= factor;
        true
    }
}

impl Optic for LaserFlicker {
    /// Frames share it: it is no deviate of each.
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Once)
    }

    fn start(&self, stream: &mut Stream) -> f64 {
        (stream.random::<u64>() % NAMES) as f64
    }

    fn intensity(&self, intensities: &mut [f64], shot: &Shot, stream: Option<&mut Stream>) {
        if stream.is_some() {
            let rate_hz = shot.sight.device.frames.rate_hz;
            let factor = 1.0 + self.delta(shot.start as u64, shot.number, rate_hz);
            intensities.iter_mut().for_each(|intensity| *intensity *= factor);
        }
    }

    /// What both frames of a pair share is a factor on the force.
    fn overlap_error(&self, sight: &Sight) -> f64 {
        let rate_hz = sight.device.frames.rate_hz;
        let (octaves, variance) = self.octaves(rate_hz);
        let shared = (f64::from(octaves) * variance - self.apart(rate_hz) / 2.0).max(0.0);
        (shared * sight.nodes as f64 / 3.0).sqrt()
    }

    fn frame_error(&self, intensity: f64, sight: &Sight) -> f64 {
        (self.apart(sight.device.frames.rate_hz) / 2.0).sqrt() * intensity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its variance is that of the band, and frames L apart differ by all octaves that last less,
    /// and the others as often as they change between: 2 v sum_j min(1, L / 2^j).
    #[test]
    fn it_has_the_variance_of_its_band_and_the_structure_of_its_octaves() {
        let laser = LaserFlicker { density: 0.01, slowest_hz: 60.0 / 2.0 / 256.0 };
        let (octaves, variance) = laser.octaves(60.0);
        assert_eq!(octaves, 8);
        assert!((8.0 * variance - 1e-4 * 256f64.ln()).abs() < 1e-15);
        let reads: u64 = 4000;
        let mut stream = Key::new(3, "names").stream();
        let names: Vec<u64> = (0..reads).map(|_| stream.random::<u64>() % NAMES).collect();
        let error = 5.0 * (2.0 / reads as f64).sqrt();
        let square: f64 = names.iter().map(|name| laser.delta(*name, 7, 60.0).powi(2)).sum();
        let ratio = square / reads as f64 / (8.0 * variance);
        assert!((ratio - 1.0).abs() < error, "{ratio}");
        for lag in [1u64, 4, 32] {
            let apart = |name: &u64| laser.delta(*name, lag, 60.0) - laser.delta(*name, 0, 60.0);
            let found = names.iter().map(|name| apart(name).powi(2)).sum::<f64>() / reads as f64;
            let changes = |j: u32| (lag as f64 / 2f64.powi(j as i32)).min(1.0);
            let expected = 2.0 * variance * (0..octaves).map(changes).sum::<f64>();
            // Differences are mixtures of normal deviates: their squares spread a bit more.
            assert!((found / expected - 1.0).abs() < 1.5 * error, "{lag}: {found} {expected}");
        }
        assert!((laser.apart(60.0) / (2.0 * variance * (2.0 - 1.0 / 128.0)) - 1.0).abs() < 1e-12);
    }
}
