//! From features to inputs: an offset and a factor for each feature, fitted to the training
//! samples.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;

/// How features are brought to one scale; whatever is measured is measured on the training samples
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Each feature to mean 0 and variance 1: (x - mean) / standard deviation.
    #[default]
    Standardise,
    /// Each feature's least and greatest value to -1 and 1.
    UnitRange,
    /// All features divided by the largest absolute value, then the mean over all of them
    /// subtracted; usual for images.
    Centre,
    /// As they are.
    None,
}

/// A fitted scaling: input = gain (feature - offset) factor, clipped to the range asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    offset: DVector<f64>,
    factor: DVector<f64>,
    clip: f64,
    /// What stands for missing values, one a feature.
    means: Option<Vec<f64>>,
    /// What features are called.
    names: Vec<String>,
}

impl Scaler {
    /// Fits `scaling` to the columns `train` of `features` (`features x samples`); `gain`
    /// multiplies what it gives.
    ///
    /// [`Standardise`](Scaling::Standardise) and [`UnitRange`](Scaling::UnitRange) map a feature
    /// that is constant over the training samples to 0 everywhere, since there is no scale to bring
    /// it to.
    pub fn fit(
        scaling: Scaling,
        gain: f64,
        clip: Option<f64>,
        features: &DMatrix<f64>,
        train: &[usize],
    ) -> Self {
        let (offset, factor) = match scaling {
            Scaling::Standardise => standardise(features, train),
            Scaling::UnitRange => unit_range(features, train),
            Scaling::Centre => centre(features, train),
            Scaling::None => {
                (DVector::zeros(features.nrows()), DVector::from_element(features.nrows(), 1.0))
            }
        };
        Self::new(offset, factor * gain, clip.unwrap_or(f64::INFINITY))
    }

    /// The scaling input = (feature - `offset`) `factor`, clipped to [-`clip`, `clip`]; a number a
    /// feature.
    ///
    /// # Panics
    /// When there are not as many offsets as factors.
    pub fn new(offset: DVector<f64>, factor: DVector<f64>, clip: f64) -> Self {
        assert_eq!(offset.len(), factor.len(), "an offset and a factor for each feature");
        Self { offset, factor, clip, means: None, names: Vec::new() }
    }

    /// The same with what stands for missing values, one a feature, if anything does.
    #[must_use]
    pub fn filling(self, means: Option<Vec<f64>>) -> Self {
        Self { means, ..self }
    }

    /// The same of features that are called by `names`.
    #[must_use]
    pub fn naming(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    /// What features are called; nothing where they have no names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What stands for missing values, one a feature; `None` where none may be missing.
    pub fn means(&self) -> Option<&[f64]> {
        self.means.as_deref()
    }

    /// What is subtracted from each feature.
    pub fn offset(&self) -> &DVector<f64> {
        &self.offset
    }

    /// What each feature is multiplied by then, the gain included.
    pub fn factor(&self) -> &DVector<f64> {
        &self.factor
    }

    /// The size that no input exceeds; infinite where there is none.
    pub fn clip(&self) -> f64 {
        self.clip
    }

    /// The inputs that the columns `samples` of `features` become: `features x samples.len()`.
    pub fn inputs<T: Real>(&self, features: &DMatrix<f64>, samples: &[usize]) -> DMatrix<T> {
        let rows = features.nrows();
        let mut inputs = Vec::with_capacity(rows * samples.len());
        for &sample in samples {
            let values = column(features, sample)
                .iter()
                .zip(self.offset.as_slice())
                .zip(self.factor.as_slice());
            inputs.extend(values.map(|((&x, offset), factor)| {
                let input = (x - offset) * factor;
                // Neither min and max, which would hide not-a-number behind the clip, nor clamp,
                // which panics on odd limits.
                T::of(if input.abs() > self.clip { self.clip.copysign(input) } else { input })
            }));
        }
        DMatrix::from_vec(rows, samples.len(), inputs)
    }
}

fn standardise(features: &DMatrix<f64>, train: &[usize]) -> (DVector<f64>, DVector<f64>) {
    let rows = features.nrows();
    let mean = moment(features, train, &DVector::zeros(rows), |x| x);
    let variance = moment(features, train, &mean, |x| x * x);
    let (least, greatest) = extremes(features, train);
    // Rounding in the mean can leave a constant feature some variance, so it is told by its
    // extremes.
    let factor = DVector::from_fn(rows, |row, _| {
        if least[row] < greatest[row] { variance[row].sqrt().recip() } else { 0.0 }
    });
    (mean, factor)
}

fn unit_range(features: &DMatrix<f64>, train: &[usize]) -> (DVector<f64>, DVector<f64>) {
    let (least, greatest) = extremes(features, train);
    let factor =
        least.zip_map(&greatest, |low, high| if low < high { 2.0 / (high - low) } else { 0.0 });
    (
        least.zip_map(&greatest, |low, high| if low < high { (low + high) / 2.0 } else { 0.0 }),
        factor,
    )
}

fn centre(features: &DMatrix<f64>, train: &[usize]) -> (DVector<f64>, DVector<f64>) {
    let rows = features.nrows();
    // Every feature has as many samples, so the mean of their means is the mean of all values.
    let mean = moment(features, train, &DVector::zeros(rows), |x| x).mean();
    let (least, greatest) = extremes(features, train);
    let largest = least.iter().chain(&greatest).fold(0.0, |largest: f64, x| largest.max(x.abs()));
    // Without samples there is no largest value either, and with zeros alone nothing to divide.
    let factor = if largest > 0.0 && largest.is_finite() { largest.recip() } else { 1.0 };
    (DVector::from_element(rows, mean), DVector::from_element(rows, factor))
}

/// One sample. A slice, because nalgebra's iterators of views are several times slower.
fn column(features: &DMatrix<f64>, sample: usize) -> &[f64] {
    let rows = features.nrows();
    &features.as_slice()[sample * rows..(sample + 1) * rows]
}

/// The mean of `power(x - about)` over the columns `samples`, row by row; 0 when there are none.
fn moment(
    features: &DMatrix<f64>,
    samples: &[usize],
    about: &DVector<f64>,
    power: impl Fn(f64) -> f64,
) -> DVector<f64> {
    let mut sum = DVector::zeros(features.nrows());
    for &sample in samples {
        let rows = sum.as_mut_slice().iter_mut().zip(about.as_slice());
        for ((total, about), &x) in rows.zip(column(features, sample)) {
            *total += power(x - about);
        }
    }
    sum / samples.len().max(1) as f64
}

/// The least and the greatest value of each row over the columns `samples`.
fn extremes(features: &DMatrix<f64>, samples: &[usize]) -> (DVector<f64>, DVector<f64>) {
    let mut least = DVector::from_element(features.nrows(), f64::INFINITY);
    let mut greatest = -least.clone();
    for &sample in samples {
        let ranges = least.as_mut_slice().iter_mut().zip(greatest.as_mut_slice());
        for ((low, high), &x) in ranges.zip(column(features, sample)) {
            *low = if x < *low { x } else { *low };
            *high = if x > *high { x } else { *high };
        }
    }
    (least, greatest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features that vary and one that the training samples hold constant; the last sample does
    /// not train.
    fn features() -> DMatrix<f64> {
        DMatrix::from_row_slice(
            3,
            5,
            &[1.0, 2.0, 3.0, 6.0, 100.0, -4.0, 0.0, 4.0, 8.0, -100.0, 0.1, 0.1, 0.1, 0.1, 7.0],
        )
    }
    const TRAIN: [usize; 4] = [2, 0, 3, 1];
    const ALL: [usize; 5] = [0, 1, 2, 3, 4];

    fn inputs(scaling: Scaling, gain: f64, clip: Option<f64>) -> DMatrix<f64> {
        Scaler::fit(scaling, gain, clip, &features(), &TRAIN).inputs(&features(), &ALL)
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        // a handful of roundings of values up to 100
        assert!((found - expected).abs() < 1e-13, "{found} {expected}");
    }

    #[test]
    fn standardised_training_samples_have_mean_0_and_variance_1() {
        let inputs = inputs(Scaling::Standardise, 1.0, None);
        for row in 0..2 {
            let train = inputs.row(row).columns(0, 4).into_owned();
            close(train.mean(), 0.0);
            close(train.map(|x| x * x).mean(), 1.0);
        }
        close(inputs[(0, 4)], (100.0 - 3.0) / 3.5f64.sqrt());
        assert!(inputs.row(2).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn unit_range_reaches_minus_1_and_1() {
        let inputs = inputs(Scaling::UnitRange, 1.0, None);
        assert_eq!(
            inputs.row(1),
            DMatrix::from_row_slice(1, 5, &[-1.0, -1.0 / 3.0, 1.0 / 3.0, 1.0, -17.0]).row(0)
        );
        close(inputs.row(0).columns(0, 4).min(), -1.0);
        close(inputs.row(0).columns(0, 4).max(), 1.0);
        assert!(inputs.row(2).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn centred_training_samples_share_one_scale_and_mean_0() {
        let inputs = inputs(Scaling::Centre, 1.0, None);
        close(inputs.columns(0, 4).mean(), 0.0);
        let mean = (12.0 + 8.0 + 4.0 * 0.1) / 12.0;
        close(inputs[(0, 4)], (100.0 - mean) / 8.0);
        close(inputs[(2, 4)], (7.0 - mean) / 8.0);
    }

    #[test]
    fn gain_comes_before_the_clip() {
        let plain = inputs(Scaling::Standardise, 1.0, None);
        assert_eq!(inputs(Scaling::Standardise, 2.0, None), plain.map(|x| x * 2.0));
        let expected = plain.map(|x| (x * 2.0).clamp(-1.5, 1.5));
        assert_eq!(inputs(Scaling::Standardise, 2.0, Some(1.5)), expected);
        assert_eq!(inputs(Scaling::None, 1.0, None), features().map(f64::from));
    }

    #[test]
    fn nothing_gives_nan() {
        let zeros = DMatrix::zeros(2, 3);
        for scaling in [Scaling::Standardise, Scaling::UnitRange, Scaling::Centre, Scaling::None] {
            for train in [&[0, 1][..], &[]] {
                let inputs: DMatrix<f64> =
                    Scaler::fit(scaling, 1.0, None, &zeros, train).inputs(&zeros, &[0, 1, 2]);
                assert_eq!(inputs, zeros, "{scaling:?} {train:?}");
            }
        }
    }
}
