//! Unscaled shift, the main readout of arXiv 2606.13454: node m moved by an eighth of a turn, all
//! others as they are.
//!
//! ```text
//! shown at (v_m +- g) / sqrt 2:   sin(s_m +- pi/4) where v = sin s and g = cos s
//! difference of the two frames = 2 sqrt 2 xi_m g (o - xi_m v_m) + 2 v_m g,      2 N K frames
//! ```
//!
//! A quarter of it is the force of couplings W~ that are not those of the patterns: W / sqrt 2
//! between nodes and W_mm / 2 of a node with itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Shares, Wanted};

/// The readout `unscaled-shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnscaledShift {}

impl Readout for UnscaledShift {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: every node j shows xi_jk v_j, but node m shows xi_mk (v_m + h) / sqrt 2 in the\n\
             one and xi_mk (v_m - h) / sqrt 2 in the other; g = 1, or f'(u_m) where forces are those of gradient dynamics,\n\
             and h = min(g, sqrt 2 - |v_m|).\n\
             force on m = (1/K) sum_k lambda_k (I_up - I_down) (g / h) / 4: of W / sqrt 2 between nodes, W_mm / 2 of m itself"
    }

    fn shares(&self) -> Shares {
        Shares { others: 0.5f64.sqrt(), own: 0.5 }
    }

    fn stays_in_range(&self) -> bool {
        true
    }

    fn pair(&self, wanted: &Wanted) -> Option<Pair> {
        Some(Pair::eighth_turn(wanted, 1.0 / 4.0))
    }
}
