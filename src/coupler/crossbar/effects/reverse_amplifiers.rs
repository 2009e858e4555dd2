//! Amplifiers of reads at the inputs: gains and offsets that only the reversed direction has, which
//! is what makes an array non-reciprocal.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amplifiers::{Mismatch, mismatch};
use crate::arithmetic::Real;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Making, Path, Stage};
use crate::coupler::{Effect, Port};
use crate::quantity::range;

/// Mismatch of reads at the inputs: the table `[device.crossbar.reverse_amplifiers]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReverseAmplifiers {
    /// Standard deviation of gains.
    #[serde(deserialize_with = "range::non_negative")]
    pub gain_sd: f64,
    /// Standard deviation of offsets, weight times node value.
    #[serde(deserialize_with = "range::non_negative")]
    pub offset_sd: f64,
}

impl Effect for ReverseAmplifiers {
    fn title(&self) -> &'static str {
        "mismatch of reversed reads"
    }

    fn is_off(&self) -> bool {
        self.gain_sd == 0.0 && self.offset_sd == 0.0
    }

    /// Both deviations are.
    fn scale(&mut self, factor: f64) -> bool {
        self.gain_sd *= factor;
        self.offset_sd *= factor;
        true
    }
}

impl<T: Real> ArrayEffect<T> for ReverseAmplifiers {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path.is_of_cells()
    }

    fn at_output(&self, making: &Making) -> Option<Arc<dyn Stage<T>>> {
        Some(Arc::new(Mismatch {
            port: Port::Reversed,
            gains: mismatch(self.gain_sd, 1.0, making.inputs, making.key, 3),
            offsets: mismatch(self.offset_sd, 0.0, making.inputs, making.key, 2),
        }))
    }
}
