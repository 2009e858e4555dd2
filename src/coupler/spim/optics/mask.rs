//! Masks: what the panel is told to show, pixel by pixel.
//!
//! A value a in [-1, 1] is written as the phases +arccos(a) and -arccos(a) on the two colours of
//! its macro-pixel's checkerboard (gauge encoding: Fang, Huang & Ruan 2021,
//! doi:10.1103/PhysRevLett.127.043902), plus the phase of the region's carrier. Which level is
//! driven for a phase, [`Levels`] says: without a calibration g = round(2^b phi / 2 pi) mod 2^b.
//!
//! As a file a mask is a grey PNG: 8-bit, or 16-bit for modulators of more than 8 bits, the grey
//! value being the level itself. Sign: level g adds the phase +2 pi g / 2^b to the field; an order
//! of carrier f lies at spatial frequency +f.

use std::f64::consts::TAU;
use std::io::BufReader;
use std::path::Path;

use num_complex::Complex;
use png::{BitDepth, ColorType, Decoder};

use super::layout::{Layout, Region};
use super::levels::Levels;
use crate::file::grey::write_grey;
use crate::file::matrix::read_matrix;
use crate::file::{limits, open};
use crate::{Error, Result};

/// What drives the pixels, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Drive {
    /// Levels of a modulator.
    Levels(Vec<u16>),
    /// Phases in [0, 2 pi), of a modulator without levels.
    Phases(Vec<f64>),
}

/// What the panel is told to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Bits of the modulator; 0 for phases.
    pub bits: u32,
    /// What drives the pixels.
    pub drive: Drive,
}

impl Mask {
    /// A mask of given levels, row by row.
    ///
    /// # Errors
    /// When their number is not `height` x `width`, or one does not fit in `bits` bits.
    pub fn from_levels(height: usize, width: usize, bits: u32, levels: Vec<u16>) -> Result<Self> {
        let pixels = limits::PIXELS.product(&[height, width]).map_err(Error::input)?;
        if levels.len() != pixels {
            return Err(Error::input(format!(
                "expected {width} x {height} pixels, found {}",
                levels.len()
            )));
        }
        let above = levels.iter().position(|level| u32::from(*level) >> bits != 0);
        if let Some(at) = above {
            return Err(Error::input(format!(
                "row {}, column {}: level {} is out of range: a modulator of {bits} bits has \
                 levels 0 to {}",
                at / width + 1,
                at % width + 1,
                levels[at],
                (1u32 << bits) - 1
            )));
        }
        Ok(Self { height, width, bits, drive: Drive::Levels(levels) })
    }

    /// `values` (for each region, one a macro-pixel, in [-1, 1]; 0 where there are too few) on
    /// `layout` by a modulator of these `levels`.
    pub fn encode(layout: &Layout, values: &[&[f64]], levels: &Levels) -> Self {
        let drive = if levels.is_exact() {
            Drive::Phases(painted(layout, values, gauge, |phase| phase))
        } else {
            let pair = |value| levels.pair(levels.entry(value));
            Drive::Levels(painted(layout, values, pair, |phase| levels.level(phase)))
        };
        Self { height: layout.height, width: layout.width, bits: levels.bits(), drive }
    }

    /// The mask in `path` for a modulator of `bits` bits (0: as many as the file has) on a panel of
    /// `size` (height x width; absent: that of the mask): a grey PNG, or levels in an .npy or .csv
    /// file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a mask of that depth and size, or shows a level that
    /// the modulator does not have.
    pub fn read(path: &Path, bits: u32, size: Option<(usize, usize)>) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
        let png = path.extension().is_none_or(|extension| extension != "npy" && extension != "csv");
        let (found_bits, (height, width), levels) =
            if png { read_grey(path, bits)? } else { read_levels(path)? };
        if let Some((rows, columns)) = size.filter(|size| *size != (height, width)) {
            return Err(wrong(format!(
                "expected {columns} x {rows} pixels, as the panel has, found {width} x {height}"
            )));
        }
        let bits = if bits == 0 { found_bits } else { bits };
        Self::from_levels(height, width, bits, levels).map_err(|e| wrong(e.to_string()))
    }

    /// The values that the macro-pixels of `layout` show on this mask in each region, of gauge
    /// encoding on a modulator of these `levels`.
    ///
    /// # Errors
    /// When the mask is not what [`encode`](Self::encode) makes of these values, to a level where a
    /// carrier moves the phases between levels.
    pub fn decode(&self, layout: &Layout, levels: &Levels) -> Result<Vec<Vec<f64>>> {
        let drive = match &self.drive {
            Drive::Phases(phases) => return decode_phases(layout, phases, 1e-9),
            Drive::Levels(drive) => drive,
        };
        if layout.regions.iter().any(|region| region.carrier != (0.0, 0.0)) {
            let phase = |level: &u16| levels.phases()[usize::from(*level)];
            let phases: Vec<f64> = drive.iter().map(phase).collect();
            return decode_phases(layout, &phases, 1.01 * levels.coarseness());
        }
        let shown = |region: &Region| -> Option<Vec<f64>> {
            let value = |node: usize| {
                let mut pair = [0; 2];
                for (row, column, at) in layout.pixels(region, node) {
                    pair[colour(layout, row, column)] = drive[at];
                }
                levels.entry_of(pair).map(|entry| levels.value(entry))
            };
            (0..layout.macro_pixels()).map(value).collect()
        };
        let values: Option<Vec<_>> = layout.regions.iter().map(shown).collect();
        let values = values.ok_or_else(|| no_mask(layout))?;
        let again: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        if Self::encode(layout, &again, levels) == *self {
            Ok(values)
        } else {
            Err(no_mask(layout))
        }
    }

    /// Writes the levels as a grey PNG.
    ///
    /// # Errors
    /// When the file cannot be written, or the mask has exact phases.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let Drive::Levels(levels) = &self.drive else {
            return Err(Error::input(
                "quantisation.bits = 0: exact phases have no levels to write; expected 1 to \
                 16 bits",
            ));
        };
        write_grey(path, (self.height, self.width), self.bits > 8, levels)
    }
}

/// The colour of a checkerboard at a pixel counted from the corner of a block or of the panel.
fn colour(layout: &Layout, row: usize, column: usize) -> usize {
    (row / layout.checker + column / layout.checker) % 2
}

/// The phases, in [0, 2 pi), of the two colours of a macro-pixel that shows `value`.
fn gauge(value: f64) -> [f64; 2] {
    let angle = value.clamp(-1.0, 1.0).acos();
    [angle, (-angle).rem_euclid(TAU)]
}

/// Every pixel, row by row: of what `pair` makes of a value for the two colours, or, in a region
/// with a carrier, what `show` makes of the phase.
fn painted<P: Copy>(
    layout: &Layout,
    values: &[&[f64]],
    pair: impl Fn(f64) -> [P; 2],
    show: impl Fn(f64) -> P,
) -> Vec<P> {
    // Beyond the blocks: the value 0.
    let background = pair(0.0);
    let field = |pixel: usize| pixel / layout.checker % 2;
    let fields: Vec<usize> = (0..layout.width).map(field).collect();
    let mut pixels = Vec::with_capacity(layout.height * layout.width);
    for row in 0..layout.height {
        pixels.extend(fields.iter().map(|column| background[(field(row) + column) % 2]));
    }
    for (region, values) in layout.regions.iter().zip(values) {
        let flat = region.carrier == (0.0, 0.0);
        for node in 0..layout.rows * layout.columns {
            let value = values.get(node).copied().unwrap_or(0.0);
            let (shown, phases) = (pair(value), gauge(value));
            for (row, column, at) in layout.pixels(region, node) {
                let colour = (field(row) + field(column)) % 2;
                pixels[at] = if flat {
                    shown[colour]
                } else {
                    show((phases[colour] + carrier(region, row, column)).rem_euclid(TAU))
                };
            }
        }
    }
    pixels
}

/// The phase of a region's carrier at a pixel of its block.
fn carrier(region: &Region, row: usize, column: usize) -> f64 {
    TAU * (region.carrier.0 * row as f64 + region.carrier.1 * column as f64)
}

/// The values whose gauge encoding shows `phases` (radians, of every pixel, row by row) to
/// `tolerance`.
///
/// # Errors
/// When there are none.
pub fn decode_phases(layout: &Layout, phases: &[f64], tolerance: f64) -> Result<Vec<Vec<f64>>> {
    let values = values_shown(layout, |at| phases[at]);
    let again: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let turn = |a: f64, b: f64| ((a - b + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0).abs();
    let near = painted(layout, &again, gauge, |phase| phase)
        .iter()
        .zip(phases)
        .all(|(a, b)| turn(*a, *b) <= tolerance);
    if near { Ok(values) } else { Err(no_mask(layout)) }
}

/// The value of each macro-pixel in each region, from the mean direction of its pixels' phases.
fn values_shown(layout: &Layout, phase: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let field = |pixel: usize| pixel / layout.checker % 2;
    let shown = |region: &Region| {
        let value = |node: usize| {
            let flat = region.carrier == (0.0, 0.0);
            let direction = |(row, column, at): (usize, usize, usize)| {
                let angle = phase(at) - if flat { 0.0 } else { carrier(region, row, column) };
                Complex::cis(if (field(row) + field(column)) % 2 == 0 { angle } else { -angle })
            };
            layout.pixels(region, node).map(direction).sum::<Complex<f64>>().arg().cos()
        };
        (0..layout.macro_pixels()).map(value).collect()
    };
    layout.regions.iter().map(shown).collect()
}

/// For a mask that no values explain.
fn no_mask(layout: &Layout) -> Error {
    let (Layout { macro_pixel, checker, .. }, values) = (layout, layout.macro_pixels());
    Error::input(format!(
        "not a mask of {values} values on macro-pixels of {macro_pixel} x {macro_pixel} pixels and \
         a checkerboard of {checker}: only the wave tier can follow it"
    ))
}

/// Bits, height and width, and levels of a mask in a file.
type Found = (u32, (usize, usize), Vec<u16>);

/// What a PNG's decoder may take beside the pixels: a row or two, and texts.
const PNG_BYTES: usize = 1 << 27;

/// A grey PNG of the depth that a modulator of `bits` bits takes; 0 takes any.
pub(super) fn read_grey(path: &Path, bits: u32) -> Result<Found> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let file = BufReader::new(open(path)?);
    let mut reader = Decoder::new_with_limits(file, png::Limits { bytes: PNG_BYTES })
        .read_info()
        .map_err(|e| wrong(format!("not a PNG image: {e}")))?;
    let info = reader.info();
    let (color, found) = (info.color_type, info.bit_depth);
    let fits = match bits {
        0 => matches!(found, BitDepth::Eight | BitDepth::Sixteen),
        1..=8 => found == BitDepth::Eight,
        _ => found == BitDepth::Sixteen,
    };
    if color != ColorType::Grayscale || !fits {
        let expected = match bits {
            0 => "8-bit or 16-bit grey".to_owned(),
            1..=8 => format!("8-bit grey for a modulator of {bits} bits"),
            _ => format!("16-bit grey for a modulator of {bits} bits"),
        };
        let found = found as u8;
        let advice = match color {
            ColorType::Grayscale => "",
            _ => "; a picture in colour is saved as grey, without transparency",
        };
        return Err(wrong(format!("expected {expected}, found {found}-bit {color:?}{advice}")));
    }
    let size = (info.height as usize, info.width as usize);
    limits::PIXELS.product(&[size.1, size.0]).map_err(wrong)?;
    let mut bytes = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut bytes).map_err(|e| wrong(format!("damaged: {e}")))?;
    let levels = match found {
        BitDepth::Sixteen => {
            bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        _ => bytes.iter().map(|byte| u16::from(*byte)).collect(),
    };
    Ok((found as u32, size, levels))
}

/// Levels as numbers, rows x columns of the panel.
fn read_levels(path: &Path) -> Result<Found> {
    let matrix = read_matrix(path)?;
    let (height, width) = matrix.shape();
    let level = |(at, value): (usize, &f64)| {
        if value.fract() == 0.0 && (0.0..65_536.0).contains(value) {
            return Ok(*value as u16);
        }
        let (row, column) = (at / width + 1, at % width + 1);
        Err(Error::input(format!(
            "{}: row {row}, column {column}: expected a level, a whole number, found {value}",
            path.display()
        )))
    };
    let levels = matrix.transpose().iter().enumerate().map(level).collect::<Result<_>>()?;
    Ok((8, (height, width), levels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::spim::optics::layout::Panel;

    fn layout(width_px: usize, height_px: usize) -> Layout {
        let panel = Panel { width_px, height_px, macro_pixel_px: 4, ..Panel::default() };
        Layout::new(&panel, 5, 0, 1).unwrap()
    }

    #[test]
    fn masks_come_back_from_png() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mask.png");
        let layout = layout(14, 10);
        for bits in [4, 8, 10] {
            let mask = Mask::encode(&layout, &[&[0.1, -1.0, 1.0, 0.5, -0.7]], &Levels::even(bits));
            mask.write_png(&path).unwrap();
            assert_eq!(Mask::read(&path, bits, Some((10, 14))).unwrap(), mask);
        }
        assert_eq!(Mask::read(&path, 0, None).unwrap().bits, 16);
        let refused = |bits, size| Mask::read(&path, bits, Some(size)).unwrap_err().to_string();
        assert!(
            refused(8, (10, 14))
                .contains("expected 8-bit grey for a modulator of 8 bits, found 16-bit Grayscale")
        );
        assert!(
            refused(10, (10, 15))
                .contains("expected 15 x 10 pixels, as the panel has, found 14 x 10")
        );
        assert!(
            refused(9, (10, 14))
                .contains("out of range: a modulator of 9 bits has levels 0 to 511")
        );
        std::fs::write(&path, b"no image").unwrap();
        assert!(refused(8, (10, 14)).contains("mask.png: not a PNG image"));
    }

    #[test]
    fn masks_of_values_are_decoded() {
        let layout = layout(24, 16);
        let values: Vec<f64> =
            [0, 10, 64, 100, 128].map(|level| (f64::from(level) / 256.0 * TAU).cos()).to_vec();
        let levels = Levels::even(8);
        let mut mask = Mask::encode(&layout, &[&values], &levels);
        let decoded = mask.decode(&layout, &levels).unwrap().remove(0);
        assert!(decoded.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-15));
        if let Drive::Levels(drive) = &mut mask.drive {
            drive[100] ^= 1;
        }
        assert!(
            mask.decode(&layout, &levels).unwrap_err().to_string().contains("only the wave tier")
        );
    }

    #[test]
    fn levels_are_rounded_and_wrapped() {
        assert_eq!(
            [0.0, TAU / 4.0, TAU * 0.75, TAU * 0.999, 0.012, 0.0124]
                .map(|phase| Levels::even(8).level(phase)),
            [0, 64, 192, 0, 0, 1]
        );
    }
}
