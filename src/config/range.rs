//! Ranges of numbers, checked while a configuration is deserialised.
//!
//! Each function is for `#[serde(deserialize_with = "...")]`. A value refused here is an error of the deserialiser, so a TOML
//! file's error shows its line, its column and the value itself. Not-a-number and infinity are refused everywhere.
//!
//! ```
//! #[derive(Debug, serde::Deserialize)]
//! struct Laser {
//!     #[serde(deserialize_with = "equilux::config::range::positive")]
//!     power_mw: f64,
//! }
//! assert_eq!(toml::from_str::<Laser>("power_mw = 2").unwrap().power_mw, 2.0);
//! let error = toml::from_str::<Laser>("power_mw = 0.0").unwrap_err();
//! assert_eq!(error.message(), "0.0 is out of range: expected a number above 0");
//! ```

use std::fmt::Debug;

use serde::de::{Deserialize, Deserializer, Error};

/// A finite number above 0.
pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    above_zero(f64::deserialize(deserializer)?)
}

/// A finite number of at least 0.
pub fn non_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    within(value, value.is_finite() && value >= 0.0, "a number of at least 0")
}

/// A part of a whole: a number from 0, inclusive, to 1, exclusive.
pub fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    within(value, (0.0..1.0).contains(&value), "a number of at least 0 and below 1")
}

/// A finite number above 0, or nothing; a field with it also needs `#[serde(default)]`.
pub fn optional_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Option::deserialize(deserializer)?.map(above_zero).transpose()
}

/// A whole number of at least 1.
pub fn positive_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    at_least_one(i64::deserialize(deserializer)?)
}

/// A whole number of at least 1, or nothing; a field with it also needs `#[serde(default)]`.
pub fn optional_positive_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    Option::deserialize(deserializer)?.map(at_least_one).transpose()
}

fn above_zero<E: Error>(value: f64) -> Result<f64, E> {
    within(value, value.is_finite() && value > 0.0, "a number above 0")
}

/// Signed, so that a negative number gets the message of 0 and not one about types.
fn at_least_one<E: Error>(value: i64) -> Result<usize, E> {
    const EXPECTED: &str = "a whole number of at least 1";
    let value = within(value, value > 0, EXPECTED)?;
    usize::try_from(value).map_err(|_| out_of_range(value, EXPECTED))
}

fn within<V: Debug, E: Error>(value: V, accepted: bool, expected: &str) -> Result<V, E> {
    if accepted { Ok(value) } else { Err(out_of_range(value, expected)) }
}

fn out_of_range<V: Debug, E: Error>(value: V, expected: &str) -> E {
    E::custom(format_args!("{value:?} is out of range: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default)]
    struct Ranges {
        #[serde(deserialize_with = "super::positive")]
        positive: f64,
        #[serde(deserialize_with = "super::non_negative")]
        non_negative: f64,
        #[serde(deserialize_with = "super::fraction")]
        fraction: f64,
        #[serde(deserialize_with = "super::optional_positive")]
        optional: Option<f64>,
        #[serde(deserialize_with = "super::positive_integer")]
        count: usize,
        #[serde(deserialize_with = "super::optional_positive_integer")]
        limit: Option<usize>,
    }

    #[test]
    fn ends_of_ranges() {
        let accepted = "positive = 1e-300\nnon_negative = 0\nfraction = 0.0\noptional = 3\ncount = 1\nlimit = 1";
        let expected = Ranges { positive: 1e-300, non_negative: 0.0, fraction: 0.0, optional: Some(3.0), count: 1, limit: Some(1) };
        assert_eq!(toml::from_str::<Ranges>(accepted).unwrap(), expected);
        let refused = [
            "positive = 0",
            "positive = nan",
            "positive = inf",
            "non_negative = -1e-9",
            "non_negative = inf",
            "fraction = 1",
            "fraction = -0.1",
            "fraction = nan",
            "optional = -1",
            "optional = nan",
            "count = 0",
            "limit = 0",
            "limit = -4",
        ];
        for text in refused {
            let error = toml::from_str::<Ranges>(text).unwrap_err();
            assert!(error.message().contains("is out of range: expected"), "{text}: {error}");
        }
    }

    #[test]
    fn an_error_shows_line_column_and_value() {
        let error = toml::from_str::<Ranges>("fraction = 0.5\npositive = -2.5").unwrap_err().to_string();
        assert!(error.contains("line 2, column 12"), "{error}");
        assert!(error.contains("           ^^^^\n"), "{error}");
        assert!(error.contains("-2.5 is out of range: expected a number above 0"), "{error}");
    }
}
