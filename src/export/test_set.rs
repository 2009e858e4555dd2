//! The samples on which an export is judged, as the input nodes are driven.

use std::path::Path;

use nalgebra::DMatrix;

use super::bundle::Bundle;
use crate::arithmetic::Real;
use crate::data::{Examples, Scaler};
use crate::file::matrix::{read_matrix, read_vector, write_matrix, write_matrix_f32};
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
    let labels =
        DMatrix::from_iterator(test.len(), 1, test.labels.iter().map(|label| *label as f64));
    write_matrix(&bundle.path().join(LABELS), &labels)?;
    bundle.add(LABELS, "class of each test sample", Some("class"), &[test.len(), 1])
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
    let (values, labels) = (read_matrix(&path)?, read_vector(&labels_path)?);
    if values.shape() != (labels.len(), inputs) {
        let (rows, columns) = values.shape();
        let (path, samples) = (path.display(), labels.len());
        return Err(Error::input(format!(
            "{path}: expected {samples} samples x {inputs} inputs, found {rows} x {columns}"
        )));
    }
    let class = |(sample, label): (usize, &f64)| {
        let whole = label.fract() == 0.0 && (0.0..classes as f64).contains(label);
        let message = || {
            Error::input(format!(
                "{}: line {}: expected a class below {classes}, found {label}",
                labels_path.display(),
                sample + 1
            ))
        };
        if whole { Ok(*label as usize) } else { Err(message()) }
    };
    Ok(Examples {
        inputs: values.transpose().map(T::of),
        labels: labels.iter().enumerate().map(class).collect::<Result<_>>()?,
    })
}
