//! Dynamics: how a node's state moves under the currents that reach it.

use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;

/// How a node's state moves under the currents I that reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dynamics {
    /// tau du/dt = -u + I, seen and coupled as v = f(u) (Hopfield 1984,
    /// doi:10.1073/pnas.81.10.3088).
    #[default]
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
