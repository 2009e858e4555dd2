//! What an optical machine shows and sees: the mask of its first pattern, and the focal plane
//! before the camera.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nalgebra::DMatrix;

use super::histogram::tensors;
use super::html::escaped;
use crate::coupler::Picture;
use crate::coupler::spim::optics::mask::write_grey;
use crate::coupler::spim::{Patterns, pictures};
use crate::experiment::{Device, Experiment};
use crate::{Error, Result};

/// The files of the pictures that an optical machine gives, without an extension.
const NAMES: [&str; 2] = ["mask", "focal-plane"];

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
            "<figure>\n<img alt=\"{caption}\" width=\"{width}\" height=\"{height}\" \
             src=\"data:image/png;base64,{png}\">\n\
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
    let patterns = tensors.into_iter().find(|(name, _)| shown(name));
    let Some((_, patterns)) = patterns else { return Ok(Vec::new()) };
    let count = device.patterns.count;
    let patterns = DMatrix::from_vec(patterns.len() / count, count, patterns);
    let weights = DMatrix::from_element(count, 1, 1.0);
    let patterns = Patterns::reciprocal(patterns, weights).shown(device.patterns.bits);
    let named = NAMES.into_iter().zip(pictures(device, &patterns)?);
    Ok(named
        .map(|(name, Picture { title, brightness })| Photograph {
            name,
            caption: title,
            grey: brightness,
        })
        .collect())
}
