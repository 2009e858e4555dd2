//! Masks of a phase modulator: patterns at the panel's full resolution, as the machine shows them.

mod check;
mod layout;
mod translation;

use std::ops::Range;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::translation::Translation;
use super::bundle::{Bundle, file_name};
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Parameter;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::display::Display;
use crate::coupler::spim::optics::layout::Layout;
use crate::coupler::spim::optics::levels::Levels;
use crate::experiment::Experiment;
use crate::file::matrix::{read_vector, write_matrix_f32};
use crate::{Error, Result};

pub(super) use check::{orders, problems};
pub use layout::MaskLayout;

/// How masks are written.
#[derive(Clone, Debug, Default)]
pub struct MaskOptions {
    /// Bits of the levels, where the device does not say.
    pub bits: Option<u32>,
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
    /// What a level adds to the phase: 1 for its phase, -1 for its opposite.
    pub sign: i8,
    /// The grey level of a full turn; absent where the response never reaches one.
    pub level_2pi: Option<u32>,
    /// The phase of each level in radians by which levels were chosen, where it is not 2 pi level /
    /// 2^bits.
    pub response: Option<String>,
    /// Radians that were added to every mask.
    pub correction: Option<String>,
    /// The wavelength for which levels are calibrated.
    pub wavelength_nm: f64,
    /// Distance between pixels.
    pub pitch_um: f64,
    /// Where macro-pixels sit.
    pub layout: MaskLayout,
    /// The first macro-pixel of the parameter's nodes, and the one after the last.
    pub nodes: [usize; 2],
    /// The factor on the values of each macro-pixel that makes up for the light on it, where there
    /// is one; it is in the masks.
    pub compensation: Option<String>,
    /// What products of two node values are multiplied by digitally, because compensation has
    /// dimmed both.
    pub brightening: f64,
    /// The amplitude of the reference of homodyne readout, in units of a node's that shows 1; 0
    /// where there is none. Its macro-pixels show phase 0 in the masks.
    pub reference_amplitude: f64,
    /// The phase of the first colour of each macro-pixel in radians before it became a level,
    /// patterns x macro-pixels.
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
    /// The intensity in the order of each region, over that of all light of the panel in phase: what
    /// this device shows, its imperfections included, the correction apart.
    pub orders: Vec<f64>,
}

impl Masks {
    /// The names of its files.
    pub(super) fn files(&self) -> Vec<&str> {
        let own = [&self.response, &self.correction, &self.compensation].into_iter().flatten();
        let masks = self.masks.iter().flat_map(|mask| [&mask.file].into_iter().chain(&mask.phases));
        own.chain([&self.phases]).chain(masks).map(String::as_str).collect()
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

/// A modulator, and what names that which is fixed in its hardware.
#[derive(Clone, Copy)]
pub(super) struct Modulator<'a> {
    /// The device.
    pub device: &'a SpimDevice,
    /// Names its chip.
    pub chip: Key,
}

impl<'a> Modulator<'a> {
    /// The modulator on `device` that shows `parameter`, one of the parameters `all` of the machine
    /// of `experiment`, in the machine's order.
    pub fn new<'b>(
        device: &'a SpimDevice,
        experiment: &Experiment,
        parameter: &str,
        all: impl IntoIterator<Item = &'b str>,
    ) -> Self {
        let own = array_of(parameter);
        let mut before: Vec<&str> = all.into_iter().map(array_of).collect();
        before.dedup();
        let index = before.iter().position(|array| *array == own).unwrap_or(0);
        let chip = SpimDevice::chip(experiment.seed, experiment.chip, index as u64);
        Self { device, chip }
    }

    /// The light path with levels of `bits` bits and `macro_pixels` of nodes.
    fn light_path(self, bits: u32, macro_pixels: usize) -> Result<Optics> {
        let device = self.device.clone().with(|device| device.quantisation.bits = bits);
        Optics::on_chip(&device, macro_pixels, self.chip)
    }
}

/// The array that holds a parameter: what stands before the last point of its name.
fn array_of(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or("", |(array, _)| array)
}

/// The levels of `optics` on a panel where a level does `sign` to the phase.
fn signed(optics: &Optics, sign: i8) -> Levels {
    if sign > 0 {
        return optics.levels.clone();
    }
    let phases = optics.levels.phases().iter().map(|phase| -phase).collect();
    Levels::of_phases(optics.levels.bits(), phases)
}

/// The aperture of the `parameter` of an array: its macro-pixels of nodes, and which of them are the
/// parameter's. Writers that are shown beside the readers come after them.
fn aperture<T: Real>(
    device: &SpimDevice,
    parameter: &Parameter<T>,
    all: &[Parameter<T>],
) -> (usize, Range<usize>) {
    let own = parameter.values.nrows();
    if !device.readout.get().shows_writers() {
        return (own, 0..own);
    }
    let (array, name) = parameter.name.rsplit_once('.').unwrap_or(("", &parameter.name));
    let other = if name == "writers" { "readers" } else { "writers" };
    let other = all.iter().find(|sibling| {
        sibling.name.rsplit_once('.').unwrap_or(("", &sibling.name)) == (array, other)
    });
    let other = other.map_or(own, |sibling| sibling.values.nrows());
    let first = if name == "writers" { other } else { 0 };
    (own + other, first..first + own)
}

/// The name of a file of mask `index` of `parameter`.
fn mask_name(parameter: &str, index: usize, rest: &str) -> String {
    file_name(parameter, &format!(".mask-{:03}{rest}", index + 1))
}

/// Writes the masks of `parameter`, nodes x patterns, one of the parameters `all`.
pub(super) fn write<T: Real>(
    bundle: &mut Bundle,
    parameter: &Parameter<T>,
    all: &[Parameter<T>],
    modulator: Modulator,
    options: &MaskOptions,
) -> Result<Masks> {
    let device = modulator.device;
    let (macro_pixels, nodes) = aperture(device, parameter, all);
    let optics = modulator.light_path(bits(device, options.bits)?, macro_pixels)?;
    let (display, sign) = (Display::new(&optics), if options.falling { -1 } else { 1 });
    let mut layout = optics.layout.clone();
    for region in &mut layout.regions {
        region.carrier =
            (region.carrier.0 + options.carrier.0, region.carrier.1 + options.carrier.1);
    }
    let correction = options.correction.as_deref();
    let translation = Translation::new(layout, signed(&optics, sign), sign, correction)?;
    let shown = |pattern: &[T]| {
        let mut values = vec![0.0; macro_pixels];
        values[nodes.clone()].iter_mut().zip(pattern).for_each(|(to, value)| *to = value.f64());
        display.shown(&values)
    };
    let patterns = parameter.values.as_slice().chunks(nodes.len().max(1));
    let shown: Vec<Vec<f64>> = patterns.map(shown).collect();
    let columns: Vec<&[f64]> = shown.iter().map(Vec::as_slice).collect();
    let name = &parameter.name;
    let masks = write_masks(bundle, name, &translation, &device.masks(&columns), options.phases)?;
    let phases = write_phases(bundle, name, &columns)?;
    let own = &optics.levels;
    let response = (!own.are_even()).then(|| own.phases());
    Ok(Masks {
        parameter: name.clone(),
        bits: own.bits(),
        sign,
        level_2pi: own.full_turn(),
        response: response
            .map(|phases| {
                bundle.write_vector(
                    &file_name(name, ".response"),
                    "phase of each level",
                    "rad",
                    phases,
                )
            })
            .transpose()?,
        correction: translation
            .correction
            .map(|radians| {
                let stem = file_name(name, ".correction");
                bundle.write_matrix(&stem, "phase added to every mask", "rad", &radians)
            })
            .transpose()?,
        wavelength_nm: device.panel.wavelength_nm,
        pitch_um: device.panel.pitch_um,
        layout: MaskLayout::of(&translation.layout),
        nodes: [nodes.start, nodes.end],
        compensation: display
            .compensation()
            .map(|factors| {
                let what = "factor on the values of each macro-pixel, for the light on it";
                bundle.write_vector(&file_name(name, ".compensation"), what, "1", factors)
            })
            .transpose()?,
        brightening: display.brightening(),
        reference_amplitude: display.amplitude(),
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

    let panel = [height, width];
    let mut masks = Vec::new();
    for index in 0..shows.len() {
        let file = mask_name(parameter, index, ".png");
        let what = format!("mask of {parameter}, pattern {}", index + 1);
        bundle.add(&file, &what, Some("level"), &panel)?;
        let phases = with_phases.then(|| mask_name(parameter, index, ".phase.npy"));
        if let Some(phases) = &phases {
            bundle.add(phases, &format!("phases of {file}, float32"), Some("rad"), &panel)?;
        }
        masks.push(MaskFile { file, phases, orders: Vec::new() });
    }
    Ok(masks)
}

/// Writes the phase of each macro-pixel's first colour, and returns the file's name.
fn write_phases(bundle: &mut Bundle, parameter: &str, shown: &[&[f64]]) -> Result<String> {
    let name = file_name(parameter, ".phases.npy");
    let macro_pixels = shown.first().map_or(0, |values| values.len());
    let phase = |row: usize, column: usize| shown[row][column].clamp(-1.0, 1.0).acos();
    let phases = DMatrix::from_fn(shown.len(), macro_pixels, phase);
    write_matrix_f32(&bundle.path().join(&name), &phases)?;
    bundle.add(
        &name,
        "phase of each macro-pixel's first colour, patterns x macro-pixels, float32",
        Some("rad"),
        &[phases.nrows(), phases.ncols()],
    )?;
    Ok(name)
}

/// The numbers of a file of `held`, as many as `count`.
fn numbers(directory: &Path, file: &str, count: usize, what: &str) -> Result<Vec<f64>> {
    let path = directory.join(file);
    let found = read_vector(&path)?;
    if found.len() == count {
        return Ok(found.as_slice().to_vec());
    }
    let (path, found) = (path.display(), found.len());
    Err(Error::input(format!("{path}: expected {count} {what}, found {found}")))
}

/// The layout of `held`, if it and the bits are such that memory may be taken for them.
fn checked_layout(held: &Masks) -> Result<Layout> {
    if !(1..=16).contains(&held.bits) || held.sign.abs() != 1 {
        return Err(Error::input(format!(
            "{}: bits = {}, sign = {}: expected 1 to 16 bits, and 1 or -1",
            held.parameter, held.bits, held.sign
        )));
    }
    held.layout.layout()
}

/// The values of all macro-pixels, for each pattern, that the masks in `directory` show.
fn shown(directory: &Path, held: &Masks) -> Result<Vec<Vec<f64>>> {
    let layout = checked_layout(held)?;
    let sign = f64::from(held.sign.signum());
    let levels = match &held.response {
        None if sign > 0.0 => Levels::even(held.bits),
        None => {
            let even = Levels::even(held.bits);
            Levels::of_phases(held.bits, even.phases().iter().map(|phase| -phase).collect())
        }
        Some(file) => {
            let phases = numbers(directory, file, 1 << held.bits, "phases, one a level")?;
            Levels::of_phases(held.bits, phases.iter().map(|phase| sign * phase).collect())
        }
    };
    let correction = held.correction.as_ref().map(|file| directory.join(file));
    let translation = Translation::new(layout, levels, held.sign, correction.as_deref())?;
    let read = |mask: &MaskFile| translation.read(&directory.join(&mask.file));
    // Of several errors the first mask's is told, whichever thread found its own first.
    let shown: Vec<Result<Vec<Vec<f64>>>> = held.masks.par_iter().map(read).collect();
    let shown = shown.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(shown.into_iter().flatten().collect())
}

/// The patterns, nodes x patterns, that the masks in `directory` show.
pub(super) fn read(directory: &Path, held: &Masks) -> Result<DMatrix<f64>> {
    let shown = shown(directory, held)?;
    let [first, end] = held.nodes;
    let count = held.layout.nodes.saturating_add(held.layout.reference);
    if first > end || end > held.layout.nodes {
        return Err(Error::input(format!(
            "{}: nodes = [{first}, {end}]: expected macro-pixels of the layout's {}",
            held.parameter, held.layout.nodes
        )));
    }
    let factors = match &held.compensation {
        Some(file) => numbers(directory, file, count, "factors, one a macro-pixel")?,
        None => vec![1.0; count],
    };
    let value = |node: usize, pattern: usize| {
        (shown[pattern][first + node] / factors[first + node]).clamp(-1.0, 1.0)
    };
    Ok(DMatrix::from_fn(end - first, shown.len(), value))
}
