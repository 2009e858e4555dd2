//! SPSA: all wanted nodes at v +- h Delta, Delta random signs.
//!
//! ```text
//! difference of the two frames = 4 h sum_n Delta_n xi_n o
//! 2 K frames a direction for all forces
//! ```
//!
//! The other nodes add noise of mean 0; biased only where v +- h leaves [-1, 1].

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::frames::{Frames, Wanted};
use super::{FiniteDifference, Readout, ReadoutChoice};
use crate::quantity::range;

/// The readout `spsa`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spsa {
    /// The step h, in units of node values.
    #[serde(deserialize_with = "range::up_to_one")]
    pub step: f64,
    /// Random directions that are averaged.
    #[serde(deserialize_with = "range::positive_integer")]
    pub directions: usize,
}

impl Default for Spsa {
    fn default() -> Self {
        Self { step: 0.5, directions: 1 }
    }
}

impl Readout for Spsa {
    fn recipe(&self) -> &'static str {
        "For each direction, a random sign r_m for every node m, and each pattern k two frames: every node m shows\n\
             xi_mk (v_m + h r_m) in the one and xi_mk (v_m - h r_m) in the other, h the step of the readout; g = 1, or\n\
             f'(u_m) where forces are those of gradient dynamics.\n\
             force on m = g r_m (1/K) sum_k lambda_k (I_up - I_down) / (4 h), the mean over directions"
    }

    fn pairs(&self, _: usize) -> u64 {
        self.directions as u64
    }

    fn rounds(&self) -> u64 {
        self.directions as u64
    }

    fn error(&self, pair: f64, nodes: f64) -> f64 {
        (pair / self.step).hypot(nodes) / (self.directions as f64).sqrt()
    }

    /// Each node by itself, over the same step.
    fn mean(&self) -> Option<ReadoutChoice> {
        Some(FiniteDifference { step: self.step }.into())
    }

    fn add_forces(&self, frames: &mut Frames, wanted: &[Wanted], forces: &mut [f64]) {
        let mut slopes = vec![0.0; wanted.len()];
        for _ in 0..self.directions {
            let mut sign = |_: &Wanted| if frames.stream.random::<bool>() { 1.0 } else { -1.0 };
            let signs: Vec<f64> = wanted.iter().map(&mut sign).collect();
            let mut sum = 0.0;
            for k in 0..frames.count() {
                sum += frames.moved(k, wanted, &signs, self.step);
            }
            sum += frames.drawn();
            slopes
                .iter_mut()
                .zip(&signs)
                .for_each(|(slope, sign)| *slope += sign * sum / self.directions as f64);
        }
        for ((slope, Wanted { gain, .. }), force) in slopes.iter().zip(wanted).zip(forces) {
            *force += gain * slope;
        }
    }
}
