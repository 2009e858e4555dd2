//! The light path of a spatial photonic Ising machine, one file an effect, in the order in which
//! light meets them.
//!
//! | # | effect | file |
//! |---|---|---|
//! | 1 | phase quantisation | [`gauge`], [`mask`] |
//! | 2 | phase response | [`phase_response`] |
//! | 3 | fringing fields | [`fringing`] |
//! | 4 | fill factor and dead zone | [`fill_factor`] |
//! | 5, 6 | common and pixel flicker | [`flicker`] |
//! | 7 | illumination | [`illumination`] |
//! | 8 | aberration | [`zernike`] |
//! | 9 | laser intensity noise | [`laser`] |
//! | 10, 11 | camera and its region of interest | [`camera`] |
//! | 12 | settling | [`settling`] |
//! | 13 | drift | [`drift`] |
//!
//! Three tiers follow them more or less closely. *Analytic* ([`gauge`]): real overlaps, effects 1
//! and 9 to 13. *Effective* ([`effective`]): the complex response of every macro-pixel, all
//! effects, still O(N K). *Wave* ([`wave`]): every pixel's field and its Fourier transform, the
//! oracle of the other two.

pub mod agreement;
pub mod camera;
pub mod drift;
pub mod effective;
pub mod fill_factor;
pub mod flicker;
pub mod fourier;
pub mod fringing;
pub mod gauge;
pub mod illumination;
pub mod laser;
pub mod layout;
pub mod mask;
pub mod phase_response;
pub mod settling;
pub mod wave;
pub mod zernike;

use std::path::Path;

use num_complex::Complex;

use self::camera::{Camera, CameraRegion};
use self::fill_factor::FillFactor;
use self::flicker::Flicker;
use self::fringing::Fringing;
use self::illumination::Illumination;
use self::laser::Laser;
use self::layout::Layout;
use self::phase_response::PhaseResponse;
use super::SpimDevice;
use crate::{Error, Result};

/// All that stands between a mask and a camera's counts.
#[derive(Clone, Debug)]
pub struct Optics {
    /// Where nodes sit on the panel.
    pub layout: Layout,
    /// Bits of the modulator; 0 is an exact phase.
    pub bits: u32,
    /// Effect 2.
    pub response: PhaseResponse,
    /// Effect 3.
    pub fringing: Option<Fringing>,
    /// Effect 4.
    pub pixel: FillFactor,
    /// Effects 5 and 6.
    pub flicker: Flicker,
    /// Effects 7 and 8, the complex amplitude at each pixel, row by row; absent for a flat wave of
    /// amplitude 1.
    pub beam: Option<Vec<Complex<f64>>>,
    /// Effect 9.
    pub laser: Laser,
    /// Effects 10 and 11.
    pub camera: Camera,
    /// The camera's region of interest.
    pub region: CameraRegion,
}

impl Optics {
    /// The light path of `device` with `nodes` macro-pixels a pattern.
    ///
    /// # Errors
    /// When the nodes do not fit the panel, or a file that the device names cannot be read or is
    /// not what it should be.
    pub fn new(device: &SpimDevice, nodes: usize) -> Result<Self> {
        let layout = Layout::new(device.panel(), nodes, device.regions())
            .map_err(|e| Error::input(format!("device.spim: {e}")))?;
        let size = (layout.height, layout.width);
        let response = match &device.phase_table {
            Some(_) if device.phase_bits == 0 => {
                return Err(Error::input(
                    "device.spim.phase_table: a table has one phase for each level; expected phase_bits of 1 to 16",
                ));
            }
            Some(path) => PhaseResponse::read(Path::new(path), device.phase_bits)?,
            None => PhaseResponse::Formula { scale: device.phase_scale, gamma: device.phase_gamma },
        };
        let fringing = match &device.crosstalk_kernel {
            Some(path) => Some(Fringing::read(Path::new(path))?),
            None if device.crosstalk_sigma > 0.0 => {
                Some(Fringing::from_formula(device.crosstalk_sigma, device.crosstalk_order))
            }
            None => None,
        };
        let light = match &device.illumination {
            Some(path) => Illumination::read(Path::new(path), size)?,
            None if device.beam_radius > 0.0 => Illumination::Gaussian(device.beam_radius),
            None => Illumination::Uniform,
        };
        if let Some(bad) = device.zernike_waves.iter().find(|waves| !waves.is_finite()) {
            return Err(Error::input(format!(
                "device.spim.zernike_waves: {bad} is out of range: expected finite numbers"
            )));
        }
        let waves: Vec<f64> = device
            .zernike_waves
            .iter()
            .map(|waves| waves * (1.0 - device.zernike_correction))
            .collect();
        let flat = light == Illumination::Uniform && waves.iter().all(|waves| *waves == 0.0);
        let beam = (!flat).then(|| {
            let phases = zernike::phases(&waves, size);
            light
                .amplitudes(size)
                .iter()
                .zip(phases)
                .map(|(amplitude, phase)| Complex::from_polar(*amplitude, phase))
                .collect()
        });
        let region =
            CameraRegion { side_px: device.camera_region_px, spot_px: device.camera_spot_px };
        Ok(Self {
            layout,
            bits: device.phase_bits,
            response,
            fringing,
            pixel: FillFactor::new(
                device.fill_factor,
                device.gap_reflectivity,
                device.gap_phase_rad,
            ),
            flicker: Flicker {
                common: device.flicker,
                turns_per_frame: device.flicker_hz / device.frame_rate_hz,
                pixel_rad: device.pixel_flicker_rad,
            },
            beam,
            laser: Laser { noise: device.laser_noise },
            camera: device.camera(nodes),
            region,
        })
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
