//! Numbers with their standard errors.

use std::fmt;

use crate::arithmetic::{Span, Statistics};

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error; NaN where the data do not tell.
    pub error: f64,
}

impl Estimate {
    /// The mean of `values`, and its standard error by their scatter.
    pub fn mean(values: &[f64]) -> Self {
        let of = Statistics::of(values, Span::All);
        let error = of.and_then(|of| Some(of.deviation? / (of.n as f64).sqrt()));
        Self { value: of.map_or(f64::NAN, |of| of.mean), error: error.unwrap_or(f64::NAN) }
    }

    /// The standard deviation of what `values` are estimates of, each of a variance of its own in
    /// `own`: that of the values with the mean of the others taken away, and its standard error were all
    /// normal.
    pub fn spread(values: &[f64], own: &[f64]) -> Self {
        if values.len() < 2 {
            return Self { value: 0.0, error: f64::NAN };
        }
        let (all, n) = (variance(values), values.len() as f64);
        let beside = own.iter().sum::<f64>() / own.len().max(1) as f64;
        // The deviation of a variance of n normal numbers is sqrt(2 / (n - 1)) of it.
        Self { value: all - beside, error: all * (2.0 / (n - 1.0)).sqrt() }.root()
    }

    /// The root of what cannot be below 0.
    #[must_use]
    pub fn root(self) -> Self {
        let value = self.value.max(0.0).sqrt();
        // Where the root is 0, as far as it may be from there.
        let error = if value > 0.0 { self.error / (2.0 * value) } else { self.error.sqrt() };
        Self { value, error }
    }

    /// This times a number that is known.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, error: self.error * factor.abs() }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { value, error } = *self;
        if !error.is_finite() || error <= 0.0 {
            return write!(f, "{}", rounded(value, 4));
        }
        // Two digits of the error, and the number as far.
        let places = (1 - error.log10().floor() as i32).clamp(0, 12) as usize;
        write!(f, "{value:.places$} +- {error:.places$}")
    }
}

/// `value` to so many digits, as short as it can be written.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

/// The lowest and the highest of `values`.
pub(super) fn ends(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let beyond_all = [f64::INFINITY, f64::NEG_INFINITY];
    values.fold(beyond_all, |[low, high], value| [low.min(value), high.max(value)])
}

/// With n - 1 in the denominator; 0 of one number.
pub(super) fn variance(values: &[f64]) -> f64 {
    Statistics::of(values, Span::All).and_then(|of| of.deviation).unwrap_or(0.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_textbook() {
        let mean = Estimate::mean(&[1.0, 2.0, 3.0]);
        assert!((mean.value - 2.0).abs() < 1e-15);
        assert!((mean.error - (1.0f64 / 3.0).sqrt()).abs() < 1e-15);
        // A variance of 1, of which 0.36 is not the numbers' own.
        let spread = Estimate::spread(&[1.0, 2.0, 3.0], &[0.36; 3]);
        assert!((spread.value - 0.8).abs() < 1e-15);
        assert!((spread.error - 1.0 / 1.6).abs() < 1e-15);
        assert_eq!(Estimate { value: 1.23456, error: 0.0123 }.to_string(), "1.235 +- 0.012");
        assert_eq!(Estimate { value: 0.5, error: f64::NAN }.to_string(), "0.5");
    }
}
