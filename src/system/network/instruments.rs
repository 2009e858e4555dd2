//! The instruments that read nodes, and what they make of a lane at rest.

use serde::{Deserialize, Serialize};

use super::Network;
use super::lane::Lane;
use super::task::Task;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd;
use crate::coupler::quantiser::Quantiser;
use crate::quantity::range;

/// The instruments that read nodes: the table `[measurement]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instruments {
    /// Bits of a read; 0 is no rounding.
    #[serde(deserialize_with = "range::converter_bits")]
    pub bits: u32,
    /// The node value at which a read clips.
    #[serde(deserialize_with = "range::positive")]
    pub range: f64,
    /// Standard deviation of a read, in units of node values.
    #[serde(deserialize_with = "range::non_negative")]
    pub noise: f64,
    /// Standard deviation of each node's offset, in units of node values: drawn anew for each
    /// phase, the same for all samples and reads within it. What drifts between the free and the
    /// nudged phases looks like a signal.
    #[serde(deserialize_with = "range::non_negative")]
    pub drift: f64,
    /// Independent reads averaged into one measurement.
    #[serde(deserialize_with = "range::reads")]
    pub samples: usize,
}

impl Default for Instruments {
    fn default() -> Self {
        Self { bits: 0, range: 1.0, noise: 0.0, drift: 0.0, samples: 1 }
    }
}

impl Instruments {
    /// The offsets of so many nodes in the phase that `key` names.
    fn offsets<T: Real>(&self, nodes: usize, key: Key) -> Vec<T> {
        let mut offsets = vec![T::zero(); if self.drift > 0.0 { nodes } else { 0 }];
        key.add_normals(&mut offsets, T::of(self.drift));
        offsets
    }

    /// Turns `values` into one read of them, each with its offset; `key` names its random stream.
    fn read<T: Real>(&self, values: &mut [T], offsets: &[T], key: Key) {
        for (value, offset) in values.iter_mut().zip(offsets) {
            *value += *offset;
        }
        if self.noise > 0.0 {
            key.add_normals(values, T::of(self.noise));
        }
        if self.bits > 0 {
            Quantiser::new(self.bits, self.range).apply_all(values);
        }
    }
}

/// The part of a measurement that one lane fills, columns in the order of its samples.
pub(super) struct LanePart<'a, T> {
    /// Node values (midpoints in the dyadic phase), zeros before.
    pub values: &'a mut [T],
    /// Differences of two copies in the dyadic phase, zeros before; else empty.
    pub difference: &'a mut [T],
    /// States at the free steady state; empty in other phases.
    pub state: &'a mut [T],
    pub settled: &'a mut [bool],
    /// Samples that left their basin; empty where nobody looks.
    pub left: &'a mut [bool],
    pub steps: &'a mut [usize],
}

/// Names the streams of reads of the nodes, beside those of the arrays.
const NODES: u64 = 1_000_001;
/// Names the streams of offsets.
const OFFSETS: u64 = 1_000_002;

/// Reads the nodes of a lane `instruments.samples` times and averages; a machine with noise goes on
/// moving between the reads, until what it shows is independent of the read before.
pub(super) fn measure<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    settled: &[bool],
    part: &mut LanePart<T>,
) -> Result<()> {
    let (nodes, instruments) = (network.nodes, network.instruments());
    let count = instruments.samples;
    let share = T::one() / T::of(count as f64);
    // One set of offsets for each copy of the machine.
    let offsets = [0, 1].map(|copy| instruments.offsets(nodes, task.key.with(OFFSETS).with(copy)));
    for read in 0..count as u64 {
        if read > 0 && network.resolution > 0.0 {
            let apart = network.relaxation().steps_to_forget() as u64;
            let first = task.most_steps(network) as u64 + (read - 1) * apart;
            (first..first + apart).try_for_each(|time| network.move_on(lane, task, time))?;
        }
        for column in 0..lane.order.len() {
            let sample = lane.order[column];
            let at = (sample - lane.first) * nodes;
            let values = &mut part.values[at..at + nodes];
            let key = task.key.with(NODES).with(sample as u64).with(read);
            if task.dyadic {
                let differences = &mut part.difference[at..at + nodes];
                let copies = Copies { values, differences, share };
                read_copies(network, lane, column, &offsets, key, copies);
            } else {
                show(network, lane, column);
                instruments.read(&mut lane.seen, &offsets[0], key);
                simd::add_scaled(values, share, &lane.seen);
            }
        }
    }
    for (column, sample) in lane.order.iter().enumerate() {
        let at = sample - lane.first;
        part.settled[at] = settled[column];
        part.steps[at] = lane.steps[column];
        if !part.state.is_empty() {
            let rows = at * nodes..(at + 1) * nodes;
            part.state[rows].copy_from_slice(lane.state.column(column).as_slice());
        }
    }
    Ok(())
}

/// Writes what the nodes of a column show, v of additive nodes and s of gradient nodes, to
/// `lane.seen`.
fn show<T: Real>(network: &Network<T>, lane: &mut Lane<T>, column: usize) {
    let shown = if network.dynamics().is_gradient() { &lane.state } else { &lane.coupled };
    let shown = shown.column(column);
    lane.seen.clear();
    lane.seen.extend_from_slice(&shown.as_slice()[shown.len() - network.nodes..]);
}

/// Where the reads of two copies of the machine go: the share of one read is added.
struct Copies<'a, T> {
    values: &'a mut [T],
    differences: &'a mut [T],
    share: T,
}

/// Reads both copies of the machine.
fn read_copies<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    column: usize,
    offsets: &[Vec<T>; 2],
    key: Key,
    copies: Copies<T>,
) {
    let gradient = network.dynamics().is_gradient();
    for (copy, sign) in [T::one(), -T::one()].into_iter().enumerate() {
        show(network, lane, column);
        for (node, activation) in network.activations() {
            let (delta, state) = (lane.difference[(node, column)], lane.state[(node, column)]);
            let slope = if gradient { T::one() } else { activation.slope(state) };
            lane.seen[node] += sign * T::of(0.5) * slope * delta;
        }
        network.instruments().read(&mut lane.seen, &offsets[copy], key.with(copy as u64));
        simd::add_scaled(copies.values, copies.share * T::of(0.5), &lane.seen);
        simd::add_scaled(copies.differences, copies.share * sign, &lane.seen);
    }
}
