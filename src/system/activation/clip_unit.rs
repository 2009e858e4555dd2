//! A linear amplifier between rails at 0 and 1.

use super::Response;
use crate::arithmetic::Real;

pub(super) struct ClipUnit;

impl Response for ClipUnit {
    const FORMULA: &'static str = "u clipped to [0, 1]";

    fn value<T: Real>(u: T) -> T {
        u.clamp(T::zero(), T::one())
    }

    fn slope<T: Real>(u: T) -> T {
        if u > T::zero() && u < T::one() { T::one() } else { T::zero() }
    }

    fn curvature<T: Real>(_: T) -> T {
        T::zero()
    }
}
