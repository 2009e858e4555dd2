//! Paired differences with intervals.

use serde::{Deserialize, Serialize};

use crate::arithmetic::{Span, Statistics, student};

/// The mean of a difference over seeds, how sure it is, and of how many seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// Seeds on which both sides ran.
    pub n: usize,
    /// The mean difference.
    pub mean: f64,
    /// Its standard error; none of one seed.
    pub standard_error: Option<f64>,
    /// Half its interval, corrected for how many are compared; none of one seed.
    pub half_width: Option<f64>,
}

impl Contrast {
    /// Of the differences `values`, with an interval that misses the truth with probability
    /// `exceeds`, at least 1e-9; none without values.
    pub fn of(values: &[f64], exceeds: f64) -> Option<Self> {
        let Statistics { n, mean, deviation, .. } = Statistics::of(values, Span::All)?;
        let standard_error = deviation.map(|deviation| deviation / (n as f64).sqrt());
        let half_width = standard_error.map(|error| match error {
            0.0 => 0.0,
            error => student(n - 1, exceeds.max(1e-9)) * error,
        });
        Some(Self { n, mean, standard_error, half_width })
    }

    /// [`of`](Self::of) one of `compared` differences that share 5 %.
    pub fn among(values: &[f64], compared: usize) -> Option<Self> {
        Self::of(values, 0.05 / compared.max(1) as f64)
    }

    /// Whether its interval leaves zero out.
    pub fn is_sure(&self) -> bool {
        self.half_width.is_some_and(|half| self.mean.abs() > half)
    }

    /// Whether its interval stays within `size` of zero.
    pub fn is_within(&self, size: f64) -> bool {
        self.half_width.is_some_and(|half| self.mean.abs() + half < size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_comparisons_make_wider_intervals() {
        let values = [1.0, 2.0, 3.0];
        let one = Contrast::among(&values, 1).unwrap();
        let plain = Statistics::of(&values, Span::All).unwrap();
        let (low, high) = plain.interval.unwrap();
        assert!((2.0 * one.half_width.unwrap() / (high - low) - 1.0).abs() < 1e-14);
        assert!((one.standard_error.unwrap() - 3f64.sqrt().recip()).abs() < 1e-15);
        // Two degrees of freedom have a closed form: t = sqrt(2) p / sqrt(1 - p^2).
        let ten = Contrast::among(&values, 10).unwrap();
        let p = 0.995f64;
        let t = (2.0f64).sqrt() * p / (1.0 - p * p).sqrt();
        assert!((ten.half_width.unwrap() / one.standard_error.unwrap() / t - 1.0).abs() < 1e-9);
        assert!(!ten.is_sure());
    }

    #[test]
    fn what_never_differs_is_surely_nothing() {
        let none = Contrast::among(&[0.0; 3], 4).unwrap();
        assert!(!none.is_sure() && none.is_within(1e-9));
        assert!(Contrast::among(&[], 1).is_none());
        let one = Contrast::among(&[5.0], 1).unwrap();
        assert!(!one.is_sure() && !one.is_within(9.0), "one seed says nothing of its own spread");
    }
}
