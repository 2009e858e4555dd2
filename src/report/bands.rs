//! A quantity against an axis of a study: means joined by lines, 95 % intervals as bands; or, over
//! names, points with bars beside them.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::plot::{self, Area, LOOKS, Look, Picture, Style, TEXT};
use super::quantity::Quantity;
use crate::Result;
use crate::arithmetic::Statistics;

/// Height of a row of names, for each curve and between them.
const ROW: [u32; 2] = [34, 22];
/// Names of more letters stand above their rows in place of beside them.
const LONG: usize = 16;

/// Several curves over one axis.
pub struct Bands {
    /// What the axis of the study is called, and its values.
    pub over: Axis,
    /// What is shown.
    pub quantity: Quantity,
    /// Its axis.
    pub shown: Axis,
    /// What parts the curves, where their names alone do not tell.
    pub by: Option<String>,
    /// The curves, at most as many as there are looks.
    pub series: Vec<Series>,
    /// How they lie.
    pub layout: Layout,
}

/// How points lie over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// From left to right, joined: they have an order.
    Joined,
    /// From left to right, each by itself.
    Scattered,
    /// From the top down, beside their names.
    Named,
}

/// One curve.
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Abscissae and statistics, in order.
    pub points: Vec<(f64, Statistics)>,
}

impl Bands {
    /// A curve's points: abscissa, mean and the ends of its interval.
    fn points(&self, series: &Series) -> Vec<(f64, f64, f64, f64)> {
        let (lowest, highest) = (self.shown.lowest(), self.shown.highest());
        let point = |(x, statistics): &(f64, Statistics)| {
            let (mean, low, high) = self.quantity.ends(statistics);
            (*x, mean, low.max(lowest), high.min(highest))
        };
        series.points.iter().map(point).collect()
    }

    /// The names of rows, where they are too long to stand beside them.
    fn names_above(&self) -> &[(f64, String)] {
        let long = |(_, name): &(f64, String)| name.chars().count() > LONG;
        let above = self.layout == Layout::Named && self.over.ticks.iter().any(long);
        if above { &self.over.ticks } else { &[] }
    }

    fn looks(&self) -> impl Iterator<Item = (&Series, Look)> {
        let most = self.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
        let most = if self.layout == Layout::Joined { most } else { 0 };
        self.series.iter().zip(LOOKS.map(|look| look.of_points(most)))
    }
}

impl Picture for Bands {
    fn size(&self, column: u32) -> (u32, u32) {
        let height = match self.layout {
            Layout::Named => {
                let above = if self.names_above().is_empty() { 0 } else { TEXT as u32 };
                let row = ROW[0] * self.series.len() as u32 + ROW[1] + above;
                180 + row * self.over.ticks.len() as u32
            }
            _ => column * 7 / 8,
        };
        (column, height.clamp(1, 8000))
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let entries: Vec<_> =
            self.looks().map(|(series, look)| (look, series.name.clone())).collect();
        let legend =
            if entries.len() > 1 { plot::legend_rows(area, style, &entries)? } else { Vec::new() };
        let head = legend.len() + usize::from(self.by.is_some());
        let named = self.layout == Layout::Named;
        let above = self.names_above();
        let mut over = self.over.clone();
        if !above.is_empty() {
            over.ticks.clear();
        }
        let axes = if named { (&self.shown, &over) } else { (&over, &self.shown) };
        let chart = plot::axes(area, style, axes.0, axes.1, head)?;
        if self.layout == Layout::Joined {
            for (series, look) in self.looks() {
                let points = self.points(series).into_iter();
                plot::band(
                    &chart,
                    look,
                    &points.map(|(x, _, l, h)| (x, l, h)).collect::<Vec<_>>(),
                )?;
            }
        }
        for (index, (series, look)) in self.looks().enumerate() {
            let points = self.points(series);
            if self.layout == Layout::Joined {
                let means: Vec<_> = points.into_iter().map(|(x, mean, ..)| (x, mean)).collect();
                plot::curve(&chart, style, look, &means)?;
                continue;
            }
            // Beside each other where they have one place: the first on top.
            let rows = if above.is_empty() { 0.7 } else { 0.4 };
            let apart = if named { rows / self.series.len() as f64 } else { 0.08 };
            let low = if above.is_empty() { 0.0 } else { 0.15 };
            let shift = low + apart * (index as f64 - 0.5 * (self.series.len() - 1) as f64);
            let place = |x: f64, y: f64| if named { (y, x - shift) } else { (x + shift, y) };
            for (x, mean, low, high) in points {
                let ends = [place(x, low), place(x, high)];
                plot::error_bar(&chart, style, look, place(x, mean), ends)?;
            }
        }
        let (base, rows) = (area.get_base_pixel(), chart.plotting_area());
        let (left, width) =
            (rows.get_base_pixel().0 - base.0 + style.pixels(10), rows.dim_in_pixel().0);
        for (place, name) in above {
            let (_, y) = rows.map_coordinate(&(self.shown.lowest(), place + 0.3));
            let name = style.shortened(area, name, TEXT, width as i32)?;
            style.write(area, &name, TEXT, HPos::Left, (left, y - base.1))?;
        }
        plot::legend(area, &chart, style, self.by.as_deref(), &legend)
    }
}
