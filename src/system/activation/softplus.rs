//! A smooth rectifier.

use super::Response;
use super::logistic::Logistic;
use crate::arithmetic::Real;

pub(super) struct Softplus;

impl Response for Softplus {
    const FORMULA: &'static str = "ln(1 + exp(u))";

    fn value<T: Real>(u: T) -> T {
        u.max(T::zero()) + (-u.abs()).exp().ln_1p()
    }

    fn slope<T: Real>(u: T) -> T {
        Logistic::value(u)
    }

    fn curvature<T: Real>(u: T) -> T {
        Logistic::slope(u)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_overflows_nor_vanishes() {
        assert_eq!(Softplus::value(800.0_f64), 800.0);
        assert!((Softplus::value(-30.0_f64) / (-30.0_f64).exp() - 1.0).abs() < 1e-12);
    }
}
