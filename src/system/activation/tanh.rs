//! The hyperbolic tangent: the usual saturating amplifier.

use super::{AdditiveNodes, Response};
use crate::arithmetic::Real;
use crate::arithmetic::simd::vectorised;

pub(super) struct Tanh;

impl Response for Tanh {
    const FORMULA: &'static str = "tanh u";

    fn value<T: Real>(u: T) -> T {
        u.hyperbolic_tangent()
    }

    fn slope<T: Real>(u: T) -> T {
        let v = u.hyperbolic_tangent();
        T::one() - v * v
    }

    fn curvature<T: Real>(u: T) -> T {
        -T::of(2.0) * u.hyperbolic_tangent() * Self::slope(u)
    }

    fn values<T: Real>(states: &[T], values: &mut [T]) {
        tanh(states, values);
    }

    fn step<T: Real>(nodes: AdditiveNodes<T>, step: T) {
        tanh_step(nodes, step);
    }
}

vectorised! {
    fn tanh_step<T: Real>(nodes: AdditiveNodes<T>, step: T) {
        let (states, forces) = (nodes.state.iter_mut(), nodes.force.iter_mut());
        let moving = states.zip(nodes.shown).zip(forces.zip(nodes.constant));
        for ((state, shown), (force, constant)) in moving {
            *state += step * *force;
            *shown = state.hyperbolic_tangent();
            *force = *constant - *state;
        }
    }

    fn tanh<T: Real>(states: &[T], values: &mut [T]) {
        for (value, state) in values.iter_mut().zip(states) {
            *value = state.hyperbolic_tangent();
        }
    }
}
