//! `equilux report`: a run, a study or a budget on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::Result;
use crate::report::{Paper, rewrite_run, write_budget, write_study};
use crate::study::StudyDirectory;
use crate::study::budget::BudgetDirectory;

/// Write the report of a run, of a study or of a budget, anew
///
/// One HTML file that needs no network and no scripts, and plots as SVG, PNG and PDF in plots/ beside
/// it, their text of one size in a column of a paper.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// The directory of a run, of a study or of a budget
    directory: PathBuf,
    /// The width of a plot and the size of its text, for example width=17.6cm,font=9pt [default:
    /// width=8.5cm,font=8pt]
    #[arg(long, value_name = "width=CM,font=PT")]
    style: Option<String>,
}

pub(super) fn run(command: &ReportCommand, json: bool) -> Result<()> {
    let paper = command.style.as_deref().map_or(Ok(Paper::default()), str::parse)?;
    let mut report = command.directory.join("report.html");
    if StudyDirectory::is_one(&command.directory) {
        let (directory, study) = StudyDirectory::open(&command.directory)?;
        write_study(&directory, &study, paper)?;
    } else if BudgetDirectory::is_one(&command.directory) {
        let (directory, experiment, budget) = BudgetDirectory::open(&command.directory)?;
        write_budget(&directory, &budget, experiment.as_ref(), paper)?;
        report = command.directory.join("index.html");
    } else {
        rewrite_run(&command.directory, paper)?;
    }
    if json {
        return print(&json!({ "report": report }).to_string());
    }
    print(&format!("report         {}", report.display()))
}
