//! The analog network: layers of nodes joined by couplings.
//!
//! | file | what it knows |
//! |---|---|
//! | this one | which nodes and arrays there are, and how arrays are read |
//! | `forces` | the force on every node, and one step along it |
//! | `relaxation/` | ways to a steady state, from forces: one a file |
//! | `instruments` | what is measured at rest |
//! | `machine` | all of this behind a [`System`](super::System) |
//! | `product`, `reciprocity`, `adjoint` | local products, how reciprocal, the yardstick |

mod adjoint;
mod dynamics;
mod forces;
mod instruments;
mod lane;
mod machine;
mod product;
mod reads;
mod reciprocity;
mod relaxation;
mod task;
mod watch;

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::Activation;
use crate::arithmetic::Real;
use crate::coupler::{Coupler, Exact, Port};
use crate::{Error, Result};

pub use dynamics::Dynamics;
pub use instruments::Instruments;
pub use machine::AnalogNetwork;
pub use relaxation::{Relaxation, RelaxationMethod};

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
    /// Names, beside the seed, what is fixed in its arrays.
    pub chip: u64,
    /// What it is, in a few words.
    pub title: String,
}

/// Nodes and arrays: what forces are made of.
struct Network<T: Real> {
    made_of: NetworkDescription<T>,
    nodes: usize,
    /// Neighbouring rows of nodes with one response.
    responses: Vec<(Range<usize>, Activation)>,
    /// Rows of inputs among what nodes put on their couplings: none, unless an array is shared by
    /// inputs and nodes.
    shared_inputs: usize,
    /// The shapes of every coupling's parameters.
    shapes: Vec<Vec<(usize, usize)>>,
    /// Whether couplings close a loop; without, a steady state is the only one, and stable.
    has_loops: bool,
    /// The smallest force that one step's reads resolve, as a standard deviation.
    resolution: f64,
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

impl<T: Real> Network<T> {
    fn new(made_of: NetworkDescription<T>) -> Result<Self> {
        let nodes: usize = made_of.layers.iter().map(|layer| layer.nodes).sum();
        let rows = made_of.inputs + nodes;
        for Coupling { name, from, to, coupler, .. } in &made_of.couplings {
            if from.end > rows || to.end > rows || coupler.shape() != (to.len(), from.len()) {
                let (outputs, inputs) = coupler.shape();
                return Err(Error::input(format!(
                    "coupling {name}: an array of {outputs} x {inputs} does not fit from rows \
                     {from:?} to rows {to:?} of {rows}"
                )));
            }
        }
        if made_of.bias.shape() != (nodes, 1) {
            return Err(Error::input(format!(
                "bias: expected {nodes} values, one a node, found {}",
                made_of.bias.len()
            )));
        }
        let driven = made_of.inputs;
        let straddles = |rows: &Range<usize>| rows.start < driven && driven < rows.end;
        let shared = made_of.couplings.iter().any(|c| straddles(&c.from) || straddles(&c.to));
        let shapes_of = |coupling: &Coupling<T>| {
            coupling.coupler.parameters().iter().map(|p| p.values.shape()).collect()
        };
        let mut network = Self {
            nodes,
            responses: responses(&made_of.layers),
            shared_inputs: if shared { driven } else { 0 },
            shapes: made_of.couplings.iter().map(shapes_of).collect(),
            has_loops: relaxation::layer_by_layer::order(&made_of).is_err(),
            resolution: 0.0,
            made_of,
        };
        network.update_resolution();
        Ok(network)
    }

    fn inputs(&self) -> usize {
        self.made_of.inputs
    }

    fn dynamics(&self) -> Dynamics {
        self.made_of.dynamics
    }

    fn couplings(&self) -> &[Coupling<T>] {
        &self.made_of.couplings
    }

    fn relaxation(&self) -> &Relaxation {
        &self.made_of.relaxation
    }

    /// Constant currents, one a node.
    fn bias(&self) -> &[T] {
        self.made_of.bias.as_slice()
    }

    fn instruments(&self) -> &Instruments {
        &self.made_of.instruments
    }

    fn output_rows(&self) -> Range<usize> {
        let outputs = self.made_of.layers.last().map_or(0, |layer| layer.nodes);
        self.nodes - outputs..self.nodes
    }

    /// Rows of nodes with their response.
    fn responses(&self) -> impl Iterator<Item = (Range<usize>, Activation)> + '_ {
        self.responses.iter().cloned()
    }

    /// The response of all that drives the arrays while nodes relax, if it is one and the same: all
    /// samples are then one long array.
    fn only_response(&self) -> Option<Activation> {
        match (&self.responses[..], self.shared_inputs) {
            ([(_, activation)], 0) => Some(*activation),
            _ => None,
        }
    }

    /// Every node with its response.
    fn activations(&self) -> impl Iterator<Item = (usize, Activation)> + '_ {
        self.responses().flat_map(|(rows, activation)| rows.map(move |node| (node, activation)))
    }

    /// To be called after every change of what the arrays hold. What inputs drive is read once and
    /// held: it moves nothing.
    fn update_resolution(&mut self) {
        let span = self.relaxation().span(true);
        let moving = self
            .couplings()
            .iter()
            .filter(|c| c.kind == CouplingKind::Reciprocal || !self.is_drive(&c.from));
        let each = moving.map(|coupling| coupling.coupler.resolution(span));
        self.resolution = each.fold(0.0, f64::hypot);
    }

    /// Digital models of all arrays, as they were programmed.
    fn intended(&self) -> Vec<Exact<T>> {
        let model = |coupling: &Coupling<T>| Exact::new(coupling.coupler.intended());
        self.couplings().iter().map(model).collect()
    }

    /// The shapes of all parameters.
    fn all_shapes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.shapes.iter().flatten().copied().chain([(self.nodes, 1)])
    }

    /// The uses of a coupling's array when the machine's ports are at `port`: (driven side, driving
    /// rows, reached rows).
    fn uses(
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
    fn wanted(&self, rows: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let start = rows.start.max(self.inputs());
        let ports = start.min(rows.end) - rows.start..rows.len();
        let first = start - self.inputs();
        (ports.clone(), first..first + ports.len())
    }

    /// Whether rows are inputs only: their currents are constant, read once and kept.
    fn is_drive(&self, rows: &Range<usize>) -> bool {
        rows.end <= self.inputs()
    }
}
