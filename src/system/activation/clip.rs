//! A linear amplifier between rails at -1 and 1.

use super::Response;
use crate::arithmetic::Real;

pub(super) struct Clip;

impl Response for Clip {
    const FORMULA: &'static str = "u clipped to [-1, 1]";

    fn value<T: Real>(u: T) -> T {
        u.clamp(-T::one(), T::one())
    }

    fn slope<T: Real>(u: T) -> T {
        if u > -T::one() && u < T::one() { T::one() } else { T::zero() }
    }

    fn curvature<T: Real>(_: T) -> T {
        T::zero()
    }
}
