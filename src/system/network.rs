//! The analog network: layers of nodes joined by couplings.

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::layer_by_layer;
use super::relaxation::RelaxationMethod;
use super::{Activation, Dynamics, Instruments, Relaxation};
use crate::arithmetic::random::Key;
use crate::arithmetic::real::{Real, View, ViewMut};
use crate::arithmetic::simd;
use crate::coupler::{Coupler, Exact, Port, Read, ReadNoise};
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

/// A simulated machine of layers of nodes joined by couplings. Couplings that do not exist cost
/// nothing.
pub struct AnalogNetwork<T: Real> {
    pub(super) made_of: NetworkDescription<T>,
    pub(super) nodes: usize,
    /// Neighbouring rows of nodes with one response.
    responses: Vec<(Range<usize>, Activation)>,
    /// Rows of inputs among what nodes put on their couplings: none, unless an array is shared by
    /// inputs and nodes.
    pub(super) shared_inputs: usize,
    /// The shapes of every coupling's parameters.
    pub(super) shapes: Vec<Vec<(usize, usize)>>,
    /// The smallest force that the machine's reads resolve, as a standard deviation.
    pub(super) resolution: f64,
    /// Layers in the order in which they can be solved one by one, if that is asked for.
    pub(super) order: Option<Vec<Range<usize>>>,
    pub(super) settlings: u64,
    pub(super) programmings: u64,
    pub(super) reads: Vec<[u64; 2]>,
    pub(super) lanes: Vec<Lane<T>>,
}

/// Rows of nodes by their response; neighbouring layers of one response are together.
fn responses(layers: &[Layer]) -> Vec<(Range<usize>, Activation)> {
    let mut responses: Vec<(Range<usize>, Activation)> = Vec::new();
    let mut start = 0;
    for layer in layers {
        let rows = start..start + layer.nodes;
        start = rows.end;
        match responses.last_mut() {
            Some((before, activation)) if *activation == layer.activation => before.end = rows.end,
            _ => responses.push((rows, layer.activation)),
        }
    }
    responses
}

/// The context of one read of all couplings.
pub(super) struct Reads<'a, T> {
    /// The machine row that the first driven row is.
    pub first_row: usize,
    pub order: &'a [usize],
    pub key: Key,
    pub time: u64,
    /// The driving values taken apart, if they are mostly background.
    pub foreground: Option<[View<'a, T>; 2]>,
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
            return Err(Error::input(format!(
                "bias: expected {nodes} values, one a node, found {}",
                description.bias.len()
            )));
        }
        let driven = description.inputs;
        let straddles = |rows: &Range<usize>| rows.start < driven && driven < rows.end;
        let shared = description
            .couplings
            .iter()
            .any(|coupling| straddles(&coupling.from) || straddles(&coupling.to));
        let shapes_of = |coupling: &Coupling<T>| {
            coupling.coupler.parameters().iter().map(|p| p.values.shape()).collect()
        };
        let order = match description.relaxation.method {
            RelaxationMethod::TimeSteps => None,
            RelaxationMethod::LayerByLayer => Some(layer_by_layer::order(&description)?),
        };
        let mut network = Self {
            nodes,
            order,
            responses: responses(&description.layers),
            shared_inputs: if shared { driven } else { 0 },
            shapes: description.couplings.iter().map(shapes_of).collect(),
            resolution: 0.0,
            settlings: 0,
            programmings: 0,
            reads: vec![[0, 0]; description.couplings.len()],
            lanes: Vec::new(),
            made_of: description,
        };
        network.update_resolution();
        if network.order.is_some() && network.resolution > 0.0 {
            return Err(Error::input(
                "relaxation.method = \"layer-by-layer\": these arrays are read with noise or converters, which act in every step; expected \
                 \"time-steps\"",
            ));
        }
        Ok(network)
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
    pub(super) fn bias(&self) -> &[T] {
        self.made_of.bias.as_slice()
    }

    /// What this machine is made of, without its arrays.
    pub(super) fn description_without_couplings(&self) -> NetworkDescription<T> {
        let made_of = &self.made_of;
        NetworkDescription {
            couplings: Vec::new(),
            layers: made_of.layers.clone(),
            bias: made_of.bias.clone(),
            ..*made_of
        }
    }

    pub(super) fn instruments(&self) -> &Instruments {
        &self.made_of.instruments
    }

    pub(super) fn output_rows(&self) -> Range<usize> {
        let outputs = self.made_of.layers.last().map_or(0, |layer| layer.nodes);
        self.nodes - outputs..self.nodes
    }

    /// Rows of nodes with their response.
    pub(super) fn responses(&self) -> impl Iterator<Item = (Range<usize>, Activation)> + '_ {
        self.responses.iter().cloned()
    }

    /// The response of all that drives the arrays while nodes relax, if it is one and the same: all
    /// samples are then one long array.
    pub(super) fn only_response(&self) -> Option<Activation> {
        if let ([(_, activation)], 0) = (&self.responses[..], self.shared_inputs) {
            Some(*activation)
        } else {
            None
        }
    }

    /// Every node with its response.
    pub(super) fn activations(&self) -> impl Iterator<Item = (usize, Activation)> + '_ {
        self.responses().flat_map(|(rows, activation)| rows.map(move |node| (node, activation)))
    }

    /// To be called after every change of what the arrays hold.
    pub(super) fn update_resolution(&mut self) {
        self.resolution = self
            .couplings()
            .iter()
            .map(|coupling| coupling.coupler.resolution())
            .fold(0.0, f64::hypot);
    }

    /// Digital models of all arrays, as they were programmed.
    pub(super) fn intended(&self) -> Vec<Exact<T>> {
        self.couplings().iter().map(|coupling| Exact::new(coupling.coupler.intended())).collect()
    }

    /// The uses of a coupling's array when the machine's ports are at `port`: (driven side, driving
    /// rows, wanted rows).
    pub(super) fn uses(
        coupling: &Coupling<T>,
        port: Port,
    ) -> impl Iterator<Item = (Port, &Range<usize>, &Range<usize>)> {
        let forward = (Port::Forward, &coupling.from, &coupling.to);
        let reversed = (Port::Reversed, &coupling.to, &coupling.from);
        let both = coupling.kind == CouplingKind::Reciprocal;
        let forward = (both || port == Port::Forward).then_some(forward);
        let reversed = (both || port == Port::Reversed).then_some(reversed);
        forward.into_iter().chain(reversed)
    }

    /// The part of `rows` that are nodes, as ports of the array and as rows of a force.
    pub(super) fn wanted(&self, rows: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let start = rows.start.max(self.input_count());
        let ports = start.min(rows.end) - rows.start..rows.len();
        let first = start - self.input_count();
        (ports.clone(), first..first + ports.len())
    }

    /// Whether rows are inputs only: their currents are constant, read once and held.
    fn is_drive(&self, rows: &Range<usize>) -> bool {
        rows.end <= self.input_count()
    }

    /// Adds the currents of all couplings between nodes to `force`, nodes x samples; `coupled` is
    /// (shared inputs + nodes) x samples.
    pub(super) fn read_couplings(
        &self,
        port: Port,
        coupled: View<T>,
        gain: Option<&View<T>>,
        force: &mut ViewMut<T>,
        reads: Reads<T>,
    ) {
        let reads = Reads { first_row: self.input_count() - self.shared_inputs, ..reads };
        self.read_selected(port, coupled, gain, force, reads, |driving, _| !self.is_drive(driving));
    }

    /// Adds the currents of the couplings whose driving and reached rows are `selected`.
    pub(super) fn read_selected(
        &self,
        port: Port,
        coupled: View<T>,
        gain: Option<&View<T>>,
        force: &mut ViewMut<T>,
        reads: Reads<T>,
        selected: impl Fn(&Range<usize>, &Range<usize>) -> bool,
    ) {
        let samples = coupled.ncols();
        for (index, coupling) in self.couplings().iter().enumerate() {
            for (side, driving, reached) in Self::uses(coupling, port) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() || !selected(driving, reached) {
                    continue;
                }
                let key = reads.key.with(index as u64).with(side as u64);
                let first = driving.start - reads.first_row;
                let read = Read {
                    port: side,
                    values: coupled.rows(first, driving.len()),
                    gain: gain.map(|gain| gain.rows(rows.start, rows.len())),
                    foreground: reads
                        .foreground
                        .as_ref()
                        .map(|parts| parts.each_ref().map(|part| part.rows(first, driving.len()))),
                    wanted,
                    noise: ReadNoise { key, samples: reads.order, step: reads.time },
                };
                coupling.coupler.read(&read, force.rows_mut(rows.start, rows.len()), reads.scratch);
                reads.counts[index][side as usize] += samples as u64;
            }
        }
    }

    /// Reads the constant currents of some samples' `inputs` into `held`, nodes x samples, averaged
    /// over as many reads as a measurement, and adds the biases.
    pub(super) fn read_drive(&self, inputs: View<T>, mut held: ViewMut<T>, reads: Reads<T>) {
        let count = self.instruments().samples as u64;
        let Reads { first_row, order, key, foreground, scratch, counts, .. } = reads;
        held.column_iter_mut().for_each(|mut column| column.as_mut_slice().fill(T::zero()));
        for read in 0..count {
            let reads =
                Reads { first_row, order, key, time: u64::MAX - read, foreground, scratch, counts };
            self.read_selected(
                Port::Forward,
                inputs.as_view(),
                None,
                &mut held,
                reads,
                |driving, _| self.is_drive(driving),
            );
        }
        for mut column in held.column_iter_mut() {
            if count > 1 {
                simd::scale(column.as_mut_slice(), T::one() / T::of(count as f64));
            }
            simd::add(column.as_mut_slice(), self.bias());
        }
    }

    /// Adds `gain * W_m deviation`, or `gain * W_m^T deviation` at reversed ports, from digital
    /// models W_m of all arrays.
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
                let values = deviation
                    .rows(driving.start + self.shared_inputs - self.input_count(), driving.len());
                let gain = gain.map(|gain| gain.rows(rows.start, rows.len()));
                let noise = ReadNoise { key: Key::new(0, "none"), samples: &[], step: 0 };
                model.read(
                    &Read { port: side, values, gain, foreground: None, wanted, noise },
                    force.rows_mut(rows.start, rows.len()),
                    scratch,
                );
            }
        }
    }
}
