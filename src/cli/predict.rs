//! `equilux predict`: what a trained machine says of samples, one by one.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::arithmetic::Real;
use crate::data::{Labels, Samples};
use crate::experiment::{Experiment, Predictions, RunDirectory, Session, in_precision};
use crate::report::format::counted;
use crate::report::scores::full;
use crate::training::Score;
use crate::{Error, Result};

/// Write what a trained machine says of samples: outputs, node values at rest, classes or targets
#[derive(Debug, Args)]
pub struct PredictCommand {
    /// The directory of a run
    run: PathBuf,
    /// The samples: anything that data.set can be, with labels or without; scaled as the training
    /// part was [default: the test part of the run]
    #[arg(long, value_name = "FILE")]
    data: Option<String>,
    /// The file to write: .csv, a line a sample, or .npz, arrays samples x ...
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Change a key of the run's experiment, as in `equilux evaluate`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Program the parameters into this device: a datasheet's name or path, or `exact`
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Predict on the instrument of a laboratory: its address HOST:PORT, or the command that talks
    /// to it on its standard input and output; `none` simulates
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    laboratory: Option<String>,
}

pub(super) fn run(command: &PredictCommand, json: bool) -> Result<()> {
    Predictions::check_path(&command.out)?;
    let directory = RunDirectory::open(&command.run)?;
    let experiment = directory.experiment_on(command.device.as_deref(), &command.settings)?;
    let experiment = super::train::in_laboratory(experiment, command.laboratory.as_deref())?;
    super::train::stop_laboratory(&experiment);
    let found = in_precision!(experiment, predicted(command, &directory, &experiment))?;
    let inputs: Vec<PathBuf> = command.data.iter().map(PathBuf::from).collect();
    let inputs: Vec<_> = inputs.iter().map(PathBuf::as_path).collect();
    crate::file::keep_inputs(&command.out, &inputs)?;
    found.write(&command.out)?;
    let (samples, out) = (found.given.len(), command.out.display());
    let unsettled = found.settled.iter().filter(|settled| !**settled).count();
    let (correct, fit) = (found.correct(), found.score().and_then(Score::fit));
    if json {
        let mut object =
            json!({ "out": out.to_string(), "samples": samples, "unsettled": unsettled });
        match found.given {
            Labels::Classes(_) => {
                object["correct"] = json!(correct);
                object["classes"] = json!(found.names);
            }
            Labels::Values(_) => {
                object["r2"] = json!(fit.map(|fit| fit.r2));
                object["rmse"] = json!(fit.map(|fit| fit.rmse));
                object["mae"] = json!(fit.map(|fit| fit.mae));
                object["targets"] = json!(found.names);
            }
        }
        return print(&object.to_string());
    }
    let score = match (correct, fit) {
        (Some(correct), _) => format!(", {correct} of them right"),
        (None, Some(fit)) => format!(", {}", full(Score::Fit(fit))),
        (None, None) => String::new(),
    };
    let samples = counted(samples, "sample");
    print(&format!("{samples}{score}, {unsettled} not settled, in {out}"))
}

fn predicted<T: Real>(
    command: &PredictCommand,
    directory: &RunDirectory,
    experiment: &Experiment,
) -> Result<Predictions> {
    let mut session = Session::<T>::reopen(directory, experiment.clone())?;
    let Some(file) = &command.data else { return session.predict(None) };
    let samples = Samples::load(file, &experiment.data)?;
    let found = session.predict(Some(&samples));
    found.map_err(|e| Error::input(format!("--data {file}: {e}")))
}
