//! Drift: with the time t after a write a cell of coefficient nu of its own loses conductance,
//!
//! ```text
//! G(t) = G (t / t0)^-nu        (Nandakumar et al. 2019, doi:10.1109/ICECS46596.2019.8964852)
//! nu = |mean + sd z|, with the sign of its mean; z is the cell's own
//! ```
//!
//! Mean and deviation are those of the conductance that the cell was written to. A cell of negative
//! nu gains conductance. Stuck cells do not drift. t and t0 are those of `[device.crossbar.age]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_list;
use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};

/// Conductances that change with time: the table `[device.crossbar.drift]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Mean of a cell's nu: a, b, low, high of clip(a ln(g / g_max) + b, low, high); empty is no
    /// drift.
    pub nu: Vec<f64>,
    /// Standard deviation of a cell's nu, in the same form.
    pub nu_sd: Vec<f64>,
    /// Whether outputs are scaled by the measured loss of conductance since programming.
    pub compensation: bool,
}

impl Drift {
    /// Mean and standard deviation of the coefficient nu of a cell written to `g_us`.
    pub fn coefficient(&self, g_us: f64, device: &CrossbarDevice) -> [f64; 2] {
        let ln = (g_us / device.cells.g_max_us).max(1e-6).ln();
        [&self.nu, &self.nu_sd].map(|form| match form[..] {
            [a, b, low, high] => (a * ln + b).clamp(low, high),
            _ => 0.0,
        })
    }
}

impl Effect for Drift {
    fn title(&self) -> &'static str {
        "drift"
    }

    fn is_off(&self) -> bool {
        self.nu.is_empty()
    }

    fn check(&self) -> Result<(), String> {
        for (key, form) in [("nu", &self.nu), ("nu_sd", &self.nu_sd)] {
            check_list(key, form, Some(4))?;
            if form.len() == 4 && form[2] > form[3] {
                return Err(format!(
                    "{key} = {form:?}: expected the third number, the lower limit, to be at most \
                     the fourth"
                ));
            }
        }
        Ok(())
    }

    /// nu is, of every cell.
    fn scale(&mut self, factor: f64) -> bool {
        let numbers = self.nu.iter_mut().chain(&mut self.nu_sd);
        numbers.for_each(|number| *number *= factor);
        true
    }
}

impl<T: Real> ArrayEffect<T> for Drift {
    fn follows(&self, path: Path, device: &CrossbarDevice) -> bool {
        match path {
            Path::WeightsAsWritten => device.age.ln() == 0.0,
            _ => true,
        }
    }

    fn varies(&self) -> bool {
        true
    }

    fn age(&self, cells: &mut [f64], written: &[f64], own: &[T], device: &CrossbarDevice) {
        let ln = device.age.ln();
        for ((g, written), z) in cells.iter_mut().zip(written).zip(own) {
            let [mean, deviation] = self.coefficient(*written, device);
            let nu = (mean + deviation * z.f64()).abs().copysign(mean);
            *g *= (-nu * ln).exp();
        }
    }

    fn compensation(&self, lost: &dyn Fn() -> f64, device: &CrossbarDevice) -> f64 {
        if self.compensation && device.age.ln() > 0.0 { lost() } else { 1.0 }
    }
}
