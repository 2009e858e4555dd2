//! `equilux report`: a run or a study on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::Result;
use crate::report::{rewrite_run, write_study};
use crate::study::StudyDirectory;

/// Write the report of a run or of a study, anew
///
/// One HTML file that needs no network and no scripts, and plots as SVG and PNG beside it.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// The directory of a run or of a study
    directory: PathBuf,
}

pub(super) fn run(command: &ReportCommand, json: bool) -> Result<()> {
    if StudyDirectory::is_one(&command.directory) {
        let (directory, study) = StudyDirectory::open(&command.directory)?;
        write_study(&directory, &study)?;
    } else {
        rewrite_run(&command.directory)?;
    }
    let report = command.directory.join("report.html");
    if json {
        return print(&json!({ "report": report }).to_string());
    }
    print(&format!("report         {}", report.display()))
}
