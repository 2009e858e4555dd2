//! The force on every node of a lane, and one step along it.

use std::ops::Range;

use super::Network;
use super::lane::{Lane, Shape};
use super::reads::ReadContext;
use super::task::Task;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::Port;
use crate::system::Nudge;

/// Names the reads of the difference of two copies, beside those of the machine itself.
const DIFFERENCE: u64 = 1_000_000;

impl<T: Real> Network<T> {
    /// What the buffers of a lane are shaped by.
    pub fn shape(&self) -> Shape {
        Shape {
            shared_inputs: self.shared_inputs,
            nodes: self.nodes,
            couplings: self.couplings().len(),
            gradient: self.dynamics().is_gradient(),
        }
    }

    /// Makes a lane ready that has been loaded: what the nodes show at the free steady state, for
    /// the digital model.
    pub fn prepare(&self, lane: &mut Lane<T>, task: &Task<T>) {
        if task.model.is_some() {
            self.express(lane, lane.active);
            lane.start_coupled.clone_from(&lane.coupled);
        }
    }

    /// One more step of all samples of a lane, settled or not: noise keeps a machine moving.
    pub fn move_on(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) -> Result<()> {
        self.forces(lane, task, time)?;
        self.advance(lane, task, lane.active);
        self.express(lane, lane.active);
        Ok(())
    }

    /// Writes what the nodes of the first `samples` columns put on their couplings, and the slopes
    /// of gradient nodes.
    pub fn express(&self, lane: &mut Lane<T>, samples: usize) {
        let shared = self.shared_inputs;
        let gradient = self.dynamics().is_gradient();
        for column in 0..samples {
            let (states, mut coupled) =
                (lane.state.column(column), lane.coupled.column_mut(column));
            for (rows, activation) in self.responses() {
                let states = &states.as_slice()[rows.clone()];
                let shown = shared + rows.start..shared + rows.end;
                activation.values(states, &mut coupled.as_mut_slice()[shown]);
                if gradient {
                    let mut gains = lane.gain.column_mut(column);
                    activation.slopes(states, &mut gains.as_mut_slice()[rows]);
                }
            }
        }
    }

    /// Writes what some nodes of one sample put on their couplings.
    pub fn express_rows(&self, lane: &mut Lane<T>, column: usize, rows: &Range<usize>) {
        let (states, mut coupled) = (lane.state.column(column), lane.coupled.column_mut(column));
        for (layer, activation) in self.responses() {
            let rows = layer.start.max(rows.start)..layer.end.min(rows.end);
            if !rows.is_empty() {
                let shown = self.shared_inputs + rows.start..self.shared_inputs + rows.end;
                activation.values(&states.as_slice()[rows], &mut coupled.as_mut_slice()[shown]);
            }
        }
    }

    /// Computes the force on every node of the active samples, and on the difference of two copies.
    pub fn forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) -> Result<()> {
        let n = lane.active;
        let numbers = n * self.nodes;
        self.express(lane, n);
        let gradient = self.dynamics().is_gradient();
        let force = &mut lane.force.as_mut_slice()[..numbers];
        force.copy_from_slice(&lane.constant.as_slice()[..numbers]);
        // The curvature of gradient nodes acts on the bare current, so the dyadic phase applies
        // slopes itself.
        let gain = (gradient && !task.dyadic).then(|| lane.gain.columns(0, n));
        if gain.is_some() {
            simd::multiply(force, &lane.gain.as_slice()[..numbers]);
        }
        let mut force = lane.force.columns_mut(0, n);
        let driven = self.coupled(task.port, lane.coupled.columns(0, n), gain);
        let (order, scratch, counts) = (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
        let held = Some(&lane.held_inputs);
        let (key, relaxing) = (task.key, true);
        let context = ReadContext { order, key, time, relaxing, scratch, counts, held };
        self.read_couplings(&driven, &mut force, context)?;
        if let Some(model) = &task.model {
            // -(W_m - W_m^T)(v - v0): the model read forward at v0 - v, then reversed at v - v0.
            for (port, plus, minus) in [
                (Port::Forward, &lane.start_coupled, &lane.coupled),
                (Port::Reversed, &lane.coupled, &lane.start_coupled),
            ] {
                let mut deviation = lane.deviation.columns_mut(0, n);
                plus.columns(0, n).sub_to(&minus.columns(0, n), &mut deviation);
                let driven = self.coupled(port, lane.deviation.columns(0, n), gain);
                self.read_model(model, &driven, &mut force, &mut lane.scratch)?;
            }
        }
        if task.dyadic {
            self.difference_forces(lane, task, time)?;
            if gradient {
                let force = &mut lane.force.as_mut_slice()[..numbers];
                simd::multiply(force, &lane.gain.as_slice()[..numbers]);
            }
        }
        let (leak, force) =
            (self.dynamics().leak::<T>(), &mut lane.force.as_mut_slice()[..numbers]);
        simd::add_scaled(force, -leak, &lane.state.as_slice()[..numbers]);
        if let Some(nudge) = task.nudge.filter(|_| !task.dyadic) {
            for column in 0..n {
                self.nudge(&nudge, lane, column, false);
            }
        }
        Ok(())
    }

    /// J(m)^T d - beta dC/dm, in the coordinates of the state. For additive nodes the state of the
    /// difference is delta with d = f' delta; for gradient nodes it is d itself and `lane.force`
    /// holds the bare current.
    fn difference_forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) -> Result<()> {
        let (n, shared) = (lane.active, self.shared_inputs);
        let gradient = self.dynamics().is_gradient();
        let leak = self.dynamics().leak::<T>();
        for column in 0..n {
            let mut coupled = lane.difference_coupled.column_mut(column);
            for (node, activation) in self.activations() {
                let slope = activation.slope(lane.state[(node, column)]);
                coupled[shared + node] = slope * lane.difference[(node, column)];
            }
        }
        // The same arrays, driven with half the difference for one copy and with its negative for
        // the other: what their amplifiers add is gone from the difference of the two reads.
        lane.difference_force.as_mut_slice().fill(T::zero());
        let gain = gradient.then(|| lane.gain.columns(0, n));
        let (values, currents) = (n * lane.difference_coupled.nrows(), n * self.nodes);
        simd::scale(&mut lane.difference_coupled.as_mut_slice()[..values], T::of(0.5));
        for copy in 0..2 {
            let coupled = lane.difference_coupled.columns(0, n);
            let driven = self.coupled(task.port.other(), coupled, gain);
            let (order, scratch, counts) =
                (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
            let (key, relaxing) = (task.key.with(DIFFERENCE).with(copy), true);
            let context = ReadContext { order, key, time, relaxing, scratch, counts, held: None };
            self.read_couplings(&driven, &mut lane.difference_force.columns_mut(0, n), context)?;
            simd::scale(&mut lane.difference_force.as_mut_slice()[..currents], -T::one());
            simd::scale(&mut lane.difference_coupled.as_mut_slice()[..values], -T::one());
        }
        for column in 0..n {
            let mut force = lane.difference_force.column_mut(column);
            force.axpy(-leak, &lane.difference.column(column), T::one());
            if gradient {
                for (node, activation) in self.activations() {
                    let (current, state) = (lane.force[(node, column)], lane.state[(node, column)]);
                    let difference = lane.difference[(node, column)];
                    force[node] += activation.curvature(state) * current * difference;
                }
            }
            if let Some(nudge) = task.nudge {
                self.nudge(&nudge, lane, column, true);
            }
        }
        Ok(())
    }

    /// Adds -beta dC/dv of one sample to the outputs' part of the force on its nodes, or on the
    /// difference of two copies.
    pub fn nudge(&self, nudge: &Nudge<T>, lane: &mut Lane<T>, column: usize, on_difference: bool) {
        let outputs = self.output_rows();
        let force = if on_difference { &mut lane.difference_force } else { &mut lane.force };
        let mut force = force.column_mut(column);
        let shown = if self.dynamics().is_gradient() { &lane.state } else { &lane.coupled };
        let shown = shown.column(column);
        let shown = &shown.as_slice()[shown.len() - outputs.len()..];
        let targets = lane.targets.column(column);
        nudge.cost.for_each_slope(shown, targets.as_slice(), |i, slope| {
            force[outputs.start + i] -= nudge.beta * slope;
        });
    }

    /// The largest force on a node of one sample; infinite once anything has diverged.
    pub fn residual(&self, lane: &Lane<T>, task: &Task<T>, column: usize) -> T {
        let largest = simd::largest(lane.force.column(column).as_slice());
        if !task.dyadic {
            return largest;
        }
        let of_difference = simd::largest(lane.difference_force.column(column).as_slice());
        largest.max(of_difference / T::of(task.smallest_signal()))
    }

    /// One step of the first `samples` columns along their forces.
    pub fn advance(&self, lane: &mut Lane<T>, task: &Task<T>, samples: usize) {
        let (step, numbers) = (T::of(self.relaxation().step), samples * self.nodes);
        let state = &mut lane.state.as_mut_slice()[..numbers];
        simd::add_scaled(state, step, &lane.force.as_slice()[..numbers]);
        if task.dyadic {
            let difference = &mut lane.difference.as_mut_slice()[..numbers];
            simd::add_scaled(difference, step, &lane.difference_force.as_slice()[..numbers]);
        }
    }
}
