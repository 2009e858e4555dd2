//! Levels: targets are rounded to the nearest of a few conductances, evenly spaced or as they were
//! measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Mapping, Pairs, Path};
use crate::quantity::range;

/// Cells with a limited number of levels: the table `[device.crossbar.levels]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Levels {
    /// Conductance levels of a cell; 0 is a continuum.
    #[serde(deserialize_with = "range::levels")]
    pub count: u32,
    /// In place of it: the conductances that a cell can have, microsiemens, rising.
    #[serde(rename = "values_uS")]
    pub values_us: Vec<f64>,
}

impl Levels {
    /// How many levels a cell has; 0 is a continuum.
    pub fn number(&self) -> usize {
        if self.values_us.is_empty() { self.count as usize } else { self.values_us.len() }
    }

    /// The weights that the measured conductances of the cell that moves stand for, rising.
    fn weights(&self, pairs: &Pairs) -> Vec<f64> {
        let scale = pairs.weight_per_us();
        let [_, rest] = pairs.conductances(0.0);
        let above = || self.values_us.iter().map(|g| (g - rest) * scale);
        match pairs.mapping {
            // The other cell of the pair stands for negative weights.
            Mapping::Differential => {
                let below = self.values_us.iter().rev().map(|g| (rest - g) * scale);
                below.chain(above()).collect()
            }
            Mapping::Balanced | Mapping::Offset => above().collect(),
        }
    }
}

/// The nearest of the rising `levels` to `weight`, the lower one half-way.
fn nearest(levels: &[f64], weight: f64) -> f64 {
    let above = levels.partition_point(|level| *level < weight).min(levels.len() - 1);
    let below = above.saturating_sub(1);
    if weight - levels[below] <= levels[above] - weight { levels[below] } else { levels[above] }
}

impl Effect for Levels {
    fn title(&self) -> &'static str {
        "levels"
    }

    fn is_off(&self) -> bool {
        self.count == 0 && self.values_us.is_empty()
    }

    fn check(&self) -> Result<(), String> {
        let values = &self.values_us;
        let wrong = |expected: &str| Err(format!("values_uS = {values:?}: expected {expected}"));
        if self.count > 0 && !values.is_empty() {
            return wrong("no count beside them");
        }
        if values.len() == 1 || values.len() > 65_536 {
            return wrong("2 to 65536 conductances");
        }
        if values.iter().any(|g| !g.is_finite() || *g < 0.0) {
            return wrong("finite conductances of at least 0");
        }
        if values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong("each more than the one before it");
        }
        Ok(())
    }

    /// The step between levels is, to a whole number of steps. Measured levels are what they are.
    fn scale(&mut self, factor: f64) -> bool {
        if !self.values_us.is_empty() {
            return false;
        }
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
        if !self.values_us.is_empty() {
            let levels = self.weights(&device.cells);
            weights.iter_mut().for_each(|weight| *weight = nearest(&levels, *weight));
            return;
        }
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
