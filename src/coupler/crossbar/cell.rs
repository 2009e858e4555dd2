//! The cells of a crossbar: what was asked of them, and what they became.

use nalgebra::DMatrix;

use super::CrossbarDevice;
use crate::random::Key;
use crate::real::Real;

/// Differential pairs of cells, outputs x inputs.
///
/// A pair's target is clipped to the conductance range and rounded to the nearest of the device's levels. Writing it leaves each
/// of its two cells with an independent Gaussian programming error; a cell whose target has not changed is not written again.
#[derive(Clone, Debug)]
pub struct Cells<T: Real> {
    device: CrossbarDevice,
    targets: DMatrix<T>,
    weights: DMatrix<T>,
    written: u64,
}

impl<T: Real> Cells<T> {
    /// Blank cells of `device`, `shape` = (outputs, inputs).
    pub fn new(device: &CrossbarDevice, shape: (usize, usize)) -> Self {
        let nothing = T::of(f64::NAN); // no target yet: the first write reaches every cell
        let targets = DMatrix::from_element(shape.0, shape.1, nothing);
        Self { device: device.clone(), weights: targets.clone(), targets, written: 0 }
    }

    /// Writes `weights`; `key` names the random stream of the programming errors.
    pub fn write(&mut self, weights: &DMatrix<T>, key: Key) {
        let (bound, scale) = (self.device.weight_max, self.device.weight_per_us());
        let level = match self.device.levels {
            0 => None,
            levels => Some(bound / f64::from(levels - 1)),
        };
        let (lowest, highest) = (self.device.g_min_us, self.device.g_max_us);
        let deviation = self.device.programming_error_us;
        let mut stream = key.stream();
        for ((target, weight), wanted) in self.targets.iter_mut().zip(self.weights.iter_mut()).zip(weights) {
            let wanted = wanted.f64().clamp(-bound, bound);
            let wanted = level.map_or(wanted, |level| (wanted / level).round() * level);
            if *target == T::of(wanted) {
                continue;
            }
            *target = T::of(wanted);
            self.written += 2;
            *weight = if deviation > 0.0 {
                let mut cell = |w: f64| {
                    let error: f64 = f64::normal(&mut stream);
                    (lowest + w.max(0.0) / scale + deviation * error).clamp(lowest, highest)
                };
                T::of((cell(wanted) - cell(-wanted)) * scale)
            } else {
                *target
            };
        }
    }

    /// What each pair was asked to be, in units of the weights.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// What each pair became, in units of the weights.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }

    /// How many cells have been written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn state(&self) -> Vec<(&'static str, DMatrix<T>)> {
        // The count travels as two base-2^20 digits and a rest, each exact in single precision.
        let digits = [self.written & 0xfffff, (self.written >> 20) & 0xfffff, self.written >> 40];
        let count = DMatrix::from_iterator(3, 1, digits.map(|digit| T::of(digit as f64)));
        vec![("cell_targets", self.targets.clone()), ("cell_weights", self.weights.clone()), ("cells_written", count)]
    }

    pub(super) fn restore(&mut self, state: &[DMatrix<T>]) {
        self.targets.copy_from(&state[0]);
        self.weights.copy_from(&state[1]);
        self.written = state[2].iter().rev().fold(0, |count, digit| (count << 20) + digit.f64() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programming_errors_have_the_stated_deviation() {
        // Mid-range pairs, so that the other cell alone is clipped at g_min: its error is a half-normal.
        let device = CrossbarDevice { programming_error_us: 0.3, ..CrossbarDevice::ideal() };
        let scale = device.weight_per_us();
        let mut cells = Cells::<f64>::new(&device, (300, 300));
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
        let mut cells = Cells::<f64>::new(&device, (2, 2));
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
        let mut cells = Cells::<f32>::new(&CrossbarDevice::ideal(), (1, 1));
        cells.write(&DMatrix::zeros(1, 1), Key::new(1, "test"));
        cells.written = (3 << 40) + (5 << 20) + 7;
        let state: Vec<_> = cells.state().into_iter().map(|(_, matrix)| matrix).collect();
        let mut other = Cells::<f32>::new(&CrossbarDevice::ideal(), (1, 1));
        other.restore(&state);
        assert_eq!(other.written(), cells.written());
    }
}
