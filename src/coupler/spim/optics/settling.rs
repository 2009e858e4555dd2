//! Settling: the liquid crystal follows its voltage slowly.
//!
//! ```text
//! phi <- phi + (phi* - phi) (1 - e^(-dt / tau)),      tau the rise time where phi* > phi, else the
//!                                                     fall time
//! ```
//!
//! phi is the phase as driven, from 0 to 2 pi: on one colour of a checkerboard it rises where it
//! falls on the other. Between two frames dt is a frame's time, and the wait where there is one: see
//! [`Frames`](crate::coupler::spim::Frames). Data sheets often state the time from 10 to 90 %, which
//! is tau ln 9.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// A modulator that lags: the table `[device.spim.settling]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settling {
    /// Time constant of phases that grow, milliseconds; 0 follows at once.
    #[serde(deserialize_with = "range::non_negative")]
    pub rise_ms: f64,
    /// Time constant of phases that fall, milliseconds; 0 follows at once.
    #[serde(deserialize_with = "range::non_negative")]
    pub fall_ms: f64,
}

/// The part of a step that is left after `seconds`.
fn left(time_constant_ms: f64, seconds: f64) -> f64 {
    if time_constant_ms == 0.0 { 0.0 } else { (-seconds / (time_constant_ms * 1e-3)).exp() }
}

impl Effect for Settling {
    fn title(&self) -> &'static str {
        "settling"
    }

    fn is_off(&self) -> bool {
        self.rise_ms == 0.0 && self.fall_ms == 0.0
    }

    /// Both times are.
    fn scale(&mut self, factor: f64) -> bool {
        self.rise_ms *= factor;
        self.fall_ms *= factor;
        true
    }
}

impl Optic for Settling {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Still | Path::Wave)
    }

    fn settle(&self, shown: &mut [[f64; 2]], asked: &[[f64; 2]], seconds: f64) {
        let (rise, fall) = (left(self.rise_ms, seconds), left(self.fall_ms, seconds));
        for (shown, asked) in shown.as_flattened_mut().iter_mut().zip(asked.as_flattened()) {
            let left = if asked > shown { rise } else { fall };
            *shown = asked + (*shown - asked) * left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_decay_exponentially_each_way_at_its_own_pace() {
        let settling = Settling { rise_ms: 10.0, fall_ms: 5.0 };
        let mut shown = [[1.0, 3.0]];
        for _ in 0..4 {
            settling.settle(&mut shown, &[[3.0, 1.0]], 0.005);
        }
        assert!((shown[0][0] - (3.0 - 2.0 * (-2.0f64).exp())).abs() < 1e-14, "two rise times");
        assert!((shown[0][1] - (1.0 + 2.0 * (-4.0f64).exp())).abs() < 1e-14, "four fall times");
        let at_once = Settling { rise_ms: 0.0, fall_ms: 5.0 };
        at_once.settle(&mut shown, &[[4.0, 0.0]], 0.001);
        assert_eq!(shown[0][0], 4.0);
    }
}
