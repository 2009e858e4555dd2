//! Levels: targets are rounded to the nearest of a few conductances, evenly spaced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Mapping, Path};
use crate::quantity::range;

/// Cells with a limited number of levels: the table `[device.crossbar.levels]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Levels {
    /// Conductance levels of a cell; 0 is a continuum.
    #[serde(deserialize_with = "range::levels")]
    pub count: u32,
}

impl Effect for Levels {
    fn title(&self) -> &'static str {
        "levels"
    }

    fn is_off(&self) -> bool {
        self.count == 0
    }

    /// The step between levels is, to a whole number of steps.
    fn scale(&mut self, factor: f64) -> bool {
        self.count = 1 + (f64::from(self.count - 1) / factor).round().min(65_535.0) as u32;
        true
    }
}

impl<T: Real> ArrayEffect<T> for Levels {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_cells() || path.is_of_products()
    }

    fn draws(&self) -> bool {
        false
    }

    fn round(&self, weights: &mut [f64], device: &CrossbarDevice) {
        let (bound, steps) = (device.cells.weight_max, f64::from(self.count - 1));
        let (lowest, step) = match device.cells.mapping {
            Mapping::Differential => (0.0, bound / steps),
            // Levels span -bound to bound.
            Mapping::Balanced | Mapping::Offset => (-bound, 2.0 * bound / steps),
        };
        for weight in weights {
            *weight = ((*weight - lowest) / step).round() * step + lowest;
        }
    }
}
