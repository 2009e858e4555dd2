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

    fn pair(&self, &Wanted { value, gain, .. }: &Wanted) -> Option<Pair> {
        // Both values must be on the circle: |v| + h <= sqrt 2.
        let h = gain.min(2f64.sqrt() - value.abs());
        let part = if h > 0.0 { gain / h } else { 1.0 };
        let [up, down] = [value + h, value - h].map(|value| value * 0.5f64.sqrt());
        Some(Pair { up, down, scale: part / 2.0 })
    }
}
