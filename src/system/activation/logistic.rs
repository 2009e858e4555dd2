//! The logistic function: an amplifier that saturates at 0 and 1.

use super::Response;
use crate::arithmetic::Real;

pub(super) struct Logistic;

impl Response for Logistic {
    const FORMULA: &'static str = "1 / (1 + exp(-u))";

    fn value<T: Real>(u: T) -> T {
        T::one() / (T::one() + (-u).exp())
    }

    fn slope<T: Real>(u: T) -> T {
        let v = Self::value(u);
        v * (T::one() - v)
    }

    fn curvature<T: Real>(u: T) -> T {
        Self::slope(u) * (T::one() - T::of(2.0) * Self::value(u))
    }
}
