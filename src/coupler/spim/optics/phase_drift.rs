//! Drift of the phase response: all phases move with the panel's temperature, phi (1 + x).
//!
//! x is a random walk, drawn back where somebody looks after it: from write to write by the
//! frames taken between them, and between the phases of one update by half of that time; see
//! [`Optic::walk`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, random_walk};
use crate::quantity::range;

/// A phase response that drifts: the table `[device.spim.phase_drift]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PhaseDrift {
    /// Standard deviation of the relative change of all phases after an hour; it grows with the root
    /// of time.
    #[serde(deserialize_with = "range::fraction")]
    pub in_an_hour: f64,
    /// Hours in which it is drawn back to where it was when the bench was calibrated, by a factor e; 0
    /// is never.
    #[serde(deserialize_with = "range::non_negative")]
    pub time_constant_h: f64,
}

impl Effect for PhaseDrift {
    fn title(&self) -> &'static str {
        "phase drift"
    }

    fn is_off(&self) -> bool {
        self.in_an_hour == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.in_an_hour *= factor;
        true
    }
}

impl Optic for PhaseDrift {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Analytic)
    }

    fn aligned(&self) -> Option<(&'static str, Vec<f64>)> {
        Some(("phase_change", vec![0.0]))
    }

    fn walk(&self, change: &mut [f64], hours: f64, key: Key) {
        random_walk(change, (self.in_an_hour, self.time_constant_h), hours, key);
    }

    fn drifted_phase(&self, change: &[f64]) -> f64 {
        change[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the steps: s^2 tau/2 (1 - e^(-2T/tau)), or s^2 T where nothing draws it back.
    #[test]
    fn a_walk_that_is_drawn_back_has_a_bound() {
        let walks = 4000;
        for (time_constant_h, hours) in [(0.0, 5.0), (8.0, 5.0), (8.0, 200.0)] {
            let drift = PhaseDrift { in_an_hour: 0.001, time_constant_h };
            let end = |walk: u64| {
                let mut change = [0.0];
                for step in 0..20 {
                    // Long steps and short ones.
                    let part = if step % 2 == 0 { 0.09 } else { 0.01 };
                    drift.walk(&mut change, part * hours, Key::new(walk, "walk").with(step));
                }
                change[0] / 0.001
            };
            let variance = (0..walks).map(end).map(|x| x * x).sum::<f64>() / walks as f64;
            let expected = match time_constant_h {
                0.0 => hours,
                tau => tau / 2.0 * (1.0 - (-2.0 * hours / tau).exp()),
            };
            let ratio = variance / expected;
            assert!((ratio - 1.0).abs() < 5.0 * (2.0 / walks as f64).sqrt(), "{hours}: {ratio}");
        }
    }
}
