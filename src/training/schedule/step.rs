//! Steps: the rate is multiplied by a factor after every so many epochs.

use serde::{Deserialize, Serialize};

use crate::quantity::range;

/// Multiplied by `factor` after every `every` epochs: `step`, and its table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// Epochs between the steps.
    #[serde(deserialize_with = "range::positive_integer")]
    pub every: usize,
    /// The factor of each step.
    #[serde(deserialize_with = "range::up_to_one")]
    pub factor: f64,
}

impl Default for Steps {
    fn default() -> Self {
        Self { every: 10, factor: 0.5 }
    }
}

impl Steps {
    pub(super) fn factor(&self, epoch: usize, _: usize) -> f64 {
        self.factor.powf((epoch / self.every) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_halves_every_three_epochs() {
        let steps = Steps { every: 3, factor: 0.5 };
        assert_eq!([2, 3, 6].map(|epoch| steps.factor(epoch, 10)), [1.0, 0.5, 0.25]);
    }
}
