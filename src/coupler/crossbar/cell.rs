//! The cells of a crossbar: what was asked of them, what they became, and what time makes of them.
//!
//! A weight is a pair of cells, w ~ G+ - G-. Its target is clipped to the conductance range and rounded to the nearest of the device's
//! levels; the [`Mapping`] makes two conductances of it. Writing a cell leaves a Gaussian programming error that may depend on the
//! conductance (clipped to the range); write-and-verify tries again until the error is within a tolerance. A cell whose target has not
//! changed, or that is within the tolerance of its new target, is not written again. A stuck cell never moves. With time t after a write
//! a cell of coefficient nu of its own drifts,
//!
//! ```text
//! G(t) = G (t / t0)^-nu        (Nandakumar et al. 2019, doi:10.1109/ICECS46596.2019.8964852)
//! ```

use nalgebra::DMatrix;
use rand::RngExt;

use super::CrossbarDevice;
use super::device::Mapping;
use crate::random::{Key, Stream};
use crate::real::Real;

/// Pairs of cells, outputs x inputs.
#[derive(Clone, Debug)]
pub struct Cells<T: Real> {
    device: CrossbarDevice,
    targets: DMatrix<T>,
    weights: DMatrix<T>,
    /// Conductances of G+ and G- right after programming, microsiemens.
    programmed: [DMatrix<T>; 2],
    /// Drift coefficients of G+ and G-; empty where nothing drifts.
    drift: [DMatrix<T>; 2],
    /// Conductances of stuck cells, not-a-number for others; empty where none is.
    stuck: [Vec<f64>; 2],
    written: u64,
}

/// A cell being written.
struct Writer<'a> {
    device: &'a CrossbarDevice,
    written: &'a mut u64,
    stream: &'a mut Stream,
}

impl Writer<'_> {
    /// What a cell that holds `held` becomes when `target` is asked of it.
    fn write(&mut self, target: f64, held: f64) -> f64 {
        let device = self.device;
        let tolerance = device.write_tolerance_us;
        if tolerance > 0.0 && (held - target).abs() <= tolerance {
            return held;
        }
        let deviation = device.programming_error(target);
        let mut cell = target;
        for _ in 0..device.write_attempts {
            *self.written += 1;
            if deviation == 0.0 {
                break;
            }
            cell = (target + deviation * f64::normal(self.stream)).clamp(device.g_min_us, device.g_max_us);
            if tolerance == 0.0 || (cell - target).abs() <= tolerance {
                break;
            }
        }
        cell
    }
}

impl<T: Real> Cells<T> {
    /// Blank cells of `device`, `shape` = (outputs, inputs); `key` names the stream that picks the stuck ones.
    pub fn new(device: &CrossbarDevice, shape: (usize, usize), key: Key) -> Self {
        let nothing = T::of(f64::NAN); // no target yet: the first write reaches every cell
        let targets = DMatrix::from_element(shape.0, shape.1, nothing);
        let (to_min, to_max) = (device.stuck_at_min, device.stuck_at_max);
        let mut stream = key.with(1).stream();
        let mut stuck = || {
            let pick = |chance: f64| match chance {
                chance if chance < to_min => device.g_min_us,
                chance if chance < to_min + to_max => device.g_max_us,
                _ => f64::NAN,
            };
            let cells = if to_min + to_max > 0.0 { shape.0 * shape.1 } else { 0 };
            (0..cells).map(|_| pick(stream.random())).collect::<Vec<f64>>()
        };
        let drift = || if device.drift_nu.is_empty() { DMatrix::zeros(0, 0) } else { targets.clone() };
        Self {
            stuck: [stuck(), stuck()],
            weights: targets.clone(),
            programmed: [targets.clone(), targets.clone()],
            drift: [drift(), drift()],
            targets,
            device: device.clone(),
            written: 0,
        }
    }

    /// The nearest weight that the levels can stand for.
    fn rounded(&self, weight: f64) -> f64 {
        let bound = self.device.weight_max;
        let wanted = weight.clamp(-bound, bound);
        if self.device.levels == 0 {
            return wanted;
        }
        let steps = f64::from(self.device.levels - 1);
        match self.device.mapping {
            Mapping::Differential => (wanted / (bound / steps)).round() * (bound / steps),
            // Levels span -bound to bound.
            Mapping::Balanced | Mapping::Offset => ((wanted + bound) / (2.0 * bound / steps)).round() * (2.0 * bound / steps) - bound,
        }
    }

    /// Writes `weights`; `key` names the random stream of the programming errors.
    pub fn write(&mut self, weights: &DMatrix<T>, key: Key) {
        let scale = self.device.weight_per_us();
        let mut stream = key.stream();
        let (device, mut written) = (self.device.clone(), self.written);
        let perfect = device.programming_error_us == 0.0 && device.programming_error_terms.is_empty() && self.stuck[0].is_empty();
        for (index, wanted) in weights.iter().enumerate() {
            let wanted = self.rounded(wanted.f64());
            if self.targets[index] == T::of(wanted) {
                continue;
            }
            self.targets[index] = T::of(wanted);
            let asked = device.conductances(wanted);
            let mut became = [0.0; 2];
            for side in 0..2 {
                let held = self.programmed[side][index].f64();
                // The reference of the offset mapping is trimmed once and for all.
                let reference = device.mapping == Mapping::Offset && side == 1;
                let cell = match self.stuck[side].get(index) {
                    _ if reference => asked[side],
                    Some(stuck) if !stuck.is_nan() => *stuck,
                    _ => Writer { device: &device, written: &mut written, stream: &mut stream }.write(asked[side], held),
                };
                became[side] = cell;
                if !self.drift[side].is_empty() && cell != held {
                    let [mean, deviation] = device.drift_coefficient(asked[side]);
                    self.drift[side][index] = T::of((mean + deviation * f64::normal(&mut stream)).abs());
                }
                self.programmed[side][index] = T::of(cell);
            }
            let exact = perfect && device.write_tolerance_us == 0.0;
            self.weights[index] = if exact { self.targets[index] } else { T::of((became[0] - became[1]) * scale) };
        }
        self.written = written;
    }

    /// What each pair was asked to be, in units of the weights.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// What each pair became when it was programmed, in units of the weights.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }

    /// Whether time has changed the cells since they were programmed.
    pub fn have_drifted(&self) -> bool {
        !self.device.drift_nu.is_empty() && self.device.at_s > self.device.drift_t0_s
    }

    /// The conductances G+ and G- at the device's time, microsiemens, outputs x inputs.
    pub fn now(&self) -> [DMatrix<f64>; 2] {
        let ln = if self.have_drifted() { (self.device.at_s / self.device.drift_t0_s).ln() } else { 0.0 };
        [0, 1].map(|side| {
            let cells = self.programmed[side].map(T::f64);
            if ln > 0.0 { cells.zip_map(&self.drift[side], |g, nu| g * (-nu.f64() * ln).exp()) } else { cells }
        })
    }

    /// The conductance lost since programming, measured with all lines driven: then over now.
    pub fn lost(&self) -> f64 {
        let sum = |cells: &[DMatrix<f64>; 2]| cells.iter().map(|cells| cells.sum()).sum::<f64>();
        let then: f64 = self.programmed.iter().flat_map(|cells| cells.iter().map(|g| g.f64())).sum();
        let now = sum(&self.now());
        if now > 0.0 { then / now } else { 1.0 }
    }

    /// How many write pulses the cells have had so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn state(&self) -> Vec<(&'static str, DMatrix<T>)> {
        let [plus, minus] = &self.programmed;
        let [plus_drift, minus_drift] = &self.drift;
        let mut state = vec![
            ("cell_targets", self.targets.clone()),
            ("cell_weights", self.weights.clone()),
            ("cells_plus", plus.clone()),
            ("cells_minus", minus.clone()),
            ("cells_written", digits(self.written)),
        ];
        if !plus_drift.is_empty() {
            state.extend([("drift_plus", plus_drift.clone()), ("drift_minus", minus_drift.clone())]);
        }
        state
    }

    /// Puts back the matrices of [`state`](Self::state); returns how many they were.
    pub(super) fn restore(&mut self, state: &[DMatrix<T>]) -> usize {
        self.targets.copy_from(&state[0]);
        self.weights.copy_from(&state[1]);
        self.programmed[0].copy_from(&state[2]);
        self.programmed[1].copy_from(&state[3]);
        self.written = count(&state[4]);
        if self.drift[0].is_empty() {
            return 5;
        }
        self.drift[0].copy_from(&state[5]);
        self.drift[1].copy_from(&state[6]);
        7
    }
}

/// The conductances, microsiemens, of cells that are asked to be `targets_us` once, at the device's time.
pub fn program_once(device: &CrossbarDevice, targets_us: &DMatrix<f64>, key: Key) -> DMatrix<f64> {
    let mut written = 0;
    let (mut stream, mut stuck) = (key.stream(), key.with(1).stream());
    let ln = if device.at_s > device.drift_t0_s { (device.at_s / device.drift_t0_s).ln() } else { 0.0 };
    targets_us.map(|target| {
        let chance: f64 = if device.stuck_at_min + device.stuck_at_max > 0.0 { stuck.random() } else { 1.0 };
        if chance < device.stuck_at_min + device.stuck_at_max {
            return if chance < device.stuck_at_min { device.g_min_us } else { device.g_max_us };
        }
        let cell = Writer { device, written: &mut written, stream: &mut stream }.write(target, f64::NAN);
        let [mean, deviation] = device.drift_coefficient(target);
        if mean > 0.0 && ln > 0.0 { cell * (-(mean + deviation * f64::normal(&mut stream)).abs() * ln).exp() } else { cell }
    })
}

/// A count as two base-2^20 digits and a rest, each exact in single precision.
pub(super) fn digits<T: Real>(count: u64) -> DMatrix<T> {
    let digits = [count & 0xfffff, (count >> 20) & 0xfffff, count >> 40];
    DMatrix::from_iterator(3, 1, digits.map(|digit| T::of(digit as f64)))
}

/// The count of these [`digits`].
pub(super) fn count<T: Real>(digits: &DMatrix<T>) -> u64 {
    digits.iter().rev().fold(0, |count, digit| (count << 20) + digit.f64() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programming_errors_have_the_stated_deviation() {
        // Mid-range pairs, so that the other cell alone is clipped at g_min: its error is a half-normal.
        let device = CrossbarDevice { programming_error_us: 0.3, ..CrossbarDevice::ideal() };
        let scale = device.weight_per_us();
        let mut cells = Cells::<f64>::new(&device, (300, 300), Key::new(1, "cells"));
        cells.write(&DMatrix::from_element(300, 300, 0.5 * device.weight_max), Key::new(1, "test"));
        let n = 90_000.0;
        let errors = cells.weights().map(|w| (w - 0.5 * device.weight_max) / scale / 0.3);
        let mean = errors.sum() / n;
        let variance = errors.map(|e| (e - mean) * (e - mean)).sum() / n;
        // N(0, 1) minus max(0, N(0, 1)): mean -1/sqrt(2 pi), variance 1 + 1/2 - 1/(2 pi).
        let tau = std::f64::consts::TAU;
        assert!((mean + 1.0 / tau.sqrt()).abs() < 5.0 * (1.34f64 / n).sqrt(), "mean {mean}");
        assert!((variance - (1.5 - 1.0 / tau)).abs() < 5.0 * 1.34 * (2.0f64 / n).sqrt(), "variance {variance}");
    }

    #[test]
    fn unchanged_targets_are_not_written_again() {
        let device = CrossbarDevice { programming_error_us: 0.3, levels: 5, ..CrossbarDevice::ideal() };
        let mut cells = Cells::<f64>::new(&device, (2, 2), Key::new(1, "cells"));
        let mut weights = DMatrix::from_row_slice(2, 2, &[0.1, -0.2, 0.3, 0.4]) * device.weight_max;
        cells.write(&weights, Key::new(1, "test"));
        let before = cells.weights().clone();
        weights[(0, 0)] += 0.01 * device.weight_max; // within the same level
        weights[(1, 1)] += 0.4 * device.weight_max; // another one
        cells.write(&weights, Key::new(2, "test"));
        assert_eq!(cells.written(), 8 + 2);
        assert_eq!(cells.weights()[(0, 0)], before[(0, 0)]);
        assert_ne!(cells.weights()[(1, 1)], before[(1, 1)]);
        assert_eq!(cells.targets()[(1, 1)], 0.75 * device.weight_max);
    }

    #[test]
    fn the_write_count_survives_a_checkpoint_in_single_precision() {
        let mut cells = Cells::<f32>::new(&CrossbarDevice::ideal(), (1, 1), Key::new(1, "cells"));
        cells.write(&DMatrix::zeros(1, 1), Key::new(1, "test"));
        cells.written = (3 << 40) + (5 << 20) + 7;
        let state: Vec<_> = cells.state().into_iter().map(|(_, matrix)| matrix).collect();
        let mut other = Cells::<f32>::new(&CrossbarDevice::ideal(), (1, 1), Key::new(1, "cells"));
        other.restore(&state);
        assert_eq!(other.written(), cells.written());
    }
}
