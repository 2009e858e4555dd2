//! Settling: the liquid crystal follows its voltage slowly.
//!
//! ```text
//! phi <- phi + (phi* - phi) (1 - e^(-dt / tau))
//! ```
//!
//! Between two frames dt is a frame's time. The node that a readout shifts from frame to frame
//! lags; all others have had the settling time of their force.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// A modulator that lags: the table `[device.spim.settling]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settling {
    /// Time constant tau of the liquid crystal, milliseconds; 0 follows at once.
    #[serde(deserialize_with = "range::non_negative")]
    pub response_ms: f64,
}

impl Settling {
    /// The part of a step that is left one frame later, at `rate_hz` frames a second.
    fn left(&self, rate_hz: f64) -> f64 {
        let frames = self.response_ms * 1e-3 * rate_hz;
        (-1.0 / frames).exp()
    }
}

/// The phase shown when the part `left` of the way from `from` to `to` is left.
fn phase(from: f64, to: f64, left: f64) -> f64 {
    to + (from - to) * left
}

impl Effect for Settling {
    fn title(&self) -> &'static str {
        "settling"
    }

    fn is_off(&self) -> bool {
        self.response_ms == 0.0
    }
}

impl Optic for Settling {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Still | Path::Wave)
    }

    fn pace(&self, device: &SpimDevice) -> f64 {
        self.left(device.frames.rate_hz)
    }

    /// Both colours of a checkerboard lag alike, +-arccos.
    fn shown(&self, before: f64, asked: f64, left: f64) -> f64 {
        let angle = |value: f64| value.clamp(-1.0, 1.0).acos();
        let phase = phase(angle(before), angle(asked), left);
        debug_assert!((0.0..=PI).contains(&phase));
        phase.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_decay_exponentially() {
        // Time constant 10 ms, frames of 5 ms.
        let left = Settling { response_ms: 10.0 }.left(200.0);
        let mut shown = 3.0;
        for _ in 0..4 {
            shown = phase(shown, 1.0, left);
        }
        assert!((shown - (1.0 + 2.0 * (-2.0f64).exp())).abs() < 1e-14);
        let fast = Settling { response_ms: 1e-3 };
        let shown = fast.shown(0.3, -0.7, fast.left(1.0));
        assert!((shown + 0.7).abs() < 1e-15, "a million time constants a frame");
    }
}
