//! An experiment: everything that decides what a run does.

use serde::{Deserialize, Serialize};

use crate::arithmetic::real::Real;
use crate::coupler::crossbar::CrossbarDevice;
use crate::coupler::spim::SpimDevice;
use crate::data::DataConfig;
use crate::learning::{
    Adjoint, AsymEp, CorrectionMethod, DyadicEp, EquilibriumPropagation, Nudges, Nudging, Rule,
    Spsa, VectorField,
};
use crate::quantity::range;
use crate::system::{Activation, Cost, CouplingKind, Dynamics, Instruments, Relaxation};
use crate::training::{Bop, OptimiserConfig, Schedule, Sgd};
use crate::{Error, Result};

/// An experiment, as its TOML file states it. Every table and key but `[network] layers` has a
/// default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Names every random stream of the run.
    #[serde(default = "one")]
    pub seed: u64,
    /// The hardware of every array: `device = "exact"`, or the table `[device.spim]` or
    /// `[device.crossbar]`.
    #[serde(default)]
    pub device: Device,
    /// What is learnt.
    #[serde(default)]
    pub data: DataConfig,
    /// The machine.
    pub network: NetworkConfig,
    /// When and how a relaxation stops.
    #[serde(default)]
    pub relaxation: Relaxation,
    /// What reads the nodes.
    #[serde(default)]
    pub measurement: Instruments,
    /// How the machine learns.
    #[serde(default)]
    pub learning: LearningConfig,
    /// How long, and with what optimiser.
    #[serde(default)]
    pub training: TrainingConfig,
}

fn one() -> u64 {
    1
}

/// The hardware of every array.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// Plain matrices.
    #[default]
    Exact,
    /// A spatial photonic Ising machine.
    Spim(Box<SpimDevice>),
    /// Resistive crossbars.
    Crossbar(Box<CrossbarDevice>),
}

impl Device {
    /// The device in words.
    pub fn describe(&self) -> String {
        let sheet = |sheet: &Option<String>| {
            sheet.as_ref().map_or(String::new(), |sheet| format!(" ({sheet})"))
        };
        match self {
            Self::Exact => "exact arrays".into(),
            Self::Spim(spim) => {
                format!("{}{}", spim.describe(), sheet(&spim.sheet))
            }
            Self::Crossbar(crossbar) => format!("resistive crossbars{}", sheet(&crossbar.sheet)),
        }
    }
}

/// The arithmetic of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

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
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Nodes of each layer, the inputs first and the outputs last.
    pub layers: Vec<usize>,
    /// How neighbouring layers are coupled.
    #[serde(default = "NetworkConfig::topology")]
    pub topology: Topology,
    /// The response of hidden nodes.
    #[serde(default = "NetworkConfig::activation")]
    pub activation: Activation,
    /// The response of output nodes; that of hidden nodes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_activation: Option<Activation>,
    /// Weights start as normal deviates of standard deviation `initial_gain / sqrt(fan-in)`.
    #[serde(default = "NetworkConfig::initial_gain", deserialize_with = "range::non_negative")]
    pub initial_gain: f64,
    /// How far feedback arrays of their own start from the transpose W^T of the array that they
    /// feed back: they start as sqrt(1 - a^2) W^T + a R with R independent, from 0 (reciprocal
    /// couplings) to 1 (nothing in common).
    #[serde(
        default = "NetworkConfig::feedback_asymmetry",
        deserialize_with = "range::unit_interval"
    )]
    pub feedback_asymmetry: f64,
    /// Whether nodes have trained biases.
    #[serde(default = "NetworkConfig::bias")]
    pub bias: bool,
    /// The arithmetic of the simulation.
    #[serde(default = "NetworkConfig::precision")]
    pub precision: Precision,
    /// What the nodes' states do: `"additive"`, or the table `[network.dynamics.gradient]`.
    #[serde(default = "NetworkConfig::dynamics")]
    pub dynamics: Dynamics,
    /// More arrays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub couplings: Vec<CouplingConfig>,
}

impl NetworkConfig {
    fn topology() -> Topology {
        Topology::OneWay
    }

    fn activation() -> Activation {
        Activation::Tanh
    }

    fn initial_gain() -> f64 {
        1.0
    }

    fn feedback_asymmetry() -> f64 {
        1.0
    }

    fn bias() -> bool {
        true
    }

    fn precision() -> Precision {
        Precision::F32
    }

    fn dynamics() -> Dynamics {
        Dynamics::Additive
    }
}

/// The names of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// Equilibrium Propagation.
    Ep,
    /// The vector-field rule.
    VectorField,
    /// AsymEP.
    AsymEp,
    /// Dyadic EP.
    DyadicEp,
    /// The exact gradient, from the model.
    Adjoint,
    /// Simultaneous perturbation.
    Spsa,
}

impl RuleName {
    /// Every rule.
    pub const ALL: [Self; 6] =
        [Self::Ep, Self::VectorField, Self::AsymEp, Self::DyadicEp, Self::Adjoint, Self::Spsa];

    /// The name in configurations and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ep => "ep",
            Self::VectorField => "vector-field",
            Self::AsymEp => "asym-ep",
            Self::DyadicEp => "dyadic-ep",
            Self::Adjoint => "adjoint",
            Self::Spsa => "spsa",
        }
    }
}

/// How the machine learns: the table `[learning]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningConfig {
    /// The rule.
    pub rule: RuleName,
    /// Nudge strength.
    #[serde(deserialize_with = "range::not_zero")]
    pub beta: f64,
    /// On which sides the machine is nudged.
    pub nudging: Nudging,
    /// How AsymEP's correction is realised.
    pub correction: CorrectionMethod,
    /// The cost of outputs against targets.
    pub cost: Cost,
    /// Target of the outputs of other classes, for the squared error.
    #[serde(deserialize_with = "range::finite")]
    pub target_off: f64,
    /// Target of the output of a sample's class, for the squared error.
    #[serde(deserialize_with = "range::finite")]
    pub target_on: f64,
    /// SPSA's perturbation of every parameter.
    #[serde(deserialize_with = "range::positive")]
    pub perturbation: f64,
    /// SPSA's perturbations a gradient.
    #[serde(deserialize_with = "range::positive_integer")]
    pub perturbations: usize,
}

impl Default for LearningConfig {
    fn default() -> Self {
        Self {
            rule: RuleName::AsymEp,
            beta: 0.1,
            nudging: Nudging::Centred,
            correction: CorrectionMethod::PortReversal,
            cost: Cost::SquaredError,
            target_off: -0.9,
            target_on: 0.9,
            perturbation: 0.01,
            perturbations: 1,
        }
    }
}

impl LearningConfig {
    /// The rule named in the configuration.
    pub fn rule<T: Real>(&self, seed: u64) -> Box<dyn Rule<T>> {
        let nudges = Nudges { beta: self.beta, nudging: self.nudging };
        match self.rule {
            RuleName::Ep => Box::new(EquilibriumPropagation(nudges)),
            RuleName::VectorField => Box::new(VectorField(nudges)),
            RuleName::AsymEp => Box::new(AsymEp { nudges, correction: self.correction }),
            RuleName::DyadicEp => Box::new(DyadicEp { beta: self.beta }),
            RuleName::Adjoint => Box::new(Adjoint),
            RuleName::Spsa => Box::new(Spsa {
                perturbation: self.perturbation,
                perturbations: self.perturbations,
                seed,
            }),
        }
    }
}

/// How long, and with what optimiser: the table `[training]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the training part.
    #[serde(deserialize_with = "range::positive_integer")]
    pub epochs: usize,
    /// Samples of a mini-batch.
    #[serde(deserialize_with = "range::positive_integer")]
    pub batch: usize,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What trains real parameters.
    pub optimiser: OptimiserConfig,
    /// What trains binary parameters.
    pub bop: Bop,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 32,
            schedule: Schedule::Constant,
            optimiser: OptimiserConfig::Sgd(Sgd::default()),
            bop: Bop::default(),
        }
    }
}

impl Experiment {
    /// Checks what no single key can tell.
    pub(super) fn check(&self) -> Result<()> {
        let layers = &self.network.layers;
        if layers.len() < 2 || layers.contains(&0) {
            return Err(Error::input(format!(
                "network.layers = {layers:?}: expected at least two layers, inputs and outputs, none empty"
            )));
        }
        for coupling in &self.network.couplings {
            if coupling.from >= layers.len() || coupling.to >= layers.len() || coupling.to == 0 {
                return Err(Error::input(format!(
                    "network.couplings: from = {}, to = {}: expected layers 0 (the input, only as `from`) to {}",
                    coupling.from,
                    coupling.to,
                    layers.len() - 1
                )));
            }
        }
        if self.network.topology == Topology::Listed && self.network.couplings.is_empty() {
            return Err(Error::input(
                "network.topology = \"listed\": no [[network.couplings]] are listed",
            ));
        }
        let layered =
            self.network.topology != Topology::AllToAll || !self.network.couplings.is_empty();
        match &self.device {
            Device::Spim(spim) => spim.check(layered),
            Device::Crossbar(crossbar) => crossbar.check(),
            _ => Ok(()),
        }
    }
}
