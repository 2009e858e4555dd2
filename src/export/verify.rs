//! Reading an export back: the files alone, as a laboratory would.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Holder, Manifest, expectation, slm, targets, test_set};
use crate::Result;
use crate::data::{Labels, Task};
use crate::experiment::{Device, Experiment, in_precision};
use crate::file::sha256;
use crate::training::{Fit, Score};

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether everything is as the manifest says.
    pub ok: bool,
    /// What is not, each naming its file.
    pub problems: Vec<String>,
    /// How well the machine does that is built from the files, where one could be built.
    #[serde(flatten)]
    pub found: Found,
    /// Test samples.
    pub test_samples: usize,
}

/// How well the machine does that is built from the files; nothing where none could be built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Found {
    /// It tells classes.
    Classes {
        /// The part of the test samples that is given its class.
        test_accuracy: Option<f64>,
    },
    /// It tells values of targets; means of several.
    Values {
        /// The part of the targets' variance that is told.
        test_r2: Option<f64>,
        /// Root mean square error, in the targets' units.
        test_rmse: Option<f64>,
        /// Mean absolute error, in the targets' units.
        test_mae: Option<f64>,
    },
}

impl Found {
    fn new(task: Task, score: Option<Score>) -> Self {
        let fit = score.and_then(Score::fit);
        match task {
            Task::Classification => {
                Self::Classes { test_accuracy: score.and_then(Score::accuracy) }
            }
            Task::Regression => Self::Values {
                test_r2: fit.map(|fit| fit.r2),
                test_rmse: fit.map(|fit| fit.rmse),
                test_mae: fit.map(|fit| fit.mae),
            },
        }
    }

    /// The score.
    pub fn score(&self) -> Option<Score> {
        match *self {
            Self::Classes { test_accuracy } => test_accuracy.map(Score::Accuracy),
            Self::Values { test_r2, test_rmse, test_mae } => {
                Some(Score::Fit(Fit { r2: test_r2?, rmse: test_rmse?, mae: test_mae? }))
            }
        }
    }
}

/// Checks the export in `directory`: every file by its check sum, scales and all that masks need
/// beside their patterns against the device, and the machine built from the files against the
/// predictions.
///
/// # Errors
/// When there is no manifest, or it is damaged or somebody else's.
pub fn verify(directory: &Path) -> Result<Verification> {
    let manifest = Manifest::read(directory)?;
    let experiment = manifest.experiment(directory)?;
    let mut problems: Vec<String> =
        manifest.broken.iter().map(|problem| format!("manifest.json: {problem}")).collect();
    problems.extend(damaged_files(directory, &manifest));
    problems.extend(wrong_scales(&manifest, &experiment));
    if let Device::Spim(device) = &experiment.device {
        for holder in &manifest.held {
            let Holder::Slm(masks) = holder else { continue };
            let all = manifest.held.iter().map(Holder::parameter);
            let modulator = slm::Modulator::new(device, &experiment, &masks.parameter, all);
            match slm::problems(directory, modulator, masks) {
                Ok(found) => problems.extend(found),
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    let found = in_precision!(experiment, expectation(directory, &manifest));
    let (mut score, mut test_samples) = (None, 0);
    match found {
        Err(error) => problems.push(error.to_string()),
        Ok((found, told)) => {
            (score, test_samples) = (Some(found.score()), found.samples());
            if found != manifest.expected {
                problems.push(format!(
                    "manifest.json: expected {}, the machine built from these files has {}",
                    manifest.expected.describe(),
                    found.describe()
                ));
            }
            let meaning = targets::read(directory, &experiment, outputs_of(&told));
            let path = directory.join(test_set::PREDICTIONS);
            match meaning.and_then(|meaning| test_set::read_labels(&path, &meaning)) {
                Err(error) => problems.push(error.to_string()),
                Ok(expected) => {
                    let same = |sample: &usize| {
                        let at = [*sample];
                        sample < &told.len() && expected.at(&at) == told.at(&at)
                    };
                    let differ = (0..expected.len()).filter(|sample| !same(sample)).count();
                    if differ > 0 || expected.len() != told.len() {
                        problems.push(format!(
                            "predictions.csv: {differ} of {} predictions differ from those found",
                            expected.len()
                        ));
                    }
                }
            }
        }
    }
    let mut told = HashSet::new();
    problems.retain(|problem| told.insert(problem.clone()));
    // A file that is not there cannot be read either.
    let missing: Vec<String> = manifest
        .files
        .iter()
        .filter(|entry| !directory.join(&entry.file).is_file())
        .map(|entry| format!("{}: cannot be read", entry.file))
        .collect();
    problems.retain(|problem| !missing.iter().any(|again| problem.contains(again)));
    let found = Found::new(experiment.data.task, score);
    Ok(Verification { ok: problems.is_empty(), problems, found, test_samples })
}

/// Of how many targets values are told.
fn outputs_of(told: &Labels) -> usize {
    told.values().map_or(0, nalgebra::DMatrix::nrows)
}

fn damaged_files(directory: &Path, manifest: &Manifest) -> Vec<String> {
    let check = |entry: &super::FileEntry| {
        let path = directory.join(&entry.file);
        if !path.is_file() {
            return Some(format!("{}: missing", entry.file));
        }
        match sha256(&path) {
            Err(error) => Some(error.to_string()),
            Ok(found) if found != entry.sha256 => {
                Some(format!("{}: changed: SHA-256 {found}, expected {}", entry.file, entry.sha256))
            }
            Ok(_) => None,
        }
    };
    manifest.files.iter().filter_map(check).collect()
}

/// Scales that are not those of the device in the configuration.
fn wrong_scales(manifest: &Manifest, experiment: &Experiment) -> Vec<String> {
    let Device::Crossbar(device) = &experiment.device else { return Vec::new() };
    let arrays = manifest
        .held
        .iter()
        .filter_map(|holder| if let Holder::Crossbar(array) = holder { Some(array) } else { None });
    let check = |array: &super::crossbar::CrossbarArray| {
        let name = &array.parameter;
        let differing = array.differs_from(&device.of_array(array.name())).into_iter();
        let problem = move |(key, found, expected): (&str, String, String)| {
            format!(
                "manifest.json: {name}: {key} = {found}: the device's range makes it {expected}"
            )
        };
        differing.map(problem).collect::<Vec<_>>()
    };
    arrays.flat_map(check).collect()
}
