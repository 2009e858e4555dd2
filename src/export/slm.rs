//! Masks of a phase modulator: patterns at the panel's full resolution.

mod layout;
mod translation;

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::translation::Translation;
use super::bundle::{Bundle, file_name};
use crate::arithmetic::Real;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::file::matrix::{read_vector, write_matrix_f32};
use crate::{Error, Result};

pub use layout::MaskLayout;

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
) -> Result<Masks> {
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
    Ok(Masks {
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
    })
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

/// Masks of `held` whose patterns do not send into their orders what is said of them.
pub(super) fn wrong_light<T: Real>(held: &Masks, patterns: &DMatrix<T>) -> Vec<String> {
    let expected =
        held.masks.iter().flat_map(|mask| mask.orders.iter().map(|order| (&mask.file, *order)));
    // Rounding to levels moves no node's value by more than half a level of phase.
    let rounding = held.layout.order(&vec![1.0; held.layout.nodes]).sqrt() * TAU
        / f64::from(1u32 << held.bits);
    let wrong = expected.zip(patterns.column_iter()).filter_map(|((file, order), pattern)| {
        let pattern: Vec<f64> = pattern.iter().map(|value| value.f64()).collect();
        let found = held.layout.order(&pattern);
        let off = (order.sqrt() - found.sqrt()).abs() > rounding;
        off.then(|| {
            format!(
                "{file}: it sends {found} of the light into its order, the manifest says {order}"
            )
        })
    });
    wrong.collect()
}
