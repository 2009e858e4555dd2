//! Durations with their unit: `"1 h"`.
//!
//! ```
//! assert_eq!(equilux::quantity::duration::parse("1.5 h").unwrap(), 5400.0);
//! assert!(equilux::quantity::duration::parse("1.5").is_err());
//! ```

use serde::de::{Deserialize, Deserializer, Error};

/// Units and their seconds, the largest first.
const UNITS: [(&str, f64); 9] = [
    ("y", 31_557_600.0),
    ("d", 86_400.0),
    ("h", 3600.0),
    ("min", 60.0),
    ("s", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("ns", 1e-9),
    ("ps", 1e-12),
];

const EXPECTED: &str = "expected a number of at least 0 and a unit (ps, ns, us, ms, s, min, h, d or y), for example \"1 h\"";

/// The seconds of a duration such as `20 s`, `1 h` or `30 d`.
///
/// # Errors
/// What was expected.
pub fn parse(text: &str) -> Result<f64, &'static str> {
    let text = text.trim();
    let (unit, seconds) = UNITS
        .iter()
        .filter(|(unit, _)| text.ends_with(unit))
        .max_by_key(|(unit, _)| unit.len())
        .ok_or(EXPECTED)?;
    let number: f64 = text[..text.len() - unit.len()].trim().parse().map_err(|_| EXPECTED)?;
    let seconds = number * seconds;
    // Sums and products of it are finite too; the universe is 1e18 s old.
    if number >= 0.0 && seconds <= 1e30 { Ok(seconds) } else { Err(EXPECTED) }
}

/// The duration of `seconds`, in the largest unit of which it is a whole number, and otherwise in
/// seconds: what [`parse`] reads back.
pub fn describe(seconds: f64) -> String {
    let whole = UNITS.iter().take(4).find(|(_, unit)| seconds > 0.0 && seconds % unit == 0.0);
    whole.map_or(format!("{seconds} s"), |(name, unit)| format!("{} {name}", seconds / unit))
}

/// For `#[serde(with = "...")]`.
///
/// # Errors
/// When the value is no duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .map_err(|expected| D::Error::custom(format_args!("{text:?} is no duration: {expected}")))
}

/// For `#[serde(with = "...")]`.
///
/// # Errors
/// Those of the serialiser.
pub fn serialize<S: serde::Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&describe(*seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds) in [
            ("20 s", 20.0),
            ("1h", 3600.0),
            (" 30 d ", 2_592_000.0),
            ("250 ns", 250e-9),
            ("2 min", 120.0),
        ] {
            assert!((parse(text).unwrap() / seconds - 1.0).abs() < 1e-15, "{text}");
            assert_eq!(parse(&describe(seconds)).unwrap(), seconds, "{text}");
        }
        assert_eq!(
            (describe(3600.0).as_str(), describe(90.0).as_str(), describe(0.0).as_str()),
            ("1 h", "90 s", "0 s")
        );
        for text in ["", "h", "1", "-1 h", "nan s", "1 week", "inf s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
