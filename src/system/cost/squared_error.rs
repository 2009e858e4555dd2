//! C = 1/2 |v - y|^2.

use super::CostFunction;
use crate::arithmetic::Real;

pub(super) struct SquaredError;

impl CostFunction for SquaredError {
    fn value<T: Real>(values: &[T], targets: &[T]) -> T {
        let pairs = values.iter().zip(targets);
        pairs.fold(T::zero(), |sum, (v, y)| sum + (*v - *y) * (*v - *y)) * T::of(0.5)
    }

    fn for_each_slope<T: Real>(values: &[T], targets: &[T], mut visit: impl FnMut(usize, T)) {
        (0..values.len()).for_each(|i| visit(i, values[i] - targets[i]));
    }
}
