//! Grey pictures in files: PNG of 8 or 16 bits.

use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, FilterType};

use super::write_whole;
use crate::Result;

/// Writes a grey PNG of 8 or 16 bits, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_grey(
    path: &Path,
    (height, width): (usize, usize),
    deep: bool,
    grey: &[u16],
) -> Result<()> {
    write_whole(path, |file| {
        let mut encoder = Encoder::new(file, width as u32, height as u32);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(if deep { BitDepth::Sixteen } else { BitDepth::Eight });
        // Checkerboards repeat themselves: differences between pixels would hide it.
        encoder.set_filter(FilterType::NoFilter);
        encoder.set_compression(Compression::Default);
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
