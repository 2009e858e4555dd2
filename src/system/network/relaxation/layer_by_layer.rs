//! The steady state layer by layer: exact, and without the path to it.
//!
//! Where additive nodes are coupled without a loop, a layer's currents depend only on layers before
//! it: u = W v + ... is its steady state, and each array is read once. Driven through their other
//! ports the arrays have no loop either, in the opposite order; the nudged outputs, which act on
//! themselves, are iterated alone. The answer is that of time stepping; what is not simulated is
//! how long a machine takes to get there, so that reads and laboratory time count one read a phase.

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::Relaxer;
use super::time_steps::TimeSteps;
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::Port;
use crate::system::network::lane::Lane;
use crate::system::network::reads::{Driven, ReadContext};
use crate::system::network::task::Task;
use crate::system::network::{CouplingKind, Network, NetworkDescription};
use crate::{Error, Result};

/// One layer after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerByLayer {}

impl LayerByLayer {
    /// # Errors
    /// When the network has loops, or its reads have noise or converters.
    pub(in crate::system::network) fn relaxer<T: Real>(
        &self,
        network: &Network<T>,
    ) -> Result<Box<dyn Relaxer<T>>> {
        let order = order(&network.made_of)?;
        let relaxation = network.relaxation();
        if relaxation.free_steps > 0 || relaxation.nudged_steps > 0 {
            return Err(Error::input(
                "relaxation.method = \"layer-by-layer\": it finds steady states, not where a machine is \
                 after relaxation.free_steps or nudged_steps; expected \"time-steps\"",
            ));
        }
        if network.resolution > 0.0 {
            return Err(Error::input(
                "relaxation.method = \"layer-by-layer\": these arrays are read with noise or \
                 converters, which act in every step; expected \"time-steps\"",
            ));
        }
        Ok(Box::new(InOrder { order }))
    }
}

/// Layers in the order in which they can be solved one by one.
struct InOrder {
    order: Vec<Range<usize>>,
}

impl<T: Real> Relaxer<T> for InOrder {
    fn settle(
        &self,
        network: &Network<T>,
        lane: &mut Lane<T>,
        task: &Task<T>,
    ) -> Result<Vec<bool>> {
        // A model, or a second copy, closes loops.
        if task.model.is_some() || task.dyadic {
            return TimeSteps::default().settle(network, lane, task);
        }
        solve(network, lane, task, &self.order)?;
        let tolerance = T::of(network.relaxation().tolerance);
        Ok(lane.residual.iter().map(|residual| *residual <= tolerance).collect())
    }
}

/// The layers of a machine (as rows of nodes), each after those that drive it when arrays are
/// driven forward.
///
/// # Errors
/// When nodes are not additive, an array spans layers, is used both ways, or closes a loop.
pub(in crate::system::network) fn order<T: Real>(
    description: &NetworkDescription<T>,
) -> Result<Vec<Range<usize>>> {
    let refuse = |why: &str| {
        Err(Error::input(format!(
            "relaxation.method = \"layer-by-layer\": {why}; expected \"time-steps\""
        )))
    };
    if description.dynamics.is_gradient() {
        return refuse("nodes of gradient dynamics have no steady state in closed form");
    }
    let mut end = 0;
    let layers = description.layers.iter().map(|layer| {
        end += layer.nodes;
        end - layer.nodes..end
    });
    let mut waiting: Vec<Range<usize>> = layers.collect();
    let inputs = description.inputs;
    let mut edges = Vec::new();
    for coupling in description.couplings.iter().filter(|coupling| coupling.from.end > inputs) {
        let rows = |rows: &Range<usize>| rows.start.wrapping_sub(inputs)..rows.end - inputs;
        let (from, to) = (rows(&coupling.from), rows(&coupling.to));
        if coupling.kind == CouplingKind::Reciprocal
            || !waiting.contains(&from)
            || !waiting.contains(&to)
        {
            return refuse(&format!("array {} is used both ways or spans layers", coupling.name));
        }
        edges.push((from, to));
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let free = |layer: &Range<usize>| {
            !edges.iter().any(|(from, to)| to == layer && waiting.contains(from))
        };
        let Some(next) = waiting.iter().position(free) else {
            return refuse("its arrays close a loop");
        };
        order.push(waiting.remove(next));
    }
    Ok(order)
}

fn column<'a, T: Real>(matrix: &'a DMatrix<T>, index: usize, rows: &Range<usize>) -> &'a [T] {
    let start = index * matrix.nrows();
    &matrix.as_slice()[start + rows.start..start + rows.end]
}

fn column_mut<'a, T: Real>(
    matrix: &'a mut DMatrix<T>,
    index: usize,
    rows: &Range<usize>,
) -> &'a mut [T] {
    let start = index * matrix.nrows();
    &mut matrix.as_mut_slice()[start + rows.start..start + rows.end]
}

/// Puts the samples of one lane at their steady state.
fn solve<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    order: &[Range<usize>],
) -> Result<()> {
    let layers: Box<dyn Iterator<Item = &Range<usize>>> = match task.port {
        Port::Forward => Box::new(order.iter()),
        Port::Reversed => Box::new(order.iter().rev()),
    };
    let (inputs, outputs) = (network.inputs(), network.output_rows());
    for rows in layers {
        let mut currents = std::mem::take(&mut lane.force);
        for sample in 0..lane.active {
            let constant = column(&lane.constant, sample, rows);
            column_mut(&mut currents, sample, rows).copy_from_slice(constant);
        }
        let (order, scratch, counts) = (&lane.order[..], &mut lane.scratch, &mut lane.reads[..]);
        let (key, time, relaxing) = (task.key, 0, false);
        let context = ReadContext { order, key, time, relaxing, scratch, counts, held: None };
        let values = lane.coupled.as_view();
        let driven =
            Driven { port: task.port, first_row: inputs, values, gain: None, foreground: None };
        let reached = inputs + rows.start..inputs + rows.end;
        let into_this =
            |from: &Range<usize>, to: &Range<usize>| from.start >= inputs && *to == reached;
        network.read_selected(&driven, &mut currents.as_view_mut(), context, into_this)?;
        lane.steps.iter_mut().for_each(|steps| *steps += 1);
        if task.nudge.is_some() && *rows == outputs {
            settle_outputs(network, lane, task, &currents);
        } else {
            for sample in 0..lane.active {
                let current = column(&currents, sample, rows);
                column_mut(&mut lane.state, sample, rows).copy_from_slice(current);
            }
        }
        (0..lane.active).for_each(|sample| network.express_rows(lane, sample, rows));
        lane.force = currents;
    }
    Ok(())
}

/// Iterates the outputs, which the nudge couples to themselves, under the `currents` from
/// elsewhere: all samples of the lane together, until the last one is at rest.
fn settle_outputs<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    currents: &DMatrix<T>,
) {
    let (Some(nudge), rows) = (task.nudge, network.output_rows()) else { return };
    let relaxation = network.relaxation();
    let (tolerance, step) = (T::of(relaxation.tolerance), T::of(relaxation.step));
    let mut responses = network.responses();
    let Some((_, activation)) = responses.find(|(layer, _)| layer.contains(&rows.start)) else {
        return;
    };
    let gather = |matrix: &DMatrix<T>| -> Vec<T> {
        (0..lane.active).flat_map(|sample| column(matrix, sample, &rows)).copied().collect()
    };
    let (currents, mut states) = (gather(currents), gather(&lane.state));
    let (mut shown, mut forces) = (states.clone(), states.clone());
    for _ in 0..relaxation.max_steps {
        activation.values(&states, &mut shown);
        forces.copy_from_slice(&currents);
        simd::add_scaled(&mut forces, -T::one(), &states);
        let targets = lane.targets.as_slice().chunks_exact(rows.len());
        let samples = shown.chunks_exact(rows.len()).zip(targets);
        for ((shown, targets), force) in samples.zip(forces.chunks_exact_mut(rows.len())) {
            let pull = |i: usize, slope: T| force[i] -= nudge.beta * slope;
            nudge.cost.for_each_slope(shown, targets, pull);
        }
        if simd::largest(&forces) <= tolerance {
            break;
        }
        lane.steps.iter_mut().for_each(|steps| *steps += 1);
        simd::add_scaled(&mut states, step, &forces);
    }
    let samples = states.chunks_exact(rows.len()).zip(forces.chunks_exact(rows.len()));
    for (sample, (states, forces)) in samples.enumerate() {
        column_mut(&mut lane.state, sample, &rows).copy_from_slice(states);
        lane.residual[sample] = simd::largest(forces);
    }
}
