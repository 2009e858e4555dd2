//! `equilux export` and `equilux verify`: a trained machine leaves the simulator, and is looked at again.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::print;
use crate::export::{ExportOptions, Target, export, files, verify};
use crate::report::format::percent;
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
    /// Clip weights beyond the conductance range, and count them
    #[arg(long)]
    clip: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TargetName {
    /// Target conductances of resistive cells, tile by tile
    Crossbar,
    /// Grey masks of a phase modulator, one a pattern
    Slm,
    /// All parameters in one file for PyTorch and numpy
    Safetensors,
}

/// Check an export: every file, and the machine that is built from them
#[derive(Debug, Args)]
pub struct VerifyCommand {
    /// The directory of an export
    directory: PathBuf,
}

pub(super) fn run(command: &ExportCommand, json: bool) -> Result<()> {
    let target = match command.to {
        TargetName::Crossbar => Target::Crossbar,
        TargetName::Slm => Target::Slm,
        TargetName::Safetensors => Target::Safetensors,
    };
    let options = ExportOptions { target, device: command.device.clone(), clip: command.clip };
    let manifest = export(&command.run, &options, &command.out)?;
    let expected = &manifest.expected;
    if json {
        let files: Vec<String> = files(&command.out, &manifest).iter().map(|file| file.display().to_string()).collect();
        return print(&json!({ "files": files, "expected": expected }).to_string());
    }
    print(&format!(
        "{} files in {}\nthe machine built from them: test accuracy {} ({} of {})",
        manifest.files.len() + 1,
        command.out.display(),
        percent(expected.accuracy),
        expected.correct,
        expected.samples
    ))
}

pub(super) fn run_verify(command: &VerifyCommand, json: bool) -> Result<()> {
    let found = verify(&command.directory)?;
    if json {
        print(&serde_json::to_string(&found).expect("names and finite numbers"))?;
    } else if let (true, Some(accuracy)) = (found.ok, found.test_accuracy) {
        print(&format!(
            "as the manifest says: test accuracy {}, every one of {} predictions the same",
            percent(accuracy),
            found.test_samples
        ))?;
    }
    if found.ok {
        return Ok(());
    }
    Err(Error::input(format!("{}: not as its manifest says:\n  {}", command.directory.display(), found.problems.join("\n  "))))
}
