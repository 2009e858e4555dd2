//! Which samples train, validate and test.

use rand::seq::SliceRandom;

use super::{DataConfig, Dataset, Labels};
use crate::arithmetic::random::{Key, Stream};

/// The columns of a set that train, validate and test; no column is in two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Training samples, shuffled; at most `train_limit` of them.
    pub train: Vec<usize>,
    /// Validation samples, in the set's order.
    pub validation: Vec<usize>,
    /// Test samples, in the set's order.
    pub test: Vec<usize>,
}

impl Split {
    /// Splits `dataset` class by class, by the streams of `Key::new(seed, "data split")`; samples with
    /// values of targets are all of one class here.
    ///
    /// Of a class of n samples, round(`test_fraction` n) test; of the rest, by the same rule,
    /// `validation_fraction` validates. While a fraction is above 0 and two samples are left, at
    /// least one is taken and at least one is left to train. A set that brings its own test part is
    /// tested with that, and only the rest is split.
    pub fn new(dataset: &Dataset, config: &DataConfig, seed: u64) -> Self {
        let samples = dataset.labels.len();
        let supplied = dataset.test_from.unwrap_or(samples);
        let test_fraction = if dataset.test_from.is_some() { 0.0 } else { config.test_fraction };
        let key = Key::new(seed, "data split");

        let members = match &dataset.labels {
            Labels::Values(_) => vec![(0..supplied).collect()],
            Labels::Classes(labels) => {
                let mut members = vec![Vec::new(); dataset.outputs.len()];
                for (sample, &label) in labels[..supplied].iter().enumerate() {
                    members[label].push(sample);
                }
                members
            }
        };
        let mut split =
            Self { train: Vec::new(), validation: Vec::new(), test: (supplied..samples).collect() };
        for (class, mut left) in (0..).zip(members) {
            left.shuffle(&mut key.with(class).stream());
            split.test.extend(take(&mut left, test_fraction));
            split.validation.extend(take(&mut left, config.validation_fraction));
            split.train.append(&mut left);
        }
        split.test.sort_unstable();
        split.validation.sort_unstable();
        let mut order: Stream = key.stream();
        split.train.shuffle(&mut order);
        split.train.truncate(config.train_limit.unwrap_or(samples));
        split
    }
}

/// Takes `fraction` of `samples` away from their end.
fn take(samples: &mut Vec<usize>, fraction: f64) -> Vec<usize> {
    let count = if fraction > 0.0 && samples.len() > 1 {
        // A float cast to an integer saturates, so no fraction can take more than there is.
        ((fraction * samples.len() as f64).round() as usize).clamp(1, samples.len() - 1)
    } else {
        0
    };
    samples.split_off(samples.len() - count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    fn set(labels: Vec<usize>, test_from: Option<usize>) -> Dataset {
        let classes = labels.iter().max().unwrap() + 1;
        Dataset {
            name: "labels".into(),
            features: DMatrix::zeros(1, labels.len()),
            labels: labels.into(),
            outputs: (0..classes).map(|class| class.to_string()).collect(),
            feature_names: vec!["zero".into()],
            test_from,
        }
    }

    fn counts(dataset: &Dataset, samples: &[usize]) -> Vec<usize> {
        let labels = dataset.labels.classes().unwrap();
        (0..dataset.outputs.len())
            .map(|class| samples.iter().filter(|&&s| labels[s] == class).count())
            .collect()
    }

    fn config(test_fraction: f64, validation_fraction: f64) -> DataConfig {
        DataConfig { test_fraction, validation_fraction, ..DataConfig::default() }
    }

    #[test]
    fn every_sample_is_in_one_part_and_every_class_in_each() {
        let wine = Dataset::load(&DataConfig::default()).unwrap();
        let split = Split::new(&wine, &config(0.2, 0.25), 3);
        // round(0.2 x 59, 71, 48), then round(0.25 x 47, 57, 38)
        assert_eq!(counts(&wine, &split.test), [12, 14, 10]);
        assert_eq!(counts(&wine, &split.validation), [12, 14, 10]);
        assert_eq!(counts(&wine, &split.train), [35, 43, 28]);
        let mut all = [split.train, split.validation, split.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..178).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides() {
        let wine = Dataset::load(&DataConfig::default()).unwrap();
        let split = |seed| Split::new(&wine, &config(0.2, 0.1), seed);
        assert_eq!(split(1), split(1));
        assert_ne!(split(1).test, split(2).test);
        assert!(!split(1).train.is_sorted());
    }

    #[test]
    fn small_classes_keep_a_training_sample_and_give_a_test_sample() {
        let small = set(vec![0, 1, 1, 2, 2, 2], None);
        for fraction in [0.01, 0.5, 0.99] {
            let split = Split::new(&small, &config(fraction, 0.0), 0);
            let (train, test) = (counts(&small, &split.train), counts(&small, &split.test));
            assert_eq!((train[0], test[0]), (1, 0));
            assert!(
                train[1..].iter().chain(&test[1..]).all(|&count| count > 0),
                "{fraction}: {train:?} {test:?}"
            );
        }
        assert!(Split::new(&small, &config(0.0, 0.0), 0).test.is_empty());
    }

    #[test]
    fn a_supplied_test_part_is_kept() {
        let supplied = set(vec![0, 0, 0, 0, 1, 1, 1, 1, 0, 1], Some(8));
        let split = Split::new(&supplied, &config(0.5, 0.25), 0);
        assert_eq!(split.test, [8, 9]);
        assert_eq!(counts(&supplied, &split.validation), [1, 1]);
        assert_eq!(counts(&supplied, &split.train), [3, 3]);
    }

    #[test]
    fn the_limit_keeps_the_first_training_samples() {
        let wine = Dataset::load(&DataConfig::default()).unwrap();
        let all = Split::new(&wine, &config(0.2, 0.0), 5);
        let few = Split::new(&wine, &DataConfig { train_limit: Some(20), ..config(0.2, 0.0) }, 5);
        assert_eq!(few.train, all.train[..20]);
        assert_eq!(few.test, all.test);
        assert_eq!(
            Split::new(&wine, &DataConfig { train_limit: Some(1000), ..config(0.2, 0.0) }, 5),
            all
        );
    }

    #[test]
    fn values_are_split_as_one_class() {
        let values = Labels::Values(DMatrix::from_fn(2, 50, |_, sample| sample as f64));
        let of_values = Dataset { labels: values, ..set(vec![0; 50], None) };
        let split = Split::new(&of_values, &config(0.2, 0.25), 3);
        assert_eq!(split, Split::new(&set(vec![0; 50], None), &config(0.2, 0.25), 3));
        assert_eq!((split.test.len(), split.validation.len(), split.train.len()), (10, 10, 30));
    }
}
