//! The sine of a phase, saturated a quarter turn from zero (arXiv 2606.13454).

use super::Response;
use crate::arithmetic::Real;

pub(super) struct Sine;

impl Response for Sine {
    fn value<T: Real>(u: T) -> T {
        u.clamp(-T::frac_pi_2(), T::frac_pi_2()).sin()
    }

    fn slope<T: Real>(u: T) -> T {
        if u > -T::frac_pi_2() && u < T::frac_pi_2() { u.cos() } else { T::zero() }
    }

    fn curvature<T: Real>(u: T) -> T {
        if Self::slope(u) > T::zero() { -u.sin() } else { T::zero() }
    }
}
