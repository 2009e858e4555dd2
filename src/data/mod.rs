//! Labelled data: where sets come from, how they are split and scaled.
//!
//! Two sets are built in: `wine` (Aeberhard & Forina, doi:10.24432/C5PC7J) and `digits` (Alpaydin &
//! Kaynak, doi:10.24432/C50P49), both of the UCI Machine Learning Repository under CC BY 4.0.
//! [`fetch`] brings MNIST and Fashion-MNIST into the [`Store`], [`import_csv`] and
//! [`import_directory`] bring a user's own.
//!
//! ```
//! use equilux::data::{DataConfig, Dataset, Parts};
//! let config = DataConfig { set: "wine".into(), ..DataConfig::default() };
//! let parts: Parts<f64> = Parts::prepare(Dataset::load(&config)?, &config, 7)?;
//! assert_eq!((parts.inputs, parts.train.len(), parts.test.len()), (13, 142, 36));
//! # Ok::<(), equilux::Error>(())
//! ```

mod arrays;
mod classes;
mod config;
mod content;
mod csv;
mod embedded;
mod fetch;
mod idx;
mod images;
mod import;
mod known;
mod labels;
mod list;
mod mirror;
mod missing;
mod outputs;
mod parts;
mod samples;
mod scaling;
mod source;
mod split;
mod store;
mod text;

pub use config::DataConfig;
pub use fetch::{Fetched, fetch};
pub use import::{Imported, import_csv, import_directory};
pub use known::Known;
pub use labels::{Columns, Labels, Task};
pub use list::{Listing, Place, list};
pub use mirror::Progress;
pub use missing::Missing;
pub(crate) use missing::fill;
pub use outputs::{Outputs, Target};
pub use parts::{Examples, Parts};
pub use scaling::{Scaler, Scaling};
pub use source::Source;
pub use split::Split;
pub use store::Store;
pub(crate) use text::separator;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

use crate::{Error, Result};

/// Labelled samples as they were published: neither split nor scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What the set is called.
    pub name: String,
    /// `features x samples`, one column a sample; NaN where a value is missing.
    pub features: DMatrix<f64>,
    /// The class of each sample, or the values of its targets.
    pub labels: Labels,
    /// The names of the classes, or of the targets.
    pub outputs: Vec<String>,
    /// The features' names.
    pub feature_names: Vec<String>,
    /// The column at which a test part that came with the set begins; `None` when none came.
    pub test_from: Option<usize>,
}

/// How large a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Samples, those of a supplied test part included.
    pub samples: usize,
    /// Features of a sample.
    pub features: usize,
    /// Classes, or targets.
    pub outputs: usize,
}

/// Features of samples, and their labels where these are known; neither split nor scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// `features x samples`, one column a sample; NaN where a value is missing.
    pub features: DMatrix<f64>,
    /// What each sample is labelled with.
    pub labels: Option<Known>,
}

impl Dataset {
    /// The set that `config` names: a path, a built-in set, or a set of the [`Store`].
    ///
    /// # Errors
    /// [`Error::Input`] when there is no such set, saying what brings it or
    /// which name is near, when its files are damaged, saying where, and for keys of `config` that are
    /// of another kind of set; [`Error::Read`] when a file cannot be read.
    pub fn load(config: &DataConfig) -> Result<Self> {
        config.check()?;
        Self::expect_there(config)?;
        let (set, task, missing) = (config.set.as_str(), config.task, config.missing);
        let (path, kind) = (Path::new(set), Kind::of(set));
        let given = [
            ("arrays", config.arrays.is_some(), Kind::Archive, "a path that ends in .npz"),
            (
                "image_size",
                config.image_size.is_some(),
                Kind::Directory,
                "a directory, with a / in its path",
            ),
            (
                "ignore",
                !config.ignore.is_empty(),
                Kind::Table,
                "the path of a table (.csv, .tsv, .txt, .data)",
            ),
        ];
        for (key, given, expected, what) in given {
            if given && kind != expected {
                let message = format!("data.{key}: data.set = \"{set}\" has none; expected {what}");
                return Err(Error::input(message));
            }
        }
        match kind {
            Kind::Table => csv::read(path, config.roles(), missing),
            Kind::Archive => arrays::read_npz(path, config.arrays.as_deref(), task, missing),
            Kind::Array => arrays::read_npy(path, &config.label, task, missing),
            Kind::Directory if task == Task::Regression => Err(no_targets(set)),
            Kind::Directory if path.is_dir() && !idx::is_any(path) => {
                images::read(path, config.image_size)
            }
            Kind::Directory if config.image_size.is_some() => {
                Err(Error::input(format!("data.image_size: {set} holds no directories of images")))
            }
            Kind::Directory => idx::read(path, file_name(path), None),
            Kind::Name => {
                let class = Columns::from(store::LABEL);
                let label = if task == Task::Regression { &config.label } else { &class };
                match embedded::load(set, label, task) {
                    Some(embedded) => embedded,
                    None => Store::open()?.load(config),
                }
            }
        }
    }

    /// A set `name` of samples at hand: `features`, features x samples, and a label each. Labels may
    /// be any text; classes are sorted by number when all of them are numbers, else by alphabet, as
    /// those of a CSV file.
    ///
    /// # Errors
    /// When there is no feature or no sample, not a label for each, a feature that is not finite, a
    /// label that a file could not tell from another, or only one class.
    pub fn of_samples(name: &str, features: DMatrix<f64>, labels: &[String]) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{name}: {message}"));
        check_features(&features).map_err(wrong)?;
        let samples = features.ncols();
        if labels.len() != samples {
            let found = labels.len();
            return Err(wrong(format!("{found} labels of {samples} samples: expected one each")));
        }
        if let Some(label) = labels.iter().find(|label| label.trim() != **label || label.is_empty())
        {
            return Err(wrong(format!(
                "label {label:?}: expected a text that neither is empty nor begins or ends in blanks"
            )));
        }
        let (labels, classes) = classes::sort_classes(labels).map_err(wrong)?;
        if classes.len() < 2 {
            return Err(wrong(format!(
                "every label is `{}`: expected at least two classes",
                classes[0]
            )));
        }
        Ok(Self::at_hand(name, features, labels.into(), classes))
    }

    /// A set `name` of samples at hand: `features`, features x samples, and the values of the `targets`,
    /// targets x samples.
    ///
    /// # Errors
    /// When there is no feature, no target or no sample, not a value of each target for each, a number
    /// that is not finite, two targets of one name, or a name that a file could not tell.
    pub fn of_values(
        name: &str,
        features: DMatrix<f64>,
        targets: Vec<String>,
        values: DMatrix<f64>,
    ) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{name}: {message}"));
        check_features(&features).map_err(wrong)?;
        let targets = Columns::of(targets).map_err(wrong)?.names().to_vec();
        let is_feature = |name: &str| {
            let number = name.strip_prefix('x').and_then(|number| number.parse::<usize>().ok());
            number.is_some_and(|number| (1..=features.nrows()).contains(&number))
        };
        let odd = |name: &&String| {
            name.trim() != **name
                || name.is_empty()
                || name.parse::<f64>().is_ok()
                || is_feature(name)
        };
        if let Some(name) = targets.iter().find(odd) {
            return Err(wrong(format!(
                "target {name:?}: expected a name that is no number, neither is empty nor begins or ends \
                 in blanks, and is not that of a feature, x1 to x{}",
                features.nrows()
            )));
        }
        let (found, expected) = (values.shape(), (targets.len(), features.ncols()));
        if found != expected {
            return Err(wrong(format!(
                "values of {} targets of {} samples: expected {} of {}",
                found.0, found.1, expected.0, expected.1
            )));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (sample, target, value) = (at / found.0, &targets[at % found.0], values[at]);
            return Err(wrong(format!(
                "sample {sample}, target `{target}`: expected a finite number, found {value}"
            )));
        }
        Ok(Self::at_hand(name, features, Labels::Values(values), targets))
    }

    /// A set of samples at hand, whose features are called by their numbers.
    fn at_hand(name: &str, features: DMatrix<f64>, labels: Labels, outputs: Vec<String>) -> Self {
        let feature_names = (1..=features.nrows()).map(|feature| format!("x{feature}")).collect();
        Self { name: name.to_owned(), features, labels, outputs, feature_names, test_from: None }
    }

    /// Writes the set to the CSV file `path`, its labels in the columns `label`, one of classes or one
    /// a target: read back, it is the same to the bit, but for its name and what it says of a test
    /// part.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_csv(&self, path: &Path, label: &Columns) -> Result<()> {
        csv::write(self, path, label)
    }

    /// The files that hold the set of `config`; none of one that is built in or not there.
    pub fn files(config: &DataConfig) -> Vec<PathBuf> {
        let set = config.set.as_str();
        let path = Path::new(set);
        match Kind::of(set) {
            Kind::Table | Kind::Archive => vec![path.into()],
            Kind::Array => {
                let labels = arrays::labels_of(path, &config.label);
                [path.into()].into_iter().chain(labels).collect()
            }
            Kind::Directory if path.is_dir() && !idx::is_any(path) => images::paths(path),
            Kind::Directory => idx::find(path).map_or(Vec::new(), Vec::from),
            Kind::Name => {
                let store = Store::open().ok().filter(|_| !embedded::NAMES.contains(&set));
                store.map_or(Vec::new(), |store| store.files(set))
            }
        }
    }

    /// Checks that there is something where `data.set` is a path.
    ///
    /// # Errors
    /// When there is nothing, with what to do.
    pub(crate) fn expect_there(config: &DataConfig) -> Result<()> {
        let set = Path::new(&config.set);
        let kind = Kind::of(&config.set);
        // The path of a set in a directory is no file's.
        if matches!(kind, Kind::Name | Kind::Directory) {
            return Ok(());
        }
        match std::fs::metadata(set) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let why = format!("{error}; --set data.set=PATH says where it is");
                Err(Error::reading(set)(io::Error::new(ErrorKind::NotFound, why)))
            }
            _ => Ok(()),
        }
    }

    /// Whether a set of this name is read from the file or directory of this path.
    pub fn is_a_file(set: &str) -> bool {
        Kind::of(set) != Kind::Name
    }

    /// How large the set is.
    pub fn size(&self) -> Size {
        Size {
            samples: self.features.ncols(),
            features: self.features.nrows(),
            outputs: self.outputs.len(),
        }
    }
}

/// What `data.set` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A path to text in columns.
    Table,
    /// A path to arrays by name.
    Archive,
    /// A path to an array of features.
    Array,
    /// A directory, or the path of a set in one.
    Directory,
    /// The name of a set.
    Name,
}

impl Kind {
    fn of(set: &str) -> Self {
        let ending =
            Path::new(set).extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" | "tsv" | "txt" | "data" => Self::Table,
            "npz" => Self::Archive,
            "npy" => Self::Array,
            _ if set.contains(std::path::is_separator) => Self::Directory,
            _ => Self::Name,
        }
    }
}

/// Why the set `set` cannot be learnt by regression.
fn no_targets(set: &str) -> Error {
    Error::input(format!(
        "data.task = \"regression\": {set} has classes of images, no targets; expected a table (.csv, \
         .tsv, .txt, .data) or arrays (.npz, .npy) of numbers"
    ))
}

/// Checks features at hand: at least one of at least one sample, all finite.
fn check_features(features: &DMatrix<f64>) -> Result<(), String> {
    let (rows, samples) = features.shape();
    if rows == 0 || samples == 0 {
        return Err(format!("{samples} samples of {rows} features: expected at least one of both"));
    }
    if let Some(at) = features.iter().position(|value| !value.is_finite()) {
        let (sample, feature, value) = (at / rows, at % rows, features[at]);
        return Err(format!(
            "sample {sample}, feature {feature}: expected a finite number, found {value}"
        ));
    }
    Ok(())
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("set")
}
