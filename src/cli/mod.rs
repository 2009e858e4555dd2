//! The command line, one file a sub-command.

mod budget;
mod compare;
mod crossbar;
mod data;
mod devices;
mod evaluate;
mod export;
mod gradient;
mod many_runs;
mod report;
mod serve;
mod spim;
mod sweep;
mod train;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, Result};

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
    Train(train::TrainCommand),
    Evaluate(evaluate::EvaluateCommand),
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
    Serve(serve::ServeCommand),
    /// Bench instruments of a spatial photonic Ising machine
    Spim(spim::SpimCommand),
    /// List, fetch and import data sets
    Data(data::DataCommand),
}

/// Runs the program with the process's arguments; errors go to standard error and into the exit
/// status.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error}"));
            error.exit_status().into()
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let threads = arguments.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::Machine(format!("--threads {threads}: {e}")))?;
    let json = arguments.json;
    // Inside the pool, so that a parallel loop does not wait for threads to change hands.
    pool.install(|| match arguments.command {
        Command::Train(command) => train::run(&command, json),
        Command::Evaluate(command) => evaluate::run(&command, json),
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
        Command::Devices(command) => devices::run(&command, json),
        Command::Serve(command) => serve::run(&command),
        Command::Spim(command) => spim::run(&command, json),
        Command::Data(command) => data::run(command, json),
    })
}

/// Prints a line on standard error, if it can be: text from files does not drive the terminal.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// `text` with control characters, but for line breaks and tabs, as escapes.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Prints a line on standard output; a reader that has gone away is none of our concern.
fn print(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::writing(Path::new("standard output"))(error))
        }
        _ => Ok(()),
    }
}
