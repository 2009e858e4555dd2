//! Cells that are not linear: a cell at voltage u carries
//!
//! ```text
//! I = G u + a u^2 + b u^3
//! ```
//!
//! Driven from the other side the even term changes its sign, so that the array is not reciprocal:
//! no matrix serves both directions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_list;
use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CellLaw, CrossbarDevice, Path};

/// The current of a cell beyond G u, each coefficient a polynomial of log10(G / S), the highest
/// power first: the table `[device.crossbar.current]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CellCurrent {
    /// The u^2 term, A/V^2; empty is 0.
    pub square: Vec<f64>,
    /// The u^3 term, A/V^3; empty is 0.
    pub cube: Vec<f64>,
}

impl CellCurrent {
    /// The coefficients of u^2 and u^3 for a cell of `g` siemens.
    pub fn coefficients(&self, g: f64) -> [f64; 2] {
        // A cell that does not conduct has no current of any order.
        if g < 1e-9 {
            return [0.0, 0.0];
        }
        let decades = g.log10();
        [&self.square, &self.cube]
            .map(|terms| terms.iter().fold(0.0, |sum, term| sum * decades + term))
    }
}

impl Effect for CellCurrent {
    fn title(&self) -> &'static str {
        "cells that are not linear"
    }

    fn is_off(&self) -> bool {
        self.square.is_empty() && self.cube.is_empty()
    }

    fn check(&self) -> Result<(), String> {
        check_list("square", &self.square, None)?;
        check_list("cube", &self.cube, None)
    }

    /// The currents beyond G u are.
    fn scale(&mut self, factor: f64) -> bool {
        let terms = self.square.iter_mut().chain(&mut self.cube);
        terms.for_each(|term| *term *= factor);
        true
    }
}

impl<T: Real> ArrayEffect<T> for CellCurrent {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || matches!(path, Path::EvenNoise | Path::WeightsAsWritten)
    }

    fn carry(&self, law: CellLaw) -> CellLaw {
        CellLaw { beyond: self.coefficients(law.g), ..law }
    }
}
