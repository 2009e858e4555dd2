//! Homodyne: a reference macro-pixel of amplitude c at phase 0 and pi beside the nodes.
//!
//! ```text
//! |o + c|^2 - |o - c|^2 = 4 c o,      2 K frames for all forces
//! ```
//!
//! The signed overlap, multiplied with the writers digitally.

use serde::{Deserialize, Serialize};

use super::Readout;
use super::frames::{Frames, Wanted};

/// The readout `homodyne`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Homodyne {}

/// The reference macro-pixel's amplitude, that of a typical overlap.
pub(in crate::coupler::spim) fn reference(nodes: f64) -> f64 {
    nodes.sqrt()
}

impl Readout for Homodyne {
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
        reference(nodes).powi(2)
    }

    fn error(&self, pair: f64, nodes: f64) -> f64 {
        pair / reference(nodes)
    }

    fn add_forces(&self, frames: &mut Frames, wanted: &[Wanted], forces: &mut [f64]) {
        let size = reference(frames.nodes() as f64);
        let mut before = -1.0;
        let overlaps: Vec<f64> = (0..frames.count())
            .map(|k| {
                let first = frames.shown(before, 1.0);
                let second = frames.shown(first, -1.0);
                before = second;
                frames.beside_reference(k, size, [first, second]) + frames.drawn()
            })
            .collect();
        for (Wanted { node, gain, .. }, force) in wanted.iter().zip(forces) {
            *force += gain * frames.project(*node, &overlaps);
        }
    }
}
