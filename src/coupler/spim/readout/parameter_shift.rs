//! Parameter shift (arXiv 2606.13454): node m at plus and minus its gain g.
//!
//! ```text
//! difference of the two frames = 4 xi_m g (o - xi_m v_m),      2 N K frames for N forces
//! ```
//!
//! Exact, whatever the size of the step; a node's coupling to itself drops out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Shares, Wanted};

/// The readout `parameter-shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterShift {}

impl Readout for ParameterShift {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: every node j shows xi_jk v_j, but node m shows xi_mk g in the one and\n\
             -xi_mk g in the other; g = 1, or f'(u_m) where forces are those of gradient dynamics.\n\
             force on m = (1/K) sum_k lambda_k (I_up - I_down) / 4"
    }

    fn shares(&self) -> Shares {
        Shares { others: 1.0, own: 0.0 }
    }

    fn stays_in_range(&self) -> bool {
        true
    }

    fn pair(&self, wanted: &Wanted) -> Option<Pair> {
        Some(Pair { up: wanted.gain, down: -wanted.gain, scale: 0.25 })
    }
}
