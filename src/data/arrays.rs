//! Sets in arrays of numpy: features and labels by name in an `.npz`, or in two `.npy` files.
//!
//! Features are `samples x ...`, one number a feature in the order of memory (last index fastest);
//! labels are whole numbers, one a sample, or, of a regression, any numbers, samples x targets. A
//! feature that is not a number is a missing value.

use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

use super::classes::{ADVICE, sort_classes};
use super::known::Known;
use super::missing::{Gaps, Missing};
use super::{Columns, Dataset, Labels, Samples, Task};
use crate::file::matrix::{Array, column_by_column, parse_array};
use crate::file::npz::Npz;
use crate::file::{limits, read_bytes};
use crate::{Error, Result};

/// What features and labels are usually called, of the training part and then of the test part.
const USUAL: [&[&str]; 6] = [
    &["x_train", "y_train", "x_test", "y_test"],
    &["train_images", "train_labels", "test_images", "test_labels"],
    &["x", "y"],
    &["X", "y"],
    &["X", "Y"],
    &["data", "target"],
];

/// Reads the archive at `path`. `names` are those of features and labels, and, where it has a test
/// part of its own, of its features and labels; without names the usual ones are looked for.
///
/// # Errors
/// [`Error::Read`] when it cannot be read; [`Error::Input`] naming file and array for arrays that
/// are not there, no features or labels, or do not fit each other.
pub(super) fn read_npz(
    path: &Path,
    names: Option<&[String]>,
    task: Task,
    missing: Missing,
) -> Result<Dataset> {
    let mut archive = Npz::open(path)?;
    let held = archive.names();
    let has = |name: &&str| held.iter().any(|held| held == name);
    let usual = || {
        let found = USUAL.into_iter().find(|names| names.iter().all(&has));
        found.map(|names| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    };
    let names = match names {
        Some(names) => names.to_vec(),
        None => usual().ok_or_else(|| {
            Error::input(format!(
                "{}: no arrays `x` and `y`; it holds {}: expected data.arrays = [features, labels], or of \
                 training and test part [features, labels, features, labels]",
                path.display(),
                held.join(", ")
            ))
        })?,
    };
    let arrays: Result<Vec<(String, Array)>> = names
        .iter()
        .map(|name| Ok((format!("{}: array `{name}`", path.display()), archive.array(name)?)))
        .collect();
    assemble(path, arrays?, (task, &names[1]), missing)
}

/// The samples in the archive at `path`: of the test part, where it has one, and without labels where
/// it has none.
///
/// # Errors
/// Those of [`read_npz`].
pub(super) fn samples(
    path: &Path,
    names: Option<&[String]>,
    task: Task,
    missing: Missing,
) -> Result<Samples> {
    let mut archive = Npz::open(path)?;
    let held = archive.names();
    let has = |name: &str| held.iter().any(|held| held == name);
    let chosen: Vec<&str> = names.unwrap_or_default().iter().map(String::as_str).collect();
    let all = std::iter::once(&chosen[..]).chain(USUAL);
    // The last pair of names is that of the test part.
    let mut pairs = all.flat_map(|names| names.as_chunks::<2>().0.iter().rev());
    let Some([features, labels]) = pairs.find(|[features, _]| has(features)) else {
        return Err(Error::input(format!(
            "{}: no array `x`; it holds {}: expected features called as in data.arrays, or x",
            path.display(),
            held.join(", ")
        )));
    };
    let name = format!("{}: array `{features}`", path.display());
    let features = features_of(&name, archive.array(features)?, missing)?;
    let labels = match has(labels) {
        true => {
            let found = archive.array(labels)?;
            let label_name = format!("{}: array `{labels}`", path.display());
            Some(labels_in(&label_name, &found, features.ncols(), &name, task)?)
        }
        false => None,
    };
    Ok(Samples { features, labels })
}

/// The samples in the `.npy` file at `path`, without labels.
///
/// # Errors
/// Those of [`read_npz`].
pub(super) fn features(path: &Path, missing: Missing) -> Result<Samples> {
    let name = path.display().to_string();
    let array = parse_array(&read_bytes(path)?);
    let array = array.map_err(|message| Error::input(format!("{name}: {message}")))?;
    Ok(Samples { features: features_of(&name, array, missing)?, labels: None })
}

/// The features that `array` holds, features x samples.
fn features_of(name: &str, array: Array, missing: Missing) -> Result<DMatrix<f64>> {
    let mut gaps = Gaps::default();
    let (width, count) = check_features(name, &array, &mut gaps)?;
    let wrong = |message: String| Error::input(format!("{name}: {message}"));
    gaps.check(missing).map_err(wrong)?;
    column_by_column(width, count, array.values).map_err(wrong)
}

/// Checks an array of features, and counts what is missing; returns how many features a sample has,
/// and how many samples there are.
fn check_features(name: &str, array: &Array, gaps: &mut Gaps) -> Result<(usize, usize)> {
    let wrong = |message: String| Error::input(format!("{name}: {message}"));
    let [count, ref rest @ ..] = array.shape[..] else {
        return Err(wrong("expected samples x features, found a single number".into()));
    };
    let width = limits::NUMBERS.product(rest).map_err(wrong)?;
    if rest.is_empty() || count == 0 || width == 0 {
        return Err(wrong(format!(
            "expected samples x features, at least 1 of both, found shape {:?}",
            array.shape
        )));
    }
    let place = |at: usize| format!("sample {}, feature {}", at / width, at % width);
    for (at, value) in array.values.iter().enumerate() {
        if value.is_nan() {
            gaps.add(|| format!("{name}: {}", place(at)));
        } else if value.is_infinite() {
            return Err(wrong(format!("{}: expected a finite number", place(at))));
        }
    }
    Ok((width, count))
}

/// Reads the features in the `.npy` file at `path`, and the labels in the one that `label` names.
///
/// # Errors
/// Those of [`read_npz`].
pub(super) fn read_npy(
    path: &Path,
    label: &Columns,
    task: Task,
    missing: Missing,
) -> Result<Dataset> {
    let labels = labels_of(path, label).ok_or_else(|| {
        Error::input(format!(
            "data.label = {label}: expected the .npy file with the labels of {}",
            path.display()
        ))
    })?;
    let read = |path: &Path| -> Result<(String, Array)> {
        let name = path.display().to_string();
        let array = parse_array(&read_bytes(path)?);
        Ok((name.clone(), array.map_err(|message| Error::input(format!("{name}: {message}")))?))
    };
    let name = labels.file_stem().unwrap_or_default().to_string_lossy();
    assemble(path, vec![read(path)?, read(&labels)?], (task, &name), missing)
}

/// The file with the labels of the features in `path`: beside it, unless its path is in full.
pub(super) fn labels_of(path: &Path, label: &Columns) -> Option<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new(""));
    let [label] = label.names() else { return None };
    label.ends_with(".npy").then(|| beside.join(label))
}

/// The set of features and labels, and of those of a test part if there are any; `label` is what
/// labels are called.
fn assemble(
    path: &Path,
    arrays: Vec<(String, Array)>,
    (task, label): (Task, &str),
    missing: Missing,
) -> Result<Dataset> {
    let (mut features, mut texts, mut samples) = (Vec::new(), Vec::new(), Vec::new());
    let (mut values, mut targets) = (Vec::new(), None);
    let mut gaps = Gaps::default();
    let (mut rows, mut first) = (None, String::new());
    for [(name, array), (label_name, labels)] in arrays.as_chunks::<2>().0 {
        let wrong = |message: String| Error::input(format!("{name}: {message}"));
        let (width, count) = check_features(name, array, &mut gaps)?;
        match rows {
            Some(rows) if rows != width => {
                return Err(wrong(format!(
                    "{width} features of a sample: expected {rows}, as many as {first} has"
                )));
            }
            _ => (rows, first) = (Some(width), name.clone()),
        }
        features.extend_from_slice(&array.values);
        samples.push(count);
        match labels_in(label_name, labels, count, name, task)? {
            Known::Classes(more) => texts.extend(more),
            Known::Values(more) => {
                let (found, before) = (more.nrows(), targets.unwrap_or(more.nrows()));
                if found != before {
                    return Err(Error::input(format!(
                        "{label_name}: {found} targets of a sample: expected {before}, as many as those \
                         of the training part"
                    )));
                }
                targets = Some(found);
                values.extend_from_slice(more.as_slice());
            }
        }
    }
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    gaps.check(missing).map_err(wrong)?;
    let (rows, count) = (rows.unwrap_or_default(), samples.iter().sum());
    let (labels, outputs) = match targets {
        Some(targets) => {
            let labels = column_by_column(targets, count, values).map_err(wrong)?;
            let names = match targets {
                1 => vec![label.to_owned()],
                _ => (0..targets).map(|target| format!("{label}_{target}")).collect(),
            };
            (Labels::Values(labels), names)
        }
        None => {
            let (labels, classes) = sort_classes(&texts).map_err(wrong)?;
            if classes.len() < 2 {
                return Err(wrong(format!(
                    "every label is {}: expected at least two classes",
                    classes.first().map_or("", String::as_str)
                )));
            }
            (Labels::Classes(labels), classes)
        }
    };
    let features = column_by_column(rows, count, features).map_err(wrong)?;
    Ok(Dataset {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        features,
        labels,
        outputs,
        feature_names: (0..rows).map(|feature| format!("feature_{feature}")).collect(),
        test_from: (samples.len() > 1).then(|| samples[0]),
    })
}

/// The labels of `count` samples.
fn labels_in(
    name: &str,
    labels: &Array,
    count: usize,
    features: &str,
    task: Task,
) -> Result<Known> {
    match task {
        Task::Classification => classes_of(name, labels, count, features).map(Known::Classes),
        Task::Regression => values_of(name, labels, count, features).map(Known::Values),
    }
}

/// The targets of `count` samples, targets x samples.
fn values_of(name: &str, labels: &Array, count: usize, features: &str) -> Result<DMatrix<f64>> {
    let wrong = |message: String| Error::input(format!("{name}: {message}"));
    let (found, targets) = match labels.shape[..] {
        [found] => (found, 1),
        [found, targets] if targets > 0 => (found, targets),
        _ => {
            let shape = &labels.shape;
            return Err(wrong(format!("expected samples x targets, found shape {shape:?}")));
        }
    };
    if found != count {
        return Err(wrong(format!(
            "targets of {found} samples: expected {count}, as many as {features} has samples"
        )));
    }
    if let Some(at) = labels.values.iter().position(|value| !value.is_finite()) {
        let (sample, target, value) = (at / targets, at % targets, labels.values[at]);
        return Err(wrong(format!(
            "sample {sample}, target {target}: expected a finite number, found {value}"
        )));
    }
    column_by_column(targets, count, labels.values.clone()).map_err(wrong)
}

/// The labels of `count` samples as text.
fn classes_of(name: &str, labels: &Array, count: usize, features: &str) -> Result<Vec<String>> {
    let wrong = |message: String| Error::input(format!("{name}: {message}"));
    match labels.shape[..] {
        [found] | [found, 1] if found == count => {}
        [found] | [found, 1] => {
            return Err(wrong(format!(
                "{found} labels: expected {count}, as many as {features} has samples"
            )));
        }
        _ => {
            return Err(wrong(format!(
                "expected a label for each sample, found shape {:?}; of outputs side by side the class \
                 is their argmax, and data.task = \"regression\" learns targets",
                labels.shape
            )));
        }
    }
    let label = |(sample, value): (usize, &f64)| {
        // Beyond 2^53 not every whole number is one of double precision.
        if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
            Ok(format!("{}", *value as i64))
        } else {
            Err(wrong(format!(
                "sample {sample}: expected a whole number as label, found {value}: {ADVICE}"
            )))
        }
    };
    labels.values.iter().enumerate().map(label).collect()
}
