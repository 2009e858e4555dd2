//! A modulator that lags: what the panel shows, mask after mask, in the order of the frames.
//!
//! Every macro-pixel that a new mask changes is on its way: the one that a readout shifts, and all
//! those that differ from pattern to pattern. A frame is taken at the end of its time, which is that
//! of a frame and, where the laboratory waits, of the wait. Patterns that share a frame (wavelength
//! or focal-plane division) each have a part of the panel to themselves. Those of one after another
//! are gone through once, all nodes of a pattern before the next (in every direction of `spsa`
//! anew). A force begins where one like it ended: at its last pattern.
//!
//! Colours with the driven phases phi_1 and phi_2, arccos(a) and 2 pi - arccos(a) at rest, show the
//! value cos((phi_1 - phi_2) / 2 + pi), both ahead by (phi_1 + phi_2) / 2 - pi: 0 where rise and
//! fall take the same time.

use std::f64::consts::{PI, TAU};

use crate::coupler::spim::optics::exposure::Field;
use crate::coupler::spim::optics::light::Light;
use crate::coupler::spim::optics::{Optic, Path};
use crate::coupler::spim::{FrameWait, Multiplexing, SpimDevice};

/// What both colours of a macro-pixel are ahead by is nothing below this, radians.
const NO_TURN: f64 = 1e-12;

/// A panel on its way from mask to mask.
pub(super) struct Lag<'a> {
    /// The effects between one mask and the next.
    effects: Vec<&'a dyn Optic>,
    device: &'a SpimDevice,
    /// Macro-pixels of the nodes, and all with those of the reference.
    nodes: usize,
    all: usize,
    /// The driven phases of every pattern's mask as no node is shifted.
    bases: Vec<[f64; 2]>,
    /// The driven phases shown by each part of the panel that patterns have to themselves.
    shown: Vec<Vec<[f64; 2]>>,
    /// Frames that each part has shown of this force.
    taken: Vec<u64>,
    /// The pattern shown last.
    pattern: usize,
    asked: Vec<[f64; 2]>,
    values: Vec<f64>,
    turns: Vec<f64>,
}

/// The driven phases of a macro-pixel's colours that show `value`.
fn driven(value: f64) -> [f64; 2] {
    let angle = value.clamp(-1.0, 1.0).acos();
    [angle, TAU - angle]
}

impl<'a> Lag<'a> {
    /// The panel of `device` with `nodes` macro-pixels; nothing where every mask is shown at once.
    pub fn new(device: &'a SpimDevice, nodes: usize) -> Option<Self> {
        let mut effects = device.effects_on();
        effects.retain(|effect| !effect.followed_by(Path::Still, device));
        let parts = if device.frames.multiplexing == Multiplexing::Time {
            1
        } else {
            device.patterns.count
        };
        (!effects.is_empty()).then(|| Self {
            effects,
            device,
            nodes,
            all: nodes,
            bases: Vec::new(),
            shown: vec![Vec::new(); parts],
            taken: vec![0; parts],
            pattern: 0,
            asked: Vec::new(),
            values: Vec::new(),
            turns: Vec::new(),
        })
    }

    /// Begins a force of masks of these `values`, macro-pixels of nodes x patterns by column, with
    /// the `reference` beside each.
    pub fn begin(&mut self, values: &[f64], reference: &[f64]) {
        self.all = self.nodes + reference.len();
        self.bases.clear();
        for mask in values.chunks_exact(self.nodes.max(1)) {
            self.bases.extend(mask.iter().chain(reference).map(|value| driven(*value)));
        }
        let masks = self.bases.chunks_exact(self.all.max(1));
        let patterns = masks.len();
        let parts = self.shown.len();
        for (part, mask) in masks.skip(patterns.saturating_sub(parts)).enumerate() {
            self.shown[part].clear();
            self.shown[part].extend_from_slice(mask);
        }
        self.taken.fill(0);
        self.pattern = patterns.saturating_sub(1);
    }

    /// The zero order of pattern `k`'s mask with `changes` (macro-pixels and their values), one
    /// frame after the last.
    pub fn frame(
        &mut self,
        light: &Light,
        k: usize,
        changes: impl IntoIterator<Item = (usize, f64)>,
    ) -> Field {
        self.asked.clear();
        self.asked.extend_from_slice(&self.bases[k * self.all..(k + 1) * self.all]);
        for (at, value) in changes {
            self.asked[at] = driven(value);
        }
        let part = if self.shown.len() == 1 { 0 } else { k };
        let frames = &self.device.frames;
        let first = self.taken[part] == 0;
        let waits = match frames.wait_before {
            FrameWait::Force => first,
            FrameWait::Pattern => first || (part == 0 && k != self.pattern),
            FrameWait::Frame => true,
        };
        let wait = if waits { frames.settling_ms * 1e-3 } else { 0.0 };
        let seconds = 1.0 / frames.rate_hz + wait;
        (self.taken[part], self.pattern) = (self.taken[part] + 1, k);
        let shown = &mut self.shown[part];
        self.effects.iter().for_each(|effect| effect.settle(shown, &self.asked, seconds));
        self.values.clear();
        self.turns.clear();
        for [first, second] in shown {
            self.values.push(((*first - *second) / 2.0 + PI).cos());
            let turn = (*first + *second) / 2.0 - PI;
            self.turns.push(if turn.abs() < NO_TURN { 0.0 } else { turn });
        }
        light.with_reference(&self.values, &self.turns, self.nodes)
    }
}
