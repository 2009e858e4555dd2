//! Masks: what the panel is told to show, pixel by pixel.
//!
//! A value a in [-1, 1] is written as the phases +arccos(a) and -arccos(a) on the two colours of its macro-pixel's checkerboard
//! (gauge encoding: Fang, Huang & Ruan 2021, doi:10.1103/PhysRevLett.127.043902), plus the phase of the region's carrier. A modulator
//! of b bits shows the level
//!
//! ```text
//! g = round(2^b phi / 2 pi) mod 2^b
//! ```
//!
//! As a file a mask is a grey PNG: 8-bit, or 16-bit for modulators of more than 8 bits, the grey value being the level itself.
//! Sign: level g adds the phase +2 pi g / 2^b to the field; an order of carrier f lies at spatial frequency +f.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Encoder};

use super::layout::Layout;
use crate::file::write_whole;
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
        if levels.len() != height * width {
            return Err(Error::input(format!("expected {width} x {height} pixels, found {}", levels.len())));
        }
        let above = levels.iter().position(|level| u32::from(*level) >> bits != 0);
        if let Some(at) = above {
            return Err(Error::input(format!(
                "row {}, column {}: level {} is out of range: a modulator of {bits} bits has levels 0 to {}",
                at / width + 1,
                at % width + 1,
                levels[at],
                (1u32 << bits) - 1
            )));
        }
        Ok(Self { height, width, bits, drive: Drive::Levels(levels) })
    }

    /// `values` (for each region, one a node, in [-1, 1]) on `layout` by a modulator of `bits` bits, 0 for exact phases.
    pub fn encode(layout: &Layout, values: &[&[f64]], bits: u32) -> Self {
        let (height, width) = (layout.height, layout.width);
        let mut phases = vec![0.0; height * width];
        // Beyond the blocks: the value 0.
        for (at, phase) in phases.iter_mut().enumerate() {
            let first = layout.is_first_colour((at / width) as isize, (at % width) as isize);
            *phase = if first { TAU / 4.0 } else { TAU * 0.75 };
        }
        for (region, values) in layout.regions.iter().zip(values) {
            for row in 0..layout.rows * layout.macro_pixel {
                for column in 0..layout.columns * layout.macro_pixel {
                    let node = row / layout.macro_pixel * layout.columns + column / layout.macro_pixel;
                    let angle = values.get(node).copied().unwrap_or(0.0).clamp(-1.0, 1.0).acos();
                    let carrier = TAU * (region.carrier.0 * row as f64 + region.carrier.1 * column as f64);
                    let signed = if layout.is_first_colour(row as isize, column as isize) { angle } else { -angle };
                    phases[(region.top + row) * width + region.left + column] = (signed + carrier).rem_euclid(TAU);
                }
            }
        }
        let drive = if bits == 0 { Drive::Phases(phases) } else { Drive::Levels(phases.iter().map(|phase| level(*phase, bits)).collect()) };
        Self { height, width, bits, drive }
    }

    /// The mask in a grey PNG for a modulator of `bits` bits and `height` x `width` pixels.
    ///
    /// # Errors
    /// When the file cannot be read, is not a grey PNG of the depth and size of the modulator, or shows a level it does not have.
    pub fn read_png(path: &Path, bits: u32, (height, width): (usize, usize)) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
        let file = File::open(path).map_err(Error::reading(path))?;
        let mut reader = Decoder::new(BufReader::new(file)).read_info().map_err(|e| wrong(format!("not a PNG image: {e}")))?;
        let info = reader.info();
        let (expected, depth) = if bits > 8 { (BitDepth::Sixteen, 16) } else { (BitDepth::Eight, 8) };
        if info.color_type != ColorType::Grayscale || info.bit_depth != expected {
            let (color, found) = (info.color_type, info.bit_depth as u8);
            return Err(wrong(format!("expected {depth}-bit grey for a modulator of {bits} bits, found {found}-bit {color:?}")));
        }
        if (info.height as usize, info.width as usize) != (height, width) {
            return Err(wrong(format!("expected {width} x {height} pixels, as the panel has, found {} x {}", info.width, info.height)));
        }
        let mut bytes = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut bytes).map_err(|e| wrong(format!("damaged: {e}")))?;
        let levels = match depth {
            8 => bytes.iter().map(|byte| u16::from(*byte)).collect(),
            _ => bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
        };
        Self::from_levels(height, width, bits, levels).map_err(|e| wrong(e.to_string()))
    }

    /// Writes the levels as a grey PNG.
    ///
    /// # Errors
    /// When the file cannot be written, or the mask has exact phases.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let Drive::Levels(levels) = &self.drive else {
            return Err(Error::input("phase_bits = 0: exact phases have no levels to write; expected 1 to 16 bits"));
        };
        write_grey(path, (self.height, self.width), self.bits > 8, levels)
    }
}

/// The level nearest to `phase` (radians, in [0, 2 pi)).
pub fn level(phase: f64, bits: u32) -> u16 {
    let levels = f64::from(1u32 << bits);
    ((phase * (levels / TAU)).round() as u32 % (1u32 << bits)) as u16
}

/// Writes a grey PNG of 8 or 16 bits, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_grey(path: &Path, (height, width): (usize, usize), deep: bool, grey: &[u16]) -> Result<()> {
    write_whole(path, |file| {
        let mut encoder = Encoder::new(file, width as u32, height as u32);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(if deep { BitDepth::Sixteen } else { BitDepth::Eight });
        let mut writer = encoder.write_header().map_err(std::io::Error::other)?;
        let bytes: Vec<u8> = if deep {
            grey.iter().flat_map(|value| value.to_be_bytes()).collect()
        } else {
            grey.iter().map(|value| value.to_be_bytes()[1]).collect()
        };
        writer.write_image_data(&bytes).map_err(std::io::Error::other)?;
        writer.finish().map_err(std::io::Error::other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::spim::optics::layout::PanelGeometry;

    #[test]
    fn masks_come_back_from_png() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mask.png");
        let layout = Layout::new(PanelGeometry { width: 14, height: 10, macro_pixel: 4, checker: 1 }, 5, 1).unwrap();
        for bits in [4, 8, 10] {
            let mask = Mask::encode(&layout, &[&[0.1, -1.0, 1.0, 0.5, -0.7]], bits);
            mask.write_png(&path).unwrap();
            assert_eq!(Mask::read_png(&path, bits, (10, 14)).unwrap(), mask);
        }
        let refused = |bits, size| Mask::read_png(&path, bits, size).unwrap_err().to_string();
        assert!(refused(8, (10, 14)).contains("expected 8-bit grey for a modulator of 8 bits, found 16-bit Grayscale"));
        assert!(refused(10, (10, 15)).contains("expected 15 x 10 pixels, as the panel has, found 14 x 10"));
        assert!(refused(9, (10, 14)).contains("out of range: a modulator of 9 bits has levels 0 to 511"));
        std::fs::write(&path, b"no image").unwrap();
        assert!(refused(8, (10, 14)).contains("mask.png: not a PNG image"));
    }

    #[test]
    fn levels_are_rounded_and_wrapped() {
        assert_eq!([0.0, TAU / 4.0, TAU * 0.75, TAU * 0.999, 0.012, 0.0124].map(|phase| level(phase, 8)), [0, 64, 192, 0, 0, 1]);
    }
}
