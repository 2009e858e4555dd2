//! Masks of a phase modulator: patterns at the panel's full resolution.

use std::path::Path;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::{Holder, file_name};
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::layout::{Layout, Region};
use crate::coupler::spim::optics::mask::Mask;
use crate::coupler::spim::{Multiplexing, SpimDevice};
use crate::{Error, Result};

/// The masks of one set of patterns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masks {
    /// The parameter they hold, nodes x patterns.
    pub parameter: String,
    /// Bits of the modulator: grey level g is the phase +2 pi g / 2^bits.
    pub bits: u32,
    /// `+2 pi level / 2^bits`.
    pub sign: String,
    /// The grey level of a full turn.
    pub level_2pi: u32,
    /// Distance between pixels.
    pub pitch_um: f64,
    /// Where nodes sit.
    pub layout: MaskLayout,
    /// One mask a pattern, or one for all in focal-plane division.
    pub masks: Vec<String>,
}

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
    /// Nodes, row by row.
    pub nodes: usize,
    /// Macro-pixels of a row.
    pub columns: usize,
    /// Rows of macro-pixels.
    pub rows: usize,
    /// First row and column of pixels of each block of nodes, and its carrier in cycles a pixel down and across.
    pub regions: Vec<(usize, usize, f64, f64)>,
}

impl MaskLayout {
    fn of(layout: &Layout) -> Self {
        Self {
            width_px: layout.width,
            height_px: layout.height,
            macro_pixel_px: layout.macro_pixel,
            checker_px: layout.checker,
            nodes: layout.nodes,
            columns: layout.columns,
            rows: layout.rows,
            regions: layout.regions.iter().map(|region| (region.top, region.left, region.carrier.0, region.carrier.1)).collect(),
        }
    }

    fn layout(&self) -> Layout {
        let regions = self.regions.iter();
        Layout {
            width: self.width_px,
            height: self.height_px,
            macro_pixel: self.macro_pixel_px,
            checker: self.checker_px,
            nodes: self.nodes,
            columns: self.columns,
            rows: self.rows,
            regions: regions.map(|(top, left, down, across)| Region { top: *top, left: *left, carrier: (*down, *across) }).collect(),
        }
    }
}

/// Writes the masks of `patterns`, nodes x patterns.
pub(super) fn write(bundle: &mut Bundle, parameter: &str, patterns: &DMatrix<f64>, device: &SpimDevice) -> Result<Holder> {
    let mut device = device.clone();
    if device.phase_bits == 0 {
        // Exact phases have no levels: what a modulator usually has.
        device.phase_bits = 8;
    }
    let optics = Optics::new(&device, patterns.nrows())?;
    let layout = &optics.layout;
    let columns: Vec<&[f64]> = patterns.as_slice().chunks(patterns.nrows().max(1)).collect();
    let shows: Vec<&[&[f64]]> = if device.multiplexing == Multiplexing::FocalPlane { vec![&columns] } else { columns.chunks(1).collect() };
    let name = |index: usize| file_name(parameter, &format!(".mask-{:03}.png", index + 1));
    let directory = bundle.path().to_owned();
    let written = shows.par_iter().enumerate().map(|(index, shown)| {
        let mask = Mask::encode(layout, shown, device.phase_bits);
        mask.write_png(&directory.join(name(index)))
    });
    written.collect::<Result<Vec<()>>>()?;
    let mut masks = Vec::new();
    for index in 0..shows.len() {
        let what = format!("mask of {parameter}, pattern {}", index + 1);
        let unit = format!("level: phase +2 pi / {}", 1u32 << device.phase_bits);
        bundle.add(&name(index), &what, Some(&unit), &[layout.height, layout.width])?;
        masks.push(name(index));
    }
    Ok(Holder::Slm(Masks {
        parameter: parameter.into(),
        bits: device.phase_bits,
        sign: format!("+2 pi level / {}", 1u32 << device.phase_bits),
        level_2pi: 1 << device.phase_bits,
        pitch_um: device.pitch_um,
        layout: MaskLayout::of(layout),
        masks,
    }))
}

/// The patterns, nodes x patterns, that the masks in `directory` show.
pub(super) fn read(directory: &Path, held: &Masks) -> Result<DMatrix<f64>> {
    let layout = held.layout.layout();
    let decode = |name: &String| {
        let path = directory.join(name);
        let mask = Mask::read(&path, held.bits, Some((layout.height, layout.width)))?;
        mask.decode(&layout).map_err(|e| Error::input(format!("{}: {e}", path.display())))
    };
    let shown: Vec<Vec<Vec<f64>>> = held.masks.par_iter().map(decode).collect::<Result<_>>()?;
    let columns: Vec<Vec<f64>> = shown.into_iter().flatten().collect();
    Ok(DMatrix::from_fn(layout.nodes, columns.len(), |node, pattern| columns[pattern][node]))
}
