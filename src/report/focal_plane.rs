//! The focal plane of a mask, on a logarithmic scale: all its orders, and the zero order enlarged.

use std::path::Path;

use nalgebra::DMatrix;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::nice_step;
use super::canvas::{Area, INK, Paper, Picture, Style, TEXT, failed, png};
use super::heat_map::colour;
use super::plot::FRAME;
use crate::Result;

/// Decades of intensity from dark to bright.
const DECADES: f64 = 4.0;
/// An order fainter than this part of the brightest is no reason to show more.
const FAINT: f64 = 1e-2;
/// What is shown beyond the outermost order, as a part of the way to it.
const MARGIN: f64 = 0.25;
/// Cells along a side at most; each shows the brightest of its pixels. An order is a pixel or two: fewer
/// cells make it larger.
const CELLS: usize = 128;
/// How far the enlarged part goes from the zero order, in sizes of the region.
const ENLARGED: f64 = 2.0;
/// Room between the two parts.
const GAP: u32 = 24;
/// Room for two lines of text below.
const FOOT: u32 = 100;

/// A picture of a focal plane.
pub struct FocalPlane<'a> {
    /// Intensities, the zero order at the pixel half the size down and across, one cycle a pixel of
    /// the modulator high and wide.
    pub image: &'a DMatrix<f64>,
    /// The height and width of the region that the camera sums, cycles a pixel.
    pub region: (f64, f64),
}

/// Draws `plane` as the PNG file `path`.
///
/// # Errors
/// When it cannot be drawn, or the file cannot be written.
pub fn focal_plane(plane: &FocalPlane, path: &Path) -> Result<()> {
    png(plane, path, Paper::default())
}

impl FocalPlane<'_> {
    /// The frequency of a row or column of so many, cycles a pixel.
    fn frequency(at: usize, of: usize) -> f64 {
        (at as f64 - (of / 2) as f64) / of as f64
    }

    /// How far from the zero order the picture goes: beyond the outermost order and the region.
    fn reach(&self) -> f64 {
        let (rows, columns) = self.image.shape();
        let least = FAINT * self.image.max();
        let bright =
            (0..rows * columns).map(|k| (k % rows, k / rows)).filter(|at| self.image[*at] > least);
        let far = bright.map(|(row, column)| {
            Self::frequency(row, rows).abs().max(Self::frequency(column, columns).abs())
        });
        let pixel = 1.0 / rows.min(columns) as f64;
        let least = (self.region.0.max(self.region.1)).max(8.0 * pixel);
        ((1.0 + MARGIN) * far.fold(0.0, f64::max)).max(least).min(0.5)
    }
}

impl Picture for FocalPlane<'_> {
    fn size(&self, column: u32) -> (u32, u32) {
        (2 * column + GAP, column + FOOT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let gap = style.pixels(GAP as i32);
        let side = (area.dim_in_pixel().0 as i32 - gap) / 2;
        self.part(area, style, (0, side), self.reach())?;
        self.part(area, style, (side + gap, side), self.enlarged())?;
        let line = style.pixels(TEXT + 8);
        let told = format!(
            "left all orders, right the zero order; square: what the camera sums; dark to bright: {DECADES} decades"
        );
        let second = side + line * 3 / 4 + line;
        style.write(area, &told, TEXT, HPos::Left, (style.pixels(16), second))
    }
}

impl FocalPlane<'_> {
    /// How far the enlarged part goes from the zero order.
    fn enlarged(&self) -> f64 {
        let (rows, columns) = self.image.shape();
        let pixel = 1.0 / rows.min(columns) as f64;
        (ENLARGED * self.region.0.max(self.region.1)).max(8.0 * pixel).min(0.5)
    }

    /// The square of the plane that goes to `reach` on each side, `side` wide and `from` the left
    /// edge, with its scale bar.
    fn part<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        style: Style,
        (from, side): (i32, i32),
        reach: f64,
    ) -> Result<()> {
        let (rows, columns) = self.image.shape();
        let place = |f: f64| ((f / reach + 1.0) * 0.5 * f64::from(side)).round() as i32;
        let brightest = self.image.max().max(f64::MIN_POSITIVE);
        // Rows and columns of pixels by the cell that shows them.
        let groups = |of: usize| -> Vec<(usize, usize)> {
            let seen: Vec<usize> =
                (0..of).filter(|at| Self::frequency(*at, of).abs() <= reach).collect();
            let each = seen.len().div_ceil(CELLS).max(1);
            seen.chunks(each).map(|part| (part[0], part[part.len() - 1] + 1)).collect()
        };
        let edge =
            |at: usize, of: usize| place(Self::frequency(at, of) - 0.5 / of as f64).clamp(0, side);
        for (top, bottom) in groups(rows) {
            for (left, right) in groups(columns) {
                let cell = self.image.view((top, left), (bottom - top, right - left));
                let bright = (cell.max() / brightest).max(1e-300).log10() / DECADES + 1.0;
                let corners = [
                    (from + edge(left, columns), edge(top, rows)),
                    (from + edge(right, columns), edge(bottom, rows)),
                ];
                area.draw(&Rectangle::new(corners, colour(bright).filled())).map_err(failed)?;
            }
        }
        // No smaller than can be seen.
        let half =
            |size: f64| ((0.25 * size / reach * f64::from(side)) as i32).max(style.pixels(10));
        let (middle, down, across) = (place(0.0), half(self.region.0), half(self.region.1));
        let frame =
            [(from + middle - across, middle - down), (from + middle + across, middle + down)];
        area.draw(&Rectangle::new(frame, style.line(FRAME, 4))).map_err(failed)?;

        let bar = nice_step(3.0 * reach);
        let length = place(bar) - place(0.0);
        let (left, first) = (from + style.pixels(16), side + style.pixels(TEXT + 8) * 3 / 4);
        area.draw(&PathElement::new([(left, first), (left + length, first)], style.line(INK, 5)))
            .map_err(failed)?;
        let unit = format!("{bar} cycles a pixel");
        style.write(area, &unit, TEXT, HPos::Left, (left + length + style.pixels(12), first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_beyond_the_outermost_order_that_is_not_faint() {
        let mut image = DMatrix::zeros(100, 200);
        (image[(50, 100)], image[(50, 120)], image[(50, 190)]) = (1.0, 0.1, 1e-4);
        let plane = FocalPlane { image: &image, region: (0.01, 0.01) };
        assert!((plane.reach() - 0.125).abs() < 1e-12, "{}", plane.reach());
        // A region is seen whole, and nothing lies beyond half a cycle.
        assert!(FocalPlane { region: (0.3, 0.2), ..plane }.reach() == 0.3);
        // Eight pixels of the shorter side, twice the region, all there is.
        let enlarged = [0.01, 0.1, 0.3].map(|size| {
            let region = (0.5 * size, size);
            FocalPlane { image: &image, region }.enlarged()
        });
        assert_eq!(enlarged, [0.08, 0.2, 0.5]);
        let nothing = DMatrix::zeros(8, 8);
        let plane = FocalPlane { image: &nothing, region: (0.1, 0.1) };
        assert_eq!(plane.reach(), 0.5);
        super::super::canvas::svg(&plane, Paper::default()).unwrap();
    }
}
