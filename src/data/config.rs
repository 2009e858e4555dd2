//! The `[data]` table of an experiment.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::csv::Roles;
use super::{Columns, Missing, Scaling, Task};
use crate::file::limits;
use crate::quantity::range;

/// Which set to learn, how to split it and how to scale it: the `[data]` table of an experiment.
///
/// Numbers out of range are refused while this is deserialised, so that the error shows the line
/// and column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// `wine`, `digits`, `mnist`, `fashion-mnist`, the name of an imported set, or a path: of a table
    /// (`.csv`, `.tsv`, `.txt`, `.data`), of arrays (`.npz`, `.npy`), or, with a `/` in it, of a
    /// directory of images or idx files.
    pub set: String,
    /// What is learnt: the class of a sample, or the values of targets.
    #[serde(skip_serializing_if = "Task::is_classification")]
    pub task: Task,
    /// The label column of a table named by its path, `column_N` of one without a header; of features
    /// in an `.npy` file the `.npy` file of labels beside it. An imported set had its label column
    /// named on import. Of a regression the column of the target, or a list of several, of any table.
    pub label: Columns,
    /// Columns of a table that are neither features nor labels, such as the number of a sample.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// The arrays in an `.npz`: features and labels, and, for a test part of its own, again features
    /// and labels; absent: the usual names.
    #[serde(deserialize_with = "arrays", skip_serializing_if = "Option::is_none")]
    pub arrays: Option<Vec<String>>,
    /// The height and width that images in a directory are resized to; absent: all are of one size.
    #[serde(deserialize_with = "image_size", skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 2]>,
    /// What becomes of missing values.
    pub missing: Missing,
    /// The fraction of each class (of all samples of a regression) that tests, from 0 to below 1. Ignored for a set that brings its
    /// own test part, such as MNIST.
    #[serde(deserialize_with = "range::fraction")]
    pub test_fraction: f64,
    /// The fraction of each class, its test samples aside, that validates, from 0 to below 1.
    #[serde(deserialize_with = "range::fraction")]
    pub validation_fraction: f64,
    /// How features become inputs.
    pub scaling: Scaling,
    /// Factor on the scaled inputs, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub gain: f64,
    /// Inputs are clipped to `[-clip, clip]` after the gain; absent: they are not.
    #[serde(
        deserialize_with = "range::optional_positive",
        skip_serializing_if = "Option::is_none"
    )]
    pub clip: Option<f64>,
    /// Train with only the first this many of the shuffled training samples; absent, or more than
    /// there are: with all.
    #[serde(
        deserialize_with = "range::optional_positive_integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub train_limit: Option<usize>,
}

fn arrays<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let names = Vec::deserialize(deserializer)?;
    match names.len() {
        2 | 4 => Ok(Some(names)),
        found => Err(D::Error::custom(format!(
            "{found} arrays: expected 2, features and labels, or 4, those of a training and of a test part"
        ))),
    }
}

fn image_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[usize; 2]>, D::Error> {
    let size = <[usize; 2]>::deserialize(deserializer)?;
    if size.contains(&0) {
        return Err(D::Error::custom("expected a height and a width of at least 1 pixel"));
    }
    limits::IMAGE.product(&size).map_err(D::Error::custom)?;
    Ok(Some(size))
}

impl DataConfig {
    /// What the columns of a table are.
    pub(super) fn roles(&self) -> Roles<'_> {
        Roles { label: &self.label, task: self.task, ignore: &self.ignore }
    }

    /// Everything that decides what is read, and nothing else.
    pub(crate) fn content(&self) -> String {
        let Self { set, task, label, ignore, arrays, image_size, missing, .. } = self;
        format!("{:?}", (set, task, label, ignore, arrays, image_size, missing))
    }

    /// Checks what no single key can tell.
    ///
    /// # Errors
    /// When a classification has several label columns.
    pub fn check(&self) -> crate::Result<()> {
        match self.task {
            Task::Classification if self.label.names().len() > 1 => {
                Err(crate::Error::input(format!(
                    "data.label = {}: expected one column of classes; several are the targets of \
                 data.task = \"regression\"",
                    self.label
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            set: "wine".into(),
            task: Task::Classification,
            label: "class".into(),
            ignore: Vec::new(),
            arrays: None,
            image_size: None,
            missing: Missing::Refuse,
            test_fraction: 0.2,
            validation_fraction: 0.0,
            scaling: Scaling::Standardise,
            gain: 1.0,
            clip: None,
            train_limit: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_a_round_trip() {
        let config = DataConfig::default();
        let text = toml::to_string(&config).unwrap();
        let absent = ["clip", "train_limit", "task"];
        assert!(absent.iter().all(|key| !text.contains(key)), "{text}");
        assert_eq!(toml::from_str::<DataConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<DataConfig>("").unwrap(), config);
    }

    #[test]
    fn every_key_is_read() {
        let text = "set = 'a.csv'\ntask = 'regression'\nlabel = 'kind'\nignore = ['id']\narrays = ['x', 'y']\nimage_size = [28, 20]\nmissing = 'mean'\ntest_fraction = 0.3\nvalidation_fraction = 0.1\nscaling = 'unit-range'\n\
                    gain = 2\nclip = 1.5\ntrain_limit = 10\n";
        let expected = DataConfig {
            set: "a.csv".into(),
            task: Task::Regression,
            label: "kind".into(),
            ignore: vec!["id".into()],
            arrays: Some(vec!["x".into(), "y".into()]),
            image_size: Some([28, 20]),
            missing: Missing::Mean,
            test_fraction: 0.3,
            validation_fraction: 0.1,
            scaling: Scaling::UnitRange,
            gain: 2.0,
            clip: Some(1.5),
            train_limit: Some(10),
        };
        let config: DataConfig = toml::from_str(text).unwrap();
        assert_eq!(config, expected);
        assert_eq!(
            toml::from_str::<DataConfig>(&toml::to_string(&config).unwrap()).unwrap(),
            expected
        );
    }

    #[test]
    fn errors_name_key_and_expectation() {
        for (text, expected) in [
            ("gain = 0.0", "0.0 is out of range: expected a number above 0"),
            ("clip = -1.0", "-1.0 is out of range: expected a number above 0"),
            (
                "test_fraction = 1.0",
                "1.0 is out of range: expected a number of at least 0 and below 1",
            ),
            ("train_limit = 0", "0 is out of range: expected a whole number of at least 1"),
            ("scaling = 'log'", "expected one of"),
            ("arrays = ['x']", "1 arrays: expected 2, features and labels, or 4"),
            ("image_size = [28, 0]", "expected a height and a width of at least 1 pixel"),
            ("image_size = [1000000, 1000000]", "expected at most 16777216"),
            ("missing = 'median'", "unknown variant `median`, expected `refuse` or `mean`"),
            ("scale = 1", "unknown field `scale`"),
            (
                "task = 'regress'",
                "unknown variant `regress`, expected `classification` or `regression`",
            ),
            ("label = []", "an empty list: expected the name of a column"),
        ] {
            let error = toml::from_str::<DataConfig>(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("line 1, column"), "{error}");
        }
    }
}
