//! Common flicker: all phases move with the modulator's drive, phi (1 + eps sin 2 pi f t).
//!
//! A node that shows a = cos(phi) goes with it by -eps phi sin(phi), and all nodes in one
//! direction: values spread evenly over [-1, 1] change by pi^2 / 8 eps on average. What two
//! successive frames share of it stays in a force as an error of the overlap, what they do not as an
//! error of a frame; at the frames' own rate they share all.

use std::f64::consts::{PI, SQRT_2, TAU};

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot, Sight};
use crate::quantity::range;

/// Flicker common to all pixels: the table `[device.spim.flicker]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

    /// Half the angle by which the flicker goes on from one frame to the next.
    fn half_turn(&self, sight: &Sight) -> f64 {
        PI * self.rate_hz / sight.device.frames.rate_hz
    }

    /// The standard deviation of the change of a node that shows a typical value.
    fn typical(&self) -> f64 {
        self.amplitude / SQRT_2 * PI * PI / 8.0
    }
}

impl Effect for Flicker {
    fn title(&self) -> &'static str {
        "common flicker"
    }

    fn is_off(&self) -> bool {
        self.amplitude == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// The amplitude is.
    fn scale(&mut self, factor: f64) -> bool {
        self.amplitude *= factor;
        true
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

    fn overlap_error(&self, sight: &Sight) -> f64 {
        self.typical() * sight.nodes as f64 * self.half_turn(sight).cos().abs()
    }

    fn frame_error(&self, intensity: f64, sight: &Sight) -> f64 {
        // Of two frames that differ by 2 sin(half turn), half the squared difference each.
        let apart = SQRT_2 * self.half_turn(sight).sin().abs();
        let change = self.typical() * apart * sight.nodes as f64 / sight.light;
        2.0 * intensity.sqrt() * change
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
