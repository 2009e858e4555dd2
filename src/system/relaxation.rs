//! Relaxation by time stepping: x <- x + eta F(x) until every node's force is below the tolerance.
//!
//! A machine with noise never reaches a small tolerance: it uses all its steps, and a sample counts
//! as settled when its last residual is within what the reads can resolve, tolerance + 8 standard
//! deviations (a maximum over thousands of nodes of noise that has passed through the state once
//! already).

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::network::{AnalogNetwork, Reads};
use super::node::AdditiveNodes;
use super::{Correction, Measurement, Nudge, Phase};
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::arithmetic::simd;
use crate::coupler::{Exact, Port};
use crate::quantity::range;

/// How many standard deviations of a read a residual may show at the steady state.
const RESOLUTION_MARGIN: f64 = 8.0;

/// How a steady state is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelaxationMethod {
    /// As the machine does it, step by step in time.
    #[default]
    TimeSteps,
    /// One layer after another: the same steady state for machines without loops and noise, at a
    /// fraction of the arithmetic.
    LayerByLayer,
}

/// When and how a relaxation stops: the table `[relaxation]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relaxation {
    /// How the steady state is found.
    pub method: RelaxationMethod,
    /// Step eta, in time constants of a node.
    #[serde(deserialize_with = "range::up_to_one")]
    pub step: f64,
    /// The force below which a node is at rest.
    #[serde(deserialize_with = "range::positive")]
    pub tolerance: f64,
    /// The most steps of a phase.
    #[serde(deserialize_with = "range::positive_integer")]
    pub max_steps: usize,
}

impl Default for Relaxation {
    fn default() -> Self {
        Self { method: RelaxationMethod::TimeSteps, step: 0.5, tolerance: 1e-5, max_steps: 200 }
    }
}

/// What a phase asks of every lane.
pub(super) struct Task<'a, T: Real> {
    pub port: Port,
    pub nudge: Option<Nudge<'a, T>>,
    pub free: Option<&'a Measurement<T>>,
    pub held: Option<&'a DMatrix<T>>,
    pub model: Option<Vec<Exact<T>>>,
    pub dyadic: bool,
    pub key: Key,
}

impl<'a, T: Real> Task<'a, T> {
    pub fn new(network: &AnalogNetwork<T>, phase: &Phase<'a, T>, key: Key) -> Self {
        let plain = Self {
            port: Port::Forward,
            nudge: None,
            free: None,
            held: None,
            model: None,
            dyadic: false,
            key,
        };
        match *phase {
            Phase::Free => plain,
            Phase::Nudged { nudge, correction, free } => {
                let task = Self { nudge: Some(nudge), free: Some(free), ..plain };
                match correction {
                    Correction::None => task,
                    Correction::PortReversal(held) => {
                        Self { port: Port::Reversed, held: Some(&held.0), ..task }
                    }
                    Correction::DigitalModel => Self { model: Some(network.intended()), ..task },
                }
            }
            Phase::Dyadic { nudge, free } => {
                Self { nudge: Some(nudge), free: Some(free), dyadic: true, ..plain }
            }
        }
    }

    /// The scale of the smallest thing that is measured: the difference of two copies is of order
    /// beta.
    fn smallest_signal(&self) -> f64 {
        self.nudge.filter(|_| self.dyadic).map_or(1.0, |nudge| nudge.beta.f64().abs().min(1.0))
    }
}

/// Names the reads of the difference of two copies, beside those of the machine itself.
const DIFFERENCE: u64 = 1_000_000;

impl<T: Real> AnalogNetwork<T> {
    /// Lets the samples of one lane settle; says which of its columns did.
    pub(super) fn relax(&self, lane: &mut Lane<T>, task: &Task<T>) -> Vec<bool> {
        if let Some(order) = self.order.as_ref().filter(|_| task.model.is_none() && !task.dyadic) {
            return self.solve(lane, task, order);
        }
        let samples = lane.active;
        if self.dynamics().is_gradient() || task.model.is_some() || task.dyadic {
            self.step_in_general(lane, task);
        } else {
            self.step_additive(lane, task);
        }
        lane.active = samples;
        let resolvable = self.relaxation().tolerance
            + RESOLUTION_MARGIN * self.resolution / task.smallest_signal();
        lane.residual.iter().map(|residual| residual.f64() <= resolvable).collect()
    }

    /// Steps until all samples have settled or no steps are left: any nodes, any phase, one thing
    /// after another.
    fn step_in_general(&self, lane: &mut Lane<T>, task: &Task<T>) {
        let tolerance = T::of(self.relaxation().tolerance);
        for time in 0..self.relaxation().max_steps {
            if lane.active == 0 {
                break;
            }
            self.forces(lane, task, time as u64);
            for column in 0..lane.active {
                lane.residual[column] = self.residual(lane, task, column);
            }
            lane.retire_settled(tolerance, task);
            self.advance(lane, task, lane.active);
        }
        // What moved last is not expressed yet.
        self.express(lane, lane.active);
    }

    /// The same for additive nodes and a single copy of the machine: all that happens to a node in
    /// a step happens in one pass.
    fn step_additive(&self, lane: &mut Lane<T>, task: &Task<T>) {
        let (tolerance, step) = (T::of(self.relaxation().tolerance), T::of(self.relaxation().step));
        let (nodes, shared) = (self.node_count(), self.shared_inputs);
        self.express(lane, lane.active);
        lane.force.as_mut_slice().copy_from_slice(lane.held.as_slice());
        simd::add_scaled(lane.force.as_mut_slice(), -T::one(), lane.state.as_slice());
        for time in 0..self.relaxation().max_steps {
            let n = lane.active;
            if n == 0 {
                break;
            }
            let (order, scratch, counts) =
                (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
            let reads = Reads {
                first_row: 0,
                order,
                key: task.key,
                time: time as u64,
                foreground: None,
                scratch,
                counts,
            };
            self.read_couplings(
                task.port,
                lane.coupled.columns(0, n),
                None,
                &mut lane.force.columns_mut(0, n),
                reads,
            );
            for column in 0..n {
                if let Some(nudge) = &task.nudge {
                    self.nudge(nudge, lane, column, false);
                }
                lane.residual[column] =
                    simd::largest(&lane.force.as_slice()[column * nodes..(column + 1) * nodes]);
            }
            lane.retire_settled(tolerance, task);
            if let Some(activation) = self.only_response() {
                let all = lane.active * nodes;
                let (state, shown) = (
                    &mut lane.state.as_mut_slice()[..all],
                    &mut lane.coupled.as_mut_slice()[..all],
                );
                let (force, held) =
                    (&mut lane.force.as_mut_slice()[..all], &lane.held.as_slice()[..all]);
                activation.step(AdditiveNodes { state, shown, force, held }, step);
                continue;
            }
            for column in 0..lane.active {
                let own = column * nodes..(column + 1) * nodes;
                let (state, force) = (
                    &mut lane.state.as_mut_slice()[own.clone()],
                    &mut lane.force.as_mut_slice()[own.clone()],
                );
                let (held, coupled) = (&lane.held.as_slice()[own], lane.coupled.as_mut_slice());
                let shown = &mut coupled
                    [column * (shared + nodes) + shared..(column + 1) * (shared + nodes)];
                for (rows, activation) in self.responses() {
                    let nodes = AdditiveNodes {
                        state: &mut state[rows.clone()],
                        shown: &mut shown[rows.clone()],
                        force: &mut force[rows.clone()],
                        held: &held[rows],
                    };
                    activation.step(nodes, step);
                }
            }
        }
    }

    /// One more step of all samples of a lane, settled or not: noise keeps a machine moving.
    pub(super) fn move_on(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) {
        self.forces(lane, task, time);
        self.advance(lane, task, lane.active);
        self.express(lane, lane.active);
    }

    /// Writes what the nodes of the first `samples` columns put on their couplings, and the slopes
    /// of gradient nodes.
    pub(super) fn express(&self, lane: &mut Lane<T>, samples: usize) {
        let shared = self.shared_inputs;
        let gradient = self.dynamics().is_gradient();
        for column in 0..samples {
            let (states, mut coupled) =
                (lane.state.column(column), lane.coupled.column_mut(column));
            for (rows, activation) in self.responses() {
                let states = &states.as_slice()[rows.clone()];
                activation.values(
                    states,
                    &mut coupled.as_mut_slice()[shared + rows.start..shared + rows.end],
                );
                if gradient {
                    activation
                        .slopes(states, &mut lane.gain.column_mut(column).as_mut_slice()[rows]);
                }
            }
        }
    }

    /// Writes what some nodes of one sample put on their couplings.
    pub(super) fn express_rows(&self, lane: &mut Lane<T>, column: usize, rows: &Range<usize>) {
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
    fn forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) {
        let n = lane.active;
        let numbers = n * self.node_count();
        self.express(lane, n);
        let gradient = self.dynamics().is_gradient();
        // The curvature of gradient nodes acts on the bare current, so the dyadic phase applies
        // slopes itself.
        let gain = (gradient && !task.dyadic).then(|| lane.gain.columns(0, n));
        lane.force.as_mut_slice()[..numbers].copy_from_slice(&lane.held.as_slice()[..numbers]);
        if gain.is_some() {
            simd::multiply(
                &mut lane.force.as_mut_slice()[..numbers],
                &lane.gain.as_slice()[..numbers],
            );
        }
        let mut force = lane.force.columns_mut(0, n);
        let (order, scratch, counts) = (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
        let reads =
            Reads { first_row: 0, order, key: task.key, time, foreground: None, scratch, counts };
        self.read_couplings(
            task.port,
            lane.coupled.columns(0, n),
            gain.as_ref(),
            &mut force,
            reads,
        );
        if let Some(model) = &task.model {
            // -(W_m - W_m^T)(v - v0): the model read forward at v0 - v, then reversed at v - v0.
            for (port, plus, minus) in [
                (Port::Forward, &lane.rest_coupled, &lane.coupled),
                (Port::Reversed, &lane.coupled, &lane.rest_coupled),
            ] {
                let mut deviation = lane.deviation.columns_mut(0, n);
                plus.columns(0, n).sub_to(&minus.columns(0, n), &mut deviation);
                self.read_model(
                    model,
                    port,
                    lane.deviation.columns(0, n),
                    gain.as_ref(),
                    &mut force,
                    &mut lane.scratch,
                );
            }
        }
        if task.dyadic {
            self.difference_forces(lane, task, time);
            if gradient {
                simd::multiply(
                    &mut lane.force.as_mut_slice()[..numbers],
                    &lane.gain.as_slice()[..numbers],
                );
            }
        }
        let leak = self.dynamics().leak::<T>();
        simd::add_scaled(
            &mut lane.force.as_mut_slice()[..numbers],
            -leak,
            &lane.state.as_slice()[..numbers],
        );
        if let Some(nudge) = task.nudge.filter(|_| !task.dyadic) {
            for column in 0..n {
                self.nudge(&nudge, lane, column, false);
            }
        }
    }

    /// J(m)^T d - beta dC/dm, in the coordinates of the state. For additive nodes the state of the
    /// difference is delta with d = f' delta; for gradient nodes it is d itself and `lane.force`
    /// holds the bare current.
    fn difference_forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) {
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
        lane.difference_force.as_mut_slice().fill(T::zero());
        let mut force = lane.difference_force.columns_mut(0, n);
        let gain = gradient.then(|| lane.gain.columns(0, n));
        let (order, scratch, counts) = (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
        let reads = Reads {
            first_row: 0,
            order,
            key: task.key.with(DIFFERENCE),
            time,
            foreground: None,
            scratch,
            counts,
        };
        self.read_couplings(
            task.port.other(),
            lane.difference_coupled.columns(0, n),
            gain.as_ref(),
            &mut force,
            reads,
        );
        for column in 0..n {
            let mut force = lane.difference_force.column_mut(column);
            force.axpy(-leak, &lane.difference.column(column), T::one());
            if gradient {
                for (node, activation) in self.activations() {
                    let current = lane.force[(node, column)];
                    force[node] += activation.curvature(lane.state[(node, column)])
                        * current
                        * lane.difference[(node, column)];
                }
            }
            if let Some(nudge) = task.nudge {
                self.nudge(&nudge, lane, column, true);
            }
        }
    }

    /// Adds -beta dC/dv of one sample to the outputs' part of the force on its nodes, or on the
    /// difference of two copies.
    fn nudge(&self, nudge: &Nudge<T>, lane: &mut Lane<T>, column: usize, on_difference: bool) {
        let outputs = self.output_rows();
        let force = if on_difference { &mut lane.difference_force } else { &mut lane.force };
        let mut force = force.column_mut(column);
        let shown = if self.dynamics().is_gradient() {
            lane.state.column(column)
        } else {
            lane.coupled.column(column)
        };
        let shown = &shown.as_slice()[shown.len() - outputs.len()..];
        nudge.cost.for_each_slope(shown, lane.targets.column(column).as_slice(), |i, slope| {
            force[outputs.start + i] -= nudge.beta * slope
        });
    }

    /// The largest force on a node of one sample; infinite once anything has diverged.
    fn residual(&self, lane: &Lane<T>, task: &Task<T>, column: usize) -> T {
        let largest = simd::largest(lane.force.column(column).as_slice());
        if !task.dyadic {
            return largest;
        }
        largest.max(
            simd::largest(lane.difference_force.column(column).as_slice())
                / T::of(task.smallest_signal()),
        )
    }

    /// One step of the first `samples` columns along their forces.
    fn advance(&self, lane: &mut Lane<T>, task: &Task<T>, samples: usize) {
        let (step, numbers) = (T::of(self.relaxation().step), samples * self.node_count());
        simd::add_scaled(
            &mut lane.state.as_mut_slice()[..numbers],
            step,
            &lane.force.as_slice()[..numbers],
        );
        if task.dyadic {
            simd::add_scaled(
                &mut lane.difference.as_mut_slice()[..numbers],
                step,
                &lane.difference_force.as_slice()[..numbers],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Experiment;
    use crate::system::{Cost, HeldCurrent, System};

    #[test]
    fn one_pass_a_step_is_one_thing_after_another() {
        for activation in ["tanh", "logistic", "clip", "softplus", "sine"] {
            for topology in ["one-way", "independent-feedback"] {
                let settings = [
                    format!("network.activation={activation}"),
                    format!("network.topology={topology}"),
                ];
                let machine = "[network]\nlayers = [5, 40, 3]\nprecision = \"f64\"\n[relaxation]\nstep = 0.5\ntolerance = 1e-6\nmax_steps = 40";
                let mut network = Experiment::parse(machine, "test", &settings)
                    .unwrap()
                    .machine::<f64>()
                    .unwrap();
                let inputs = DMatrix::from_fn(5, 7, |i, j| {
                    (1.3 * i as f64 + 0.7 * j as f64).sin() * j as f64
                });
                let targets =
                    DMatrix::from_fn(3, 7, |i, j| 0.8 * (i as f64 - 0.9 * j as f64).cos());
                let free = network.settle(&inputs, &Phase::Free).unwrap();
                let held: HeldCurrent<f64> = network.held_current(&inputs, &free).unwrap();
                let nudge = Nudge { beta: 0.3, cost: Cost::SquaredError, targets: &targets };
                let nudged = Phase::Nudged {
                    nudge,
                    correction: Correction::PortReversal(&held),
                    free: &free,
                };
                for phase in [Phase::Free, nudged] {
                    let task = Task::new(&network, &phase, Key::new(1, "test"));
                    let drive =
                        DMatrix::from_fn(43, 7, |i, j| (0.3 * i as f64 - 0.5 * j as f64).cos());
                    let mut lanes = [Lane::default(), Lane::default()];
                    for (lane, in_general) in lanes.iter_mut().zip([true, false]) {
                        lane.load(&network, &inputs, &drive, &task, 0..7);
                        if in_general {
                            network.step_in_general(lane, &task);
                        } else {
                            network.step_additive(lane, &task);
                        }
                    }
                    let [one, other] = lanes;
                    assert_eq!(
                        (&one.order, &one.steps, one.active),
                        (&other.order, &other.steps, other.active),
                        "{settings:?}"
                    );
                    assert!(
                        (one.state - other.state).amax() < 1e-13
                            && (one.coupled - other.coupled).amax() < 1e-13,
                        "{settings:?}"
                    );
                }
            }
        }
    }
}
