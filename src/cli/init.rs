//! What one begins with: `equilux init`, completions and the manual page.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::print;
use crate::data::{Columns, DataConfig, Dataset, Missing, Size, Task};
use crate::experiment::{Experiment, Sheet, from_there};
use crate::file::write_text;
use crate::{Error, Result};

/// A commented experiment.
const TEMPLATE: &str = include_str!("template.toml");

/// What follows it for arrays of a datasheet.
const ON_CROSSBARS: &str = "
[device.crossbar]
sheet = \"SHEET\"
drive.range = 3.0               # node values that the full drive stands for: standardised inputs

[relaxation]
step = 1.0
tolerance = 1e-3                # read noise and converters hide a smaller residual
max_steps = 12
";

/// What follows it for a modulator of a datasheet.
const ON_A_MODULATOR: &str = "
[device.spim]
sheet = \"SHEET\"
patterns.count = 32             # one mask each; nodes and inputs share them
# readout = \"homodyne\"          # fewer frames a force: `equilux devices --keys spim` has them all

[relaxation]
step = 0.3
tolerance = 1e-3                # the camera's noise hides a smaller residual
max_steps = 200

[measurement]
samples = 4                     # readings that are averaged at rest

[training.bop]                  # binary patterns are flipped, not moved
gamma = 0.01
threshold = 0.005
";

/// A study of the experiment beside it.
const STUDY: &str =
    "# A study of equilux: `equilux sweep FILE` does its runs, `equilux report` draws them.
title = \"How strong a nudge?\"
base = \"BASE\"
seeds = 5                       # each another split of the data, another start, other noise

# Lines of [set] change keys of the experiment in all runs.
[set]
training.epochs = 10

[[axis]]
key = \"learning.beta\"
label = \"Nudge\"
values = [0.05, 0.1, 0.2, 0.5]
";

/// Hidden nodes to begin with.
const HIDDEN: usize = 8;

/// Write a commented experiment to begin with
#[derive(Debug, Args)]
pub struct InitCommand {
    /// What it is called: NAME.toml is written
    #[arg(default_value = "experiment")]
    name: PathBuf,
    /// The data set it learns: the path of a table, of arrays or of a directory of images, or a name
    #[arg(long, value_name = "SET", default_value = "wine")]
    data: String,
    /// The label column of a table; may be repeated where targets are learnt
    #[arg(long, value_name = "COLUMN", default_value = "class")]
    label: Vec<String>,
    /// A column of a table that is neither a feature nor a label; may be repeated
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Fill missing values with the mean of their feature
    #[arg(long)]
    fill_missing: bool,
    /// Numbers are learnt in place of classes: the labels are targets of a regression
    #[arg(long)]
    regression: bool,
    /// A datasheet of the hardware: one of `equilux devices`, or the path of your own
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Write NAME-study.toml too, a study of the experiment
    #[arg(long)]
    study: bool,
}

pub(super) fn run(command: &InitCommand, json: bool) -> Result<()> {
    let named = command.name.extension().is_some_and(|ending| ending == "toml");
    let path = &if named { command.name.clone() } else { beside(&command.name, ".toml") };
    let mut files = vec![(path.clone(), experiment(command, path)?)];
    if command.study {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let base = path.file_name().unwrap_or_default().to_string_lossy();
        let study = path.with_file_name(format!("{stem}-study.toml"));
        files.push((study, STUDY.replace("BASE", &base)));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Error::input(format!("{}: exists: expected another name", path.display())));
    }
    files.iter().try_for_each(|(path, text)| write_text(path, text))?;
    let shown: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if json {
        return print(&json!({ "files": shown }).to_string());
    }
    let commands = ["train", "sweep"].iter().zip(&shown);
    let commands: Vec<String> =
        commands.map(|(what, file)| format!("equilux {what} {file}")).collect();
    print(&format!("written: {}; to go on:\n{}", shown.join(", "), commands.join("\n")))
}

/// `path` with `ending` behind its name, dots and all.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The text of an experiment at `path` as `command` asks for it; it has been read once.
fn experiment(command: &InitCommand, path: &Path) -> Result<String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let data = DataConfig {
        set: command.data.clone(),
        label: Columns::of(command.label.clone())
            .map_err(|e| Error::input(format!("--label: {e}")))?,
        ignore: command.ignore.clone(),
        missing: if command.fill_missing { Missing::Mean } else { Missing::Refuse },
        task: if command.regression { Task::Regression } else { Task::Classification },
        ..DataConfig::default()
    };
    let Size { features, outputs, .. } = Dataset::load(&data)?.size();
    let mut text = TEMPLATE.to_owned();
    let named = |file: &str| from_there(directory, file);
    let set = if Dataset::is_a_file(&data.set) { named(&data.set)? } else { data.set.clone() };
    say(&mut text, "set", &format!("{set:?}"));
    if data.label != DataConfig::default().label {
        say(&mut text, "label", &data.label.to_string());
    }
    if !data.ignore.is_empty() {
        say(&mut text, "ignore", &format!("{:?}", data.ignore));
    }
    if command.fill_missing {
        say(&mut text, "missing", "\"mean\"");
    }
    if command.regression {
        say(&mut text, "task", "\"regression\"");
    }
    say(&mut text, "layers", &format!("[{features}, {HIDDEN}, {outputs}]"));
    if let Some(name) = &command.device {
        let on_modulator = Sheet::find(name)?.kind == "spim";
        let called = if name.ends_with(".toml") { named(name)? } else { name.clone() };
        text.truncate(text.find("# The hardware").unwrap_or(text.len()));
        let hardware = if on_modulator { ON_A_MODULATOR } else { ON_CROSSBARS };
        text += hardware.trim_start().replace("SHEET", &called).as_str();
        say(&mut text, "beta", "0.5");
        if on_modulator {
            say(&mut text, "topology", "\"all-to-all\"");
            say(&mut text, "rule", "\"ep\"");
            say(&mut text, "gain", "0.5");
            say(&mut text, "clip", "1.0");
        }
    }
    Experiment::parse_at(&text, path, &[])?;
    Ok(text)
}

/// Makes the line of `key` in `text` state `value`, its comment where it was.
fn say(text: &mut String, key: &str, value: &str) {
    let (stated, other) = (format!("{key} = "), format!("# {key} = "));
    let line = |line: &str| {
        if !line.starts_with(&stated) && !line.starts_with(&other) {
            return line.to_owned();
        }
        let comment = line.get(2..).and_then(|rest| rest.find('#').map(|at| &rest[at..]));
        let line = format!("{stated}{value}");
        comment.map_or(line.clone(), |comment| format!("{line:31} {comment}"))
    };
    *text = text.lines().map(|part| line(part) + "\n").collect();
}

/// Prints the completions of `command` for `shell`.
pub(super) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, command, "equilux", &mut text);
    show(&text)
}

/// Prints the manual page of `command`: what it is, and each of its commands with all options.
pub(super) fn manual(mut command: clap::Command) -> Result<()> {
    command.build();
    let written = || -> io::Result<Vec<u8>> {
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            writeln!(page, ".SH EQUILUX {}", sub.get_name().to_uppercase())?;
            let man = clap_mangen::Man::new(sub.clone());
            man.render_description_section(&mut page)?;
            man.render_options_section(&mut page)?;
        }
        Ok(page)
    };
    show(&written().map_err(Error::writing(Path::new("standard output")))?)
}

/// Writes `text` to standard output as it is.
fn show(text: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(text) {
        // Who reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::writing(Path::new("standard output"))),
    }
}
