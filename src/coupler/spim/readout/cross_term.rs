//! Cross term: writer m at plus and minus its gain g beside the readers.
//!
//! ```text
//! |o + u_m g|^2 - |o - u_m g|^2 = 4 u_m g o,      2 N K frames for N forces
//! ```
//!
//! The only all-optical readout of couplings that are not reciprocal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Wanted};

/// The readout `cross-term`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossTerm {}

impl Readout for CrossTerm {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: the readers show v^k_j v_j, and beside them one macro-pixel, the writer of node\n\
             m, shows u^k_m g in the one and -u^k_m g in the other; g = 1, or f'(u_m) where forces are those of gradient\n\
             dynamics.\n\
             force on m = (1/K) sum_k lambda_k (I_up - I_down) / 4"
    }

    fn needs_energy(&self) -> bool {
        false
    }

    fn shows_writers(&self) -> bool {
        true
    }

    fn stays_in_range(&self) -> bool {
        true
    }

    fn pair(&self, wanted: &Wanted) -> Option<Pair> {
        Some(Pair { up: wanted.gain, down: -wanted.gain, scale: 0.25 })
    }
}
