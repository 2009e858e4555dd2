//! 1/f noise in proportion to conductance: for a read of duration tr at the time t after
//! programming a cell is off by a deviation
//!
//! ```text
//! sigma = g Q sqrt(ln((t + tr) / (2 tr))),    Q = min(a / (g_written / g_max)^b, c)
//! ```
//!
//! where g is the conductance at the time t and g_written the one that the cell was asked to have
//! (Nandakumar et al. 2019, doi:10.1109/ICECS46596.2019.8964852; aihwkit, `PCMLikeNoiseModel`). t is
//! that of `[device.crossbar.age]`, at least t0.
//!
//! Each octave of time adds as much variance as any other. What is slower than the time T = `span_s`
//! within which the reads of one update fall is common to all of them, phases and samples, and is
//! the cell's own; what is faster differs from read to read, in proportions
//!
//! ```text
//! fast  ln((T + tr) / (2 tr)),    slow  ln((t + tr) / (T + tr))
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_list;
use crate::arithmetic::Real;
use crate::coupler::Effect;
use crate::coupler::crossbar::{Age, ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// 1/f noise of the cells: the table `[device.crossbar.flicker_noise]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FlickerNoise {
    /// a, b, c of Q; empty is none.
    pub q: Vec<f64>,
    /// Duration of a read, seconds.
    #[serde(deserialize_with = "range::positive")]
    pub tr_s: f64,
    /// Reads that lie no further apart than this share all noise that is slower, seconds; 0: they
    /// share all of it.
    #[serde(deserialize_with = "range::non_negative")]
    pub span_s: f64,
}

impl Default for FlickerNoise {
    fn default() -> Self {
        Self { q: Vec::new(), tr_s: 250e-9, span_s: 1e-3 }
    }
}

impl FlickerNoise {
    /// Standard deviations, as fractions of its conductance, of the slow and of the fast noise of a
    /// cell written to the fraction `x` of g_max, read at the time of `age`.
    pub fn relative(&self, x: f64, age: &Age) -> [f64; 2] {
        let [a, b, most] = self.q[..] else { return [0.0; 2] };
        let (t, tr) = (age.at_s.max(age.t0_s), self.tr_s);
        let ln = |time: f64| ((time + tr) / (2.0 * tr)).ln().max(0.0);
        let fast = ln(self.span_s.min(t));
        // x = 0 has the most.
        let q = if x > 0.0 { (a / x.powf(b)).min(most) } else { most };
        [ln(t) - fast, fast].map(|part| q * part.sqrt())
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

    /// The deviation is: a and c of Q.
    fn scale(&mut self, factor: f64) -> bool {
        if let [a, _, c] = self.q.as_mut_slice() {
            *a *= factor;
            *c *= factor;
        }
        true
    }
}

impl<T: Real> ArrayEffect<T> for FlickerNoise {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path.is_of_writes() || path == Path::StraightCurrents
    }

    fn varies(&self) -> bool {
        true
    }

    fn age(&self, cells: &mut [f64], written: &[f64], own: &[T], device: &CrossbarDevice) {
        for ((g, written), z) in cells.iter_mut().zip(written).zip(own) {
            let [slow, _] = self.relative(written / device.cells.g_max_us, &device.age);
            *g = (*g * (1.0 + slow * z.f64())).max(0.0);
        }
    }

    fn add_cell_noise(
        &self,
        cells: &[f64],
        written: &[f64],
        deviations: &mut [f64],
        device: &CrossbarDevice,
    ) {
        for ((deviation, g_us), written) in deviations.iter_mut().zip(cells).zip(written) {
            let [_, fast] = self.relative(written / device.cells.g_max_us, &device.age);
            *deviation = deviation.hypot(g_us * fast);
        }
    }
}
