//! Stuck cells: a fraction of the cells stays at an end of the range, whatever is written.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// Cells that no write moves: the table `[device.crossbar.stuck]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StuckCells {
    /// Fraction of cells stuck at g_min.
    #[serde(deserialize_with = "range::fraction")]
    pub at_min: f64,
    /// Fraction of cells stuck at g_max.
    #[serde(deserialize_with = "range::fraction")]
    pub at_max: f64,
}

impl Effect for StuckCells {
    fn title(&self) -> &'static str {
        "stuck cells"
    }

    fn is_off(&self) -> bool {
        self.at_min + self.at_max == 0.0
    }

    fn check(&self) -> Result<(), String> {
        let Self { at_min, at_max } = self;
        if at_min + at_max < 1.0 {
            return Ok(());
        }
        Err(format!("at_min = {at_min} and at_max = {at_max}: expected a sum below 1"))
    }

    /// Both fractions are.
    fn scale(&mut self, factor: f64) -> bool {
        self.at_min *= factor;
        self.at_max *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for StuckCells {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path == Path::Pulses || path.is_of_cells() || path.is_of_products()
    }

    fn draws(&self) -> bool {
        false
    }

    fn fix(&self, cells: &mut [f64], stream: &mut Stream, device: &CrossbarDevice) {
        for cell in cells {
            let chance: f64 = stream.random();
            if chance < self.at_min {
                *cell = device.cells.g_min_us;
            } else if chance < self.at_min + self.at_max {
                *cell = device.cells.g_max_us;
            }
        }
    }
}
