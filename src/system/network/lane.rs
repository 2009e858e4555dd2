//! Lanes: the samples that relax together, with every buffer they need.
//!
//! Samples relax in lanes of fixed size, so that results do not depend on the number of threads. A
//! sample that has settled moves behind the active ones and costs nothing more.

use std::ops::Range;

use nalgebra::DMatrix;

use super::reads::{HeldInputs, ReadCounts};
use super::task::Task;
use super::watch::Watch;
use crate::arithmetic::Real;
use crate::arithmetic::simd;

/// Samples that relax together.
pub(super) const LANE: usize = 32;

/// One lane of samples on their way to a steady state; every buffer is reused from settling to
/// settling.
#[derive(Debug, Default)]
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
    pub constant: DMatrix<T>,
    /// What drives the couplings, (shared inputs + nodes) x samples.
    pub coupled: DMatrix<T>,
    /// Slopes f'(s) of gradient nodes.
    pub gain: DMatrix<T>,
    /// Forces on the nodes.
    pub force: DMatrix<T>,
    /// Targets, outputs x samples.
    pub targets: DMatrix<T>,
    /// What drives the couplings at the free steady state, for the digital model.
    pub start_coupled: DMatrix<T>,
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
    /// The same a step before; 0 where there is none.
    pub before: Vec<T>,
    /// States at which samples were pushed, nodes x samples by column.
    pub rest: Vec<T>,
    /// Whether each sample left the state at which it was pushed.
    pub left: Vec<bool>,
    /// What the nodes of a noisy machine show in the end.
    pub watch: Watch<T>,
    /// Steps that each sample took.
    pub steps: Vec<usize>,
    /// For couplers.
    pub scratch: Vec<T>,
    /// What an instrument sees of one sample.
    pub seen: Vec<T>,
    /// Sample-reads of each coupling.
    pub reads: Vec<ReadCounts>,
    /// What couplers found of the inputs.
    pub held_inputs: HeldInputs<T>,
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

/// What buffers are shaped by.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Inputs that drive couplings together with nodes.
    pub shared_inputs: usize,
    /// Nodes.
    pub nodes: usize,
    /// Couplings.
    pub couplings: usize,
    /// Whether nodes are of gradient dynamics.
    pub gradient: bool,
}

impl<T: Real> Lane<T> {
    /// Takes on samples `range` of a batch, where `task` starts; `drive` is what inputs drive in
    /// the free phase.
    pub fn load(
        &mut self,
        shape: Shape,
        inputs: &DMatrix<T>,
        drive: &DMatrix<T>,
        task: &Task<T>,
        range: &Range<usize>,
    ) {
        let (nodes, samples) = (shape.nodes, range.len());
        self.seat(shape, inputs, range);
        match task.start {
            None => {
                self.state.as_mut_slice().fill(T::zero());
                copy_columns(&mut self.constant, drive, range);
            }
            Some(start) => {
                copy_columns(&mut self.state, &start.state, range);
                copy_columns(&mut self.constant, &start.constant, range);
            }
        }
        if let Some(held) = task.held {
            let held = &held.as_slice()[nodes * range.start..nodes * range.end];
            simd::add(self.constant.as_mut_slice(), held);
        }
        if let Some(nudge) = task.nudge {
            reshape(&mut self.targets, nudge.targets.nrows(), samples);
            copy_columns(&mut self.targets, nudge.targets, range);
        }
        if task.model.is_some() {
            reshape(&mut self.deviation, self.coupled.nrows(), samples);
        }
        if task.dyadic {
            let coupled = self.coupled.nrows();
            for (matrix, rows) in [
                (&mut self.difference, nodes),
                (&mut self.difference_force, nodes),
                (&mut self.difference_coupled, coupled),
            ] {
                reshape(matrix, rows, samples);
                matrix.as_mut_slice().fill(T::zero());
            }
        }
    }

    /// Takes on samples `range` at the nodes' `state` (nodes x all samples), to be read and not
    /// moved.
    pub fn hold(
        &mut self,
        shape: Shape,
        inputs: &DMatrix<T>,
        state: &DMatrix<T>,
        range: &Range<usize>,
    ) {
        self.seat(shape, inputs, range);
        copy_columns(&mut self.state, state, range);
    }

    /// Goes on from where it is, with the constant currents of `start` (nodes x all samples) alone.
    pub fn release(&mut self, start: &DMatrix<T>) {
        let nodes = self.state.nrows();
        self.active = self.order.len();
        for (column, sample) in self.order.iter().enumerate() {
            let constant = &start.as_slice()[nodes * sample..nodes * (sample + 1)];
            self.constant.column_mut(column).as_mut_slice().copy_from_slice(constant);
        }
        self.before.fill(T::zero());
    }

    /// Gives every buffer its shape, and shared inputs their rows.
    fn seat(&mut self, shape: Shape, inputs: &DMatrix<T>, range: &Range<usize>) {
        let Shape { shared_inputs, nodes, couplings, gradient } = shape;
        let samples = range.len();
        self.order.clear();
        self.order.extend(range.clone());
        self.active = samples;
        self.first = range.start;
        for matrix in [&mut self.state, &mut self.constant, &mut self.force] {
            reshape(matrix, nodes, samples);
        }
        if gradient {
            reshape(&mut self.gain, nodes, samples);
        }
        reshape(&mut self.coupled, shared_inputs + nodes, samples);
        if shared_inputs > 0 {
            let inputs = inputs.columns(range.start, samples);
            self.coupled.rows_mut(0, shared_inputs).copy_from(&inputs);
        }
        self.residual.clear();
        self.residual.resize(samples, T::zero());
        self.before.clear();
        self.before.resize(samples, T::zero());
        self.rest.clear();
        self.left.clear();
        self.left.resize(samples, false);
        self.steps.clear();
        self.steps.resize(samples, 0);
        self.reads.clear();
        self.reads.resize(couplings, [0; 4]);
        self.held_inputs.clear(couplings, range.start);
    }

    /// Counts a step of every active sample, and moves those behind the others whose residual is
    /// within `tolerance` and has not grown.
    pub fn retire_settled(&mut self, tolerance: T, task: &Task<T>) {
        // From the last to the first: a column that takes a retired one's place has been seen
        // already.
        for column in (0..self.active).rev() {
            self.steps[column] += 1;
            let before = std::mem::replace(&mut self.before[column], self.residual[column]);
            if self.residual[column] <= tolerance && self.residual[column] <= before {
                self.retire(column, task);
            }
        }
    }

    /// Moves the sample in `column` behind the active ones.
    pub fn retire(&mut self, column: usize, task: &Task<T>) {
        self.active -= 1;
        let last = self.active;
        if column == last {
            return;
        }
        self.order.swap(column, last);
        self.residual.swap(column, last);
        self.before.swap(column, last);
        self.left.swap(column, last);
        self.steps.swap(column, last);
        let nodes = self.state.nrows();
        if !self.rest.is_empty() {
            (0..nodes).for_each(|node| self.rest.swap(column * nodes + node, last * nodes + node));
        }
        self.watch.swap(nodes, column, last);
        for matrix in [&mut self.state, &mut self.constant, &mut self.coupled, &mut self.force] {
            matrix.swap_columns(column, last);
        }
        if task.nudge.is_some() {
            self.targets.swap_columns(column, last);
        }
        if task.model.is_some() {
            self.start_coupled.swap_columns(column, last);
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
