//! Noise of the reading amplifiers: every current of every read is off by one deviation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// Noise of the reading amplifiers: the table `[device.crossbar.output_noise]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputNoise {
    /// Standard deviation, weight times node value.
    #[serde(deserialize_with = "range::non_negative")]
    pub sd: f64,
}

impl Effect for OutputNoise {
    fn title(&self) -> &'static str {
        "output noise"
    }

    fn is_off(&self) -> bool {
        self.sd == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// The deviation is.
    fn scale(&mut self, factor: f64) -> bool {
        self.sd *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for OutputNoise {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path.is_of_cells() || path == Path::NoisyProduct
    }

    fn output_noise(&self) -> f64 {
        self.sd
    }
}
