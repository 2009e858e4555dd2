//! 1/f noise in proportion to conductance: for a read of duration tr at the time t after
//! programming a cell is off by a deviation
//!
//! ```text
//! sigma(g) = g Q sqrt(ln((t + tr) / (2 tr))),    Q = min(a / (g / g_max)^b, c)
//! ```
//!
//! (Nandakumar et al. 2019, doi:10.1109/ICECS46596.2019.8964852). t is that of
//! `[device.crossbar.age]`, at least t0.

use serde::{Deserialize, Serialize};

use super::check_list;
use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// 1/f noise of the cells: the table `[device.crossbar.flicker_noise]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlickerNoise {
    /// a, b, c of Q; empty is none.
    pub q: Vec<f64>,
    /// Duration of a read, seconds.
    #[serde(deserialize_with = "range::positive")]
    pub tr_s: f64,
}

impl Default for FlickerNoise {
    fn default() -> Self {
        Self { q: Vec::new(), tr_s: 250e-9 }
    }
}

impl Effect for FlickerNoise {
    fn title(&self) -> &'static str {
        "1/f noise"
    }

    fn is_off(&self) -> bool {
        self.q.is_empty()
    }

    fn is_noise(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), String> {
        check_list("q", &self.q, Some(3))
    }
}

impl<T: Real> ArrayEffect<T> for FlickerNoise {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || matches!(path, Path::StraightCurrents | Path::WeightsAsWritten)
    }

    fn add_cell_noise(&self, cells: &[f64], deviations: &mut [f64], device: &CrossbarDevice) {
        let [a, b, most] = self.q[..] else { return };
        let (t, tr) = (device.age.at_s.max(device.age.t0_s), self.tr_s);
        let spectrum = ((t + tr) / (2.0 * tr)).ln().max(0.0).sqrt();
        for (deviation, g_us) in deviations.iter_mut().zip(cells).filter(|(_, g)| **g > 0.0) {
            let q = (a / (g_us / device.cells.g_max_us).powf(b)).min(most);
            *deviation = deviation.hypot(g_us * q * spectrum);
        }
    }
}
