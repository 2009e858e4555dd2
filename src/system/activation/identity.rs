//! No response of its own: a linear node.

use super::Response;
use crate::arithmetic::Real;

pub(super) struct Identity;

impl Response for Identity {
    const FORMULA: &'static str = "u";

    fn value<T: Real>(u: T) -> T {
        u
    }

    fn slope<T: Real>(_: T) -> T {
        T::one()
    }

    fn curvature<T: Real>(_: T) -> T {
        T::zero()
    }
}
