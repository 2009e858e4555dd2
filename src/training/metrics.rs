//! What a training run reports of itself.

use serde::{Deserialize, Serialize};

use super::{EpochMetrics, Predicted, Scores};
use crate::coupler::{Energy, Expense, Saturation};

/// The part of its readings from which on a saturated instrument is worth a warning.
const SATURATED: f64 = 1e-3;

/// What a laboratory would have spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabSummary {
    /// Seconds of training.
    pub seconds: f64,
    /// Camera frames of training.
    pub frames: u64,
    /// Conversions of training.
    pub conversions: u64,
    /// Seconds of one inference.
    pub seconds_per_inference: f64,
    /// Camera frames of one inference.
    pub frames_per_inference: f64,
    /// Conversions of one inference.
    pub conversions_per_inference: f64,
    /// Write pulses of training.
    #[serde(default)]
    pub pulses: u64,
    /// Writes of training that write-and-verify gave up.
    #[serde(default)]
    pub given_up: u64,
    /// Requests of training that a laboratory was asked again.
    #[serde(default)]
    pub retries: u64,
    /// What is known of the energy of training, joule; null where nothing is.
    #[serde(default)]
    pub joules: Option<f64>,
    /// What is known of the energy of one inference, joule; null where nothing is.
    #[serde(default)]
    pub joules_per_inference: Option<f64>,
    /// The energy of training by where it goes.
    #[serde(default)]
    pub energy: Energy,
    /// The energy of one inference by where it goes.
    #[serde(default)]
    pub energy_per_inference: Energy,
    /// The largest relative difference between an array's effective matrix in use and what it
    /// should have been; 0 where no read met an old one.
    #[serde(default)]
    pub wire_staleness: f64,
}

impl LabSummary {
    /// From what training cost, and what `inferences` inferences cost.
    pub fn new(training: &Expense, inference: &Expense, inferences: usize) -> Self {
        let each = 1.0 / inferences.max(1) as f64;
        let known = |energy: &Energy| Some(energy.known()).filter(|joules| *joules > 0.0);
        Self {
            seconds: training.seconds,
            frames: training.frames,
            conversions: training.conversions,
            seconds_per_inference: inference.seconds * each,
            frames_per_inference: inference.frames as f64 * each,
            conversions_per_inference: inference.conversions as f64 * each,
            pulses: training.pulses,
            given_up: training.given_up,
            retries: training.retries,
            joules: known(&training.energy),
            joules_per_inference: known(&inference.energy).map(|joules| joules * each),
            energy: training.energy,
            energy_per_inference: inference.energy.times(each),
            wire_staleness: 0.0,
        }
    }
}

/// The outcome of a run: `summary.json`, and what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// The run's directory.
    pub run: String,
    /// The rule that trained it.
    pub rule: String,
    /// The device, in words.
    pub machine: String,
    /// The data set.
    pub data: String,
    /// Epochs trained.
    pub epochs: usize,
    /// How well it does.
    #[serde(flatten)]
    pub scores: Scores,
    /// Samples of the test part.
    pub test_samples: usize,
    /// The targets of the test part and what was told of them, of a regression: `predictions.csv`.
    #[serde(skip)]
    pub predicted: Option<Predicted>,
    /// Samples of the test part that had not settled when they were read.
    pub test_unsettled: usize,
    /// The fraction of the training samples of all epochs that did not settle and took no part in
    /// the gradient, 0 to 1.
    pub train_unsettled: f64,
    /// Training samples that a nudge pushed out of the basin of their free steady state, in the
    /// updates in which nudges were released to see.
    pub train_left: usize,
    /// Samples of the test part whose phase was over before they had settled.
    #[serde(default)]
    pub test_truncated: usize,
    /// The fraction of the training samples of all epochs that took part though a phase was over
    /// before they had settled, 0 to 1.
    #[serde(default)]
    pub train_truncated: f64,
    /// Mean number of relaxation steps of an inference of the test part.
    #[serde(default)]
    pub inference_steps: f64,
    /// Training samples a second of computing (of inference, where nothing was trained).
    pub samples_per_second: f64,
    /// What a laboratory would have spent.
    pub lab: LabSummary,
    /// Instruments that were at their limit while these were measured.
    #[serde(default)]
    pub saturation: Vec<Saturation>,
}

impl Summary {
    /// What a reader of the accuracies should know: steady states that were not reached, instruments
    /// at their limits.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.test_unsettled > 0 {
            let (unsettled, samples) = (self.test_unsettled, self.test_samples);
            warnings.push(format!(
                "{unsettled} of {samples} test samples had not settled when they were read"
            ));
        }
        if self.train_unsettled > 0.0 {
            let percent = 100.0 * self.train_unsettled;
            warnings.push(format!("{percent:.2} % of the training samples did not settle and took no part in the gradient"));
        }
        if self.test_truncated > 0 {
            let (truncated, samples) = (self.test_truncated, self.test_samples);
            warnings.push(format!(
                "{truncated} of {samples} test samples were read before they had settled, as \
                 relaxation.free_steps asks"
            ));
        }
        if self.train_left > 0 {
            let left = self.train_left;
            warnings.push(format!("{left} training samples did not return when their nudge was released (learning.release_every) and took no part: the nudge is too strong, or there is more than one steady state"));
        }
        if self.lab.given_up > 0 {
            let (given_up, pulses) = (self.lab.given_up, self.lab.pulses);
            warnings.push(format!(
                "write-and-verify gave up {given_up} writes (of {pulses} pulses in all) beyond its \
                 tolerance"
            ));
        }
        for found in &self.saturation {
            let Saturation { instrument, limit, .. } = found;
            if found.fraction() >= SATURATED {
                let percent = 100.0 * found.fraction();
                warnings.push(format!(
                    "{percent:.2} % of the readings of the {instrument} were saturated, at the limit that {limit} sets"
                ));
            }
        }
        warnings
    }
}

/// The fraction of the samples of all epochs that were `counted`, 0 to 1, for a training part of
/// `samples`.
pub(super) fn fraction(
    metrics: &[EpochMetrics],
    samples: usize,
    counted: impl Fn(&EpochMetrics) -> usize,
) -> f64 {
    let sum: usize = metrics.iter().map(counted).sum();
    sum as f64 / (samples * metrics.len()).max(1) as f64
}
