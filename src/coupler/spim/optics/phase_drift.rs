//! Drift of the phase response: all phases move with the panel's temperature, phi (1 + x).
//!
//! x is a random walk, so that its spread grows with the root of time: from write to write by the
//! frames taken between them, and between the phases of one update by half of that time; see
//! [`Optic::walk`].

use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, random_walk};
use crate::quantity::range;

/// A phase response that drifts: the table `[device.spim.phase_drift]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhaseDrift {
    /// Standard deviation of the relative change of all phases after an hour; it grows with the root
    /// of time.
    #[serde(deserialize_with = "range::fraction")]
    pub in_an_hour: f64,
}

impl Effect for PhaseDrift {
    fn title(&self) -> &'static str {
        "phase drift"
    }

    fn is_off(&self) -> bool {
        self.in_an_hour == 0.0
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
        random_walk(change, self.in_an_hour, hours, key);
    }

    fn drifted_phase(&self, change: &[f64]) -> f64 {
        change[0]
    }
}
