//! One side of a mask: the aperture that sends light to a camera when one port is driven.

use super::optics::Optics;
use super::optics::camera::Detector;
use super::optics::light::Light;
use super::{SpimDevice, Tier};
use crate::Result;
use crate::arithmetic::random::Key;

/// An aperture of macro-pixels, and the camera exposed by its light.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// Macro-pixels.
    pub nodes: usize,
    /// The fields that they send to the zero order.
    pub light: Light,
    /// The camera.
    pub detector: Detector,
    /// What every force is multiplied by, because the unit of light was measured with an error.
    pub unit: f64,
}

impl Side {
    /// The aperture of `nodes` macro-pixels of `device` on `chip`.
    ///
    /// # Errors
    /// Those of [`Optics::on_chip`].
    pub fn new(device: &SpimDevice, nodes: usize, chip: Key) -> Result<Self> {
        Self::with_tier(device, device.tier(), nodes, chip)
    }

    /// What a laboratory believes of the aperture of `nodes` macro-pixels of the device that it
    /// knows: every macro-pixel by itself.
    ///
    /// # Errors
    /// Those of [`Optics::on_chip`].
    pub fn believed(known: &SpimDevice, nodes: usize, chip: Key) -> Result<Self> {
        Self::with_tier(known, Tier::Effective, nodes, chip)
    }

    fn with_tier(device: &SpimDevice, tier: Tier, nodes: usize, chip: Key) -> Result<Self> {
        let optics = Optics::on_chip(device, nodes, chip)?;
        let light = Light::new(&optics, tier);
        Ok(Self { nodes, light, detector: optics.detector, unit: optics.unit })
    }
}
