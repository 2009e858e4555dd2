//! `equilux evaluate`: a trained machine on its own device, or on another.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::Result;
use crate::arithmetic::real::Real;
use crate::coupler::Expense;
use crate::data::{Dataset, Parts};
use crate::experiment::{Experiment, in_precision};
use crate::system::System;
use crate::training::{
    Checkpoint, LabSummary, RunDirectory, Summary, check_fit, evaluate, load_machine,
    unsettled_fraction,
};

/// Evaluate a trained machine, as it is or on another device or noise
#[derive(Debug, Args)]
pub struct EvaluateCommand {
    /// The directory of a run
    run: PathBuf,
    /// Change a key of the run's experiment, for example device.crossbar.dac.bits=6; may be
    /// repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Program the parameters into this device: a datasheet's name or path, or `exact`
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
}

pub(super) fn run(command: &EvaluateCommand, json: bool) -> Result<()> {
    let directory = RunDirectory::open(&command.run)?;
    let trained = Experiment::load(&directory.config(), &[])?;
    let mut experiment = Experiment::load(&directory.config(), &command.settings)?;
    if let Some(device) = &command.device {
        experiment = experiment.on_device(device)?;
    }
    // The cells hold what they held at the end of training, unless it is other hardware.
    let same_hardware = experiment.device == trained.device && experiment.seed == trained.seed;
    let summary = in_precision!(trained, evaluated(&directory, &experiment, same_hardware))?;
    if json {
        return print(&serde_json::to_string(&summary).expect("names and finite numbers"));
    }
    print(&super::train::describe(&summary))
}

fn evaluated<T: Real>(
    directory: &RunDirectory,
    experiment: &Experiment,
    same_hardware: bool,
) -> Result<Summary> {
    let parts =
        Parts::<T>::prepare(Dataset::load(&experiment.data)?, &experiment.data, experiment.seed)?;
    let mut machine = experiment.machine::<T>()?;
    check_fit(experiment, &machine, &parts)?;
    let checkpoint = Checkpoint::read(&directory.checkpoint())?;
    load_machine(&mut machine, &checkpoint, same_hardware, &directory.checkpoint())?;
    let start = std::time::Instant::now();
    let train = evaluate(&mut machine, &parts.train, &experiment.learning)?;
    let before = machine.expense();
    let test = evaluate(&mut machine, &parts.test, &experiment.learning)?;
    let seconds = start.elapsed().as_secs_f64();
    let inference = Expense::default().plus(&machine.expense(), &before);
    let validation = match &parts.validation {
        Some(examples) => Some(evaluate(&mut machine, examples, &experiment.learning)?.accuracy()),
        None => None,
    };
    Ok(Summary {
        run: directory.path().display().to_string(),
        rule: experiment.learning.rule.name().into(),
        machine: experiment.device.describe(),
        data: experiment.data.set.clone(),
        epochs: checkpoint.progress.metrics.len(),
        test_accuracy: test.accuracy(),
        train_accuracy: train.accuracy(),
        validation_accuracy: validation,
        test_samples: test.samples,
        test_unsettled: test.unsettled,
        train_unsettled: unsettled_fraction(&checkpoint.progress.metrics, train.samples),
        samples_per_second: (train.samples + test.samples) as f64 / seconds,
        lab: LabSummary::new(&checkpoint.progress.spent, &inference, test.samples),
    })
}
