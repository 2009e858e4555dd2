//! Converters that drive the lines: a value becomes one of finitely many voltages.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::converter;
use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{
    ArrayEffect, Conversions, CrossbarDevice, Load, Making, Path, Stage,
};
use crate::coupler::quantiser::fewer_bits;
use crate::quantity::range;

/// Converters that drive the lines, over the range of `[device.crossbar.drive]`: the table
/// `[device.crossbar.dac]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dac {
    /// Bits; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    pub bits: u32,
    /// Whether the range follows the largest value of every read instead.
    pub auto_range: bool,
    /// Energy of one conversion, picojoule; 0 is unknown.
    #[serde(rename = "energy_pJ", deserialize_with = "range::non_negative")]
    pub energy_pj: f64,
}

impl Effect for Dac {
    fn title(&self) -> &'static str {
        "converters that drive"
    }

    fn is_off(&self) -> bool {
        self.bits == 0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// Rounding errors are this much larger, to the nearest bit.
    fn scale(&mut self, factor: f64) -> bool {
        let Some(bits) = fewer_bits(self.bits, factor, 24) else { return false };
        self.bits = bits;
        true
    }
}

impl<T: Real> ArrayEffect<T> for Dac {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path.is_of_cells()
    }

    fn at_drive(&self, making: &Making) -> Option<Arc<dyn Stage<T>>> {
        let name = ["converters that drive", "device.crossbar.drive.range"];
        converter::stage(self.bits, making.device.drive.range, self.auto_range, name)
    }

    fn resolution(&self, load: &Load, device: &CrossbarDevice) -> f64 {
        converter::error::<T>(self.bits, device.drive.range) * load.weights
    }

    fn conversions(&self, driven: usize, _: usize) -> Conversions {
        Conversions { count: driven, picojoule_each: self.energy_pj }
    }
}
