//! Masks of a phase modulator: patterns at the panel's full resolution.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::{Holder, file_name};
use crate::arithmetic::real::Real;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::layout::{Layout, Region};
use crate::coupler::spim::optics::mask::{Drive, Mask, decode_phases};
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
                "layout: {} x {} macro-pixels of {} px for {} nodes do not fit a panel of {} x {} \
                 pixels",
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
    match (device.quantisation.bits, asked) {
        // Exact phases have no levels: what a modulator usually has.
        (0, asked) => Ok(asked.unwrap_or(8)),
        (own, None) => Ok(own),
        (own, Some(asked)) if own == asked => Ok(own),
        (own, Some(asked)) => Err(Error::input(format!(
            "--bits {asked}: the modulator has {own} bits (quantisation.bits of {})",
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

/// How values become the pixels of masks that a panel is asked for, and back.
struct Translation {
    layout: Layout,
    levels: Levels,
    /// The phase of each level, where it is not 2 pi level / 2^bits.
    response: Option<Vec<f64>>,
    /// Radians on top of every mask, rows x columns.
    correction: Option<DMatrix<f64>>,
    /// The correction row by row.
    by_pixel: Vec<f64>,
    /// Whether masks are gauge encoding and nothing else.
    plain: bool,
}

impl Translation {
    fn new(
        layout: Layout,
        bits: u32,
        sign: i8,
        response: Option<Vec<f64>>,
        correction: Option<&Path>,
    ) -> Result<Self> {
        let read = |path| read_correction(path, &layout, bits);
        let correction = correction.map(read).transpose()?;
        let by_pixel = correction
            .as_ref()
            .map_or(Vec::new(), |radians| radians.transpose().as_slice().to_vec());
        Ok(Self {
            plain: response.is_none() && correction.is_none() && sign > 0,
            levels: Levels::new(bits, sign, response.clone()),
            layout,
            response,
            correction,
            by_pixel,
        })
    }

    /// The phases, in [0, 2 pi), of a mask that shows `values`.
    fn phases(&self, values: &[&[f64]]) -> Vec<f64> {
        let Drive::Phases(mut phases) = Mask::encode(&self.layout, values, 0).drive else {
            unreachable!("0 bits are phases")
        };
        for (phase, more) in phases.iter_mut().zip(&self.by_pixel) {
            *phase = (*phase + more).rem_euclid(TAU);
        }
        phases
    }

    /// The mask that shows `values`.
    fn mask(&self, values: &[&[f64]]) -> Result<Mask> {
        let (layout, bits) = (&self.layout, self.levels.bits);
        if self.plain {
            return Ok(Mask::encode(layout, values, bits));
        }
        let levels = self.phases(values).iter().map(|phase| self.levels.level(*phase)).collect();
        Mask::from_levels(layout.height, layout.width, bits, levels)
    }

    /// The values that the mask in `path` shows.
    fn read(&self, path: &Path) -> Result<Vec<Vec<f64>>> {
        let size = Some((self.layout.height, self.layout.width));
        let shown = Mask::read(path, self.levels.bits, size)?;
        let values = match &shown.drive {
            Drive::Levels(levels) if !self.plain => {
                let mut phases: Vec<f64> =
                    levels.iter().map(|level| self.levels.phase(*level)).collect();
                for (phase, less) in phases.iter_mut().zip(&self.by_pixel) {
                    *phase -= less;
                }
                decode_phases(&self.layout, &phases, 1.01 * self.levels.coarseness())
            }
            _ => shown.decode(&self.layout),
        };
        values.map_err(|e| Error::input(format!("{}: {e}", path.display())))
    }
}

/// What `options` ask of masks of `device` for `nodes` nodes.
fn translation(device: &SpimDevice, nodes: usize, options: &MaskOptions) -> Result<Translation> {
    let bits = bits(device, options.bits)?;
    let optics =
        Optics::new(&device.clone().with(|device| device.quantisation.bits = bits), nodes)?;
    let mut layout = optics.layout;
    for region in &mut layout.regions {
        region.carrier =
            (region.carrier.0 + options.carrier.0, region.carrier.1 + options.carrier.1);
    }
    let count = 1u32 << bits;
    let phase = |level| optics.response.phase(f64::from(level) / f64::from(count));
    let response = options.response.then(|| (0..count).map(phase).collect());
    let sign = if options.falling { -1 } else { 1 };
    Translation::new(layout, bits, sign, response, options.correction.as_deref())
}

/// The name of a file of mask `index` of `parameter`.
fn mask_name(parameter: &str, index: usize, rest: &str) -> String {
    file_name(parameter, &format!(".mask-{:03}{rest}", index + 1))
}

/// Writes the masks of `patterns`, nodes x patterns.
pub(super) fn write(
    bundle: &mut Bundle,
    parameter: &str,
    patterns: &DMatrix<f64>,
    device: &SpimDevice,
    options: &MaskOptions,
) -> Result<Holder> {
    let translation = translation(device, patterns.nrows(), options)?;
    let columns: Vec<&[f64]> = patterns.as_slice().chunks(patterns.nrows().max(1)).collect();
    let shows = device.masks(&columns);
    let masks = write_masks(bundle, parameter, &translation, &shows, options.phases)?;
    let phases = write_node_phases(bundle, parameter, patterns)?;
    let mut extra = |name: &str, what: &str, matrix: &DMatrix<f64>| {
        bundle.write_matrix(&file_name(parameter, name), what, "rad", matrix)
    };
    let Translation { layout, levels, response, correction, .. } = translation;
    let of_levels = |phases: Vec<f64>| DMatrix::from_vec(phases.len(), 1, phases);
    Ok(Holder::Slm(Masks {
        parameter: parameter.into(),
        bits: levels.bits,
        sign: if options.falling { -1 } else { 1 },
        level_2pi: levels.level_2pi(),
        response: response
            .map(|phases| extra(".response", "phase of each level", &of_levels(phases)))
            .transpose()?,
        correction: correction
            .map(|radians| extra(".correction", "phase added to every mask", &radians))
            .transpose()?,
        wavelength_nm: device.panel.wavelength_nm,
        pitch_um: device.panel.pitch_um,
        layout: MaskLayout::of(&layout),
        phases,
        masks,
    }))
}

/// Writes a mask for each of `shows`, the patterns that share it, with its phases where asked.
fn write_masks(
    bundle: &mut Bundle,
    parameter: &str,
    translation: &Translation,
    shows: &[&[&[f64]]],
    with_phases: bool,
) -> Result<Vec<MaskFile>> {
    let directory = bundle.path().to_owned();
    let (height, width) = (translation.layout.height, translation.layout.width);
    let written = shows.par_iter().enumerate().map(|(index, shown)| {
        if with_phases {
            let matrix = DMatrix::from_row_iterator(height, width, translation.phases(shown));
            let name = mask_name(parameter, index, ".phase.npy");
            write_matrix_f32(&directory.join(name), &matrix)?;
        }
        let name = mask_name(parameter, index, ".png");
        translation.mask(shown)?.write_png(&directory.join(name))
    });
    written.collect::<Result<Vec<()>>>()?;

    let (held, panel) = (MaskLayout::of(&translation.layout), [height, width]);
    let mut masks = Vec::new();
    for (index, shown) in shows.iter().enumerate() {
        let file = mask_name(parameter, index, ".png");
        let what = format!("mask of {parameter}, pattern {}", index + 1);
        bundle.add(&file, &what, Some("level"), &panel)?;
        let phases = with_phases.then(|| mask_name(parameter, index, ".phase.npy"));
        if let Some(phases) = &phases {
            bundle.add(phases, &format!("phases of {file}, float32"), Some("rad"), &panel)?;
        }
        let orders = shown.iter().map(|values| held.order(values)).collect();
        masks.push(MaskFile { file, phases, orders });
    }
    Ok(masks)
}

/// Writes the phase of each node's first colour, and returns the file's name.
fn write_node_phases(
    bundle: &mut Bundle,
    parameter: &str,
    patterns: &DMatrix<f64>,
) -> Result<String> {
    let name = file_name(parameter, ".phases.npy");
    let phases = patterns.transpose().map(|value| value.clamp(-1.0, 1.0).acos());
    write_matrix_f32(&bundle.path().join(&name), &phases)?;
    bundle.add(
        &name,
        "phase of each node's first colour, patterns x nodes, float32",
        Some("rad"),
        &[patterns.ncols(), patterns.nrows()],
    )?;
    Ok(name)
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
    let correction = held.correction.as_ref().map(|file| directory.join(file));
    let translation =
        Translation::new(layout, held.bits, held.sign, response, correction.as_deref())?;
    let read = |mask: &MaskFile| translation.read(&directory.join(&mask.file));
    let shown: Vec<Vec<Vec<f64>>> = held.masks.par_iter().map(read).collect::<Result<_>>()?;
    let columns: Vec<Vec<f64>> = shown.into_iter().flatten().collect();
    let nodes = translation.layout.nodes;
    Ok(DMatrix::from_fn(nodes, columns.len(), |node, pattern| columns[pattern][node]))
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
                wrong.push(format!(
                    "{file}: it sends {found} of the light into its order, the manifest says {order}"
                ));
            }
        }
    }
    wrong
}
