//! Forces from intensities.
//!
//! Let o_k be the overlap of pattern k with all node values v, and g the gain of a wanted node m
//! (its slope, or 1). Each readout takes differences of two frames of a pattern; summed over
//! patterns with weights lambda_k / K they give the force g (W v)_m:
//!
//! | readout | the two frames | difference | frames a force |
//! |---|---|---|---|
//! | parameter shift (arXiv 2606.13454) | node m at +-g | 4 xi_m g (o - xi_m v_m) | 2 N K |
//! | quarter shift | node m at (v_m +- g)/sqrt 2, others / sqrt 2 | 2 xi_m g o | 2 N K |
//! | finite difference | node m at v_m +- h | 4 xi_m h o | 2 N K |
//! | homodyne | a reference c at phase 0 and pi | 4 c o | 2 K |
//! | cross term | writer m at +-g beside the readers | 4 u_m g o | 2 N K |
//! | SPSA | all nodes at v +- h Delta, Delta random signs | 4 h sum_n Delta_n xi_n o | 2 K a direction |
//!
//! Parameter shift leaves a node's coupling to itself out, exactly; all others have it in. What is
//! wanted otherwise is added or taken off digitally. Bias: none of these is a small step, because
//! the energy is quadratic; finite difference and SPSA are biased only where v +- h leaves [-1, 1]
//! and is clipped. SPSA's other nodes add noise of mean 0.

mod dense;
mod frames;

use super::optics::gauge::phase_rounding;
use super::{Light, Readout, SelfCoupling, Spim, SpimDevice, Tier};
use crate::arithmetic::real::{Real, ViewMut};
use crate::coupler::Read;

/// Adds `gain * (W v)` of the wanted nodes to `currents`.
pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    currents: ViewMut<T>,
    scratch: &mut Vec<T>,
) {
    if is_dense(spim) {
        dense::read(spim, read, currents, scratch)
    } else {
        frames::read(spim, read, currents)
    }
}

/// Whether a force is a product with W through the gauge's fields, plus a normal deviate; or, read
/// against a reference, whether each overlap is such a product, seen by a camera of one pixel.
fn is_dense<T: Real>(spim: &Spim<T>) -> bool {
    let device = &spim.device;
    let shifts =
        matches!(device.readout, Readout::ParameterShift | Readout::CrossTerm | Readout::Homodyne);
    let seen_at_once = spim.cameras[0].is_linear()
        || (device.readout == Readout::Homodyne && spim.cameras[0].takes_all_at_once());
    let noise = spim.cameras[0].is_exact() || (seen_at_once && !device.per_frame_noise);
    let still = device.laser_noise == 0.0
        && spim.settling.is_immediate()
        && spim.drift.offset_px == [0.0; 2];
    device.tier == Tier::Analytic
        && shifts
        && noise
        && still
        && spim.patterns_commute_with_encoding()
}

/// Frames of one pattern for the forces on `wanted` nodes.
pub(super) fn frames_per_pattern(device: &SpimDevice, wanted: usize) -> u64 {
    2 * match device.readout {
        Readout::Homodyne => 1,
        Readout::Spsa => device.spsa_directions as u64,
        _ => wanted as u64,
    }
}

/// The part of a node's current that its coupling to itself makes, to be added to what the readout
/// gives.
fn own_current<T: Real>(spim: &Spim<T>, node: usize, value: impl Fn(usize) -> T) -> T {
    let left_out = spim.device.readout == Readout::ParameterShift;
    match (spim.self_coupling.get(node), spim.device.self_coupling) {
        (Some(own), SelfCoupling::Kept) if left_out => *own * value(node),
        (Some(own), SelfCoupling::Removed) if !left_out => -*own * value(node),
        _ => T::zero(),
    }
}

/// The reference macro-pixel's amplitude, that of a typical overlap.
pub(super) fn reference(nodes: f64) -> f64 {
    nodes.sqrt()
}

/// Nodes of the aperture when inputs are driven.
fn aperture<T: Real>(spim: &Spim<T>) -> usize {
    let (inputs, outputs) = (spim.shown.readers.nrows(), spim.shown.writers().nrows());
    if spim.device.readout == Readout::CrossTerm { inputs + outputs } else { inputs }
}

/// The standard deviation of a force's error at gain 1, from light, camera and the rounding of
/// phases.
pub(super) fn resolution<T: Real>(spim: &Spim<T>) -> f64 {
    let (device, light): (_, &Light) = (&spim.device, &spim.lights[0]);
    let nodes = aperture(spim) as f64;
    let total = device.field_in_phase(aperture(spim));
    // A typical overlap is sqrt(nodes).
    let typical = nodes / (total * total);
    let speckle = spim.flicker.pixel_rad * (2.0 * typical * light.power()).sqrt() / total;
    let frame = spim.cameras[0].resolution().hypot(device.laser_noise * typical).hypot(speckle);
    let step = device.probe_step;
    let pair = frame * 2f64.sqrt() * total * total / 4.0;
    let overlap = match device.readout {
        Readout::ParameterShift | Readout::CrossTerm => pair,
        Readout::QuarterShift => 2.0 * pair,
        Readout::FiniteDifference => pair / step,
        Readout::Homodyne => pair / reference(nodes),
        Readout::Spsa => (pair / step).hypot(nodes) / (device.spsa_directions as f64).sqrt(),
    };
    let rounding = phase_rounding(device.phase_bits) * nodes.sqrt();
    overlap.hypot(rounding)
        * spim.shown.weights.norm().f64()
        * spim.shown.inverse_count().f64()
        * light.brightening()
}
