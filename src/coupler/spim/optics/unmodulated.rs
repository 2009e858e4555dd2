//! Unmodulated light: what reaches the zero order whatever the panel shows.
//!
//! ```text
//! I = |E + c e^(i theta)|^2 + u
//! ```
//!
//! c is *coherent*: the front glass reflects, and interferes with the light of the pixels. u is
//! *incoherent*: light of the polarisation that the panel does not modulate, behind an analyser that
//! leaks. Both are relative to all nodes in phase, c to their field and u to their intensity. What a
//! readout takes from the difference of two frames keeps of c its interference with what is moved,
//! and nothing of u but the range of the camera that it fills.

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot};
use crate::quantity::range;

/// Light that the panel does not modulate: the table `[device.spim.unmodulated]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Unmodulated {
    /// Amplitude of the coherent part, in units of the field of all nodes in phase.
    #[serde(deserialize_with = "range::non_negative")]
    pub coherent: f64,
    /// Phase of the coherent part, radians; 0 is that of level 0.
    #[serde(deserialize_with = "range::finite")]
    pub phase_rad: f64,
    /// Intensity of the incoherent part, in units of that of all nodes in phase.
    #[serde(deserialize_with = "range::non_negative")]
    pub incoherent: f64,
}

impl Effect for Unmodulated {
    fn title(&self) -> &'static str {
        "unmodulated light"
    }

    fn is_off(&self) -> bool {
        self.coherent == 0.0 && self.incoherent == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.coherent *= factor;
        self.incoherent *= factor;
        true
    }
}

impl Optic for Unmodulated {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain)
    }

    fn field(&self, field: Complex<f64>, shot: &Shot, _: Option<&mut Stream>) -> Complex<f64> {
        field + Complex::from_polar(self.coherent * shot.sight.light, self.phase_rad)
    }

    fn intensity(&self, intensities: &mut [f64], shot: &Shot, _: Option<&mut Stream>) {
        for (intensity, share) in intensities.iter_mut().zip(shot.shares) {
            *intensity += self.incoherent * share;
        }
    }
}
