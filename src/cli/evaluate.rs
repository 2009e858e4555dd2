//! `equilux evaluate`: a trained machine on its own device, or on another.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::arithmetic::Real;
use crate::data::Samples;
use crate::experiment::{Experiment, RunDirectory, Session, in_precision};
use crate::report::aligned;
use crate::report::format::percent;
use crate::report::scores::of_targets;
use crate::training::{Confusion, Summary};
use crate::{Error, Result};

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
    /// Test with the samples of this file in place of the test part: anything that data.set can be,
    /// with labels; scaled as the training part was
    #[arg(long, value_name = "FILE")]
    test: Option<String>,
    /// Evaluate on the instrument of a laboratory: its address HOST:PORT, or the command that talks
    /// to it on its standard input and output; `none` simulates
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    laboratory: Option<String>,
}

pub(super) fn run(command: &EvaluateCommand, json: bool) -> Result<()> {
    let directory = RunDirectory::open(&command.run)?;
    let experiment = directory.experiment_on(command.device.as_deref(), &command.settings)?;
    let experiment = super::train::in_laboratory(experiment, command.laboratory.as_deref())?;
    super::train::stop_laboratory(&experiment);
    let summary = in_precision!(experiment, evaluated(command, &directory, &experiment))?;
    if json {
        return print(&serde_json::to_string(&summary).expect("names and finite numbers"));
    }
    let scores = &summary.scores;
    let detail = match (scores.confusion(), scores.targets()) {
        (Some(confusion), _) => confused(confusion),
        // Of a single target all is said.
        (None, [_]) => String::new(),
        (None, targets) => aligned(&of_targets(targets)).join("\n"),
    };
    print(format!("{}\n{detail}", super::train::describe(&summary)).trim_end())
}

fn evaluated<T: Real>(
    command: &EvaluateCommand,
    directory: &RunDirectory,
    experiment: &Experiment,
) -> Result<Summary> {
    let mut session = Session::<T>::reopen(directory, experiment.clone())?;
    if let Some(file) = &command.test {
        let samples = Samples::load(file, &experiment.data)?;
        let known = samples.labels.is_some();
        if !known {
            return Err(Error::input(format!(
                "--test {file}: no labels: expected {} beside the features",
                experiment.data.task.outputs()
            )));
        }
        let examples = session.examples(&samples);
        let examples = examples.map_err(|e| Error::input(format!("--test {file}: {e}")))?;
        session.trainer.test_with(examples)?;
    }
    session.summary(directory)
}

/// The confusion matrix, with precision and recall of each class.
fn confused(confusion: &Confusion) -> String {
    let share = |fraction: Option<f64>| fraction.map_or("-".to_owned(), percent);
    let mut rows = vec![confusion.classes.clone()];
    rows[0].insert(0, "of \\ given".into());
    rows[0].push("recall".into());
    for (class, counts) in confusion.counts.iter().enumerate() {
        let mut row = vec![confusion.classes[class].clone()];
        row.extend(counts.iter().map(usize::to_string));
        row.push(share(confusion.recall(class)));
        rows.push(row);
    }
    let precisions = (0..confusion.classes.len()).map(|class| share(confusion.precision(class)));
    rows.push(["precision".to_owned()].into_iter().chain(precisions).collect());
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            let fields = rows.iter().filter_map(|row| row.get(column));
            fields.map(|field| field.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let line = |row: &Vec<String>| {
        let fields = row.iter().zip(&widths).map(|(field, width)| format!("{field:>width$}"));
        fields.collect::<Vec<_>>().join("  ")
    };
    let balanced = share(confusion.balanced_accuracy());
    format!(
        "balanced accuracy {balanced}\n{}",
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    )
}
