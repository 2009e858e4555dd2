//! The training loop.

use std::path::Path;
use std::time::{Duration, Instant};

use nalgebra::DMatrix;
use rand::seq::SliceRandom;

use super::answers::Answers;
use super::checkpoint::{Begun, Checkpoint, Progress};
use super::metrics::fraction;
use super::optimiser::{Bop, Descent, Optimiser, Rates};
use super::{EpochMetrics, Evaluation, LabSummary, Objective, Schedule, Summary};
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Expense, Parameter, Saturation};
use crate::data::{Examples, Parts};
use crate::learning::{Batch, Estimate, Rule};
use crate::state::State;
use crate::stop::Stop;
use crate::system::{Phase, System};
use crate::{Error, Result};

/// Mini-batches without a single sample that settles, from the first of an epoch on, after which
/// training gives up.
const HOPELESS_BATCHES: usize = 4;

/// How long to train, in what parts, and for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Passes over the training part.
    pub epochs: usize,
    /// Samples of a mini-batch.
    pub batch: usize,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What outputs should be.
    pub objective: Objective,
    /// Factors on the learning rates of parameters.
    pub rates: Rates,
    /// Names the random streams that shuffle samples.
    pub seed: u64,
}

/// Samples of an update that had not settled: those that took no part, and those that did.
struct NotSettled {
    unsettled: usize,
    left: usize,
    truncated: usize,
}

/// A machine in training.
pub struct Trainer<T: Real> {
    system: Box<dyn System<T>>,
    rule: Box<dyn Rule<T>>,
    descent: Descent<T>,
    data: Parts<T>,
    plan: Plan,
    names: Vec<String>,
    values: Vec<DMatrix<T>>,
    updates: u64,
    spent: Expense,
    metrics: Vec<EpochMetrics>,
    begun: Option<Begun>,
    /// The state of a machine in a laboratory after its last whole update.
    kept: Option<State<T>>,
    stop: Stop,
    training_time: Duration,
    trained_samples: usize,
}

impl<T: Real> Trainer<T> {
    /// Sets `system` before the `data`; `optimiser` trains its real parameters, and [`Bop`] with
    /// its usual numbers binary ones.
    ///
    /// # Errors
    /// When the data do not fit the machine's inputs and outputs, labels are not what outputs stand
    /// for, or there is nothing to test.
    pub fn new(
        system: Box<dyn System<T>>,
        rule: Box<dyn Rule<T>>,
        optimiser: Box<dyn Optimiser<T>>,
        data: Parts<T>,
        plan: Plan,
    ) -> Result<Self> {
        Self::with_binary(system, rule, [optimiser, Box::new(Bop::default())], data, plan)
    }

    /// [`new`](Self::new) with two optimisers: of real parameters, and of binary ones.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_binary(
        system: Box<dyn System<T>>,
        rule: Box<dyn Rule<T>>,
        [real, binary]: [Box<dyn Optimiser<T>>; 2],
        data: Parts<T>,
        plan: Plan,
    ) -> Result<Self> {
        let expect = |what: &str, machine: usize, name: &str, found: usize| {
            let set = &data.name;
            let message = format!(
                "the machine has {machine} {what}, the data set {set} has {found} {name}: \
                 expected as many of both"
            );
            if machine == found { Ok(()) } else { Err(Error::input(message)) }
        };
        expect("inputs", system.inputs(), "features", data.inputs)?;
        let kind = data.outputs.task().outputs();
        expect("outputs", system.outputs().len(), kind, data.outputs.len())?;
        let parts = [Some(&data.train), data.validation.as_ref(), Some(&data.test)];
        for part in parts.into_iter().flatten() {
            let wrong = |message| Error::input(format!("{}: {message}", data.name));
            data.outputs.check(&part.labels).map_err(wrong)?;
        }
        if data.test.is_empty() {
            let set = &data.name;
            return Err(Error::input(format!("no sample of {set} is left to test")));
        }
        if data.test_samples.len() != data.test.len() {
            let (set, found, tests) = (&data.name, data.test_samples.len(), data.test.len());
            return Err(Error::input(format!(
                "{set}: {found} places of test samples: expected {tests}, one of each"
            )));
        }
        let parameters = system.parameters();
        Ok(Self {
            descent: Descent::new(real, binary, &parameters),
            system,
            rule,
            data,
            plan,
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            values: values(parameters),
            updates: 0,
            spent: Expense::default(),
            metrics: Vec::new(),
            begun: None,
            kept: None,
            stop: Stop::default(),
            training_time: Duration::ZERO,
            trained_samples: 0,
        })
    }

    /// Stops training between two mini-batches when `stop` asks for it.
    pub fn stop_with(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// Sets the plan's rates, as every epoch does before it begins: a trainer that only evaluates may
    /// have other parameters than they are of.
    ///
    /// # Errors
    /// When no real parameter that is trained has one of their names.
    pub fn set_rates(&mut self) -> Result<()> {
        self.descent.set_rates(&self.plan.rates)
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

    /// Programs the machine with parameters from elsewhere.
    ///
    /// # Errors
    /// When the machine cannot take them.
    pub fn program(&mut self, mut values: Vec<DMatrix<T>>) -> Result<()> {
        self.system.program(&mut values)?;
        self.values = values;
        Ok(())
    }

    /// The machine.
    pub fn system(&self) -> &dyn System<T> {
        self.system.as_ref()
    }

    /// The machine, to be used outside of training.
    pub fn system_mut(&mut self) -> &mut dyn System<T> {
        self.system.as_mut()
    }

    /// The data.
    pub fn data(&self) -> &Parts<T> {
        &self.data
    }

    /// How long, in what parts and for what it trains.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Training samples a second of computing, evaluation aside, since this trainer was made.
    pub fn samples_per_second(&self) -> f64 {
        per_second(self.trained_samples, self.training_time)
    }

    /// Puts other samples in the place of the test part; their labels are of the data's classes, or
    /// values of its targets.
    ///
    /// # Errors
    /// When there are none, or they do not fit the machine or what its outputs stand for.
    pub fn test_with(&mut self, examples: Examples<T>) -> Result<()> {
        let inputs = self.data.inputs;
        if examples.is_empty() || examples.inputs.shape() != (inputs, examples.len()) {
            let (rows, columns) = examples.inputs.shape();
            return Err(Error::input(format!(
                "{} labels of {columns} samples of {rows} inputs: expected at least one sample of {inputs}",
                examples.len()
            )));
        }
        self.data.outputs.check(&examples.labels).map_err(Error::input)?;
        self.data.test = examples;
        Ok(())
    }

    /// How well the machine does on its test part.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn evaluate_test(&mut self) -> Result<Evaluation> {
        let Self { system, data, plan, .. } = self;
        plan.objective.evaluate(system.as_mut(), &data.test, &data.outputs)
    }

    /// How the learning rate jumps where a run that was planned for another number of epochs goes
    /// on with this plan, if it does.
    pub fn seam(&self) -> Option<String> {
        let done = self.metrics.len();
        let before = self.metrics.last()?.rate_factor;
        let planned = self.plan.schedule.factor(done - 1, self.plan.epochs);
        (!self.is_finished() && planned != before).then(|| {
            let next = self.plan.schedule.factor(done, self.plan.epochs);
            format!(
                "the learning rate's factor goes from {before:.3} in epoch {done} to {next:.3} in \
                 epoch {}: training.schedule depends on training.epochs, so this is not a run of \
                 {} epochs from the start",
                done + 1,
                self.plan.epochs
            )
        })
    }

    /// What a user should know before the first update: that the nudge of its rule is lost in what
    /// the machine resolves. Takes a free phase of the first mini-batch, and puts the machine back.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn doubts(&mut self) -> Result<Option<String>> {
        let (nudge, resolution) = (self.rule.nudge(), self.system.resolution());
        let (Some(beta), Some(resolution)) = (nudge, resolution) else { return Ok(None) };
        let first: Vec<usize> = (0..self.plan.batch.min(self.data.train.len())).collect();
        let (inputs, labels) = self.data.train.batch(&first);
        let before = self.system.state();
        let measured = self.system.settle(&inputs, &Phase::Free)?;
        self.system.restore(&before)?;
        let (objective, outputs) = (self.plan.objective, self.system.outputs());
        let targets = objective.targets::<T>(&labels, &self.data.outputs);
        let mut forces = Vec::with_capacity(first.len());
        for (values, targets) in measured.values.column_iter().zip(targets.column_iter()) {
            let (mut largest, shown) = (0.0f64, values.rows_range(outputs.clone()).into_owned());
            objective.cost.for_each_slope(shown.as_slice(), targets.as_slice(), |_, slope| {
                largest = largest.max((beta * slope.f64()).abs());
            });
            forces.push(largest);
        }
        forces.sort_by(f64::total_cmp);
        let typical = forces[forces.len() / 2];
        Ok(resolution.loses(typical, first.len()).map(|lost| {
            format!(
                "the nudge is a force of {typical:.2e} on a typical output (learning.beta = {beta}): {lost}"
            )
        }))
    }

    /// Trains all epochs that are left.
    ///
    /// # Errors
    /// Those of [`epoch`](Self::epoch).
    pub fn train(&mut self) -> Result<()> {
        while !self.is_finished() {
            self.epoch(&mut |_| ())?;
        }
        Ok(())
    }

    /// Evaluates the machine as it is now; `run` is what the run is called.
    ///
    /// # Errors
    /// When the machine does not take the examples.
    pub fn summary(&mut self, run: String) -> Result<Summary> {
        let spent = match &self.begun {
            Some(begun) => self.spent.plus(&self.system.expense(), &begun.before),
            None => self.spent,
        };
        let (objective, system) = (self.plan.objective, self.system.as_mut());
        let meaning = &self.data.outputs;
        let start = Instant::now();
        let unread = system.saturation();
        let train = objective.evaluate(system, &self.data.train, meaning)?;
        let before = system.expense();
        let mut told = Answers::new(meaning, self.data.test.len());
        let test =
            objective.observe(system, &self.data.test, meaning, |_, labels| told.take(labels))?;
        let elapsed = start.elapsed();
        let inference = Expense::default().plus(&system.expense(), &before);
        let trained = self.trained_samples > 0;
        let validation = match &self.data.validation {
            Some(_) if trained => self.metrics.last().and_then(|row| row.validation),
            Some(examples) => Some(objective.evaluate(system, examples, meaning)?.score()),
            None => None,
        };
        let (scores, predicted) = told.scores(&self.data, [&test, &train], validation);
        let lab = LabSummary::new(&spent, &inference, test.samples);
        Ok(Summary {
            run,
            rule: self.rule.name().into(),
            machine: system.describe(),
            data: self.data.name.clone(),
            epochs: self.metrics.len(),
            scores,
            test_samples: test.samples,
            predicted,
            test_unsettled: test.unsettled,
            train_unsettled: fraction(&self.metrics, train.samples, |row| row.unsettled),
            test_truncated: test.truncated,
            train_truncated: fraction(&self.metrics, train.samples, |row| row.truncated),
            inference_steps: test.mean_steps(),
            train_left: self.metrics.iter().map(|row| row.left).sum(),
            samples_per_second: match trained {
                true => per_second(self.trained_samples, self.training_time),
                false => per_second(train.samples + test.samples, elapsed),
            },
            lab: LabSummary { wire_staleness: system.staleness(), ..lab },
            saturation: Saturation::between(&unread, &system.saturation()),
        })
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.metrics.len() >= self.plan.epochs
    }

    /// Trains one epoch, or the rest of one that was stopped, and evaluates it; `progress` hears
    /// how many samples of the epoch are done.
    ///
    /// # Errors
    /// When no sample of the first mini-batches settles, training diverges, or the machine fails;
    /// [`Error::Stopped`] when it was asked to stop before the last mini-batch. This then goes on
    /// from there, as does what resumes from the [`checkpoint`](Self::checkpoint).
    pub fn epoch(&mut self, progress: &mut dyn FnMut(usize)) -> Result<&EpochMetrics> {
        self.set_rates()?;
        let epoch = self.metrics.len();
        let rate_factor = self.plan.schedule.factor(epoch, self.plan.epochs);
        let mut order: Vec<usize> = (0..self.data.train.len()).collect();
        order.shuffle(&mut Key::new(self.plan.seed, "shuffle").with(epoch as u64).stream());
        let fresh = || Begun { before: self.system.expense(), ..Begun::default() };
        let begun = self.begun.take().unwrap_or_else(fresh);
        let Begun { mut seen, mut unsettled, mut left, mut truncated, before } = begun;
        let (start, first) = (Instant::now(), seen.samples);
        self.keep();
        let rest = order.get(first..).ok_or_else(|| {
            let (set, all) = (&self.data.name, order.len());
            Error::input(format!("{first} samples of an epoch are done, {set} has {all} to train"))
        })?;
        let done = first.div_ceil(self.plan.batch);
        let batches = rest.chunks(self.plan.batch);
        let last = done + batches.len();
        for (batch, indices) in (done + 1..).zip(batches) {
            if self.stop.asked() {
                self.training_time += start.elapsed();
                self.trained_samples += seen.samples - first;
                let message = format!(
                    "stopped in epoch {} of {}, after {} of its {} samples",
                    epoch + 1,
                    self.plan.epochs,
                    seen.samples,
                    order.len()
                );
                self.begun = Some(Begun { seen, unsettled, left, truncated, before });
                return Err(Error::Stopped(message));
            }
            let of_batch = match self.update(indices, rate_factor, &mut seen) {
                Ok(of_batch) => of_batch,
                Err(error) => {
                    self.training_time += start.elapsed();
                    self.trained_samples += seen.samples - first;
                    // Of a laboratory that is lost nothing is but this mini-batch.
                    let begun = Begun { seen, unsettled, left, truncated, before };
                    self.begun = self.kept.is_some().then_some(begun);
                    return Err(error);
                }
            };
            self.keep();
            unsettled += of_batch.unsettled;
            left += of_batch.left;
            truncated += of_batch.truncated;
            progress(seen.samples);
            if unsettled == seen.samples && (batch == HOPELESS_BATCHES || batch == last) {
                return Err(Error::Machine(format!(
                    "epoch {}: none of the first {} samples settled in every phase {}",
                    epoch + 1,
                    seen.samples,
                    self.system.patience()
                )));
            }
        }
        self.training_time += start.elapsed();
        self.trained_samples += seen.samples - first;
        // Until the epoch has been evaluated it is not over.
        let begun = || Begun { seen: seen.clone(), unsettled, left, truncated, before };
        self.begun = self.kept.is_some().then(begun);
        let spent = self.spent.plus(&self.system.expense(), &before);
        let (objective, system) = (self.plan.objective, self.system.as_mut());
        let meaning = &self.data.outputs;
        let validation = match &self.data.validation {
            Some(examples) => Some(objective.evaluate(system, examples, meaning)?.score()),
            None => None,
        };
        let test = objective.evaluate(system, &self.data.test, meaning)?;
        self.metrics.push(EpochMetrics {
            epoch: epoch + 1,
            rate_factor,
            train_cost: seen.mean_cost(),
            train: seen.score(),
            validation,
            test: test.score(),
            unsettled,
            left,
            truncated,
            test_unsettled: test.unsettled,
            test_truncated: test.truncated,
            inference_steps: test.mean_steps(),
            frames: spent.frames,
            conversions: spent.conversions,
            lab_seconds: spent.seconds,
            non_reciprocity: self.system.non_reciprocity(),
        });
        self.spent = spent;
        (self.begun, self.kept) = (None, None);
        Ok(&self.metrics[epoch])
    }

    /// Keeps the state of a machine in a laboratory, which may be lost in the midst of what
    /// follows.
    fn keep(&mut self) {
        self.kept = self.system.is_in_a_laboratory().then(|| self.system.state());
    }

    /// One update from the samples `indices`; returns how many had not settled.
    fn update(
        &mut self,
        indices: &[usize],
        rate_factor: f64,
        seen: &mut Evaluation,
    ) -> Result<NotSettled> {
        let (inputs, labels) = self.data.train.batch(indices);
        let (objective, outputs) = (self.plan.objective, self.system.outputs());
        let meaning = &self.data.outputs;
        let (targets, cost) = (objective.targets(&labels, meaning), objective.cost);
        let batch = Batch { inputs: &inputs, targets: &targets, cost, update: self.updates };
        let estimate = self.rule.estimate(self.system.as_mut(), &batch)?;
        objective.count(seen, &outputs, &estimate.free, &labels, meaning);
        self.updates += 1;
        let Estimate { unsettled, left, truncated, .. } = estimate;
        if unsettled < indices.len() {
            self.descent.step(&mut self.values, &estimate.gradient, rate_factor)?;
            self.system.program(&mut self.values)?;
        }
        Ok(NotSettled { unsettled, left, truncated })
    }

    /// Writes a checkpoint, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.checkpoint(String::new()).write(path)
    }

    /// What a run needs to go on; `origin` says what is trained.
    pub fn checkpoint(&self, origin: String) -> Checkpoint<T> {
        let parameters = self.names.iter().cloned().zip(self.values.iter().cloned());
        Checkpoint {
            parameters: parameters.collect(),
            machine: self.kept.clone().unwrap_or_else(|| self.system.state()),
            optimiser: self.descent.state(),
            progress: Progress {
                precision: T::NAME.into(),
                updates: self.updates,
                spent: self.spent,
                metrics: self.metrics.clone(),
                begun: self.begun.clone(),
            },
            origin,
        }
    }

    /// Goes on from a checkpoint as if the run had never stopped.
    ///
    /// # Errors
    /// When the checkpoint is damaged or belongs to another machine, rule or optimiser.
    pub fn resume(&mut self, path: &Path) -> Result<()> {
        self.resume_from(&Checkpoint::<T>::read(path)?, path)
    }

    /// [`resume`](Self::resume) of a checkpoint that was read from `path`.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_from(&mut self, checkpoint: &Checkpoint<T>, path: &Path) -> Result<()> {
        let (found, expected) = (&checkpoint.progress.precision, T::NAME);
        if found != expected {
            let path = path.display();
            let message = format!("{path}: a checkpoint in {found}, expected precision {expected}");
            return Err(Error::input(message));
        }
        self.load(checkpoint, true, path)?;
        let foreign = |e: Error| Error::input(format!("{}: optimiser {e}", path.display()));
        self.descent.restore(&checkpoint.optimiser).map_err(foreign)
    }

    /// Programs the machine with the parameters of a `checkpoint`, as the start of a training of its
    /// own.
    ///
    /// # Errors
    /// When the checkpoint belongs to another machine; `path` names the file.
    pub fn begin_with(&mut self, checkpoint: &Checkpoint<T>, path: &Path) -> Result<()> {
        checkpoint.program(self.system.as_mut(), false, path)?;
        self.values = values(self.system.parameters());
        Ok(())
    }

    /// Programs the machine with the parameters of a `checkpoint`, and takes over its metrics;
    /// with `same_hardware` also what its devices really hold, and its counters.
    ///
    /// # Errors
    /// When the checkpoint belongs to another machine; `path` names the file.
    pub fn load(
        &mut self,
        checkpoint: &Checkpoint<T>,
        same_hardware: bool,
        path: &Path,
    ) -> Result<()> {
        checkpoint.program(self.system.as_mut(), same_hardware, path)?;
        self.values = values(self.system.parameters());
        self.updates = checkpoint.progress.updates;
        self.spent = checkpoint.progress.spent;
        self.metrics = checkpoint.progress.metrics.clone();
        // Its counters are those of this hardware.
        self.begun = checkpoint.progress.begun.clone().filter(|_| same_hardware);
        Ok(())
    }
}

fn values<T: Real>(parameters: Vec<Parameter<T>>) -> Vec<DMatrix<T>> {
    parameters.into_iter().map(|parameter| parameter.values).collect()
}

fn per_second(samples: usize, time: Duration) -> f64 {
    samples as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE)
}
