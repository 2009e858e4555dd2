//! A set made ready to learn: split, scaled and in the precision of the simulation.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::{DataConfig, Dataset, Labels, Missing, Outputs, Scaler, Split, missing};
use crate::arithmetic::Real;
use crate::{Error, Result};

/// Inputs and labels of some samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples<T: Real> {
    /// `features x samples`, one column a sample.
    pub inputs: DMatrix<T>,
    /// The class of each sample, or the values of its targets.
    pub labels: Labels,
}

impl<T: Real> Examples<T> {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The first `count` samples, or all if there are no more.
    pub fn first(&self, count: usize) -> Self {
        let all: Vec<usize> = (0..count.min(self.len())).collect();
        let (inputs, labels) = self.batch(&all);
        Self { inputs, labels }
    }

    /// Inputs (`features x indices.len()`) and labels of the samples at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`len`](Self::len).
    pub fn batch(&self, indices: &[usize]) -> (DMatrix<T>, Labels) {
        let rows = self.inputs.nrows();
        let mut inputs = DMatrix::zeros(rows, indices.len());
        // Samples lie far apart: threads wait for memory together.
        let columns = inputs
            .as_mut_slice()
            .par_chunks_mut(rows.max(1))
            .with_min_len((1 << 14) / rows.max(1) + 1);
        columns.zip(indices).for_each(|(column, &index)| {
            column.copy_from_slice(&self.inputs.as_slice()[index * rows..(index + 1) * rows])
        });
        (inputs, self.labels.at(indices))
    }
}

/// The parts of a set, scaled alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts<T: Real> {
    /// What the set is called.
    pub name: String,
    /// Training samples, shuffled.
    pub train: Examples<T>,
    /// Validation samples, if any were asked for.
    pub validation: Option<Examples<T>>,
    /// Test samples; none when `test_fraction` is 0.
    pub test: Examples<T>,
    /// Which sample of the set each test sample is, from 0.
    pub test_samples: Vec<usize>,
    /// What the machine's outputs stand for: classes, or targets with their ranges.
    pub outputs: Outputs,
    /// Features of a sample: the machine's inputs.
    pub inputs: usize,
}

impl<T: Real> Parts<T> {
    /// Splits `dataset` by [`Split::new`] and scales all parts by what the training part says.
    ///
    /// # Errors
    /// [`Error::Input`] when a scaled input is too large for `T`, which takes an extreme gain, and when
    /// values are missing and no training sample has one of that feature; when a target is the same in
    /// all training samples.
    pub fn prepare(dataset: Dataset, config: &DataConfig, seed: u64) -> Result<Self> {
        Ok(Self::scaled(dataset, config, seed)?.0)
    }

    /// [`prepare`](Self::prepare), with what scaled them: other samples are scaled alike by it.
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare).
    pub fn scaled(mut dataset: Dataset, config: &DataConfig, seed: u64) -> Result<(Self, Scaler)> {
        let split = Split::new(&dataset, config, seed);
        let means = match config.missing {
            Missing::Refuse => None,
            Missing::Mean => Some(missing::means(&dataset.features, &split.train)),
        };
        let means = means.transpose().map_err(|feature| {
            Error::input(format!(
                "data.missing: no training sample of `{}` has feature `{}`, so it has no mean",
                dataset.name, dataset.feature_names[feature]
            ))
        })?;
        if let Some(means) = &means {
            missing::fill(&mut dataset.features, means);
        }
        let scaler =
            Scaler::fit(config.scaling, config.gain, config.clip, &dataset.features, &split.train);
        let scaler = scaler.filling(means);
        let examples = |samples: &[usize]| {
            let inputs: DMatrix<T> = scaler.inputs(&dataset.features, samples);
            if let Some(index) = inputs.iter().position(|x| !x.is_finite()) {
                let (row, column) = (index % inputs.nrows(), index / inputs.nrows());
                let feature = &dataset.feature_names[row];
                if dataset.features[(row, samples[column])].is_nan() {
                    let (name, sample) = (&dataset.name, samples[column]);
                    return Err(Error::input(format!(
                        "data.missing: feature `{feature}` of sample {sample} of `{name}` is missing: \
                         expected \"mean\", or no missing values"
                    )));
                }
                let (name, scaling, gain) = (&dataset.name, config.scaling, config.gain);
                let message = format!(
                    "data.gain: feature `{feature}` of `{name}` has no finite input at {gain} and {scaling:?}"
                );
                return Err(Error::input(message));
            }
            Ok(Examples { inputs, labels: dataset.labels.at(samples) })
        };
        let validation =
            if split.validation.is_empty() { None } else { Some(examples(&split.validation)?) };
        let (train, test) = (examples(&split.train)?, examples(&split.test)?);
        let outputs = Outputs::fit(dataset.outputs, &dataset.labels, &split.train);
        let outputs = outputs
            .map_err(|message| Error::input(format!("data.label: {}: {message}", dataset.name)))?;
        let parts = Self {
            name: dataset.name,
            train,
            validation,
            test,
            test_samples: split.test,
            inputs: dataset.features.nrows(),
            outputs,
        };
        Ok((parts, scaler.naming(dataset.feature_names)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_the_samples_of_the_split() {
        let config = DataConfig {
            validation_fraction: 0.1,
            scaling: crate::data::Scaling::None,
            ..DataConfig::default()
        };
        let wine = Dataset::load(&config).unwrap();
        let split = Split::new(&wine, &config, 9);
        let parts: Parts<f64> = Parts::prepare(wine.clone(), &config, 9).unwrap();
        assert_eq!(
            (parts.inputs, parts.outputs.len(), parts.train.inputs.shape()),
            (13, 3, (13, split.train.len()))
        );
        for (examples, samples) in [
            (&parts.train, &split.train),
            (parts.validation.as_ref().unwrap(), &split.validation),
            (&parts.test, &split.test),
        ] {
            for (column, &sample) in samples.iter().enumerate() {
                assert_eq!(examples.inputs.column(column), wine.features.column(sample));
                assert_eq!(examples.labels.at(&[column]), wine.labels.at(&[sample]));
            }
        }
    }

    #[test]
    fn a_batch_is_its_samples_in_order() {
        let parts: Parts<f64> = Parts::prepare(
            Dataset::load(&DataConfig::default()).unwrap(),
            &DataConfig::default(),
            0,
        )
        .unwrap();
        let (inputs, labels) = parts.train.batch(&[5, 0, 5]);
        for (column, sample) in [5, 0, 5].into_iter().enumerate() {
            assert_eq!(inputs.column(column), parts.train.inputs.column(sample));
            assert_eq!(labels.at(&[column]), parts.train.labels.at(&[sample]));
        }
        assert_eq!(parts.train.batch(&[]).0.shape(), (13, 0));
        assert!(parts.validation.is_none());
    }

    #[test]
    fn inputs_beyond_the_precision_are_refused() {
        let config = DataConfig { gain: 1e300, ..DataConfig::default() };
        let wine = Dataset::load(&config).unwrap();
        assert!(
            Parts::<f32>::prepare(wine.clone(), &config, 0)
                .unwrap_err()
                .to_string()
                .starts_with("data.gain: feature `")
        );
        assert!(Parts::<f64>::prepare(wine, &config, 0).is_ok());
    }
}
