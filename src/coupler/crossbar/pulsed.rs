//! Pulsed weights: the cells are the only memory of them.

use nalgebra::DMatrix;

use super::effects::{CrossbarDevice, Steps};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::state::State;

/// Pulsed weights, outputs x inputs, in units of `weight_max`.
#[derive(Clone, Debug)]
pub struct PulsedCells<T: Real> {
    steps: Vec<Steps>,
    /// What the cells hold.
    held: DMatrix<T>,
    /// What is read of it: beside it by the write noise.
    seen: DMatrix<T>,
    /// Pulses so far.
    pub(super) written: u64,
}

impl<T: Real> PulsedCells<T> {
    /// Cells of `device` set to `weights` (in weights); `key` names the stream of what differs from
    /// cell to cell.
    pub fn new(device: &CrossbarDevice, weights: &DMatrix<T>, key: Key) -> Self {
        let (pulses, weight_max) = (&device.pulses, device.cells.weight_max);
        let mut stream = key.stream();
        let steps: Vec<Steps> = weights.iter().map(|_| pulses.draw(&mut stream)).collect();
        let mut held = weights.clone();
        for (held, steps) in held.iter_mut().zip(&steps) {
            *held = T::of((held.f64() / weight_max).clamp(steps.low, steps.high));
        }
        Self { steps, seen: held.clone(), held, written: 0 }
    }

    /// Pulses these cells of `device` from what they hold towards `wanted` (in weights).
    pub fn write(&mut self, device: &CrossbarDevice, wanted: &DMatrix<T>, key: Key) {
        let (pulses, weight_max) = (&device.pulses, device.cells.weight_max);
        let mut stream = key.stream();
        let noise = pulses.write_noise * pulses.step;
        for (((held, seen), wanted), steps) in
            self.held.iter_mut().zip(self.seen.iter_mut()).zip(wanted).zip(&self.steps)
        {
            let mut w = held.f64();
            let count = pulses.count(wanted.f64() / weight_max - w, &mut stream);
            for _ in 0..count.abs() {
                w = pulses.pulse(steps, w, count > 0, &mut stream);
            }
            self.written += count.unsigned_abs();
            w *= steps.kept;
            *held = T::of(w);
            if noise == 0.0 {
                *seen = *held;
            } else if count != 0 {
                *seen = T::of(w + noise * f64::normal(&mut stream));
            }
        }
    }

    /// What the cells hold, in weights.
    pub fn held(&self, device: &CrossbarDevice) -> DMatrix<T> {
        &self.held * T::of(device.cells.weight_max)
    }

    /// The conductances G+ and G- of what is read of the cells, microsiemens, outputs x inputs.
    pub fn conductances(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        let weight_max = device.cells.weight_max;
        let of = |w: T, side: usize| device.cells.conductances(w.f64() * weight_max)[side];
        [0, 1].map(|side| self.seen.map(|w| of(w, side).max(0.0)))
    }

    /// What is read of the cells where all move and nothing ages, in weights.
    pub fn seen(&self, device: &CrossbarDevice) -> DMatrix<T> {
        &self.seen * T::of(device.cells.weight_max)
    }

    pub(super) fn save(&self, state: &mut State<T>) {
        state.insert("pulsed_held", self.held.clone());
        state.insert("pulsed_seen", self.seen.clone());
        state.insert("pulses", vec![self.written]);
    }

    /// Puts back what [`save`](Self::save) kept.
    pub(super) fn restore(&mut self, state: &State<T>) -> Result<()> {
        self.held.copy_from(state.matrix("pulsed_held", self.held.shape())?);
        self.seen.copy_from(state.matrix("pulsed_seen", self.seen.shape())?);
        self.written = state.counts("pulses", 1)?[0];
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::crossbar::{Pulses, Rounding, StepModel};

    #[test]
    fn ideal_pulses_reach_what_was_asked_within_a_step() {
        let mut device = CrossbarDevice::default();
        device.cells.weight_max = 1.0;
        device.pulses = Pulses {
            model: StepModel::Constant,
            step: 0.01,
            rounding: Rounding::Deterministic,
            ..Pulses::default()
        };
        let mut cells =
            PulsedCells::<f64>::new(&device, &DMatrix::zeros(3, 3), Key::new(1, "cells"));
        let wanted = DMatrix::from_fn(3, 3, |i, j| 0.07 * i as f64 - 0.05 * j as f64);
        cells.write(&device, &wanted, Key::new(1, "write"));
        assert!((cells.held(&device) - &wanted).amax() <= 0.005 + 1e-12);
        let expected: f64 = wanted.iter().map(|w| (w.abs() / 0.01).round()).sum();
        assert_eq!(cells.written, expected as u64);
    }
}
