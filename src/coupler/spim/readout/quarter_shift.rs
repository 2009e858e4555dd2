//! Quarter shift: node m at (v_m +- g) / sqrt 2, a quarter turn apart, all others dimmed by sqrt 2.
//!
//! ```text
//! difference of the two frames = 2 xi_m g o,      2 N K frames for N forces
//! ```
//!
//! A node's coupling to itself stays in.

use serde::{Deserialize, Serialize};

use super::{Pair, Readout, Wanted};

/// The readout `quarter-shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarterShift {}

impl Readout for QuarterShift {
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
