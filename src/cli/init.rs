//! What one begins with: `equilux init`, completions and the manual page.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::print;
use crate::file::write_text;
use crate::{Error, Result};

/// A commented experiment.
const TEMPLATE: &str = include_str!("template.toml");

/// Write a commented experiment to begin with
#[derive(Debug, Args)]
pub struct InitCommand {
    /// What it is called: NAME.toml is written
    #[arg(default_value = "experiment")]
    name: PathBuf,
}

pub(super) fn run(command: &InitCommand, json: bool) -> Result<()> {
    let named = command.name.extension().is_some_and(|ending| ending == "toml");
    let mut path = command.name.clone().into_os_string();
    if !named {
        path.push(".toml");
    }
    let path = Path::new(&path);
    let shown = path.display();
    if path.exists() {
        return Err(Error::input(format!("{shown}: exists: expected another name")));
    }
    write_text(path, TEMPLATE)?;
    if json {
        return print(&json!({ "files": [shown.to_string()] }).to_string());
    }
    print(&format!("{shown} is written; to train it:\nequilux train {shown}"))
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
