//! The training loop.

use std::path::Path;
use std::time::{Duration, Instant};

use nalgebra::DMatrix;
use rand::seq::SliceRandom;

use super::checkpoint::{Checkpoint, Progress};
use super::{EpochMetrics, LabSummary, Optimiser, Summary, unsettled_fraction};
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::coupler::{Expense, Parameter};
use crate::data::{Examples, Parts};
use crate::experiment::{Experiment, LearningConfig};
use crate::learning::{Batch, Rule};
use crate::system::{Cost, MachineState, Measurement, Phase, System};
use crate::{Error, Result};

/// Samples of one evaluation batch.
const EVALUATION_BATCH: usize = 512;

/// How well a machine does on some examples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Samples.
    pub samples: usize,
    /// Samples whose largest output is that of their class.
    pub correct: usize,
    /// Samples that had not settled when they were read; their readings are counted all the same.
    pub unsettled: usize,
    /// Sum of the costs of the samples that had settled.
    pub cost: f64,
}

impl Evaluation {
    /// The fraction of correct samples.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }

    /// The mean cost of the samples that had settled.
    pub fn mean_cost(&self) -> f64 {
        self.cost / (self.samples - self.unsettled).max(1) as f64
    }

    fn count<T: Real>(
        &mut self,
        outputs: std::ops::Range<usize>,
        measured: &Measurement<T>,
        labels: &[usize],
        targets: &DMatrix<T>,
        cost: Cost,
    ) {
        for (sample, label) in labels.iter().enumerate() {
            let column = measured.values.column(sample);
            let values = &column.as_slice()[outputs.clone()];
            self.samples += 1;
            self.correct += usize::from(largest(values) == *label);
            if measured.settled[sample] {
                self.cost += cost.value(values, targets.column(sample).as_slice()).f64();
            } else {
                self.unsettled += 1;
            }
        }
    }
}

/// The targets of `labels`, outputs x samples: `target_on` for the class and `target_off` for the
/// others under the squared error, 1 and 0 under the cross-entropy.
pub fn class_targets<T: Real>(
    learning: &LearningConfig,
    labels: &[usize],
    classes: usize,
) -> DMatrix<T> {
    let (off, on) = match learning.cost {
        Cost::SquaredError => (learning.target_off, learning.target_on),
        Cost::CrossEntropy => (0.0, 1.0),
    };
    DMatrix::from_fn(classes, labels.len(), |class, sample| {
        T::of(if labels[sample] == class { on } else { off })
    })
}

/// Settles `examples` freely and counts what the outputs say.
///
/// # Errors
/// When the machine does not take the examples.
pub fn evaluate<T: Real>(
    system: &mut dyn System<T>,
    examples: &Examples<T>,
    learning: &LearningConfig,
) -> Result<Evaluation> {
    let mut evaluation = Evaluation::default();
    let all: Vec<usize> = (0..examples.len()).collect();
    let outputs = system.outputs();
    for indices in all.chunks(EVALUATION_BATCH) {
        let (inputs, labels) = examples.batch(indices);
        let targets = class_targets(learning, &labels, outputs.len());
        let measured = system.settle(&inputs, &Phase::Free)?;
        evaluation.count(outputs.clone(), &measured, &labels, &targets, learning.cost);
    }
    Ok(evaluation)
}

/// The class that the machine gives to each of `examples`: that of its largest output.
///
/// # Errors
/// When the machine does not take the examples.
pub fn predict<T: Real>(system: &mut dyn System<T>, examples: &Examples<T>) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..examples.len()).collect();
    let outputs = system.outputs();
    let mut classes = Vec::with_capacity(all.len());
    for indices in all.chunks(EVALUATION_BATCH) {
        let measured = system.settle(&examples.batch(indices).0, &Phase::Free)?;
        classes.extend(
            measured
                .values
                .column_iter()
                .map(|column| largest(&column.as_slice()[outputs.clone()])),
        );
    }
    Ok(classes)
}

/// The place of the largest value.
fn largest<T: Real>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// A machine in training.
pub struct Trainer<T: Real> {
    experiment: Experiment,
    system: Box<dyn System<T>>,
    rule: Box<dyn Rule<T>>,
    parts: Parts<T>,
    optimiser: Optimiser<T>,
    names: Vec<String>,
    values: Vec<DMatrix<T>>,
    updates: u64,
    spent: Expense,
    metrics: Vec<EpochMetrics>,
    training_time: Duration,
    trained_samples: usize,
}

impl<T: Real> Trainer<T> {
    /// Sets `system` before the data `parts`.
    ///
    /// # Errors
    /// When the data do not fit the machine's inputs and outputs, or there is nothing to test.
    pub fn new(
        experiment: Experiment,
        system: Box<dyn System<T>>,
        parts: Parts<T>,
    ) -> Result<Self> {
        check_fit(&experiment, system.as_ref(), &parts)?;
        let parameters = system.parameters();
        Ok(Self {
            rule: experiment.learning.rule(experiment.seed),
            optimiser: Optimiser::new(
                experiment.training.optimiser,
                experiment.training.bop,
                &parameters,
            ),
            experiment,
            system,
            parts,
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            values: values(parameters),
            updates: 0,
            spent: Expense::default(),
            metrics: Vec::new(),
            training_time: Duration::ZERO,
            trained_samples: 0,
        })
    }

    /// Metrics of the epochs so far.
    pub fn metrics(&self) -> &[EpochMetrics] {
        &self.metrics
    }

    /// What training has cost a laboratory so far.
    pub fn spent(&self) -> &Expense {
        &self.spent
    }

    /// The parameters, in the order of [`System::parameters`].
    pub fn values(&self) -> &[DMatrix<T>] {
        &self.values
    }

    /// How far wires' effects in use have been from those of the cells; see [`System::staleness`].
    pub fn staleness(&self) -> f64 {
        self.system.staleness()
    }

    /// Training samples a second of computing, evaluation aside, since this trainer was made.
    pub fn samples_per_second(&self) -> f64 {
        self.trained_samples as f64 / self.training_time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The data.
    pub fn parts(&self) -> &Parts<T> {
        &self.parts
    }

    /// How well the machine does on its training part.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn evaluate_train(&mut self) -> Result<Evaluation> {
        evaluate(self.system.as_mut(), &self.parts.train, &self.experiment.learning)
    }

    /// How well the machine does on its test part, and what a laboratory spends on that.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn evaluate_test(&mut self) -> Result<(Evaluation, Expense)> {
        let before = self.system.expense();
        let evaluation =
            evaluate(self.system.as_mut(), &self.parts.test, &self.experiment.learning)?;
        Ok((evaluation, Expense::default().plus(&self.system.expense(), &before)))
    }

    /// Evaluates the machine as it is now; `run` is what the run is called.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn summary(&mut self, run: String) -> Result<Summary> {
        let train = self.evaluate_train()?;
        let (test, inference) = self.evaluate_test()?;
        Ok(Summary {
            run,
            rule: self.experiment.learning.rule.name().into(),
            machine: self.experiment.device.describe(),
            data: self.experiment.data.set.clone(),
            epochs: self.metrics.len(),
            test_accuracy: test.accuracy(),
            train_accuracy: train.accuracy(),
            validation_accuracy: self.metrics.last().and_then(|row| row.validation_accuracy),
            test_samples: test.samples,
            test_unsettled: test.unsettled,
            train_unsettled: unsettled_fraction(&self.metrics, train.samples),
            samples_per_second: self.samples_per_second(),
            lab: LabSummary {
                wire_staleness: self.staleness(),
                ..LabSummary::new(&self.spent, &inference, test.samples)
            },
        })
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.metrics.len() >= self.experiment.training.epochs
    }

    /// Trains one epoch and evaluates it; `progress` hears how many samples of the epoch are done.
    ///
    /// # Errors
    /// When no sample of the epoch settles, or training diverges.
    pub fn epoch(&mut self, progress: &mut dyn FnMut(usize)) -> Result<&EpochMetrics> {
        let epoch = self.metrics.len();
        let training = self.experiment.training;
        let rate_factor = training.schedule.factor(epoch, training.epochs);
        let mut order: Vec<usize> = (0..self.parts.train.len()).collect();
        order.shuffle(&mut Key::new(self.experiment.seed, "shuffle").with(epoch as u64).stream());
        let before = self.system.expense();
        let (start, mut seen, mut unsettled) = (Instant::now(), Evaluation::default(), 0);
        for indices in order.chunks(training.batch) {
            unsettled += self.update(indices, rate_factor, &mut seen)?;
            progress(seen.samples);
        }
        self.training_time += start.elapsed();
        self.trained_samples += seen.samples;
        if unsettled == seen.samples {
            let relaxation = self.experiment.relaxation;
            return Err(Error::Machine(format!(
                "epoch {}: none of {} samples settled in every phase within relaxation.max_steps = {} to relaxation.tolerance = {}: \
                 allow more steps, a larger tolerance or a smaller relaxation.step",
                epoch + 1,
                seen.samples,
                relaxation.max_steps,
                relaxation.tolerance
            )));
        }
        self.spent = self.spent.plus(&self.system.expense(), &before);
        let validation_accuracy = match &self.parts.validation {
            Some(examples) => Some(
                evaluate(self.system.as_mut(), examples, &self.experiment.learning)?.accuracy(),
            ),
            None => None,
        };
        let test = evaluate(self.system.as_mut(), &self.parts.test, &self.experiment.learning)?;
        self.metrics.push(EpochMetrics {
            epoch: epoch + 1,
            rate_factor,
            train_cost: seen.mean_cost(),
            train_accuracy: seen.accuracy(),
            validation_accuracy,
            test_accuracy: test.accuracy(),
            unsettled,
            test_unsettled: test.unsettled,
            frames: self.spent.frames,
            conversions: self.spent.conversions,
            lab_seconds: self.spent.seconds,
            non_reciprocity: self.system.non_reciprocity(),
        });
        Ok(&self.metrics[epoch])
    }

    /// One update from the samples `indices`; returns how many did not settle.
    fn update(
        &mut self,
        indices: &[usize],
        rate_factor: f64,
        seen: &mut Evaluation,
    ) -> Result<usize> {
        let (inputs, labels) = self.parts.train.batch(indices);
        let learning = &self.experiment.learning;
        let outputs = self.system.outputs();
        let targets = class_targets(learning, &labels, outputs.len());
        let batch =
            Batch { inputs: &inputs, targets: &targets, cost: learning.cost, update: self.updates };
        let signal = self.rule.signal(self.system.as_mut(), &batch)?;
        seen.count(outputs, &signal.free, &labels, &targets, learning.cost);
        self.updates += 1;
        if signal.unsettled < indices.len() {
            let gradient = signal.product(self.system.as_ref(), &inputs);
            if let Some(index) = self.optimiser.step(&mut self.values, &gradient, rate_factor) {
                return Err(Error::Machine(format!(
                    "update {}: {} is not finite: training has diverged",
                    self.updates, self.names[index]
                )));
            }
            self.system.program(&self.values)?;
            self.system.read_back(&mut self.values);
        }
        Ok(signal.unsettled)
    }

    /// Writes a checkpoint, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let machine = self.system.state();
        let (moments, optimiser_steps) = self.optimiser.state();
        let mut tensors: std::collections::BTreeMap<String, DMatrix<T>> = machine
            .tensors
            .into_iter()
            .map(|(name, values)| (format!("machine/{name}"), values))
            .collect();
        for ((name, values), [first, second]) in self.names.iter().zip(&self.values).zip(moments) {
            tensors.insert(format!("parameters/{name}"), values.clone());
            tensors.insert(format!("moments1/{name}"), first.clone());
            tensors.insert(format!("moments2/{name}"), second.clone());
        }
        let progress = Progress {
            precision: T::NAME.into(),
            updates: self.updates,
            optimiser_steps,
            machine_counters: machine.counters,
            spent: self.spent,
            metrics: self.metrics.clone(),
        };
        Checkpoint { tensors, progress }.write(path)
    }

    /// Goes on from a checkpoint as if the run had never stopped.
    ///
    /// # Errors
    /// When the checkpoint is damaged or belongs to another machine.
    pub fn resume(&mut self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::<T>::read(path)?;
        load_machine(self.system.as_mut(), &checkpoint, true, path)?;
        let (moments, _) = self.optimiser.state();
        let restored = self.names.iter().zip(moments).map(|(name, [first, second])| {
            let matrix =
                |group, like: &DMatrix<T>| checkpoint.matrix(group, name, like.shape(), path);
            Ok([matrix("moments1", first)?, matrix("moments2", second)?])
        });
        let restored = restored.collect::<Result<Vec<_>>>()?;
        self.optimiser.restore(restored, checkpoint.progress.optimiser_steps);
        self.values = values(self.system.parameters());
        self.updates = checkpoint.progress.updates;
        self.spent = checkpoint.progress.spent;
        self.metrics = checkpoint.progress.metrics;
        Ok(())
    }
}

fn values<T: Real>(parameters: Vec<Parameter<T>>) -> Vec<DMatrix<T>> {
    parameters.into_iter().map(|parameter| parameter.values).collect()
}

/// Programs a machine with a checkpoint's parameters; `same_hardware` also restores what its
/// devices really hold and its counters.
///
/// # Errors
/// When the checkpoint belongs to another machine; `path` names the file.
pub fn load_machine<T: Real>(
    system: &mut dyn System<T>,
    checkpoint: &Checkpoint<T>,
    same_hardware: bool,
    path: &Path,
) -> Result<()> {
    system.program(&checkpoint.parameters(&system.parameters(), path)?)?;
    if same_hardware {
        let tensors = system.state().tensors.into_iter().map(|(name, like)| {
            let matrix = checkpoint.matrix("machine", &name, like.shape(), path)?;
            Ok((name, matrix))
        });
        let counters = checkpoint.progress.machine_counters.clone();
        system.restore(&MachineState { tensors: tensors.collect::<Result<_>>()?, counters })?;
    }
    Ok(())
}

/// Checks that the data fit the machine.
///
/// # Errors
/// Naming `network.layers` or `data.test_fraction`.
pub fn check_fit<T: Real>(
    experiment: &Experiment,
    system: &dyn System<T>,
    parts: &Parts<T>,
) -> Result<()> {
    debug_assert_eq!(
        (system.inputs(), Some(&system.outputs().len())),
        (experiment.network.layers[0], experiment.network.layers.last())
    );
    check_classes(experiment, parts.inputs, parts.classes.len())?;
    if parts.test.is_empty() {
        let set = &experiment.data.set;
        return Err(Error::input(format!(
            "data.test_fraction = {}: no sample of {set} is left to test",
            experiment.data.test_fraction
        )));
    }
    Ok(())
}

/// Checks that a data set of so many features and classes fits the first and the last layer.
///
/// # Errors
/// Naming `network.layers`.
pub fn check_classes(experiment: &Experiment, features: usize, classes: usize) -> Result<()> {
    let (layers, set) = (&experiment.network.layers, &experiment.data.set);
    if layers.first() == Some(&features) && layers.last() == Some(&classes) {
        return Ok(());
    }
    Err(Error::input(format!(
        "network.layers = {layers:?}: data set {set} has {features} features and {classes} classes, so the first layer must have \
         {features} nodes and the last {classes}"
    )))
}
