//! `equilux report`: a run, a study or a budget on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::Result;
use crate::report::{rewrite_run, write_budget, write_study};
use crate::study::StudyDirectory;
use crate::study::budget::BudgetDirectory;

/// Write the report of a run, of a study or of a budget, anew
///
/// One HTML file that needs no network and no scripts, and plots as SVG and PNG beside it.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// The directory of a run, of a study or of a budget
    directory: PathBuf,
}

pub(super) fn run(command: &ReportCommand, json: bool) -> Result<()> {
    let mut report = command.directory.join("report.html");
    if StudyDirectory::is_one(&command.directory) {
        let (directory, study) = StudyDirectory::open(&command.directory)?;
        write_study(&directory, &study)?;
    } else if BudgetDirectory::is_one(&command.directory) {
        let (directory, experiment, budget) = BudgetDirectory::open(&command.directory)?;
        write_budget(&directory, &budget, experiment.as_ref())?;
        report = command.directory.join("index.html");
    } else {
        rewrite_run(&command.directory)?;
    }
    if json {
        return print(&json!({ "report": report }).to_string());
    }
    print(&format!("report         {}", report.display()))
}
