//! C = -sum_i y_i ln softmax(v)_i, dC/dv = softmax(v) - y.

use super::CostFunction;
use crate::arithmetic::Real;

pub(super) struct CrossEntropy;

impl CostFunction for CrossEntropy {
    fn value<T: Real>(values: &[T], targets: &[T]) -> T {
        let (shift, total) = log_sum(values);
        let pairs = values.iter().zip(targets);
        pairs.fold(T::zero(), |sum, (v, y)| sum - *y * (*v - shift - total))
    }

    fn for_each_slope<T: Real>(values: &[T], targets: &[T], mut visit: impl FnMut(usize, T)) {
        let (shift, total) = log_sum(values);
        (0..values.len()).for_each(|i| visit(i, (values[i] - shift - total).exp() - targets[i]));
    }

    fn class_targets() -> Option<(f64, f64)> {
        Some((0.0, 1.0))
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
    fn large_values_have_a_finite_cost() {
        let cost = CrossEntropy::value(&[1000.0_f32, 0.0], &[0.0, 1.0]);
        assert!((cost - 1000.0).abs() < 1e-3);
    }
}
