//! Data and model over each other: the page of fitted measurements.

use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::canvas::{self, Paper};
use super::html::{document, escaped, figure, table};
use super::plot::{self, Area, LOOKS, Picture, Style};
use crate::Result;
use crate::file::write_text;
use crate::fit::{Fitted, Panel};

impl Picture for Panel {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 3 / 4)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let all = || self.dots.iter().chain(self.lines.iter().flatten());
        let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, y)| {
            (low.min(*y), high.max(*y))
        });
        let (left, right) = all()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (x, _)| {
                (low.min(*x), high.max(*x))
            });
        let [x, y] = &self.axes;
        let x = match self.logarithmic {
            true => Axis::spanning(x, all().map(|(x, _)| *x)),
            false => Axis::linear(x, left, right),
        };
        let chart = plot::axes(area, style, &x, &Axis::linear(y, low, high), 0)?;
        plot::dots(&chart, style, LOOKS[0], &self.dots)?;
        let look = LOOKS[1].of_points(usize::MAX);
        self.lines.iter().try_for_each(|line| plot::curve(&chart, style, look, line))
    }
}

/// Writes the page of what was `found` in the files called by their names, beside the sheet `path`:
/// the same name, .html.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn write_fits(path: &Path, title: &str, found: &[(String, Fitted)]) -> Result<()> {
    let mut body = format!(
        "<header>\n<h1>{}</h1>\n<p>fitted to measurements: {}</p>\n</header>\n<main>\n",
        escaped(title),
        escaped(&path.display().to_string())
    );
    for (file, fitted) in found {
        let figures = fitted
            .panels
            .iter()
            .map(|panel| Ok(figure(&canvas::svg(panel, Paper::default())?, &panel.caption)));
        let figures = figures.collect::<Result<String>>()?;
        let heads = ["Number", "Value"].map(String::from);
        let rows =
            fitted.lines.iter().map(|(name, value)| vec![name.clone(), value.replace("+-", "±")]);
        body += &format!(
            "<section>\n<h2>{}</h2>\n<div class=\"plots\">\n{figures}</div>\n{}</section>\n",
            escaped(file),
            table(file, &heads, rows)
        );
    }
    write_text(&path.with_extension("html"), &document(title, &(body + "</main>\n")))
}
