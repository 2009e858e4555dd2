//! The sine of a phase, saturated a quarter turn from zero (arXiv 2606.13454).

use super::Response;
use crate::arithmetic::Real;
use crate::arithmetic::simd::vectorised;

pub(super) struct Sine;

impl Response for Sine {
    const FORMULA: &'static str = "sin u, u cut off at -pi/2 and pi/2";

    #[inline(always)]
    fn value<T: Real>(u: T) -> T {
        let raised = if u < -T::frac_pi_2() { -T::frac_pi_2() } else { u };
        (if raised > T::frac_pi_2() { T::frac_pi_2() } else { raised }).quarter_sine()
    }

    #[inline(always)]
    fn slope<T: Real>(u: T) -> T {
        if u.abs() < T::frac_pi_2() { u.quarter_cosine() } else { T::zero() }
    }

    fn curvature<T: Real>(u: T) -> T {
        if Self::slope(u) > T::zero() { -u.quarter_sine() } else { T::zero() }
    }

    fn values<T: Real>(states: &[T], values: &mut [T]) {
        sines(states, values);
    }

    fn slopes<T: Real>(states: &[T], slopes: &mut [T]) {
        cosines(states, slopes);
    }
}

vectorised! {
    fn sines<T: Real>(states: &[T], values: &mut [T]) {
        for (value, state) in values.iter_mut().zip(states) {
            *value = Sine::value(*state);
        }
    }

    fn cosines<T: Real>(states: &[T], slopes: &mut [T]) {
        for (slope, state) in slopes.iter_mut().zip(states) {
            *slope = Sine::slope(*state);
        }
    }
}
