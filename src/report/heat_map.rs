//! A quantity over two axes of a study, as colours and numbers.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::plot::{self, Area, Picture, Style, failed};
use crate::Result;

/// The perceptually uniform colours of cividis, for any colour vision (Nunez, Anderton & Renslow
/// 2018, doi:10.1371/journal.pone.0199239), at equal distances.
const CIVIDIS: [(f64, f64, f64); 9] = [
    (0.0, 34.0, 78.0),
    (18.0, 53.0, 112.0),
    (59.0, 73.0, 108.0),
    (87.0, 93.0, 109.0),
    (112.0, 113.0, 115.0),
    (138.0, 134.0, 120.0),
    (165.0, 156.0, 116.0),
    (195.0, 179.0, 105.0),
    (254.0, 232.0, 56.0),
];
/// Cells are numbered up to this many in a row.
const NUMBERED: usize = 12;

/// A grid of cells.
pub struct HeatMap {
    /// The columns.
    pub x: Axis,
    /// The rows, the first at the bottom.
    pub y: Axis,
    /// What the cells show, with its unit.
    pub label: String,
    /// Row by row; none where there is no value.
    pub cells: Vec<Vec<Option<f64>>>,
    /// The ends of the scale of colours.
    pub extremes: (f64, f64),
    /// How a cell's number is written.
    pub written: fn(f64) -> String,
    /// Whether the largest cell of every column is framed.
    pub framed: bool,
}

impl HeatMap {
    /// Where `value` is between the smallest and the largest, 0 to 1: on a logarithmic scale where
    /// a quantity spans decades.
    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.extremes;
        if high <= low {
            1.0
        } else if low > 0.0 && high > 30.0 * low && !self.framed {
            (value / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        }
    }

    /// Writes what the colours mean into the room above the cells.
    fn scale<DB: DrawingBackend>(&self, area: &Area<DB>, left: i32, style: Style) -> Result<()> {
        const STEPS: i32 = 40;
        let (low, high) = self.extremes;
        let (height, gap) = (style.pixels(24), style.pixels(12));
        style.write(area, &self.label, plot::TEXT, HPos::Left, (left, style.pixels(28)))?;
        let (mut x, y) = (left, style.pixels(28 + 40));
        let low = (self.written)(low);
        style.write(area, &low, plot::TEXT, HPos::Left, (x, y))?;
        x += style.width(area, &low, plot::TEXT)? + gap;
        let step = style.pixels(4);
        for k in 0..STEPS {
            let colour = colour(f64::from(k) / f64::from(STEPS - 1));
            let cell = [(x + k * step, y - height / 2), (x + (k + 1) * step, y + height / 2)];
            area.draw(&Rectangle::new(cell, colour.filled())).map_err(failed)?;
        }
        style.write(
            area,
            &(self.written)(high),
            plot::TEXT,
            HPos::Left,
            (x + STEPS * step + gap, y),
        )
    }
}

impl Picture for HeatMap {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 7 / 8)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let chart = plot::axes(area, style, &self.x, &self.y, 2)?;
        let cells = chart.plotting_area();
        let numbered = self.cells.len() <= NUMBERED && self.cells[0].len() <= NUMBERED;
        let base = area.get_base_pixel();
        for (row, values) in self.cells.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let (x, y, place) = (column as f64, row as f64, self.place(value));
                cells
                    .draw(&Rectangle::new(
                        [(x - 0.5, y - 0.5), (x + 0.5, y + 0.5)],
                        colour(place).filled(),
                    ))
                    .map_err(failed)?;
                if numbered {
                    let at = cells.map_coordinate(&(x, y));
                    let ink = if place < 0.5 { WHITE } else { BLACK };
                    let text = (self.written)(value);
                    let room = (cells.dim_in_pixel().0 as i32 / values.len() as i32) * 9 / 10;
                    let size =
                        plot::fitting(plot::TEXT, style.width(area, &text, plot::TEXT)?, room);
                    style.write_in(
                        ink,
                        area,
                        &text,
                        size,
                        HPos::Center,
                        (at.0 - base.0, at.1 - base.1),
                    )?;
                }
            }
        }
        for column in 0..if self.framed { self.cells[0].len() } else { 0 } {
            let best = (0..self.cells.len())
                .filter_map(|row| self.cells[row][column].map(|value| (value, row)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, row)) = best {
                let (x, y) = (column as f64, row as f64);
                let frame = [(x - 0.47, y - 0.47), (x + 0.47, y + 0.47)];
                cells
                    .draw(&Rectangle::new(frame, plot::FRAME.stroke_width(style.pixels(6) as u32)))
                    .map_err(failed)?;
            }
        }
        let left = cells.get_base_pixel().0 - base.0;
        self.scale(area, left, style)
    }
}

/// The colour at `place`, 0 to 1.
pub(super) fn colour(place: f64) -> RGBColor {
    let at = place.clamp(0.0, 1.0) * (CIVIDIS.len() - 1) as f64;
    let below = (at as usize).min(CIVIDIS.len() - 2);
    let (a, b, part) = (CIVIDIS[below], CIVIDIS[below + 1], at - below as f64);
    let mix = |a: f64, b: f64| (a + (b - a) * part).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}
