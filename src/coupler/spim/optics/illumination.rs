//! Illumination: the beam is not flat.
//!
//! A Gaussian beam has the amplitude exp(-r^2 / w^2), its intensity falls to 1/e^2 at r = w. A
//! measured image of intensities may take its place.

use std::path::Path;

use nalgebra::DMatrix;
use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use super::mask::read_grey;
use super::registration::Pose;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path as LightPath};
use crate::file::matrix::read_matrix;
use crate::quantity::range;
use crate::{Error, Result};

/// Light that is not the same everywhere: the table `[device.spim.illumination]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Illumination {
    /// 1/e^2 radius of a Gaussian beam, in units of half the panel's shorter side; 0 is uniform
    /// light.
    #[serde(deserialize_with = "range::non_negative")]
    pub radius: f64,
    /// A measured image of the light (intensities, one a pixel of the panel) in place of the
    /// Gaussian: an .npy or .csv file, or a grey .png as a camera writes it.
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

    fn check(&self) -> Result<(), String> {
        match &self.image {
            Some(image) if self.radius > 0.0 => Err(format!(
                "image = {image:?} beside radius = {}: expected one of them; radius = 0 leaves the \
                 measured image",
                self.radius
            )),
            _ => Ok(()),
        }
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
        let pose = optics.pose;
        if pose == Pose::default() {
            optics.multiply_beam(amplitudes.iter().map(|amplitude| amplitude.into()));
            return Ok(());
        }
        // What the laboratory has measured, and what is there now.
        optics.measured_beam = Some(amplitudes.iter().map(Complex::from).collect());
        let moved: Vec<Complex<f64>> = match &self.image {
            Some(_) => moved(&amplitudes, size, &pose),
            None => moved_gaussian(self.radius, size, &pose),
        };
        optics.beam = Some(match optics.beam.take() {
            None => moved,
            Some(beam) => beam.into_iter().zip(moved).map(|(light, other)| light * other).collect(),
        });
        Ok(())
    }
}

/// The amplitudes of the intensities in `path` (.npy, .csv or a grey .png), rows x columns of the
/// panel.
///
/// # Errors
/// When the file cannot be read, its shape is not the panel's, or an intensity is negative.
fn read(path: &Path, (height, width): (usize, usize)) -> Result<Vec<f64>> {
    let wrong = |message: String| Err(Error::input(format!("{}: {message}", path.display())));
    let image = match path.extension().is_some_and(|extension| extension == "png") {
        true => {
            let (_, (rows, columns), grey) = read_grey(path, 0)?;
            DMatrix::from_row_iterator(rows, columns, grey.into_iter().map(f64::from))
        }
        false => read_matrix(path)?,
    };
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

/// What `light` makes, row by row, of the place in the beam of each pixel of a panel that lies in it
/// as `pose` says; places are counted from the beam's middle.
fn placed(
    (height, width): (usize, usize),
    pose: &Pose,
    light: impl Fn([f64; 2]) -> f64,
) -> Vec<Complex<f64>> {
    let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let at = |row: usize, column: usize| [row as f64 - middle_y, column as f64 - middle_x];
    let rows = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    rows.map(|(row, column)| Complex::from(light(pose.of(at(row, column))))).collect()
}

/// The amplitudes of a Gaussian beam on a panel that lies in it as `pose` says.
fn moved_gaussian(radius: f64, size: (usize, usize), pose: &Pose) -> Vec<Complex<f64>> {
    let waist = radius * size.0.min(size.1) as f64 / 2.0;
    placed(size, pose, |[y, x]| (-(y * y + x * x) / (waist * waist)).exp())
}

/// Measured `amplitudes` where a panel that lies as `pose` says now sees them, between pixels by
/// straight lines; beyond the image its rim goes on.
fn moved(amplitudes: &[f64], (height, width): (usize, usize), pose: &Pose) -> Vec<Complex<f64>> {
    let along = |count: usize, at: f64| {
        let at = (at + (count as f64 - 1.0) / 2.0).clamp(0.0, count as f64 - 1.0);
        let low = (at as usize).min(count.saturating_sub(2));
        (low, (low + 1).min(count - 1), at - low as f64)
    };
    placed((height, width), pose, |[y, x]| {
        let ((top, bottom, down), (left, right, across)) = (along(height, y), along(width, x));
        let line = |row: usize| {
            let row = &amplitudes[row * width..(row + 1) * width];
            row[left] * (1.0 - across) + row[right] * across
        };
        line(top) * (1.0 - down) + line(bottom) * down
    })
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
        let path = directory.path().join("light.png");
        crate::file::grey::write_grey(&path, (2, 3), true, &[1, 4, 9, 0, 1, 400]).unwrap();
        assert_eq!(super::read(&path, (2, 3)).unwrap(), [1.0, 2.0, 3.0, 0.0, 1.0, 20.0]);
    }
}
