//! Adam (Kingma & Ba 2015, arXiv 1412.6980).
//!
//! ```text
//! m <- b1 m + (1 - b1) g,      s <- b2 s + (1 - b2) g^2
//! theta <- theta - rate m^ / (sqrt(s^) + epsilon),      m^ = m / (1 - b1^t),  s^ = s / (1 - b2^t)
//! ```

use serde::{Deserialize, Serialize};

use super::{Chunk, Optimiser, Step};
use crate::arithmetic::Real;
use crate::arithmetic::simd::vectorised;
use crate::quantity::range;

/// Adaptive moments: `adam`, and its table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Learning rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// Decay of the first moment.
    #[serde(deserialize_with = "range::fraction")]
    pub beta1: f64,
    /// Decay of the second moment.
    #[serde(deserialize_with = "range::fraction")]
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[serde(deserialize_with = "range::positive")]
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { rate: 0.003, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Adam {
    pub(super) fn optimiser<T: Real>(&self) -> Box<dyn Optimiser<T>> {
        Box::new(*self)
    }
}

impl<T: Real> Optimiser<T> for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn moments(&self) -> &'static [&'static str] {
        &["first", "second"]
    }

    fn step(&self, step: &Step, chunk: &mut Chunk<T>, scratch: &mut Vec<T>) {
        let unbias = |beta: f64| 1.0 - beta.powf(step.number as f64);
        let numbers = Numbers {
            beta: [T::of(self.beta1), T::of(self.beta2)],
            epsilon: T::of(self.epsilon),
            rate: T::of(self.rate * step.rate_factor / unbias(self.beta1)),
            unbias_second: T::of(1.0 / unbias(self.beta2)),
        };
        let [first, second] = &mut chunk.moments[..] else { return };
        adam_step(chunk.values, chunk.gradient.values(scratch), first, second, &numbers);
    }
}

/// The numbers of one step.
struct Numbers<T> {
    beta: [T; 2],
    epsilon: T,
    rate: T,
    unbias_second: T,
}

vectorised! {
    fn adam_step<T: Real>(
        values: &mut [T],
        gradient: &[T],
        first: &mut [T],
        second: &mut [T],
        step: &Numbers<T>,
    ) {
        let [beta1, beta2] = step.beta;
        let moments = first.iter_mut().zip(second);
        for ((value, slope), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            *first = beta1 * *first + (T::one() - beta1) * *slope;
            *second = beta2 * *second + (T::one() - beta2) * *slope * *slope;
            *value -= step.rate * *first / ((*second * step.unbias_second).sqrt() + step.epsilon);
        }
    }
}
