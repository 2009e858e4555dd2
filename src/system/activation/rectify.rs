//! A rectifier: what conducts one way only. Its rail at 1 is [`ClipUnit`](super::clip_unit::ClipUnit)'s.

use super::Response;
use crate::arithmetic::Real;

pub(super) struct Rectify;

impl Response for Rectify {
    const FORMULA: &'static str = "max(u, 0)";

    fn value<T: Real>(u: T) -> T {
        u.max(T::zero())
    }

    fn slope<T: Real>(u: T) -> T {
        if u > T::zero() { T::one() } else { T::zero() }
    }

    fn curvature<T: Real>(_: T) -> T {
        T::zero()
    }
}
