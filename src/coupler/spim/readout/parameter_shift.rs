//! Parameter shift (arXiv 2606.13454): node m at plus and minus its gain g.
//!
//! ```text
//! difference of the two frames = 4 xi_m g (o - xi_m v_m),      2 N K frames for N forces
//! ```
//!
//! Exact, whatever the size of the step; a node's coupling to itself drops out.

use serde::{Deserialize, Serialize};

use super::{Readout, Swing};

/// The readout `parameter-shift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterShift {}

impl Readout for ParameterShift {
    fn leaves_self_coupling_out(&self) -> bool {
        true
    }

    fn swing(&self, gain: f64) -> Option<Swing> {
        Some(Swing { value: gain, factor: 1.0 })
    }
}
