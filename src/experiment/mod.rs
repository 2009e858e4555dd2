//! Experiments and devices as files.
//!
//! An experiment is one TOML file; every key but the layers has a default, and a key that does not
//! exist is an error. A device's table may name a datasheet, whose numbers lie under its own.
//! [`Experiment::load`] gives one validated value before anything runs, [`Session`] opens it: data
//! prepared, machine built, trainer ready.
//!
//! Each table is owned by what it describes; [`Machine`], [`Device`],
//! [`RuleChoice`](crate::learning::RuleChoice),
//! [`OptimiserChoice`](crate::training::optimiser::OptimiserChoice) and
//! [`Schedule`](crate::training::Schedule) are lists of what there is to choose from.

mod beside;
mod case;
mod device;
mod files;
mod keys;
mod laboratory;
mod laboratory_machine;
mod learning;
mod load;
mod machine;
mod network;
mod places;
mod prediction;
mod run_directory;
mod same_split;
mod session;
mod setting;
mod sheet;
mod shipped;
mod take_along;
mod training;
mod training_run;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arithmetic::Real;
use crate::data::DataConfig;
use crate::system::{Instruments, Relaxation, System};
use crate::training::Plan;
use crate::wire::LaboratoryTable;

pub use beside::Beside;
pub use case::Case;
pub use device::{Device, EffectOn};
pub use files::NamedFiles;
pub use keys::{Key, KeyTable, keys};
pub use laboratory_machine::LaboratoryMachine;
pub use learning::LearningConfig;
pub use machine::Machine;
pub use network::{CouplingConfig, NetworkConfig, NetworkMachine, Topology};
pub(crate) use places::{from_here, from_there, rename_files, rename_value};
pub use prediction::Predictions;
pub use run_directory::RunDirectory;
pub(crate) use same_split::check_split;
pub use session::{Given, Session, outcome};
pub(crate) use setting::{leaves, located, set_value};
pub use sheet::{Number, Sheet};
pub use training::TrainingConfig;
pub use training_run::{Moment, Place, TrainingRun};

/// An experiment, as its TOML file states it. Every table and key has a default; an analog network
/// needs its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Experiment {
    /// Names every random stream of the run.
    pub seed: u64,
    /// Names, beside the seed, what is fixed in hardware: the same chip can be looked at tomorrow,
    /// with another converter, and another chip learns from the same split of the data.
    pub chip: u64,
    /// The arithmetic of the simulation.
    pub precision: Precision,
    /// The kind of machine.
    pub machine: Machine,
    /// The hardware of every array: `device = "exact"`, or the table of a family of devices.
    pub device: Device,
    /// What is learnt.
    pub data: DataConfig,
    /// Layers, and the arrays between them.
    pub network: NetworkConfig,
    /// When and how a relaxation stops.
    pub relaxation: Relaxation,
    /// What reads the nodes.
    pub measurement: Instruments,
    /// How the machine learns.
    pub learning: LearningConfig,
    /// How long, and with what optimiser.
    pub training: TrainingConfig,
    /// The laboratory whose instruments take the place of simulated ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laboratory: Option<LaboratoryTable>,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            seed: 1,
            chip: 0,
            precision: Precision::F32,
            machine: Machine::default(),
            device: Device::default(),
            data: DataConfig::default(),
            network: NetworkConfig::default(),
            relaxation: Relaxation::default(),
            measurement: Instruments::default(),
            learning: LearningConfig::default(),
            training: TrainingConfig::default(),
            laboratory: None,
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

impl Experiment {
    /// The machine in words.
    pub fn describe(&self) -> String {
        self.machine.describe(self)
    }

    /// The untrained machine.
    ///
    /// # Errors
    /// When the hardware cannot carry it, or a file that a device names cannot be read or is not
    /// what it should be.
    pub fn machine<T: Real>(&self) -> Result<Box<dyn System<T>>> {
        self.machine.build(self)
    }

    /// Checks that a data set of so many features and classes, or targets, fits the machine.
    ///
    /// # Errors
    /// Naming the key that is in the way.
    pub fn check_data(&self, features: usize, outputs: usize) -> Result<()> {
        self.machine.check_data(self, features, outputs)
    }

    /// The keys in which this and `other` differ, as `--set` names them; a file is the same by any
    /// path.
    pub fn differing_keys(&self, other: &Self) -> Vec<String> {
        let [own, others] = [self, other].map(|experiment| {
            let text =
                experiment.to_toml_in(Path::new("")).unwrap_or_else(|_| experiment.to_toml());
            text.parse::<toml::Table>().expect("it has just been written")
        });
        let mut keys = Vec::new();
        setting::differing(&own, &others, "", &mut keys);
        keys
    }

    /// How long to train, in what parts, and for what.
    pub fn plan(&self) -> Plan {
        Plan {
            epochs: self.training.epochs,
            batch: self.training.batch,
            schedule: self.training.schedule.clone(),
            objective: self.learning.objective(),
            rates: self.training.rates.clone(),
            seed: self.seed,
        }
    }
}

/// Runs a generic function in the precision that an experiment asks for.
macro_rules! in_precision {
    ($experiment:expr, $function:ident($($argument:expr),*)) => {
        match $experiment.precision {
            $crate::experiment::Precision::F32 => $function::<f32>($($argument),*),
            $crate::experiment::Precision::F64 => $function::<f64>($($argument),*),
        }
    };
}
pub(crate) use in_precision;
