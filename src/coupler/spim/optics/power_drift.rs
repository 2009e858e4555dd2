//! Drift of the laser's power: all intensities move, I (1 + x).
//!
//! x is a random walk, as that of [`PhaseDrift`](super::phase_drift::PhaseDrift). The laboratory
//! goes on with the unit of light that it took when it began.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, random_walk};
use crate::quantity::range;

/// A power that drifts: the table `[device.spim.power_drift]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PowerDrift {
    /// Standard deviation of the relative change of the power after an hour; it grows with the root
    /// of time.
    #[serde(deserialize_with = "range::fraction")]
    pub in_an_hour: f64,
    /// Hours in which it is drawn back to where it was when the bench was calibrated, by a factor e; 0
    /// is never.
    #[serde(deserialize_with = "range::non_negative")]
    pub time_constant_h: f64,
}

impl Effect for PowerDrift {
    fn title(&self) -> &'static str {
        "power drift"
    }

    fn is_off(&self) -> bool {
        self.in_an_hour == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.in_an_hour *= factor;
        true
    }
}

impl Optic for PowerDrift {
    /// It is a factor on the light, which every frame has.
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        path != Path::Overlaps
    }

    fn aligned(&self) -> Option<(&'static str, Vec<f64>)> {
        Some(("power_change", vec![0.0]))
    }

    fn walk(&self, change: &mut [f64], hours: f64, key: Key) {
        random_walk(change, (self.in_an_hour, self.time_constant_h), hours, key);
    }

    /// No laser has less than no power.
    fn gain(&self, change: &[f64], _: &SpimDevice) -> f64 {
        (1.0 + change[0]).max(0.0)
    }
}
