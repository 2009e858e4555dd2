//! Ranges of numbers, checked while a configuration is deserialised.
//!
//! Each function is for `#[serde(deserialize_with = "...")]`. A value refused here is an error of
//! the deserialiser, so a TOML file's error shows its line, its column and the value itself.
//! Not-a-number and infinity are refused everywhere.
//!
//! ```
//! #[derive(Debug, serde::Deserialize)]
//! struct Laser {
//!     #[serde(deserialize_with = "equilux::quantity::range::positive")]
//!     power_mw: f64,
//! }
//! assert_eq!(toml::from_str::<Laser>("power_mw = 2").unwrap().power_mw, 2.0);
//! let error = toml::from_str::<Laser>("power_mw = 0.0").unwrap_err();
//! assert_eq!(error.message(), "0.0 is out of range: expected a number above 0");
//! ```

use std::fmt::Debug;

use serde::de::{Deserialize, Deserializer, Error};

/// The largest whole number that a key without a range of its own takes: products of two do not
/// wrap.
const MOST: i64 = 1_000_000_000;

macro_rules! ranges {
    ($($(#[$doc:meta])* $name:ident: $read:ty => $value:ty, |$x:ident| $accepted:expr, $expected:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$value, D::Error> {
            let $x = <$read>::deserialize(deserializer)?;
            within($x, $accepted, $expected)?;
            computable($x).map(|value| value as $value)
        }
    )*};
}

// Whole numbers are read signed, so that a negative one gets the message of its range and not one
// about types.
ranges! {
    /// A finite number above 0.
    positive: f64 => f64, |x| x.is_finite() && x > 0.0, "a number above 0";
    /// A finite number of at least 0.
    non_negative: f64 => f64, |x| x.is_finite() && x >= 0.0, "a number of at least 0";
    /// A finite number, not 0.
    not_zero: f64 => f64, |x| x.is_finite() && x != 0.0, "a number other than 0";
    /// A finite number below 0.
    negative: f64 => f64, |x| x.is_finite() && x < 0.0, "a number below 0";
    /// Lines of a tile: 0 for no limit.
    tile: i64 => usize, |x| (0..=MOST).contains(&x), "0 (no limit) or a whole number above 0 and at most 1000000000";
    /// A finite number.
    finite: f64 => f64, |x| x.is_finite(), "a finite number";
    /// A part of a whole: a number from 0, inclusive, to 1, exclusive.
    fraction: f64 => f64, |x| (0.0..1.0).contains(&x), "a number of at least 0 and below 1";
    /// A number above 0 and at most 1.
    up_to_one: f64 => f64, |x| x > 0.0 && x <= 1.0, "a number above 0 and at most 1";
    /// A whole number of at least 1.
    positive_integer: i64 => usize, |x| (1..=MOST).contains(&x), "a whole number of at least 1 and at most 1000000000";
    /// Reads that are averaged.
    reads: i64 => usize, |x| (1..=100_000).contains(&x), "1 to 100000 reads";
    /// Patterns of an optical machine.
    patterns: i64 => usize, |x| (1..=65_536).contains(&x), "1 to 65536 patterns";
    /// Pixels along a side.
    side: i64 => usize, |x| (1..=8192).contains(&x), "1 to 8192 pixels";
    /// Attempts of write-and-verify.
    attempts: i64 => usize, |x| (1..=10_000).contains(&x), "1 to 10000 attempts";
    /// Levels of a cell: 0 for a continuum.
    levels: i64 => u32, |x| x == 0 || (2..=65_536).contains(&x), "0 (a continuum) or 2 to 65536 levels";
    /// Bits of a converter with a sign: 0 for none.
    converter_bits: i64 => u32, |x| x == 0 || (2..=24).contains(&x), "0 (no converter) or 2 to 24 bits";
    /// Bits of a modulator's phase: 0 for an exact phase.
    phase_bits: i64 => u32, |x| (0..=16).contains(&x), "0 (an exact phase) or 1 to 16 bits";
    /// A number from 0 to 1, both inclusive.
    unit_interval: f64 => f64, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1";
    /// Noise as a part of a full scale or of the light.
    relative_noise: f64 => f64, |x| (0.0..=1.0).contains(&x), "a part of the full scale or of the light, 0 to 1 (not electrons, not counts)";
    /// A whole number of at least 0.
    count: i64 => usize, |x| (0..=1_000_000).contains(&x), "a whole number from 0 to 1000000";
    /// Bits of a pattern's values: 0 for a continuum, 1 for signs.
    pattern_bits: i64 => u32, |x| (0..=16).contains(&x), "0 (a continuum) or 1 to 16 bits";
    /// Bits of a camera: 0 for no rounding.
    camera_bits: i64 => u32, |x| (0..=24).contains(&x), "0 (no rounding) or 1 to 24 bits";
}

/// A finite number above 0, or nothing; a field with it also needs `#[serde(default)]`.
pub fn optional_positive<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    value
        .map(|x| within(x, x.is_finite() && x > 0.0, "a number above 0").and_then(computable))
        .transpose()
}

/// A whole number of at least 1, or nothing; a field with it also needs `#[serde(default)]`.
pub fn optional_positive_integer<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    let value = Option::<i64>::deserialize(deserializer)?;
    let expected = "a whole number of at least 1 and at most 1000000000";
    let whole = |x| within(x, (1..=MOST).contains(&x), expected).map(|x: i64| x as usize);
    value.map(whole).transpose()
}

/// The largest number that a key takes: products of three do not overflow.
const LARGEST: f64 = 1e100;

/// A number of either kind.
trait Number: Copy + Debug {
    /// Whether products, sums and inverses of it are numbers too.
    fn is_computable(self) -> bool;
}

impl Number for f64 {
    fn is_computable(self) -> bool {
        self == 0.0 || self.is_normal() && self.abs() <= LARGEST
    }
}

impl Number for i64 {
    fn is_computable(self) -> bool {
        true
    }
}

fn computable<V: Number, E: Error>(value: V) -> Result<V, E> {
    within(value, value.is_computable(), "0, or a number of a magnitude from 2.3e-308 to 1e100")
}

fn within<V: Debug, E: Error>(value: V, accepted: bool, expected: &str) -> Result<V, E> {
    if accepted {
        Ok(value)
    } else {
        Err(E::custom(format_args!("{value:?} is out of range: expected {expected}")))
    }
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
        let expected = Ranges {
            positive: 1e-300,
            non_negative: 0.0,
            fraction: 0.0,
            optional: Some(3.0),
            count: 1,
            limit: Some(1),
        };
        assert_eq!(toml::from_str::<Ranges>(accepted).unwrap(), expected);
        let refused = [
            "positive = 0",
            "positive = nan",
            "positive = inf",
            "non_negative = -1e-9",
            "non_negative = inf",
            "positive = 1e308",
            "positive = 1e-320",
            "optional = 1e101",
            "count = 1000000001",
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
        let error =
            toml::from_str::<Ranges>("fraction = 0.5\npositive = -2.5").unwrap_err().to_string();
        assert!(error.contains("line 2, column 12"), "{error}");
        assert!(error.contains("           ^^^^\n"), "{error}");
        assert!(error.contains("-2.5 is out of range: expected a number above 0"), "{error}");
    }
}
