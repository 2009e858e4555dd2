//! Cells that are written: what was asked of them, and what they became.
//!
//! A weight is a pair of cells, w ~ G+ - G-. Its target is clipped to the conductance range; the
//! [`Mapping`] makes two conductances of it. What a cell becomes when it is written is up to the
//! device's effects. A cell whose target has not changed is not written again.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::chip::ChipCells;
use super::effects::CrossbarDevice;
use super::hook::Path;
use super::settings::Mapping;
use super::writer::{PART, Part, WriteTally, Writer};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd::vectorised;
use crate::state::State;

/// Pairs of cells, outputs x inputs.
#[derive(Clone, Debug)]
pub(super) struct Cells<T: Real> {
    targets: DMatrix<T>,
    /// What the pairs became; empty where all cells became exactly their targets.
    weights: DMatrix<T>,
    /// Conductances of G+ and G- right after programming, microsiemens; empty as `weights`.
    programmed: [DMatrix<T>; 2],
    tally: WriteTally,
}

vectorised! {
    /// Moves `targets` to what is `wanted`, within `bound`; says how many cells of pairs with one
    /// at g_min (`one_sided`), or how many pairs, have another target than before.
    fn move_targets<T: Real>(
        targets: &mut [T],
        wanted: &[T],
        bound: T,
        one_sided: bool,
    ) -> u64 {
        let (mut moved, zero) = (0, T::zero());
        for (target, wanted) in targets.iter_mut().zip(wanted) {
            let wanted = if *wanted > bound { bound } else { *wanted };
            let wanted = if wanted < -bound { -bound } else { wanted };
            // Of a pair that changes its sign both cells move.
            let across = *target > zero && wanted < zero || *target < zero && wanted > zero;
            moved += u64::from(*target != wanted) + u64::from(one_sided && across);
            *target = wanted;
        }
        moved
    }
}

impl<T: Real> Cells<T> {
    /// Blank cells of `device`, `shape` = (outputs, inputs).
    pub fn new(device: &CrossbarDevice, shape: (usize, usize)) -> Self {
        let nothing = T::of(f64::NAN); // no target yet: the first write reaches every cell
        let targets = DMatrix::from_element(shape.0, shape.1, nothing);
        let exact = device.follows(Path::ExactWrites);
        let blank = || if exact { DMatrix::zeros(0, 0) } else { targets.clone() };
        Self {
            weights: blank(),
            programmed: [blank(), blank()],
            targets,
            tally: WriteTally::default(),
        }
    }

    /// Writes `weights` to these cells of `device`, `chip` what is fixed in them; `key` names the
    /// random streams of this write.
    pub fn write(
        &mut self,
        device: &CrossbarDevice,
        chip: &ChipCells<T>,
        weights: &DMatrix<T>,
        key: Key,
    ) {
        if self.weights.is_empty() {
            let (pairs, first) = (&device.cells, self.tally == WriteTally::default());
            let one_sided = pairs.mapping == Mapping::Differential;
            let cells =
                if pairs.mapping == Mapping::Balanced || first && one_sided { 2 } else { 1 };
            let (bound, targets) = (T::of(pairs.weight_max), self.targets.as_mut_slice());
            self.tally.pulses +=
                cells * move_targets(targets, weights.as_slice(), bound, one_sided && !first);
            return;
        }
        fn parts<T: Real>(matrix: &mut DMatrix<T>) -> impl Iterator<Item = &mut [T]> {
            matrix.as_mut_slice().chunks_mut(PART)
        }
        let [plus, minus] = &mut self.programmed;
        let mut programmed = parts(plus).zip(parts(minus));
        let mut stuck = chip.stuck.each_ref().map(|stuck| stuck.chunks(PART));
        let mut error = chip.error.each_ref().map(|error| error.chunks(PART));
        let held = parts(&mut self.targets).zip(parts(&mut self.weights));
        let parts = weights.as_slice().chunks(PART).zip(held);
        let parts: Vec<Part<T>> = parts
            .filter_map(|(wanted, (targets, weights))| {
                let programmed = programmed.next()?.into();
                let [stuck, error] = [&mut stuck, &mut error]
                    .map(|cells| cells.each_mut().map(|cells| cells.next().unwrap_or_default()));
                Some(Part { wanted, targets, weights, programmed, stuck, error })
            })
            .collect();
        let writer = &Writer::new(device);
        let written = parts
            .into_par_iter()
            .enumerate()
            .map(|(index, mut part)| part.write(writer, key.with(index as u64)));
        self.tally = self.tally + written.reduce(WriteTally::default, |a, b| a + b);
    }

    /// What each pair was asked to be, in units of the weights.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// What each pair became when it was programmed, in units of the weights.
    pub fn weights(&self) -> &DMatrix<T> {
        if self.weights.is_empty() { &self.targets } else { &self.weights }
    }

    /// The conductances that G+ and G- were asked to have, microsiemens, outputs x inputs.
    pub fn asked(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        let of = |weight: T, side: usize| device.cells.conductances(weight.f64())[side];
        [0, 1].map(|side| self.targets.map(|weight| of(weight, side)))
    }

    /// The conductances of G+ and G- right after programming, microsiemens, outputs x inputs.
    pub fn programmed(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        if self.weights.is_empty() {
            return self.asked(device);
        }
        self.programmed.each_ref().map(|cells| cells.map(T::f64))
    }

    /// Pulses so far, and cells given up.
    pub fn tally(&self) -> WriteTally {
        self.tally
    }

    pub(super) fn save(&self, state: &mut State<T>) {
        state.insert("cell_targets", self.targets.clone());
        state.insert("cells_written", vec![self.tally.pulses, self.tally.given_up]);
        if !self.weights.is_empty() {
            let [plus, minus] = &self.programmed;
            for (name, cells) in BECAME.into_iter().zip([&self.weights, plus, minus]) {
                state.insert(name, cells.clone());
            }
        }
    }

    /// Puts back what [`save`](Self::save) kept.
    pub(super) fn restore(&mut self, state: &State<T>) -> Result<()> {
        let put = |name: &str, own: &mut DMatrix<T>| {
            own.copy_from(state.matrix(name, own.shape())?);
            Ok(())
        };
        put("cell_targets", &mut self.targets)?;
        let tally = state.counts("cells_written", 2)?;
        self.tally = WriteTally { pulses: tally[0], given_up: tally[1] };
        if !self.weights.is_empty() {
            let [plus, minus] = &mut self.programmed;
            for (name, cells) in BECAME.into_iter().zip([&mut self.weights, plus, minus]) {
                put(name, cells)?;
            }
        }
        Ok(())
    }
}

/// The names under which is saved what cells became.
const BECAME: [&str; 3] = ["cell_weights", "cells_plus", "cells_minus"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::crossbar::Making;

    /// The cells of `device`, n x n, and what is fixed in them.
    fn blank(device: &CrossbarDevice, n: usize) -> (Cells<f64>, ChipCells<f64>) {
        let making = Making { device, outputs: n, inputs: n, key: Key::new(1, "cells") };
        (Cells::new(device, (n, n)), ChipCells::new(&making, Default::default()))
    }

    /// Cells with an error of 0.3 uS.
    fn imprecise() -> CrossbarDevice {
        let mut device = CrossbarDevice::default();
        device.programming.error_us = 0.3;
        device
    }

    #[test]
    fn programming_errors_have_the_stated_deviation() {
        // Mid-range pairs, so that the other cell alone is clipped at g_min: its error is a
        // half-normal.
        let device = imprecise();
        let (scale, weight_max) = (device.cells.weight_per_us(), device.cells.weight_max);
        let (mut cells, chip) = blank(&device, 300);
        cells.write(
            &device,
            &chip,
            &DMatrix::from_element(300, 300, 0.5 * weight_max),
            Key::new(1, "test"),
        );
        let n = 90_000.0;
        let errors = cells.weights().map(|w| (w - 0.5 * weight_max) / scale / 0.3);
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
    fn unchanged_cells_are_not_written_again() {
        let mut device = imprecise();
        device.cells.g_min_us = 5.0;
        device.levels.count = 5;
        let weight_max = device.cells.weight_max;
        let (mut cells, chip) = blank(&device, 2);
        let mut weights = DMatrix::from_row_slice(2, 2, &[0.1, -0.2, 0.3, 0.4]) * weight_max;
        cells.write(&device, &chip, &weights, Key::new(1, "test"));
        let before = cells.programmed(&device);
        weights[(0, 0)] += 0.01 * weight_max; // within the same level
        weights[(1, 1)] += 0.4 * weight_max; // another one, of the same sign
        weights[(0, 1)] += 0.8 * weight_max; // the other sign
        cells.write(&device, &chip, &weights, Key::new(2, "test"));
        assert_eq!(cells.tally().pulses, 8 + 1 + 2);
        let after = cells.programmed(&device);
        for side in 0..2 {
            assert_eq!(after[side][(0, 0)], before[side][(0, 0)]);
            assert_ne!(after[side][(0, 1)], before[side][(0, 1)]);
        }
        assert_ne!(after[0][(1, 1)], before[0][(1, 1)]);
        assert_eq!(after[1][(1, 1)], before[1][(1, 1)], "the other cell of the pair is left alone");
        assert_eq!(cells.targets()[(1, 1)], 0.75 * weight_max);
    }

    #[test]
    fn exact_cells_are_counted_as_others_are() {
        let mut device = CrossbarDevice::default();
        let wanted = |step: usize| {
            let weight = |i, j| ((i * 3 + j * 5 + step * 4) % 7) as f64 / 3.0 - 1.0;
            DMatrix::from_fn(6, 6, weight)
        };
        for mapping in [Mapping::Differential, Mapping::Balanced, Mapping::Offset] {
            device.cells.mapping = mapping;
            let (mut exact, chip) = blank(&device, 6);
            // A level of its own for every weight: the long way to the same targets.
            let fine = device.clone().with(|device| device.levels.count = 4);
            let (mut other, _) = blank(&fine, 6);
            for step in 0..3 {
                let mut weights = wanted(step);
                weights.iter_mut().for_each(|weight| *weight = fine.nearest_weight(*weight));
                exact.write(&device, &chip, &weights, Key::new(1, "test"));
                other.write(&fine, &chip, &weights, Key::new(1, "test"));
                assert_eq!(exact.tally(), other.tally(), "{mapping:?}, write {step}");
            }
        }
    }

    #[test]
    fn write_and_verify_counts_what_it_gives_up() {
        let mut device = imprecise();
        (device.programming.tolerance_us, device.programming.attempts) = (0.15, 3);
        let (mut cells, chip) = blank(&device, 200);
        let weight = 0.5 * device.cells.weight_max;
        cells.write(&device, &chip, &DMatrix::from_element(200, 200, weight), Key::new(1, "test"));
        let asked = cells.asked(&device);
        let mut beyond = 0;
        for (asked, cells) in asked.iter().zip(&cells.programmed(&device)) {
            beyond += asked.iter().zip(cells).filter(|(a, g)| (*a - *g).abs() > 0.15).count();
        }
        assert_eq!(cells.tally().given_up, beyond as u64);
        // Half a deviation: within it with a chance of 0.3829, and at g_min = 0 of 0.6915.
        let expected = 40_000.0 * (0.6171f64.powi(3) + 0.3085f64.powi(3));
        assert!((beyond as f64 - expected).abs() < 5.0 * expected.sqrt(), "{beyond} {expected}");
    }
}
