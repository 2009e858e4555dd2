//! Nodes: what a state does, and what it shows of itself.

use serde::{Deserialize, Serialize};

use crate::arithmetic::real::Real;
use crate::arithmetic::simd::{self, vectorised};

/// The response v = f(u) of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// tanh u.
    Tanh,
    /// 1 / (1 + e^-u).
    Logistic,
    /// u clipped to [-1, 1].
    Clip,
    /// u clipped to [0, 1].
    ClipUnit,
    /// sin u, saturated at +-pi/2.
    Sine,
    /// ln(1 + e^u).
    Softplus,
    /// u.
    Identity,
}

impl Activation {
    /// f(u).
    pub fn value<T: Real>(self, u: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        match self {
            Self::Tanh => u.hyperbolic_tangent(),
            Self::Logistic => one / (one + (-u).exp()),
            Self::Clip => u.clamp(-one, one),
            Self::ClipUnit => u.clamp(zero, one),
            Self::Sine => u.clamp(-T::frac_pi_2(), T::frac_pi_2()).sin(),
            Self::Softplus => u.max(zero) + (-u.abs()).exp().ln_1p(),
            Self::Identity => u,
        }
    }

    /// f'(u); 0 on a rail, where a node cannot move.
    pub fn slope<T: Real>(self, u: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        let inside = |low: T, high: T, slope: T| if u > low && u < high { slope } else { zero };
        match self {
            Self::Tanh => {
                let v = u.hyperbolic_tangent();
                one - v * v
            }
            Self::Logistic => {
                let v = self.value(u);
                v * (one - v)
            }
            Self::Clip => inside(-one, one, one),
            Self::ClipUnit => inside(zero, one, one),
            Self::Sine => inside(-T::frac_pi_2(), T::frac_pi_2(), u.cos()),
            Self::Softplus => Self::Logistic.value(u),
            Self::Identity => one,
        }
    }

    /// f(u) of many states.
    pub fn values<T: Real>(self, states: &[T], values: &mut [T]) {
        match self {
            Self::Tanh => tanh(states, values),
            _ => {
                values.iter_mut().zip(states).for_each(|(value, state)| *value = self.value(*state))
            }
        }
    }

    /// f'(u) of many states.
    pub fn slopes<T: Real>(self, states: &[T], slopes: &mut [T]) {
        slopes.iter_mut().zip(states).for_each(|(slope, state)| *slope = self.slope(*state));
    }

    /// One step of additive nodes along their forces: u <- u + step force, v <- f(u), and the force
    /// that awaits the couplings' currents, held - u.
    pub(super) fn step<T: Real>(self, nodes: AdditiveNodes<T>, step: T) {
        if self == Self::Tanh {
            return tanh_step(nodes, step);
        }
        simd::add_scaled(nodes.state, step, nodes.force);
        self.values(nodes.state, nodes.shown);
        nodes.force.copy_from_slice(nodes.held);
        simd::add_scaled(nodes.force, -T::one(), nodes.state);
    }

    /// f''(u).
    pub fn curvature<T: Real>(self, u: T) -> T {
        let (two, slope) = (T::of(2.0), self.slope(u));
        match self {
            Self::Tanh => -two * u.hyperbolic_tangent() * slope,
            Self::Logistic => slope * (T::one() - two * self.value(u)),
            Self::Clip | Self::ClipUnit | Self::Identity => T::zero(),
            Self::Sine => {
                if slope > T::zero() {
                    -u.sin()
                } else {
                    T::zero()
                }
            }
            Self::Softplus => Self::Logistic.slope(u),
        }
    }
}

/// Additive nodes of one sample.
pub(super) struct AdditiveNodes<'a, T> {
    /// u.
    pub state: &'a mut [T],
    /// v = f(u).
    pub shown: &'a mut [T],
    /// The force on u.
    pub force: &'a mut [T],
    /// Constant currents.
    pub held: &'a [T],
}

vectorised! {
    fn tanh_step<T: Real>(nodes: AdditiveNodes<T>, step: T) {
        let moving = nodes.state.iter_mut().zip(nodes.shown).zip(nodes.force.iter_mut().zip(nodes.held));
        for ((state, shown), (force, held)) in moving {
            *state += step * *force;
            *shown = state.hyperbolic_tangent();
            *force = *held - *state;
        }
    }

    fn tanh<T: Real>(states: &[T], values: &mut [T]) {
        for (value, state) in values.iter_mut().zip(states) {
            *value = state.hyperbolic_tangent();
        }
    }
}

/// How a node's state moves under the currents I that reach it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dynamics {
    /// tau du/dt = -u + I, seen and coupled as v = f(u) (Hopfield 1984,
    /// doi:10.1073/pnas.81.10.3088).
    Additive,
    /// tau ds/dt = -leak s + f'(s) I, seen as s and coupled as f(s) (arXiv 2606.13454).
    Gradient {
        /// The leak, per time constant.
        leak: f64,
    },
}

impl Dynamics {
    /// The coefficient of the state in its own force.
    pub fn leak<T: Real>(self) -> T {
        match self {
            Self::Additive => T::one(),
            Self::Gradient { leak } => T::of(leak),
        }
    }

    /// Whether currents act through the node's slope.
    pub fn is_gradient(self) -> bool {
        matches!(self, Self::Gradient { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        let h = 1e-5;
        for activation in [
            Activation::Tanh,
            Activation::Logistic,
            Activation::Clip,
            Activation::ClipUnit,
            Activation::Sine,
            Activation::Softplus,
            Activation::Identity,
        ] {
            for i in -30..=30 {
                let u = 0.1 * f64::from(i) + 0.031; // never on a kink
                let slope = (activation.value(u + h) - activation.value(u - h)) / (2.0 * h);
                let curvature = (activation.slope(u + h) - activation.slope(u - h)) / (2.0 * h);
                assert!((activation.slope(u) - slope).abs() < 1e-9, "{activation:?} slope at {u}");
                assert!(
                    (activation.curvature(u) - curvature).abs() < 1e-9,
                    "{activation:?} curvature at {u}"
                );
            }
        }
    }

    #[test]
    fn softplus_neither_overflows_nor_vanishes() {
        assert_eq!(Activation::Softplus.value(800.0_f64), 800.0);
        assert!((Activation::Softplus.value(-30.0_f64) / (-30.0_f64).exp() - 1.0).abs() < 1e-12);
    }
}
