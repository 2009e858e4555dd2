use std::process::ExitCode;

use clap::Parser;
use equilux::cli::data::{self, DataCommand};

#[derive(Parser)]
#[command(name = "equilux", version, about)]
enum Command {
    /// List, fetch and import data sets
    Data(DataCommand),
}

fn main() -> ExitCode {
    let Command::Data(command) = Command::parse();
    match data::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_status().into()
        }
    }
}
