//! What the machine does that is built from the files of an export.

use serde::{Deserialize, Serialize};

use crate::arithmetic::wilson;
use crate::data::Labels;
use crate::training::{Fit, Score};

/// What the machine does that is built from the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// It tells classes.
    Classes(ExpectedClasses),
    /// It tells values of targets.
    Values(ExpectedValues),
}

/// How many samples are given their class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedClasses {
    /// The data set; which of its samples test is decided by the configuration.
    pub data: String,
    /// Test samples.
    pub samples: usize,
    /// Those that are given their class.
    pub correct: usize,
    /// Their fraction.
    pub accuracy: f64,
    /// 95 % interval of the accuracy on other samples of the same kind (Wilson 1927).
    pub interval_95: [f64; 2],
    /// Test samples to which the trained machine gave the same class before it was exported: all
    /// but for what the device rounds.
    pub as_trained: usize,
}

/// How close predictions are to targets; means of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedValues {
    /// The data set; which of its samples test is decided by the configuration.
    pub data: String,
    /// Test samples.
    pub samples: usize,
    /// The part of the targets' variance that is told.
    pub r2: f64,
    /// Root mean square error, in the targets' units.
    pub rmse: f64,
    /// Mean absolute error, in the targets' units.
    pub mae: f64,
    /// R2 of the trained machine before it was exported: the same but for what the device rounds.
    pub r2_as_trained: f64,
}

impl Default for Expected {
    fn default() -> Self {
        Self::Classes(ExpectedClasses::default())
    }
}

/// How close what was `told` is to what is `known`, where both are values.
fn fit(told: &Labels, known: &Labels) -> Option<Fit> {
    Fit::of(told.values()?, known.values()?)
}

impl Expected {
    /// Of a machine that was `told` of samples of the set `data` whose labels are `known`.
    pub(super) fn of(data: &str, told: &Labels, known: &Labels) -> Self {
        let (data, samples) = (data.to_owned(), known.len());
        if let Some(Fit { r2, rmse, mae }) = fit(told, known) {
            return Self::Values(ExpectedValues {
                data,
                samples,
                r2,
                rmse,
                mae,
                r2_as_trained: r2,
            });
        }
        let correct = told.agreeing(known).unwrap_or_default();
        let (low, high) = wilson(correct, samples).unwrap_or((0.0, 1.0));
        Self::Classes(ExpectedClasses {
            data,
            samples,
            correct,
            accuracy: correct as f64 / samples.max(1) as f64,
            interval_95: [low, high],
            as_trained: 0,
        })
    }

    /// Says how the machine did before, which told `before` of the samples of which this one is `told`.
    pub(super) fn compare(&mut self, told: &Labels, before: &Labels, known: &Labels) {
        match self {
            Self::Classes(classes) => {
                classes.as_trained = told.agreeing(before).unwrap_or_default()
            }
            Self::Values(values) => {
                values.r2_as_trained = fit(before, known).map_or(f64::NAN, |fit| fit.r2);
            }
        }
    }

    /// The same, with what `other` says of the machine before.
    pub(super) fn trained_as(mut self, other: &Self) -> Self {
        match (&mut self, other) {
            (Self::Classes(own), Self::Classes(other)) => own.as_trained = other.as_trained,
            (Self::Values(own), Self::Values(other)) => own.r2_as_trained = other.r2_as_trained,
            _ => {}
        }
        self
    }

    /// Test samples.
    pub fn samples(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.samples,
            Self::Values(values) => values.samples,
        }
    }

    /// How well the machine does.
    pub fn score(&self) -> Score {
        match *self {
            Self::Classes(ExpectedClasses { accuracy, .. }) => Score::Accuracy(accuracy),
            Self::Values(ExpectedValues { r2, rmse, mae, .. }) => Score::Fit(Fit { r2, rmse, mae }),
        }
    }

    /// Whether all of it are finite numbers.
    pub(super) fn is_finite(&self) -> bool {
        match self {
            Self::Classes(_) => true,
            Self::Values(ExpectedValues { r2, rmse, mae, r2_as_trained, .. }) => {
                [r2, rmse, mae, r2_as_trained].iter().all(|number| number.is_finite())
            }
        }
    }

    /// What it is found to do, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Classes(ExpectedClasses { data, samples, correct, .. }) => {
                format!("{correct} of {samples} test samples of {data} correct")
            }
            Self::Values(ExpectedValues { data, samples, r2, rmse, mae, .. }) => {
                format!("R2 {r2}, RMSE {rmse}, MAE {mae} on {samples} test samples of {data}")
            }
        }
    }
}
