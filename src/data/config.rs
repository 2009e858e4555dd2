//! The `[data]` table of an experiment.

use serde::{Deserialize, Serialize};

use super::Scaling;
use crate::quantity::range;

/// Which set to learn, how to split it and how to scale it: the `[data]` table of an experiment.
///
/// Numbers out of range are refused while this is deserialised, so that the error shows the line
/// and column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// `wine`, `digits`, `mnist`, `fashion-mnist`, the name of an imported set, or a path ending in
    /// `.csv`.
    pub set: String,
    /// The label column of a CSV named by its path. An imported set had its label column named on
    /// import.
    pub label: String,
    /// The fraction of each class that tests, from 0 to below 1. Ignored for a set that brings its
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

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            set: "wine".into(),
            label: "class".into(),
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
        assert!(!text.contains("clip") && !text.contains("train_limit"), "{text}");
        assert_eq!(toml::from_str::<DataConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<DataConfig>("").unwrap(), config);
    }

    #[test]
    fn every_key_is_read() {
        let text = "set = 'a.csv'\nlabel = 'kind'\ntest_fraction = 0.3\nvalidation_fraction = 0.1\nscaling = 'unit-range'\n\
                    gain = 2\nclip = 1.5\ntrain_limit = 10\n";
        let expected = DataConfig {
            set: "a.csv".into(),
            label: "kind".into(),
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
            ("scale = 1", "unknown field `scale`"),
        ] {
            let error = toml::from_str::<DataConfig>(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("line 1, column"), "{error}");
        }
    }
}
