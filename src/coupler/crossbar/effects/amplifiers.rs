//! Amplifiers of the outputs: gains and offsets that differ from output to output and are constant
//! in time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Lines, Making, Path, Stage};
use crate::coupler::{Effect, Port, Streams};
use crate::quantity::range;

/// Mismatch of the outputs' amplifiers: the table `[device.crossbar.amplifiers]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Amplifiers {
    /// Standard deviation of the lines' gains from output to output, the same in both directions.
    #[serde(deserialize_with = "range::non_negative")]
    pub gain_sd: f64,
    /// Standard deviation of the outputs' offsets, weight times node value.
    #[serde(deserialize_with = "range::non_negative")]
    pub offset_sd: f64,
}

/// `count` normal deviates about `mean`; none without a deviation. `index` is 0 for gains and 1 for
/// offsets of the outputs, 2 for offsets and 3 for gains of the inputs.
pub(super) fn mismatch<T: Real>(
    deviation: f64,
    mean: f64,
    count: usize,
    key: Key,
    index: u64,
) -> Vec<T> {
    let mut values = vec![T::of(mean); if deviation > 0.0 { count } else { 0 }];
    key.with(2).with(index).add_normals(&mut values, T::of(deviation));
    values
}

/// Amplifiers that only currents read at one side pass.
#[derive(Debug)]
pub(super) struct Mismatch<T> {
    /// The side that is driven.
    pub port: Port,
    /// Empty where all are 1.
    pub gains: Vec<T>,
    /// Empty where all are 0.
    pub offsets: Vec<T>,
}

impl<T: Real> Stage<T> for Mismatch<T> {
    fn pass(&self, lines: &mut Lines<T>, _: &Streams) {
        if lines.port != self.port {
            return;
        }
        let range = lines.lines.clone();
        for column in lines.columns() {
            if !self.gains.is_empty() {
                simd::multiply(column, &self.gains[range.clone()]);
            }
            if !self.offsets.is_empty() {
                simd::add(column, &self.offsets[range.clone()]);
            }
        }
    }

    fn only_adds(&self, port: Port) -> bool {
        self.gains.is_empty() || port != self.port
    }
}

impl Effect for Amplifiers {
    fn title(&self) -> &'static str {
        "amplifier mismatch"
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

impl<T: Real> ArrayEffect<T> for Amplifiers {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        // Gains are in the matrix.
        let products = path.is_of_products() && self.offset_sd == 0.0;
        path.is_of_writes() || path.is_of_cells() || products
    }

    fn gains(&self, making: &Making) -> Vec<T> {
        mismatch(self.gain_sd, 1.0, making.outputs, making.key, 0)
    }

    fn at_output(&self, making: &Making) -> Option<Arc<dyn Stage<T>>> {
        let offsets: Vec<T> = mismatch(self.offset_sd, 0.0, making.outputs, making.key, 1);
        if offsets.is_empty() {
            return None;
        }
        Some(Arc::new(Mismatch { port: Port::Forward, gains: Vec::new(), offsets }))
    }
}
