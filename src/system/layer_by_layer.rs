//! The steady state layer by layer: exact, and without the path to it.
//!
//! Where additive nodes are coupled without a loop, a layer's currents depend only on layers before
//! it: u = W v + ... is its steady state, and each array is read once. Driven through their other
//! ports the arrays have no loop either, in the opposite order; the nudged outputs, which act on
//! themselves, are iterated alone. The answer is that of time stepping; what is not simulated is
//! how long a machine takes to get there, so that reads and laboratory time count one read a phase.

use std::ops::Range;

use nalgebra::DMatrix;

use super::lane::Lane;
use super::network::{AnalogNetwork, Reads};
use super::relaxation::Task;
use super::{CouplingKind, NetworkDescription};
use crate::arithmetic::real::Real;
use crate::arithmetic::simd;
use crate::coupler::Port;
use crate::{Error, Result};

/// The layers of a machine (as rows of nodes), each after those that drive it when arrays are
/// driven forward.
///
/// # Errors
/// When nodes are not additive, an array spans layers, is used both ways, or closes a loop.
pub(super) fn order<T: Real>(description: &NetworkDescription<T>) -> Result<Vec<Range<usize>>> {
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

impl<T: Real> AnalogNetwork<T> {
    /// Puts the samples of one lane at their steady state; says which of its columns are there.
    pub(super) fn solve(
        &self,
        lane: &mut Lane<T>,
        task: &Task<T>,
        order: &[Range<usize>],
    ) -> Vec<bool> {
        let layers: Box<dyn Iterator<Item = &Range<usize>>> = match task.port {
            Port::Forward => Box::new(order.iter()),
            Port::Reversed => Box::new(order.iter().rev()),
        };
        let outputs = self.output_rows();
        for rows in layers {
            let mut currents = std::mem::take(&mut lane.force);
            for sample in 0..lane.active {
                column_mut(&mut currents, sample, rows)
                    .copy_from_slice(column(&lane.held, sample, rows));
            }
            let (order, scratch, counts) =
                (&lane.order[..], &mut lane.scratch, &mut lane.reads[..]);
            let reads = Reads {
                first_row: self.input_count(),
                order,
                key: task.key,
                time: 0,
                foreground: None,
                scratch,
                counts,
            };
            let reached = self.input_count() + rows.start..self.input_count() + rows.end;
            let into_this = |from: &Range<usize>, to: &Range<usize>| {
                from.start >= self.input_count() && *to == reached
            };
            self.read_selected(
                task.port,
                lane.coupled.as_view(),
                None,
                &mut currents.as_view_mut(),
                reads,
                into_this,
            );
            lane.steps.iter_mut().for_each(|steps| *steps += 1);
            if task.nudge.is_some() && *rows == outputs {
                self.settle_outputs(lane, task, &currents);
            } else {
                for sample in 0..lane.active {
                    column_mut(&mut lane.state, sample, rows)
                        .copy_from_slice(column(&currents, sample, rows));
                }
            }
            (0..lane.active).for_each(|sample| self.express_rows(lane, sample, rows));
            lane.force = currents;
        }
        let tolerance = T::of(self.relaxation().tolerance);
        lane.residual.iter().map(|residual| *residual <= tolerance).collect()
    }

    /// Iterates the outputs, which the nudge couples to themselves, under the `currents` from
    /// elsewhere: all samples of the lane together, until the last one is at rest.
    fn settle_outputs(&self, lane: &mut Lane<T>, task: &Task<T>, currents: &DMatrix<T>) {
        let (Some(nudge), rows) = (task.nudge, self.output_rows()) else { return };
        let (tolerance, step) = (T::of(self.relaxation().tolerance), T::of(self.relaxation().step));
        let Some((_, activation)) = self.responses().find(|(layer, _)| layer.contains(&rows.start))
        else {
            return;
        };
        let gather = |matrix: &DMatrix<T>| {
            (0..lane.active)
                .flat_map(|sample| column(matrix, sample, &rows))
                .copied()
                .collect::<Vec<T>>()
        };
        let (currents, mut states) = (gather(currents), gather(&lane.state));
        let (mut shown, mut forces) = (states.clone(), states.clone());
        for _ in 0..self.relaxation().max_steps {
            activation.values(&states, &mut shown);
            forces.copy_from_slice(&currents);
            simd::add_scaled(&mut forces, -T::one(), &states);
            let samples = shown
                .chunks_exact(rows.len())
                .zip(lane.targets.as_slice().chunks_exact(rows.len()));
            for ((shown, targets), force) in samples.zip(forces.chunks_exact_mut(rows.len())) {
                nudge
                    .cost
                    .for_each_slope(shown, targets, |i, slope| force[i] -= nudge.beta * slope);
            }
            if simd::largest(&forces) <= tolerance {
                break;
            }
            lane.steps.iter_mut().for_each(|steps| *steps += 1);
            simd::add_scaled(&mut states, step, &forces);
        }
        for (sample, (states, forces)) in
            states.chunks_exact(rows.len()).zip(forces.chunks_exact(rows.len())).enumerate()
        {
            column_mut(&mut lane.state, sample, &rows).copy_from_slice(states);
            lane.residual[sample] = simd::largest(forces);
        }
    }
}
