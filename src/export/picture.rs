//! A contact sheet of what will be loaded.

use std::path::Path;

use nalgebra::DMatrix;

use super::Holder;
use super::bundle::Bundle;
use crate::coupler::spim::optics::mask::{Drive, Mask};
use crate::file::matrix::read_matrix;
use crate::{Error, Result};

/// What draws a contact sheet as a PNG file.
pub type Draw = fn(&ContactSheet, &Path) -> Result<()>;

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    /// What stands below it.
    pub name: String,
    /// 0 to 1, rows from top to bottom.
    pub cells: DMatrix<f64>,
}

/// Pictures under a title.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactSheet {
    /// What they are, with the ends of the scale.
    pub title: String,
    /// Whether cells are grey from black to white, rather than coloured.
    pub grey: bool,
    /// The pictures, [`MOST`](Self::MOST) at most.
    pub thumbnails: Vec<Thumbnail>,
    /// How many there are in all.
    pub all: usize,
}

impl ContactSheet {
    /// Pictures on a sheet at most.
    pub const MOST: usize = 48;
    /// Cells along the side of a picture at most.
    pub const CELLS: usize = 128;
}

/// Writes `contact-sheet.png` of masks or conductances, read from the files themselves.
pub(super) fn write(bundle: &mut Bundle, held: &[Holder], draw: Draw) -> Result<()> {
    let directory = bundle.path().to_owned();
    let (mut thumbnails, mut all, mut title) = (Vec::new(), 0, String::new());
    let grey = held.iter().any(|holder| matches!(holder, Holder::Slm(_)));
    for holder in held {
        match holder {
            Holder::Plain { .. } => {}
            Holder::Slm(masks) => {
                let (layout, highest) = (&masks.layout, (1u32 << masks.bits) - 1);
                let (height, width) = (layout.height_px, layout.width_px);
                title = format!(
                    "Masks as they are loaded, {width} x {height} pixels: level 0 black, {highest} white"
                );
                all += masks.masks.len();
                for (index, mask) in masks.masks.iter().enumerate() {
                    if thumbnails.len() >= ContactSheet::MOST {
                        break;
                    }
                    let Drive::Levels(levels) =
                        Mask::read(&directory.join(&mask.file), masks.bits, None)?.drive
                    else {
                        continue;
                    };
                    let level = |at: usize| f64::from(levels[at]) / f64::from(highest);
                    let name = format!("{} {}", masks.parameter, index + 1);
                    thumbnails.push(Thumbnail { name, cells: shrunk((height, width), level) });
                }
            }
            Holder::Crossbar(array) => {
                let (low, high) = (array.g_min_us, array.g_max_us);
                title = format!(
                    "Target conductances, word lines down, bit lines across: dark {low} uS, bright {high} uS"
                );
                all += 2 * array.tiles.len();
                for tile in &array.tiles {
                    if thumbnails.len() >= ContactSheet::MOST {
                        break;
                    }
                    for file in [&tile.plus, &tile.minus] {
                        let g = read_matrix(&directory.join(file))?;
                        let (rows, columns) = g.shape();
                        let level =
                            |at: usize| (g[(at / columns, at % columns)] - low) / (high - low);
                        let cells = shrunk((rows, columns), level);
                        thumbnails.push(Thumbnail {
                            name: file.trim_end_matches(".npy").replace(".weights.tile-", " "),
                            cells,
                        });
                    }
                }
            }
        }
    }
    if thumbnails.is_empty() {
        return Err(Error::input("nothing to show: the machine has no arrays"));
    }
    thumbnails.truncate(ContactSheet::MOST);
    let sheet = ContactSheet { title, grey, thumbnails, all };
    draw(&sheet, &directory.join("contact-sheet.png"))?;
    bundle.add("contact-sheet.png", "what will be loaded, at a glance", None, &[])
}

/// A picture of `level`, row by row, each cell the mean of a square: [`ContactSheet::CELLS`] along a
/// side at most.
fn shrunk((height, width): (usize, usize), level: impl Fn(usize) -> f64) -> DMatrix<f64> {
    let side = height.max(width).div_ceil(ContactSheet::CELLS).max(1);
    DMatrix::from_fn(height.div_ceil(side), width.div_ceil(side), |row, column| {
        let (rows, columns) = (
            row * side..((row + 1) * side).min(height),
            column * side..((column + 1) * side).min(width),
        );
        let count = rows.len() * columns.len();
        let all = rows.flat_map(|i| columns.clone().map(move |j| i * width + j));
        all.map(&level).sum::<f64>() / count as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_shown_as_it_is_and_the_rest_by_means() {
        let level = |at: usize| at as f64;
        assert_eq!(
            shrunk((2, 3), level),
            DMatrix::from_row_slice(2, 3, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        );
        let width = ContactSheet::CELLS + 1;
        // Squares of two, the last of them cut.
        let cells = shrunk((3, width), |at| (at % width) as f64);
        assert_eq!(cells.shape(), (2, width.div_ceil(2)));
        assert_eq!((cells[(0, 0)], cells[(1, 0)]), (0.5, 0.5));
        assert_eq!(cells[(0, width.div_ceil(2) - 1)], (width - 1) as f64);
    }
}
