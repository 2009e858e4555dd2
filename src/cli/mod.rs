//! The command line, one file a sub-command.

mod budget;
mod compare;
mod crossbar;
mod data;
mod devices;
mod evaluate;
mod export;
mod fit;
mod gradient;
mod init;
mod laboratory;
mod many_runs;
mod predict;
mod progress;
mod report;
mod serve;
mod spim;
mod sweep;
mod train;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory, Parser, Subcommand};

use crate::arithmetic::Unit;
use crate::stop::Stop;
use crate::{Error, Result};

/// The exit status of what Ctrl-C ended.
const STOPPED: i32 = 130;

/// Simulates analog and photonic hardware that learns by Equilibrium Propagation
#[derive(Debug, Parser)]
#[command(name = "equilux", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON object on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Threads to compute with; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitCommand),
    Train(train::TrainCommand),
    Evaluate(evaluate::EvaluateCommand),
    Predict(predict::PredictCommand),
    Gradient(gradient::GradientCommand),
    Budget(budget::BudgetCommand),
    Sweep(sweep::SweepCommand),
    Merge(sweep::MergeCommand),
    Report(report::ReportCommand),
    Compare(compare::CompareCommand),
    Export(export::ExportCommand),
    Verify(export::VerifyCommand),
    Import(export::ImportCommand),
    #[command(subcommand)]
    Crossbar(crossbar::CrossbarCommand),
    Devices(devices::DevicesCommand),
    Fit(fit::FitCommand),
    Serve(serve::ServeCommand),
    #[command(subcommand)]
    Laboratory(laboratory::LaboratoryCommand),
    /// Bench instruments of a spatial photonic Ising machine
    Spim(spim::SpimCommand),
    /// List, fetch and import data sets
    Data(data::DataCommand),
    /// Print completions of commands and options for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for man: equilux man > equilux.1
    Man,
}

/// Runs the program with the process's arguments; errors go to standard error and into the exit
/// status.
pub fn main() -> ExitCode {
    main_of(std::env::args_os()).into()
}

/// [`main`] of a program that another one carries: its `arguments`, its own path first. Returns the
/// exit status.
pub fn main_of(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(program) = arguments.first() {
        let _ = PROGRAM.set(program.into());
    }
    let arguments = match Arguments::try_parse_from(&arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, &arguments),
    };
    match run(arguments) {
        Ok(()) => 0,
        Err(error) => {
            tell(&format!("error: {error}"));
            error.exit_status()
        }
    }
}

/// The path of the program as it was called.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Where this program is: in a file of its own, or carried by another.
fn program() -> Result<PathBuf> {
    let failed = |e: io::Error| Error::Machine(format!("where this program is: {e}"));
    let own = std::env::current_exe().map_err(failed)?;
    match PROGRAM.get().filter(|called| called.file_stem() != own.file_stem() && called.exists()) {
        Some(called) => std::path::absolute(called).map_err(failed),
        None => Ok(own),
    }
}

/// Says what is wrong with the `arguments`, or what was asked of them.
fn explain(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if arguments.iter().any(|word| word.to_string_lossy().chars().any(drives)) {
        tell(error.to_string().trim_end());
    } else {
        // In colours, where it can be said at all.
        let _ = error.print();
    }
    error.exit_code() as u8
}

fn run(arguments: Arguments) -> Result<()> {
    Unit::asked()?;
    let threads = arguments.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::Machine(format!("--threads {threads}: {e}")))?;
    let json = arguments.json;
    // Inside the pool, so that a parallel loop does not wait for threads to change hands.
    pool.install(|| match arguments.command {
        Command::Init(command) => init::run(&command, json),
        Command::Train(command) => train::run(&command, json),
        Command::Evaluate(command) => evaluate::run(&command, json),
        Command::Predict(command) => predict::run(&command, json),
        Command::Gradient(command) => gradient::run(&command, json),
        Command::Budget(command) => budget::run(&command, json),
        Command::Sweep(command) => sweep::run(&command, json),
        Command::Merge(command) => sweep::merge(&command, json),
        Command::Report(command) => report::run(&command, json),
        Command::Compare(command) => compare::run(&command, json),
        Command::Export(command) => export::run(&command, json),
        Command::Verify(command) => export::run_verify(&command, json),
        Command::Import(command) => export::run_import(&command, json),
        Command::Crossbar(command) => crossbar::run(&command, json),
        Command::Fit(command) => fit::run(&command, json),
        Command::Devices(command) => devices::run(&command, json),
        Command::Serve(command) => serve::run(&command),
        Command::Laboratory(command) => laboratory::run(&command, json),
        Command::Spim(command) => spim::run(&command, json),
        Command::Data(command) => data::run(command, json),
        Command::Completions { shell } => init::completions(shell, &mut Arguments::command()),
        Command::Man => init::manual(Arguments::command()),
    })
}

/// What Ctrl-C, or the end of a job's time, sets in place of ending the program: once. The second
/// time it ends at once.
fn stop_on_signals() -> Stop {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first time, the flag is not yet set. Without them the signal ends it.
        let _ = register_conditional_shutdown(signal, STOPPED, stop.flag())
            .and_then(|_| register(signal, stop.flag()));
    }
    stop
}

/// Prints a line on standard error, if it can be: text from files does not drive the terminal.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// Whether a character would drive the terminal: one of control, but for line breaks and tabs, or one
/// that turns the direction of what follows.
fn drives(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// `text` with what would drive the terminal as escapes, as JSON writes them too.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if drives(c) {
            shown += &format!("\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Prints a line on standard output, which text from files does not drive either; a reader that has
/// gone away is none of our concern.
fn print(line: &str) -> Result<()> {
    let write = |mut out: io::Stdout| {
        writeln!(out, "{}", printable(line))?;
        out.flush()
    };
    match write(io::stdout()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::writing(Path::new("standard output"))(error))
        }
        _ => Ok(()),
    }
}
