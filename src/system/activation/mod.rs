//! Activations: the response v = f(u) of a node.
//!
//! One a file. Whoever adds one writes its f, f' and f'' and adds a line to the list below.

mod clip;
mod clip_unit;
mod identity;
mod logistic;
mod rectify;
mod sine;
mod softplus;
mod tanh;

use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::simd;

/// The response of a node, at single states and, where there is a faster way, at many.
trait Response {
    /// f(u), in words for a technician.
    const FORMULA: &'static str;

    /// f(u).
    fn value<T: Real>(u: T) -> T;

    /// f'(u); 0 on a rail, where a node cannot move.
    fn slope<T: Real>(u: T) -> T;

    /// f''(u).
    fn curvature<T: Real>(u: T) -> T;

    /// f(u) of many states.
    fn values<T: Real>(states: &[T], values: &mut [T]) {
        values.iter_mut().zip(states).for_each(|(value, state)| *value = Self::value(*state));
    }

    /// f'(u) of many states.
    fn slopes<T: Real>(states: &[T], slopes: &mut [T]) {
        slopes.iter_mut().zip(states).for_each(|(slope, state)| *slope = Self::slope(*state));
    }

    /// One step of additive nodes along their forces: u <- u + step force, v <- f(u), and the force
    /// that awaits the couplings' currents, constant - u.
    fn step<T: Real>(nodes: AdditiveNodes<T>, step: T) {
        simd::add_scaled(nodes.state, step, nodes.force);
        Self::values(nodes.state, nodes.shown);
        nodes.force.copy_from_slice(nodes.constant);
        simd::add_scaled(nodes.force, -T::one(), nodes.state);
    }
}

/// Additive nodes of one sample or of many.
pub(super) struct AdditiveNodes<'a, T> {
    /// u.
    pub state: &'a mut [T],
    /// v = f(u).
    pub shown: &'a mut [T],
    /// The force on u.
    pub force: &'a mut [T],
    /// Constant currents.
    pub constant: &'a [T],
}

macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident in $file:ident,)+) => {
        /// The response v = f(u) of a node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Activation {
            $($(#[$doc])* $name,)+
        }

        impl Activation {
            /// Every activation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// f(u) in words, such as "u clipped to [-1, 1]".
            pub fn formula(self) -> &'static str {
                match self { $(Self::$name => $file::$name::FORMULA,)+ }
            }

            /// f(u).
            pub fn value<T: Real>(self, u: T) -> T {
                match self { $(Self::$name => $file::$name::value(u),)+ }
            }

            /// f'(u); 0 on a rail, where a node cannot move.
            pub fn slope<T: Real>(self, u: T) -> T {
                match self { $(Self::$name => $file::$name::slope(u),)+ }
            }

            /// f''(u).
            pub fn curvature<T: Real>(self, u: T) -> T {
                match self { $(Self::$name => $file::$name::curvature(u),)+ }
            }

            /// f(u) of many states.
            pub fn values<T: Real>(self, states: &[T], values: &mut [T]) {
                match self { $(Self::$name => $file::$name::values(states, values),)+ }
            }

            /// f'(u) of many states.
            pub fn slopes<T: Real>(self, states: &[T], slopes: &mut [T]) {
                match self { $(Self::$name => $file::$name::slopes(states, slopes),)+ }
            }

            /// One step of additive nodes along their forces.
            pub(super) fn step<T: Real>(self, nodes: AdditiveNodes<T>, step: T) {
                match self { $(Self::$name => $file::$name::step(nodes, step),)+ }
            }
        }
    };
}

activations! {
    /// tanh u.
    Tanh in tanh,
    /// 1 / (1 + e^-u).
    Logistic in logistic,
    /// u clipped to [-1, 1].
    Clip in clip,
    /// u clipped to [0, 1].
    ClipUnit in clip_unit,
    /// max(u, 0), without a rail above: ReLU. With one at 1 it is `clip-unit`.
    Rectify in rectify,
    /// sin u, saturated at +-pi/2.
    Sine in sine,
    /// ln(1 + e^u).
    Softplus in softplus,
    /// u.
    Identity in identity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        let h = 1e-5;
        for &activation in Activation::ALL {
            for i in -30..=30 {
                let u = 0.1 * f64::from(i) + 0.031; // never on a kink
                let slope = (activation.value(u + h) - activation.value(u - h)) / (2.0 * h);
                let curvature = (activation.slope(u + h) - activation.slope(u - h)) / (2.0 * h);
                assert!((activation.slope(u) - slope).abs() < 1e-9, "{activation:?} at {u}");
                assert!(
                    (activation.curvature(u) - curvature).abs() < 1e-9,
                    "{activation:?} at {u}"
                );
            }
        }
    }

    #[test]
    fn many_states_step_as_one() {
        for &activation in Activation::ALL {
            let start: Vec<f64> = (0..40).map(|i| 0.17 * f64::from(i) - 3.1).collect();
            let (mut state, mut shown) = (start.clone(), start.clone());
            let mut force: Vec<f64> = start.iter().map(|u| u.cos()).collect();
            let before = force.clone();
            let (state_of, shown_of) = (&mut state[..], &mut shown[..]);
            let nodes = AdditiveNodes {
                state: state_of,
                shown: shown_of,
                force: &mut force,
                constant: &start,
            };
            activation.step(nodes, 0.5);
            for (i, u) in start.iter().enumerate() {
                let moved = u + 0.5 * before[i];
                assert_eq!((state[i], force[i]), (moved, u - moved), "{activation:?}");
                assert_eq!(shown[i], activation.value(moved), "{activation:?}");
            }
        }
    }
}
