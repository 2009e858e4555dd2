//! Cross term: writer m at plus and minus its gain g beside the readers.
//!
//! ```text
//! |o + u_m g|^2 - |o - u_m g|^2 = 4 u_m g o,      2 N K frames for N forces
//! ```
//!
//! The only all-optical readout of couplings that are not reciprocal.

use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Wanted};

/// The readout `cross-term`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossTerm {}

impl Readout for CrossTerm {
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
