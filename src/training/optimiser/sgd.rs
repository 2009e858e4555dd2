//! Gradient descent with momentum (Polyak 1964, doi:10.1016/0041-5553(64)90137-5).
//!
//! ```text
//! m <- mu m + g + l2 theta,      theta <- theta - rate m
//! ```

use serde::{Deserialize, Serialize};

use super::{Chunk, Optimiser, Step};
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::quantity::range;

/// Gradient descent with momentum: `sgd`, and its table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Learning rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// Momentum mu.
    #[serde(deserialize_with = "range::fraction")]
    pub momentum: f64,
    /// Weight decay: the slope of a penalty l2 theta^2 / 2.
    #[serde(deserialize_with = "range::non_negative")]
    pub l2: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { rate: 0.05, momentum: 0.0, l2: 0.0 }
    }
}

impl Sgd {
    pub(super) fn optimiser<T: Real>(&self) -> Box<dyn Optimiser<T>> {
        Box::new(*self)
    }
}

impl<T: Real> Optimiser<T> for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn moments(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &["momentum"] } else { &[] }
    }

    fn step(&self, step: &Step, chunk: &mut Chunk<T>, _: &mut Vec<T>) {
        let (rate, l2) = (T::of(self.rate * step.rate_factor), T::of(self.l2));
        match chunk.moments.first_mut() {
            None => {
                if self.l2 > 0.0 {
                    simd::scale(chunk.values, T::one() - rate * l2);
                }
                chunk.gradient.add_to(chunk.values, -rate);
            }
            Some(momentum) => {
                simd::scale(momentum, T::of(self.momentum));
                chunk.gradient.add_to(momentum, T::one());
                if self.l2 > 0.0 {
                    simd::add_scaled(momentum, l2, chunk.values);
                }
                simd::add_scaled(chunk.values, -rate, momentum);
            }
        }
    }
}
