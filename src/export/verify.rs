//! Reading an export back: the files alone, as a laboratory would.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Holder, Manifest, expectation, slm, test_set};
use crate::Result;
use crate::experiment::{Device, Experiment, in_precision};
use crate::file::sha256;

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether everything is as the manifest says.
    pub ok: bool,
    /// What is not, each naming its file.
    pub problems: Vec<String>,
    /// The accuracy of the machine built from the files, where one could be built.
    pub test_accuracy: Option<f64>,
    /// Test samples.
    pub test_samples: usize,
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
    let (mut test_accuracy, mut test_samples) = (None, 0);
    match found {
        Err(error) => problems.push(error.to_string()),
        Ok((found, classes)) => {
            (test_accuracy, test_samples) = (Some(found.accuracy), found.samples);
            if found != manifest.expected {
                let expected = &manifest.expected;
                problems.push(format!(
                    "manifest.json: expected {} of {} test samples of {} correct, the machine built from these files has {} of {} of {}",
                    expected.correct, expected.samples, expected.data, found.correct, found.samples, found.data
                ));
            }
            match test_set::read_classes(&directory.join(test_set::PREDICTIONS)) {
                Err(error) => problems.push(error.to_string()),
                Ok(expected) => {
                    let differ = expected
                        .iter()
                        .zip(&classes)
                        .filter(|(expected, found)| expected != found)
                        .count();
                    if differ > 0 || expected.len() != classes.len() {
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
    Ok(Verification { ok: problems.is_empty(), problems, test_accuracy, test_samples })
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
        let differing = array.differs_from(device).into_iter();
        let problem = move |(key, found, expected): (&str, String, String)| {
            format!(
                "manifest.json: {name}: {key} = {found}: the device's range makes it {expected}"
            )
        };
        differing.map(problem).collect::<Vec<_>>()
    };
    arrays.flat_map(check).collect()
}
