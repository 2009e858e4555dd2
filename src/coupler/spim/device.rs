//! The numbers that describe a spatial photonic Ising machine, as a datasheet or an experiment
//! states them.

use serde::{Deserialize, Serialize};

use super::optics::camera::{Camera, CameraRegion};
use super::optics::layout::PanelGeometry;
use super::readout::reference;
use super::{Patterns, Spim};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::coupler::{Coupler, Family, Site};
use crate::quantity::range;
use nalgebra::DMatrix;

/// How forces are had from intensities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// Two frames a node and pattern, the node at plus and minus its slope: exact, whatever the
    /// size of the step; self-coupling drops out.
    ParameterShift,
    /// The same with the node shifted by a quarter turn and all others dimmed by the square root of
    /// 2: self-coupling stays in.
    QuarterShift,
    /// Two frames a node and pattern, the node's value at plus and minus `probe_step`.
    FiniteDifference,
    /// Two frames a pattern, with a reference macro-pixel at phase 0 and pi: the signed overlap.
    Homodyne,
    /// Two frames a node and pattern, one writer macro-pixel at plus and minus its slope beside the
    /// readers: the only all-optical readout of couplings that are not reciprocal.
    CrossTerm,
    /// Two frames a pattern and random direction, all nodes moved at once by `probe_step`.
    Spsa,
}

impl Readout {
    /// Whether the readout measures an energy of one set of patterns, and so only reciprocal
    /// couplings.
    pub fn needs_energy(self) -> bool {
        matches!(
            self,
            Self::ParameterShift | Self::QuarterShift | Self::FiniteDifference | Self::Spsa
        )
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::ParameterShift => "parameter-shift",
            Self::QuarterShift => "quarter-shift",
            Self::FiniteDifference => "finite-difference",
            Self::Homodyne => "homodyne",
            Self::CrossTerm => "cross-term",
            Self::Spsa => "spsa",
        }
    }
}

/// How much of the optics a simulation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Overlaps: phase quantisation, laser, camera, settling and drift.
    Analytic,
    /// The complex response of every macro-pixel: phase response, fringing, dead zone, flicker,
    /// illumination and aberration too.
    Effective,
}

/// How K patterns share the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Multiplexing {
    /// One pattern a frame.
    Time,
    /// One pattern a wavelength: all in one frame.
    Wavelength,
    /// One pattern a region of the panel, each with a carrier grating of its own: all in one frame.
    FocalPlane,
}

/// What becomes of a node's coupling to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfCoupling {
    /// W has a zero diagonal.
    Removed,
    /// W keeps the diagonal of its patterns.
    Kept,
}

/// The values a pattern may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatternValues {
    /// -1 or +1.
    Binary,
    /// Anything in [-1, 1].
    Continuous,
}

/// The intensity in which the camera's full scale is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraExposure {
    /// That of a zero order with all nodes in phase.
    InPhase,
    /// That of as many nodes at random phases: an exposure for each mask, and for each of its
    /// sides.
    Typical,
}

/// What becomes of an update that ends between two of the values that a pattern of few bits may
/// show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateRounding {
    /// Nothing: a latent copy in full precision is trained, and what is shown is rounded from it.
    None,
    /// Without a latent copy: one of the two at random, so that the mean is the update.
    Stochastic,
    /// Without a latent copy: the nearer one. Updates below half a step are lost.
    Nearest,
}

/// A spatial photonic Ising machine: the table `[device.spim]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpimDevice {
    /// The datasheet under these numbers: a name in `devices/` or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Number of rank-1 patterns, K.
    #[serde(deserialize_with = "range::positive_integer")]
    pub patterns: usize,
    /// The values a pattern may take.
    pub pattern_values: PatternValues,
    /// Magnitude of the pattern weights before training; their signs alternate.
    #[serde(deserialize_with = "range::positive")]
    pub pattern_weight: f64,
    /// Whether pattern weights are trained.
    pub train_pattern_weights: bool,
    /// Bits to which continuous patterns are rounded when they are shown (1: their sign). 0 is no
    /// rounding.
    #[serde(deserialize_with = "range::pattern_bits")]
    pub pattern_bits: u32,
    /// How updates of rounded patterns are rounded.
    pub update_rounding: UpdateRounding,
    /// Whether readers and writers are patterns of their own, W = (1/K) sum_k lambda_k u^k (v^k)^T.
    /// Arrays between two layers always have both.
    pub non_reciprocal: bool,
    /// What becomes of a node's coupling to itself.
    pub self_coupling: SelfCoupling,
    /// How forces are had from intensities.
    pub readout: Readout,
    /// The step of `finite-difference` and `spsa`, in units of node values.
    #[serde(deserialize_with = "range::up_to_one")]
    pub probe_step: f64,
    /// Random directions averaged by `spsa`.
    #[serde(deserialize_with = "range::positive_integer")]
    pub spsa_directions: usize,
    /// How K patterns share the machine.
    pub multiplexing: Multiplexing,
    /// How much of the optics is followed.
    pub tier: Tier,
    /// Whether the noise of every frame is drawn by itself even where one number for all has the
    /// same distribution.
    pub per_frame_noise: bool,
    /// Pixels of the panel from left to right; 0 is as many as the nodes need.
    #[serde(deserialize_with = "range::count")]
    pub panel_width_px: usize,
    /// Pixels of the panel from top to bottom; 0 is as many as the nodes need.
    #[serde(deserialize_with = "range::count")]
    pub panel_height_px: usize,
    /// Distance between pixels, micrometres; for manifests.
    #[serde(deserialize_with = "range::positive")]
    pub pitch_um: f64,
    /// The wavelength for which levels are calibrated, nanometres; for manifests.
    #[serde(deserialize_with = "range::positive")]
    pub wavelength_nm: f64,
    /// Pixels along the side of a macro-pixel: one node.
    #[serde(deserialize_with = "range::positive_integer")]
    pub macro_pixel_px: usize,
    /// Pixels along the side of a field of the checkerboard.
    #[serde(deserialize_with = "range::positive_integer")]
    pub checker_px: usize,
    /// Bits of the modulator's phase; 0 is an exact phase.
    #[serde(deserialize_with = "range::phase_bits")]
    pub phase_bits: u32,
    /// The phase at the highest level over what it should be: 1 is a calibrated modulator, 256/218
    /// one whose full turn is at grey level 218.
    #[serde(deserialize_with = "range::positive")]
    pub phase_scale: f64,
    /// The exponent gamma of the response, phase = 2 pi scale (level / 2^bits)^gamma.
    #[serde(deserialize_with = "range::positive")]
    pub phase_gamma: f64,
    /// A measured response in place of scale and gamma: a file of phases in radians, one a level,
    /// rising.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_table: Option<String>,
    /// Width of the fringing kernel's spectrum, cycles a pixel; 0 is no crosstalk.
    #[serde(deserialize_with = "range::non_negative")]
    pub crosstalk_sigma: f64,
    /// The exponent q of the fringing kernel's spectrum.
    #[serde(deserialize_with = "range::positive")]
    pub crosstalk_order: f64,
    /// A measured fringing kernel, three samples a pixel, in place of the formula: an .npy or .csv
    /// file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crosstalk_kernel: Option<String>,
    /// The part of a pixel's area that modulates.
    #[serde(deserialize_with = "range::up_to_one")]
    pub fill_factor: f64,
    /// Amplitude reflectivity of the dead zone; 0 absorbs.
    #[serde(deserialize_with = "range::unit_interval")]
    pub gap_reflectivity: f64,
    /// Phase of the dead zone, radians.
    #[serde(deserialize_with = "range::finite")]
    pub gap_phase_rad: f64,
    /// Amplitude of the flicker common to all pixels, as a part of the phase.
    #[serde(deserialize_with = "range::fraction")]
    pub flicker: f64,
    /// Frequency of the common flicker.
    #[serde(rename = "flicker_Hz", deserialize_with = "range::positive")]
    pub flicker_hz: f64,
    /// Standard deviation of each pixel's own phase from frame to frame, radians.
    #[serde(deserialize_with = "range::non_negative")]
    pub pixel_flicker_rad: f64,
    /// 1/e^2 radius of a Gaussian beam, in units of half the panel's shorter side; 0 is uniform
    /// light.
    #[serde(deserialize_with = "range::non_negative")]
    pub beam_radius: f64,
    /// A measured image of the illumination (intensities, one a pixel of the panel) in place of the
    /// Gaussian: an .npy or .csv file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub illumination: Option<String>,
    /// Whether patterns are divided by the light that falls on each node, at the price of light.
    pub illumination_corrected: bool,
    /// Aberration: waves (rms) of the Zernike modes from Noll index 4 (defocus) on.
    pub zernike_waves: Vec<f64>,
    /// The part of the aberration that the modulator's own correction takes away.
    #[serde(deserialize_with = "range::unit_interval")]
    pub zernike_correction: f64,
    /// Relative standard deviation of the laser's intensity from frame to frame.
    #[serde(deserialize_with = "range::non_negative")]
    pub laser_noise: f64,
    /// Bits of the camera; 0 is a camera without rounding or clipping.
    #[serde(deserialize_with = "range::camera_bits")]
    pub camera_bits: u32,
    /// Standard deviation of a frame's read noise, in units of the camera's full scale.
    #[serde(deserialize_with = "range::non_negative")]
    pub camera_noise: f64,
    /// The intensity at the camera's brightest code, in units of `camera_exposure`.
    #[serde(deserialize_with = "range::positive")]
    pub camera_full_scale: f64,
    /// What the full scale is relative to.
    pub camera_exposure: CameraExposure,
    /// Electrons of a camera pixel at the brightest code, its full well: shot noise; 0 is none.
    #[serde(deserialize_with = "range::non_negative")]
    pub camera_electrons: f64,
    /// Camera pixels along the side of the square that is summed around the zero order.
    #[serde(deserialize_with = "range::positive_integer")]
    pub camera_region_px: usize,
    /// Camera pixels from the middle of the zero order to its first dark line.
    #[serde(deserialize_with = "range::positive")]
    pub camera_spot_px: f64,
    /// Standard deviation of the step by which the zero order wanders across the camera between two
    /// writes, camera pixels.
    #[serde(deserialize_with = "range::non_negative")]
    pub pointing_drift_px: f64,
    /// Time constant of the liquid crystal, milliseconds; 0 follows at once.
    #[serde(deserialize_with = "range::non_negative")]
    pub response_ms: f64,
    /// Frames per second, modulator and camera together.
    #[serde(rename = "frame_rate_Hz", deserialize_with = "range::positive")]
    pub frame_rate_hz: f64,
    /// Settling of the modulator before the frames of one force, milliseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub settling_ms: f64,
}

impl SpimDevice {
    /// The panel, and what nodes take of it.
    pub fn panel(&self) -> PanelGeometry {
        PanelGeometry {
            width: self.panel_width_px,
            height: self.panel_height_px,
            macro_pixel: self.macro_pixel_px,
            checker: self.checker_px,
        }
    }

    /// Regions of the panel that each hold all nodes.
    pub fn regions(&self) -> usize {
        if self.multiplexing == Multiplexing::FocalPlane { self.patterns } else { 1 }
    }

    /// The camera before an aperture of `nodes` macro-pixels, its region of interest included.
    pub(super) fn camera(&self, nodes: usize) -> Camera {
        let region = CameraRegion { side_px: self.camera_region_px, spot_px: self.camera_spot_px };
        let exposure = match self.camera_exposure {
            CameraExposure::InPhase => 1.0,
            CameraExposure::Typical => nodes as f64 / self.field_in_phase(nodes).powi(2),
        };
        Camera::new(
            self.camera_bits,
            self.camera_noise,
            self.camera_full_scale * exposure,
            self.camera_electrons,
            region,
        )
    }

    /// The field of all light in phase, for an aperture of `nodes` macro-pixels, in units of a
    /// macro-pixel's.
    pub(super) fn field_in_phase(&self, nodes: usize) -> f64 {
        let nodes = nodes as f64;
        if self.readout == Readout::Homodyne { nodes + reference(nodes) } else { nodes }
    }

    /// Frames in which all patterns are shown once.
    pub fn frames_per_energy(&self) -> u64 {
        if self.multiplexing == Multiplexing::Time { self.patterns as u64 } else { 1 }
    }

    /// A machine without any imperfection, 60 frames a second.
    pub fn ideal() -> Self {
        Self {
            sheet: None,
            patterns: 32,
            pattern_values: PatternValues::Binary,
            pattern_weight: 1.0,
            train_pattern_weights: false,
            pattern_bits: 0,
            update_rounding: UpdateRounding::None,
            non_reciprocal: false,
            self_coupling: SelfCoupling::Removed,
            readout: Readout::ParameterShift,
            probe_step: 0.5,
            spsa_directions: 1,
            multiplexing: Multiplexing::Time,
            tier: Tier::Analytic,
            per_frame_noise: false,
            panel_width_px: 0,
            panel_height_px: 0,
            pitch_um: 8.0,
            wavelength_nm: 532.0,
            macro_pixel_px: 8,
            checker_px: 1,
            phase_bits: 0,
            phase_scale: 1.0,
            phase_gamma: 1.0,
            phase_table: None,
            crosstalk_sigma: 0.0,
            crosstalk_order: 1.2,
            crosstalk_kernel: None,
            fill_factor: 1.0,
            gap_reflectivity: 0.0,
            gap_phase_rad: 0.0,
            flicker: 0.0,
            flicker_hz: 60.0,
            pixel_flicker_rad: 0.0,
            beam_radius: 0.0,
            illumination: None,
            illumination_corrected: false,
            zernike_waves: Vec::new(),
            zernike_correction: 0.0,
            laser_noise: 0.0,
            camera_bits: 0,
            camera_noise: 0.0,
            camera_full_scale: 1.0,
            camera_exposure: CameraExposure::InPhase,
            camera_electrons: 0.0,
            camera_region_px: 1,
            camera_spot_px: 1.0,
            pointing_drift_px: 0.0,
            response_ms: 0.0,
            frame_rate_hz: 60.0,
            settling_ms: 0.0,
        }
    }
}

impl Default for SpimDevice {
    fn default() -> Self {
        Self::ideal()
    }
}

impl Family for SpimDevice {
    fn describe(&self) -> String {
        let sheet = self.sheet.as_ref().map_or(String::new(), |sheet| format!(" ({sheet})"));
        let values = match self.pattern_values {
            PatternValues::Binary => "binary",
            PatternValues::Continuous => "continuous",
        };
        let count = self.patterns;
        format!("spatial photonic Ising machine of {count} {values} patterns{sheet}")
    }

    fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    fn check_site(&self, same_nodes: bool) -> Result<(), String> {
        if (same_nodes && !self.non_reciprocal) || !self.readout.needs_energy() {
            return Ok(());
        }
        Err(format!(
            "readout = \"{}\" measures the energy of nodes that share one set of \
             patterns: expected \"homodyne\" or \"cross-term\" {}",
            self.readout.name(),
            if same_nodes {
                "with non_reciprocal = true"
            } else {
                "for masks between two layers (or network.topology = \"all-to-all\")"
            }
        ))
    }

    /// One set of patterns where a mask couples nodes to themselves, readers and writers where it
    /// joins two layers.
    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>> {
        let mut stream = Key::new(site.seed, "initial patterns").with(site.index).stream();
        let mut random = |nodes: usize| {
            DMatrix::from_fn(nodes, self.patterns, |_, _| {
                let deviate = T::normal(&mut stream);
                match self.pattern_values {
                    PatternValues::Binary => deviate.signum(),
                    PatternValues::Continuous => deviate.tanh(),
                }
            })
        };
        let readers = random(site.inputs);
        let own_writers = self.non_reciprocal || !site.same_nodes;
        let writers = own_writers.then(|| random(site.outputs));
        let weight = T::of(self.pattern_weight);
        let sign = |k: usize| if k % 2 == 0 { weight } else { -weight };
        let weights = DMatrix::from_fn(self.patterns, 1, |k, _| sign(k));
        let same_nodes = site.same_nodes;
        let patterns = Patterns { readers, writers, weights, same_nodes };
        Ok(Box::new(Spim::new(self.clone(), patterns)?))
    }
}
