//! One side of a mask: the aperture that sends light to a camera when one port is driven.

use super::SpimDevice;
use super::optics::Optics;
use super::optics::camera::Detector;
use super::optics::light::Light;
use crate::Result;

/// An aperture of macro-pixels, and the camera exposed by its light.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// Macro-pixels.
    pub nodes: usize,
    /// The fields that they send to the zero order.
    pub light: Light,
    /// The camera.
    pub detector: Detector,
}

impl Side {
    /// The aperture of `nodes` macro-pixels of `device`.
    ///
    /// # Errors
    /// Those of [`Optics::new`].
    pub fn new(device: &SpimDevice, nodes: usize) -> Result<Self> {
        let optics = Optics::new(device, nodes)?;
        Ok(Self { nodes, light: Light::new(&optics, device.tier()), detector: optics.detector })
    }
}
