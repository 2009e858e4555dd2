//! One epoch of a run: a row of `metrics.csv`.

use serde::{Deserialize, Serialize};

use super::score::{Fit, Score};

/// One epoch: one row of `metrics.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Row", into = "Row")]
#[non_exhaustive]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The learning rate's factor in this epoch.
    pub rate_factor: f64,
    /// Mean cost of the epoch's free phases that settled.
    pub train_cost: f64,
    /// How well the free phases of the epoch did.
    pub train: Score,
    /// How well the machine does on the validation part after the epoch, if there is one.
    pub validation: Option<Score>,
    /// How well it does on the test part after the epoch.
    pub test: Score,
    /// Samples of the epoch that did not settle and took no part in the gradient.
    pub unsettled: usize,
    /// Samples among them that a nudge pushed out of the basin of their free steady state, in the
    /// updates in which nudges were released to see.
    pub left: usize,
    /// Samples of the epoch that took part though a phase was over before they had settled.
    pub truncated: usize,
    /// Samples of the test part that had not settled when they were read.
    pub test_unsettled: usize,
    /// Samples of the test part whose phase was over before they had settled.
    pub test_truncated: usize,
    /// Mean number of relaxation steps of an inference of the test part.
    pub inference_steps: f64,
    /// Camera frames spent on training up to here.
    pub frames: u64,
    /// Conversions spent on training up to here.
    pub conversions: u64,
    /// Laboratory seconds spent on training up to here.
    pub lab_seconds: f64,
    /// |W - W^T| / |W + W^T| of the couplings between nodes after the epoch.
    pub non_reciprocity: Option<f64>,
}

/// A row of `metrics.csv`: it has the columns of accuracies, or those of predictions of targets.
#[derive(Serialize, Deserialize)]
struct Row {
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
}
