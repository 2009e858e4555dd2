//! Where nodes sit on the panel.
//!
//! A node is a macro-pixel of r x r pixels, divided into a checkerboard of fields of c x c pixels
//! (r a multiple of 2 c, so that both colours cover the same area). Nodes fill a block of
//! macro-pixels row by row, in the middle of the panel or shifted from it, followed by the macro-pixels of the
//! reference where overlaps are read against one; the rest of the panel shows the value 0.
//! For focal-plane division the panel is cut into K regions, each with a block of all nodes and a
//! carrier grating that sends its light to an order of its own (Veraldi et al. 2025,
//! doi:10.1103/PhysRevLett.134.063802).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::limits;
use crate::quantity::range;
use crate::{Error, Result};

/// The modulator's pixels, and what nodes take of them: the table `[device.spim.panel]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Panel {
    /// Pixels from left to right; 0 is as many as the nodes need.
    #[serde(deserialize_with = "range::count")]
    pub width_px: usize,
    /// Pixels from top to bottom; 0 is as many as the nodes need.
    #[serde(deserialize_with = "range::count")]
    pub height_px: usize,
    /// Distance between pixels, micrometres; for manifests.
    #[serde(deserialize_with = "range::positive")]
    pub pitch_um: f64,
    /// The wavelength for which levels are calibrated, nanometres; for manifests.
    #[serde(deserialize_with = "range::positive")]
    pub wavelength_nm: f64,
    /// Pixels along the side of a macro-pixel: one node.
    #[serde(deserialize_with = "range::side")]
    pub macro_pixel_px: usize,
    /// Pixels along the side of a field of the checkerboard.
    #[serde(deserialize_with = "range::side")]
    pub checker_px: usize,
    /// How far to the right of the middle and below it nodes are, so that they are in the middle of
    /// a beam that misses that of the panel; rounded to a period of the checkerboard.
    pub shift_px: [i32; 2],
}

impl Default for Panel {
    fn default() -> Self {
        Self {
            width_px: 0,
            height_px: 0,
            pitch_um: 8.0,
            wavelength_nm: 532.0,
            macro_pixel_px: 8,
            checker_px: 1,
            shift_px: [0, 0],
        }
    }
}

impl Panel {
    /// Height and width, where the panel has both.
    pub fn size(&self) -> Option<(usize, usize)> {
        (self.width_px > 0 && self.height_px > 0).then_some((self.height_px, self.width_px))
    }

    /// Macro-pixels that each of `regions` regions has room for, if the panel is of limited size.
    pub fn room(&self, regions: usize) -> Option<usize> {
        let ((down, across), side) = (division(regions), self.macro_pixel_px);
        self.size().map(|(height, width)| (width / across / side) * (height / down / side))
    }
}

/// How many regions are one below the other, and side by side.
fn division(regions: usize) -> (usize, usize) {
    let across = (regions as f64).sqrt().ceil() as usize;
    (regions.div_ceil(across), across)
}

/// One block of all nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The block's first row of pixels.
    pub top: usize,
    /// The block's first column of pixels.
    pub left: usize,
    /// The carrier's frequency down the panel and across, cycles a pixel.
    pub carrier: (f64, f64),
}

/// Where nodes sit on the panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels along the side of a macro-pixel.
    pub macro_pixel: usize,
    /// Pixels along the side of a checkerboard field.
    pub checker: usize,
    /// Number of nodes.
    pub nodes: usize,
    /// Macro-pixels after those of the nodes that make up the reference of homodyne readout.
    pub reference: usize,
    /// Macro-pixels of a block from left to right.
    pub columns: usize,
    /// Macro-pixels of a block from top to bottom.
    pub rows: usize,
    /// The blocks: one, or one a pattern in focal-plane division.
    pub regions: Vec<Region>,
}

impl Layout {
    /// `nodes` macro-pixels, and after them as many as `reference` says, in each of `regions`
    /// regions.
    ///
    /// # Errors
    /// When a macro-pixel is not a multiple of two checkerboard fields, or the macro-pixels do not
    /// fit the panel.
    pub fn new(panel: &Panel, nodes: usize, reference: usize, regions: usize) -> Result<Self> {
        let placed = nodes + reference;
        let (macro_pixel, checker) = (panel.macro_pixel_px, panel.checker_px);
        if macro_pixel % (2 * checker) != 0 {
            return Err(Error::input(format!(
                "macro_pixel_px = {macro_pixel}: expected a multiple of two checkerboard fields of \
                 checker_px = {checker}"
            )));
        }
        let (down, across) = division(regions);
        let square = (placed as f64).sqrt().ceil() as usize;
        let room = |pixels: usize, cuts: usize, needed: usize| {
            if pixels == 0 { needed } else { pixels / cuts / macro_pixel }
        };
        let most_columns =
            room(panel.width_px, across, if panel.height_px == 0 { square } else { placed });
        let most_rows = room(panel.height_px, down, placed);
        let fits = |columns: &usize| placed.div_ceil(*columns) <= most_rows;
        let beside = match reference {
            0 => String::new(),
            _ => format!(" and {reference} macro-pixels of the reference"),
        };
        let Some(columns) = (square.min(most_columns).max(1)..=most_columns).find(fits) else {
            return Err(Error::input(format!(
                "a panel of {} x {} pixels has room for {most_columns} x {most_rows} macro-pixels of \
                 {macro_pixel} x {macro_pixel} pixels in each of {regions} region(s): {nodes} nodes{beside} do not fit",
                panel.width_px, panel.height_px
            )));
        };
        let rows = placed.div_ceil(columns);
        let (tall, wide) = ([rows, macro_pixel, down], [columns, macro_pixel, across]);
        limits::PIXELS.product(&wide).and(limits::PIXELS.product(&tall)).map_err(Error::input)?;
        let width =
            if panel.width_px == 0 { columns * macro_pixel * across } else { panel.width_px };
        let height = if panel.height_px == 0 { rows * macro_pixel * down } else { panel.height_px };
        limits::PIXELS.product(&[width, height]).map_err(Error::input)?;
        let regions = place(
            regions,
            (down, across),
            (height, width),
            (rows * macro_pixel, columns * macro_pixel),
            2 * checker,
            panel.shift_px,
        )?;
        Ok(Self { width, height, macro_pixel, checker, nodes, reference, columns, rows, regions })
    }

    /// Macro-pixels of a block: of its nodes, then of the reference.
    pub fn macro_pixels(&self) -> usize {
        self.nodes + self.reference
    }

    /// The first row and column of pixels of macro-pixel `node` in `region`.
    pub fn corner(&self, region: &Region, node: usize) -> (usize, usize) {
        (
            region.top + node / self.columns * self.macro_pixel,
            region.left + node % self.columns * self.macro_pixel,
        )
    }

    /// The pixels of `node` in `region`: row and column in the block, and the place on the panel,
    /// row by row.
    pub fn pixels(
        &self,
        region: &Region,
        node: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (width, side, (top, left)) = (self.width, self.macro_pixel, (region.top, region.left));
        let (first_row, first_column) = (node / self.columns * side, node % self.columns * side);
        (first_row..first_row + side).flat_map(move |row| {
            (first_column..first_column + side)
                .map(move |column| (row, column, (top + row) * width + left + column))
        })
    }

    /// Whether a pixel, counted from a block's corner, is on the checkerboard's first colour;
    /// negative ones lie before the block.
    pub fn is_first_colour(&self, row: isize, column: isize) -> bool {
        let field = self.checker as isize;
        (row.div_euclid(field) + column.div_euclid(field)).rem_euclid(2) == 0
    }

    /// The macro-pixel beside `node` at `(down, right)` macro-pixels from it, if there is one.
    pub fn neighbour(&self, node: usize, (down, right): (isize, isize)) -> Option<usize> {
        let (row, column) =
            ((node / self.columns) as isize + down, (node % self.columns) as isize + right);
        let inside = row >= 0 && column >= 0 && column < self.columns as isize;
        let neighbour = inside.then(|| row as usize * self.columns + column as usize)?;
        (neighbour < self.macro_pixels()).then_some(neighbour)
    }
}

/// Blocks in the middle of their regions, or `right` and `below` of it. Carriers sit on a grid about the zero order, between it
/// and half the Nyquist frequency, at least two widths of an order apart.
fn place(
    regions: usize,
    (down, across): (usize, usize),
    (height, width): (usize, usize),
    (block_height, block_width): (usize, usize),
    period: usize,
    [right, below]: [i32; 2],
) -> Result<Vec<Region>> {
    let cut = |index: usize| (index / across, index % across);
    // Corners on a period of the checkerboard keep those of all blocks in step with that of the
    // panel.
    let start = |index: usize, room: usize, block: usize, shift: i32| {
        let left = (room - block) / 2;
        match i64::try_from(left)
            .ok()
            .and_then(|left| usize::try_from(left + i64::from(shift)).ok())
        {
            Some(moved) if moved <= room - block => Ok((index * room + moved) / period * period),
            _ => Err(Error::input(format!(
                "shift_px = [{right}, {below}]: a block of {block} pixels with {left} beside it, in \
                 {room}, cannot move by {shift}"
            ))),
        }
    };
    let corner = |index: usize| -> Result<(usize, usize)> {
        let (row, column) = cut(index);
        Ok((
            start(row, height / down, block_height, below)?,
            start(column, width / across, block_width, right)?,
        ))
    };
    if regions == 1 {
        let (top, left) = corner(0)?;
        return Ok(vec![Region { top, left, carrier: (0.0, 0.0) }]);
    }
    // Carriers (i + 1) spacing, i below the number of regions along that axis: all within a quarter
    // cycle a pixel.
    let spacing = |count: usize| 0.25 / count as f64;
    let (order_height, order_width) = (2.0 / block_height as f64, 2.0 / block_width as f64);
    if spacing(down) < order_height || spacing(across) < order_width {
        return Err(Error::input(format!(
            "{regions} regions: carriers would be {:.5} x {:.5} cycles a pixel apart, less than the \
             width of an order of a block of {block_width} x {block_height} pixels, {order_height:.5} x {order_width:.5}",
            spacing(down),
            spacing(across)
        )));
    }
    let region = |index: usize| {
        let ((row, column), (top, left)) = (cut(index), corner(index)?);
        let carrier = ((row + 1) as f64 * spacing(down), (column + 1) as f64 * spacing(across));
        Ok(Region { top, left, carrier })
    };
    (0..regions).map(region).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(width_px: usize, height_px: usize, macro_pixel_px: usize, checker_px: usize) -> Panel {
        Panel { width_px, height_px, macro_pixel_px, checker_px, ..Panel::default() }
    }

    fn small() -> Panel {
        panel(12, 8, 2, 1)
    }

    #[test]
    fn nodes_fill_the_panel_row_by_row() {
        let layout = Layout::new(&small(), 24, 0, 1).unwrap();
        assert_eq!((layout.columns, layout.rows), (6, 4));
        assert_eq!(layout.corner(&layout.regions[0], 8), (2, 4));
        assert_eq!(layout.neighbour(5, (0, 1)), None);
        assert_eq!(layout.neighbour(5, (1, 0)), Some(11));
    }

    #[test]
    fn as_many_fit_as_there_is_room_for() {
        for regions in [1, 2, 4] {
            let large = panel(1200, 800, 2, 1);
            let most = large.room(regions).unwrap();
            assert!(
                Layout::new(&large, most, 0, regions).is_ok()
                    && Layout::new(&large, most + 1, 0, regions).is_err(),
                "{regions}: {most}"
            );
            assert_eq!(panel(1200, 0, 2, 1).room(regions), None);
        }
    }

    #[test]
    fn a_panel_without_a_size_is_as_large_as_needed() {
        let layout = Layout::new(&panel(0, 0, 4, 2), 21, 0, 1).unwrap();
        assert_eq!((layout.width, layout.height, layout.columns, layout.rows), (20, 20, 5, 5));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let error = Layout::new(&small(), 25, 0, 1).unwrap_err().to_string();
        assert!(
            error.contains("12 x 8") && error.contains("6 x 4") && error.contains("25 nodes"),
            "{error}"
        );
        let error = Layout::new(&panel(12, 8, 2, 4), 4, 0, 1).unwrap_err().to_string();
        assert!(
            error.contains("macro_pixel_px = 2") && error.contains("checker_px = 4"),
            "{error}"
        );
        let error = Layout::new(&small(), 6, 0, 4).unwrap_err().to_string();
        assert!(
            error.contains("4 regions: carriers would be 0.12500")
                && error.contains("6 x 4 pixels"),
            "{error}"
        );
    }

    #[test]
    fn blocks_move_with_the_beam_and_not_beyond_their_regions() {
        let corners = |regions, shift_px| {
            let panel = Panel { shift_px, ..panel(640, 512, 8, 1) };
            let layout = Layout::new(&panel, 100, 0, regions)?;
            Ok::<_, Error>(layout.regions.iter().map(|r| (r.left, r.top)).collect::<Vec<_>>())
        };
        // A block of 80 x 80 pixels, 280 and 216 beside it.
        assert_eq!(corners(1, [0, 0]).unwrap(), [(280, 216)]);
        assert_eq!(corners(1, [101, -40]).unwrap(), [(380, 176)]);
        assert_eq!(corners(1, [280, -216]).unwrap(), [(560, 0)]);
        let (middle, moved) = (corners(4, [0, 0]).unwrap(), corners(4, [20, -10]).unwrap());
        assert!(middle.iter().zip(&moved).all(|(m, s)| (m.0 + 20, m.1 - 10) == *s), "{moved:?}");
        let error = corners(1, [0, 217]).unwrap_err().to_string();
        assert!(error.contains("shift_px = [0, 217]: a block of 80 pixels with 216"), "{error}");
        assert!(corners(4, [0, -89]).is_err() && corners(1, [i32::MIN, 0]).is_err());
    }

    #[test]
    fn regions_do_not_overlap_and_carriers_differ() {
        let layout = Layout::new(&panel(640, 512, 8, 1), 100, 0, 20).unwrap();
        let mut used = vec![false; layout.width * layout.height];
        for region in &layout.regions {
            for row in region.top..region.top + layout.rows * 8 {
                for column in region.left..region.left + layout.columns * 8 {
                    assert!(!std::mem::replace(&mut used[row * layout.width + column], true));
                }
            }
        }
        for (index, region) in layout.regions.iter().enumerate() {
            assert!(layout.regions[..index].iter().all(|other| other.carrier != region.carrier));
        }
    }
}
