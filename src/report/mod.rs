//! Plots and a page that show what a run did.

mod axis;
mod bands;
mod contact_sheet;
mod datasheet;
mod dimension;
mod figures;
pub mod format;
mod heat_map;
mod histogram;
mod html;
mod learning_curves;
mod nudges;
mod optics;
mod page;
mod plot;
mod points;
mod study_page;

use std::path::Path;

pub use contact_sheet::{ContactSheet, Thumbnail};
pub use figures::{Figure, figures};
pub use learning_curves::{learning_curves, learning_curves_png};
pub use page::page;
pub use plot::png;
pub use points::{aligned, describe_points};

use crate::Result;
use crate::experiment::Experiment;
use crate::file::{create_directory, write_text};
use crate::study::{Study, StudyDirectory, Table};
use crate::training::{EpochMetrics, Summary};

/// Writes what shows a run into its `directory`: `report.html`, and, where there are epochs,
/// `plots/learning-curves.svg` and `plots/learning-curves.png`. Each file is written whole or not
/// at all.
///
/// # Errors
/// When a plot cannot be drawn, or a file cannot be written.
pub fn write_run(
    directory: &Path,
    summary: &Summary,
    metrics: &[EpochMetrics],
    experiment: &Experiment,
) -> Result<()> {
    let plots = directory.join("plots");
    create_directory(&plots)?;
    if !metrics.is_empty() {
        let title = format!("{}: {} on {}", summary.data, summary.rule, summary.machine);
        write_text(&plots.join("learning-curves.svg"), &learning_curves(metrics, &title)?)?;
        learning_curves_png(metrics, &title, &plots.join("learning-curves.png"))?;
    }
    let histograms = histogram::histograms(experiment, &directory.join("checkpoint.safetensors"))?;
    let mut more = String::new();
    if !histograms.is_empty() {
        let mut figures = String::new();
        for histogram in &histograms {
            let svg = plot::svg(histogram)?;
            write_text(&plots.join(format!("{}.svg", histogram.name)), &svg)?;
            plot::png(histogram, &plots.join(format!("{}.png", histogram.name)))?;
            figures += &html::figure(&svg, &histogram.caption);
        }
        more = format!(
            "<section>\n<h2>What was learnt</h2>\n<div class=\"plots\">\n{figures}</div>\n</section>\n"
        );
    }
    let photographs = optics::photographs(experiment, &directory.join("checkpoint.safetensors"))?;
    if !photographs.is_empty() {
        let mut figures = String::new();
        for photograph in &photographs {
            let png = plots.join(format!("{}.png", photograph.name));
            photograph.write(&png)?;
            figures += &photograph.figure(&png)?;
        }
        more += &format!(
            "<section>\n<h2>What is shown and seen</h2>\n<div class=\"plots\">\n{figures}</div>\n</section>\n"
        );
    }
    more += &datasheet::datasheet(experiment)?;
    write_text(
        &directory.join("report.html"),
        &page(summary, metrics, &experiment.to_toml(), &more)?,
    )
}

/// Writes what shows a study into its `directory`: `report.html`, and its figures in `plots/`, each
/// as SVG and PNG.
///
/// # Errors
/// When the table of results is another study's, a plot cannot be drawn, or a file cannot be
/// written.
pub fn write_study(directory: &StudyDirectory, study: &Study) -> Result<()> {
    let table = Table::read(&directory.results(), &study.keys())?;
    let figures = figures(study, &table);
    let plots = directory.path().join("plots");
    figures.iter().try_for_each(|figure| figure.write(&plots))?;
    let name = directory.path().display().to_string();
    write_text(
        &directory.path().join("report.html"),
        &study_page::study_page(&name, study, study.size(), &table, &figures)?,
    )
}
