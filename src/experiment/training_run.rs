//! A training run: a session, and the directory that takes what comes of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::same_split::check_split;
use super::{Experiment, Given, RunDirectory, Session};
use crate::arithmetic::Real;
use crate::training::{EpochMetrics, Summary};
use crate::{Error, Result};

/// Where a run goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is gone with the program.
    Memory,
    /// A new directory; of the usual ones, the first that does not exist.
    New(Option<PathBuf>),
    /// The directory of a run to go on with, the usual one unless it is named.
    Resume(Option<PathBuf>),
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// Within an epoch, after an update.
    Update {
        /// The epoch, from 1.
        epoch: usize,
        /// Samples of the epoch that are done.
        samples: usize,
    },
    /// An epoch is over, its metrics and the checkpoint are written.
    Epoch(&'a EpochMetrics),
}

/// A session with the directory of its run.
///
/// ```
/// use equilux::experiment::{Experiment, Given, Moment, Place, TrainingRun};
///
/// let text = "data.set = 'wine'\nnetwork.layers = [13, 8, 3]\ntraining.epochs = 3\n";
/// let experiment = Experiment::parse(text, "an example", &[])?;
/// let mut run = TrainingRun::<f64>::open(experiment, Given::default(), "example",
/// &Place::Memory)?; let mut epochs = 0;
/// run.train(&mut |moment| epochs += usize::from(matches!(moment, Moment::Epoch(_))))?;
/// assert_eq!(epochs, 3);
/// # Ok::<(), equilux::Error>(())
/// ```
pub struct TrainingRun<T: Real> {
    /// The experiment opened.
    pub session: Session<T>,
    /// Where metrics and checkpoints go, if anywhere.
    pub directory: Option<RunDirectory>,
    name: String,
}

impl<T: Real> TrainingRun<T> {
    /// Opens `experiment`, with what is `given` in place of its own, as the run `name`, whose usual
    /// directory is `runs/NAME`. Data that are given are kept in the directory, so that its
    /// `config.toml` runs as it stands.
    ///
    /// # Errors
    /// When the data cannot be had or do not fit the machine; when the directory holds something
    /// else, or a run to go on with is not there or of another experiment.
    pub fn open(
        experiment: Experiment,
        given: Given<T>,
        name: &str,
        place: &Place,
    ) -> Result<Self> {
        let usual = Path::new("runs").join(name);
        let mut kept = experiment.clone();
        let data = given.data.clone();
        if let (Place::New(_) | Place::Resume(_), Some(data)) = (place, &data) {
            kept.data.label = RunDirectory::label_of(data)?;
        }
        let mut session = Session::open(experiment, given)?;
        session.trainer.set_rates()?;
        let directory = match place {
            Place::Memory => None,
            Place::New(path) => {
                let path = path.clone().unwrap_or_else(|| RunDirectory::unused(&usual));
                Some(RunDirectory::create_with(&path, &mut kept, data.as_ref())?)
            }
            Place::Resume(path) => {
                let directory = RunDirectory::hold(path.as_deref().unwrap_or(&usual))?;
                if let Some(data) = &data {
                    directory.expect_data(&mut kept, data)?;
                }
                directory.expect_same(&kept)?;
                directory.set_epochs(kept.training.epochs)?;
                if directory.checkpoint().exists() {
                    let checkpoint = directory.read_checkpoint()?;
                    session.trainer.resume_from(&checkpoint, &directory.checkpoint())?;
                }
                Some(directory)
            }
        };
        if directory.is_some() {
            session.experiment = kept;
        }
        Ok(Self { session, directory, name: name.to_owned() })
    }

    /// Programs the parameters of the run in `from`, and keeps them as the checkpoint from which this
    /// one may be resumed.
    ///
    /// # Errors
    /// When it has no checkpoint, or one of another machine; when samples that were trained there would test
    /// here; when the checkpoint cannot be written.
    pub fn begin_with(&mut self, from: &RunDirectory) -> Result<()> {
        check_split(from, &from.experiment(&[])?, &self.session.experiment)?;
        let checkpoint = from.read_checkpoint()?;
        self.session.trainer.begin_with(&checkpoint, &from.checkpoint())?;
        match &self.directory {
            Some(directory) => directory.save(&self.session.trainer),
            None => Ok(()),
        }
    }

    /// What a user should know before the first update.
    ///
    /// # Errors
    /// When the machine does not take the data.
    pub fn warnings(&mut self) -> Result<Vec<String>> {
        let trainer = &mut self.session.trainer;
        // A laboratory's frames are dear: it is not asked before it has to be.
        if trainer.system().is_in_a_laboratory() {
            return Ok(trainer.seam().into_iter().collect());
        }
        Ok(trainer.doubts()?.into_iter().chain(trainer.seam()).collect())
    }

    /// Trains until all epochs are done, or the trainer is asked to
    /// [stop](crate::training::Trainer::stop_with). Metrics and checkpoint are written after each
    /// epoch, and the checkpoint where it stops; `watch` hears how far it is.
    ///
    /// # Errors
    /// When no sample settles, training diverges, the machine fails, or a file cannot be written;
    /// [`Error::Stopped`] when it was asked to stop.
    pub fn train(&mut self, watch: &mut dyn FnMut(Moment)) -> Result<()> {
        let Self { session: Session { trainer, .. }, directory, .. } = self;
        wide_awake(|| {
            while !trainer.is_finished() {
                let epoch = trainer.metrics().len() + 1;
                let ended = trainer
                    .epoch(&mut |samples| watch(Moment::Update { epoch, samples }))
                    .map(drop);
                match (ended, &*directory) {
                    (Ok(()), None) => {}
                    (Ok(()), Some(directory)) => {
                        directory.write_metrics(trainer.metrics())?;
                        directory.save(trainer)?;
                    }
                    (Err(error), Some(directory)) if trainer.system().is_in_a_laboratory() => {
                        directory.save(trainer)?;
                        return Err(go_on(error, directory));
                    }
                    (Err(Error::Stopped(when)), Some(directory)) => {
                        directory.save(trainer)?;
                        return Err(Error::Stopped(when));
                    }
                    (Err(error), _) => return Err(error),
                }
                watch(Moment::Epoch(trainer.metrics().last().expect("an epoch is over")));
            }
            Ok(())
        })
    }

    /// Evaluates the machine as it is now, and writes `summary.json`.
    ///
    /// # Errors
    /// When the machine does not take the data, or the file cannot be written.
    pub fn finish(&mut self) -> Result<Summary> {
        match &self.directory {
            None => self.session.trainer.summary(self.name.clone()),
            Some(directory) => {
                let summary = self.session.summary(directory);
                let in_laboratory = self.session.trainer.system().is_in_a_laboratory();
                let summary = summary.map_err(|error| match in_laboratory {
                    true => go_on(error, directory),
                    false => error,
                })?;
                directory.write_summary(&summary)?;
                Ok(summary)
            }
        }
    }
}

/// The `error` that ended a run in a laboratory, with how to go on: what was learnt is in
/// `directory`.
fn go_on(error: Error, directory: &RunDirectory) -> Error {
    let path = directory.path().display();
    let message = format!(
        "{error}\nwhat was learnt is saved in {path}: go on with `equilux train ... --out {path} \
         --resume`"
    );
    match error {
        Error::Input(_) => Error::Input(message),
        Error::Stopped(_) => Error::Stopped(message),
        _ => Error::Machine(message),
    }
}

/// Does `work` while the other threads look out for parts of it without falling asleep: to wake one
/// takes longer than its part of a small batch.
fn wide_awake<R>(work: impl FnOnce() -> R) -> R {
    /// Lets the others rest, in whatever way the work ends.
    struct Rest<'a>(&'a AtomicBool);
    impl Drop for Rest<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let done = AtomicBool::new(false);
    let own = rayon::current_thread_index();
    rayon::in_place_scope(|scope| {
        scope.spawn_broadcast(|_, context| {
            while Some(context.index()) != own && !done.load(Ordering::Acquire) {
                rayon::yield_now();
            }
        });
        let _rest = Rest(&done);
        work()
    })
}
