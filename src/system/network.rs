//! The analog network: layers of nodes joined by couplings.

use std::ops::Range;

use nalgebra::{DMatrix, DVectorView};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::relaxation::{LANE, Lane, Task};
use super::{Activation, Dynamics, Gradient, HeldCurrent, MachineState, Measurement, Phase, Relaxation, Rest, System};
use crate::config::range;
use crate::coupler::quantiser::Quantiser;
use crate::coupler::{Coupler, Domain, Exact, Expense, Parameter, Port, Read, ReadNoise};
use crate::random::{self, Key};
use crate::real::{Factor, Real, View, ViewMut, add_product};
use crate::{Error, Result};

/// Nodes that share a response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// How many.
    pub nodes: usize,
    /// Their response.
    pub activation: Activation,
}

/// How many ways a coupling's array is used while the machine infers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CouplingKind {
    /// W from source to target.
    OneWay,
    /// One array used both ways: W from source to target, W^T back.
    Reciprocal,
}

/// One physical array between two ranges of machine rows (inputs first, then nodes layer by layer).
pub struct Coupling<T: Real> {
    /// The name its parameters carry.
    pub name: String,
    /// Rows that drive the coupler's inputs.
    pub from: Range<usize>,
    /// Rows that its outputs reach.
    pub to: Range<usize>,
    /// How it is used.
    pub kind: CouplingKind,
    /// The hardware.
    pub coupler: Box<dyn Coupler<T>>,
}

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
    /// Reads averaged into one measurement.
    #[serde(deserialize_with = "range::positive_integer")]
    pub samples: usize,
}

impl Default for Instruments {
    fn default() -> Self {
        Self { bits: 0, range: 1.0, noise: 0.0, samples: 1 }
    }
}

impl Instruments {
    /// One read of `value`.
    pub(super) fn read<T: Real>(&self, value: T, stream: &mut random::Stream) -> T {
        let seen = if self.noise > 0.0 { value + T::of(self.noise) * T::normal(stream) } else { value };
        if self.bits > 0 { Quantiser::new(self.bits, self.range).apply(seen) } else { seen }
    }
}

/// Everything an analog network is made of.
pub struct NetworkDescription<T: Real> {
    /// Number of driven inputs.
    pub inputs: usize,
    /// Layers of nodes; the last one is the output.
    pub layers: Vec<Layer>,
    /// What the nodes' states do.
    pub dynamics: Dynamics,
    /// The arrays between them.
    pub couplings: Vec<Coupling<T>>,
    /// Constant currents, one a node; trained if `train_bias`.
    pub bias: DMatrix<T>,
    /// Whether biases are trained.
    pub train_bias: bool,
    /// When and how a relaxation stops.
    pub relaxation: Relaxation,
    /// What reads the nodes.
    pub instruments: Instruments,
    /// Names all random streams of this machine.
    pub seed: u64,
}

/// A simulated machine of layers of nodes joined by couplings. Couplings that do not exist cost nothing.
pub struct AnalogNetwork<T: Real> {
    made_of: NetworkDescription<T>,
    nodes: usize,
    settlings: u64,
    programmings: u64,
    reads: Vec<[u64; 2]>,
    lanes: Vec<Lane<T>>,
}

/// The context of one read of all couplings.
pub(super) struct Reads<'a, T> {
    pub order: &'a [usize],
    pub key: Key,
    pub time: u64,
    pub scratch: &'a mut Vec<T>,
    pub counts: &'a mut [[u64; 2]],
}

impl<T: Real> AnalogNetwork<T> {
    /// Builds the machine.
    ///
    /// # Errors
    /// When a coupling's array does not fit the rows it joins, or the bias does not fit the nodes.
    pub fn new(description: NetworkDescription<T>) -> Result<Self> {
        let nodes: usize = description.layers.iter().map(|layer| layer.nodes).sum();
        let rows = description.inputs + nodes;
        for Coupling { name, from, to, coupler, .. } in &description.couplings {
            if from.end > rows || to.end > rows || coupler.shape() != (to.len(), from.len()) {
                let (outputs, inputs) = coupler.shape();
                return Err(Error::input(format!(
                    "coupling {name}: an array of {outputs} x {inputs} does not fit from rows {from:?} to rows {to:?} of {rows}"
                )));
            }
        }
        if description.bias.shape() != (nodes, 1) {
            return Err(Error::input(format!("bias: expected {nodes} values, one a node, found {}", description.bias.len())));
        }
        let reads = vec![[0, 0]; description.couplings.len()];
        Ok(Self { made_of: description, nodes, settlings: 0, programmings: 0, reads, lanes: Vec::new() })
    }

    /// Number of driven inputs.
    pub fn input_count(&self) -> usize {
        self.made_of.inputs
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes
    }

    /// What the nodes' states do.
    pub fn dynamics(&self) -> Dynamics {
        self.made_of.dynamics
    }

    /// The arrays of this machine.
    pub fn couplings(&self) -> &[Coupling<T>] {
        &self.made_of.couplings
    }

    /// When and how a relaxation stops.
    pub fn relaxation(&self) -> &Relaxation {
        &self.made_of.relaxation
    }

    /// Constant currents, one a node.
    pub(super) fn bias(&self) -> DVectorView<'_, T> {
        self.made_of.bias.column(0)
    }

    /// What this machine is made of, without its arrays.
    pub(super) fn description_without_couplings(&self) -> NetworkDescription<T> {
        let made_of = &self.made_of;
        NetworkDescription { couplings: Vec::new(), layers: made_of.layers.clone(), bias: made_of.bias.clone(), ..*made_of }
    }

    pub(super) fn instruments(&self) -> &Instruments {
        &self.made_of.instruments
    }

    pub(super) fn output_rows(&self) -> Range<usize> {
        let outputs = self.made_of.layers.last().map_or(0, |layer| layer.nodes);
        self.nodes - outputs..self.nodes
    }

    pub(super) fn output_activation(&self) -> Activation {
        self.made_of.layers.last().map_or(Activation::Identity, |layer| layer.activation)
    }

    /// Every layer's rows among the nodes, with its response.
    pub(super) fn layers(&self) -> impl Iterator<Item = (Range<usize>, Activation)> + '_ {
        self.made_of.layers.iter().scan(0, |end, layer| {
            let start = *end;
            *end += layer.nodes;
            Some((start..*end, layer.activation))
        })
    }

    /// Every node with its response.
    pub(super) fn activations(&self) -> impl Iterator<Item = (usize, Activation)> + '_ {
        self.layers().flat_map(|(rows, activation)| rows.map(move |node| (node, activation)))
    }

    /// The smallest force that the machine's reads resolve, as a standard deviation.
    pub(super) fn resolution(&self) -> f64 {
        self.couplings().iter().map(|coupling| coupling.coupler.resolution()).fold(0.0, f64::hypot)
    }

    /// Digital models of all arrays, as they were programmed.
    pub(super) fn intended(&self) -> Vec<Exact<T>> {
        self.couplings().iter().map(|coupling| Exact::new(coupling.coupler.intended())).collect()
    }

    /// The uses of a coupling's array when the machine's ports are at `port`: (driven side, driving rows, wanted rows).
    fn uses(coupling: &Coupling<T>, port: Port) -> impl Iterator<Item = (Port, &Range<usize>, &Range<usize>)> {
        let forward = (Port::Forward, &coupling.from, &coupling.to);
        let reversed = (Port::Reversed, &coupling.to, &coupling.from);
        let both = coupling.kind == CouplingKind::Reciprocal;
        let forward = (both || port == Port::Forward).then_some(forward);
        let reversed = (both || port == Port::Reversed).then_some(reversed);
        forward.into_iter().chain(reversed)
    }

    /// The part of `rows` that are nodes, as ports of the array and as rows of a force.
    fn wanted(&self, rows: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let start = rows.start.max(self.input_count());
        let ports = start.min(rows.end) - rows.start..rows.len();
        let first = start - self.input_count();
        (ports.clone(), first..first + ports.len())
    }

    /// Whether rows are inputs only: their currents are constant, read once and held.
    fn is_drive(&self, rows: &Range<usize>) -> bool {
        rows.end <= self.input_count()
    }

    /// Adds the currents of all couplings between nodes to `force`, nodes x samples; `coupled` is rows x samples.
    pub(super) fn read_couplings(&self, port: Port, coupled: View<T>, gain: Option<&View<T>>, force: &mut ViewMut<T>, reads: Reads<T>) {
        self.read_selected(port, coupled, gain, force, reads, |rows| !self.is_drive(rows));
    }

    /// Adds the currents of the couplings whose driving rows are `selected`.
    fn read_selected(
        &self,
        port: Port,
        coupled: View<T>,
        gain: Option<&View<T>>,
        force: &mut ViewMut<T>,
        reads: Reads<T>,
        selected: impl Fn(&Range<usize>) -> bool,
    ) {
        let samples = coupled.ncols();
        for (index, coupling) in self.couplings().iter().enumerate() {
            for (side, driving, reached) in Self::uses(coupling, port) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() || !selected(driving) {
                    continue;
                }
                let key = reads.key.with(index as u64).with(side as u64);
                let read = Read {
                    port: side,
                    values: coupled.rows(driving.start, driving.len()),
                    gain: gain.map(|gain| gain.rows(rows.start, rows.len())),
                    wanted,
                    noise: ReadNoise { key, samples: reads.order, step: reads.time },
                };
                coupling.coupler.read(&read, force.rows_mut(rows.start, rows.len()), reads.scratch);
                reads.counts[index][side as usize] += samples as u64;
            }
        }
    }

    /// Reads the constant currents of the inputs, averaged over as many reads as a measurement, and adds the biases.
    pub(super) fn read_drive(&self, lane: &mut Lane<T>, key: Key) {
        let reads = self.instruments().samples as u64;
        lane.held.fill(T::zero());
        for read in 0..reads {
            let reads = Reads { order: &lane.order, key, time: u64::MAX - read, scratch: &mut lane.scratch, counts: &mut lane.reads };
            let mut held = lane.held.as_view_mut();
            self.read_selected(Port::Forward, lane.coupled.as_view(), None, &mut held, reads, |rows| self.is_drive(rows));
        }
        lane.held.scale_mut(T::one() / T::of(reads as f64));
        lane.held.column_iter_mut().for_each(|mut column| column += self.bias());
    }

    /// Adds `gain * W_m deviation`, or `gain * W_m^T deviation` at reversed ports, from digital models W_m of all arrays.
    pub(super) fn read_model(
        &self,
        model: &[Exact<T>],
        port: Port,
        deviation: View<T>,
        gain: Option<&View<T>>,
        force: &mut ViewMut<T>,
        scratch: &mut Vec<T>,
    ) {
        for (coupling, model) in self.couplings().iter().zip(model) {
            for (side, driving, reached) in Self::uses(coupling, port) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() || self.is_drive(driving) {
                    continue;
                }
                let values = deviation.rows(driving.start, driving.len());
                let gain = gain.map(|gain| gain.rows(rows.start, rows.len()));
                let noise = ReadNoise { key: Key::new(0, "none"), samples: &[], step: 0 };
                model.read(&Read { port: side, values, gain, wanted, noise }, force.rows_mut(rows.start, rows.len()), scratch);
            }
        }
    }

    fn check(&self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<()> {
        let expect = |what: &str, found: (usize, usize), expected: (usize, usize)| {
            let message = format!("{what}: expected {} x {} (rows x samples), found {} x {}", expected.0, expected.1, found.0, found.1);
            if found == expected { Ok(()) } else { Err(Error::input(message)) }
        };
        let samples = inputs.ncols();
        expect("inputs", inputs.shape(), (self.input_count(), samples))?;
        let (Phase::Nudged { nudge, free, .. } | Phase::Dyadic { nudge, free }) = phase else { return Ok(()) };
        expect("targets", nudge.targets.shape(), (self.output_rows().len(), samples))?;
        expect("free steady state", free.rest.state.shape(), (self.nodes, samples))
    }

    /// Gives every lane its samples and lets `work` loose on all lanes in parallel; counts reads.
    fn on_lanes<R: Send>(&mut self, samples: usize, work: impl Fn(&Self, &mut Lane<T>, Range<usize>) -> R + Sync) -> Vec<R> {
        let mut lanes = std::mem::take(&mut self.lanes);
        let count = samples.div_ceil(LANE);
        if lanes.len() < count {
            lanes.resize_with(count, Lane::default);
        }
        let this = &*self;
        let results: Vec<R> = lanes[..count]
            .par_iter_mut()
            .enumerate()
            .map(|(index, lane)| work(this, lane, index * LANE..samples.min((index + 1) * LANE)))
            .collect();
        for lane in &lanes[..count] {
            for (total, reads) in self.reads.iter_mut().zip(&lane.reads) {
                total[0] += reads[0];
                total[1] += reads[1];
            }
        }
        self.lanes = lanes;
        results
    }

    fn next_key(&mut self, purpose: &str) -> Key {
        self.settlings += 1;
        Key::new(self.made_of.seed, purpose).with(self.settlings)
    }
}

impl<T: Real> System<T> for AnalogNetwork<T> {
    fn inputs(&self) -> usize {
        self.input_count()
    }

    fn outputs(&self) -> Range<usize> {
        self.output_rows()
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let arrays = self.couplings().iter().flat_map(|coupling| {
            let named = |parameter: Parameter<T>| Parameter { name: format!("{}.{}", coupling.name, parameter.name), ..parameter };
            coupling.coupler.parameters().into_iter().map(named)
        });
        let domain = if self.made_of.train_bias { Domain::Real } else { Domain::Fixed };
        let bias = Parameter { name: "bias".into(), values: self.made_of.bias.clone(), domain };
        arrays.chain([bias]).collect()
    }

    fn program(&mut self, values: &[DMatrix<T>]) -> Result<()> {
        let expected = self.parameters();
        if expected.len() != values.len() {
            return Err(Error::input(format!("expected {} parameters, found {}", expected.len(), values.len())));
        }
        for (parameter, values) in expected.iter().zip(values) {
            let (rows, columns) = parameter.values.shape();
            if values.shape() != (rows, columns) {
                let (found_rows, found_columns) = values.shape();
                let name = &parameter.name;
                return Err(Error::input(format!("{name}: expected {rows} x {columns}, found {found_rows} x {found_columns}")));
            }
            if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::Machine(format!("{}: cannot program {bad}: training has diverged", parameter.name)));
            }
        }
        self.programmings += 1;
        let key = Key::new(self.made_of.seed, "programming").with(self.programmings);
        let mut rest = values;
        for (index, coupling) in self.made_of.couplings.iter_mut().enumerate() {
            let (own, others) = rest.split_at(coupling.coupler.parameters().len());
            coupling.coupler.program(own, key.with(index as u64))?;
            rest = others;
        }
        self.made_of.bias.copy_from(&rest[0]);
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>> {
        self.check(inputs, phase)?;
        let key = self.next_key("settling");
        let task = Task::new(self, phase, key);
        let samples = inputs.ncols();
        let readings = self.on_lanes(samples, |network, lane, range| {
            lane.load(network, inputs, &task, range);
            network.relax(lane, &task)
        });
        let blank = || DMatrix::zeros(self.nodes, samples);
        let mut whole = Measurement {
            values: blank(),
            difference: matches!(phase, Phase::Dyadic { .. }).then(blank),
            settled: Vec::with_capacity(samples),
            steps: Vec::with_capacity(samples),
            rest: Rest { state: blank(), held: blank() },
        };
        for (index, reading) in readings.into_iter().enumerate() {
            let (start, count) = (index * LANE, reading.values.ncols());
            whole.values.columns_mut(start, count).copy_from(&reading.values);
            whole.rest.state.columns_mut(start, count).copy_from(&reading.state);
            whole.rest.held.columns_mut(start, count).copy_from(&reading.held);
            if let (Some(all), Some(part)) = (&mut whole.difference, &reading.difference) {
                all.columns_mut(start, count).copy_from(part);
            }
            whole.settled.extend(reading.settled);
            whole.steps.extend(reading.steps);
        }
        Ok(whole)
    }

    fn held_current(&mut self, inputs: &DMatrix<T>, free: &Measurement<T>) -> Result<HeldCurrent<T>> {
        let key = self.next_key("held current");
        let samples = inputs.ncols();
        let phase = Phase::Free;
        self.check(inputs, &phase)?;
        let parts = self.on_lanes(samples, |network, lane, range| {
            lane.rest_at(network, inputs, &free.rest.state, range);
            let reads = network.instruments().samples as u64;
            let mut held = DMatrix::zeros(network.nodes, lane.active);
            for (port, sign) in [(Port::Forward, T::one()), (Port::Reversed, -T::one())] {
                held.scale_mut(sign);
                for time in 0..reads {
                    let (scratch, counts) = (&mut lane.scratch, &mut lane.reads[..]);
                    let context = Reads { order: &lane.order, key, time, scratch, counts };
                    network.read_couplings(port, lane.coupled.as_view(), None, &mut held.as_view_mut(), context);
                }
                held.scale_mut(sign);
            }
            held / T::of(reads as f64)
        });
        let mut held = DMatrix::zeros(self.nodes, samples);
        for (index, part) in parts.iter().enumerate() {
            held.columns_mut(index * LANE, part.ncols()).copy_from(part);
        }
        Ok(HeldCurrent(held))
    }

    fn local_product(&self, inputs: &DMatrix<T>, d: &DMatrix<T>, at: &DMatrix<T>) -> Gradient<T> {
        let (driven, samples) = (self.input_count(), inputs.ncols());
        let mut coupled = DMatrix::zeros(driven + self.nodes, samples);
        coupled.rows_mut(0, driven).copy_from(inputs);
        coupled.rows_mut(driven, self.nodes).copy_from(at);
        let mut signal = DMatrix::zeros(driven + self.nodes, samples);
        signal.rows_mut(driven, self.nodes).copy_from(d);
        if self.dynamics().is_gradient() {
            for (node, activation) in self.activations() {
                for column in 0..samples {
                    let state = at[(node, column)];
                    coupled[(driven + node, column)] = activation.value(state);
                    signal[(driven + node, column)] *= activation.slope(state);
                }
            }
        }
        let mut gradient: Gradient<T> =
            self.parameters().iter().map(|parameter| DMatrix::zeros(parameter.values.nrows(), parameter.values.ncols())).collect();
        let mut rest = &mut gradient[..];
        for coupling in self.couplings() {
            let (own, others) = rest.split_at_mut(coupling.coupler.parameters().len());
            for (side, driving, reached) in Self::uses(coupling, Port::Forward) {
                let (post, pre) = (signal.rows(reached.start, reached.len()), coupled.rows(driving.start, driving.len()));
                // Used backwards, the array's own outputs are driven and its inputs receive: the roles swap.
                let (d, v) = if side == Port::Forward { (post, pre) } else { (pre, post) };
                coupling.coupler.local_product(d, v, own);
            }
            rest = others;
        }
        if self.made_of.train_bias {
            let ones = DMatrix::from_element(samples, 1, T::one());
            let signal = Factor::Plain(signal.rows(driven, self.nodes));
            add_product(rest[0].as_view_mut(), -T::one(), signal, Factor::Plain(ones.as_view()));
        }
        gradient
    }

    fn expense(&self) -> Expense {
        let mut total = Expense::default();
        let mut writing = 0.0;
        for (coupling, reads) in self.couplings().iter().zip(&self.reads) {
            let mut seconds = 0.0;
            for (port, reached) in [(Port::Forward, &coupling.to), (Port::Reversed, &coupling.from)] {
                let cost = coupling.coupler.read_expense(port, self.wanted(reached).0.len());
                let count = reads[port as usize];
                total.frames += count * cost.frames;
                total.conversions += count * cost.conversions;
                seconds += count as f64 * cost.seconds;
            }
            // Arrays work side by side: the slowest sets the time.
            total.seconds = total.seconds.max(seconds);
            writing += coupling.coupler.write_expense().seconds;
        }
        total.seconds += writing;
        total
    }

    fn state(&self) -> MachineState<T> {
        let tensors = self.couplings().iter().flat_map(|coupling| {
            let named = |(name, values)| (format!("{}.{name}", coupling.name), values);
            coupling.coupler.hardware_state().into_iter().map(named)
        });
        let counters = [self.settlings, self.programmings].into_iter().chain(self.reads.iter().flatten().copied());
        MachineState { tensors: tensors.collect(), counters: counters.collect() }
    }

    fn restore(&mut self, state: &MachineState<T>) -> Result<()> {
        let foreign = || Error::input("the saved state belongs to another machine");
        let own = self.state();
        let shapes = |state: &MachineState<T>| state.tensors.iter().map(|(name, m)| (name.clone(), m.shape())).collect::<Vec<_>>();
        if shapes(&own) != shapes(state) || own.counters.len() != state.counters.len() {
            return Err(foreign());
        }
        let mut tensors: &[(String, DMatrix<T>)] = &state.tensors;
        for coupling in &mut self.made_of.couplings {
            let (own, others) = tensors.split_at(coupling.coupler.hardware_state().len());
            let own: Vec<_> = own.iter().map(|(_, values)| values.clone()).collect();
            if !own.is_empty() {
                coupling.coupler.restore_hardware_state(&own);
            }
            tensors = others;
        }
        let (clocks, reads) = state.counters.split_at(2);
        (self.settlings, self.programmings) = (clocks[0], clocks[1]);
        self.reads = reads.chunks(2).map(|pair| [pair[0], pair[1]]).collect();
        Ok(())
    }

    fn twin(&self) -> Option<AnalogNetwork<T>> {
        Some(self.exact_twin())
    }
}
