//! Wires: segments that resist, so that cells far from the drivers see less voltage. What they make
//! of the cells is worked out in `dissection.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// Resistances of the wires' segments between neighbouring cells: the table
/// `[device.crossbar.wires]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wires {
    /// Of a word line, ohm; 0 is a perfect wire.
    #[serde(deserialize_with = "range::non_negative")]
    pub r_word_ohm: f64,
    /// Of a bit line, ohm; 0 is a perfect wire.
    #[serde(deserialize_with = "range::non_negative")]
    pub r_bit_ohm: f64,
    /// Programmings after which the wires' effect is worked out anew.
    #[serde(deserialize_with = "range::positive_integer")]
    pub refresh: usize,
}

impl Default for Wires {
    fn default() -> Self {
        Self { r_word_ohm: 0.0, r_bit_ohm: 0.0, refresh: 1 }
    }
}

impl Effect for Wires {
    fn title(&self) -> &'static str {
        "wire resistance"
    }

    fn is_off(&self) -> bool {
        self.r_word_ohm == 0.0 && self.r_bit_ohm == 0.0
    }

    /// Resistances are.
    fn scale(&mut self, factor: f64) -> bool {
        self.r_word_ohm *= factor;
        self.r_bit_ohm *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for Wires {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        let cells = path.is_of_cells() && path != Path::WeightsAsWritten;
        path.is_of_writes() || cells || path.is_of_products()
    }
}
