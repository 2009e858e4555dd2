//! Sessions: an experiment opened, or a run opened again.

use nalgebra::DMatrix;

use super::same_split::check_split;
use super::{Experiment, RunDirectory, in_precision};
use crate::arithmetic::Real;
use crate::data::{Dataset, Parts, Scaler, Task};
use crate::learning::Rule;
use crate::system::System;
use crate::training::{Summary, Trainer};
use crate::{Error, Result};

/// An experiment with its data prepared, its machine built and its trainer ready.
///
/// ```
/// use equilux::experiment::{Experiment, Session};
///
/// let settings = ["training.epochs=3".to_string()];
/// let text = "data.set = 'wine'\nnetwork.layers = [13, 8, 3]\n";
/// let mut session = Session::<f64>::new(Experiment::parse(text, "an example", &settings)?)?;
/// session.trainer.train()?;
/// assert!(session.trainer.summary("an example".into())?.scores.test().value() > 0.8);
/// # Ok::<(), equilux::Error>(())
/// ```
pub struct Session<T: Real> {
    /// The experiment.
    pub experiment: Experiment,
    /// The machine before the data.
    pub trainer: Trainer<T>,
    /// How features become the machine's inputs, as the training part says.
    pub scaler: Scaler,
}

/// What takes the place of an experiment's own: whatever is given.
pub struct Given<T: Real> {
    /// The data.
    pub data: Option<Dataset>,
    /// The machine.
    pub system: Option<Box<dyn System<T>>>,
    /// The rule.
    pub rule: Option<Box<dyn Rule<T>>>,
}

impl<T: Real> Default for Given<T> {
    fn default() -> Self {
        Self { data: None, system: None, rule: None }
    }
}

impl<T: Real> Session<T> {
    /// Opens `experiment`, untrained.
    ///
    /// # Errors
    /// When the data cannot be had, or do not fit the machine.
    pub fn new(experiment: Experiment) -> Result<Self> {
        Self::open(experiment, Given::default())
    }

    /// Opens `experiment` with data at hand in place of its own.
    ///
    /// # Errors
    /// When the data do not fit the machine.
    pub fn with_data(experiment: Experiment, dataset: Dataset) -> Result<Self> {
        Self::open(experiment, Given { data: Some(dataset), ..Given::default() })
    }

    /// Opens `experiment`, untrained, with what is `given` in place of its own.
    ///
    /// # Errors
    /// When the data cannot be had, or do not fit the machine.
    pub fn open(experiment: Experiment, given: Given<T>) -> Result<Self> {
        let dataset = given.data.map_or_else(|| Dataset::load(&experiment.data), Ok)?;
        let task = experiment.data.task;
        if dataset.labels.task() != task {
            return Err(Error::input(format!(
                "data.task = {}: the data have {}, expected {}",
                serde_json::to_string(&task).expect("a name"),
                dataset.labels.task().outputs(),
                task.outputs()
            )));
        }
        let (parts, scaler) = Parts::scaled(dataset, &experiment.data, experiment.seed)?;
        if given.system.is_none() {
            experiment.check_data(parts.inputs, parts.outputs.len())?;
        }
        if parts.test.is_empty() {
            let (fraction, set) = (experiment.data.test_fraction, &experiment.data.set);
            return Err(Error::input(format!(
                "data.test_fraction = {fraction}: no sample of {set} is left to test"
            )));
        }
        let optimisers = [
            experiment.training.optimiser.optimiser(),
            Box::new(experiment.training.bop) as Box<_>,
        ];
        let system = given.system.map_or_else(|| experiment.machine(), Ok)?;
        let rule = given.rule.unwrap_or_else(|| experiment.learning.rule(experiment.seed));
        let trainer = Trainer::with_binary(system, rule, optimisers, parts, experiment.plan())?;
        Ok(Self { experiment, trainer, scaler })
    }

    /// Opens the run in `directory` again, as `experiment` changes it: its parameters on the
    /// machine of `experiment`, its cells and counters too if that is the same chip, whatever it is
    /// read with and when.
    ///
    /// # Errors
    /// When the run has no checkpoint, or it belongs to another machine; when `experiment` splits
    /// the same data in another way, so that samples that were trained would test, or has other targets;
    /// when a file of the data is not what it was.
    pub fn reopen(directory: &RunDirectory, experiment: Experiment) -> Result<Self> {
        let trained = directory.experiment(&[])?;
        check_split(directory, &trained, &experiment)?;
        let (before, now) = (&trained.data, &experiment.data);
        if before.task == Task::Regression && before.label != now.label {
            let (found, expected) = (&now.label, &before.label);
            return Err(Error::input(format!(
                "data.label = {found}: the machine tells {expected}; expected that"
            )));
        }
        let same_hardware = experiment.machine == trained.machine
            && experiment.device.holds() == trained.device.holds()
            && experiment.chip == trained.chip;
        let path = directory.checkpoint();
        let checkpoint = directory.read_checkpoint()?;
        let mut session = Self::new(experiment)?;
        session.trainer.load(&checkpoint, same_hardware, &path)?;
        Ok(session)
    }

    /// Inputs and targets of the first `samples` training samples, rows x samples: fewer if there
    /// are no more.
    pub fn first_batch(&self, samples: usize) -> (DMatrix<T>, DMatrix<T>) {
        let data = self.trainer.data();
        let first: Vec<usize> = (0..samples.min(data.train.len())).collect();
        let (inputs, labels) = data.train.batch(&first);
        let objective = self.experiment.learning.objective();
        (inputs, objective.targets(&labels, &data.outputs))
    }

    /// Evaluates the machine as it is now; `directory` is where the run is.
    ///
    /// # Errors
    /// When the machine does not take the data.
    pub fn summary(&mut self, directory: &RunDirectory) -> Result<Summary> {
        self.trainer.summary(directory.path().display().to_string())
    }
}

/// What came of the run in `directory`: its summary, or, where it was killed before it wrote one, that
/// of its last checkpoint, worked out anew; none where it was killed in its first epoch.
///
/// # Errors
/// When a file is damaged, or the data of a run that was killed cannot be had.
pub fn outcome(directory: &RunDirectory) -> Result<Option<Summary>> {
    let epochs = directory.metrics()?.len();
    if directory.has_summary() {
        let summary = directory.summary()?;
        // A run that went on and was killed left that of its first end.
        if summary.epochs >= epochs {
            return Ok(Some(summary));
        }
    }
    if !directory.checkpoint().exists() {
        return Ok(None);
    }
    let experiment = directory.experiment(&[])?;
    in_precision!(experiment, last(directory, experiment)).map(Some)
}

fn last<T: Real>(directory: &RunDirectory, experiment: Experiment) -> Result<Summary> {
    Session::<T>::reopen(directory, experiment)?.summary(directory)
}
