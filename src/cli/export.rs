//! `equilux export`, `verify` and `import`: a trained machine leaves the simulator, is looked at
//! again, and comes back.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::print;
use crate::experiment::Experiment;
use crate::export::{
    Expected, ExpectedClasses, ExpectedValues, ExportOptions, MaskOptions, Placed, Placing, Target,
    export, files, import, import_weights, verify,
};
use crate::report::format::percent;
use crate::report::scores::{full, number};
use crate::{Error, Result};

/// Write a trained machine for a device: masks, conductances or tensors, with a manifest
#[derive(Debug, Args)]
pub struct ExportCommand {
    /// The directory of a run
    run: PathBuf,
    /// What it is for
    #[arg(long, value_enum)]
    to: TargetName,
    /// The new directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Put the parameters on this device first: a datasheet's name or path
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Crossbars: clip weights beyond the conductance range, and count them
    #[arg(long)]
    clip: bool,
    /// Masks: bits of the levels, where the modulator's are not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16))]
    bits: Option<u32>,
    /// Masks: what a higher level does to the phase
    #[arg(long, value_enum, default_value = "plus")]
    sign: Sign,
    /// Masks: add these phases, a matrix of radians (.npy, .csv) or a grey PNG of levels, as makers
    /// of modulators hand out
    #[arg(long, value_name = "FILE")]
    correction: Option<PathBuf>,
    /// Masks: add a grating to the nodes, cycles a pixel down and across
    #[arg(long, value_name = "DOWN,ACROSS", value_parser = parse_carrier, allow_hyphen_values = true)]
    carrier: Option<(f64, f64)>,
    /// Masks: write the phases of all pixels beside each mask, float32 radians
    #[arg(long)]
    phases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Sign {
    /// Advances it
    Plus,
    /// Retards it
    Minus,
}

fn parse_carrier(text: &str) -> Result<(f64, f64), String> {
    let number =
        |text: &str| text.trim().parse::<f64>().ok().filter(|frequency| frequency.abs() <= 0.5);
    let both =
        text.split_once(',').and_then(|(down, across)| Some((number(down)?, number(across)?)));
    both.ok_or_else(|| "expected two numbers from -0.5 to 0.5, as in 0.125,0".into())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TargetName {
    /// Target conductances of resistive cells, tile by tile
    Crossbar,
    /// Grey masks of a phase modulator, one a pattern
    Slm,
    /// All parameters in one file for PyTorch
    Safetensors,
    /// All parameters in one archive for numpy
    Npz,
    /// Conductances that aihwkit imports, with the weights and their signs
    Aihwkit,
    /// Target conductances, and a SPICE netlist of every tile's cells and wires
    Spice,
}

/// Check an export: every file, and the machine that is built from them
#[derive(Debug, Args)]
pub struct VerifyCommand {
    /// The directory of an export
    directory: PathBuf,
}

/// Make a run of an export, or of weights from elsewhere, to evaluate it or to go on training with
/// `equilux train RUN/config.toml --out RUN --resume`
///
/// Weights need the experiment whose machine takes them. A tensor that is called as a parameter is
/// that parameter; the others are taken in the order of their names (numbers in these by size): matrices,
/// outputs x inputs as PyTorch has them, for the arrays, vectors for the biases of the layers.
#[derive(Debug, Args)]
pub struct ImportCommand {
    /// The directory of an export, or weights: .safetensors, .npz, .npy
    #[arg(value_name = "DIR|WEIGHTS")]
    source: PathBuf,
    /// The new directory of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Weights: the experiment whose machine takes them, a TOML file or the name of a shipped one
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Weights: which parameter a tensor is (`bias.2` is the bias of layer 2; `-` leaves the tensor out);
    /// may be repeated
    #[arg(long, value_name = "TENSOR=PARAMETER", value_parser = parse_map)]
    map: Vec<(String, String)>,
    /// Weights: matrices are inputs x outputs
    #[arg(long)]
    transpose: bool,
    /// Weights: arrays of cells have the range of their own weights, so that nothing is clipped
    /// (device.crossbar.cells.weight_max_of)
    #[arg(long)]
    fit_range: bool,
    /// Weights: change a key of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

fn parse_map(text: &str) -> Result<(String, String), String> {
    let pair = text.rsplit_once('=').filter(|(a, b)| !a.is_empty() && !b.is_empty());
    let pair = pair.map(|(tensor, parameter)| (tensor.to_owned(), parameter.to_owned()));
    pair.ok_or_else(|| "expected TENSOR=PARAMETER".into())
}

pub(super) fn run_import(command: &ImportCommand, json: bool) -> Result<()> {
    let (source, out) = (&command.source, command.out.display());
    let weights = !source.is_dir();
    if !weights
        && (command.config.is_some()
            || !command.map.is_empty()
            || command.transpose
            || command.fit_range
            || !command.settings.is_empty())
    {
        return Err(Error::input(format!(
            "{}: an export brings its own experiment: expected no --config, --map, --transpose, --fit-range and --set",
            source.display()
        )));
    }
    let mut lines = Vec::new();
    let mut placed = Vec::new();
    if weights {
        let config = command.config.as_ref().ok_or_else(|| {
            Error::input(format!(
                "{}: no directory of an export; expected one, or weights and --config CONFIG",
                source.display()
            ))
        })?;
        let experiment = Experiment::find(config, &command.settings)?;
        let placing = Placing {
            map: command.map.clone(),
            transpose: command.transpose,
            fit_range: command.fit_range,
        };
        placed = import_weights(source, &experiment, &placing, &command.out)?;
        lines.extend(placed.iter().map(|placed| {
            let Placed { tensor, parameter, shape: (rows, columns), largest, changed, off, .. } = placed;
            let held = match changed {
                0 => "held as they are".to_owned(),
                _ => format!(
                    "{changed} of {} held otherwise (clipped or rounded), off by {} of the root mean square",
                    rows * columns,
                    percent(*off)
                ),
            };
            format!("{tensor} is {parameter}, {rows} x {columns}, magnitudes up to {largest:.4}: {held}")
        }));
    } else {
        import(source, &command.out)?;
    }
    if json {
        return print(&json!({ "run": out.to_string(), "placed": placed }).to_string());
    }
    lines.push(format!(
        "{out} holds the machine before its first epoch; to train it:\nequilux train {out}/config.toml --out {out} --resume"
    ));
    print(&lines.join("\n"))
}

pub(super) fn run(command: &ExportCommand, json: bool) -> Result<()> {
    let target = match command.to {
        TargetName::Crossbar => Target::Crossbar,
        TargetName::Spice => Target::Spice,
        TargetName::Slm => Target::Slm,
        TargetName::Safetensors => Target::Safetensors,
        TargetName::Npz => Target::Npz,
        TargetName::Aihwkit => Target::Aihwkit,
    };
    let masks = MaskOptions {
        bits: command.bits,
        falling: command.sign == Sign::Minus,
        correction: command.correction.clone(),
        carrier: command.carrier.unwrap_or_default(),
        phases: command.phases,
    };
    let options = ExportOptions {
        target,
        device: command.device.clone(),
        clip: command.clip,
        masks,
        contact_sheet: Some(crate::report::contact_sheet),
    };
    let manifest = export(&command.run, &options, &command.out)?;
    let expected = &manifest.expected;
    if json {
        let files: Vec<String> =
            files(&command.out, &manifest).iter().map(|file| file.display().to_string()).collect();
        return print(&json!({ "files": files, "expected": expected }).to_string());
    }
    let does = match expected {
        Expected::Classes(ExpectedClasses { samples, correct, accuracy, as_trained, .. }) => {
            format!(
                "test accuracy {} ({correct} of {samples}); the trained one, programmed as anew, gives the same class for {as_trained} of {samples}",
                percent(*accuracy)
            )
        }
        Expected::Values(ExpectedValues { samples, r2_as_trained, .. }) => format!(
            "test {} ({samples} samples); the trained one, programmed as anew, has R2 {r2_as_trained:.4}",
            full(expected.score())
        ),
    };
    print(&format!(
        "{} files in {}\nthe machine built from them, with errors of programming and noise of its own: {does}",
        manifest.files.len() + 1,
        command.out.display()
    ))
}

pub(super) fn run_verify(command: &VerifyCommand, json: bool) -> Result<()> {
    let found = verify(&command.directory)?;
    if json {
        print(&serde_json::to_string(&found).expect("names and finite numbers"))?;
    } else if let (true, Some(score)) = (found.ok, found.found.score()) {
        print(&format!(
            "as the manifest says: test {} {}, every one of {} predictions the same",
            score.name(),
            number(score),
            found.test_samples
        ))?;
    }
    if found.ok {
        return Ok(());
    }
    Err(Error::input(format!(
        "{}: not as its manifest says:\n  {}",
        command.directory.display(),
        found.problems.join("\n  ")
    )))
}
