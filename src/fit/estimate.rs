//! Numbers with their standard errors.

use std::fmt;

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
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let error = if values.len() > 1 { (variance(values) / n).sqrt() } else { f64::NAN };
        Self { value: mean, error }
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
        let left = (all - beside).max(0.0);
        // The deviation of a variance of n normal numbers is sqrt(2 / (n - 1)) of it.
        let error = all * (2.0 / (n - 1.0)).sqrt();
        let value = left.sqrt();
        Self { value, error: if value > 0.0 { error / (2.0 * value) } else { error.sqrt() } }
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

/// With n - 1 in the denominator; 0 of one number.
pub(super) fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
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
