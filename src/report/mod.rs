//! Plots and a page that show what a run did.

mod axis;
pub mod format;
mod interval;
mod learning_curves;
mod page;
mod plot;
mod points;

use std::path::Path;

pub use interval::wilson;
pub use learning_curves::{learning_curves, learning_curves_png};
pub use page::page;
pub use points::describe_points;

use crate::Result;
use crate::file::{create_directory, write_text};
use crate::training::{EpochMetrics, Summary};

/// Writes what shows a run into its `directory`: `report.html`, and, where there are epochs, `plots/learning-curves.svg` and
/// `plots/learning-curves.png`. Each file is written whole or not at all.
pub fn write_run(directory: &Path, summary: &Summary, metrics: &[EpochMetrics], config_toml: &str) -> Result<()> {
    let plots = directory.join("plots");
    create_directory(&plots)?;
    if !metrics.is_empty() {
        let title = format!("{}: {} on {}", summary.data, summary.rule, summary.machine);
        write_text(&plots.join("learning-curves.svg"), &learning_curves(metrics, &title)?)?;
        learning_curves_png(metrics, &title, &plots.join("learning-curves.png"))?;
    }
    write_text(&directory.join("report.html"), &page(summary, metrics, config_toml)?)
}
