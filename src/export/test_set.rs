//! The samples on which an export is judged, as the input nodes are driven.

use std::path::Path;

use super::bundle::Bundle;
use crate::arithmetic::Real;
use crate::data::{Examples, Scaler};
use crate::file::matrix::{read_matrix, write_matrix, write_matrix_f32};
use crate::file::read_text;
use crate::{Error, Result};

pub(super) const INPUTS: &str = "test-inputs.npy";
/// How features become inputs.
pub(super) const SCALING: &str = "scaling.csv";
pub(super) const LABELS: &str = "test-labels.csv";
/// The class that each test sample is expected to be given.
pub(super) const PREDICTIONS: &str = "predictions.csv";

/// Writes the values of the input nodes and the class of each sample.
pub(super) fn write<T: Real>(bundle: &mut Bundle, test: &Examples<T>) -> Result<()> {
    let inputs = test.inputs.map(T::f64).transpose();
    let write = if T::NAME == "f32" { write_matrix_f32 } else { write_matrix };
    write(&bundle.path().join(INPUTS), &inputs)?;
    bundle.add(
        INPUTS,
        "values of the input nodes, test samples x inputs",
        Some("1"),
        &[inputs.nrows(), inputs.ncols()],
    )?;
    write_classes(bundle, LABELS, "class of each test sample", &test.labels)
}

/// Writes a table of the class of each sample, from 0.
pub(super) fn write_classes(
    bundle: &mut Bundle,
    name: &str,
    what: &str,
    classes: &[usize],
) -> Result<()> {
    bundle.write(name, what, Some("class"), |file| {
        writeln!(file, "sample,class")?;
        classes.iter().enumerate().try_for_each(|(at, class)| writeln!(file, "{at},{class}"))
    })
}

/// The classes of a table as [`write_classes`] writes it.
pub(super) fn read_classes(path: &Path) -> Result<Vec<usize>> {
    let wrong = |line: usize| {
        Error::input(format!("{}: line {line}: expected a sample and its class", path.display()))
    };
    let text = read_text(path)?;
    let lines = text.lines().enumerate().skip(1);
    let class = |(at, line): (usize, &str)| {
        let class = line.split_once(',').and_then(|(_, class)| class.parse().ok());
        class.ok_or_else(|| wrong(at + 1))
    };
    lines.map(class).collect()
}

/// Writes how a new sample's features become the values of the input nodes.
pub(super) fn write_scaling(bundle: &mut Bundle, scaler: &Scaler) -> Result<()> {
    let what = "how features become the values of input nodes, a line a feature: (feature - offset) x factor, then \
                clipped to +-clip; mean stands for a missing value";
    bundle.write(SCALING, what, None, |file| {
        writeln!(file, "feature,offset,factor,clip,mean")?;
        let clip = Some(scaler.clip()).filter(|clip| clip.is_finite());
        let clip = clip.map_or(String::new(), |clip| format!("{clip:?}"));
        for (feature, (offset, factor)) in scaler.offset().iter().zip(scaler.factor()).enumerate() {
            let mean = scaler.means().and_then(|means| means.get(feature));
            let mean = mean.map_or(String::new(), |mean| format!("{mean:?}"));
            writeln!(file, "{feature},{offset:?},{factor:?},{clip},{mean}")?;
        }
        Ok(())
    })
}

/// The samples in `directory`, of so many inputs and classes.
pub(super) fn read<T: Real>(
    directory: &Path,
    inputs: usize,
    classes: usize,
) -> Result<Examples<T>> {
    let (path, labels_path) = (directory.join(INPUTS), directory.join(LABELS));
    let (values, labels) = (read_matrix(&path)?, read_classes(&labels_path)?);
    if values.shape() != (labels.len(), inputs) {
        let (rows, columns) = values.shape();
        let (path, samples) = (path.display(), labels.len());
        return Err(Error::input(format!(
            "{path}: expected {samples} samples x {inputs} inputs, found {rows} x {columns}"
        )));
    }
    if let Some(sample) = labels.iter().position(|label| *label >= classes) {
        return Err(Error::input(format!(
            "{}: line {}: expected a class below {classes}, found {}",
            labels_path.display(),
            sample + 2,
            labels[sample]
        )));
    }
    let inputs = values.transpose().map(T::of);
    Ok(Examples { inputs, labels })
}
