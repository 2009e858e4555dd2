//! Relaxation by time stepping: x <- x + eta F(x) until every node's force is below the tolerance.
//!
//! Samples relax in lanes of fixed size, so that results do not depend on the number of threads; a sample that has settled leaves
//! its lane. A machine with noise never reaches a small tolerance: it uses all its steps, and a sample counts as settled when its
//! last residual is within what the reads can resolve, tolerance + 8 standard deviations (a maximum over thousands of nodes of
//! noise that has passed through the state once already).

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::network::{AnalogNetwork, Reads};
use super::{Activation, Correction, Measurement, Nudge, Phase};
use crate::config::range;
use crate::coupler::{Exact, Port};
use crate::random::Key;
use crate::real::Real;

/// Samples that relax together.
pub(super) const LANE: usize = 32;

/// How many standard deviations of a read a residual may show at the steady state.
const RESOLUTION_MARGIN: f64 = 8.0;

/// When and how a relaxation stops: the table `[relaxation]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relaxation {
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
        Self { step: 0.5, tolerance: 1e-5, max_steps: 200 }
    }
}

/// One lane of samples on their way to a steady state; every buffer is reused from settling to settling.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane<T: Real> {
    /// The sample in each column; settled ones are moved behind the first `active` columns.
    pub order: Vec<usize>,
    pub active: usize,
    /// States u or s, nodes x samples.
    pub state: DMatrix<T>,
    /// Constant currents, nodes x samples.
    pub held: DMatrix<T>,
    /// What nodes put on their couplings, inputs first: (inputs + nodes) x samples.
    pub coupled: DMatrix<T>,
    /// Slopes f'(s) of gradient nodes.
    gain: DMatrix<T>,
    force: DMatrix<T>,
    targets: DMatrix<T>,
    /// Deviation from the free steady state, for the digital model: (inputs + nodes) x samples.
    rest_coupled: DMatrix<T>,
    deviation: DMatrix<T>,
    /// State of the difference of two copies, what it puts on the couplings, and its force.
    difference: DMatrix<T>,
    difference_coupled: DMatrix<T>,
    difference_force: DMatrix<T>,
    residual: Vec<T>,
    steps: Vec<usize>,
    pub scratch: Vec<T>,
    /// Output values of one sample, for its nudge.
    shown: Vec<T>,
    /// Sample-reads of each coupling: driven forward, driven reversed.
    pub reads: Vec<[u64; 2]>,
}

/// What one lane reports, columns in the order of its samples.
pub(super) struct LaneReading<T: Real> {
    pub values: DMatrix<T>,
    pub difference: Option<DMatrix<T>>,
    pub settled: Vec<bool>,
    pub steps: Vec<usize>,
    pub state: DMatrix<T>,
    pub held: DMatrix<T>,
}

/// What a phase asks of every lane.
pub(super) struct Task<'a, T: Real> {
    port: Port,
    nudge: Option<Nudge<'a, T>>,
    free: Option<&'a Measurement<T>>,
    held: Option<&'a DMatrix<T>>,
    model: Option<Vec<Exact<T>>>,
    dyadic: bool,
    key: Key,
}

impl<'a, T: Real> Task<'a, T> {
    pub(super) fn new(network: &AnalogNetwork<T>, phase: &Phase<'a, T>, key: Key) -> Self {
        let plain = Self { port: Port::Forward, nudge: None, free: None, held: None, model: None, dyadic: false, key };
        match *phase {
            Phase::Free => plain,
            Phase::Nudged { nudge, correction, free } => {
                let task = Self { nudge: Some(nudge), free: Some(free), ..plain };
                match correction {
                    Correction::None => task,
                    Correction::PortReversal(held) => Self { port: Port::Reversed, held: Some(&held.0), ..task },
                    Correction::DigitalModel => Self { model: Some(network.intended()), ..task },
                }
            }
            Phase::Dyadic { nudge, free } => Self { nudge: Some(nudge), free: Some(free), dyadic: true, ..plain },
        }
    }

    /// The scale of the smallest thing that is measured: the difference of two copies is of order beta.
    fn smallest_signal(&self) -> f64 {
        self.nudge.filter(|_| self.dyadic).map_or(1.0, |nudge| nudge.beta.f64().abs().min(1.0))
    }
}

/// The random streams of a settling, beside those of the reads of the machine itself.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// Reads of the difference of two copies.
    Difference = 1_000_000,
    /// Reads of the nodes.
    Instruments,
}

/// Gives `matrix` a shape, keeping its allocation.
fn reshape<T: Real>(matrix: &mut DMatrix<T>, rows: usize, columns: usize) {
    if matrix.shape() != (rows, columns) {
        matrix.resize_mut(rows, columns, T::zero());
    }
}

impl<T: Real> Lane<T> {
    /// Takes on samples `range` of a batch, where `task` starts.
    pub(super) fn load(&mut self, network: &AnalogNetwork<T>, inputs: &DMatrix<T>, task: &Task<T>, range: Range<usize>) {
        let (rows, start, samples) = (network.input_count() + network.node_count(), range.start, range.len());
        self.seat(network, inputs, range);
        match task.free {
            None => {
                self.state.fill(T::zero());
                network.read_drive(self, task.key);
            }
            Some(free) => {
                self.state.copy_from(&free.rest.state.columns(start, samples));
                self.held.copy_from(&free.rest.held.columns(start, samples));
            }
        }
        if let Some(held) = task.held {
            self.held += held.columns(start, samples);
        }
        if let Some(nudge) = task.nudge {
            reshape(&mut self.targets, nudge.targets.nrows(), samples);
            self.targets.copy_from(&nudge.targets.columns(start, samples));
        }
        if task.model.is_some() {
            network.express(self);
            self.rest_coupled.clone_from(&self.coupled);
            reshape(&mut self.deviation, rows, samples);
        }
        if task.dyadic {
            for matrix in [&mut self.difference, &mut self.difference_force] {
                reshape(matrix, network.node_count(), samples);
                matrix.fill(T::zero());
            }
            reshape(&mut self.difference_coupled, rows, samples);
            self.difference_coupled.fill(T::zero());
        }
    }

    /// Takes on samples `range` at the nodes' rest `state` (nodes x all samples), to be read and not moved.
    pub(super) fn rest_at(&mut self, network: &AnalogNetwork<T>, inputs: &DMatrix<T>, state: &DMatrix<T>, range: Range<usize>) {
        self.seat(network, inputs, range.clone());
        self.state.copy_from(&state.columns(range.start, range.len()));
        network.express(self);
    }

    /// Gives every buffer its shape, and the inputs their rows.
    fn seat(&mut self, network: &AnalogNetwork<T>, inputs: &DMatrix<T>, range: Range<usize>) {
        let (driven, nodes, samples) = (network.input_count(), network.node_count(), range.len());
        self.order.clear();
        self.order.extend(range.clone());
        self.active = samples;
        for matrix in [&mut self.state, &mut self.held, &mut self.force] {
            reshape(matrix, nodes, samples);
        }
        if network.dynamics().is_gradient() {
            reshape(&mut self.gain, nodes, samples);
        }
        reshape(&mut self.coupled, driven + nodes, samples);
        self.coupled.rows_mut(0, driven).copy_from(&inputs.columns(range.start, samples));
        self.residual.clear();
        self.residual.resize(samples, T::zero());
        self.steps.clear();
        self.steps.resize(samples, 0);
        self.reads.clear();
        self.reads.resize(network.couplings().len(), [0, 0]);
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
            for matrix in [&mut self.difference, &mut self.difference_coupled, &mut self.difference_force] {
                matrix.swap_columns(column, last);
            }
        }
    }
}

impl<T: Real> AnalogNetwork<T> {
    /// Settles the samples of one lane and measures them.
    pub(super) fn relax(&self, lane: &mut Lane<T>, task: &Task<T>) -> LaneReading<T> {
        let samples = lane.active;
        let (tolerance, step) = (T::of(self.relaxation().tolerance), T::of(self.relaxation().step));
        for time in 0..self.relaxation().max_steps {
            if lane.active == 0 {
                break;
            }
            self.forces(lane, task, time as u64);
            let mut column = 0;
            while column < lane.active {
                lane.steps[column] += 1;
                lane.residual[column] = self.residual(lane, task, column);
                if lane.residual[column] <= tolerance {
                    lane.retire(column, task);
                } else {
                    advance(lane, task, column, step);
                    column += 1;
                }
            }
        }
        lane.active = samples;
        let resolvable = tolerance.f64() + RESOLUTION_MARGIN * self.resolution() / task.smallest_signal();
        let settled: Vec<bool> = lane.residual.iter().map(|residual| residual.f64() <= resolvable).collect();
        self.measure(lane, task, step, settled)
    }

    /// Writes what the active samples' nodes put on their couplings, and the slopes of gradient nodes.
    fn express(&self, lane: &mut Lane<T>) {
        let driven = self.input_count();
        for (rows, activation) in self.layers() {
            for column in 0..lane.active {
                for node in rows.clone() {
                    let state = lane.state[(node, column)];
                    lane.coupled[(driven + node, column)] = activation.value(state);
                    if self.dynamics().is_gradient() {
                        lane.gain[(node, column)] = activation.slope(state);
                    }
                }
            }
        }
    }

    /// Computes the force on every node of the active samples, and on the difference of two copies.
    fn forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) {
        self.express(lane);
        let n = lane.active;
        let gradient = self.dynamics().is_gradient();
        // The curvature of gradient nodes acts on the bare current, so the dyadic phase applies slopes itself.
        let gain = (gradient && !task.dyadic).then(|| lane.gain.columns(0, n));
        let mut force = lane.force.columns_mut(0, n);
        force.copy_from(&lane.held.columns(0, n));
        if let Some(gain) = &gain {
            force.component_mul_assign(gain);
        }
        let reads = Reads { order: &lane.order[..n], key: task.key, time, scratch: &mut lane.scratch, counts: &mut lane.reads };
        self.read_couplings(task.port, lane.coupled.columns(0, n), gain.as_ref(), &mut force, reads);
        if let Some(model) = &task.model {
            // -(W_m - W_m^T)(v - v0): the model read forward at v0 - v, then reversed at v - v0.
            for (port, plus, minus) in
                [(Port::Forward, &lane.rest_coupled, &lane.coupled), (Port::Reversed, &lane.coupled, &lane.rest_coupled)]
            {
                let mut deviation = lane.deviation.columns_mut(0, n);
                plus.columns(0, n).sub_to(&minus.columns(0, n), &mut deviation);
                self.read_model(model, port, lane.deviation.columns(0, n), gain.as_ref(), &mut force, &mut lane.scratch);
            }
        }
        if task.dyadic {
            self.difference_forces(lane, task, time);
        }
        let leak = self.dynamics().leak::<T>();
        for column in 0..n {
            let (state, mut force) = (lane.state.column(column), lane.force.column_mut(column));
            if gradient && task.dyadic {
                force.component_mul_assign(&lane.gain.column(column));
            }
            force.axpy(-leak, &state, T::one());
            if let Some(nudge) = task.nudge.filter(|_| !task.dyadic) {
                self.nudge(&nudge, state.as_slice(), lane.targets.column(column).as_slice(), force.as_mut_slice(), &mut lane.shown);
            }
        }
    }

    /// J(m)^T d - beta dC/dm, in the coordinates of the state. For additive nodes the state of the difference is delta with
    /// d = f' delta; for gradient nodes it is d itself and `lane.force` holds the bare current.
    fn difference_forces(&self, lane: &mut Lane<T>, task: &Task<T>, time: u64) {
        let (n, driven) = (lane.active, self.input_count());
        let gradient = self.dynamics().is_gradient();
        let leak = self.dynamics().leak::<T>();
        for column in 0..n {
            let mut coupled = lane.difference_coupled.column_mut(column);
            for (node, activation) in self.activations() {
                let slope = activation.slope(lane.state[(node, column)]);
                coupled[driven + node] = slope * lane.difference[(node, column)];
            }
        }
        let mut force = lane.difference_force.columns_mut(0, n);
        force.fill(T::zero());
        let gain = gradient.then(|| lane.gain.columns(0, n));
        let key = task.key.with(Stream::Difference as u64);
        let reads = Reads { order: &lane.order[..n], key, time, scratch: &mut lane.scratch, counts: &mut lane.reads };
        self.read_couplings(task.port.other(), lane.difference_coupled.columns(0, n), gain.as_ref(), &mut force, reads);
        for column in 0..n {
            let state = lane.state.column(column);
            let mut force = lane.difference_force.column_mut(column);
            force.axpy(-leak, &lane.difference.column(column), T::one());
            if gradient {
                for (node, activation) in self.activations() {
                    let current = lane.force[(node, column)];
                    force[node] += activation.curvature(state[node]) * current * lane.difference[(node, column)];
                }
            }
            if let Some(nudge) = task.nudge {
                self.nudge(&nudge, state.as_slice(), lane.targets.column(column).as_slice(), force.as_mut_slice(), &mut lane.shown);
            }
        }
    }

    /// Adds -beta dC/dv of one sample to the outputs' part of its force.
    fn nudge(&self, nudge: &Nudge<T>, state: &[T], targets: &[T], force: &mut [T], shown: &mut Vec<T>) {
        let outputs = self.output_rows();
        shown.clear();
        shown.extend(state[outputs.clone()].iter().map(|state| self.shown(self.output_activation(), *state)));
        nudge.cost.for_each_slope(shown, targets, |i, slope| force[outputs.start + i] -= nudge.beta * slope);
    }

    /// What instruments see of a node: v of an additive node, s of a gradient node.
    fn shown(&self, activation: Activation, state: T) -> T {
        if self.dynamics().is_gradient() { state } else { activation.value(state) }
    }

    /// Reads the nodes `instruments.samples` times and averages; a machine with noise goes on moving between the reads.
    fn measure(&self, lane: &mut Lane<T>, task: &Task<T>, step: T, settled: Vec<bool>) -> LaneReading<T> {
        let (samples, nodes, first) = (lane.active, self.node_count(), lane.order.iter().copied().min().unwrap_or(0));
        let instruments = self.instruments();
        let moving = self.resolution() > 0.0;
        let share = T::one() / T::of(instruments.samples as f64);
        let mut values = DMatrix::zeros(nodes, samples);
        let mut difference = task.dyadic.then(|| DMatrix::zeros(nodes, samples));
        for read in 0..instruments.samples as u64 {
            if read > 0 && moving {
                self.forces(lane, task, self.relaxation().max_steps as u64 + read);
                (0..samples).for_each(|column| advance(lane, task, column, step));
            }
            for (column, sample) in lane.order.iter().enumerate() {
                let mut stream = task.key.with(Stream::Instruments as u64).with(*sample as u64).with(read).stream();
                let at = sample - first;
                for (node, activation) in self.activations() {
                    let state = lane.state[(node, column)];
                    let value = self.shown(activation, state);
                    let Some(difference) = &mut difference else {
                        values[(node, at)] += share * instruments.read(value, &mut stream);
                        continue;
                    };
                    let delta = lane.difference[(node, column)];
                    let half = T::of(0.5) * if self.dynamics().is_gradient() { delta } else { activation.slope(state) * delta };
                    let (upper, lower) = (instruments.read(value + half, &mut stream), instruments.read(value - half, &mut stream));
                    values[(node, at)] += share * T::of(0.5) * (upper + lower);
                    difference[(node, at)] += share * (upper - lower);
                }
            }
        }
        let mut reading = LaneReading {
            values,
            difference,
            settled: vec![false; samples],
            steps: vec![0; samples],
            state: DMatrix::zeros(nodes, samples),
            held: DMatrix::zeros(nodes, samples),
        };
        for (column, sample) in lane.order.iter().enumerate() {
            let at = sample - first;
            reading.settled[at] = settled[column];
            reading.steps[at] = lane.steps[column];
            reading.state.set_column(at, &lane.state.column(column));
            reading.held.set_column(at, &lane.held.column(column));
        }
        reading
    }

    /// The largest force on a node of one sample; infinite once anything has diverged.
    fn residual(&self, lane: &Lane<T>, task: &Task<T>, column: usize) -> T {
        let infinite = T::of(f64::INFINITY);
        let largest = |force: &DMatrix<T>| {
            let size = |force: &T| if force.is_finite() { force.abs() } else { infinite };
            force.column(column).iter().map(size).fold(T::zero(), |largest, size| largest.max(size))
        };
        if !task.dyadic {
            return largest(&lane.force);
        }
        largest(&lane.force).max(largest(&lane.difference_force) / T::of(task.smallest_signal()))
    }
}

/// One step along the force.
fn advance<T: Real>(lane: &mut Lane<T>, task: &Task<T>, column: usize, step: T) {
    lane.state.column_mut(column).axpy(step, &lane.force.column(column), T::one());
    if task.dyadic {
        lane.difference.column_mut(column).axpy(step, &lane.difference_force.column(column), T::one());
    }
}
