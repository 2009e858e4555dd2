//! The numbers that describe a crossbar, as a datasheet or an experiment states them.

use serde::{Deserialize, Serialize};

use crate::config::range;

/// A crossbar of resistive cells with its converters: the table `[device.crossbar]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossbarDevice {
    /// The datasheet under these numbers: a name in `devices/` or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Lowest conductance of a cell, microsiemens.
    #[serde(rename = "g_min_uS", deserialize_with = "range::non_negative")]
    pub g_min_us: f64,
    /// Highest conductance of a cell, microsiemens.
    #[serde(rename = "g_max_uS", deserialize_with = "range::positive")]
    pub g_max_us: f64,
    /// Conductance levels of a cell; 0 is a continuum.
    #[serde(deserialize_with = "range::levels")]
    pub levels: u32,
    /// Standard deviation of a written cell's conductance, microsiemens.
    #[serde(rename = "programming_error_uS", deserialize_with = "range::non_negative")]
    pub programming_error_us: f64,
    /// Standard deviation of a cell's conductance from read to read, microsiemens.
    #[serde(rename = "read_noise_uS", deserialize_with = "range::non_negative")]
    pub read_noise_us: f64,
    /// The weight that the whole conductance range stands for; weights beyond are clipped.
    #[serde(deserialize_with = "range::positive")]
    pub weight_max: f64,
    /// Bits of the converters that drive the lines; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    pub dac_bits: u32,
    /// The node value at which the driving converters clip.
    #[serde(deserialize_with = "range::positive")]
    pub dac_range: f64,
    /// Bits of the converters that read the lines; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    pub adc_bits: u32,
    /// The current, weight times node value, at which the reading converters clip.
    #[serde(deserialize_with = "range::positive")]
    pub adc_range: f64,
    /// Time of one read of the whole array, microseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub read_time_us: f64,
    /// Time to write one cell, microseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub write_time_us: f64,
}

impl CrossbarDevice {
    /// Cells and converters without any imperfection.
    pub fn ideal() -> Self {
        Self {
            sheet: None,
            g_min_us: 0.0,
            g_max_us: 25.0,
            levels: 0,
            programming_error_us: 0.0,
            read_noise_us: 0.0,
            weight_max: 2.0,
            dac_bits: 0,
            dac_range: 1.0,
            adc_bits: 0,
            adc_range: 4.0,
            read_time_us: 0.0,
            write_time_us: 0.0,
        }
    }

    /// The weight of one microsiemens.
    pub fn weight_per_us(&self) -> f64 {
        self.weight_max / (self.g_max_us - self.g_min_us)
    }
}

impl Default for CrossbarDevice {
    fn default() -> Self {
        Self::ideal()
    }
}
