//! `equilux train`: one training run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::arithmetic::Real;
use crate::experiment::{Experiment, RunDirectory, Session, in_precision};
use crate::report::{self, format};
use crate::training::{Summary, Trainer};
use crate::{Error, Result, wire};

/// Train a machine as an experiment says
///
/// Writes a run directory with the resolved experiment, metrics, a checkpoint after every epoch,
/// plots and a report. A run that was stopped goes on with --resume to the same bits as one that
/// was not. Ctrl-C ends the mini-batch, writes all that and says how to go on; a second one ends at
/// once.
#[derive(Debug, Args)]
pub struct TrainCommand {
    /// The experiment, a TOML file
    config: PathBuf,
    /// Where the run is written [default: runs/NAME, or runs/NAME-2...]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a key of the experiment, for example training.epochs=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Go on with the run in --out, or in runs/NAME
    #[arg(long)]
    resume: bool,
    /// Train on the instrument of a laboratory: its address HOST:PORT, or the command that talks to
    /// it on its standard input and output; `none` simulates
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    laboratory: Option<String>,
}

pub(super) fn run(command: &TrainCommand, json: bool) -> Result<()> {
    let experiment = Experiment::load(&command.config, &command.settings)?;
    let experiment = in_laboratory(experiment, command.laboratory.as_deref())?;
    in_precision!(experiment, train(command, &experiment, json))
}

/// `experiment` in the laboratory of the command line, if there is one.
pub(super) fn in_laboratory(experiment: Experiment, place: Option<&str>) -> Result<Experiment> {
    let experiment = match place {
        Some("none") => Experiment { laboratory: None, ..experiment },
        Some(place) => experiment.in_laboratory(place)?,
        None => experiment,
    };
    experiment.check_laboratory()?;
    if let Some(table) = &experiment.laboratory {
        table.check_place()?;
    }
    Ok(experiment)
}

fn train<T: Real>(command: &TrainCommand, experiment: &Experiment, json: bool) -> Result<()> {
    let mut session = Session::<T>::new(experiment.clone())?;
    let directory = open_directory(command, experiment)?;
    if command.resume && directory.checkpoint().exists() {
        let checkpoint = directory.read_checkpoint()?;
        session.trainer.resume_from(&checkpoint, &directory.checkpoint())?;
    }
    // A laboratory's frames are dear: it is not asked before it has to be.
    let in_laboratory = session.trainer.system().is_in_a_laboratory();
    let doubts = if in_laboratory { None } else { session.trainer.doubts()? };
    for warning in doubts.into_iter().chain(session.trainer.seam()) {
        super::tell(&format!("warning: {warning}"));
    }
    let stop = super::stop_on_signals();
    wire::stop_with(stop.clone());
    session.trainer.stop_with(stop);
    let stopped = match run_epochs(&mut session.trainer, &directory) {
        Err(error) if in_laboratory => {
            return Err(saved(error, &session.trainer, &directory));
        }
        Err(Error::Stopped(when)) => Some(when),
        ended => ended.map(|()| None)?,
    };
    if let Some(when) = &stopped {
        directory.save(&session.trainer)?;
        super::tell(&format!("{when}; the checkpoint is written"));
    }
    let summary = session.summary(&directory).map_err(|error| match in_laboratory {
        true => saved(error, &session.trainer, &directory),
        false => error,
    })?;
    directory.write_summary(&summary)?;
    let (trainer, experiment) = (&session.trainer, Some(&session.experiment));
    let system = Some(trainer.system());
    report::write_run(directory.path(), &summary, trainer.metrics(), system, experiment)?;
    if json {
        print(&serde_json::to_string(&summary).expect("names and finite numbers"))?;
    } else {
        print(&describe(&summary))?;
    }
    let place = directory.path().display();
    match stopped {
        None => Ok(()),
        Some(when) => Err(Error::Stopped(format!(
            "{when}; the same command with --out {place} --resume goes on"
        ))),
    }
}

/// The `error` that ended a run in a laboratory, with how to go on: what was learnt is saved.
fn saved<T: Real>(error: Error, trainer: &Trainer<T>, directory: &RunDirectory) -> Error {
    // After the last epoch the checkpoint is written, and what failed is an evaluation.
    let unsaved = if trainer.is_finished() { None } else { directory.save(trainer).err() };
    if let Some(unsaved) = unsaved {
        return Error::Machine(format!("{error}; the run could not be saved: {unsaved}"));
    }
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

/// The directory of a new run, or of the one to go on with.
fn open_directory(command: &TrainCommand, experiment: &Experiment) -> Result<RunDirectory> {
    let name = command.config.file_stem().unwrap_or_default();
    let usual = Path::new("runs").join(name);
    if !command.resume {
        let path = command.out.clone().unwrap_or_else(|| RunDirectory::unused(&usual));
        return RunDirectory::create(&path, experiment);
    }
    let directory = RunDirectory::hold(command.out.as_deref().unwrap_or(&usual))?;
    directory.expect_same(experiment)?;
    directory.set_epochs(experiment.training.epochs)?;
    Ok(directory)
}

/// Trains until all epochs are done; metrics and checkpoint are written after each.
fn run_epochs<T: Real>(trainer: &mut Trainer<T>, directory: &RunDirectory) -> Result<()> {
    let (samples, epochs) = (trainer.data().train.len(), trainer.plan().epochs);
    // The bar is silent where standard error is no terminal.
    let bar = ProgressBar::new((samples * epochs) as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}  {eta} left") {
        bar.set_style(style);
    }
    wide_awake(|| -> Result<()> {
        while !trainer.is_finished() {
            let done = trainer.metrics().len();
            let last = trainer.metrics().last().map_or(String::new(), |row| {
                format!("  test {}", format::percent(row.test_accuracy))
            });
            bar.set_message(format!("epoch {}/{epochs}{last}", done + 1));
            trainer.epoch(&mut |within| bar.set_position((done * samples + within) as u64))?;
            directory.write_metrics(trainer.metrics())?;
            directory.save(trainer)?;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
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

/// What a user reads at the end of a run, or of an evaluation.
pub(super) fn describe(summary: &Summary) -> String {
    let Summary { lab, test_samples, .. } = summary;
    let right = (summary.test_accuracy * *test_samples as f64).round();
    let mut lines = vec![
        format!("machine        {}", summary.machine),
        format!(
            "test accuracy  {} ({right} of {test_samples})",
            format::percent(summary.test_accuracy)
        ),
        format!("train accuracy {}", format::percent(summary.train_accuracy)),
    ];
    lines.extend(summary.warnings().iter().map(|warning| format!("warning        {warning}")));
    if lab.seconds > 0.0 {
        let mut spent = format!("laboratory     training {}", format::duration(lab.seconds));
        if lab.frames > 0 {
            spent += &format!(", {} frames", format::count(lab.frames as f64));
        }
        if lab.conversions > 0 {
            spent += &format!(", {} conversions", format::count(lab.conversions as f64));
        }
        if lab.pulses > 0 {
            spent += &format!(", {} write pulses", format::count(lab.pulses as f64));
        }
        spent += &format!("; one inference {}", format::duration(lab.seconds_per_inference));
        if lab.frames > 0 {
            spent += &format!(", {} frames", format::count(lab.frames_per_inference.round()));
        }
        lines.push(spent);
    }
    if lab.joules > 0.0 {
        lines.push(format!(
            "energy         training {}; one inference {}",
            format::energy(&lab.energy),
            format::energy(&lab.energy_per_inference)
        ));
    }
    if lab.wire_staleness > 0.0 {
        lines.push(format!(
            "wires          effective matrices off by {:.2e} before they were worked out anew",
            lab.wire_staleness
        ));
    }
    if summary.samples_per_second > 0.0 {
        lines.push(format!(
            "speed          {} samples a second",
            format::count(summary.samples_per_second.round())
        ));
    }
    lines.push(format!("run            {}", summary.run));
    lines.join("\n")
}
