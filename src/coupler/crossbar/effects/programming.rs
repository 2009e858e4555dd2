//! Programming errors: a written cell is beside its target by a Gaussian error whose deviation may
//! depend on the conductance. Only at 0 is it cut: a cell can miss its range.
//!
//! ```text
//! sigma(g) = max(0, sigma_0 + c_1 g + c_2 g^2 + ...)
//! ```
//!
//! or what was measured at a few conductances, in straight lines between them.
//!
//! Write-and-verify tries again until the error is within a tolerance, or gives up, which is
//! counted; a cell that is within it of its new target is not written at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_list;
use super::curve::{self, Curve};
use crate::arithmetic::Real;
use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path, Write};
use crate::quantity::range;

/// Errors of writing: the table `[device.crossbar.programming]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Programming {
    /// Standard deviation of a written cell's conductance, microsiemens.
    #[serde(rename = "error_uS", deserialize_with = "range::non_negative")]
    pub error_us: f64,
    /// Coefficients of g, g^2, ... (g in microsiemens) that are added to `error_uS`; the sum is cut
    /// at 0.
    pub error_terms: Vec<f64>,
    /// In place of these: pairs [g, standard deviation of a cell written to g], microsiemens, g
    /// rising; straight lines between them, the last value beyond.
    #[serde(rename = "error_points_uS")]
    pub error_points_us: Curve,
    /// Write-and-verify stops within this distance of the target, microsiemens; 0 writes once.
    #[serde(rename = "tolerance_uS", deserialize_with = "range::non_negative")]
    pub tolerance_us: f64,
    /// Writes after which write-and-verify gives up.
    #[serde(deserialize_with = "range::attempts")]
    pub attempts: usize,
}

impl Default for Programming {
    fn default() -> Self {
        Self {
            error_us: 0.0,
            error_terms: Vec::new(),
            error_points_us: Vec::new(),
            tolerance_us: 0.0,
            attempts: 1,
        }
    }
}

impl Programming {
    /// Standard deviation of the error of a cell written to `g_us`, microsiemens.
    pub fn error(&self, g_us: f64) -> f64 {
        if !self.error_points_us.is_empty() {
            return curve::at(&self.error_points_us, g_us);
        }
        let terms = self.error_terms.iter().rev().fold(0.0, |sum, term| (sum + term) * g_us);
        (self.error_us + terms).max(0.0)
    }

    /// Writes a cell with as many attempts as it takes.
    fn attempt(&self, write: &mut Write, stream: &mut Stream) {
        let (target, tolerance) = (write.target, self.tolerance_us);
        let verified = |cell: f64| tolerance > 0.0 && (cell - target).abs() <= tolerance;
        write.pulses = 0;
        if verified(write.held) {
            write.cell = write.held;
            return;
        }
        let deviation = self.error(target);
        for attempt in 0..self.attempts {
            write.pulses += 1;
            let deviate = if attempt == 0 { write.deviate } else { f64::normal(stream) };
            let moves = write.fixed.is_nan();
            write.cell = if moves { (target + deviation * deviate).max(0.0) } else { write.fixed };
            if tolerance == 0.0 || verified(write.cell) {
                return;
            }
        }
        write.given_up = true;
    }
}

impl Effect for Programming {
    fn title(&self) -> &'static str {
        "programming errors"
    }

    fn is_off(&self) -> bool {
        let exact = self.error_terms.is_empty() && self.error_points_us.is_empty();
        self.error_us == 0.0 && exact && self.tolerance_us == 0.0
    }

    fn check(&self) -> Result<(), String> {
        if !self.error_points_us.is_empty() && (self.error_us > 0.0 || !self.error_terms.is_empty())
        {
            return Err(
                "error_points_uS: expected no error_uS and no error_terms beside them".into()
            );
        }
        curve::check("error_points_uS", &self.error_points_us)?;
        check_list("error_terms", &self.error_terms, None)
    }

    /// Errors are, and how far off write-and-verify leaves a cell.
    fn scale(&mut self, factor: f64) -> bool {
        self.error_us *= factor;
        self.tolerance_us *= factor;
        self.error_terms.iter_mut().for_each(|term| *term *= factor);
        self.error_points_us.iter_mut().for_each(|[_, error]| *error *= factor);
        true
    }
}

impl<T: Real> ArrayEffect<T> for Programming {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_cells() || path.is_of_products()
    }

    fn draws(&self) -> bool {
        self.attempts > 1
    }

    fn write(&self, writes: &mut [Write], stream: &mut Stream, _: &CrossbarDevice) {
        writes.iter_mut().for_each(|write| self.attempt(write, stream));
    }
}
