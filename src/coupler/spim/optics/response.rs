//! Phase response: which phase a level really gives.
//!
//! ```text
//! phi(g) = 2 pi s (g / 2^b)^gamma
//! ```
//!
//! A calibrated modulator has s = gamma = 1. One whose full turn lies at grey level 218 but is
//! driven as if it were at 256 has s = 256/218. A measured table replaces the formula.
//!
//! A laboratory that has measured its table drives the level whose phase is nearest to the one it
//! wants (*calibrated*, the default where a table is given): what remains is the rounding to levels
//! that are not evenly spaced. Without calibration a level is driven as if it showed 2 pi g / 2^b.

use std::f64::consts::TAU;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use super::levels::Levels;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path as LightPath};
use crate::file::matrix::read_vector;
use crate::quantity::range;
use crate::{Error, Result};

/// Steps of the iteration phi <- 2 pi t - e(phi), each of which leaves the slope of e of what is
/// missing.
const STEPS: usize = 6;

/// Phases that are not what they should be: the table `[device.spim.response]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// The phase at the highest level over what it should be: 1 is a calibrated modulator, 256/218
    /// one whose full turn is at grey level 218.
    #[serde(deserialize_with = "range::positive")]
    pub scale: f64,
    /// The exponent gamma of the response, phase = 2 pi scale (level / 2^bits)^gamma.
    #[serde(deserialize_with = "range::positive")]
    pub gamma: f64,
    /// A measured response in place of scale and gamma: a file of phases in radians, one a level,
    /// rising.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Whether levels are chosen through the inverse of the response; absent is yes for a table and
    /// no for the formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
}

impl Default for Response {
    fn default() -> Self {
        Self { scale: 1.0, gamma: 1.0, table: None, calibrated: None }
    }
}

impl Response {
    /// Refuses what was measured level by level on a modulator without levels. The yardstick alone
    /// has such a one, the mean over all roundings: phases are what a calibrated controller wants,
    /// or lie between those of the table.
    pub fn check_levels(&self, bits: u32) -> std::result::Result<(), String> {
        let key = if self.table.is_some() { "table" } else { "calibrated" };
        if bits > 0 || !(self.table.is_some() || self.is_calibrated()) {
            return Ok(());
        }
        Err(format!(
            "response.{key}: a measured response has one phase for each level; expected \
             device.spim.quantisation.bits of 1 to 16"
        ))
    }

    /// Whether the controller inverts the response.
    pub fn is_calibrated(&self) -> bool {
        self.calibrated.unwrap_or(self.table.is_some())
    }
}

impl Effect for Response {
    fn title(&self) -> &'static str {
        "phase response"
    }

    fn is_off(&self) -> bool {
        self.scale == 1.0 && self.gamma == 1.0 && self.table.is_none()
    }

    fn measured(&mut self) -> Option<&mut String> {
        self.table.as_mut()
    }

    /// The distances of scale and exponent from 1 are. A measured table is what it is.
    fn scale(&mut self, factor: f64) -> bool {
        if self.table.is_some() {
            return false;
        }
        self.scale = 1.0 + factor * (self.scale - 1.0);
        self.gamma = 1.0 + factor * (self.gamma - 1.0);
        true
    }
}

impl Optic for Response {
    fn followed_by(&self, path: LightPath, _: &SpimDevice) -> bool {
        !matches!(path, LightPath::Overlaps | LightPath::Analytic)
    }

    /// A table has an entry a level, and an inverse chooses one.
    fn needs(&self) -> &'static [&'static str] {
        &["quantisation"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let (bits, calibrated) = (optics.levels.bits(), self.is_calibrated());
        if bits == 0 && calibrated {
            return Ok(());
        }
        optics.response = match &self.table {
            Some(path) => PhaseResponse::read(Path::new(path), bits)?,
            None => PhaseResponse::Formula { scale: self.scale, gamma: self.gamma },
        };
        if calibrated {
            let count = 1u32 << bits;
            let phase = |level| optics.response.phase(f64::from(level) / f64::from(count));
            optics.levels = Levels::of_phases(bits, (0..count).map(phase).collect());
        }
        Ok(())
    }
}

/// From a level, as a part of the full range, to a phase in radians.
#[derive(Clone, Debug, PartialEq)]
pub enum PhaseResponse {
    /// 2 pi scale t^gamma.
    Formula {
        /// The phase at the end of the range, in turns.
        scale: f64,
        /// The exponent.
        gamma: f64,
    },
    /// Measured phases at equal distances over the range, the last one level below its end.
    Table(Vec<f64>),
    /// The phase phi that with its error e(phi) is taken for 2 pi t; errors in radians, at equal
    /// distances over a turn, both ends included.
    Missed(Vec<f64>),
}

impl PhaseResponse {
    /// A calibrated modulator.
    pub const LINEAR: Self = Self::Formula { scale: 1.0, gamma: 1.0 };

    /// The table in `path` (.npy or .csv): one phase in radians for each of the 2^`bits` levels, or
    /// of as many as there are where `bits` is 0; rising.
    ///
    /// # Errors
    /// When the file cannot be read, or its phases are too few, too many or do not rise.
    pub fn read(path: &Path, bits: u32) -> Result<Self> {
        let wrong = |message: String| Err(Error::input(format!("{}: {message}", path.display())));
        let phases: Vec<f64> = read_vector(path)?.iter().copied().collect();
        let levels = if bits == 0 { phases.len().max(2) } else { 1 << bits };
        if phases.len() != levels {
            return wrong(format!(
                "expected {levels} phases in radians, one for each level of {bits} bits, found {}",
                phases.len()
            ));
        }
        if let Some(at) = phases.windows(2).position(|pair| pair[1] <= pair[0]) {
            return wrong(format!(
                "phases must rise from level to level: level {} has {} and level {} has {}; equilux fit \
                 smooths what was measured (level,phase_rad)",
                at,
                phases[at],
                at + 1,
                phases[at + 1]
            ));
        }
        Ok(Self::Table(phases))
    }

    /// The phase in radians at `part` of the range, from 0 to below 1.
    pub fn phase(&self, part: f64) -> f64 {
        match self {
            Self::Formula { scale, gamma } if *gamma == 1.0 => TAU * scale * part,
            Self::Formula { scale, gamma } => TAU * scale * part.powf(*gamma),
            Self::Missed(errors) => {
                let asked = TAU * part;
                (0..STEPS).fold(asked, |shown, _| asked - error_at(errors, shown / TAU))
            }
            Self::Table(phases) => {
                let at = part * phases.len() as f64;
                let (low, high) =
                    (at.floor() as usize, (at.floor() as usize + 1).min(phases.len() - 1));
                phases[low] + (at - low as f64) * (phases[high] - phases[low])
            }
        }
    }
}

/// The error at `part` of a turn, between measured points.
pub(super) fn error_at(errors: &[f64], part: f64) -> f64 {
    let at = part.clamp(0.0, 1.0) * (errors.len() - 1) as f64;
    let low = (at as usize).min(errors.len() - 2);
    errors[low] + (at - low as f64) * (errors[low + 1] - errors[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_reaches_its_ends() {
        assert_eq!(PhaseResponse::LINEAR.phase(0.25), TAU / 4.0);
        let early = PhaseResponse::Formula { scale: 256.0 / 218.0, gamma: 1.0 };
        assert!((early.phase(218.0 / 256.0) - TAU).abs() < 1e-14, "the full turn is at level 218");
        assert!(
            (PhaseResponse::Formula { scale: 1.0, gamma: 2.0 }.phase(0.5) - TAU / 4.0).abs()
                < 1e-14
        );
    }

    #[test]
    fn tables_are_read_and_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("response.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            PhaseResponse::read(&path, 2)
        };
        let table = read("0\n1\n3\n6\n").unwrap();
        assert_eq!(
            [0.0, 0.25, 0.5, 0.625, 0.75].map(|part| table.phase(part)),
            [0.0, 1.0, 3.0, 4.5, 6.0]
        );
        let short = read("0\n1\n3\n").unwrap_err().to_string();
        assert!(
            short.contains("response.csv")
                && short.contains("expected 4 phases")
                && short.contains("found 3"),
            "{short}"
        );
        let falling = read("0\n2\n1\n3\n").unwrap_err().to_string();
        assert!(falling.contains("level 1 has 2 and level 2 has 1"), "{falling}");
    }
}
