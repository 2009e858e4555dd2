//! What the outputs should be, and how far they are from it.

use serde::{Deserialize, Serialize};

use crate::arithmetic::real::Real;

/// The cost C(v, y) of output values v against targets y, per sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// C = 1/2 |v - y|^2.
    SquaredError,
    /// C = -sum_i y_i ln softmax(v)_i, for targets that sum to one.
    CrossEntropy,
}

impl Cost {
    /// C of one sample.
    pub fn value<T: Real>(self, values: &[T], targets: &[T]) -> T {
        let pairs = values.iter().zip(targets);
        match self {
            Self::SquaredError => {
                pairs.fold(T::zero(), |sum, (v, y)| sum + (*v - *y) * (*v - *y)) * T::of(0.5)
            }
            Self::CrossEntropy => {
                let (shift, total) = log_sum(values);
                pairs.fold(T::zero(), |sum, (v, y)| sum - *y * (*v - shift - total))
            }
        }
    }

    /// Visits (i, dC/dv_i) of one sample.
    pub fn for_each_slope<T: Real>(
        self,
        values: &[T],
        targets: &[T],
        mut visit: impl FnMut(usize, T),
    ) {
        match self {
            Self::SquaredError => (0..values.len()).for_each(|i| visit(i, values[i] - targets[i])),
            Self::CrossEntropy => {
                let (shift, total) = log_sum(values);
                (0..values.len())
                    .for_each(|i| visit(i, (values[i] - shift - total).exp() - targets[i]));
            }
        }
    }
}

/// The largest value, and the logarithm of the sum of exponentials above it.
fn log_sum<T: Real>(values: &[T]) -> (T, T) {
    let largest = values.iter().fold(-T::max_value().unwrap_or(T::one()), |m, v| m.max(*v));
    (largest, values.iter().fold(T::zero(), |sum, v| sum + (*v - largest).exp()).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let (values, targets, h) = ([0.3, -1.2, 2.0], [0.0, 1.0, 0.0], 1e-5);
        for cost in [Cost::SquaredError, Cost::CrossEntropy] {
            cost.for_each_slope(&values, &targets, |i, slope| {
                let at = |delta: f64| {
                    let mut moved = values;
                    moved[i] += delta;
                    cost.value(&moved, &targets)
                };
                assert!((slope - (at(h) - at(-h)) / (2.0 * h)).abs() < 1e-9, "{cost:?} {i}");
            });
        }
    }

    #[test]
    fn cross_entropy_of_large_values_is_finite() {
        assert!((Cost::CrossEntropy.value(&[1000.0_f32, 0.0], &[0.0, 1.0]) - 1000.0).abs() < 1e-3);
    }
}
