//! Ranges that a value must lie in, checked while a file is read, so that an error has a line and a column.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de> + std::fmt::Display>(
    deserializer: D,
    accepted: impl Fn(&T) -> bool,
    expected: &str,
) -> Result<T, D::Error> {
    let value = T::deserialize(deserializer)?;
    if accepted(&value) { Ok(value) } else { Err(D::Error::custom(format!("{value} is out of range: expected {expected}"))) }
}

macro_rules! ranges {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $expected:literal, |$x:ident| $accepted:expr;)*) => {
        $(
            $(#[$doc])*
            pub fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                checked(deserializer, |$x: &$type| $accepted, $expected)
            }
        )*
    };
}

ranges! {
    /// A finite number above 0.
    positive: f64, "a number above 0", |x| x.is_finite() && *x > 0.0;
    /// A finite number not below 0.
    non_negative: f64, "a number not below 0", |x| x.is_finite() && *x >= 0.0;
    /// A number from 0 up to, but not including, 1.
    fraction: f64, "a number from 0 up to, but not including, 1", |x| (0.0..1.0).contains(x);
    /// A number above 0, at most 1.
    step: f64, "a number above 0, at most 1", |x| *x > 0.0 && *x <= 1.0;
    /// A finite number.
    finite: f64, "a finite number", |x| x.is_finite();
    /// A whole number above 0.
    positive_integer: usize, "a whole number above 0", |x| *x > 0;
    /// Levels of a cell: 0 for a continuum, or at least 2.
    levels: u32, "0 (a continuum) or a whole number from 2 to 65536", |x| *x == 0 || (2..=65_536).contains(x);
    /// Bits of a signed converter: 0 for none, or 2 to 24.
    converter_bits: u32, "0 (no converter) or 2 to 24 bits", |x| *x == 0 || (2..=24).contains(x);
    /// Bits of a modulator's phase: 0 for an exact phase, or 1 to 16.
    phase_bits: u32, "0 (an exact phase) or 1 to 16 bits", |x| *x <= 16;
    /// Bits of a camera: 0 for no rounding, or 1 to 24.
    camera_bits: u32, "0 (no rounding) or 1 to 24 bits", |x| *x <= 24;
}
