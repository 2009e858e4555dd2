//! A quantity against an axis of a study: means joined by lines, 95 % intervals as bands.

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::plot::{self, Area, LOOKS, Picture, Style};
use crate::Result;
use crate::arithmetic::Statistics;

/// Several curves over one axis.
pub struct Bands {
    /// The abscissa.
    pub x: Axis,
    /// What the ordinate shows.
    pub y: Quantity,
    /// What parts the curves, where their names alone do not tell.
    pub by: Option<String>,
    /// The curves, at most as many as there are looks.
    pub series: Vec<Series>,
    /// Whether the abscissae have an order, so that lines between them mean something.
    pub joined: bool,
}

/// One curve.
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Abscissae and statistics, in order.
    pub points: Vec<(f64, Statistics)>,
}

/// What an ordinate shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Its label with the unit.
    pub label: String,
    /// The factor from results to the ordinate.
    pub factor: f64,
    /// What no value can be below or above.
    pub limits: (f64, f64),
}

impl Quantity {
    /// The mean and the ends of its interval, on the ordinate.
    fn of(&self, statistics: &Statistics) -> (f64, f64, f64) {
        let (mean, half) =
            (self.factor * statistics.mean, self.factor * statistics.half_width.unwrap_or(0.0));
        (mean, (mean - half).max(self.limits.0), (mean + half).min(self.limits.1))
    }
}

impl Bands {
    fn axis(&self) -> Axis {
        let all = || {
            self.series.iter().flat_map(|series| {
                series.points.iter().map(|(_, statistics)| self.y.of(statistics))
            })
        };
        if self.y.factor == 100.0 {
            return Axis::percent(&self.y.label, all().flat_map(|(_, low, high)| [low, high]));
        }
        if self.y.limits.1.is_finite() {
            let ends = || all().flat_map(|(_, low, high)| [low, high]);
            let (low, high) =
                (ends().fold(self.y.limits.1, f64::min), ends().fold(self.y.limits.0, f64::max));
            return Axis::linear(
                &self.y.label,
                if low > 0.0 && low < 0.5 { 0.0 } else { low },
                high,
            );
        }
        let smallest = all().map(|(mean, ..)| mean).fold(f64::INFINITY, f64::min);
        let largest = all().map(|(mean, ..)| mean).fold(0.0, f64::max);
        if smallest > 0.0 && largest > 30.0 * smallest {
            // An interval that reaches down to zero has no place on a logarithmic axis.
            return Axis::spanning(
                &self.y.label,
                all().flat_map(|(mean, low, high)| [mean, low.max(0.5 * mean), high]),
            );
        }
        Axis::spanning(&self.y.label, all().flat_map(|(mean, low, high)| [mean, low, high]))
    }
}

impl Picture for Bands {
    fn size(&self) -> (u32, u32) {
        (800, 700)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let y = self.axis();
        let floor = y.lowest();
        let entries: Vec<_> = self
            .series
            .iter()
            .zip(LOOKS)
            .map(|(series, look)| (look, series.name.clone()))
            .collect();
        let legend =
            if entries.len() > 1 { plot::legend_rows(area, style, &entries)? } else { Vec::new() };
        let head = legend.len() + usize::from(self.by.is_some());
        let mut chart = plot::axes(area, style, &self.x, &y, head)?;
        let points = |series: &Series| -> Vec<_> {
            let point = |(x, statistics): &(f64, Statistics)| {
                let (mean, low, high) = self.y.of(statistics);
                (*x, mean, low.max(floor), high)
            };
            series.points.iter().map(point).collect()
        };
        let looks = || self.series.iter().zip(LOOKS);
        if self.joined {
            for (series, look) in looks() {
                let band: Vec<_> =
                    points(series).into_iter().map(|(x, _, low, high)| (x, low, high)).collect();
                plot::band(&chart, look, &band)?;
            }
        }
        for (index, (series, look)) in looks().enumerate() {
            if self.joined {
                let means: Vec<_> =
                    points(series).into_iter().map(|(x, mean, ..)| (x, mean)).collect();
                plot::curve(&mut chart, style, look, &means)?;
            } else {
                // Beside each other where they have one place.
                let shift = 0.08 * (index as f64 - 0.5 * (self.series.len() - 1) as f64);
                for (x, mean, low, high) in points(series) {
                    plot::error_bar(&chart, style, look, (x + shift, mean), (low, high))?;
                }
            }
        }
        plot::legend(area, &chart, style, self.by.as_deref(), &legend)
    }
}
