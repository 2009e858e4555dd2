//! Converters that read the lines: a current becomes one of finitely many codes.

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

/// Converters that read the lines: the table `[device.crossbar.adc]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adc {
    /// Bits; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    pub bits: u32,
    /// The current, weight times node value, at which they clip.
    #[serde(deserialize_with = "range::positive")]
    pub range: f64,
    /// Whether the range follows the largest current of every read instead.
    pub auto_range: bool,
    /// Energy of one conversion, picojoule; 0 is unknown.
    #[serde(rename = "energy_pJ", deserialize_with = "range::non_negative")]
    pub energy_pj: f64,
}

impl Default for Adc {
    fn default() -> Self {
        Self { bits: 0, range: 4.0, auto_range: false, energy_pj: 0.0 }
    }
}

impl Effect for Adc {
    fn title(&self) -> &'static str {
        "converters that read"
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

impl<T: Real> ArrayEffect<T> for Adc {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path.is_of_cells()
    }

    fn at_output(&self, _: &Making) -> Option<Arc<dyn Stage<T>>> {
        let name = ["converters that read", "device.crossbar.adc.range"];
        converter::stage(self.bits, self.range, self.auto_range, name)
    }

    fn resolution(&self, load: &Load, _: &CrossbarDevice) -> f64 {
        converter::error::<T>(self.bits, self.range) * load.conversions.sqrt()
    }

    fn conversions(&self, _: usize, read: usize) -> Conversions {
        Conversions { count: read, picojoule_each: self.energy_pj }
    }
}
