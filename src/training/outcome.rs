//! The scores of a run: what its files say of them.

use serde::{Deserialize, Serialize};

use super::score::{Fit, Score, TargetFit};
use super::{Confusion, EpochMetrics};

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

/// A row of `metrics.csv`: it has the columns of accuracies, or those of predictions of targets.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    epoch: usize,
    rate_factor: f64,
    train_cost: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    train_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_accuracy: Option<Option<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    train_r2: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    train_rmse: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    train_mae: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_r2: Option<Option<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_rmse: Option<Option<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_mae: Option<Option<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_r2: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_rmse: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_mae: Option<f64>,
    unsettled: usize,
    left: usize,
    truncated: usize,
    test_unsettled: usize,
    test_truncated: usize,
    inference_steps: f64,
    frames: u64,
    conversions: u64,
    lab_seconds: f64,
    non_reciprocity: Option<f64>,
}

impl From<EpochMetrics> for Row {
    fn from(row: EpochMetrics) -> Self {
        let accuracy = |score: Score| score.accuracy();
        let [r2, rmse, mae]: [fn(Fit) -> f64; 3] = [|fit| fit.r2, |fit| fit.rmse, |fit| fit.mae];
        let number = |score: Score, number: fn(Fit) -> f64| score.fit().map(number);
        // Empty cells where there is no validation part.
        let validation =
            |number: fn(Fit) -> f64| row.test.fit().map(|_| Some(number(row.validation?.fit()?)));
        Self {
            epoch: row.epoch,
            rate_factor: row.rate_factor,
            train_cost: row.train_cost,
            train_accuracy: accuracy(row.train),
            validation_accuracy: accuracy(row.test).map(|_| row.validation?.accuracy()),
            test_accuracy: accuracy(row.test),
            train_r2: number(row.train, r2),
            train_rmse: number(row.train, rmse),
            train_mae: number(row.train, mae),
            validation_r2: validation(r2),
            validation_rmse: validation(rmse),
            validation_mae: validation(mae),
            test_r2: number(row.test, r2),
            test_rmse: number(row.test, rmse),
            test_mae: number(row.test, mae),
            unsettled: row.unsettled,
            left: row.left,
            truncated: row.truncated,
            test_unsettled: row.test_unsettled,
            test_truncated: row.test_truncated,
            inference_steps: row.inference_steps,
            frames: row.frames,
            conversions: row.conversions,
            lab_seconds: row.lab_seconds,
            non_reciprocity: row.non_reciprocity,
        }
    }
}

impl TryFrom<Row> for EpochMetrics {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let fit = |r2: Option<f64>, rmse: Option<f64>, mae: Option<f64>| {
            Some(Score::Fit(Fit { r2: r2?, rmse: rmse?, mae: mae? }))
        };
        let part = |accuracy: Option<f64>, fit: Option<Score>, part: &str| {
            let score = accuracy.map(Score::Accuracy).or(fit);
            score.ok_or_else(|| {
                format!("epoch {}: neither {part}_accuracy nor {part}_r2", row.epoch)
            })
        };
        let validation = fit(
            row.validation_r2.flatten(),
            row.validation_rmse.flatten(),
            row.validation_mae.flatten(),
        );
        let validation = row.validation_accuracy.flatten().map(Score::Accuracy).or(validation);
        let train_fit = fit(row.train_r2, row.train_rmse, row.train_mae);
        let test_fit = fit(row.test_r2, row.test_rmse, row.test_mae);
        Ok(Self {
            epoch: row.epoch,
            rate_factor: row.rate_factor,
            train_cost: row.train_cost,
            train: part(row.train_accuracy, train_fit, "train")?,
            validation,
            test: part(row.test_accuracy, test_fit, "test")?,
            unsettled: row.unsettled,
            left: row.left,
            truncated: row.truncated,
            test_unsettled: row.test_unsettled,
            test_truncated: row.test_truncated,
            inference_steps: row.inference_steps,
            frames: row.frames,
            conversions: row.conversions,
            lab_seconds: row.lab_seconds,
            non_reciprocity: row.non_reciprocity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(test: Score, validation: Option<Score>) -> EpochMetrics {
        EpochMetrics {
            epoch: 3,
            rate_factor: 0.5,
            train_cost: 0.1,
            train: test,
            validation,
            test,
            unsettled: 1,
            left: 0,
            truncated: 0,
            test_unsettled: 0,
            test_truncated: 0,
            inference_steps: 7.5,
            frames: 9,
            conversions: 8,
            lab_seconds: 0.25,
            non_reciprocity: None,
        }
    }

    const FIT: Score = Score::Fit(Fit { r2: 0.875, rmse: 2.5, mae: 2.0 });

    #[test]
    fn rows_have_the_columns_of_their_task_and_come_back() {
        for (score, validation, heads, cells) in [
            (
                Score::Accuracy(0.75),
                None,
                "train_accuracy,validation_accuracy,test_accuracy",
                "0.75,,0.75",
            ),
            (
                FIT,
                Some(FIT),
                "train_r2,train_rmse,train_mae,validation_r2,validation_rmse,validation_mae,\
                 test_r2,test_rmse,test_mae",
                "0.875,2.5,2.0,0.875,2.5,2.0,0.875,2.5,2.0",
            ),
        ] {
            let rows = [row(score, validation), row(score, None)];
            let mut writer = csv::Writer::from_writer(Vec::new());
            rows.iter().for_each(|row| writer.serialize(row).unwrap());
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let expected = format!(
                "epoch,rate_factor,train_cost,{heads},unsettled,left,truncated,test_unsettled,\
                 test_truncated,inference_steps,frames,conversions,lab_seconds,non_reciprocity\n\
                 3,0.5,0.1,{cells},1,0,0,0,0,7.5,9,8,0.25,\n"
            );
            assert!(text.starts_with(&expected), "{text}\n{expected}");
            let back: Vec<EpochMetrics> = csv::Reader::from_reader(text.as_bytes())
                .into_deserialize()
                .map(Result::unwrap)
                .collect();
            assert_eq!(back, rows);
            let json = serde_json::to_string(&rows[0]).unwrap();
            assert_eq!(serde_json::from_str::<EpochMetrics>(&json).unwrap(), rows[0]);
        }
    }

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
