//! Finite difference: node m at v_m +- h.
//!
//! ```text
//! difference of the two frames = 4 xi_m h o,      2 N K frames for N forces
//! ```
//!
//! Biased only where v +- h leaves [-1, 1].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Wanted};
use crate::quantity::range;

/// The readout `finite-difference`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FiniteDifference {
    /// The step h, in units of node values.
    #[serde(deserialize_with = "range::up_to_one")]
    pub step: f64,
}

impl Default for FiniteDifference {
    fn default() -> Self {
        Self { step: 0.5 }
    }
}

impl Readout for FiniteDifference {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: every node j shows xi_jk v_j, but node m shows xi_mk (v_m + h) in the one and\n\
             xi_mk (v_m - h) in the other, h the step of the readout; g = 1, or f'(u_m) where forces are those of gradient\n\
             dynamics.\n\
             force on m = (1/K) sum_k lambda_k (I_up - I_down) g / (4 h)"
    }

    fn error(&self, pair: f64, _: f64) -> f64 {
        pair / self.step
    }

    fn pair(&self, &Wanted { value, gain, .. }: &Wanted) -> Option<Pair> {
        let step = self.step;
        Some(Pair { up: value + step, down: value - step, scale: gain / (4.0 * step) })
    }
}
