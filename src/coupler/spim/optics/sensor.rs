//! What parts the pixels of a camera from ideal ones, in the order in which light meets it:
//!
//! ```text
//! light x gain + dark signal -> electrons -> x (1 - b x) -> pedestal, read noise
//!       -> clipping, code -> what the laboratory subtracts
//! ```
//!
//! A pixel's quantities are parts of its full scale. Effects of the camera write into it as they are
//! built; see [`Detector::sensor_mut`](super::camera::Detector::sensor_mut).

/// The pixels of a region.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// What each pixel's light is multiplied by.
    pub gains: Vec<f64>,
    /// The signal of each pixel in the dark, collected like light.
    pub dark: Vec<f64>,
    /// What the electronics add to every reading.
    pub pedestal: f64,
    /// The part of the full scale by which a reading there falls short, b.
    pub bend: f64,
    /// What the laboratory subtracts from every reading.
    pub subtracted: f64,
}

impl Sensor {
    /// Ideal pixels.
    pub fn ideal(pixels: usize) -> Self {
        let (gains, dark) = (vec![1.0; pixels], vec![0.0; pixels]);
        Self { gains, dark, pedestal: 0.0, bend: 0.0, subtracted: 0.0 }
    }

    /// The reading, in units of the full scale, of what a pixel has collected.
    pub fn bent(&self, collected: f64) -> f64 {
        collected * (1.0 - self.bend * collected)
    }
}
