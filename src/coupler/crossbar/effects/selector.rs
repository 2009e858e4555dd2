//! Selectors: a device in series with each cell that conducts above a threshold, so that cells of
//! lines that are not driven stay quiet. Of a voltage u it leaves its cell
//!
//! ```text
//! w = u - (1 - leak) clamp(u, -threshold, threshold)
//! ```
//!
//! all that is above the threshold, and below it the `leak`, a part. Driven from the other side, the
//! same. Values below the threshold are all but lost, which is what a machine of such cells has to learn
//! to live with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CellLaw, CrossbarDevice, Path, Threshold};
use crate::quantity::range;

/// A threshold below which cells all but do not conduct: the table `[device.crossbar.selector]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// The voltage at which it opens, either way; 0 is no selector.
    #[serde(rename = "threshold_V", deserialize_with = "range::non_negative")]
    pub threshold_v: f64,
    /// The part of a voltage below the threshold that it leaves to the cell.
    #[serde(deserialize_with = "range::fraction")]
    pub leak: f64,
}

impl Effect for Selector {
    fn title(&self) -> &'static str {
        "selectors"
    }

    fn is_off(&self) -> bool {
        self.threshold_v == 0.0
    }

    /// The threshold is.
    fn scale(&mut self, factor: f64) -> bool {
        self.threshold_v *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for Selector {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || matches!(path, Path::EvenNoise | Path::WeightsAsWritten)
    }

    fn carry(&self, law: CellLaw) -> CellLaw {
        CellLaw { selector: Threshold { volts: self.threshold_v, leak: self.leak }, ..law }
    }
}
