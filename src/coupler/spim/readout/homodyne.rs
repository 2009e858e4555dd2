//! Homodyne: a reference macro-pixel of amplitude c at phase 0 and pi beside the nodes.
//!
//! ```text
//! |o + c|^2 - |o - c|^2 = 4 c o,      2 K frames for all forces
//! ```
//!
//! The signed overlap, multiplied with the writers digitally.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Readout;
use super::frames::{Frames, Wanted};
use crate::coupler::spim::optics::display::reference_wanted;

/// The readout `homodyne`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Homodyne {}

impl Readout for Homodyne {
    fn recipe(&self) -> &'static str {
        "For each pattern k two frames: every node j shows v^k_j v_j, and the reference beside them, of the amplitude c of\n\
             so many nodes in phase (manifest.json, reference_amplitude), phase 0 in the one and pi in the other.\n\
             o_k = (I_0 - I_pi) / (4 c);   force on m = g (1/K) sum_k lambda_k u^k_m o_k, worked out digitally; g = 1, or\n\
             f'(u_m) where forces are those of gradient dynamics"
    }

    fn needs_energy(&self) -> bool {
        false
    }

    fn reads_overlaps(&self) -> bool {
        true
    }

    fn pairs(&self, _: usize) -> u64 {
        1
    }

    fn beside(&self, nodes: f64) -> f64 {
        reference_wanted(nodes).powi(2)
    }

    fn error(&self, pair: f64, nodes: f64) -> f64 {
        pair / reference_wanted(nodes)
    }

    fn add_forces(&self, frames: &mut Frames, wanted: &[Wanted], forces: &mut [f64]) {
        let overlaps: Vec<f64> =
            (0..frames.count()).map(|k| frames.beside_reference(k) + frames.drawn()).collect();
        for (Wanted { node, gain, .. }, force) in wanted.iter().zip(forces) {
            *force += gain * frames.project(*node, &overlaps);
        }
    }
}
