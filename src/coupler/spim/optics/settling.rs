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
use crate::coupler::spim::optic::{Optic, Path};
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
    /// The phase shown one frame after `from` was to become `to`, at `rate_hz` frames a second.
    fn phase(&self, from: f64, to: f64, rate_hz: f64) -> f64 {
        let frames = self.response_ms * 1e-3 * rate_hz;
        to + (from - to) * (-1.0 / frames).exp()
    }
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

    /// Both colours of a checkerboard lag alike, +-arccos.
    fn shown(&self, before: f64, asked: f64, device: &SpimDevice) -> f64 {
        let angle = |value: f64| value.clamp(-1.0, 1.0).acos();
        let phase = self.phase(angle(before), angle(asked), device.frames.rate_hz);
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
        let settling = Settling { response_ms: 10.0 };
        let mut phase = 3.0;
        for _ in 0..4 {
            phase = settling.phase(phase, 1.0, 200.0);
        }
        assert!((phase - (1.0 + 2.0 * (-2.0f64).exp())).abs() < 1e-14);
        let device = SpimDevice::default().with(|device| device.frames.rate_hz = 1.0);
        let shown = Settling { response_ms: 1e-3 }.shown(0.3, -0.7, &device);
        assert!((shown + 0.7).abs() < 1e-15, "a million time constants a frame");
    }
}
