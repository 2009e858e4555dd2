//! Relaxation: when and how a phase ends.
//!
//! Each way to a steady state is one file that knows only forces, and one line in the list below.

pub(super) mod layer_by_layer;
pub(super) mod time_steps;

use serde::{Deserialize, Serialize};

use self::layer_by_layer::LayerByLayer;
use self::time_steps::TimeSteps;
use super::Network;
use super::lane::Lane;
use super::task::Task;
use crate::Result;
use crate::arithmetic::Real;
use crate::quantity::choice::choices;
use crate::quantity::range;

/// A way to the steady state of a phase.
pub(super) trait Relaxer<T: Real>: Send + Sync {
    /// Lets the samples of one lane settle; says which of its columns did.
    fn settle(&self, network: &Network<T>, lane: &mut Lane<T>, task: &Task<T>)
    -> Result<Vec<bool>>;
}

choices! {
    /// How a steady state is found.
    pub enum RelaxationMethod {
        /// As the machine does it, step by step in time.
        "time-steps" => TimeSteps(TimeSteps),
        /// One layer after another: the same steady state for machines without loops and noise, at
        /// a fraction of the arithmetic.
        "layer-by-layer" => LayerByLayer(LayerByLayer),
    }
    forward {
        /// The way itself, for one network.
        pub(super) fn relaxer<T: Real>(&self, network: &Network<T>) -> Result<Box<dyn Relaxer<T>>>;
    }
}

/// When and how a relaxation stops: the table `[relaxation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relaxation {
    /// How the steady state is found.
    pub method: RelaxationMethod,
    /// Step eta, in time constants of a node.
    #[serde(deserialize_with = "range::up_to_one")]
    pub step: f64,
    /// The force below which a node is at rest.
    #[serde(deserialize_with = "range::positive")]
    pub tolerance: f64,
    /// The most steps of a phase.
    #[serde(deserialize_with = "range::positive_integer")]
    pub max_steps: usize,
}

impl Default for Relaxation {
    fn default() -> Self {
        Self { method: TimeSteps::default().into(), step: 0.5, tolerance: 1e-5, max_steps: 200 }
    }
}
