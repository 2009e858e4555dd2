//! How what outputs show becomes values of targets: `targets.csv` of an export.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use crate::data::{Outputs, Target};
use crate::experiment::Experiment;
use crate::file::read_text;
use crate::training::Objective;
use crate::{Error, Result};

pub(super) const TARGETS: &str = "targets.csv";

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    output: usize,
    target: String,
    low: f64,
    high: f64,
    off: f64,
    on: f64,
}

/// The formula of the file, in its words.
pub(super) const FORMULA: &str = "low + (v - off) / (on - off) x (high - low)";

/// Writes the file, where outputs stand for targets.
pub(super) fn write(bundle: &mut Bundle, meaning: &Outputs, objective: &Objective) -> Result<()> {
    let targets = meaning.targets();
    if targets.is_empty() {
        return Ok(());
    }
    let what = format!(
        "how what outputs show becomes values of targets, a line an output: a value v is {FORMULA}"
    );
    bundle.write(TARGETS, &what, None, |file| {
        let mut writer = csv::Writer::from_writer(file);
        for (output, target) in targets.iter().enumerate() {
            let (off, on) = (objective.target_off, objective.target_on);
            let Target { name, low, high } = target.clone();
            let line = Line { output, target: name, low, high, off, on };
            writer.serialize(line).map_err(std::io::Error::other)?;
        }
        writer.flush()
    })
}

/// What the `outputs` of the machine of `experiment` stand for, as the files in `directory` say:
/// classes, which have no names there, or targets.
///
/// # Errors
/// When the file of targets cannot be read, or is not what it should be.
pub(super) fn read(directory: &Path, experiment: &Experiment, outputs: usize) -> Result<Outputs> {
    if experiment.data.task.is_classification() {
        return Ok(Outputs::Classes((0..outputs).map(|class| class.to_string()).collect()));
    }
    let path = directory.join(TARGETS);
    let wrong = |line: usize, what: String| {
        Error::input(format!("{}: line {line}: {what}", path.display()))
    };
    let text = read_text(&path)?;
    let objective = experiment.learning.objective();
    let mut targets = Vec::new();
    for (at, line) in csv::Reader::from_reader(text.as_bytes()).into_deserialize().enumerate() {
        let Line { output, target, low, high, off, on } =
            line.map_err(|e| wrong(at + 2, e.to_string()))?;
        if output != at || (off, on) != (objective.target_off, objective.target_on) {
            let (own_off, own_on) = (objective.target_off, objective.target_on);
            return Err(wrong(
                at + 2,
                format!(
                    "output {output}, off {off}, on {on}: the configuration has {at}, {own_off} and {own_on}"
                ),
            ));
        }
        let target = Target { name: target, low, high };
        if !(target.width() > 0.0 && target.width().is_finite()) {
            return Err(wrong(at + 2, format!("low {low}, high {high}: expected low below high")));
        }
        targets.push(target);
    }
    match targets.len() {
        found if found == outputs => Ok(Outputs::Targets(targets)),
        found => {
            Err(wrong(found + 1, format!("{found} targets: expected {outputs}, one an output")))
        }
    }
}
