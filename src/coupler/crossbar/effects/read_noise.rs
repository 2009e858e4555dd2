//! White read noise: every cell of every read is off by an independent error of one deviation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// White noise of the cells: the table `[device.crossbar.read_noise]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadNoise {
    /// Standard deviation of a cell's conductance from read to read, microsiemens.
    #[serde(rename = "sd_uS", deserialize_with = "range::non_negative")]
    pub sd_us: f64,
}

impl Effect for ReadNoise {
    fn title(&self) -> &'static str {
        "read noise"
    }

    fn is_off(&self) -> bool {
        self.sd_us == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// The deviation is.
    fn scale(&mut self, factor: f64) -> bool {
        self.sd_us *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for ReadNoise {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path.is_of_cells() || path == Path::NoisyProduct
    }

    fn add_cell_noise(&self, _: &[f64], _: &[f64], deviations: &mut [f64], _: &CrossbarDevice) {
        deviations.iter_mut().for_each(|deviation| *deviation = deviation.hypot(self.sd_us));
    }
}
