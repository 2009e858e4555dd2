//! The scores of a run: what its files say of them.

use serde::{Deserialize, Serialize};

use super::Confusion;
use super::score::{Fit, Score, TargetFit};

/// How well a trained machine does, as `summary.json` has it: accuracies of classes, or how close
/// predictions of targets are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scores {
    /// Of a regression; where there are several targets, means over them.
    Values {
        /// R2 on the test part.
        test_r2: f64,
        /// Root mean square error on the test part, in the targets' units.
        test_rmse: f64,
        /// Mean absolute error on the test part, in the targets' units.
        test_mae: f64,
        /// R2 on the training part.
        train_r2: f64,
        /// Root mean square error on the training part.
        train_rmse: f64,
        /// Mean absolute error on the training part.
        train_mae: f64,
        /// R2 on the validation part, if there is one.
        validation_r2: Option<f64>,
        /// Root mean square error on the validation part, if there is one.
        validation_rmse: Option<f64>,
        /// Mean absolute error on the validation part, if there is one.
        validation_mae: Option<f64>,
        /// How close predictions of the test part are to each target.
        targets: Vec<TargetFit>,
    },
    /// Of a classification.
    Classes {
        /// Accuracy on the test part, 0 to 1.
        test_accuracy: f64,
        /// Accuracy on the training part, 0 to 1.
        train_accuracy: f64,
        /// Accuracy on the validation part, if there is one.
        validation_accuracy: Option<f64>,
        /// The mean over the classes of the fraction of their test samples that is right, 0 to 1.
        #[serde(default)]
        balanced_accuracy: Option<f64>,
        /// To which classes the test samples of each class were given.
        #[serde(default)]
        confusion: Confusion,
    },
}

impl Scores {
    /// Those of predictions of targets on the test, the training and the validation part; `targets`
    /// are those on the test part one by one.
    pub(super) fn of_values(
        [test, train]: [Fit; 2],
        validation: Option<Fit>,
        targets: Vec<TargetFit>,
    ) -> Self {
        Self::Values {
            test_r2: test.r2,
            test_rmse: test.rmse,
            test_mae: test.mae,
            train_r2: train.r2,
            train_rmse: train.rmse,
            train_mae: train.mae,
            validation_r2: validation.map(|fit| fit.r2),
            validation_rmse: validation.map(|fit| fit.rmse),
            validation_mae: validation.map(|fit| fit.mae),
            targets,
        }
    }

    /// On the test part.
    pub fn test(&self) -> Score {
        match *self {
            Self::Classes { test_accuracy, .. } => Score::Accuracy(test_accuracy),
            Self::Values { test_r2: r2, test_rmse: rmse, test_mae: mae, .. } => {
                Score::Fit(Fit { r2, rmse, mae })
            }
        }
    }

    /// On the training part.
    pub fn train(&self) -> Score {
        match *self {
            Self::Classes { train_accuracy, .. } => Score::Accuracy(train_accuracy),
            Self::Values { train_r2: r2, train_rmse: rmse, train_mae: mae, .. } => {
                Score::Fit(Fit { r2, rmse, mae })
            }
        }
    }

    /// On the validation part, if there is one.
    pub fn validation(&self) -> Option<Score> {
        match *self {
            Self::Classes { validation_accuracy, .. } => validation_accuracy.map(Score::Accuracy),
            Self::Values { validation_r2, validation_rmse, validation_mae, .. } => {
                let fit = Fit { r2: validation_r2?, rmse: validation_rmse?, mae: validation_mae? };
                Some(Score::Fit(fit))
            }
        }
    }

    /// To which classes the test samples of each class were given, where they have classes.
    pub fn confusion(&self) -> Option<&Confusion> {
        match self {
            Self::Classes { confusion, .. } => Some(confusion),
            Self::Values { .. } => None,
        }
    }

    /// How close predictions of the test part are to each target; none where samples have classes.
    pub fn targets(&self) -> &[TargetFit] {
        match self {
            Self::Classes { .. } => &[],
            Self::Values { targets, .. } => targets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: Score = Score::Fit(Fit { r2: 0.875, rmse: 2.5, mae: 2.0 });

    #[test]
    fn scores_of_a_file_are_told_apart() {
        let targets = vec![TargetFit { target: "a".into(), fit: FIT.fit().unwrap() }];
        let fit = FIT.fit().unwrap();
        let values = Scores::of_values([fit, fit], None, targets);
        let json = serde_json::to_value(&values).unwrap();
        assert_eq!((&json["test_r2"], &json["targets"][0]["rmse"]), (&0.875.into(), &2.5.into()));
        assert!(json.get("test_accuracy").is_none(), "{json}");
        assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), values);
        let text =
            r#"{ "test_accuracy": 0.5, "train_accuracy": 0.75, "validation_accuracy": null }"#;
        let classes: Scores = serde_json::from_str(text).unwrap();
        assert_eq!((classes.test(), classes.validation()), (Score::Accuracy(0.5), None));
    }
}
