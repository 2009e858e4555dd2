//! Cells that are written: what was asked of them, what they became, and what time makes of them.
//!
//! A weight is a pair of cells, w ~ G+ - G-. Its target is clipped to the conductance range; the
//! [`Mapping`] makes two conductances of it. What a cell becomes when it is written, and what time
//! makes of it, is up to the device's effects. A cell whose target has not changed is not written
//! again.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::effects::CrossbarDevice;
use super::hook::Path;
use super::settings::Mapping;
use super::writer::{PART, Part, Writer};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd::vectorised;
use crate::state::State;

/// Pairs of cells, outputs x inputs.
#[derive(Clone, Debug)]
pub struct Cells<T: Real> {
    targets: DMatrix<T>,
    /// What the pairs became; empty where all cells became exactly their targets.
    weights: DMatrix<T>,
    /// Conductances of G+ and G- right after programming, microsiemens; empty as `weights`.
    programmed: [DMatrix<T>; 2],
    /// The numbers that cells keep for effects, by effect.
    kept: Vec<Kept<T>>,
    /// Conductances of cells that no write moves, not-a-number for others; empty where all move.
    fixed: [Vec<f64>; 2],
    written: u64,
}

/// A number that every cell keeps for one effect.
#[derive(Clone, Debug)]
struct Kept<T: Real> {
    /// The effect's names in checkpoints.
    names: [&'static str; 2],
    /// Of the cells of G+ and G-.
    cells: [DMatrix<T>; 2],
}

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

impl<T: Real> Cells<T> {
    /// Blank cells of `device`, `shape` = (outputs, inputs); `key` names the stream that picks the
    /// stuck ones.
    pub fn new(device: &CrossbarDevice, shape: (usize, usize), key: Key) -> Self {
        let nothing = T::of(f64::NAN); // no target yet: the first write reaches every cell
        let targets = DMatrix::from_element(shape.0, shape.1, nothing);
        let exact = device.follows(Path::ExactWrites);
        let blank = || if exact { DMatrix::zeros(0, 0) } else { targets.clone() };
        let cells = if exact { 0 } else { targets.len() };
        let writer = Writer::<T>::new(device);
        let keep = |names| Kept { names, cells: [blank(), blank()] };
        Self {
            weights: blank(),
            programmed: [blank(), blank()],
            kept: writer.keepers.iter().filter_map(|keeper| keeper.kept().map(keep)).collect(),
            fixed: writer.fixed(cells, &mut key.with(1).stream()),
            targets,
            written: 0,
        }
    }

    /// Writes `weights` to these cells of `device`; `key` names the random streams of this write.
    pub fn write(&mut self, device: &CrossbarDevice, weights: &DMatrix<T>, key: Key) {
        if self.weights.is_empty() {
            let pairs = &device.cells;
            let cells = if pairs.mapping == Mapping::Offset { 1 } else { 2 };
            let bound = T::of(pairs.weight_max);
            self.written +=
                cells * move_targets(self.targets.as_mut_slice(), weights.as_slice(), bound);
            return;
        }
        fn parts<T: Real>(matrix: &mut DMatrix<T>) -> impl Iterator<Item = &mut [T]> {
            matrix.as_mut_slice().chunks_mut(PART)
        }
        let [plus, minus] = &mut self.programmed;
        let mut programmed = parts(plus).zip(parts(minus));
        let mut kept: Vec<_> = self
            .kept
            .iter_mut()
            .map(|kept| {
                let [plus, minus] = &mut kept.cells;
                parts(plus).zip(parts(minus))
            })
            .collect();
        let mut fixed = self.fixed.each_ref().map(|fixed| fixed.chunks(PART));
        let held = parts(&mut self.targets).zip(parts(&mut self.weights));
        let parts = weights.as_slice().chunks(PART).zip(held);
        let parts: Vec<Part<T>> = parts
            .filter_map(|(wanted, (targets, weights))| {
                let programmed = programmed.next()?.into();
                let fixed = fixed.each_mut().map(|fixed| fixed.next().unwrap_or_default());
                let kept = kept.iter_mut().filter_map(|kept| Some(kept.next()?.into())).collect();
                Some(Part { wanted, targets, weights, programmed, kept, fixed })
            })
            .collect();
        let writer = &Writer::new(device);
        let written = parts
            .into_par_iter()
            .enumerate()
            .map(|(index, mut part)| part.write(writer, key.with(index as u64)));
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

    /// The conductances G+ and G- at the device's time, microsiemens, outputs x inputs.
    pub fn now(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        [0, 1].map(|side| {
            if self.weights.is_empty() {
                return self.targets.map(|weight| device.cells.conductances(weight.f64())[side]);
            }
            let mut cells = self.programmed[side].map(T::f64);
            let mut kept = self.kept.iter();
            for effect in Writer::<T>::new(device).effects {
                let own = effect.kept().and_then(|_| kept.next());
                effect.age(&mut cells, own.map(|own| &own.cells[side]), device);
            }
            cells
        })
    }

    /// Whether every cell moves when it is written.
    pub fn all_move(&self) -> bool {
        self.fixed.iter().flatten().all(|cell| cell.is_nan())
    }

    /// The conductances that [`now`](Self::now) gives, had every weight been asked to be larger `by`
    /// so much and every cell followed that moves.
    pub fn moved(&self, device: &CrossbarDevice, by: f64) -> [DMatrix<f64>; 2] {
        let mut moved = self.clone();
        for (side, cells) in moved.programmed.iter_mut().enumerate() {
            for (index, (cell, target)) in cells.iter_mut().zip(&self.targets).enumerate() {
                let asked = |by: f64| device.cells.conductances(target.f64() + by)[side];
                if self.fixed[side].get(index).is_none_or(|fixed| fixed.is_nan()) {
                    *cell += T::of(asked(by) - asked(0.0));
                }
            }
        }
        moved.targets.iter_mut().for_each(|target| *target += T::of(by));
        moved.now(device)
    }

    /// What outputs are scaled by to make up for what time has done.
    pub fn compensation(&self, device: &CrossbarDevice) -> f64 {
        let lost = || self.lost(device);
        device.active::<T>().map(|effect| effect.compensation(&lost, device)).product()
    }

    /// The conductance lost since programming, measured with all lines driven: then over now.
    fn lost(&self, device: &CrossbarDevice) -> f64 {
        let sum = |cells: &[DMatrix<f64>; 2]| cells.iter().map(|cells| cells.sum()).sum::<f64>();
        let then: f64 =
            self.programmed.iter().flat_map(|cells| cells.iter().map(|g| g.f64())).sum();
        let now = sum(&self.now(device));
        if now > 0.0 { then / now } else { 1.0 }
    }

    /// How many write pulses the cells have had so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn save(&self, state: &mut State<T>) {
        state.insert("cell_targets", self.targets.clone());
        state.insert("cells_written", vec![self.written]);
        if !self.weights.is_empty() {
            let [plus, minus] = &self.programmed;
            for (name, cells) in BECAME.into_iter().zip([&self.weights, plus, minus]) {
                state.insert(name, cells.clone());
            }
        }
        for Kept { names, cells, .. } in &self.kept {
            for (name, cells) in names.iter().zip(cells) {
                state.insert(*name, cells.clone());
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
        self.written = state.counts("cells_written", 1)?[0];
        if !self.weights.is_empty() {
            let [plus, minus] = &mut self.programmed;
            for (name, cells) in BECAME.into_iter().zip([&mut self.weights, plus, minus]) {
                put(name, cells)?;
            }
        }
        for Kept { names, cells, .. } in &mut self.kept {
            names.iter().zip(cells).try_for_each(|(name, cells)| put(name, cells))?;
        }
        Ok(())
    }
}

/// The names under which is saved what cells became.
const BECAME: [&str; 3] = ["cell_weights", "cells_plus", "cells_minus"];

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut cells = Cells::<f64>::new(&device, (300, 300), Key::new(1, "cells"));
        cells.write(
            &device,
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
    fn unchanged_targets_are_not_written_again() {
        let mut device = imprecise();
        device.levels.count = 5;
        let weight_max = device.cells.weight_max;
        let mut cells = Cells::<f64>::new(&device, (2, 2), Key::new(1, "cells"));
        let mut weights = DMatrix::from_row_slice(2, 2, &[0.1, -0.2, 0.3, 0.4]) * weight_max;
        cells.write(&device, &weights, Key::new(1, "test"));
        let before = cells.weights().clone();
        weights[(0, 0)] += 0.01 * weight_max; // within the same level
        weights[(1, 1)] += 0.4 * weight_max; // another one
        cells.write(&device, &weights, Key::new(2, "test"));
        assert_eq!(cells.written(), 8 + 2);
        assert_eq!(cells.weights()[(0, 0)], before[(0, 0)]);
        assert_ne!(cells.weights()[(1, 1)], before[(1, 1)]);
        assert_eq!(cells.targets()[(1, 1)], 0.75 * weight_max);
    }
}
