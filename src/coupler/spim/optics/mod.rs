//! The light path of a spatial photonic Ising machine, one file an effect.
//!
//! The list of effects, in the order in which light meets them, is that of the tables of
//! [`SpimDevice`]; [`Optic`](super::Optic) has the stages at which they act. [`Optics`] is what
//! stands still between mask and camera, built once for all that look through it: training, bench
//! instruments, export. [`exposure`] takes frames from there to the camera's counts.
//!
//! Three tiers follow the effects more or less closely. *Analytic* ([`quantisation`]): real
//! overlaps. *Effective* ([`effective`]): the complex response of every macro-pixel, still O(N K).
//! *Wave* ([`wave`]): every pixel's field and its Fourier transform, the oracle of the other two.

pub mod aberration;
pub mod agreement;
pub mod camera;
pub mod dead_zone;
pub mod drift;
pub mod effective;
pub mod exposure;
pub mod flicker;
pub mod fourier;
pub mod fringing;
pub mod illumination;
pub mod laser;
pub mod layout;
pub mod light;
pub mod mask;
pub mod pixel_flicker;
pub mod quantisation;
pub mod region;
pub mod response;
pub mod settling;
pub mod wave;

use num_complex::Complex;

use self::camera::Detector;
use self::dead_zone::Pixel;
use self::fringing::FringingKernel;
use self::layout::Layout;
use self::response::PhaseResponse;
use super::SpimDevice;
use super::optic::{Path, Sight};
use crate::{Error, Result};

/// All that stands still between a mask and a camera's counts.
#[derive(Clone, Debug)]
pub struct Optics {
    /// The device whose light path this is.
    pub device: SpimDevice,
    /// Where nodes sit on the panel.
    pub layout: Layout,
    /// Bits of the modulator; 0 is an exact phase.
    pub bits: u32,
    /// Which phase a level gives.
    pub response: PhaseResponse,
    /// How phases smear over neighbours.
    pub fringing: Option<FringingKernel>,
    /// Active area and dead zone.
    pub pixel: Pixel,
    /// The complex amplitude of the light at each pixel, row by row; absent for a flat wave of
    /// amplitude 1.
    pub beam: Option<Vec<Complex<f64>>>,
    /// The camera.
    pub detector: Detector,
}

impl Optics {
    /// The light path of `device` with `nodes` macro-pixels a pattern.
    ///
    /// # Errors
    /// When the nodes do not fit the panel, a number of an effect is wrong, or a file that it names
    /// cannot be read or is not what it should be.
    pub fn new(device: &SpimDevice, nodes: usize) -> Result<Self> {
        device.check_effects().map_err(|e| Error::input(format!("device.spim.{e}")))?;
        let layout = Layout::new(&device.panel, nodes, device.regions())
            .map_err(|e| Error::input(format!("device.spim.panel: {e}")))?;
        let mut optics = Self {
            device: device.clone(),
            layout,
            bits: 0,
            response: PhaseResponse::LINEAR,
            fringing: None,
            pixel: Pixel::new(1.0, 0.0, 0.0),
            beam: None,
            detector: device.detector(nodes),
        };
        device.effects_on().into_iter().try_for_each(|effect| effect.build(&mut optics))?;
        Ok(optics)
    }

    /// Multiplies the light at each pixel, row by row.
    pub fn multiply_beam(&mut self, factors: impl Iterator<Item = Complex<f64>>) {
        self.beam = Some(match self.beam.take() {
            None => factors.collect(),
            Some(beam) => {
                beam.into_iter().zip(factors).map(|(light, factor)| light * factor).collect()
            }
        });
    }

    /// What frames of this light path have in common on `path`, fields in units in which that of
    /// all light in phase is `light` and the squared amplitudes of all active pixels sum to
    /// `power`.
    pub fn sight(&self, path: Path, light: f64, power: f64) -> Sight<'_> {
        Sight { device: &self.device, path, detector: &self.detector, light, power }
    }

    /// The amplitude (not the phase) of the light on a pixel.
    pub fn amplitude(&self, at: usize) -> f64 {
        self.beam.as_ref().map_or(1.0, |beam| beam[at].norm())
    }

    /// The sum of the amplitudes of the light on the whole panel.
    pub fn light(&self) -> f64 {
        self.beam.as_ref().map_or((self.layout.width * self.layout.height) as f64, |beam| {
            beam.iter().map(|a| a.norm()).sum()
        })
    }

    /// The sum of the amplitudes of the light on the nodes of region `region`.
    pub fn light_on_nodes(&self, region: usize) -> f64 {
        (0..self.layout.nodes)
            .flat_map(|node| self.pixels(region, node))
            .map(|(at, _)| self.amplitude(at))
            .sum()
    }

    /// The pixels of a node, and whether each is on the checkerboard's first colour.
    pub fn pixels(&self, region: usize, node: usize) -> impl Iterator<Item = (usize, bool)> + '_ {
        let layout = &self.layout;
        let (top, left) = layout.corner(&layout.regions[region], node);
        let side = layout.macro_pixel;
        (0..side * side).map(move |index| {
            let (row, column) = (index / side, index % side);
            (
                (top + row) * layout.width + left + column,
                layout.is_first_colour(row as isize, column as isize),
            )
        })
    }
}
