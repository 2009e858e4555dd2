//! Quarter shift: node m at (v_m +- g) / sqrt 2, a quarter turn apart, all others dimmed by sqrt 2.
//!
//! ```text
//! difference of the two frames = 2 xi_m g o,      2 N K frames for N forces
//! ```
//!
//! A node's coupling to itself stays in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Wanted};

/// The readout `quarter-shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarterShift {}

impl Readout for QuarterShift {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: every node j shows xi_jk v_j / sqrt 2, but node m shows xi_mk (v_m + h) / sqrt 2\n\
             in the one and xi_mk (v_m - h) / sqrt 2 in the other; g = 1, or f'(u_m) where forces are those of gradient\n\
             dynamics, and h = min(g, sqrt 2 - |v_m|).\n\
             force on m = (1/K) sum_k lambda_k (I_up - I_down) (g / h) / 2"
    }

    fn dimming(&self) -> f64 {
        0.5f64.sqrt()
    }

    fn error(&self, pair: f64, _: f64) -> f64 {
        2.0 * pair
    }

    fn stays_in_range(&self) -> bool {
        true
    }

    fn pair(&self, wanted: &Wanted) -> Option<Pair> {
        Some(Pair::eighth_turn(wanted, 1.0 / 2.0))
    }
}
