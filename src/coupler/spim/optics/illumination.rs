//! Illumination: the beam is not flat.
//!
//! A Gaussian beam has the amplitude exp(-r^2 / w^2), its intensity falls to 1/e^2 at r = w. A
//! measured image of intensities may take its place.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Optics;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path as LightPath};
use crate::file::matrix::read_matrix;
use crate::quantity::range;
use crate::{Error, Result};

/// Light that is not the same everywhere: the table `[device.spim.illumination]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Illumination {
    /// 1/e^2 radius of a Gaussian beam, in units of half the panel's shorter side; 0 is uniform
    /// light.
    #[serde(deserialize_with = "range::non_negative")]
    pub radius: f64,
    /// A measured image of the light (intensities, one a pixel of the panel) in place of the
    /// Gaussian: an .npy or .csv file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Effect for Illumination {
    fn title(&self) -> &'static str {
        "illumination"
    }

    fn is_off(&self) -> bool {
        self.radius == 0.0 && self.image.is_none()
    }

    fn measured(&mut self) -> Option<&mut String> {
        self.image.as_mut()
    }

    /// The logarithm of the light is: a narrower beam. A measured image is what it is.
    fn scale(&mut self, factor: f64) -> bool {
        if self.image.is_some() {
            return false;
        }
        self.radius /= factor.sqrt();
        true
    }
}

impl Optic for Illumination {
    fn followed_by(&self, path: LightPath, _: &SpimDevice) -> bool {
        !matches!(path, LightPath::Overlaps | LightPath::Analytic)
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let size = (optics.layout.height, optics.layout.width);
        let amplitudes = match &self.image {
            Some(path) => read(Path::new(path), size)?,
            None => gaussian(self.radius, size),
        };
        optics.multiply_beam(amplitudes.into_iter().map(|amplitude| amplitude.into()));
        Ok(())
    }
}

/// The amplitudes of the intensities in `path` (.npy or .csv), rows x columns of the panel.
///
/// # Errors
/// When the file cannot be read, its shape is not the panel's, or an intensity is negative.
fn read(path: &Path, (height, width): (usize, usize)) -> Result<Vec<f64>> {
    let wrong = |message: String| Err(Error::input(format!("{}: {message}", path.display())));
    let image = read_matrix(path)?;
    if image.shape() != (height, width) {
        let (rows, columns) = image.shape();
        return wrong(format!(
            "expected {height} rows of {width} intensities, one a pixel of the panel, found \
             {rows} x {columns}"
        ));
    }
    if let Some(bad) = image.iter().find(|intensity| **intensity < 0.0) {
        return wrong(format!("expected intensities of at least 0, found {bad}"));
    }
    if image.sum() == 0.0 {
        return wrong("no light at all".into());
    }
    Ok(image.transpose().iter().map(|intensity| intensity.sqrt()).collect())
}

/// The amplitudes, row by row, of a Gaussian beam on the middle of a panel, its 1/e^2 radius in
/// units of half the panel's shorter side.
fn gaussian(radius: f64, (height, width): (usize, usize)) -> Vec<f64> {
    let waist = radius * height.min(width) as f64 / 2.0;
    let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let along = |length: usize, middle: f64| -> Vec<f64> {
        (0..length).map(|at| (-((at as f64 - middle) / waist).powi(2)).exp()).collect()
    };
    let (down, across) = (along(height, middle_y), along(width, middle_x));
    down.iter().flat_map(|y| across.iter().map(move |x| y * x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaussian_falls_to_1_over_e2_at_its_radius() {
        // Middle at pixel 10; radius 0.5 of half of 21 pixels: 5.25.
        let amplitudes = gaussian(0.5, (21, 41));
        let at = |y: usize, x: usize| amplitudes[y * 41 + x];
        assert_eq!(at(10, 20), 1.0);
        assert!((at(10, 25) - (-(5.0f64 / 5.25).powi(2)).exp()).abs() < 1e-15);
        assert_eq!(at(4, 20), at(16, 20));
    }

    #[test]
    fn measured_images_are_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("light.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            super::read(&path, (2, 3))
        };
        assert_eq!(read("1,4,9\n0,1,4\n").unwrap(), [1.0, 2.0, 3.0, 0.0, 1.0, 2.0]);
        assert!(
            read("1,4\n0,1\n")
                .unwrap_err()
                .to_string()
                .contains("expected 2 rows of 3 intensities")
        );
        assert!(read("1,4,-1\n0,1,1\n").unwrap_err().to_string().contains("at least 0, found -1"));
    }
}
