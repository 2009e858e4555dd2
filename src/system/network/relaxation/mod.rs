//! Relaxation: when and how a phase ends.
//!
//! Each way to a steady state is one file that knows only forces, and one line in the list below.

pub(super) mod layer_by_layer;
pub(super) mod rest;
pub(super) mod time_steps;

use serde::{Deserialize, Serialize};

use self::layer_by_layer::LayerByLayer;
use self::time_steps::TimeSteps;
use super::Network;
use super::lane::Lane;
use super::task::Task;
use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::Span;
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

/// The correlation of two reads that count as independent.
const MEMORY: f64 = 0.02;
/// Steps that are waited for it at most: more no step that settles anything asks for.
const MOST_TO_FORGET: f64 = 1e6;

/// When and how a relaxation stops: the table `[relaxation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relaxation {
    /// How the steady state is found.
    pub method: RelaxationMethod,
    /// Step eta, in time constants of a node.
    #[serde(deserialize_with = "range::up_to_one")]
    pub step: f64,
    /// Time constant of a node, microseconds: what bandwidths of noise and times of a continuous
    /// machine are measured against. Of no account to clocked machines, which move once a read.
    #[serde(deserialize_with = "range::positive")]
    pub time_constant_us: f64,
    /// The force below which a node is at rest.
    #[serde(deserialize_with = "range::positive")]
    pub tolerance: f64,
    /// The most steps of a phase.
    #[serde(deserialize_with = "range::positive_integer")]
    pub max_steps: usize,
    /// Steps after which a free phase is over, settled or not: 0 is not before it has settled.
    /// Samples that had not are used all the same, and counted as truncated.
    #[serde(deserialize_with = "range::count")]
    pub free_steps: usize,
    /// The same of learning phases.
    #[serde(deserialize_with = "range::count")]
    pub nudged_steps: usize,
}

impl Default for Relaxation {
    fn default() -> Self {
        Self {
            method: TimeSteps::default().into(),
            step: 0.5,
            time_constant_us: 1.0,
            tolerance: 1e-5,
            max_steps: 200,
            free_steps: 0,
            nudged_steps: 0,
        }
    }
}

impl Relaxation {
    /// The steps after which a phase is over, settled or not; none of one that waits.
    pub(super) fn truncated_after(&self, learning: bool) -> Option<usize> {
        let steps = if learning { self.nudged_steps } else { self.free_steps };
        (steps > 0).then_some(steps)
    }

    /// For how long the currents of a read act: for a step, or for a time constant where they are
    /// read by themselves.
    pub(super) fn span(&self, relaxing: bool) -> Span {
        let time_constant_s = self.time_constant_us * 1e-6;
        if !relaxing {
            return Span { lasts_s: time_constant_s, averages_s: time_constant_s };
        }
        let lasts_s = self.step * time_constant_s;
        Span { lasts_s, averages_s: lasts_s / (1.0 - 0.5 * self.step) }
    }

    /// Steps after which a node by itself has forgotten all but 2 % of what noise did to it.
    pub fn steps_to_forget(&self) -> usize {
        let kept = (1.0 - self.step).max(f64::MIN_POSITIVE);
        (MEMORY.ln() / kept.ln()).ceil().clamp(1.0, MOST_TO_FORGET) as usize
    }
}
