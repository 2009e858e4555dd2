//! Forces from intensities.
//!
//! Let o_k be the overlap of pattern k with all node values v, and g the gain of a wanted node m
//! (its slope, or 1). Each readout takes differences of two frames of a pattern; summed over
//! patterns with weights lambda_k / K they give the force g (W v)_m. Bias: none of these is a small
//! step, because the energy is quadratic; where values leave [-1, 1] they are clipped.
//!
//! One readout a file, one line in the list below.

mod batched;
mod cross_term;
mod dense;
mod finite_difference;
mod frames;
mod homodyne;
mod lag;
mod parameter_shift;
mod quarter_shift;
mod signs;
mod spsa;
mod unscaled_shift;

use std::fmt::Debug;

pub use self::cross_term::CrossTerm;
pub use self::finite_difference::FiniteDifference;
pub use self::frames::{Frames, Pair, Wanted};
use super::optics::Path;
use super::{Spim, Tier};
use crate::Result;
use crate::arithmetic::{Real, ViewMut};
use crate::coupler::Read;
use crate::quantity::choice::choices;

pub use self::homodyne::Homodyne;
pub use self::parameter_shift::ParameterShift;
pub use self::quarter_shift::QuarterShift;
pub use self::spsa::Spsa;
pub use self::unscaled_shift::UnscaledShift;

/// What is read of the couplings W that patterns stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// The part of a coupling between two nodes.
    pub others: f64,
    /// The part of a node's coupling to itself.
    pub own: f64,
}

impl Shares {
    /// All of W.
    pub const ALL: Self = Self { others: 1.0, own: 1.0 };
}

/// A way to have forces from intensities.
pub trait Readout: Debug + Send + Sync {
    /// What a technician does for the force on a node, and what is made of the counts.
    fn recipe(&self) -> &'static str;

    /// Whether it measures the energy of one set of patterns, and so only reciprocal couplings.
    fn needs_energy(&self) -> bool {
        true
    }

    /// What it reads of the couplings.
    fn shares(&self) -> Shares {
        Shares::ALL
    }

    /// Whether the writers have macro-pixels of their own beside the readers'.
    fn shows_writers(&self) -> bool {
        false
    }

    /// Whether signed overlaps are read, against a reference beside the nodes, and multiplied with
    /// the writers digitally.
    fn reads_overlaps(&self) -> bool {
        false
    }

    /// The two values between which a wanted node's macro-pixel is moved while all others stay, if
    /// that is all that the readout does: its forces are then products with the patterns.
    fn pair(&self, wanted: &Wanted) -> Option<Pair> {
        let _ = wanted;
        None
    }

    /// Whether both values of every [`pair`](Self::pair) can be shown, or are made up for, where
    /// node values are in [-1, 1] and gains in [0, 1]: its forces are then products exactly.
    fn stays_in_range(&self) -> bool {
        false
    }

    /// The [`pair`](Self::pair) of each of `wanted`: of all of them or of none.
    fn pair_of_each(&self, wanted: &[Wanted], pairs: &mut Vec<Pair>) {
        pairs.clear();
        pairs.extend(wanted.iter().filter_map(|wanted| self.pair(wanted)));
    }

    /// Pairs of frames of one pattern for the forces on `wanted` nodes.
    fn pairs(&self, wanted: usize) -> u64 {
        wanted as u64
    }

    /// How often all patterns are gone through for the forces of one read.
    fn rounds(&self) -> u64 {
        1
    }

    /// The standard deviation of a force at gain 1, from that of a quarter of the difference of two
    /// frames, with `nodes` macro-pixels.
    fn error(&self, pair: f64, nodes: f64) -> f64 {
        let _ = nodes;
        pair
    }

    /// The squared field of what is moved in a pair of frames, beside that of `nodes` macro-pixels
    /// at rest: by default one macro-pixel.
    fn beside(&self, nodes: f64) -> f64 {
        let _ = nodes;
        1.0
    }

    /// The readout that gives the mean of what this one draws at random; none where it draws
    /// nothing.
    fn mean(&self) -> Option<ReadoutChoice> {
        None
    }

    /// A factor on every value that is shown.
    fn dimming(&self) -> f64 {
        1.0
    }

    /// Adds the forces on the `wanted` nodes, their gains in them, to `forces`; by default node by
    /// node, each at the two values of its [`pair`](Self::pair).
    fn add_forces(&self, frames: &mut Frames, wanted: &[Wanted], forces: &mut [f64]) {
        frames::shift_each(frames, wanted, forces, |wanted| self.pair(wanted).unwrap_or_default());
    }
}

choices! {
    /// The readout of a device: `readout = "homodyne"`, or with numbers of its own the table
    /// `[device.spim.readout.spsa]`.
    pub enum ReadoutChoice as dyn Readout, with schema {
        /// Two frames a node and pattern, the node at plus and minus its slope.
        "parameter-shift" => ParameterShift(ParameterShift),
        /// The same with the node shifted by a quarter turn and all others dimmed.
        "quarter-shift" => QuarterShift(QuarterShift),
        /// The same with the others as they are: couplings smaller by sqrt 2, half of a node's own.
        "unscaled-shift" => UnscaledShift(UnscaledShift),
        /// Two frames a node and pattern, the node's value a step up and a step down.
        "finite-difference" => FiniteDifference(FiniteDifference),
        /// Two frames a pattern, with a reference macro-pixel at phase 0 and pi: the signed
        /// overlap.
        "homodyne" => Homodyne(Homodyne),
        /// Two frames a node and pattern, one writer macro-pixel beside the readers.
        "cross-term" => CrossTerm(CrossTerm),
        /// Two frames a pattern and random direction, all nodes moved at once.
        "spsa" => Spsa(Spsa),
    }
}

impl Default for ReadoutChoice {
    fn default() -> Self {
        ParameterShift::default().into()
    }
}

impl ReadoutChoice {
    /// The names of readouts of couplings that are not reciprocal, in words.
    pub fn of_any_coupling() -> String {
        let all = Self::all();
        let names = all.iter().filter(|readout| !readout.get().needs_energy());
        names.map(|readout| format!("\"{}\"", readout.name())).collect::<Vec<_>>().join(" or ")
    }
}

/// Adds `gain * (W v)` of the wanted nodes to `currents`.
///
/// # Errors
/// When the laboratory fails.
pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    mut currents: ViewMut<T>,
    scratch: &mut Vec<T>,
) -> Result<()> {
    if spim.is_dense {
        dense::read(spim, read, currents, scratch);
    } else if spim.bench.is_some() || !batched::read(spim, read, &mut currents) {
        return frames::read(spim, read, currents);
    }
    Ok(())
}

/// Whether a force is a product with W through the gauge's fields, plus a normal deviate; or, read
/// against a reference, whether each overlap is such a product, seen by a camera of one pixel.
pub(super) fn is_dense(device: &super::SpimDevice) -> bool {
    let readout = device.readout.get();
    device.tier() == Tier::Analytic
        && (readout.reads_overlaps() || readout.pair(&Wanted::default()).is_some())
        && device.follows(Path::Overlaps)
}

/// What is missing of a node's coupling to itself in what the readout gives; none where nothing is.
fn missing_share<T: Real>(spim: &Spim<T>) -> Option<T> {
    let [wanted, read] =
        [spim.device.couplings().own, spim.device.readout.get().shares().own].map(T::of);
    (wanted != read && !spim.self_coupling.is_empty()).then(|| wanted - read)
}

/// The standard deviation of a force's error at gain 1, from light, camera and the rounding of
/// phases.
pub(super) fn resolution<T: Real>(spim: &Spim<T>) -> f64 {
    let (device, side) = (&spim.device, &spim.sides[0]);
    let (nodes, sight) = (side.nodes as f64, spim.sight(0));
    let total = sight.light;
    // Node values spread evenly over [-1, 1], and what is moved beside them.
    let readers = &spim.shown.readers;
    let square = readers.norm_squared().f64() / readers.len().max(1) as f64;
    let typical = (nodes * square / 3.0 + device.readout.get().beside(nodes)) / (total * total);
    let on = device.effects_on();
    let frame = on.iter().rev().fold(side.detector.resolution(typical), |error, effect| {
        error.hypot(effect.frame_error(typical, &sight))
    });
    let pair = frame * 2f64.sqrt() * total * total / 4.0;
    let overlap = on.iter().fold(0.0f64, |error, effect| error.hypot(effect.overlap_error(&sight)));
    device.readout.get().error(pair, nodes).hypot(overlap)
        * spim.shown.weights.norm().f64()
        * spim.shown.inverse_count().f64()
        * side.light.brightening()
}
