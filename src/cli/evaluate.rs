//! `equilux evaluate`: a trained machine on its own device, or on another.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::Result;
use crate::arithmetic::Real;
use crate::experiment::{Experiment, RunDirectory, Session, in_precision};
use crate::training::Summary;

/// Evaluate a trained machine, as it is or on another device or noise
#[derive(Debug, Args)]
pub struct EvaluateCommand {
    /// The directory of a run
    run: PathBuf,
    /// Change a key of the run's experiment, for example device.crossbar.dac.bits=6; may be
    /// repeated. A time, a price or a converter looks at the same cells; chip=N deals others
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Program the parameters into this device: a datasheet's name or path, or `exact`
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Evaluate on the instrument of a laboratory: its address HOST:PORT, or the command that talks
    /// to it on its standard input and output; `none` simulates
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    laboratory: Option<String>,
}

pub(super) fn run(command: &EvaluateCommand, json: bool) -> Result<()> {
    let directory = RunDirectory::open(&command.run)?;
    let experiment = directory.experiment_on(command.device.as_deref(), &command.settings)?;
    let experiment = super::train::in_laboratory(experiment, command.laboratory.as_deref())?;
    let summary = in_precision!(experiment, evaluated(&directory, &experiment))?;
    if json {
        return print(&serde_json::to_string(&summary).expect("names and finite numbers"));
    }
    print(&super::train::describe(&summary))
}

fn evaluated<T: Real>(directory: &RunDirectory, experiment: &Experiment) -> Result<Summary> {
    Session::<T>::reopen(directory, experiment.clone())?.summary(directory)
}
