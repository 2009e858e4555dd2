//! Learning-rate schedules: a factor on the rate (and on BOP's gamma), epoch by epoch.

use serde::{Deserialize, Serialize};

use crate::quantity::range;

/// How the learning rate changes: `schedule = "constant"`, or the table `[training.schedule.step]`
/// or `[training.schedule.cosine]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 throughout.
    Constant,
    /// Multiplied by `factor` after every `every` epochs.
    Step {
        /// Epochs between the steps.
        #[serde(deserialize_with = "range::positive_integer")]
        every: usize,
        /// The factor of each step.
        #[serde(deserialize_with = "range::up_to_one")]
        factor: f64,
    },
    /// Half a cosine from 1 to `end` over the run.
    Cosine {
        /// The factor that the last epoch approaches.
        #[serde(deserialize_with = "range::fraction")]
        end: f64,
    },
}

impl Schedule {
    /// The factor in `epoch`, from 0, of `epochs`.
    pub fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powf((epoch / every) as f64),
            Self::Cosine { end } => {
                let part = epoch as f64 / epochs.max(1) as f64;
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors() {
        assert_eq!(Schedule::Constant.factor(7, 10), 1.0);
        assert_eq!(Schedule::Step { every: 3, factor: 0.5 }.factor(6, 10), 0.25);
        let cosine = Schedule::Cosine { end: 0.1 };
        assert_eq!(cosine.factor(0, 10), 1.0);
        assert!((cosine.factor(5, 10) - 0.55).abs() < 1e-15);
    }
}
