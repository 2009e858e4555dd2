//! Rest: what counts as a steady state. A small force is not enough.
//!
//! - A machine without noise is looked at twice. Forces must be within the tolerance and no larger
//!   than a step before: what moves away slowly is not at rest. Where couplings close a loop, a
//!   resting point of the free phase can be unstable; its nodes are then pushed a little, and must
//!   come back: of what the push made of them, nothing may grow after [`LOOK`] time constants.
//!   A sample that does not stay relaxes on from there.
//! - A machine with noise never reaches a small tolerance: it uses all its steps, and where it has
//!   loops, what its nodes show in the last quarter of them is watched. Its spread may be
//!   [`MARGIN`] times what noise makes of it (a largest of thousands, noise passed on by other
//!   nodes), but never more than that of values anywhere in a node's range: a cycle is no steady
//!   state, however loud the noise.
//! - A phase of so many steps and no longer is not looked at: at rest are the samples whose forces
//!   were within the tolerance, the others are truncated.

use super::super::Network;
use super::super::lane::Lane;
use super::super::task::Task;
use super::Relaxer;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::system::{Resolution, Start};

/// Time constants after a push at which it must be shrinking.
const LOOK: f64 = 2.0;

/// How many standard deviations of a read, or of what it does to a node, may show at rest.
const MARGIN: f64 = Resolution::MARGIN;

/// The spread of values anywhere in a range of half width 1: 1 / sqrt 3.
const ANYWHERE: f64 = 0.577;

/// What is left of a push that is too little to tell.
const TRACE: f64 = 1e-3;

/// Whether a noisy machine could run in a circle: without a loop it cannot, and is where noise
/// leaves it.
fn is_watched<T: Real>(network: &Network<T>, task: &Task<T>) -> bool {
    let loops = network.has_loops || task.model.is_some();
    network.resolution > 0.0 && loops && task.truncated_after(network).is_none()
}

/// Begins to watch the samples of a lane, if the machine is noisy and has loops.
pub fn begin_watch<T: Real>(network: &Network<T>, lane: &mut Lane<T>, task: &Task<T>) {
    let numbers = if is_watched(network, task) { lane.active * network.nodes } else { 0 };
    lane.watch.begin(numbers);
}

/// Notes what the active samples that are watched show at step `time`.
pub fn watch<T: Real>(network: &Network<T>, lane: &mut Lane<T>, task: &Task<T>, time: usize) {
    let most = network.relaxation().max_steps;
    let from = most - (most / 4).max(4).min(most);
    if time >= from && is_watched(network, task) {
        let shared = network.shared_inputs;
        lane.watch.note(lane.coupled.view((shared, 0), (network.nodes, lane.active)));
    }
}

/// Whether what the sample in `column` showed is within what noise explains.
fn is_quiet<T: Real>(network: &Network<T>, lane: &Lane<T>, column: usize) -> bool {
    let (relaxation, at) = (network.relaxation(), column * network.nodes);
    // Of forces with independent errors, a node keeps this part: x <- (1 - h) x + h noise.
    let kept = (relaxation.step / (2.0 - relaxation.step)).sqrt();
    let explained = relaxation.tolerance + MARGIN * network.resolution * kept;
    network.responses().all(|(rows, activation)| {
        let range = 0.5 * (activation.value(1e3f64) - activation.value(-1e3f64));
        let limit = explained.min(relaxation.tolerance + ANYWHERE * range);
        rows.into_iter().all(|node| lane.watch.variance(at + node) <= limit * limit)
    })
}

/// Says which samples of a lane are at rest, after their last step.
pub fn at_rest<T: Real>(network: &Network<T>, lane: &Lane<T>, task: &Task<T>) -> Vec<bool> {
    let tolerance = network.relaxation().tolerance;
    if task.truncated_after(network).is_some() {
        return lane.residual.iter().map(|residual| residual.f64() <= tolerance).collect();
    }
    let explained = tolerance + MARGIN * network.resolution / task.smallest_signal();
    let each = lane.residual.iter().enumerate();
    each.map(|(column, residual)| {
        let residual = residual.f64();
        let quiet = || !is_watched(network, task) || is_quiet(network, lane, column);
        residual <= tolerance || (residual <= explained && quiet())
    })
    .collect()
}

/// Lets go of the nudge of a lane that has been measured: which of its columns do not return to the
/// free steady state `start`, or half the way to it, where that is more than noise and tolerance
/// hide.
pub fn stay_away<T: Real>(
    network: &Network<T>,
    relaxer: &dyn Relaxer<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    start: &Start<T>,
) -> Result<Vec<bool>> {
    let (relaxation, nodes) = (network.relaxation(), network.nodes);
    let distance = |lane: &Lane<T>, column: usize| {
        let sample = lane.order[column];
        let free = &start.state.as_slice()[sample * nodes..(sample + 1) * nodes];
        let state = &lane.state.as_slice()[column * nodes..(column + 1) * nodes];
        let apart = state.iter().zip(free).map(|(state, free)| (*state - *free).f64().abs());
        apart.fold(0.0, f64::max)
    };
    let mut pushed = vec![0.0; lane.order.len()];
    for column in 0..lane.order.len() {
        pushed[lane.order[column] - lane.first] = distance(lane, column);
    }
    lane.release(&start.constant);
    network.express(lane, lane.active);
    relaxer.settle(network, lane, &task.released())?;
    let hidden = MARGIN * (relaxation.tolerance + network.resolution);
    Ok((0..lane.order.len())
        .map(|column| {
            let pushed = pushed[lane.order[column] - lane.first];
            distance(lane, column) > hidden.max(0.5 * pushed)
        })
        .collect())
}

/// Whether resting points of a phase are pushed to see whether they stay.
pub fn is_in_doubt<T: Real>(network: &Network<T>, task: &Task<T>) -> bool {
    let waits = task.truncated_after(network).is_none();
    task.start.is_none() && network.has_loops && network.resolution == 0.0 && waits
}

/// Pushes the samples of a lane that have settled, from step `time` on. Those that come back stand
/// where they were; the others relax on: they are the active ones of the lane. Returns the steps
/// that this took.
pub fn look_again<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    time: usize,
) -> Result<usize> {
    let relaxation = network.relaxation();
    let (samples, nodes) = (lane.order.len(), network.nodes);
    let rounding = 1e4 * T::default_epsilon().f64();
    let push = T::of(relaxation.tolerance.max(rounding));
    let steps = (LOOK / relaxation.step).ceil() as usize;
    let distance = |lane: &Lane<T>, column: usize| {
        let rest = &lane.rest[column * nodes..(column + 1) * nodes];
        let state = &lane.state.as_slice()[column * nodes..(column + 1) * nodes];
        let pairs = state.iter().zip(rest);
        pairs.map(|(state, rest)| (*state - *rest).f64().powi(2)).sum::<f64>().sqrt()
    };
    let settled: Vec<bool> =
        lane.residual.iter().map(|r| r.f64() <= relaxation.tolerance).collect();
    let pushed = push.f64() * (nodes as f64).sqrt();
    // One that has come back to where it was pushed before has been looked at.
    let looked_at: Vec<bool> = (0..samples)
        .map(|column| {
            settled[column] && !(lane.left[column] && distance(lane, column) < 3.0 * pushed)
        })
        .collect();
    lane.rest.resize(nodes * samples, T::zero());
    lane.rest.copy_from_slice(&lane.state.as_slice()[..nodes * samples]);
    if !looked_at.contains(&true) {
        return Ok(0);
    }
    lane.active = samples;
    for column in (0..samples).filter(|column| looked_at[*column]) {
        Key::new(0, "push").add_normals(lane.state.column_mut(column).as_mut_slice(), push);
    }
    let mut before = vec![0.0; samples];
    for step in 0..steps {
        for (column, before) in before.iter_mut().enumerate() {
            *before = distance(lane, column);
        }
        network.forces(lane, task, (time + step) as u64)?;
        network.advance(lane, task, samples);
    }
    for column in (0..samples).rev() {
        let after = distance(lane, column);
        let grows = after > before[column] && after > TRACE * pushed;
        lane.left[column] = looked_at[column] && grows;
        lane.steps[column] += if looked_at[column] { steps } else { 0 };
        if lane.left[column] {
            lane.before[column] = T::zero();
            lane.residual[column] = T::of(f64::INFINITY);
            continue;
        }
        let rest = &lane.rest[column * nodes..(column + 1) * nodes];
        lane.state.column_mut(column).as_mut_slice().copy_from_slice(rest);
        lane.retire(column, task);
    }
    Ok(steps)
}
