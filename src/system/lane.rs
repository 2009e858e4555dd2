//! Lanes: the samples that relax together, with every buffer they need.
//!
//! Samples relax in lanes of fixed size, so that results do not depend on the number of threads. A
//! sample that has settled moves behind the active ones and costs nothing more.

use std::ops::Range;

use nalgebra::DMatrix;

use super::network::AnalogNetwork;
use super::relaxation::Task;
use crate::arithmetic::real::Real;
use crate::arithmetic::simd;

/// Samples that relax together.
pub(super) const LANE: usize = 32;

/// One lane of samples on their way to a steady state; every buffer is reused from settling to
/// settling.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane<T: Real> {
    /// The sample in each column; settled ones are behind the first `active` columns.
    pub order: Vec<usize>,
    /// Samples that still move.
    pub active: usize,
    /// The first sample of the lane.
    pub first: usize,
    /// States u or s, nodes x samples.
    pub state: DMatrix<T>,
    /// Constant currents, nodes x samples.
    pub held: DMatrix<T>,
    /// What drives the couplings, (shared inputs + nodes) x samples.
    pub coupled: DMatrix<T>,
    /// Slopes f'(s) of gradient nodes.
    pub gain: DMatrix<T>,
    /// Forces on the nodes.
    pub force: DMatrix<T>,
    /// Targets, outputs x samples.
    pub targets: DMatrix<T>,
    /// What drives the couplings at the free steady state, for the digital model.
    pub rest_coupled: DMatrix<T>,
    /// Deviation from it.
    pub deviation: DMatrix<T>,
    /// State of the difference of two copies.
    pub difference: DMatrix<T>,
    /// What it puts on the couplings.
    pub difference_coupled: DMatrix<T>,
    /// The force on it.
    pub difference_force: DMatrix<T>,
    /// The largest force on each sample's nodes.
    pub residual: Vec<T>,
    /// Steps that each sample took.
    pub steps: Vec<usize>,
    /// For couplers.
    pub scratch: Vec<T>,
    /// What an instrument sees of one sample.
    pub seen: Vec<T>,
    /// Sample-reads of each coupling: driven forward, driven reversed.
    pub reads: Vec<[u64; 2]>,
}

/// Gives `matrix` a shape, keeping its allocation.
fn reshape<T: Real>(matrix: &mut DMatrix<T>, rows: usize, columns: usize) {
    if matrix.shape() != (rows, columns) {
        matrix.resize_mut(rows, columns, T::zero());
    }
}

/// Copies columns `range` of `whole` to the first columns of `part`; both have the same rows.
fn copy_columns<T: Real>(part: &mut DMatrix<T>, whole: &DMatrix<T>, range: &Range<usize>) {
    let rows = whole.nrows();
    part.as_mut_slice()[..rows * range.len()]
        .copy_from_slice(&whole.as_slice()[rows * range.start..rows * range.end]);
}

impl<T: Real> Lane<T> {
    /// Takes on samples `range` of a batch, where `task` starts; `drive` is what inputs drive in
    /// the free phase.
    pub fn load(
        &mut self,
        network: &AnalogNetwork<T>,
        inputs: &DMatrix<T>,
        drive: &DMatrix<T>,
        task: &Task<T>,
        range: Range<usize>,
    ) {
        let (nodes, samples) = (network.node_count(), range.len());
        self.seat(network, inputs, &range);
        match task.free {
            None => {
                self.state.as_mut_slice().fill(T::zero());
                copy_columns(&mut self.held, drive, &range);
            }
            Some(free) => {
                copy_columns(&mut self.state, &free.rest.state, &range);
                copy_columns(&mut self.held, &free.rest.held, &range);
            }
        }
        if let Some(held) = task.held {
            simd::add(
                self.held.as_mut_slice(),
                &held.as_slice()[nodes * range.start..nodes * range.end],
            );
        }
        if let Some(nudge) = task.nudge {
            reshape(&mut self.targets, nudge.targets.nrows(), samples);
            copy_columns(&mut self.targets, nudge.targets, &range);
        }
        if task.model.is_some() {
            network.express(self, samples);
            self.rest_coupled.clone_from(&self.coupled);
            reshape(&mut self.deviation, self.coupled.nrows(), samples);
        }
        if task.dyadic {
            for (matrix, rows) in [
                (&mut self.difference, nodes),
                (&mut self.difference_force, nodes),
                (&mut self.difference_coupled, self.coupled.nrows()),
            ] {
                reshape(matrix, rows, samples);
                matrix.as_mut_slice().fill(T::zero());
            }
        }
    }

    /// Takes on samples `range` at the nodes' rest `state` (nodes x all samples), to be read and
    /// not moved.
    pub fn rest_at(
        &mut self,
        network: &AnalogNetwork<T>,
        inputs: &DMatrix<T>,
        state: &DMatrix<T>,
        range: Range<usize>,
    ) {
        self.seat(network, inputs, &range);
        copy_columns(&mut self.state, state, &range);
        network.express(self, range.len());
    }

    /// Gives every buffer its shape, and shared inputs their rows.
    fn seat(&mut self, network: &AnalogNetwork<T>, inputs: &DMatrix<T>, range: &Range<usize>) {
        let (shared, nodes, samples) = (network.shared_inputs, network.node_count(), range.len());
        self.order.clear();
        self.order.extend(range.clone());
        self.active = samples;
        self.first = range.start;
        for matrix in [&mut self.state, &mut self.held, &mut self.force] {
            reshape(matrix, nodes, samples);
        }
        if network.dynamics().is_gradient() {
            reshape(&mut self.gain, nodes, samples);
        }
        reshape(&mut self.coupled, shared + nodes, samples);
        if shared > 0 {
            self.coupled.rows_mut(0, shared).copy_from(&inputs.columns(range.start, samples));
        }
        self.residual.clear();
        self.residual.resize(samples, T::zero());
        self.steps.clear();
        self.steps.resize(samples, 0);
        self.reads.clear();
        self.reads.resize(network.couplings().len(), [0, 0]);
    }

    /// Counts a step of every active sample, and moves those whose residual is within `tolerance`
    /// behind the others.
    pub fn retire_settled(&mut self, tolerance: T, task: &Task<T>) {
        // From the last to the first: a column that takes a retired one's place has been seen
        // already.
        for column in (0..self.active).rev() {
            self.steps[column] += 1;
            if self.residual[column] <= tolerance {
                self.retire(column, task);
            }
        }
    }

    /// Moves the sample in `column` behind the active ones.
    fn retire(&mut self, column: usize, task: &Task<T>) {
        self.active -= 1;
        let last = self.active;
        if column == last {
            return;
        }
        self.order.swap(column, last);
        self.residual.swap(column, last);
        self.steps.swap(column, last);
        for matrix in [&mut self.state, &mut self.held, &mut self.coupled, &mut self.force] {
            matrix.swap_columns(column, last);
        }
        if task.nudge.is_some() {
            self.targets.swap_columns(column, last);
        }
        if task.model.is_some() {
            self.rest_coupled.swap_columns(column, last);
        }
        if task.dyadic {
            for matrix in
                [&mut self.difference, &mut self.difference_coupled, &mut self.difference_force]
            {
                matrix.swap_columns(column, last);
            }
        }
    }
}
