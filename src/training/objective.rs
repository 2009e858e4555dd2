//! The objective: what outputs should be, and how well they are it.

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::score::{Errors, Fit, Score};
use crate::Result;
use crate::arithmetic::Real;
use crate::data::{Examples, Labels, Outputs, Target};
use crate::system::{Cost, Measurement, Phase, System};

/// Samples of one evaluation batch.
const EVALUATION_BATCH: usize = 512;

/// The cost, and the targets of an output whose class a sample is of and of the others. Of a
/// regression they are the ends of what an output shows: the ends of its target's range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The cost of outputs against targets.
    pub cost: Cost,
    /// Target of the outputs of other classes; of the least value of a target.
    pub target_off: f64,
    /// Target of the output of a sample's class; of the greatest value of a target.
    pub target_on: f64,
}

impl Objective {
    /// The targets of `labels`, outputs x samples; costs that fix their targets themselves, do.
    pub fn class_targets<T: Real>(&self, labels: &[usize], classes: usize) -> DMatrix<T> {
        let own = (self.target_off, self.target_on);
        let (off, on) = self.cost.class_targets().unwrap_or(own);
        DMatrix::from_fn(classes, labels.len(), |class, sample| {
            T::of(if labels[sample] == class { on } else { off })
        })
    }

    /// The targets of `labels`, outputs x samples, of what `meaning` says that outputs stand for.
    ///
    /// # Panics
    /// When the labels are of another kind than that.
    pub fn targets<T: Real>(&self, labels: &Labels, meaning: &Outputs) -> DMatrix<T> {
        match labels {
            Labels::Classes(classes) => self.class_targets(classes, meaning.len()),
            Labels::Values(values) => {
                let targets = meaning.targets();
                DMatrix::from_fn(values.nrows(), values.ncols(), |row, sample| {
                    T::of(self.shown(&targets[row], values[(row, sample)]))
                })
            }
        }
    }

    /// What an output shows that stands for `target` at `value`.
    pub fn shown(&self, target: &Target, value: f64) -> f64 {
        self.target_off + (self.target_on - self.target_off) * target.part(value)
    }

    /// The value of `target` for which an output stands that shows `shown`.
    pub fn told(&self, target: &Target, shown: f64) -> f64 {
        target.value((shown - self.target_off) / (self.target_on - self.target_off))
    }

    /// What `outputs` (outputs x samples) say: the class of the largest, or values of targets.
    pub fn labels<T: Real>(&self, outputs: &DMatrix<T>, meaning: &Outputs) -> Labels {
        match meaning {
            Outputs::Classes(_) => {
                let columns = outputs.column_iter();
                Labels::Classes(columns.map(|column| largest(column.as_slice())).collect())
            }
            Outputs::Targets(targets) => {
                Labels::Values(DMatrix::from_fn(targets.len(), outputs.ncols(), |row, sample| {
                    self.told(&targets[row], outputs[(row, sample)].f64())
                }))
            }
        }
    }

    /// Settles `examples` freely and counts what the outputs say, which stand for what `meaning` says.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn evaluate<T: Real>(
        &self,
        system: &mut dyn System<T>,
        examples: &Examples<T>,
        meaning: &Outputs,
    ) -> Result<Evaluation> {
        self.observe(system, examples, meaning, |_, _| ())
    }

    /// [`evaluate`](Self::evaluate); `seen` hears what was measured of a batch of samples, and what the
    /// outputs say of them.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn observe<T: Real>(
        &self,
        system: &mut dyn System<T>,
        examples: &Examples<T>,
        meaning: &Outputs,
        mut seen: impl FnMut(&Measurement<T>, &Labels),
    ) -> Result<Evaluation> {
        let mut evaluation = Evaluation::default();
        let outputs = system.outputs();
        infer(system, examples, |measured, labels| {
            let told = self.count(&mut evaluation, &outputs, measured, labels, meaning);
            seen(measured, &told);
        })?;
        Ok(evaluation)
    }

    /// Counts a free phase of samples of which `labels` are known; returns what the outputs say.
    pub(super) fn count<T: Real>(
        &self,
        evaluation: &mut Evaluation,
        outputs: &Range<usize>,
        measured: &Measurement<T>,
        labels: &Labels,
        meaning: &Outputs,
    ) -> Labels {
        evaluation.count(outputs, measured, &self.targets(labels, meaning), self.cost);
        let shown = measured.values.rows_range(outputs.clone()).into_owned();
        let told = self.labels(&shown, meaning);
        match (labels, &told) {
            (Labels::Classes(labels), Labels::Classes(told)) => {
                for (sample, (label, told)) in labels.iter().zip(told).enumerate() {
                    // What could not be read is of no class.
                    let is_read = shown.column(sample).iter().all(|value| !value.f64().is_nan());
                    evaluation.correct += usize::from(is_read && told == label);
                }
            }
            (Labels::Values(known), Labels::Values(told)) => {
                evaluation.errors.resize(meaning.len(), Errors::default());
                let each = evaluation.errors.iter_mut().zip(meaning.targets()).enumerate();
                for (row, (errors, target)) in each {
                    for (known, told) in known.row(row).iter().zip(&told.row(row)) {
                        // What could not be read is wrong by the whole range.
                        let error = Some(told - known).filter(|error| error.is_finite());
                        errors.count(*known, error.unwrap_or(target.width()));
                    }
                }
            }
            _ => unreachable!("labels are what outputs stand for"),
        }
        told
    }
}

/// What the machine shows of each of `examples`, outputs x samples.
///
/// # Errors
/// When the machine does not take the examples.
pub fn infer_outputs<T: Real>(
    system: &mut dyn System<T>,
    examples: &Examples<T>,
) -> Result<DMatrix<T>> {
    let outputs = system.outputs();
    let mut shown = Vec::with_capacity(outputs.len() * examples.len());
    infer(system, examples, |measured, _| {
        shown.extend(measured.values.rows_range(outputs.clone()).iter().copied());
    })?;
    Ok(DMatrix::from_vec(outputs.len(), examples.len(), shown))
}

/// The class that the machine gives to each of `examples`: that of its largest output.
///
/// # Errors
/// When the machine does not take the examples.
pub fn predict<T: Real>(system: &mut dyn System<T>, examples: &Examples<T>) -> Result<Vec<usize>> {
    let shown = infer_outputs(system, examples)?;
    Ok(shown.column_iter().map(|column| largest(column.as_slice())).collect())
}

/// Settles `examples` freely, batch by batch; `seen` hears what was measured, and the labels.
fn infer<T: Real>(
    system: &mut dyn System<T>,
    examples: &Examples<T>,
    mut seen: impl FnMut(&Measurement<T>, &Labels),
) -> Result<()> {
    let all: Vec<usize> = (0..examples.len()).collect();
    for indices in all.chunks(EVALUATION_BATCH) {
        let (inputs, labels) = examples.batch(indices);
        seen(&system.settle(&inputs, &Phase::Free)?, &labels);
    }
    Ok(())
}

/// The place of the largest value.
fn largest<T: Real>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// How well a machine does on some examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples.
    pub samples: usize,
    /// Samples whose largest output is that of their class; none where they have targets.
    pub correct: usize,
    /// Samples that should have settled and had not when they were read; their readings are counted
    /// all the same.
    pub unsettled: usize,
    /// Samples that had not settled when their phase was over and were not to.
    pub truncated: usize,
    /// Relaxation steps of all samples.
    pub steps: usize,
    /// Sum of the costs of the samples that are not unsettled.
    pub cost: f64,
    /// The errors of each target; none where samples have classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Errors>,
}

impl Evaluation {
    /// The fraction of correct samples, or how close predictions are, the mean of all targets.
    pub fn score(&self) -> Score {
        let mean = Fit::mean(self.errors.iter().map(Errors::fit));
        let accuracy = Score::Accuracy(self.correct as f64 / self.samples.max(1) as f64);
        mean.map_or(accuracy, Score::Fit)
    }

    /// The mean number of relaxation steps of an inference.
    pub fn mean_steps(&self) -> f64 {
        self.steps as f64 / self.samples.max(1) as f64
    }

    /// The mean cost of the samples that had settled, or were not to.
    pub fn mean_cost(&self) -> f64 {
        self.cost / (self.samples - self.unsettled).max(1) as f64
    }

    /// Counts a free phase of samples of these `targets` (outputs x samples).
    fn count<T: Real>(
        &mut self,
        outputs: &Range<usize>,
        measured: &Measurement<T>,
        targets: &DMatrix<T>,
        cost: Cost,
    ) {
        for sample in 0..targets.ncols() {
            let column = measured.values.column(sample);
            let values = &column.as_slice()[outputs.clone()];
            self.samples += 1;
            self.steps += measured.steps[sample];
            self.truncated += usize::from(measured.is_truncated(sample));
            if measured.is_used(sample) {
                self.cost += cost.value(values, targets.column(sample).as_slice()).f64();
            } else {
                self.unsettled += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_two() -> (Objective, Outputs) {
        let objective = Objective { cost: Cost::SquaredError, target_off: -0.9, target_on: 0.9 };
        let target = |name: &str, low, high| Target { name: name.into(), low, high };
        (objective, Outputs::Targets(vec![target("a", 100.0, 300.0), target("b", -1.0, 0.0)]))
    }

    #[test]
    fn a_range_is_that_of_the_outputs_and_back() {
        let (objective, meaning) = of_two();
        let values = DMatrix::from_row_slice(2, 3, &[100.0, 300.0, 200.0, -1.0, 0.0, 1.0]);
        let targets: DMatrix<f64> = objective.targets(&Labels::Values(values.clone()), &meaning);
        let expected = DMatrix::from_row_slice(2, 3, &[-0.9, 0.9, 0.0, -0.9, 0.9, 2.7]);
        assert!((&targets - &expected).abs().max() < 1e-15, "{targets}");
        let Labels::Values(back) = objective.labels(&targets, &meaning) else { unreachable!() };
        // a handful of roundings of values up to 300
        assert!((back - values).abs().max() < 1e-12);
    }

    #[test]
    fn predictions_are_counted_in_the_units_of_their_targets() {
        let (objective, meaning) = of_two();
        let known = Labels::Values(DMatrix::from_row_slice(2, 2, &[120.0, 280.0, -0.5, 0.0]));
        let mut measured = Measurement::settled(objective.targets::<f64>(&known, &meaning));
        // 20 of 200 of the range off; and one that could not be read.
        measured.values[(0, 0)] += 0.18;
        measured.values[(1, 1)] = f64::NAN;
        let mut evaluation = Evaluation::default();
        let told = objective.count(&mut evaluation, &(0..2), &measured, &known, &meaning);
        assert!((told.values().unwrap()[(0, 0)] - 140.0).abs() < 1e-12);
        let [a, b] = [0, 1].map(|row| evaluation.errors[row].fit());
        assert!((a.r2 - (1.0 - 400.0 / 12800.0)).abs() < 1e-12 && (a.mae - 10.0).abs() < 1e-12);
        assert!((a.rmse - 200f64.sqrt()).abs() < 1e-12 && (b.mae - 0.5).abs() < 1e-12, "{b:?}");
        let mean = evaluation.score().fit().unwrap();
        assert!((mean.r2 - 0.5 * (a.r2 + b.r2)).abs() < 1e-15);
    }
}
