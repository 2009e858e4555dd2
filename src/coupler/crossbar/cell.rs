//! The cells of a crossbar: what was asked of them, what they became, and what time makes of them.
//!
//! A weight is a pair of cells, w ~ G+ - G-. Its target is clipped to the conductance range and
//! rounded to the nearest of the device's levels; the [`Mapping`] makes two conductances of it.
//! Writing a cell leaves a Gaussian programming error that may depend on the conductance (clipped
//! to the range); write-and-verify tries again until the error is within a tolerance. A cell whose
//! target has not changed, or that is within the tolerance of its new target, is not written again.
//! A stuck cell never moves. With time t after a write a cell of coefficient nu of its own drifts,
//!
//! ```text
//! G(t) = G (t / t0)^-nu        (Nandakumar et al. 2019, doi:10.1109/ICECS46596.2019.8964852)
//! ```

use nalgebra::DMatrix;
use rand::RngExt;
use rayon::prelude::*;

use super::CrossbarDevice;
use super::device::Mapping;
use crate::Result;
use crate::arithmetic::random::{Key, Stream};
use crate::arithmetic::real::Real;
use crate::arithmetic::simd::vectorised;
use crate::state::State;

/// Pairs of cells, outputs x inputs.
#[derive(Clone, Debug)]
pub struct Cells<T: Real> {
    device: CrossbarDevice,
    targets: DMatrix<T>,
    /// What the pairs became; empty where all cells became exactly their targets.
    weights: DMatrix<T>,
    /// Conductances of G+ and G- right after programming, microsiemens; empty as `weights`.
    programmed: [DMatrix<T>; 2],
    /// Drift coefficients of G+ and G-; empty where nothing drifts.
    drift: [DMatrix<T>; 2],
    /// Conductances of stuck cells, not-a-number for others; empty where none is.
    stuck: [Vec<f64>; 2],
    written: u64,
}

/// Pairs that share a random stream.
const PART: usize = 4096;

vectorised! {
    /// Moves `targets` to what is `wanted`, within `bound`; says how many moved.
    fn move_targets<T: Real>(targets: &mut [T], wanted: &[T], bound: T) -> u64 {
        let mut moved = 0;
        for (target, wanted) in targets.iter_mut().zip(wanted) {
            let wanted = if *wanted > bound { bound } else { *wanted };
            let wanted = if wanted < -bound { -bound } else { wanted };
            moved += u64::from(*target != wanted);
            *target = wanted;
        }
        moved
    }
}

impl CrossbarDevice {
    /// Whether every cell becomes exactly its target, and stays there.
    fn writes_perfectly(&self) -> bool {
        let errors = self.programming_error_us > 0.0
            || !self.programming_error_terms.is_empty()
            || self.write_tolerance_us > 0.0;
        !errors
            && self.levels == 0
            && self.stuck_at_min + self.stuck_at_max == 0.0
            && self.drift_nu.is_empty()
    }

    /// The nearest weight that the range and the levels can stand for.
    pub fn nearest_weight(&self, weight: f64) -> f64 {
        let bound = self.weight_max;
        let wanted = weight.clamp(-bound, bound);
        if self.levels == 0 {
            return wanted;
        }
        let steps = f64::from(self.levels - 1);
        match self.mapping {
            Mapping::Differential => (wanted / (bound / steps)).round() * (bound / steps),
            // Levels span -bound to bound.
            Mapping::Balanced | Mapping::Offset => {
                ((wanted + bound) / (2.0 * bound / steps)).round() * (2.0 * bound / steps) - bound
            }
        }
    }

    /// What a cell that holds `held` becomes when `target` is asked of it: `first` is the deviate
    /// of the first attempt. Counts writes.
    fn write(
        &self,
        target: f64,
        held: f64,
        first: f64,
        stream: &mut Stream,
        written: &mut u64,
    ) -> f64 {
        let tolerance = self.write_tolerance_us;
        if tolerance > 0.0 && (held - target).abs() <= tolerance {
            return held;
        }
        let deviation = self.programming_error(target);
        let mut cell = target;
        for attempt in 0..self.write_attempts {
            *written += 1;
            if deviation == 0.0 {
                break;
            }
            let deviate = if attempt == 0 { first } else { f64::normal(stream) };
            cell = (target + deviation * deviate).clamp(self.g_min_us, self.g_max_us);
            if tolerance == 0.0 || (cell - target).abs() <= tolerance {
                break;
            }
        }
        cell
    }
}

/// Neighbouring pairs that are written together.
struct Part<'a, T> {
    wanted: &'a [T],
    targets: &'a mut [T],
    weights: &'a mut [T],
    programmed: [&'a mut [T]; 2],
    drift: [&'a mut [T]; 2],
    stuck: [&'a [f64]; 2],
}

impl<T: Real> Part<'_, T> {
    /// Writes what has changed; says how many writes it took.
    fn write(&mut self, device: &CrossbarDevice, key: Key) -> u64 {
        let mut deviates = vec![T::zero(); 2 * self.wanted.len()];
        key.add_normals(&mut deviates, T::one());
        let (mut stream, mut written) = (key.with(0).stream(), 0);
        let scale = device.weight_per_us();
        for (index, wanted) in self.wanted.iter().enumerate() {
            let wanted = device.nearest_weight(wanted.f64());
            if self.targets[index] == T::of(wanted) {
                continue;
            }
            self.targets[index] = T::of(wanted);
            let asked = device.conductances(wanted);
            let mut became = asked;
            for side in 0..2 {
                let held = self.programmed[side][index].f64();
                // The reference of the offset mapping is trimmed once and for all.
                let reference = device.mapping == Mapping::Offset && side == 1;
                became[side] = match self.stuck[side].get(index) {
                    _ if reference => asked[side],
                    Some(stuck) if !stuck.is_nan() => *stuck,
                    _ => device.write(
                        asked[side],
                        held,
                        deviates[2 * index + side].f64(),
                        &mut stream,
                        &mut written,
                    ),
                };
                if !self.drift[side].is_empty() && became[side] != held {
                    let [mean, deviation] = device.drift_coefficient(asked[side]);
                    self.drift[side][index] =
                        T::of((mean + deviation * f64::normal(&mut stream)).abs());
                }
                self.programmed[side][index] = T::of(became[side]);
            }
            self.weights[index] = if became == asked {
                self.targets[index]
            } else {
                T::of((became[0] - became[1]) * scale)
            };
        }
        written
    }
}

impl<T: Real> Cells<T> {
    /// Blank cells of `device`, `shape` = (outputs, inputs); `key` names the stream that picks the
    /// stuck ones.
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
        let blank = |wanted: bool| if wanted { targets.clone() } else { DMatrix::zeros(0, 0) };
        let (errs, drifts) = (!device.writes_perfectly(), !device.drift_nu.is_empty());
        Self {
            stuck: [stuck(), stuck()],
            weights: blank(errs),
            programmed: [blank(errs), blank(errs)],
            drift: [blank(drifts), blank(drifts)],
            targets,
            device: device.clone(),
            written: 0,
        }
    }

    /// Writes `weights`; `key` names the random streams of the programming errors.
    pub fn write(&mut self, weights: &DMatrix<T>, key: Key) {
        if self.weights.is_empty() {
            let cells = if self.device.mapping == Mapping::Offset { 1 } else { 2 };
            let bound = T::of(self.device.weight_max);
            self.written +=
                cells * move_targets(self.targets.as_mut_slice(), weights.as_slice(), bound);
            return;
        }
        let [mut plus, mut minus] =
            self.programmed.each_mut().map(|cells| cells.as_mut_slice().chunks_mut(PART));
        let [mut plus_drift, mut minus_drift] =
            self.drift.each_mut().map(|drift| drift.as_mut_slice().chunks_mut(PART));
        let [mut plus_stuck, mut minus_stuck] =
            self.stuck.each_ref().map(|stuck| stuck.chunks(PART));
        let held = self
            .targets
            .as_mut_slice()
            .chunks_mut(PART)
            .zip(self.weights.as_mut_slice().chunks_mut(PART));
        let parts =
            weights.as_slice().chunks(PART).zip(held).map(|(wanted, (targets, weights))| Part {
                wanted,
                targets,
                weights,
                programmed: [plus.next().unwrap_or_default(), minus.next().unwrap_or_default()],
                drift: [
                    plus_drift.next().unwrap_or_default(),
                    minus_drift.next().unwrap_or_default(),
                ],
                stuck: [
                    plus_stuck.next().unwrap_or_default(),
                    minus_stuck.next().unwrap_or_default(),
                ],
            });
        let parts: Vec<Part<T>> = parts.collect();
        let device = &self.device;
        let written = parts
            .into_par_iter()
            .enumerate()
            .map(|(index, mut part)| part.write(device, key.with(index as u64)));
        self.written += written.sum::<u64>();
    }

    /// What each pair was asked to be, in units of the weights.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// What each pair became when it was programmed, in units of the weights.
    pub fn weights(&self) -> &DMatrix<T> {
        if self.weights.is_empty() { &self.targets } else { &self.weights }
    }

    /// Whether time has changed the cells since they were programmed.
    pub fn have_drifted(&self) -> bool {
        !self.device.drift_nu.is_empty() && self.device.at_s > self.device.drift_t0_s
    }

    /// The conductances G+ and G- at the device's time, microsiemens, outputs x inputs.
    pub fn now(&self) -> [DMatrix<f64>; 2] {
        if self.weights.is_empty() {
            return [0, 1].map(|side| {
                self.targets.map(|weight| self.device.conductances(weight.f64())[side])
            });
        }
        let ln = if self.have_drifted() {
            (self.device.at_s / self.device.drift_t0_s).ln()
        } else {
            0.0
        };
        [0, 1].map(|side| {
            let cells = self.programmed[side].map(T::f64);
            if ln > 0.0 {
                cells.zip_map(&self.drift[side], |g, nu| g * (-nu.f64() * ln).exp())
            } else {
                cells
            }
        })
    }

    /// The conductance lost since programming, measured with all lines driven: then over now.
    pub fn lost(&self) -> f64 {
        let sum = |cells: &[DMatrix<f64>; 2]| cells.iter().map(|cells| cells.sum()).sum::<f64>();
        let then: f64 =
            self.programmed.iter().flat_map(|cells| cells.iter().map(|g| g.f64())).sum();
        let now = sum(&self.now());
        if now > 0.0 { then / now } else { 1.0 }
    }

    /// How many write pulses the cells have had so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn save(&self, state: &mut State<T>) {
        state.insert("cell_targets", self.targets.clone());
        state.insert("cells_written", vec![self.written]);
        let kept = self.matrices().into_iter().filter(|(_, matrix)| !matrix.is_empty());
        kept.for_each(|(name, matrix)| state.insert(name, matrix.clone()));
    }

    /// Puts back what [`save`](Self::save) kept.
    pub(super) fn restore(&mut self, state: &State<T>) -> Result<()> {
        self.targets.copy_from(state.matrix("cell_targets", self.targets.shape())?);
        self.written = state.counts("cells_written", 1)?[0];
        let [plus, minus] = &mut self.programmed;
        let [plus_drift, minus_drift] = &mut self.drift;
        let own = [&mut self.weights, plus, minus, plus_drift, minus_drift];
        for (name, own) in MATRICES.into_iter().zip(own).filter(|(_, own)| !own.is_empty()) {
            own.copy_from(state.matrix(name, own.shape())?);
        }
        Ok(())
    }

    fn matrices(&self) -> [(&'static str, &DMatrix<T>); 5] {
        let [plus, minus] = &self.programmed;
        let [plus_drift, minus_drift] = &self.drift;
        let own = [&self.weights, plus, minus, plus_drift, minus_drift];
        std::array::from_fn(|index| (MATRICES[index], own[index]))
    }
}

/// The names under which cells are saved.
const MATRICES: [&str; 5] =
    ["cell_weights", "cells_plus", "cells_minus", "drift_plus", "drift_minus"];

/// The conductances, microsiemens, of cells that are asked to be `targets_us` once, at the device's
/// time.
pub fn program_once(device: &CrossbarDevice, targets_us: &DMatrix<f64>, key: Key) -> DMatrix<f64> {
    let mut written = 0;
    let (mut stream, mut stuck) = (key.stream(), key.with(1).stream());
    let ln =
        if device.at_s > device.drift_t0_s { (device.at_s / device.drift_t0_s).ln() } else { 0.0 };
    targets_us.map(|target| {
        let chance: f64 =
            if device.stuck_at_min + device.stuck_at_max > 0.0 { stuck.random() } else { 1.0 };
        if chance < device.stuck_at_min + device.stuck_at_max {
            return if chance < device.stuck_at_min { device.g_min_us } else { device.g_max_us };
        }
        let first = f64::normal(&mut stream);
        let cell = device.write(target, f64::NAN, first, &mut stream, &mut written);
        let [mean, deviation] = device.drift_coefficient(target);
        if mean > 0.0 && ln > 0.0 {
            cell * (-(mean + deviation * f64::normal(&mut stream)).abs() * ln).exp()
        } else {
            cell
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programming_errors_have_the_stated_deviation() {
        // Mid-range pairs, so that the other cell alone is clipped at g_min: its error is a
        // half-normal.
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
        assert!(
            (variance - (1.5 - 1.0 / tau)).abs() < 5.0 * 1.34 * (2.0f64 / n).sqrt(),
            "variance {variance}"
        );
    }

    #[test]
    fn unchanged_targets_are_not_written_again() {
        let device =
            CrossbarDevice { programming_error_us: 0.3, levels: 5, ..CrossbarDevice::ideal() };
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
}
