//! The samples on which an export is judged, as the input nodes are driven.

use std::path::Path;

use nalgebra::DMatrix;

use super::bundle::Bundle;
use crate::arithmetic::Real;
use crate::data::{Examples, Labels, Outputs, Scaler};
use crate::file::matrix::{read_matrix, write_matrix, write_matrix_f32};
use crate::file::read_text;
use crate::{Error, Result};

pub(super) const INPUTS: &str = "test-inputs.npy";
/// How features become inputs.
pub(super) const SCALING: &str = "scaling.csv";
pub(super) const LABELS: &str = "test-labels.csv";
/// What the machine is expected to say of each test sample.
pub(super) const PREDICTIONS: &str = "predictions.csv";

/// Writes the values of the input nodes, and the class of each sample or the values of its targets.
pub(super) fn write<T: Real>(
    bundle: &mut Bundle,
    test: &Examples<T>,
    meaning: &Outputs,
) -> Result<()> {
    let inputs = test.inputs.map(T::f64).transpose();
    let write = if T::NAME == "f32" { write_matrix_f32 } else { write_matrix };
    write(&bundle.path().join(INPUTS), &inputs)?;
    bundle.add(
        INPUTS,
        "values of the input nodes, test samples x inputs",
        Some("1"),
        &[inputs.nrows(), inputs.ncols()],
    )?;
    write_labels(bundle, LABELS, "of each test sample", &test.labels, meaning)
}

/// Writes what the machine is expected to say of each sample.
pub(super) fn write_predictions(
    bundle: &mut Bundle,
    told: &Labels,
    meaning: &Outputs,
) -> Result<()> {
    let what = match told {
        Labels::Classes(_) => {
            "that each test sample is expected to be given, by its row in test-inputs.npy"
        }
        Labels::Values(_) => {
            "that the machine is expected to tell of each test sample, by its row in test-inputs.npy"
        }
    };
    write_labels(bundle, PREDICTIONS, what, told, meaning)
}

/// Writes a table of the class of each sample, from 0, or of the values of its targets; `what` goes
/// on from there.
fn write_labels(
    bundle: &mut Bundle,
    name: &str,
    what: &str,
    labels: &Labels,
    meaning: &Outputs,
) -> Result<()> {
    match labels {
        Labels::Classes(classes) => {
            bundle.write(name, &format!("class {what}"), Some("class"), |file| {
                writeln!(file, "sample,class")?;
                classes
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, class)| writeln!(file, "{at},{class}"))
            })
        }
        Labels::Values(values) => {
            let what = format!("values of the targets {what}");
            bundle.write(name, &what, Some("the target's"), |file| {
                let mut writer = csv::Writer::from_writer(file);
                let heads = ["sample".to_owned()].into_iter().chain(meaning.names());
                writer.write_record(heads)?;
                for (at, values) in values.column_iter().enumerate() {
                    let cells = values.iter().map(f64::to_string);
                    writer.write_record([at.to_string()].into_iter().chain(cells))?;
                }
                writer.flush()
            })
        }
    }
}

/// The labels of a table as [`write_labels`] writes it, of what `meaning` says.
pub(super) fn read_labels(path: &Path, meaning: &Outputs) -> Result<Labels> {
    let wrong = |line: usize, what: &str| {
        Error::input(format!("{}: line {line}: expected a sample and {what}", path.display()))
    };
    let text = read_text(path)?;
    if let Outputs::Targets(targets) = meaning {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let (mut values, mut samples) = (Vec::new(), 0);
        for record in reader.records() {
            let line = samples + 2;
            let expected =
                || wrong(line, &format!("a number for each of {} targets", targets.len()));
            let record = record.map_err(|_| expected())?;
            let cells = record.iter().skip(1).map(|cell| cell.parse::<f64>());
            let numbers = cells.collect::<Result<Vec<f64>, _>>().map_err(|_| expected())?;
            if numbers.len() != targets.len() || numbers.iter().any(|number| !number.is_finite()) {
                return Err(expected());
            }
            values.extend(numbers);
            samples += 1;
        }
        return Ok(Labels::Values(DMatrix::from_vec(targets.len(), samples, values)));
    }
    let lines = text.lines().enumerate().skip(1);
    let class = |(at, line): (usize, &str)| {
        let class = line.split_once(',').and_then(|(_, class)| class.parse().ok());
        class.ok_or_else(|| wrong(at + 1, "its class"))
    };
    lines.map(class).collect::<Result<_>>().map(Labels::Classes)
}

/// Writes how a new sample's features become the values of the input nodes.
pub(super) fn write_scaling(bundle: &mut Bundle, scaler: &Scaler) -> Result<()> {
    let what = "how features become the values of input nodes, a line a feature: (feature - offset) x factor, then \
                clipped to +-clip; mean stands for a missing value";
    bundle.write(SCALING, what, None, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["feature", "offset", "factor", "clip", "mean", "name"])?;
        let number = |value: f64| format!("{value:?}");
        let clip = Some(scaler.clip()).filter(|clip| clip.is_finite()).map(number);
        for (feature, (offset, factor)) in scaler.offset().iter().zip(scaler.factor()).enumerate() {
            let mean = scaler.means().and_then(|means| means.get(feature).copied().map(number));
            let name = scaler.names().get(feature).cloned();
            writer.write_record([
                feature.to_string(),
                number(*offset),
                number(*factor),
                clip.clone().unwrap_or_default(),
                mean.unwrap_or_default(),
                name.unwrap_or_default(),
            ])?;
        }
        writer.flush()
    })
}

/// The samples in `directory`, of so many inputs, and of what `meaning` says that outputs stand for.
pub(super) fn read<T: Real>(
    directory: &Path,
    inputs: usize,
    meaning: &Outputs,
) -> Result<Examples<T>> {
    let (path, labels_path) = (directory.join(INPUTS), directory.join(LABELS));
    let (values, labels) = (read_matrix(&path)?, read_labels(&labels_path, meaning)?);
    if values.shape() != (labels.len(), inputs) {
        let (rows, columns) = values.shape();
        let (path, samples) = (path.display(), labels.len());
        return Err(Error::input(format!(
            "{path}: expected {samples} samples x {inputs} inputs, found {rows} x {columns}"
        )));
    }
    let classes = meaning.len();
    let own = labels.classes().unwrap_or_default();
    if let Some(sample) = own.iter().position(|label| *label >= classes) {
        return Err(Error::input(format!(
            "{}: line {}: expected a class below {classes}, found {}",
            labels_path.display(),
            sample + 2,
            own[sample]
        )));
    }
    let inputs = values.transpose().map(T::of);
    Ok(Examples { inputs, labels })
}
