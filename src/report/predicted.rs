//! Predictions of targets against their values.

use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::canvas::{self, Paper};
use super::html;
use super::plot::{self, Area, LOOKS, Picture, Style};
use super::scores::full;
use crate::Result;
use crate::training::{Score, Summary};

/// More samples than this are not drawn.
const DRAWN: usize = 2000;
/// More targets than this are left to `predictions.csv`.
const TARGETS: usize = 12;

/// What was told of one target, against its value, sample by sample.
pub struct Scatter {
    /// The file's name, without an extension.
    name: String,
    target: String,
    caption: String,
    points: Vec<(f64, f64)>,
}

/// A plot for each of the first targets of a regression.
pub fn scatters(summary: &Summary) -> Vec<Scatter> {
    let Some(predicted) = &summary.predicted else { return Vec::new() };
    let targets = summary.scores.targets().iter().take(TARGETS).enumerate();
    let scatter = |(row, of): (usize, &crate::training::TargetFit)| {
        let samples = 0..predicted.known.ncols();
        let pairs = samples.map(|at| (predicted.known[(row, at)], predicted.told[(row, at)]));
        // Coordinates beyond this would overflow.
        let drawable = |(a, b): &(f64, f64)| a.abs() < 1e300 && b.abs() < 1e300;
        let points: Vec<_> = pairs.filter(drawable).take(DRAWN).collect();
        let part = match predicted.known.ncols() {
            all if all > points.len() => format!("; {} of {all} samples", points.len()),
            _ => String::new(),
        };
        let (target, score) = (&of.target, full(Score::Fit(of.fit)));
        Scatter {
            name: if row == 0 { "predicted".into() } else { format!("predicted-{}", row + 1) },
            caption: format!(
                "{target} of the test samples: {score}{part}; the line is where both are the same"
            ),
            target: target.clone(),
            points,
        }
    };
    targets.map(scatter).filter(|scatter| !scatter.points.is_empty()).collect()
}

impl Scatter {
    /// Draws it into the directory `plots`, as SVG, PNG and PDF, and gives the figure of a page.
    ///
    /// # Errors
    /// When it cannot be drawn, or a file cannot be written.
    pub fn write(&self, plots: &Path, paper: Paper) -> Result<String> {
        let svg = canvas::write(self, plots, &self.name, paper)?;
        Ok(html::figure(&svg, &self.caption))
    }
}

impl Picture for Scatter {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 7 / 8)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let both = || self.points.iter().flat_map(|(known, told)| [*known, *told]);
        let (low, high) =
            (both().fold(f64::INFINITY, f64::min), both().fold(f64::NEG_INFINITY, f64::max));
        let x = Axis::linear(&self.target, low, high);
        let y = Axis::linear(&format!("{}, predicted", self.target), low, high);
        let chart = plot::axes(area, style, &x, &y, 0)?;
        plot::diagonal(&chart, style, (low, high))?;
        plot::dots(&chart, style, LOOKS[0], &self.points)
    }
}
