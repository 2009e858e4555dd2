//! The tables that describe a spatial photonic Ising machine, as a datasheet or an experiment
//! states them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optics;
use super::optics::camera::Detector;
use super::optics::display::reference_wanted;
use super::optics::{Optic, Path};
use super::readout::{ReadoutChoice, Shares};
use super::{Patterns, Spim};
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Coupler, Family, Site, chip_key, tables};
use crate::file::limits;
use crate::quantity::range;
use crate::{Error, Result};

pub use super::optics::layout::Panel;

tables! {
    /// A spatial photonic Ising machine: the table `[device.spim]`. Without effects it is ideal.
    pub struct SpimDevice of dyn Optic {
        settings {
            /// How forces are had from intensities.
            readout: ReadoutChoice,
            /// Of which couplings rules take the gradient.
            learning_rule: LearningRule,
            /// How much of the optics is followed; absent is the cheapest tier that follows every
            /// effect that is on.
            #[serde(skip_serializing_if = "Option::is_none")]
            tier: Option<Tier>,
            /// The programmable part.
            patterns: PatternSettings,
            /// The modulator's pixels, and what nodes take of them.
            panel: Panel,
            /// How frames follow one another.
            frames: Frames,
        }
        effects {
            /// Phases of finitely many levels.
            quantisation: optics::quantisation::Quantisation,
            /// Phases that are not what they should be.
            response: optics::response::Response,
            /// What was measured once, with errors.
            calibration: optics::calibration::Calibration,
            /// Phases that are not the same everywhere.
            varied_response: optics::varied_response::VariedResponse,
            /// Phases smeared over neighbours.
            fringing: optics::fringing::Fringing,
            /// Pixels that do not modulate everywhere.
            dead_zone: optics::dead_zone::DeadZone,
            /// Flicker common to all pixels.
            flicker: optics::flicker::Flicker,
            /// A phase response that drifts.
            phase_drift: optics::phase_drift::PhaseDrift,
            /// Flicker of single pixels.
            pixel_flicker: optics::pixel_flicker::PixelFlicker,
            /// A panel and a camera that are not where they should be.
            registration: optics::registration::Registration,
            /// Light that is not the same everywhere.
            illumination: optics::illumination::Illumination,
            /// A wave front that is not flat.
            aberration: optics::aberration::Aberration,
            /// Light that no pixel modulates.
            unmodulated: optics::unmodulated::Unmodulated,
            /// A laser that is not steady.
            laser: optics::laser::Laser,
            /// Its noise from frame to frame that is not white.
            laser_flicker: optics::laser_flicker::LaserFlicker,
            /// A power that drifts.
            power_drift: optics::power_drift::PowerDrift,
            /// Camera pixels of different gains.
            non_uniformity: optics::non_uniformity::NonUniformity,
            /// Camera pixels that show light in the dark.
            hot_pixels: optics::hot_pixels::HotPixels,
            /// Readings that are not proportional to the light.
            non_linearity: optics::non_linearity::NonLinearity,
            /// A pedestal under every reading.
            dark_level: optics::dark_level::DarkLevel,
            /// What reads intensities.
            camera: optics::camera::Camera,
            /// The square of camera pixels that is summed.
            region: optics::region::CameraRegion,
            /// A modulator that lags.
            settling: optics::settling::Settling,
            /// A zero order that wanders.
            drift: optics::drift::Drift,
        }
    }
}

/// How much of the optics a simulation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Real overlaps, and what frames and masks do from one to the next.
    Analytic,
    /// The complex response of every macro-pixel.
    Effective,
}

impl Tier {
    /// From the cheapest on.
    const ALL: [Self; 2] = [Self::Analytic, Self::Effective];

    /// The tier as a path of light.
    pub fn path(self) -> Path {
        match self {
            Self::Analytic => Path::Analytic,
            Self::Effective => Path::Effective,
        }
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Analytic => "analytic",
            Self::Effective => "effective",
        }
    }
}

/// How K patterns share the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Multiplexing {
    /// One pattern a frame.
    #[default]
    Time,
    /// One pattern a wavelength: all in one frame.
    Wavelength,
    /// One pattern a region of the panel, each with a carrier grating of its own: all in one frame.
    FocalPlane,
}

/// Before which frames a laboratory waits for its modulator to settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrameWait {
    /// The first of each force.
    #[default]
    Force,
    /// The first of each force, and every one whose pattern is not that of the frame before.
    Pattern,
    /// Every one.
    Frame,
}

/// What becomes of a node's coupling to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelfCoupling {
    /// W has a zero diagonal.
    #[default]
    Removed,
    /// W keeps the diagonal of its patterns.
    Kept,
    /// What the readout measures of it stays, and nothing is added digitally: none of it by
    /// parameter shift, half by unscaled shift.
    Measured,
}

/// Of which couplings rules take the gradient, where the readout measures others than those that
/// patterns stand for (arXiv 2606.13454).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LearningRule {
    /// Of those that act on the nodes.
    #[default]
    Exact,
    /// Of all that the patterns stand for, self-couplings included: what intensities say by
    /// themselves.
    Approximate,
}

/// How pattern weights are chosen before training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InitialWeights {
    /// All of one magnitude, with signs that alternate.
    #[default]
    Alternating,
    /// Normal deviates.
    Normal,
}

/// The values a pattern may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PatternValues {
    /// -1 or +1.
    #[default]
    Binary,
    /// Anything in [-1, 1].
    Continuous,
}

/// What becomes of an update that ends between two of the values that a pattern of few bits may
/// show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateRounding {
    /// Nothing: a latent copy in full precision is trained, and what is shown is rounded from it.
    #[default]
    None,
    /// Without a latent copy: one of the two at random, so that the mean is the update.
    Stochastic,
    /// Without a latent copy: the nearer one. Updates below half a step are lost.
    Nearest,
}

/// The programmable part: the table `[device.spim.patterns]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PatternSettings {
    /// Number of rank-1 patterns, K.
    #[serde(deserialize_with = "range::patterns")]
    pub count: usize,
    /// The values a pattern may take.
    pub values: PatternValues,
    /// Magnitude of the pattern weights before training, or their standard deviation.
    #[serde(deserialize_with = "range::positive")]
    pub weight: f64,
    /// How they are chosen.
    pub initial_weights: InitialWeights,
    /// Continuous patterns start evenly spread between minus and plus this; 0 is tanh of normal
    /// deviates.
    #[serde(deserialize_with = "range::unit_interval")]
    pub uniform_within: f64,
    /// Whether pattern weights are trained.
    pub train_weights: bool,
    /// Bits to which continuous patterns are rounded when they are shown (1: their sign). 0 is no
    /// rounding.
    #[serde(deserialize_with = "range::pattern_bits")]
    pub bits: u32,
    /// How updates of rounded patterns are rounded.
    pub rounding: UpdateRounding,
    /// Whether readers and writers are patterns of their own, W = (1/K) sum_k lambda_k u^k (v^k)^T.
    /// Arrays between two layers always have both.
    pub non_reciprocal: bool,
    /// What becomes of a node's coupling to itself.
    pub self_coupling: SelfCoupling,
    /// Whether patterns are divided by the light that falls on each node, at the price of light.
    pub compensated: bool,
}

impl Default for PatternSettings {
    fn default() -> Self {
        Self {
            count: 32,
            values: PatternValues::Binary,
            weight: 1.0,
            initial_weights: InitialWeights::Alternating,
            uniform_within: 0.0,
            train_weights: false,
            bits: 0,
            rounding: UpdateRounding::None,
            non_reciprocal: false,
            self_coupling: SelfCoupling::Removed,
            compensated: false,
        }
    }
}

impl PatternSettings {
    /// Whether only signs are shown.
    pub fn are_signs(&self) -> bool {
        self.values == PatternValues::Binary || self.bits == 1
    }
}

/// How frames follow one another: the table `[device.spim.frames]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Frames {
    /// Frames per second, modulator and camera together.
    #[serde(rename = "rate_Hz", deserialize_with = "range::positive")]
    pub rate_hz: f64,
    /// Settling of the modulator that the laboratory waits for, milliseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub settling_ms: f64,
    /// Before which frames it waits.
    pub wait_before: FrameWait,
    /// How K patterns share the machine.
    pub multiplexing: Multiplexing,
    /// Whether the noise of every frame is drawn by itself even where one number for all has the
    /// same distribution.
    pub separate_noise: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            rate_hz: 60.0,
            settling_ms: 0.0,
            wait_before: FrameWait::Force,
            multiplexing: Multiplexing::Time,
            separate_noise: false,
        }
    }
}

impl SpimDevice {
    /// Names what is fixed in the hardware of array `index` of a machine: the seed and the chip of
    /// its experiment.
    pub fn chip(seed: u64, chip: u64, index: u64) -> Key {
        chip_key(seed, chip, "optics").with(index)
    }

    /// The effects that are on, in the order in which light meets them.
    pub fn effects_on(&self) -> Vec<&dyn Optic> {
        let all = self.effects().into_iter().map(|(_, effect)| effect);
        all.filter(|effect| !effect.is_off()).collect()
    }

    /// Whether `path` follows every effect that is on.
    pub fn follows(&self, path: Path) -> bool {
        self.effects_on().iter().all(|effect| effect.followed_by(path, self))
    }

    /// The tier that is followed: the one asked for, else the cheapest that follows every effect
    /// that is on, else the last.
    pub fn tier(&self) -> Tier {
        let cheapest = || Tier::ALL.into_iter().find(|tier| self.follows(tier.path()));
        self.tier.or_else(cheapest).unwrap_or(Tier::Effective)
    }

    /// The part of the couplings W of the patterns that acts on the nodes: what the readout measures,
    /// and what is added digitally to that.
    pub fn couplings(&self) -> Shares {
        let Shares { others, own } = self.readout.get().shares();
        let own = match self.patterns.self_coupling {
            SelfCoupling::Removed => 0.0,
            SelfCoupling::Kept => others,
            SelfCoupling::Measured => own,
        };
        Shares { others, own }
    }

    /// The `patterns` that share a mask.
    pub fn masks<'a, 'b>(&self, patterns: &'b [&'a [f64]]) -> Vec<&'b [&'a [f64]]> {
        if self.frames.multiplexing == Multiplexing::FocalPlane {
            vec![patterns]
        } else {
            patterns.chunks(1).collect()
        }
    }

    /// Regions of the panel that each hold all nodes.
    pub fn regions(&self) -> usize {
        if self.frames.multiplexing == Multiplexing::FocalPlane { self.patterns.count } else { 1 }
    }

    /// Macro-pixels of an array of so many `inputs` and `outputs`, driven forward and reversed.
    pub fn apertures(&self, inputs: usize, outputs: usize) -> [usize; 2] {
        let both = self.readout.get().shows_writers();
        [inputs, outputs].map(|driven| if both { inputs + outputs } else { driven })
    }

    /// The camera before an aperture of `nodes` macro-pixels, its region of interest included.
    pub fn detector(&self, nodes: usize) -> Detector {
        self.camera.detector(&self.region, nodes, self.field_in_phase(nodes))
    }

    /// The field of all light in phase, for an aperture of `nodes` macro-pixels, in units of a
    /// macro-pixel's.
    pub fn field_in_phase(&self, nodes: usize) -> f64 {
        let nodes = nodes as f64;
        if self.readout.get().reads_overlaps() { nodes + reference_wanted(nodes) } else { nodes }
    }

    /// Waits for the modulator during a force of `pairs` pairs of frames of every pattern.
    pub fn waits(&self, pairs: u64) -> u64 {
        let patterns = self.frames_per_energy();
        match self.frames.wait_before {
            FrameWait::Force => 1,
            FrameWait::Pattern if patterns > 1 => patterns * self.readout.get().rounds(),
            FrameWait::Pattern => 1,
            FrameWait::Frame => 2 * pairs * patterns,
        }
    }

    /// Frames in which all patterns are shown once.
    pub fn frames_per_energy(&self) -> u64 {
        if self.frames.multiplexing == Multiplexing::Time { self.patterns.count as u64 } else { 1 }
    }
}

impl Family for SpimDevice {
    /// The device in words, its tier named where it is not the cheapest.
    fn describe(&self) -> String {
        let values = match self.patterns.values {
            PatternValues::Binary => "binary",
            PatternValues::Continuous => "continuous",
        };
        let tier = match self.tier() {
            Tier::Analytic => "",
            Tier::Effective => ", effective tier",
        };
        let (count, sheet) = (self.patterns.count, self.of_sheet());
        format!("spatial photonic Ising machine of {count} {values} patterns{tier}{sheet}")
    }

    fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    /// Effects that are not what they should be, or that the tier asked for loses, are refused.
    fn check(&self) -> Result<(), String> {
        self.check_effects()?;
        self.response.check_levels(self.quantisation.bits)?;
        let tier = self.tier();
        let followed = |effect: &dyn Optic, tier: Tier| effect.followed_by(tier.path(), self);
        let lost = |(_, effect): &(_, &dyn Optic)| !effect.is_off() && !followed(*effect, tier);
        let Some((table, effect)) = self.effects().into_iter().find(lost) else { return Ok(()) };
        let other = Tier::ALL.into_iter().find(|tier| followed(effect, *tier));
        Err(format!(
            "tier = \"{}\" does not follow [device.spim.{table}] ({}): expected {}",
            tier.name(),
            effect.title(),
            other.map_or("an effect that training follows".into(), |tier| {
                format!("\"{}\", or no tier, which chooses it", tier.name())
            })
        ))
    }

    /// Couplings of different nodes, or that are not reciprocal, are no energy of one set of
    /// patterns.
    fn check_site(&self, same_nodes: bool) -> Result<(), String> {
        let reciprocal = same_nodes && !self.patterns.non_reciprocal;
        if reciprocal || !self.readout.get().needs_energy() {
            return Ok(());
        }
        Err(format!(
            "readout = \"{}\" measures the energy of nodes that share one set of patterns: expected \
             {} {}",
            self.readout.name(),
            ReadoutChoice::of_any_coupling(),
            if same_nodes {
                "with patterns.non_reciprocal = true"
            } else {
                "for masks between two layers (or network.topology = \"all-to-all\")"
            }
        ))
    }

    /// One set of patterns where a mask couples nodes to themselves, readers and writers where it
    /// joins two layers.
    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>> {
        let key = Key::new(site.seed, "initial patterns").with(site.index);
        let nodes = (site.inputs, site.outputs);
        let large = |e| Error::input(format!("device.spim.patterns.count: nodes x patterns, {e}"));
        let most = site.inputs.max(site.outputs);
        limits::NUMBERS.product(&[most, self.patterns.count]).map_err(large)?;
        let patterns = Patterns::random(&self.patterns, nodes, site.same_nodes, key);
        if let Some(laboratory) = site.laboratory {
            let spim = Spim::in_laboratory(self.clone(), patterns, laboratory.clone(), site.index)?;
            return Ok(Box::new(spim));
        }
        let chip = Self::chip(site.seed, site.chip, site.index);
        Ok(Box::new(Spim::on_chip(self.clone(), patterns, chip)?))
    }
}
