//! `equilux serve`: a simulated instrument for programs that want a real one.

use std::io::{BufReader, BufWriter, stdin, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::coupler::spim::Tier;
use crate::experiment::{Experiment, RunDirectory};
use crate::wire::{Instrument, listen, serve};
use crate::{Error, Result};

/// Serve the simulated instrument of an experiment, a run or a datasheet
///
/// Programs talk to it as to a real one, over standard input and output or TCP: docs/laboratory.md
/// has the protocol. It serves until it is stopped.
#[derive(Debug, Args)]
pub struct ServeCommand {
    /// An experiment, the directory of a run, or a datasheet's name or path
    what: PathBuf,
    /// Listen at this address, for example 127.0.0.1:5757; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", conflicts_with = "stdio")]
    listen: Option<String>,
    /// Talk on standard input and output [default, without --listen]
    #[arg(long)]
    stdio: bool,
    /// The kind of instrument [default: frames of [device.spim], array of
    /// [device.crossbar], else system]
    #[arg(long, value_enum)]
    kind: Option<KindName>,
    /// How much of the optics is followed
    #[arg(long, value_enum, default_value = "wave")]
    tier: TierName,
    /// Change a key of the experiment, for example device.spim.camera.bits=12; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum KindName {
    /// A modulator and a camera
    Frames,
    /// Cells and converters
    Array,
    /// A machine that relaxes by itself
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum TierName {
    /// Every pixel: takes any mask
    Wave,
    /// Macro-pixels: takes masks that show node values
    Effective,
}

pub(super) fn run(command: &ServeCommand) -> Result<()> {
    let experiment = experiment(&command.what, &command.settings)?;
    let tier = (command.tier == TierName::Effective).then_some(Tier::Effective);
    let usual = match experiment.device.name() {
        "spim" => KindName::Frames,
        "crossbar" => KindName::Array,
        _ => KindName::System,
    };
    let mut instrument: Box<dyn Instrument> = match command.kind.unwrap_or(usual) {
        KindName::Frames => {
            let frames = experiment.frames(tier)?;
            let lost = frames.not_followed();
            if !lost.is_empty() {
                super::tell(&format!("warning: not followed by this tier: {}", lost.join(", ")));
            }
            Box::new(frames)
        }
        KindName::Array => Box::new(experiment.array()?),
        KindName::System => Box::new(experiment.relaxing_system()?),
    };
    match &command.listen {
        Some(address) => listen(instrument.as_mut(), address, &mut |line| super::tell(&line)),
        None => {
            let (from, to) = (stdin().lock(), stdout().lock());
            let (mut from, mut to) = (BufReader::new(from), BufWriter::new(to));
            serve(instrument.as_mut(), &mut from, &mut to)
        }
    }
}

/// The experiment at `path`: its file, its run's directory, or one of a datasheet's device.
fn experiment(path: &Path, settings: &[String]) -> Result<Experiment> {
    if path.is_dir() {
        return RunDirectory::open(path)?.experiment(settings);
    }
    let name = path.display().to_string();
    let is_file = path.extension().is_some_and(|extension| extension == "toml");
    if is_file && !crate::experiment::Sheet::is_one(path)? {
        return Experiment::load(path, settings);
    }
    Experiment::of_sheet(&name, settings).map_err(|error| match (error, is_file) {
        (Error::Input(message), false) => Error::Input(format!(
            "{message}; or the path of an experiment (.toml) or of a run's directory"
        )),
        (error, _) => error,
    })
}
