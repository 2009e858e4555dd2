//! The objective: what outputs should be, and how well they are it.

use std::ops::Range;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arithmetic::Real;
use crate::data::Examples;
use crate::system::{Cost, Measurement, Phase, System};

/// Samples of one evaluation batch.
const EVALUATION_BATCH: usize = 512;

/// The cost, and the targets of an output whose class a sample is of and of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The cost of outputs against targets.
    pub cost: Cost,
    /// Target of the outputs of other classes.
    pub target_off: f64,
    /// Target of the output of a sample's class.
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

    /// Settles `examples` freely and counts what the outputs say.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn evaluate<T: Real>(
        &self,
        system: &mut dyn System<T>,
        examples: &Examples<T>,
    ) -> Result<Evaluation> {
        self.observe(system, examples, |_, _| ())
    }

    /// [`evaluate`](Self::evaluate); `seen` hears what was measured of a batch of samples, and to which
    /// classes they were given.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn observe<T: Real>(
        &self,
        system: &mut dyn System<T>,
        examples: &Examples<T>,
        mut seen: impl FnMut(&Measurement<T>, &[usize]),
    ) -> Result<Evaluation> {
        let mut evaluation = Evaluation::default();
        let outputs = system.outputs();
        infer(system, examples, |measured, labels| {
            let targets = self.class_targets(labels, outputs.len());
            evaluation.count(&outputs, measured, labels, &targets, self.cost);
            let columns = measured.values.column_iter();
            let given = columns.map(|column| largest(&column.as_slice()[outputs.clone()]));
            seen(measured, &given.collect::<Vec<_>>());
        })?;
        Ok(evaluation)
    }
}

/// The class that the machine gives to each of `examples`: that of its largest output.
///
/// # Errors
/// When the machine does not take the examples.
pub fn predict<T: Real>(system: &mut dyn System<T>, examples: &Examples<T>) -> Result<Vec<usize>> {
    let outputs = system.outputs();
    let mut classes = Vec::with_capacity(examples.len());
    infer(system, examples, |measured, _| {
        let columns = measured.values.column_iter();
        classes.extend(columns.map(|column| largest(&column.as_slice()[outputs.clone()])));
    })?;
    Ok(classes)
}

/// Settles `examples` freely, batch by batch; `seen` hears what was measured, and the labels.
fn infer<T: Real>(
    system: &mut dyn System<T>,
    examples: &Examples<T>,
    mut seen: impl FnMut(&Measurement<T>, &[usize]),
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples.
    pub samples: usize,
    /// Samples whose largest output is that of their class.
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
}

impl Evaluation {
    /// The fraction of correct samples.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }

    /// The mean number of relaxation steps of an inference.
    pub fn mean_steps(&self) -> f64 {
        self.steps as f64 / self.samples.max(1) as f64
    }

    /// The mean cost of the samples that had settled, or were not to.
    pub fn mean_cost(&self) -> f64 {
        self.cost / (self.samples - self.unsettled).max(1) as f64
    }

    /// Counts a free phase of samples of these `labels` and `targets` (outputs x samples).
    pub(super) fn count<T: Real>(
        &mut self,
        outputs: &Range<usize>,
        measured: &Measurement<T>,
        labels: &[usize],
        targets: &DMatrix<T>,
        cost: Cost,
    ) {
        for (sample, label) in labels.iter().enumerate() {
            let column = measured.values.column(sample);
            let values = &column.as_slice()[outputs.clone()];
            self.samples += 1;
            // What could not be read is of no class.
            let is_read = values.iter().all(|value| !value.f64().is_nan());
            self.correct += usize::from(is_read && largest(values) == *label);
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
