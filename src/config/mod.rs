//! Experiments and devices as files.
//!
//! An experiment is one TOML file; every key but the layers has a default, and a key that does not exist is an error. A device's
//! table may name a datasheet, whose numbers lie under its own. [`Experiment::load`] gives one validated value before anything runs.

mod build;
mod case;
pub mod duration;
mod experiment;
mod load;
pub mod range;
mod sheet;

pub use case::Case;
pub use experiment::{CouplingConfig, Device, Experiment, LearningConfig, NetworkConfig, Precision, RuleName, Topology, TrainingConfig};
pub use sheet::{Number, Sheet};
