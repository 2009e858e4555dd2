//! Where nodes sit on a mask, as a manifest says it.

use serde::{Deserialize, Serialize};

use crate::coupler::spim::optics::layout::{Layout, Region};
use crate::file::limits;
use crate::{Error, Result};

/// Where nodes sit on a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskLayout {
    /// Pixels of the panel from left to right.
    pub width_px: usize,
    /// Pixels of the panel from top to bottom.
    pub height_px: usize,
    /// Pixels along the side of a macro-pixel, one node.
    pub macro_pixel_px: usize,
    /// Pixels along the side of a field of its checkerboard.
    pub checker_px: usize,
    /// Macro-pixels of nodes, row by row.
    pub nodes: usize,
    /// Macro-pixels of the reference of homodyne readout, after those of the nodes.
    pub reference: usize,
    /// Macro-pixels of a row.
    pub columns: usize,
    /// Rows of macro-pixels.
    pub rows: usize,
    /// The blocks of nodes: one, or one a pattern in focal-plane division.
    pub regions: Vec<MaskRegion>,
}

/// One block of nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRegion {
    /// First row of pixels.
    pub top_px: usize,
    /// First column of pixels.
    pub left_px: usize,
    /// Its grating, cycles a pixel down and across from the block's corner.
    pub carrier: (f64, f64),
}

impl MaskLayout {
    pub(super) fn of(layout: &Layout) -> Self {
        let region = |region: &Region| MaskRegion {
            top_px: region.top,
            left_px: region.left,
            carrier: region.carrier,
        };
        Self {
            width_px: layout.width,
            height_px: layout.height,
            macro_pixel_px: layout.macro_pixel,
            checker_px: layout.checker,
            nodes: layout.nodes,
            reference: layout.reference,
            columns: layout.columns,
            rows: layout.rows,
            regions: layout.regions.iter().map(region).collect(),
        }
    }

    pub(super) fn layout(&self) -> Result<Layout> {
        let side = |count: usize| count.saturating_mul(self.macro_pixel_px);
        let outside = |region: &MaskRegion| {
            region.top_px.saturating_add(side(self.rows)) > self.height_px
                || region.left_px.saturating_add(side(self.columns)) > self.width_px
        };
        limits::PIXELS
            .product(&[self.width_px, self.height_px])
            .map_err(|message| Error::input(format!("layout: {message}")))?;
        if self.checker_px == 0
            || self.macro_pixel_px == 0
            || self.nodes.saturating_add(self.reference) > self.rows.saturating_mul(self.columns)
            || self.regions.iter().any(outside)
        {
            return Err(Error::input(format!(
                "layout: {} x {} macro-pixels of {} px for {} of them do not fit a panel of {} x {} \
                 pixels",
                self.columns,
                self.rows,
                self.macro_pixel_px,
                self.nodes.saturating_add(self.reference),
                self.width_px,
                self.height_px
            )));
        }
        let region = |region: &MaskRegion| Region {
            top: region.top_px,
            left: region.left_px,
            carrier: region.carrier,
        };
        Ok(Layout {
            width: self.width_px,
            height: self.height_px,
            macro_pixel: self.macro_pixel_px,
            checker: self.checker_px,
            nodes: self.nodes,
            reference: self.reference,
            columns: self.columns,
            rows: self.rows,
            regions: self.regions.iter().map(region).collect(),
        })
    }

    /// The same with every carrier 0.
    pub(super) fn without_carriers(&self) -> Self {
        let mut layout = self.clone();
        layout.regions.iter_mut().for_each(|region| region.carrier = (0.0, 0.0));
        layout
    }
}
