//! The results of runs: what each is called, what it can be, how people read it.

use crate::arithmetic::Span;

/// One result of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its name in tables.
    pub name: &'static str,
    /// What a plot calls it, without a unit.
    pub label: &'static str,
    /// What it can be.
    pub span: Span,
    /// How people read it.
    pub reads: Reads,
}

/// How a number is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A part of a whole, in percent.
    Percent,
    /// Seconds, in the unit that suits them.
    Time,
    /// How many of something.
    Count,
    /// A number.
    Number,
    /// Joules.
    Energy,
}

const FRACTION: Span = Span::Between(0.0, 1.0);
const POSITIVE: Span = Span::From(0.0);
const UP_TO_ONE: Span = Span::UpTo(1.0);

const fn part(name: &'static str, label: &'static str) -> Measure {
    Measure { name, label, span: FRACTION, reads: Reads::Percent }
}

/// R2: of a perfect prediction 1, of the mean 0.
const fn told(name: &'static str, label: &'static str) -> Measure {
    Measure { name, label, span: UP_TO_ONE, reads: Reads::Number }
}

const fn positive(name: &'static str, label: &'static str, reads: Reads) -> Measure {
    Measure { name, label, span: POSITIVE, reads }
}

/// All results; those of single arrays have the array's name behind a slash.
pub const MEASURES: [Measure; 38] = [
    part("test_accuracy", "Test accuracy"),
    part("validation_accuracy", "Validation accuracy"),
    part("train_accuracy", "Train accuracy"),
    told("test_r2", "Test R2"),
    positive("test_rmse", "Test RMSE", Reads::Number),
    positive("test_mae", "Test MAE", Reads::Number),
    told("validation_r2", "Validation R2"),
    positive("validation_rmse", "Validation RMSE", Reads::Number),
    positive("validation_mae", "Validation MAE", Reads::Number),
    told("train_r2", "Train R2"),
    positive("train_rmse", "Train RMSE", Reads::Number),
    positive("train_mae", "Train MAE", Reads::Number),
    part("test_unsettled", "Test unsettled"),
    part("train_unsettled", "Train unsettled"),
    part("test_truncated", "Test truncated"),
    part("train_truncated", "Train truncated"),
    positive("inference_steps", "Inference steps", Reads::Count),
    positive("lab_seconds", "Laboratory time of training", Reads::Time),
    positive("frames", "Camera frames of training", Reads::Count),
    positive("conversions", "Conversions of training", Reads::Count),
    positive("pulses", "Write pulses of training", Reads::Count),
    positive("joules", "Energy of training", Reads::Energy),
    positive("lab_seconds_per_inference", "Laboratory time of an inference", Reads::Time),
    positive("frames_per_inference", "Camera frames of an inference", Reads::Count),
    positive("joules_per_inference", "Energy of an inference", Reads::Energy),
    positive("epochs_to_target", "Epochs to the target", Reads::Number),
    positive("lab_seconds_to_target", "Laboratory time to the target", Reads::Time),
    positive("frames_to_target", "Camera frames to the target", Reads::Count),
    Measure {
        name: "at_target",
        label: "Runs at the target",
        span: Span::Trial,
        reads: Reads::Percent,
    },
    part("ideal_test_accuracy", "Ideal test accuracy"),
    part("ideal_train_accuracy", "Ideal train accuracy"),
    told("ideal_test_r2", "Ideal test R2"),
    told("ideal_train_r2", "Ideal train R2"),
    Measure {
        name: "cosine",
        label: "Cosine to the exact gradient",
        span: Span::Between(-1.0, 1.0),
        reads: Reads::Number,
    },
    positive("relative_error", "Relative error of the gradient", Reads::Number),
    positive("bias", "Bias of the gradient (of its size)", Reads::Number),
    positive("noise", "Noise of the gradient (of its size)", Reads::Number),
    part("unsettled", "Unsettled"),
];

impl Measure {
    /// The result called `name`, of an array or of the whole.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.split('/').next().unwrap_or(name);
        MEASURES.iter().find(|measure| measure.name == name)
    }
}
