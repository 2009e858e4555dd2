//! The numbers that describe a spatial photonic Ising machine, as a datasheet or an experiment states them.

use serde::{Deserialize, Serialize};

use crate::config::range;

/// How forces are had from intensities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// Two frames a node and pattern, the node at plus and minus its slope: exact, whatever the size of the step.
    ParameterShift,
    /// Two frames a pattern, with a reference macro-pixel at phase 0 and pi: the signed overlap.
    Homodyne,
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
    /// What becomes of a node's coupling to itself.
    pub self_coupling: SelfCoupling,
    /// How forces are had from intensities.
    pub readout: Readout,
    /// Bits of the modulator's phase; 0 is an exact phase.
    #[serde(deserialize_with = "range::phase_bits")]
    pub phase_bits: u32,
    /// Bits of the camera; 0 is a camera without rounding or clipping.
    #[serde(deserialize_with = "range::camera_bits")]
    pub camera_bits: u32,
    /// Standard deviation of a frame's read noise, in units of the camera's full scale.
    #[serde(deserialize_with = "range::non_negative")]
    pub camera_noise: f64,
    /// The intensity at the camera's brightest code, relative to a zero order with all nodes in phase.
    #[serde(deserialize_with = "range::positive")]
    pub camera_full_scale: f64,
    /// Frames per second, modulator and camera together.
    #[serde(rename = "frame_rate_Hz", deserialize_with = "range::positive")]
    pub frame_rate_hz: f64,
    /// Settling of the modulator before the frames of one force, milliseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub settling_ms: f64,
}

impl SpimDevice {
    /// A machine without any imperfection, 60 frames a second.
    pub fn ideal() -> Self {
        Self {
            sheet: None,
            patterns: 32,
            pattern_values: PatternValues::Binary,
            pattern_weight: 1.0,
            train_pattern_weights: false,
            self_coupling: SelfCoupling::Removed,
            readout: Readout::ParameterShift,
            phase_bits: 0,
            camera_bits: 0,
            camera_noise: 0.0,
            camera_full_scale: 1.0,
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
