//! What a budget counts.

use serde::{Deserialize, Serialize};

/// What tells how well the machines of a budget do. A point is a hundredth of either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Score {
    /// Accuracy on the test part of a classification, 0 to 1.
    #[default]
    #[serde(rename = "test_accuracy")]
    Accuracy,
    /// R2 on the test part of a regression, 1 at best.
    #[serde(rename = "test_r2")]
    R2,
}

impl Score {
    /// Its name among the results of a run.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => "test_accuracy",
            Self::R2 => "test_r2",
        }
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::R2 => "R2",
        }
    }

    /// A value of it as one reads it.
    pub fn shown(self, value: Option<f64>) -> String {
        match (value, self) {
            (None, _) => "–".into(),
            (Some(value), Self::Accuracy) => format!("{:.2} %", 100.0 * value),
            (Some(value), Self::R2) => format!("{value:.4}"),
        }
    }
}
