//! Many small pictures on one: what will be loaded, at a glance.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{Paper, png};
use super::heat_map::colour;
use super::plot::{self, Area, Picture, Style, failed};
use crate::Result;
use crate::export::ContactSheet;

/// Pictures in a row.
const COLUMNS: usize = 6;
/// The side of a picture's place, and the room below it for its name.
const PLACE: (i32, i32) = (220, 44);
/// Height of a name.
const NAME: i32 = 26;

/// Draws `sheet` as the PNG file `path`.
///
/// # Errors
/// When it cannot be drawn, or the file cannot be written.
pub fn contact_sheet(sheet: &ContactSheet, path: &Path) -> Result<()> {
    png(sheet, path, Paper::default())
}

impl Picture for ContactSheet {
    fn size(&self, _: u32) -> (u32, u32) {
        let rows = self.thumbnails.len().div_ceil(COLUMNS).max(1);
        (COLUMNS as u32 * PLACE.0 as u32, 80 + rows as u32 * (PLACE.0 + PLACE.1) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let (shown, all) = (self.thumbnails.len(), self.all);
        let of = if shown < all { format!(" (the first {shown} of {all})") } else { String::new() };
        let sheet = plot::title(area, style, &format!("{}{of}", self.title))?;
        for (index, thumbnail) in self.thumbnails.iter().enumerate() {
            let (row, column) = (index / COLUMNS, index % COLUMNS);
            let place = (
                style.pixels(PLACE.0) * column as i32,
                style.pixels(PLACE.0 + PLACE.1) * row as i32,
            );
            let room = style.pixels(PLACE.0 - 16);
            let (rows, columns) = thumbnail.cells.shape();
            let side = f64::from(room) / rows.max(columns).max(1) as f64;
            let left = place.0 + (style.pixels(PLACE.0) - (side * columns as f64) as i32) / 2;
            let top = place.1 + room - (side * rows as f64) as i32;
            let edge = |start: i32, cells: usize| start + (side * cells as f64).round() as i32;
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                let value = thumbnail.cells[(i, j)].clamp(0.0, 1.0);
                let level = (255.0 * value).round() as u8;
                let fill = if self.grey { RGBColor(level, level, level) } else { colour(value) };
                let corners =
                    [(edge(left, j), edge(top, i)), (edge(left, j + 1), edge(top, i + 1))];
                sheet.draw(&Rectangle::new(corners, fill.filled())).map_err(failed)?;
            }
            let below = (place.0 + style.pixels(PLACE.0) / 2, place.1 + style.pixels(PLACE.0));
            let size = plot::fitting(NAME, style.width(area, &thumbnail.name, NAME)?, room);
            style.write(&sheet, &thumbnail.name, size, HPos::Center, below)?;
        }
        Ok(())
    }
}
