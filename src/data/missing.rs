//! Values that nobody measured.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// What becomes of a missing value: in a table `?`, `NA`, `N/A`, `NaN` or nothing at all, in an
/// array NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A set with any is refused.
    #[default]
    Refuse,
    /// The mean of its feature over the training samples stands for it.
    Mean,
}

/// Missing values met while a set is read.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    count: usize,
    first: String,
}

impl Gaps {
    /// Counts one more; `place` says where it is.
    pub fn add(&mut self, place: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = place();
        }
        self.count += 1;
    }

    /// # Errors
    /// When there are any and `missing` refuses them: how many, and where the first is.
    pub fn check(&self, missing: Missing) -> Result<(), String> {
        let (count, first) = (self.count, &self.first);
        if missing == Missing::Mean || count == 0 {
            return Ok(());
        }
        let values = if count == 1 { "value is" } else { "values are" };
        Err(format!(
            "{count} {values} missing, the first at {first}: expected a number everywhere; \
             data.missing = \"mean\" puts the mean of the training samples there"
        ))
    }
}

/// Whether the text of a field says that its value is missing.
pub(super) fn is_missing(field: &str) -> bool {
    matches!(field, "" | "?" | "NA" | "N/A" | "NaN" | "nan")
}

/// The mean of each feature (`features x samples`) over those of the samples `train` that have it.
///
/// # Errors
/// The index of a feature that no training sample has.
pub(super) fn means(features: &DMatrix<f64>, train: &[usize]) -> Result<Vec<f64>, usize> {
    let mut means = Vec::with_capacity(features.nrows());
    for feature in 0..features.nrows() {
        let known = train.iter().map(|&sample| features[(feature, sample)]);
        let known: Vec<f64> = known.filter(|value| !value.is_nan()).collect();
        if known.is_empty() {
            return Err(feature);
        }
        means.push(known.iter().sum::<f64>() / known.len() as f64);
    }
    Ok(means)
}

/// Puts `means`, one a feature, where values are missing.
pub fn fill(features: &mut DMatrix<f64>, means: &[f64]) {
    for mut sample in features.column_iter_mut() {
        for (value, mean) in sample.iter_mut().zip(means) {
            if value.is_nan() {
                *value = *mean;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_the_training_samples_that_have_the_value() {
        let nan = f64::NAN;
        let mut features =
            DMatrix::from_row_slice(2, 4, &[1.0, nan, 3.0, 100.0, 5.0, 6.0, 7.0, nan]);
        let found = means(&features, &[0, 1, 2]).unwrap();
        assert_eq!(found, [2.0, 6.0]);
        fill(&mut features, &found);
        let filled = [1.0, 2.0, 3.0, 100.0, 5.0, 6.0, 7.0, 6.0];
        assert_eq!(features, DMatrix::from_row_slice(2, 4, &filled));
        assert_eq!(means(&features, &[0]), Ok(vec![1.0, 5.0]));
        features[(1, 0)] = nan;
        assert_eq!(means(&features, &[0]), Err(1));
    }
}
