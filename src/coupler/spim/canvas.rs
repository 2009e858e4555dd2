//! A laboratory's panel: where macro-pixels lie on it, and what levels show their values.

use super::optics::Optics;
use super::optics::display::Display;
use super::optics::layout::Layout;
use super::optics::levels::Levels;
use super::optics::mask::{Drive, Mask};

/// Where an aperture's macro-pixels lie on the panel, and how they are painted.
#[derive(Debug)]
pub(super) struct Canvas {
    pub layout: Layout,
    levels: Levels,
    /// How many of the modulator's levels one of the experiment's is.
    shift: u32,
    /// Bytes of a level.
    pub bytes: usize,
    /// Nodes, and macro-pixels of a region.
    pub nodes: usize,
    pub all: usize,
    pub regions: usize,
    /// The values of the reference's macro-pixels at phase 0.
    pub reference: Vec<f64>,
    /// The panel with all macro-pixels at 0.
    background: Vec<u8>,
}

impl Canvas {
    pub fn new(optics: Optics, panel_bits: u32, regions: usize) -> Self {
        let reference = Display::new(&optics).reference().to_vec();
        let Optics { layout, levels, .. } = optics;
        let shift = panel_bits - levels.bits();
        let bytes = if panel_bits > 8 { 2 } else { 1 };
        let (all, nodes, background) = (layout.macro_pixels(), layout.nodes, Vec::new());
        let mut canvas =
            Self { layout, levels, shift, bytes, nodes, all, regions, reference, background };
        let mut background = vec![0; canvas.size()];
        canvas.encode(&vec![0.0; regions * all], &mut background);
        canvas.background = background;
        canvas
    }

    /// Bytes of a mask.
    pub fn size(&self) -> usize {
        self.layout.height * self.layout.width * self.bytes
    }

    /// The mask of `values`, regions x macro-pixels, pixel by pixel.
    fn encode(&self, values: &[f64], to: &mut [u8]) {
        let values: Vec<&[f64]> = values.chunks_exact(self.all.max(1)).collect();
        let Drive::Levels(levels) = Mask::encode(&self.layout, &values, &self.levels).drive else {
            return;
        };
        for (to, level) in to.chunks_exact_mut(self.bytes).zip(levels) {
            to.copy_from_slice(&(level << self.shift).to_le_bytes()[..self.bytes]);
        }
    }

    /// The same from the background, where only macro-pixels differ from it: line by line, each one
    /// of two.
    pub fn paint(&self, values: &[f64], to: &mut [u8]) {
        // A carrier moves every pixel.
        if self.regions > 1 {
            return self.encode(values, to);
        }
        to.copy_from_slice(&self.background);
        let Layout { macro_pixel: side, checker, columns, width, .. } = self.layout;
        let region = &self.layout.regions[0];
        let mut lines = [Vec::new(), Vec::new()];
        for (node, value) in values.iter().enumerate() {
            let pair = self.levels.pair(self.levels.entry(*value));
            let pair = pair.map(|level| (level << self.shift).to_le_bytes());
            let (row, column) = (node / columns * side, node % columns * side);
            for (colour, line) in lines.iter_mut().enumerate() {
                let shown = |column: usize| &pair[(colour + column / checker) % 2][..self.bytes];
                line.clear();
                (column..column + side).for_each(|column| line.extend_from_slice(shown(column)));
            }
            for row in row..row + side {
                let at = ((region.top + row) * width + region.left + column) * self.bytes;
                let line = &lines[row / checker % 2];
                to[at..at + line.len()].copy_from_slice(line);
            }
        }
    }
}
