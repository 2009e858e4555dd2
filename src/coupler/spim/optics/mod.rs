//! The light path of a spatial photonic Ising machine, one file an effect.
//!
//! The list of effects, in the order in which light meets them, is that of the tables of
//! [`SpimDevice`]. An effect implements the hooks of the stages at which it acts, [`Optic`], and
//! says which paths follow it. A *path* is a way to work out what the camera reads: the three
//! tiers, and shortcuts that leave stages out. A path is taken only if it follows every effect that
//! is on, so an effect that declares nothing is met where its hooks are called, and never lost on a
//! shortcut.
//!
//! [`Optics`] is what stands still between mask and camera, built once for all that look through
//! it: training, bench instruments, export. [`exposure`] takes frames from there to the camera's
//! counts.
//!
//! Three tiers follow the effects more or less closely. *Analytic* ([`quantisation`]): real
//! overlaps. *Effective* ([`effective`]): the complex response of every macro-pixel, still O(N K).
//! *Wave* ([`wave`]): every pixel's field and its Fourier transform, the oracle of the other two.

pub mod aberration;
pub mod agreement;
pub mod calibration;
pub mod camera;
pub mod dark_level;
pub mod dead_zone;
pub mod display;
pub mod drift;
pub mod effective;
pub mod exposure;
pub mod fields;
pub mod flicker;
pub mod fourier;
pub mod fringing;
pub mod hot_pixels;
pub mod illumination;
pub mod laser;
pub mod laser_flicker;
pub mod layout;
pub mod levels;
pub mod light;
pub mod mask;
pub mod non_linearity;
pub mod non_uniformity;
pub mod orders;
pub mod phase_drift;
pub mod pixel_flicker;
pub mod power_drift;
pub mod quantisation;
pub mod region;
pub mod registration;
pub mod response;
pub mod sensor;
pub mod settling;
pub mod unmodulated;
pub mod varied_response;
pub mod wave;

use num_complex::Complex;

use self::camera::Detector;
use self::dead_zone::Pixel;
use self::fringing::FringingKernel;
use self::layout::Layout;
use self::levels::Levels;
use self::registration::Pose;
use self::response::PhaseResponse;
use super::SpimDevice;
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::Effect;
use crate::{Error, Result};

/// A way to work out what the camera reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Shortcut: forces as products with the patterns, no frame formed. No hook is called.
    Overlaps,
    /// Shortcut: a frame is an intensity on one camera pixel. Hooks of fields, intensities and
    /// counts are not called.
    Plain,
    /// Shortcut: the noise of many frames is one normal deviate, of the variance that
    /// [`Optic::deviation`] gives.
    Once,
    /// Shortcut: every mask is shown at once as it was asked for; [`Optic::settle`] is not called.
    Still,
    /// Tier: real overlaps through phase quantisation. What is built into the panel is not seen.
    Analytic,
    /// Tier: the complex response of every macro-pixel.
    Effective,
    /// Tier: every pixel's field and its Fourier transform, the oracle of the other two.
    Wave,
}

/// What is the same for all frames that one aperture sends to the camera.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The device.
    pub device: &'a SpimDevice,
    /// The tier.
    pub path: Path,
    /// The camera behind it.
    pub detector: &'a Detector,
    /// Macro-pixels of the aperture.
    pub nodes: usize,
    /// The field of all light in phase, in the units of the fields.
    pub light: f64,
    /// Sum of the squared amplitudes of all active pixels, in the same units, where the tier leaves
    /// single pixels out.
    pub power: f64,
}

/// One frame on its way.
pub struct Shot<'a> {
    /// What all frames have in common.
    pub sight: &'a Sight<'a>,
    /// Frames since the read began.
    pub number: u64,
    /// What [`Optic::start`] gave when the read began.
    pub start: f64,
    /// The part of the zero order's light on each camera pixel that is told apart.
    pub shares: &'a [f64],
}

/// An effect on the light path of a spatial photonic Ising machine.
///
/// Hooks stand in the order in which a frame meets them; each does nothing by default. Where a
/// stream is absent noise is left out.
pub trait Optic: Effect {
    /// Whether nothing of the effect is lost on `path` of `device`.
    fn followed_by(&self, path: Path, device: &SpimDevice) -> bool {
        let _ = device;
        matches!(path, Path::Effective | Path::Wave)
    }

    /// Tables without whose numbers this one makes no sense.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Builds the effect into what stands still between mask and camera.
    ///
    /// # Errors
    /// When a file that the effect names cannot be read or is not what it should be.
    fn build(&self, optics: &mut Optics) -> Result<()> {
        let _ = optics;
        Ok(())
    }

    /// Moves the driven phases of the two colours of every macro-pixel from those `shown` towards
    /// those `asked` for, for `seconds`; at rest they are arccos(a) and its opposite, 2 pi less
    /// arccos(a), radians. Asked of effects that do not follow [`Path::Still`].
    fn settle(&self, shown: &mut [[f64; 2]], asked: &[[f64; 2]], seconds: f64) {
        let _ = seconds;
        shown.copy_from_slice(asked);
    }

    /// Where the effect stands when a read begins, handed back to it in [`Shot::start`].
    fn start(&self, stream: &mut Stream) -> f64 {
        let _ = stream;
        0.0
    }

    /// The relative change of all phases of a frame.
    fn phase_change(&self, shot: &Shot) -> f64 {
        let _ = shot;
        0.0
    }

    /// Changes the phases of all pixels in one frame, radians, row by row: the wave tier. `key`
    /// names the frame.
    fn pixel_phases(&self, phases: &mut [f64], key: Key) {
        let _ = (phases, key);
    }

    /// The field that becomes of `field`.
    fn field(&self, field: Complex<f64>, shot: &Shot, stream: Option<&mut Stream>) -> Complex<f64> {
        let _ = (shot, stream);
        field
    }

    /// Changes the intensities on the camera pixels of [`Shot::shares`], relative to all light in
    /// phase.
    fn intensity(&self, intensities: &mut [f64], shot: &Shot, stream: Option<&mut Stream>) {
        let _ = (intensities, shot, stream);
    }

    /// The standard deviation of what [`intensity`](Self::intensity) adds to one intensity at
    /// random, where that is a normal deviate: [`Path::Once`].
    fn deviation(&self, intensity: f64) -> f64 {
        let _ = intensity;
        0.0
    }

    /// What is read for the camera's `count`, an intensity.
    fn count(&self, count: f64, shot: &Shot, stream: Option<&mut Stream>) -> f64 {
        let _ = (shot, stream);
        count
    }

    /// The standard deviation of the error of a zero order of typical nodes, a node in phase counting
    /// 1, that is the same in both frames of a pair.
    fn overlap_error(&self, sight: &Sight) -> f64 {
        let _ = sight;
        0.0
    }

    /// The standard deviation of the error of a frame of typical `intensity`, the camera's apart,
    /// that is another in every frame.
    fn frame_error(&self, intensity: f64, sight: &Sight) -> f64 {
        let _ = (intensity, sight);
        0.0
    }

    /// The name and, on an aligned bench, the values of what wanders from write to write.
    fn aligned(&self) -> Option<(&'static str, Vec<f64>)> {
        None
    }

    /// Lets `state` wander by one write; `key` names the write.
    fn wander(&self, state: &mut [f64], key: Key) {
        let _ = (state, key);
    }

    /// Lets `state` wander for `hours`: the time that the frames between two writes took, at each
    /// write, and half of it from the write to each phase that follows; `key` names the write or the
    /// phase.
    fn walk(&self, state: &mut [f64], hours: f64, key: Key) {
        let _ = (state, hours, key);
    }

    /// The relative change of all phases in `state`.
    fn drifted_phase(&self, state: &[f64]) -> f64 {
        let _ = state;
        0.0
    }

    /// The part of the light that is left in `state`.
    fn gain(&self, state: &[f64], device: &SpimDevice) -> f64 {
        let _ = (state, device);
        1.0
    }
}

/// Moves each of `state` by a step of a random walk of `hours`: its standard deviation s is that
/// after an hour, and it is drawn back to 0 with a time constant in hours (0: never),
///
/// ```text
/// x <- x e^(-t/tau) + s sqrt(tau/2 (1 - e^(-2t/tau))) N(0, 1)
/// ```
///
/// so that it never spreads beyond s sqrt(tau/2) (Uhlenbeck & Ornstein 1930,
/// doi:10.1103/PhysRev.36.823).
fn random_walk(state: &mut [f64], (s, time_constant): (f64, f64), hours: f64, key: Key) {
    if s == 0.0 || hours <= 0.0 {
        return;
    }
    let mut deviation = s * hours.sqrt();
    if time_constant > 0.0 {
        let past = hours / time_constant;
        state.iter_mut().for_each(|x| *x *= (-past).exp());
        deviation = s * (-(-2.0 * past).exp_m1() * time_constant / 2.0).sqrt();
    }
    key.add_normals(state, deviation);
}

/// All that stands still between a mask and a camera's counts.
#[derive(Clone, Debug)]
pub struct Optics {
    /// The device whose light path this is.
    pub device: SpimDevice,
    /// Where nodes sit on the panel.
    pub layout: Layout,
    /// The levels of the modulator, as its controller knows them.
    pub levels: Levels,
    /// Which phase a level gives.
    pub response: PhaseResponse,
    /// How phases smear over neighbours.
    pub fringing: Option<FringingKernel>,
    /// Active area and dead zone.
    pub pixel: Pixel,
    /// The complex amplitude of the light at each pixel, row by row; absent for a flat wave of
    /// amplitude 1.
    pub beam: Option<Vec<Complex<f64>>>,
    /// The same as the laboratory has measured it, where it has changed since.
    pub measured_beam: Option<Vec<Complex<f64>>>,
    /// The relative change of all phases at each pixel, row by row; absent for none.
    pub phase_gains: Option<Vec<f64>>,
    /// How the panel lies in the beam.
    pub pose: Pose,
    /// The camera.
    pub detector: Detector,
    /// What every force is multiplied by, because the unit of light was measured with an error.
    pub unit: f64,
    /// Names what is fixed in the hardware.
    pub chip: Key,
}

impl Optics {
    /// The light path of `device` with `nodes` macro-pixels a pattern, on the first chip of seed 0.
    ///
    /// # Errors
    /// Those of [`on_chip`](Self::on_chip).
    pub fn new(device: &SpimDevice, nodes: usize) -> Result<Self> {
        Self::on_chip(device, nodes, SpimDevice::chip(0, 0, 0))
    }

    /// The light path of `device` with `nodes` macro-pixels a pattern; `chip` names what is fixed in
    /// its hardware ([`SpimDevice::chip`]).
    ///
    /// # Errors
    /// When the nodes do not fit the panel, a number of an effect is wrong, or a file that it names
    /// cannot be read or is not what it should be.
    pub fn on_chip(device: &SpimDevice, nodes: usize, chip: Key) -> Result<Self> {
        device.check_effects().map_err(|e| Error::input(format!("device.spim.{e}")))?;
        let overlaps = device.readout.get().reads_overlaps();
        let reference = if overlaps { display::reference_macro_pixels(nodes) } else { 0 };
        let layout = Layout::new(&device.panel, nodes, reference, device.regions())
            .map_err(|e| Error::input(format!("device.spim.panel: {e}")))?;
        let mut optics = Self {
            device: device.clone(),
            layout,
            levels: Levels::exact(),
            response: PhaseResponse::LINEAR,
            fringing: None,
            pixel: Pixel::new(1.0, 0.0, 0.0),
            beam: None,
            measured_beam: None,
            phase_gains: None,
            pose: Pose::default(),
            detector: device.detector(nodes),
            unit: 1.0,
            chip,
        };
        device.effects_on().into_iter().try_for_each(|effect| effect.build(&mut optics))?;
        Ok(optics)
    }

    /// Multiplies the light at each pixel, row by row.
    pub fn multiply_beam(&mut self, factors: impl Iterator<Item = Complex<f64>> + Clone) {
        let product = |beam: Option<Vec<Complex<f64>>>| match beam {
            None => factors.clone().collect(),
            Some(beam) => beam
                .into_iter()
                .zip(factors.clone())
                .map(|(light, factor)| light * factor)
                .collect(),
        };
        if self.measured_beam.is_some() {
            self.measured_beam = Some(product(self.measured_beam.take()));
        }
        self.beam = Some(product(self.beam.take()));
    }

    /// What frames of this light path have in common on `path`, fields in units in which that of
    /// all light in phase is `light` and the squared amplitudes of all active pixels sum to
    /// `power`.
    pub fn sight(&self, path: Path, light: f64, power: f64) -> Sight<'_> {
        let nodes = self.layout.nodes;
        Sight { device: &self.device, path, detector: &self.detector, nodes, light, power }
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
        self.sum_on_nodes(region, self.beam.as_deref())
    }

    fn sum_on_nodes(&self, region: usize, beam: Option<&[Complex<f64>]>) -> f64 {
        (0..self.layout.nodes)
            .flat_map(|node| self.pixels(region, node))
            .map(|(at, _)| beam.map_or(1.0, |beam| beam[at].norm()))
            .sum()
    }

    /// The light on the two colours of each macro-pixel of region `region`, in units of the
    /// amplitude on an average node.
    pub fn light_on_colours(&self, region: usize) -> Vec<[Complex<f64>; 2]> {
        self.on_colours(region, self.beam.as_deref())
    }

    /// [`light_on_colours`](Self::light_on_colours) as the laboratory has measured it.
    pub fn measured_on_colours(&self, region: usize) -> Vec<[Complex<f64>; 2]> {
        self.on_colours(region, self.measured_beam.as_deref().or(self.beam.as_deref()))
    }

    fn on_colours(&self, region: usize, beam: Option<&[Complex<f64>]>) -> Vec<[Complex<f64>; 2]> {
        let unit = self.sum_on_nodes(region, beam) / self.layout.nodes as f64;
        let light = |node| {
            let mut light = [Complex::default(); 2];
            for (at, first) in self.pixels(region, node) {
                let amplitude = beam.map_or(Complex::from(1.0), |beam| beam[at]);
                light[usize::from(!first)] += amplitude / unit;
            }
            light
        };
        (0..self.layout.macro_pixels()).map(light).collect()
    }

    /// The mean relative change of all phases on each macro-pixel of region `region`; empty where
    /// there is none.
    pub fn phase_gains_of_nodes(&self, region: usize) -> Vec<f64> {
        let Some(gains) = &self.phase_gains else { return Vec::new() };
        let pixels = self.layout.macro_pixel.pow(2) as f64;
        let mean = |node| self.pixels(region, node).map(|(at, _)| gains[at]).sum::<f64>() / pixels;
        (0..self.layout.macro_pixels()).map(mean).collect()
    }

    /// The pixels of a macro-pixel, and whether each is on the checkerboard's first colour.
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
