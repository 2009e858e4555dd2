//! The analog network: layers, the arrays between them, and the machine made of them. The tables
//! `[network]`, `[relaxation]`, `[measurement]` and `[device]`.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Site;
use crate::file::limits;
use crate::quantity::range;
use crate::system::{
    Activation, AnalogNetwork, Coupling, CouplingKind, Dynamics, Layer, NetworkDescription, System,
};
use crate::wire::Laboratory;
use crate::{Error, Result};

/// How neighbouring layers are coupled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// Each layer drives the next: a feedforward network.
    OneWay,
    /// Each pair of neighbours shares one array, used both ways. Inputs, being driven, are only
    /// ever a source.
    Reciprocal,
    /// Each pair of neighbouring node layers has two arrays, forward and back.
    IndependentFeedback,
    /// One array couples every node, inputs included, to every node.
    AllToAll,
    /// Only what `[[network.couplings]]` lists.
    Listed,
}

/// One more array, beside those of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouplingConfig {
    /// The layer that drives it; 0 is the input.
    pub from: usize,
    /// The layer it reaches; may be the same one.
    pub to: usize,
    /// One way or both.
    pub kind: CouplingKind,
}

/// The machine: the table `[network]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Nodes of each layer, the inputs first and the outputs last.
    pub layers: Vec<usize>,
    /// How neighbouring layers are coupled.
    pub topology: Topology,
    /// The response of hidden nodes.
    pub activation: Activation,
    /// The response of output nodes; that of hidden nodes, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_activation: Option<Activation>,
    /// Weights start as normal deviates of standard deviation `initial_gain / sqrt(fan-in)`.
    #[serde(deserialize_with = "range::non_negative")]
    pub initial_gain: f64,
    /// How far feedback arrays of their own start from the transpose W^T of the array that they
    /// feed back: they start as sqrt(1 - a^2) W^T + a R with R independent, from 0 (reciprocal
    /// couplings) to 1 (nothing in common).
    #[serde(deserialize_with = "range::unit_interval")]
    pub feedback_asymmetry: f64,
    /// Whether nodes have trained biases.
    pub bias: bool,
    /// What the nodes' states do: `"additive"`, or the table `[network.dynamics.gradient]`.
    pub dynamics: Dynamics,
    /// More arrays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub couplings: Vec<CouplingConfig>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            layers: Vec::new(),
            topology: Topology::OneWay,
            activation: Activation::Tanh,
            output_activation: None,
            initial_gain: 1.0,
            feedback_asymmetry: 1.0,
            bias: true,
            dynamics: Dynamics::Additive,
            couplings: Vec::new(),
        }
    }
}

/// The machine `network`: an analog network, as the tables `[network]`, `[relaxation]`,
/// `[measurement]` and `[device]` say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkMachine {}

impl NetworkMachine {
    pub(super) fn describe(&self, experiment: &Experiment) -> String {
        experiment.device.describe()
    }

    /// Checks what no single key can tell.
    pub(super) fn check(&self, experiment: &Experiment) -> Result<()> {
        let network = &experiment.network;
        let layers = &network.layers;
        if layers.len() < 2 || layers.contains(&0) {
            return Err(Error::input(format!(
                "network.layers = {layers:?}: expected at least two layers, inputs and outputs, \
                 none empty"
            )));
        }
        for CouplingConfig { from, to, .. } in &network.couplings {
            if *from >= layers.len() || *to >= layers.len() || *to == 0 {
                return Err(Error::input(format!(
                    "network.couplings: from = {from}, to = {to}: expected layers 0 (the input, \
                     only as `from`) to {}",
                    layers.len() - 1
                )));
            }
        }
        if network.topology == Topology::Listed && network.couplings.is_empty() {
            return Err(Error::input(
                "network.topology = \"listed\": no [[network.couplings]] are listed",
            ));
        }
        let large = |message| Error::input(format!("network.layers = {layers:?}: {message}"));
        let nodes = layers.iter().try_fold(0usize, |sum, nodes| sum.checked_add(*nodes));
        limits::NUMBERS.product(&[nodes.unwrap_or(usize::MAX)]).map_err(large)?;
        for array in network.arrays() {
            limits::NUMBERS.product(&[array.to.len(), array.from.len()]).map_err(large)?;
        }
        experiment.check_laboratory()?;
        let device = &experiment.device;
        let mut arrays = network.arrays().into_iter();
        let sites = arrays.try_for_each(|array| device.check_site(array.from == array.to));
        let wrong = |message| Error::input(format!("device.{}.{message}", device.name()));
        device.check().and(sites).map_err(wrong)
    }

    /// Checks that a data set of so many features and classes, or targets, fits the first and the last
    /// layer.
    pub(super) fn check_data(
        &self,
        experiment: &Experiment,
        features: usize,
        outputs: usize,
    ) -> Result<()> {
        let (layers, set) = (&experiment.network.layers, &experiment.data.set);
        if layers.first() == Some(&features) && layers.last() == Some(&outputs) {
            return Ok(());
        }
        let kind = experiment.data.task.outputs();
        Err(Error::input(format!(
            "network.layers = {layers:?}: data set {set} has {features} features and {outputs} {kind}, \
             so the first layer must have {features} nodes and the last {outputs}"
        )))
    }

    pub(super) fn build<T: Real>(&self, experiment: &Experiment) -> Result<Box<dyn System<T>>> {
        Ok(Box::new(experiment.analog_network()?))
    }
}

/// An array to be made: its name, the rows it joins, and its kind.
struct Array {
    name: String,
    from: Range<usize>,
    to: Range<usize>,
    kind: CouplingKind,
    /// The number of the array that it feeds back.
    feeds_back: Option<u64>,
}

impl NetworkConfig {
    /// Weights of an array before training, outputs x inputs: normal deviates.
    fn initial_weights<T: Real>(
        &self,
        seed: u64,
        index: u64,
        (outputs, inputs): (usize, usize),
    ) -> DMatrix<T> {
        let deviation = T::of(self.initial_gain / (inputs as f64).sqrt());
        let mut stream = Key::new(seed, "initial weights").with(index).stream();
        DMatrix::from_fn(outputs, inputs, |_, _| deviation * T::normal(&mut stream))
    }

    /// The arrays by name, each with the rows that it joins, inputs first, and how it is used.
    pub(crate) fn rows_of_arrays(
        &self,
    ) -> impl Iterator<Item = (String, Range<usize>, Range<usize>, CouplingKind)> {
        self.arrays().into_iter().map(|array| (array.name, array.from, array.to, array.kind))
    }

    /// Outputs and inputs of each array.
    pub(super) fn shapes(&self) -> Vec<(usize, usize)> {
        self.arrays().iter().map(|array| (array.to.len(), array.from.len())).collect()
    }

    fn arrays(&self) -> Vec<Array> {
        let rows = |layer: usize| {
            let start = self.layers[..layer].iter().sum();
            start..start + self.layers[layer]
        };
        let array = |from: usize, to: usize, kind| Array {
            name: format!("{from}-{to}"),
            from: rows(from),
            to: rows(to),
            kind,
            feeds_back: None,
        };
        let mut arrays = Vec::new();
        for from in 0..self.layers.len() - 1 {
            match self.topology {
                Topology::OneWay => arrays.push(array(from, from + 1, CouplingKind::OneWay)),
                Topology::Reciprocal => {
                    arrays.push(array(from, from + 1, CouplingKind::Reciprocal))
                }
                Topology::IndependentFeedback => {
                    arrays.push(array(from, from + 1, CouplingKind::OneWay));
                    if from > 0 {
                        let forward = Some(arrays.len() as u64 - 1);
                        arrays.push(Array {
                            feeds_back: forward,
                            ..array(from + 1, from, CouplingKind::OneWay)
                        });
                    }
                }
                Topology::AllToAll | Topology::Listed => {}
            }
        }
        if self.topology == Topology::AllToAll {
            let all = 0..self.layers.iter().sum();
            arrays.push(Array {
                name: "all".into(),
                from: all.clone(),
                to: all,
                kind: CouplingKind::OneWay,
                feeds_back: None,
            });
        }
        let listed = self.couplings.iter().enumerate();
        arrays.extend(listed.map(|(index, coupling)| {
            let plain = array(coupling.from, coupling.to, coupling.kind);
            Array { name: format!("{}-{}", plain.name, index + 1), ..plain }
        }));
        arrays
    }
}

impl Experiment {
    /// The untrained machine, as an analog network.
    ///
    /// # Errors
    /// When nodes do not fit the panel of a modulator, an array behind wires is singular in double
    /// precision, or a file that a device names cannot be read or is not what it should be.
    pub fn analog_network<T: Real>(&self) -> Result<AnalogNetwork<T>> {
        let network = &self.network;
        let output = network.layers.len() - 1;
        let activation = |layer| match network.output_activation {
            Some(own) if layer == output => own,
            _ => network.activation,
        };
        let layer = |layer| Layer { nodes: network.layers[layer], activation: activation(layer) };
        let layers: Vec<Layer> = (1..=output).map(layer).collect();
        let nodes = layers.iter().map(|layer| layer.nodes).sum();
        let laboratory = self.reach_laboratory()?;
        let arrays = network.arrays();
        let names: Vec<String> = arrays.iter().map(|array| array.name.clone()).collect();
        let couplings = arrays.into_iter().enumerate().map(|(index, array)| {
            self.coupling(array, (index as u64, &names), laboratory.as_ref())
        });
        AnalogNetwork::new(NetworkDescription {
            inputs: network.layers[0],
            layers,
            dynamics: network.dynamics,
            couplings: couplings.collect::<Result<_>>()?,
            bias: DMatrix::zeros(nodes, 1),
            train_bias: network.bias,
            relaxation: self.relaxation.clone(),
            instruments: self.measurement,
            seed: self.seed,
            chip: self.chip,
            title: self.device.describe(),
        })
    }

    fn coupling<T: Real>(
        &self,
        array: Array,
        (index, arrays): (u64, &[String]),
        laboratory: Option<&Arc<Laboratory>>,
    ) -> Result<Coupling<T>> {
        let Array { name, from, to, kind, feeds_back } = array;
        let (network, shape) = (&self.network, (to.len(), from.len()));
        let weights = || {
            let own = network.initial_weights::<T>(self.seed, index, shape);
            let asymmetry = network.feedback_asymmetry;
            match feeds_back.filter(|_| asymmetry < 1.0) {
                None => own,
                Some(forward) => {
                    let common = T::of((1.0 - asymmetry * asymmetry).sqrt());
                    let forward =
                        network.initial_weights::<T>(self.seed, forward, (shape.1, shape.0));
                    forward.transpose() * common + own * T::of(asymmetry)
                }
            }
        };
        let site = Site {
            arrays,
            index,
            inputs: from.len(),
            outputs: to.len(),
            same_nodes: from == to,
            seed: self.seed,
            chip: self.chip,
            weights: &weights,
            laboratory,
        };
        let coupler = self.device.array(&site)?;
        Ok(Coupling { name, from, to, kind, coupler })
    }
}

#[cfg(test)]
mod tests {
    use crate::experiment::Experiment;

    #[test]
    fn feedback_starts_from_the_transpose() {
        let weights = |asymmetry: f64| {
            let text = format!(
                "[network]\nlayers = [5, 7, 6, 4]\ntopology = 'independent-feedback'\nfeedback_asymmetry = {asymmetry}\n"
            );
            let machine =
                Experiment::parse(&text, "x.toml", &[]).unwrap().machine::<f64>().unwrap();
            let named = |name: &str| {
                machine.parameters().into_iter().find(|p| p.name.contains(name)).unwrap().values
            };
            (named("1-2"), named("2-1"))
        };
        let (forward, back) = weights(0.0);
        assert_eq!(back, forward.transpose());
        let (forward, own) = weights(1.0);
        let (_, mixed) = weights(0.6);
        assert!((mixed - (forward.transpose() * 0.8 + own * 0.6)).abs().max() < 1e-15);
    }
}
