//! Common flicker: all phases move with the modulator's drive, phi (1 + eps sin 2 pi f t).

use std::f64::consts::TAU;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot};
use crate::quantity::range;

/// Flicker common to all pixels: the table `[device.spim.flicker]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flicker {
    /// The amplitude eps, as a part of the phase.
    #[serde(deserialize_with = "range::fraction")]
    pub amplitude: f64,
    /// The frequency f.
    #[serde(rename = "rate_Hz", deserialize_with = "range::positive")]
    pub rate_hz: f64,
}

impl Default for Flicker {
    fn default() -> Self {
        Self { amplitude: 0.0, rate_hz: 60.0 }
    }
}

impl Flicker {
    /// The relative change of all phases `turns` turns into the period.
    fn change(&self, turns: f64) -> f64 {
        self.amplitude * (TAU * turns).sin()
    }
}

impl Effect for Flicker {
    fn title(&self) -> &'static str {
        "common flicker"
    }

    fn is_off(&self) -> bool {
        self.amplitude == 0.0
    }
}

impl Optic for Flicker {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Analytic)
    }

    /// No camera is locked to the drive.
    fn start(&self, stream: &mut Stream) -> f64 {
        stream.random::<f64>()
    }

    fn phase_change(&self, shot: &Shot) -> f64 {
        let turns_per_frame = self.rate_hz / shot.sight.device.frames.rate_hz;
        self.change(shot.start + turns_per_frame * shot.number as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_flicker_has_its_period_and_its_rms() {
        let flicker = Flicker { amplitude: 0.01, ..Flicker::default() };
        let changes: Vec<f64> =
            (0..8).map(|frame| flicker.change(0.1 + 0.25 * f64::from(frame))).collect();
        assert!((changes[1] - changes[5]).abs() < 1e-15);
        let mean_square = changes.iter().map(|c| c * c).sum::<f64>() / 8.0;
        assert!((mean_square - 0.5e-4).abs() < 1e-12);
    }
}
