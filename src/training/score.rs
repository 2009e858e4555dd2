//! How well outputs do: the accuracy of classes, or how close predictions of targets are.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// How well a machine does on some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    /// The fraction of samples that are given their class, 0 to 1.
    Accuracy(f64),
    /// How close predictions are to their targets; the mean of several targets.
    Fit(Fit),
}

impl Score {
    /// The one number of it that is the higher, the better: accuracy, or R2.
    pub fn value(self) -> f64 {
        match self {
            Self::Accuracy(accuracy) => accuracy,
            Self::Fit(fit) => fit.r2,
        }
    }

    /// What that number is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::Fit(_) => "R2",
        }
    }

    /// The accuracy, where samples have classes.
    pub fn accuracy(self) -> Option<f64> {
        match self {
            Self::Accuracy(accuracy) => Some(accuracy),
            Self::Fit(_) => None,
        }
    }

    /// How close predictions are, where samples have targets.
    pub fn fit(self) -> Option<Fit> {
        match self {
            Self::Accuracy(_) => None,
            Self::Fit(fit) => Some(fit),
        }
    }
}

/// How close predictions are to a target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The part of the target's variance that predictions tell: 1 - sum (y - p)^2 / sum (y - mean y)^2.
    /// 0 is as good as its mean. Of targets that are all the same 1 where all are told, else 0.
    pub r2: f64,
    /// The root of the mean square of the errors, in the target's unit.
    pub rmse: f64,
    /// The mean size of the errors, in the target's unit.
    pub mae: f64,
}

impl Fit {
    /// How close what was `told` is to what is `known`, both targets x samples: the mean of all
    /// targets; `None` without one.
    ///
    /// # Panics
    /// When they are not of one shape.
    pub fn of(told: &DMatrix<f64>, known: &DMatrix<f64>) -> Option<Self> {
        assert_eq!(told.shape(), known.shape(), "as many values told as known");
        let fit = |row| {
            let mut errors = Errors::default();
            let pairs = known.row(row).into_iter().zip(told.row(row));
            pairs.for_each(|(value, told)| errors.count(*value, told - value));
            errors.fit()
        };
        Self::mean((0..known.nrows()).map(fit))
    }

    /// The mean of several, number by number; `None` of none.
    pub fn mean(fits: impl ExactSizeIterator<Item = Self>) -> Option<Self> {
        let n = fits.len() as f64;
        let sum = fits.reduce(|sum, fit| Self {
            r2: sum.r2 + fit.r2,
            rmse: sum.rmse + fit.rmse,
            mae: sum.mae + fit.mae,
        })?;
        Some(Self { r2: sum.r2 / n, rmse: sum.rmse / n, mae: sum.mae / n })
    }
}

/// How close predictions are to one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetFit {
    /// What it is called.
    pub target: String,
    /// How close they are.
    #[serde(flatten)]
    pub fit: Fit,
}

/// The values of one target and the errors of what was told of them, added up sample by sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Samples.
    samples: usize,
    /// The mean of the values so far.
    mean: f64,
    /// The sum of the squares of their distances from it.
    spread: f64,
    /// The sum of the squares of the errors.
    square: f64,
    /// The sum of the sizes of the errors.
    size: f64,
}

impl Errors {
    /// Counts a sample of this value that was told with this error.
    pub fn count(&mut self, value: f64, error: f64) {
        self.samples += 1;
        // Welford, Technometrics 4, 419 (1962): of values far from zero no digit is lost.
        let before = value - self.mean;
        self.mean += before / self.samples as f64;
        self.spread += before * (value - self.mean);
        self.square += error * error;
        self.size += error.abs();
    }

    /// How close predictions are so far.
    pub fn fit(&self) -> Fit {
        let n = self.samples.max(1) as f64;
        let r2 = match (self.spread > 0.0, self.square > 0.0) {
            (true, _) => 1.0 - self.square / self.spread,
            (false, true) => 0.0,
            (false, false) => 1.0,
        };
        Fit { r2, rmse: (self.square / n).sqrt(), mae: self.size / n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(pairs: &[(f64, f64)]) -> Fit {
        let row = |of: fn(&(f64, f64)) -> f64| {
            DMatrix::from_row_iterator(1, pairs.len(), pairs.iter().map(of))
        };
        Fit::of(&row(|pair| pair.1), &row(|pair| pair.0)).unwrap()
    }

    /// Values 3, -0.5, 2, 7 told as 2.5, 0, 2, 8: errors -0.5, 0.5, 0, 1; mean 2.875, squares about it
    /// 0.015625 + 11.390625 + 0.765625 + 17.015625 = 29.1875. These are scikit-learn's own example of
    /// `r2_score`: 0.9486...
    #[test]
    fn numbers_are_those_of_a_hand() {
        let found = fit(&[(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)]);
        assert!((found.r2 - (1.0 - 1.5 / 29.1875)).abs() < 1e-15, "{found:?}");
        assert!((found.r2 - 0.948_608_137_044_967_9).abs() < 1e-15, "{found:?}");
        assert_eq!((found.rmse, found.mae), (0.375f64.sqrt(), 0.5));
    }

    #[test]
    fn values_far_from_zero_keep_their_digits() {
        let near = fit(&[(1.0, 1.5), (2.0, 2.5), (4.0, 3.0)]);
        let far = fit(&[(1e9 + 1.0, 1e9 + 1.5), (1e9 + 2.0, 1e9 + 2.5), (1e9 + 4.0, 1e9 + 3.0)]);
        assert!((near.r2 - far.r2).abs() < 1e-6, "{near:?} {far:?}");
    }

    #[test]
    fn the_mean_tells_nothing_and_what_never_changes_is_told_or_not() {
        assert_eq!(fit(&[(1.0, 2.0), (3.0, 2.0)]).r2, 0.0);
        assert_eq!(fit(&[(1.0, 1.0), (1.0, 1.0)]), Fit { r2: 1.0, rmse: 0.0, mae: 0.0 });
        assert_eq!(fit(&[(1.0, 1.0), (1.0, 2.0)]).r2, 0.0);
        assert!(fit(&[(1.0, 9.0), (3.0, -2.0)]).r2 < 0.0);
    }

    #[test]
    fn several_targets_count_alike() {
        let [a, b] =
            [(0.5, 1.0, 0.25), (0.0, 3.0, 0.75)].map(|(r2, rmse, mae)| Fit { r2, rmse, mae });
        assert_eq!(Fit::mean([a, b].into_iter()), Some(Fit { r2: 0.25, rmse: 2.0, mae: 0.5 }));
        assert_eq!(Fit::mean([].into_iter()), None);
    }
}
