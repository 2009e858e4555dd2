//! Errors of calibration: what the laboratory measured once, and goes on believing.
//!
//! It measures the phase of some levels against level 0, each with an error, and draws straight lines
//! between them; it drives the level whose phase *so measured* is nearest to the one it wants. A
//! modulator of levels psi_g, with the error e, shows for a phase that is asked for
//!
//! ```text
//! psi_g,      g = argmin_g |psi_g + e(psi_g) - phi|
//! ```
//!
//! It also measures once how much light is a unit of force, with an error: every force is
//! multiplied by 1 + x. Both errors are dealt by the chip.

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use super::levels::Levels;
use super::response::{PhaseResponse, error_at};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Errors of what was measured once: the table `[device.spim.calibration]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// Standard deviation of a measured phase, radians.
    #[serde(deserialize_with = "range::non_negative")]
    pub phase_rad: f64,
    /// Phases that are measured over a full turn, beside that of level 0.
    #[serde(deserialize_with = "range::positive_integer")]
    pub points: usize,
    /// Relative standard deviation of the unit of light.
    #[serde(deserialize_with = "range::fraction")]
    pub unit_of_light: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { phase_rad: 0.0, points: 16, unit_of_light: 0.0 }
    }
}

impl Calibration {
    /// The error of the phase at each measured point, radians, that of level 0 first.
    fn errors(&self, chip: Key) -> Vec<f64> {
        let mut errors = vec![0.0; self.points + 1];
        let key = Key::new(0, "phase calibration").join(chip);
        key.add_normals(&mut errors[1..], self.phase_rad);
        errors
    }
}

impl Effect for Calibration {
    fn title(&self) -> &'static str {
        "calibration"
    }

    fn is_off(&self) -> bool {
        self.phase_rad == 0.0 && self.unit_of_light == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.phase_rad *= factor;
        self.unit_of_light *= factor;
        true
    }
}

impl Optic for Calibration {
    /// The unit is a factor on every force that frames give; phases are those of single levels.
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        match path {
            Path::Overlaps => false,
            Path::Analytic => self.phase_rad == 0.0,
            _ => true,
        }
    }

    /// A measured phase is that of a level.
    fn needs(&self) -> &'static [&'static str] {
        &["quantisation", "response"]
    }

    /// Without levels a phase is shown whose error is made up for exactly as much.
    fn build(&self, optics: &mut Optics) -> Result<()> {
        if self.unit_of_light > 0.0 {
            let key = Key::new(0, "unit of light").join(optics.chip);
            optics.unit = 1.0 + self.unit_of_light * f64::normal(&mut key.stream());
        }
        if self.phase_rad == 0.0 {
            return Ok(());
        }
        let (bits, errors) = (optics.levels.bits(), self.errors(optics.chip));
        if bits == 0 {
            optics.response = PhaseResponse::Missed(errors);
            return Ok(());
        }
        let count = 1u32 << bits;
        let measured = |level: u32| {
            let phase = optics.response.phase(f64::from(level) / f64::from(count));
            phase + error_at(&errors, phase / TAU)
        };
        optics.levels = Levels::of_phases(bits, (0..count).map(measured).collect());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_spread_and_level_0_has_none() {
        let calibration = Calibration { phase_rad: 0.05, points: 4, ..Calibration::default() };
        let draws = 5000;
        let mut squares = 0.0;
        for chip in 0..draws {
            let errors = calibration.errors(Key::new(chip, "chip"));
            assert_eq!((errors.len(), errors[0]), (5, 0.0));
            squares += errors[1..].iter().map(|error| error * error).sum::<f64>();
        }
        let ratio = squares / (4 * draws) as f64 / 0.05f64.powi(2);
        assert!((ratio - 1.0).abs() < 5.0 * (2.0 / (4 * draws) as f64).sqrt(), "{ratio}");
    }

    #[test]
    fn between_points_errors_lie_on_straight_lines() {
        let errors = [0.0, 0.2, -0.1];
        for (part, expected) in [(0.0, 0.0), (0.25, 0.1), (0.5, 0.2), (0.75, 0.05), (1.0, -0.1)] {
            assert!((error_at(&errors, part) - expected).abs() < 1e-15, "{part}");
        }
    }
}
