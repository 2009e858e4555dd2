//! What outputs say of the test part, sample by sample, and the scores of it.

use nalgebra::DMatrix;

use super::{Confusion, Errors, Evaluation, Fit, Predicted, Score, Scores, TargetFit};
use crate::arithmetic::Real;
use crate::data::{Labels, Outputs, Parts};

/// What outputs say of the test part, sample by sample.
pub(super) struct Answers {
    labels: Vec<usize>,
    values: Vec<f64>,
    targets: usize,
}

impl Answers {
    /// Of `samples` samples, before any is there.
    pub fn new(meaning: &Outputs, samples: usize) -> Self {
        let targets = meaning.targets().len();
        Self { labels: Vec::new(), values: Vec::with_capacity(targets * samples), targets }
    }

    /// Takes what outputs say of the next samples.
    pub fn take(&mut self, labels: &Labels) {
        match labels {
            Labels::Classes(labels) => self.labels.extend_from_slice(labels),
            Labels::Values(values) => self.values.extend_from_slice(values.as_slice()),
        }
    }

    /// The scores that come of it, with what is known of `data` and how its parts were evaluated.
    pub fn scores<T: Real>(
        self,
        data: &Parts<T>,
        [test, train]: [&Evaluation; 2],
        validation: Option<Score>,
    ) -> (Scores, Option<Predicted>) {
        let meaning = &data.outputs;
        match (meaning, &data.test.labels, test.score(), train.score()) {
            (
                Outputs::Targets(targets),
                Labels::Values(known),
                Score::Fit(of_test),
                Score::Fit(of_train),
            ) => {
                let fits = targets.iter().zip(test.errors.iter().map(Errors::fit));
                let fits = fits.map(|(target, fit)| TargetFit { target: target.name.clone(), fit });
                let validation: Option<Fit> = validation.and_then(Score::fit);
                let scores = Scores::of_values([of_test, of_train], validation, fits.collect());
                let told = DMatrix::from_vec(self.targets, known.ncols(), self.values);
                let samples = data.test_samples.clone();
                (scores, Some(Predicted { samples, known: known.clone(), told }))
            }
            (_, known, test, train) => {
                let mut confusion = Confusion::new(&meaning.names());
                let pairs = known.classes().unwrap_or_default().iter().zip(&self.labels);
                pairs.for_each(|(label, given)| confusion.count(*label, *given));
                let scores = Scores::Classes {
                    test_accuracy: test.value(),
                    train_accuracy: train.value(),
                    validation_accuracy: validation.map(Score::value),
                    balanced_accuracy: confusion.balanced_accuracy(),
                    confusion,
                };
                (scores, None)
            }
        }
    }
}
