//! What an optical machine shows and sees: the mask of its first pattern, and the focal plane
//! before the camera.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nalgebra::DMatrix;

use super::histogram::tensors;
use super::html::escaped;
use crate::arithmetic::random::Key;
use crate::coupler::spim::Multiplexing;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::mask::{Drive, Mask, write_grey};
use crate::coupler::spim::optics::wave::{Moment, Wave, focal_plane};
use crate::experiment::{Device, Experiment};
use crate::{Error, Result};

/// Decades of intensity from black to white.
const DECADES: f64 = 4.0;

/// Pixels of the focal plane that are shown along a side, about the zero order.
const SHOWN: usize = 256;

/// A grey picture, 0 to 1, rows from top to bottom.
pub struct Photograph {
    /// The file's name, without an extension.
    pub name: &'static str,
    /// What it shows.
    pub caption: String,
    grey: DMatrix<f64>,
}

impl Photograph {
    /// Writes it as an 8-bit PNG.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let levels: Vec<u16> = self
            .grey
            .transpose()
            .iter()
            .map(|grey| (255.0 * grey.clamp(0.0, 1.0)).round() as u16)
            .collect();
        write_grey(path, self.grey.shape(), false, &levels)
    }

    /// It as a figure of a page, from the PNG at `path`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn figure(&self, path: &Path) -> Result<String> {
        let (caption, (height, width)) = (escaped(&self.caption), self.grey.shape());
        let png = STANDARD.encode(std::fs::read(path).map_err(Error::reading(path))?);
        Ok(format!(
            "<figure>\n<img alt=\"{caption}\" width=\"{width}\" height=\"{height}\" src=\"data:image/png;base64,{png}\">\n\
             <figcaption>{caption}</figcaption>\n</figure>\n"
        ))
    }
}

/// The pictures of a run on an optical machine; none of other machines, or without the checkpoint.
///
/// # Errors
/// When the checkpoint is damaged, or a file that the device names cannot be read.
pub fn photographs(experiment: &Experiment, checkpoint: &Path) -> Result<Vec<Photograph>> {
    let Device::Spim(device) = &experiment.device else { return Ok(Vec::new()) };
    if !checkpoint.exists() {
        return Ok(Vec::new());
    }
    let tensors = tensors(experiment, checkpoint)?;
    let shown = |name: &str| {
        name.starts_with("parameters/")
            && (name.ends_with(".patterns") || name.ends_with(".readers"))
    };
    let patterns = tensors.iter().find(|(name, _)| shown(name));
    let Some((_, patterns)) = patterns else { return Ok(Vec::new()) };
    let pattern = &patterns[..patterns.len() / device.patterns];
    let mut device = (**device).clone();
    if device.phase_bits == 0 {
        device.phase_bits = 8;
    }
    device.multiplexing = Multiplexing::Time;
    let optics = Optics::new(&device, pattern.len())?;
    let mask = Mask::encode(&optics.layout, &[pattern], device.phase_bits);
    let Drive::Levels(levels) = &mask.drive else { return Ok(Vec::new()) };
    let most = f64::from((1u32 << mask.bits) - 1);
    let shown = DMatrix::from_row_iterator(
        mask.height,
        mask.width,
        levels.iter().map(|level| f64::from(*level) / most),
    );
    let mut wave = Wave::new(&optics);
    let near = wave.near_field(&mask, Moment::default())?;
    let image = focal_plane(&optics.layout, wave.far_field(near));
    let (height, width) = (image.nrows().min(SHOWN), image.ncols().min(SHOWN));
    // The zero order is at the pixel half the size down and across.
    let first = (image.nrows() / 2 - height / 2, image.ncols() / 2 - width / 2);
    let mut stream = Key::new(experiment.seed, "photograph").stream();
    let seen = image
        .view(first, (height, width))
        .map(|intensity| optics.camera.pixel(intensity, &mut stream).max(0.0));
    let brightest = seen.max().max(f64::MIN_POSITIVE);
    let (across, down) = (width as f64 / mask.width as f64, height as f64 / mask.height as f64);
    Ok(vec![
        Photograph {
            name: "mask",
            caption: format!(
                "The modulator shows pattern 1 with all node values at 1: {} x {} pixels, grey from level 0 to {most}",
                mask.width, mask.height
            ),
            grey: shown,
        },
        Photograph {
            name: "focal-plane",
            caption: format!(
                "Its focal plane as the camera sees it, {across:.3} x {down:.3} cycles a pixel about the zero order, grey over {DECADES} \
                 decades of intensity"
            ),
            grey: seen.map(|intensity| 1.0 + (intensity / brightest).max(1e-300).log10() / DECADES),
        },
    ])
}
