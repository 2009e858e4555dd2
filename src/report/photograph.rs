//! Pictures of what hardware shows: masks, focal planes.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::html::escaped;
use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::Picture;
use crate::file::grey::write_grey;
use crate::file::read_bytes;
use crate::system::System;

/// A grey picture of a run.
pub struct Photograph {
    /// The file's name, without an extension.
    name: String,
    picture: Picture,
}

impl Photograph {
    /// Writes it as an 8-bit PNG into the directory `plots`, and gives the figure of a page.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, plots: &Path) -> Result<String> {
        let (grey, path) = (&self.picture.brightness, plots.join(format!("{}.png", self.name)));
        let level = |grey: &f64| (255.0 * grey.clamp(0.0, 1.0)).round() as u16;
        let levels: Vec<u16> = grey.transpose().iter().map(level).collect();
        write_grey(&path, grey.shape(), false, &levels)?;
        let (caption, (height, width)) = (escaped(&self.picture.title), grey.shape());
        let png = STANDARD.encode(read_bytes(&path)?);
        Ok(format!(
            "<figure>\n<img alt=\"{caption}\" width=\"{width}\" height=\"{height}\" \
             src=\"data:image/png;base64,{png}\">\n<figcaption>{caption}</figcaption>\n</figure>\n"
        ))
    }
}

/// The pictures of a machine.
///
/// # Errors
/// When one cannot be worked out.
pub fn photographs<T: Real>(system: &dyn System<T>) -> Result<Vec<Photograph>> {
    let mut seen: Vec<&str> = Vec::new();
    let named = |picture: Picture| {
        seen.push(picture.name);
        let before = seen.iter().filter(|name| **name == picture.name).count();
        let number = if before > 1 { format!("-{before}") } else { String::new() };
        Photograph { name: format!("{}{number}", picture.name), picture }
    };
    Ok(system.pictures()?.into_iter().map(named).collect())
}
