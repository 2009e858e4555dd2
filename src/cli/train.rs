//! `equilux train`: one training run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::print;
use super::progress::Epochs;
use crate::arithmetic::Real;
use crate::experiment::{
    Experiment, Given, Moment, Place, RunDirectory, TrainingRun, in_precision,
};
use crate::report::scores::{beside, number};
use crate::report::{self, format};
use crate::training::{Score, Summary};
use crate::{Error, Result, wire};

/// Train a machine as an experiment says
///
/// Writes a run directory with the resolved experiment, metrics, a checkpoint after every epoch,
/// plots and a report. A run that was stopped goes on with --resume to the same bits as one that
/// was not. Ctrl-C ends the mini-batch, writes all that and says how to go on; a second one ends at
/// once.
#[derive(Debug, Args)]
pub struct TrainCommand {
    /// The experiment: a TOML file, or the name of one that comes with the program
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
    /// Begin with the parameters of this run, programmed as anew, in place of random ones
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Train on this device: a datasheet's name or path, or `exact`
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Train on the instrument of a laboratory: its address HOST:PORT, or the command that talks to
    /// it on its standard input and output; `none` simulates
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    laboratory: Option<String>,
}

pub(super) fn run(command: &TrainCommand, json: bool) -> Result<()> {
    let mut experiment = Experiment::find(&command.config, &command.settings)?;
    if let Some(device) = &command.device {
        experiment = experiment.on_device(device)?.with_settings(&command.settings)?;
    }
    let experiment = in_laboratory(experiment, command.laboratory.as_deref())?;
    in_precision!(experiment, train(command, &experiment, json))
}

/// `experiment` in the laboratory of the command line, if there is one.
pub(super) fn in_laboratory(experiment: Experiment, place: Option<&str>) -> Result<Experiment> {
    let experiment = match place {
        Some(place) => experiment.in_laboratory(place)?,
        None => experiment,
    };
    experiment.check_laboratory()?;
    if let Some(table) = &experiment.laboratory {
        table.check_place()?;
    }
    Ok(experiment)
}

/// Lets Ctrl-C end the request in flight, not the conversation, where there is a laboratory.
pub(super) fn stop_laboratory(experiment: &Experiment) {
    if experiment.laboratory.is_some() {
        wire::stop_with(super::stop_on_signals());
    }
}

fn train<T: Real>(command: &TrainCommand, experiment: &Experiment, json: bool) -> Result<()> {
    let (name, out) = (run_name(&command.config), command.out.clone());
    let place = if command.resume { Place::Resume(out) } else { Place::New(out) };
    let mut run = TrainingRun::<T>::open(experiment.clone(), Given::default(), &name, &place)?;
    if let Some(from) = &command.from {
        run.begin_with(&RunDirectory::open(from)?)?;
    }
    for warning in run.warnings()? {
        super::tell(&format!("warning: {warning}"));
    }
    let stop = super::stop_on_signals();
    wire::stop_with(stop.clone());
    run.session.trainer.stop_with(stop);
    let in_laboratory = run.session.trainer.system().is_in_a_laboratory();
    let stopped = match run_epochs(&mut run) {
        // Nobody asks it for an evaluation.
        Err(error) if in_laboratory => return Err(error),
        Err(Error::Stopped(when)) => Some(when),
        ended => ended.map(|()| None)?,
    };
    if let Some(when) = &stopped {
        super::tell(&format!("{when}; the checkpoint is written"));
    }
    let summary = run.finish()?;
    report::write_training_run(&run, &summary)?;
    if json {
        print(&serde_json::to_string(&summary).expect("names and finite numbers"))?;
    } else {
        print(&describe(&summary))?;
    }
    let place = summary.run;
    match stopped {
        None => Ok(()),
        Some(when) => Err(Error::Stopped(format!(
            "{when}; the same command with --out {place} --resume goes on"
        ))),
    }
}

/// What the run of the experiment `config` is called: by its file.
fn run_name(config: &Path) -> String {
    config.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Trains until all epochs are done, and shows how far it is.
fn run_epochs<T: Real>(run: &mut TrainingRun<T>) -> Result<()> {
    let trainer = &run.session.trainer;
    let (samples, epochs) = (trainer.data().train.len(), trainer.plan().epochs);
    let (first, last) = (trainer.metrics().len() + 1, trainer.metrics().last());
    let progress = Epochs::new(samples, epochs, first);
    progress.begins(first, last);
    run.train(&mut |moment| match moment {
        Moment::Update { epoch, samples } => progress.advance(epoch, samples),
        Moment::Epoch(row) => progress.ended(row),
    })?;
    progress.finish();
    Ok(())
}

/// What a user reads at the end of a run, or of an evaluation.
pub(super) fn describe(summary: &Summary) -> String {
    let Summary { lab, test_samples, scores, .. } = summary;
    let of = match (scores.test(), scores.targets().len()) {
        (Score::Accuracy(accuracy), _) => {
            let right = (accuracy * *test_samples as f64).round();
            format!("{right} of {test_samples}")
        }
        (Score::Fit(_), 0 | 1) => format!("{test_samples} samples"),
        (Score::Fit(_), targets) => format!("{test_samples} samples, means of {targets} targets"),
    };
    let score = |part: &str, score: Score| {
        let name = format!("{part} {}", score.name());
        format!("{name:<14} {}{}", number(score), beside(score))
    };
    let mut lines = vec![
        format!("machine        {}", summary.machine),
        format!("{} ({of})", score("test", scores.test())),
        score("train", scores.train()),
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
    if lab.joules.is_some() {
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
