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
                let (side, highest) = (masks.layout.macro_pixel_px, (1u32 << masks.bits) - 1);
                title =
                    format!("Masks: the first pixel of each node, level 0 black, {highest} white");
                // One mask of many regions shows each; else the first region of each mask.
                all += masks.masks.len() * masks.layout.regions.len();
                for (index, mask) in masks.masks.iter().enumerate() {
                    if thumbnails.len() >= ContactSheet::MOST {
                        break;
                    }
                    let Drive::Levels(levels) =
                        Mask::read(&directory.join(&mask.file), masks.bits, None)?.drive
                    else {
                        continue;
                    };
                    for (order, region) in masks.layout.regions.iter().enumerate() {
                        let pixel = |row: usize, column: usize| {
                            (region.top_px + row * side) * masks.layout.width_px
                                + region.left_px
                                + column * side
                        };
                        let level = |row: usize, column: usize| {
                            f64::from(levels[pixel(row, column)]) / f64::from(highest)
                        };
                        let cells =
                            DMatrix::from_fn(masks.layout.rows, masks.layout.columns, level);
                        thumbnails.push(Thumbnail {
                            name: format!("{} {}", masks.parameter, index + order + 1),
                            cells,
                        });
                    }
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
                        let cells =
                            read_matrix(&directory.join(file))?.map(|g| (g - low) / (high - low));
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
