//! Masks of a phase modulator: patterns at the panel's full resolution.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::{Holder, file_name};
use crate::arithmetic::real::Real;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::layout::{Layout, Region};
use crate::coupler::spim::optics::mask::{Drive, Mask, decode_phases};
use crate::coupler::spim::{Multiplexing, SpimDevice};
use crate::file::matrix::{read_matrix, read_vector, write_matrix_f32};
use crate::{Error, Result};

/// How masks are written.
#[derive(Clone, Debug, Default)]
pub struct MaskOptions {
    /// Bits of the levels, where the device does not say.
    pub bits: Option<u32>,
    /// Whether levels follow the device's own phase response.
    pub response: bool,
    /// Whether a higher level retards the phase.
    pub falling: bool,
    /// Phases to add to every mask: a matrix of radians, or a grey PNG of levels.
    pub correction: Option<PathBuf>,
    /// A grating to add to the nodes, cycles a pixel down and across.
    pub carrier: (f64, f64),
    /// Whether the phases of every pixel are written beside each mask.
    pub phases: bool,
}

/// The masks of one set of patterns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masks {
    /// The parameter they hold, nodes x patterns.
    pub parameter: String,
    /// Bits of the modulator.
    pub bits: u32,
    /// What a level adds to the phase: 1 for +2 pi level / 2^bits, -1 for its opposite.
    pub sign: i8,
    /// The grey level of a full turn; absent where the response never reaches one.
    pub level_2pi: Option<u32>,
    /// The phase of each level in radians, where it is not 2 pi level / 2^bits.
    pub response: Option<String>,
    /// Radians that were added to every mask.
    pub correction: Option<String>,
    /// The wavelength for which levels are calibrated.
    pub wavelength_nm: f64,
    /// Distance between pixels.
    pub pitch_um: f64,
    /// Where nodes sit.
    pub layout: MaskLayout,
    /// The phase of each node's first colour in radians before it became a level, patterns x nodes.
    pub phases: String,
    /// One mask a pattern, or one for all in focal-plane division.
    pub masks: Vec<MaskFile>,
}

/// One mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskFile {
    /// The grey PNG.
    pub file: String,
    /// The phases of its pixels in radians, where they are written.
    pub phases: Option<String>,
    /// What each region sends into its order, over the light of the panel: what a perfect modulator
    /// in an even beam would show.
    pub orders: Vec<f64>,
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
    fn of(layout: &Layout) -> Self {
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
            columns: layout.columns,
            rows: layout.rows,
            regions: layout.regions.iter().map(region).collect(),
        }
    }

    fn layout(&self) -> Result<Layout> {
        let side = |count: usize| count.saturating_mul(self.macro_pixel_px);
        let outside = |region: &MaskRegion| {
            region.top_px.saturating_add(side(self.rows)) > self.height_px
                || region.left_px.saturating_add(side(self.columns)) > self.width_px
        };
        if self.checker_px == 0
            || self.nodes > self.rows.saturating_mul(self.columns)
            || self.regions.iter().any(outside)
        {
            return Err(Error::input(format!(
                "layout: {} x {} macro-pixels of {} px for {} nodes do not fit a panel of {} x {} pixels",
                self.columns,
                self.rows,
                self.macro_pixel_px,
                self.nodes,
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
            columns: self.columns,
            rows: self.rows,
            regions: self.regions.iter().map(region).collect(),
        })
    }

    /// What `values` of one region send into its order.
    fn order(&self, values: &[f64]) -> f64 {
        let share = self.macro_pixel_px.pow(2) as f64 / (self.width_px * self.height_px) as f64;
        (values.iter().sum::<f64>() * share).powi(2)
    }
}

/// From phases to levels and back.
struct Levels {
    bits: u32,
    sign: f64,
    /// The phase of each level.
    response: Vec<f64>,
    /// Levels by their phase within a turn.
    sorted: Vec<(f64, u16)>,
}

impl Levels {
    fn new(bits: u32, sign: i8, response: Option<Vec<f64>>) -> Self {
        let levels = 1u32 << bits;
        let response = response.unwrap_or_else(|| {
            (0..levels).map(|level| TAU * f64::from(level) / f64::from(levels)).collect()
        });
        let mut sorted: Vec<(f64, u16)> =
            response.iter().zip(0..).map(|(phase, level)| (phase.rem_euclid(TAU), level)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { bits, sign: f64::from(sign), response, sorted }
    }

    /// The level whose phase is nearest.
    fn level(&self, phase: f64) -> u16 {
        let wanted = (self.sign * phase).rem_euclid(TAU);
        let at = self.sorted.partition_point(|(phase, _)| *phase < wanted);
        let count = self.sorted.len();
        let (below, above) = (self.sorted[(at + count - 1) % count], self.sorted[at % count]);
        let distance = |phase: f64| (phase - wanted).abs().min(TAU - (phase - wanted).abs());
        if distance(below.0) < distance(above.0) { below.1 } else { above.1 }
    }

    fn phase(&self, level: u16) -> f64 {
        self.sign * self.response[usize::from(level)]
    }

    /// The largest distance between neighbouring phases.
    fn coarseness(&self) -> f64 {
        let first = self.sorted[0].0;
        let after = self.sorted[1..].iter().map(|level| level.0).chain([first + TAU]);
        self.sorted.iter().zip(after).map(|(level, next)| next - level.0).fold(0.0, f64::max)
    }

    fn level_2pi(&self) -> Option<u32> {
        let step = self.response[self.response.len() - 1] - self.response[self.response.len() - 2];
        let reached = self.response.iter().position(|phase| *phase >= TAU - 1e-9);
        let after_last = self.response[self.response.len() - 1] + step >= TAU - 1e-9;
        reached.or(after_last.then_some(self.response.len())).map(|level| level as u32)
    }
}

/// The bits in which masks of `device` are written.
fn bits(device: &SpimDevice, asked: Option<u32>) -> Result<u32> {
    match (device.phase_bits, asked) {
        // Exact phases have no levels: what a modulator usually has.
        (0, asked) => Ok(asked.unwrap_or(8)),
        (own, None) => Ok(own),
        (own, Some(asked)) if own == asked => Ok(own),
        (own, Some(asked)) => Err(Error::input(format!(
            "--bits {asked}: the modulator has {own} bits (phase_bits of {})",
            device.sheet.as_deref().unwrap_or("[device.spim]")
        ))),
    }
}

/// The correction in `path`, row by row in radians.
fn read_correction(path: &Path, layout: &Layout, bits: u32) -> Result<DMatrix<f64>> {
    let size = (layout.height, layout.width);
    if path.extension().is_some_and(|extension| extension == "png") {
        let Drive::Levels(levels) = Mask::read(path, bits.min(8), Some(size))?.drive else {
            unreachable!("a file has levels")
        };
        return Ok(DMatrix::from_row_iterator(
            size.0,
            size.1,
            levels.iter().map(|level| TAU * f64::from(*level) / f64::from(1u32 << bits.min(8))),
        ));
    }
    let radians = read_matrix(path)?;
    if radians.shape() == size {
        return Ok(radians);
    }
    let (path, (rows, columns)) = (path.display(), radians.shape());
    Err(Error::input(format!(
        "{path}: expected {} x {} radians, rows x columns of the panel, found {rows} x {columns}",
        size.0, size.1
    )))
}

/// Writes the masks of `patterns`, nodes x patterns.
pub(super) fn write(
    bundle: &mut Bundle,
    parameter: &str,
    patterns: &DMatrix<f64>,
    device: &SpimDevice,
    options: &MaskOptions,
) -> Result<Holder> {
    let mut device = device.clone();
    device.phase_bits = bits(&device, options.bits)?;
    let optics = Optics::new(&device, patterns.nrows())?;
    let mut layout = optics.layout.clone();
    for region in &mut layout.regions {
        region.carrier =
            (region.carrier.0 + options.carrier.0, region.carrier.1 + options.carrier.1);
    }
    let count = 1u32 << device.phase_bits;
    let response = options.response.then(|| {
        (0..count)
            .map(|level| optics.response.phase(f64::from(level) / f64::from(count)))
            .collect::<Vec<f64>>()
    });
    let sign = if options.falling { -1 } else { 1 };
    let levels = Levels::new(device.phase_bits, sign, response.clone());
    let correction = options
        .correction
        .as_deref()
        .map(|path| read_correction(path, &layout, device.phase_bits))
        .transpose()?;
    let plain = response.is_none() && correction.is_none() && !options.falling;

    let columns: Vec<&[f64]> = patterns.as_slice().chunks(patterns.nrows().max(1)).collect();
    let shows: Vec<&[&[f64]]> = if device.multiplexing == Multiplexing::FocalPlane {
        vec![&columns]
    } else {
        columns.chunks(1).collect()
    };
    let name =
        |index: usize, rest: &str| file_name(parameter, &format!(".mask-{:03}{rest}", index + 1));
    let added = correction.as_ref().map(DMatrix::transpose);
    let phases = |shown: &[&[f64]]| {
        let Drive::Phases(mut phases) = Mask::encode(&layout, shown, 0).drive else {
            unreachable!("0 bits are phases")
        };
        for (phase, more) in phases.iter_mut().zip(added.iter().flat_map(|added| added.iter())) {
            *phase = (*phase + more).rem_euclid(TAU);
        }
        phases
    };
    let directory = bundle.path().to_owned();
    let written = shows.par_iter().enumerate().map(|(index, shown)| {
        let mask = if plain {
            Mask::encode(&layout, shown, device.phase_bits)
        } else {
            let shown = phases(shown).iter().map(|phase| levels.level(*phase)).collect();
            Mask::from_levels(layout.height, layout.width, device.phase_bits, shown)?
        };
        if options.phases {
            let matrix = DMatrix::from_row_iterator(layout.height, layout.width, phases(shown));
            write_matrix_f32(&directory.join(name(index, ".phase.npy")), &matrix)?;
        }
        mask.write_png(&directory.join(name(index, ".png")))
    });
    written.collect::<Result<Vec<()>>>()?;

    let held = MaskLayout::of(&layout);
    let panel = [layout.height, layout.width];
    let mut masks = Vec::new();
    for (index, shown) in shows.iter().enumerate() {
        let (file, what) =
            (name(index, ".png"), format!("mask of {parameter}, pattern {}", index + 1));
        bundle.add(&file, &what, Some("level"), &panel)?;
        let phases = options.phases.then(|| name(index, ".phase.npy"));
        if let Some(phases) = &phases {
            bundle.add(phases, &format!("phases of {file}, float32"), Some("rad"), &panel)?;
        }
        masks.push(MaskFile {
            file,
            phases,
            orders: shown.iter().map(|values| held.order(values)).collect(),
        });
    }
    let node_phases = file_name(parameter, ".phases.npy");
    write_matrix_f32(
        &directory.join(&node_phases),
        &patterns.transpose().map(|value| value.clamp(-1.0, 1.0).acos()),
    )?;
    bundle.add(
        &node_phases,
        "phase of each node's first colour, patterns x nodes, float32",
        Some("rad"),
        &[patterns.ncols(), patterns.nrows()],
    )?;
    let mut extra = |name: &str, what: &str, matrix: &DMatrix<f64>| {
        bundle.write_matrix(&file_name(parameter, name), what, "rad", matrix)
    };
    let of_levels = |phases: Vec<f64>| DMatrix::from_vec(phases.len(), 1, phases);
    Ok(Holder::Slm(Masks {
        parameter: parameter.into(),
        bits: device.phase_bits,
        sign,
        level_2pi: levels.level_2pi(),
        response: response
            .map(|phases| extra(".response", "phase of each level", &of_levels(phases)))
            .transpose()?,
        correction: correction
            .map(|radians| extra(".correction", "phase added to every mask", &radians))
            .transpose()?,
        wavelength_nm: device.wavelength_nm,
        pitch_um: device.pitch_um,
        layout: held,
        phases: node_phases,
        masks,
    }))
}

/// The patterns, nodes x patterns, that the masks in `directory` show.
pub(super) fn read(directory: &Path, held: &Masks) -> Result<DMatrix<f64>> {
    let layout = held.layout.layout()?;
    if !(1..=16).contains(&held.bits) {
        return Err(Error::input(format!(
            "{}: bits = {}: expected 1 to 16",
            held.parameter, held.bits
        )));
    }
    let response = held.response.as_ref().map(|file| -> Result<Vec<f64>> {
        let (path, levels) = (directory.join(file), 1usize << held.bits);
        let phases = read_vector(&path)?;
        if phases.len() == levels {
            return Ok(phases.as_slice().to_vec());
        }
        Err(Error::input(format!(
            "{}: expected {levels} phases, one a level, found {}",
            path.display(),
            phases.len()
        )))
    });
    let response = response.transpose()?;
    let correction = held
        .correction
        .as_ref()
        .map(|file| read_correction(&directory.join(file), &layout, held.bits))
        .transpose()?;
    let subtracted = correction.as_ref().map(DMatrix::transpose);
    let plain = response.is_none() && correction.is_none() && held.sign > 0;
    let levels = Levels::new(held.bits, held.sign, response);
    let decode = |mask: &MaskFile| {
        let path = directory.join(&mask.file);
        let shown = Mask::read(&path, levels.bits, Some((layout.height, layout.width)))?;
        let values = match &shown.drive {
            Drive::Levels(shown) if !plain => {
                let mut phases: Vec<f64> = shown.iter().map(|level| levels.phase(*level)).collect();
                for (phase, less) in phases
                    .iter_mut()
                    .zip(subtracted.iter().flat_map(|subtracted| subtracted.iter()))
                {
                    *phase -= less;
                }
                decode_phases(&layout, &phases, 1.01 * levels.coarseness())
            }
            _ => shown.decode(&layout),
        };
        values.map_err(|e| Error::input(format!("{}: {e}", path.display())))
    };
    let shown: Vec<Vec<Vec<f64>>> = held.masks.par_iter().map(decode).collect::<Result<_>>()?;
    let columns: Vec<Vec<f64>> = shown.into_iter().flatten().collect();
    Ok(DMatrix::from_fn(layout.nodes, columns.len(), |node, pattern| columns[pattern][node]))
}

/// Masks whose patterns, among the `values` held by each of `holders`, do not send into their
/// orders what is said of them.
pub(super) fn wrong_light<T: Real>(holders: &[Holder], values: &[DMatrix<T>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (holder, patterns) in holders.iter().zip(values) {
        let Holder::Slm(held) = holder else { continue };
        let expected =
            held.masks.iter().flat_map(|mask| mask.orders.iter().map(|order| (&mask.file, *order)));
        // Rounding to levels moves no node's value by more than half a level of phase.
        let rounding = held.layout.order(&vec![1.0; held.layout.nodes]).sqrt() * TAU
            / f64::from(1u32 << held.bits);
        for ((file, order), pattern) in expected.zip(patterns.column_iter()) {
            let pattern: Vec<f64> = pattern.iter().map(|value| value.f64()).collect();
            let found = held.layout.order(&pattern);
            if (order.sqrt() - found.sqrt()).abs() > rounding {
                wrong.push(format!("{file}: it sends {found} of the light into its order, the manifest says {order}"));
            }
        }
    }
    wrong
}
