//! White read noise: every cell of every read is off by an independent error, of one deviation or of
//! what was measured at a few conductances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::curve::{self, Curve};
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
    /// In place of it: pairs [g, standard deviation of a cell that holds g], microsiemens, g rising;
    /// straight lines between them, the last value beyond.
    #[serde(rename = "sd_points_uS")]
    pub sd_points_us: Curve,
}

impl Effect for ReadNoise {
    fn title(&self) -> &'static str {
        "read noise"
    }

    fn is_off(&self) -> bool {
        self.sd_us == 0.0 && self.sd_points_us.is_empty()
    }

    fn is_noise(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), String> {
        if self.sd_us > 0.0 && !self.sd_points_us.is_empty() {
            return Err("sd_points_uS: expected no sd_uS beside them".into());
        }
        curve::check("sd_points_uS", &self.sd_points_us)
    }

    /// The deviation is.
    fn scale(&mut self, factor: f64) -> bool {
        self.sd_us *= factor;
        self.sd_points_us.iter_mut().for_each(|[_, sd]| *sd *= factor);
        true
    }
}

impl<T: Real> ArrayEffect<T> for ReadNoise {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        let even = self.sd_points_us.is_empty() || path != Path::EvenNoise;
        path.is_of_writes() || path.is_of_cells() && even || path == Path::NoisyProduct
    }

    fn add_cell_noise(&self, cells: &[f64], _: &[f64], deviations: &mut [f64], _: &CrossbarDevice) {
        for (deviation, g) in deviations.iter_mut().zip(cells) {
            let measured = !self.sd_points_us.is_empty();
            let own = if measured { curve::at(&self.sd_points_us, *g) } else { self.sd_us };
            *deviation = deviation.hypot(own);
        }
    }
}
