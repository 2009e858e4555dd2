//! Scores as people read them.

use super::format::percent;
use super::quantity::digits;
use crate::training::{Fit, Score, TargetFit};

/// The one number of a score: `97.22 %`, `0.8710`.
pub fn number(score: Score) -> String {
    match score {
        Score::Accuracy(accuracy) => percent(accuracy),
        Score::Fit(fit) => r2(fit.r2),
    }
}

/// That number, with its name where its unit does not tell it: `97.22 %`, `R2 0.8710`.
pub fn short(score: Score) -> String {
    match score {
        Score::Accuracy(_) => number(score),
        Score::Fit(_) => format!("R2 {}", number(score)),
    }
}

/// What a score says beside its one number, behind a comma: `, RMSE 0.2900, MAE 0.2200`.
pub fn beside(score: Score) -> String {
    score.fit().map_or(String::new(), |fit| {
        format!(", RMSE {}, MAE {}", digits(fit.rmse), digits(fit.mae))
    })
}

/// All of a score: `97.22 %`, `R2 0.8710, RMSE 0.2900, MAE 0.2200`.
pub fn full(score: Score) -> String {
    short(score) + &beside(score)
}

/// How close predictions are to each target, cell by cell, below their heads.
pub fn of_targets(targets: &[TargetFit]) -> Vec<Vec<String>> {
    let row = |TargetFit { target, fit: Fit { r2: of, rmse, mae } }: &TargetFit| {
        vec![target.clone(), r2(*of), digits(*rmse), digits(*mae)]
    };
    let heads = ["target", "R2", "RMSE", "MAE"].map(String::from).to_vec();
    [heads].into_iter().chain(targets.iter().map(row)).collect()
}

fn r2(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "unknown".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_as_what_they_are() {
        let accuracy = Score::Accuracy(35.0 / 36.0);
        assert_eq!((number(accuracy), full(accuracy)), ("97.22 %".into(), "97.22 %".into()));
        let fit = Score::Fit(Fit { r2: 0.871, rmse: 123.456, mae: 0.022 });
        assert_eq!((number(fit), short(fit)), ("0.8710".into(), "R2 0.8710".into()));
        assert_eq!(full(fit), "R2 0.8710, RMSE 123.5, MAE 0.02200");
        let lost = Score::Fit(Fit { r2: f64::NAN, rmse: 1.0, mae: 1.0 });
        assert_eq!(number(lost), "unknown");
    }
}
