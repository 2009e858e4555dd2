//! BOP, for binary parameters (Helwegen et al. 2019, arXiv 1906.02107).
//!
//! ```text
//! m <- (1 - gamma) m + gamma g,      flip where |m| > threshold and sign m = sign theta
//! ```
//!
//! A schedule acts on gamma, as theirs does.

use serde::{Deserialize, Serialize};

use super::{Chunk, Optimiser, Step};
use crate::arithmetic::Real;
use crate::quantity::range;

/// What trains binary parameters: the table `[training.bop]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bop {
    /// Adaptivity gamma: the weight of the newest gradient in the running mean.
    #[serde(deserialize_with = "range::up_to_one")]
    pub gamma: f64,
    /// The running mean beyond which a parameter flips.
    #[serde(deserialize_with = "range::non_negative")]
    pub threshold: f64,
}

impl Default for Bop {
    fn default() -> Self {
        Self { gamma: 0.01, threshold: 1e-4 }
    }
}

impl<T: Real> Optimiser<T> for Bop {
    fn name(&self) -> &'static str {
        "bop"
    }

    fn moments(&self) -> &'static [&'static str] {
        &["mean"]
    }

    fn step(&self, step: &Step, chunk: &mut Chunk<T>, scratch: &mut Vec<T>) {
        let (gamma, threshold) = (T::of(self.gamma * step.rate_factor), T::of(self.threshold));
        let Some(means) = chunk.moments.first_mut() else { return };
        let slopes = chunk.gradient.values(scratch);
        for ((value, slope), mean) in chunk.values.iter_mut().zip(slopes).zip(&mut **means) {
            *mean = (T::one() - gamma) * *mean + gamma * *slope;
            if mean.abs() > threshold && *mean * *value > T::zero() {
                *value = -*value;
            }
        }
    }
}
