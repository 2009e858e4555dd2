//! Experiments and devices as files.
//!
//! An experiment is one TOML file; every key but the layers has a default, and a key that does not
//! exist is an error. A device's table may name a datasheet, whose numbers lie under its own.
//! [`Experiment::load`] gives one validated value before anything runs.

mod build;
mod case;
mod load;
mod sheet;
mod tables;

pub use case::Case;
pub(crate) use load::{located, set_value};
pub use sheet::{Number, Sheet};
pub use tables::{
    CouplingConfig, Device, Experiment, LearningConfig, NetworkConfig, Precision, RuleName,
    Topology, TrainingConfig,
};

/// Runs a generic function in the precision that an experiment asks for.
macro_rules! in_precision {
    ($experiment:expr, $function:ident($($argument:expr),*)) => {
        match $experiment.network.precision {
            $crate::experiment::Precision::F32 => $function::<f32>($($argument),*),
            $crate::experiment::Precision::F64 => $function::<f64>($($argument),*),
        }
    };
}
pub(crate) use in_precision;
