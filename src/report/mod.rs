//! Plots and a page that show what a run did.

mod axis;
mod bands;
mod budget_page;
mod budget_table;
mod canvas;
mod contact_sheet;
mod datasheet;
mod dimension;
mod figures;
mod fits;
mod focal_plane;
pub mod format;
mod heat_map;
mod histogram;
mod html;
mod learning_curves;
mod nudges;
mod page;
mod paired;
mod pdf;
mod photograph;
mod plot;
mod points;
mod predicted;
mod quantity;
pub mod scores;
mod study_page;
mod tornado;

use std::path::Path;

pub use budget_table::describe_budget;
pub use canvas::Paper;
pub use contact_sheet::contact_sheet;
pub use figures::{Figure, figures};
pub use fits::write_fits;
pub use focal_plane::{FocalPlane, focal_plane};
pub use page::page;
pub use points::{aligned, describe_points};

use crate::arithmetic::Real;
use crate::experiment::{Experiment, RunDirectory, Session, TrainingRun, in_precision, outcome};
use crate::file::{create_directory, write_text};
use crate::study::budget::{Budget, BudgetDirectory};
use crate::study::{Study, StudyDirectory, Table};
use crate::system::System;
use crate::training::{EpochMetrics, Summary};
use crate::{Error, Result};

/// Writes what shows a run that has ended, and its `summary`, into its directory, if it has one.
///
/// # Errors
/// Those of [`write_run`].
pub fn write_training_run<T: Real>(run: &TrainingRun<T>, summary: &Summary) -> Result<()> {
    let Some(directory) = &run.directory else { return Ok(()) };
    let Session { experiment, trainer, .. } = &run.session;
    let (metrics, system) = (trainer.metrics(), Some(trainer.system()));
    write_run(directory.path(), summary, metrics, system, Some(experiment), Paper::default())
}

/// Writes what shows a run into its `directory`: `report.html`, and its plots in `plots/` as SVG, PNG
/// and PDF for `paper`. Each file is written whole or not at all. Learning curves are there where
/// there are epochs, histograms and pictures are those of `system`, the configuration and the
/// datasheet those of `experiment`, where there are any.
///
/// # Errors
/// When a plot cannot be drawn, or a file cannot be written.
pub fn write_run<T: Real>(
    directory: &Path,
    summary: &Summary,
    metrics: &[EpochMetrics],
    system: Option<&dyn System<T>>,
    experiment: Option<&Experiment>,
    paper: Paper,
) -> Result<()> {
    let plots = directory.join("plots");
    create_directory(&plots)?;
    if !metrics.is_empty() {
        let title = format!("{}: {} on {}", summary.data, summary.rule, summary.machine);
        learning_curves::write_curves(metrics, &title, &plots, paper)?;
    }
    let scatters = predicted::scatters(summary);
    let figures = scatters.iter().map(|scatter| scatter.write(&plots, paper));
    let mut more = section("Predicted against true", &figures.collect::<Result<String>>()?);
    if let Some(system) = system {
        let histograms = histogram::histograms(system);
        let figures = histograms.iter().map(|histogram| histogram.write(&plots, paper));
        more += &section("What was learnt", &figures.collect::<Result<String>>()?);
        let photographs = photograph::photographs(system)?;
        let figures = photographs.iter().map(|photograph| photograph.write(&plots));
        more += &section("What is shown and seen", &figures.collect::<Result<String>>()?);
    }
    let mut configuration = String::new();
    if let Some(experiment) = experiment {
        more += &datasheet::datasheet(experiment, &[])?;
        configuration = experiment.to_toml();
    }
    let page = page(summary, metrics, &configuration, &more, paper)?;
    write_text(&directory.join("report.html"), &page)
}

/// A section of figures; nothing without figures.
fn section(title: &str, figures: &str) -> String {
    if figures.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{title}</h2>\n<div class=\"plots\">\n{figures}</div>\n</section>\n")
}

/// Writes the report of the run in `directory` anew, from its files.
///
/// # Errors
/// When it is no run with a trained epoch, or those of [`write_run`].
pub fn rewrite_run(directory: &Path, paper: Paper) -> Result<()> {
    let run = RunDirectory::open(directory)?;
    let experiment = run.experiment(&[])?;
    in_precision!(experiment, rewrite(&run, &experiment, paper))
}

fn rewrite<T: Real>(run: &RunDirectory, experiment: &Experiment, paper: Paper) -> Result<()> {
    let summary = outcome(run)?.ok_or_else(|| {
        Error::input(format!(
            "{}: a run that ended in its first epoch: there is nothing to report",
            run.path().display()
        ))
    })?;
    let path = run.checkpoint();
    let mut system = None;
    if path.exists() {
        let mut machine = experiment.simulated().machine::<T>()?;
        run.read_checkpoint::<T>()?.program(machine.as_mut(), true, &path)?;
        system = Some(machine);
    }
    let system = system.as_deref();
    write_run(run.path(), &summary, &run.metrics()?, system, Some(experiment), paper)
}

/// Writes what shows a study into its `directory`: `report.html`, and its figures in `plots/`, each
/// as SVG, PNG and PDF for `paper`.
///
/// # Errors
/// When the table of results is another study's, a plot cannot be drawn, or a file cannot be
/// written.
pub fn write_study(directory: &StudyDirectory, study: &Study, paper: Paper) -> Result<()> {
    let table = Table::read(&directory.results(), study)?;
    let plots = directory.path().join("plots");
    let figures = figures(study, &table).into_iter().map(|figure| {
        let svg = figure.write(&plots, paper)?;
        Ok(html::figure(&svg, &figure.caption))
    });
    let figures = figures.collect::<Result<String>>()?;
    let name = directory.path().display().to_string();
    write_text(
        &directory.path().join("report.html"),
        &study_page::study_page(&name, study, study.size(), &table, &figures)?,
    )
}

/// Writes what shows a budget into its `directory`: `index.html`, and `plots/tornado` as SVG, PNG and
/// PDF for `paper`. The datasheet and the configuration are those of `experiment`, if there is one.
///
/// # Errors
/// When the plot cannot be drawn, a datasheet cannot be read, or a file cannot be written.
pub fn write_budget(
    directory: &BudgetDirectory,
    budget: &Budget,
    experiment: Option<&Experiment>,
    paper: Paper,
) -> Result<()> {
    let plots = directory.path().join("plots");
    let svg = canvas::write(&tornado::Tornado::of(budget), &plots, "tornado", paper)?;
    let name = directory.path().display().to_string();
    let page = budget_page::budget_page(&name, budget, experiment, &svg)?;
    write_text(&directory.path().join("index.html"), &page)
}
