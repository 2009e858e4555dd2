//! How long to train, and with what optimiser: the table `[training]`.

use serde::{Deserialize, Serialize};

use crate::quantity::range;
use crate::training::Schedule;
use crate::training::optimiser::{Bop, OptimiserChoice, Rates, Sgd};
use crate::training::schedule::Constant;

/// How long, and with what optimiser: the table `[training]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the training part.
    #[serde(deserialize_with = "range::positive_integer")]
    pub epochs: usize,
    /// Samples of a mini-batch.
    #[serde(deserialize_with = "range::positive_integer")]
    pub batch: usize,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What trains real parameters.
    pub optimiser: OptimiserChoice,
    /// What trains binary parameters.
    pub bop: Bop,
    /// Factors on the learning rates of parameters that learn faster or slower than the others.
    #[serde(skip_serializing_if = "Rates::is_empty")]
    pub rates: Rates,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 32,
            schedule: Constant::default().into(),
            optimiser: Sgd::default().into(),
            bop: Bop::default(),
            rates: Rates::default(),
        }
    }
}
