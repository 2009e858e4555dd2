//! Pulsed weights: the cells are the only memory of them. A weight steps both ways, or is a pair of
//! cells that only step up and are refreshed (Nandakumar et al. 2020, doi:10.3389/fnins.2020.00406;
//! aihwkit, `OneSidedUnitCell`).

use nalgebra::DMatrix;

use super::effects::{CrossbarDevice, Direction, Pulses, Steps};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};
use crate::state::State;

/// Pulsed weights, outputs x inputs, in units of `weight_max`.
#[derive(Clone, Debug)]
pub(super) struct PulsedCells<T: Real> {
    /// Of each weight, or of all cells of G+ and then of G-.
    steps: Vec<Steps>,
    /// What the cells hold.
    held: DMatrix<T>,
    /// What is read of it: beside it by the write noise.
    seen: DMatrix<T>,
    /// What the two cells of each pair hold, where they only step up; else empty.
    arms: [DMatrix<T>; 2],
    /// Pulses so far.
    pub written: u64,
}

impl<T: Real> PulsedCells<T> {
    /// Cells of `device` set to `weights` (in weights); `key` names the stream of what differs from
    /// cell to cell.
    pub fn new(device: &CrossbarDevice, weights: &DMatrix<T>, key: Key) -> Self {
        let (pulses, weight_max) = (&device.pulses, device.cells.weight_max);
        let (mut stream, pairs) = (key.stream(), pulses.direction == Direction::Up);
        let cells = if pairs { 2 * weights.len() } else { weights.len() };
        let steps: Vec<Steps> = (0..cells).map(|_| pulses.draw(&mut stream)).collect();
        let wanted = weights.map(|weight| weight.f64() / weight_max);
        let of = |index: usize, sign: f64, low: f64| {
            let steps = &steps[index];
            let own = wanted[index % weights.len().max(1)];
            T::of((sign * own).clamp(low.max(steps.low), steps.high))
        };
        let (rows, columns) = weights.shape();
        let all = |from: usize, sign: f64, low: f64| {
            let places = from..from + weights.len();
            DMatrix::from_iterator(rows, columns, places.map(|index| of(index, sign, low)))
        };
        let (held, arms) = if pairs {
            let [plus, minus] = [all(0, 1.0, 0.0), all(weights.len(), -1.0, 0.0)];
            (&plus - &minus, [plus, minus])
        } else {
            (all(0, 1.0, f64::NEG_INFINITY), [DMatrix::zeros(0, 0), DMatrix::zeros(0, 0)])
        };
        Self { steps, seen: held.clone(), held, arms, written: 0 }
    }

    /// Pulses these cells of `device` from what they hold towards `wanted` (in weights).
    pub fn write(&mut self, device: &CrossbarDevice, wanted: &DMatrix<T>, key: Key) {
        let (pulses, weight_max) = (&device.pulses, device.cells.weight_max);
        self.pulse(device, key, |index, before, stream| {
            pulses.count(wanted[index].f64() / weight_max - before, stream)
        });
    }

    /// Pulses each of these cells of `device` as often as `count` says of its index and what it
    /// holds, negative downwards.
    pub fn pulse(
        &mut self,
        device: &CrossbarDevice,
        key: Key,
        count: impl Fn(usize, f64, &mut Stream) -> i64,
    ) {
        let pulses = &device.pulses;
        let mut stream = key.stream();
        let noise = pulses.write_noise * pulses.step;
        for index in 0..self.held.len() {
            let count = count(index, self.held[index].f64(), &mut stream);
            let spent = match pulses.direction {
                Direction::Both => self.pulse_weight(pulses, index, count, &mut stream),
                Direction::Up => self.pulse_pair(pulses, index, count, &mut stream),
            };
            self.written += spent;
            if noise == 0.0 {
                self.seen[index] = self.held[index];
            } else if spent != 0 {
                self.seen[index] = T::of(self.held[index].f64() + noise * f64::normal(&mut stream));
            }
        }
    }

    /// Sets cells that step both ways to `weights`, as far as each goes.
    pub fn set(&mut self, device: &CrossbarDevice, weights: &DMatrix<T>) {
        for ((held, weight), steps) in self.held.iter_mut().zip(weights).zip(&self.steps) {
            *held = T::of((weight.f64() / device.cells.weight_max).clamp(steps.low, steps.high));
        }
        self.seen.copy_from(&self.held);
    }

    /// `count` pulses of one weight that steps both ways; says how many it took.
    fn pulse_weight(
        &mut self,
        pulses: &Pulses,
        index: usize,
        count: i64,
        stream: &mut Stream,
    ) -> u64 {
        let (steps, mut w) = (&self.steps[index], self.held[index].f64());
        for _ in 0..count.abs() {
            w = pulses.pulse(steps, w, count > 0, stream);
        }
        self.held[index] = T::of(w * steps.kept);
        count.unsigned_abs()
    }

    /// `count` pulses of a pair of cells that only step up, and its refresh if it is due; says how
    /// many pulses it took, two resets included.
    fn pulse_pair(
        &mut self,
        pulses: &Pulses,
        index: usize,
        count: i64,
        stream: &mut Stream,
    ) -> u64 {
        let pairs = self.held.len();
        let steps = [&self.steps[index], &self.steps[pairs + index]];
        let mut cells = self.arms.each_ref().map(|arm| arm[index].f64());
        let mut spent = count.unsigned_abs();
        let side = usize::from(count < 0);
        for _ in 0..spent {
            cells[side] = pulses.pulse(steps[side], cells[side], true, stream).max(0.0);
        }
        let larger = usize::from(cells[1] > cells[0]);
        let difference = cells[larger] - cells[1 - larger];
        if cells[larger] > pulses.refresh_high * pulses.high
            && cells[1 - larger] > pulses.refresh_low * pulses.high
        {
            (cells, spent) = ([0.0; 2], spent + 2);
            // Read after each pulse; given up after twice the pulses of a step that does not shrink.
            for _ in 0..(2.0 * difference / pulses.step).ceil() as u64 {
                if cells[larger] + 0.5 * pulses.step >= difference {
                    break;
                }
                spent += 1;
                cells[larger] = pulses.pulse(steps[larger], cells[larger], true, stream).max(0.0);
            }
        }
        for side in 0..2 {
            cells[side] *= steps[side].kept;
            self.arms[side][index] = T::of(cells[side]);
        }
        self.held[index] = T::of(cells[0] - cells[1]);
        spent
    }

    /// What the cells hold, in weights.
    pub fn held(&self, device: &CrossbarDevice) -> DMatrix<T> {
        &self.held * T::of(device.cells.weight_max)
    }

    /// The conductances G+ and G- of what is read of the cells, microsiemens, outputs x inputs.
    pub fn conductances(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        let pairs = &device.cells;
        if device.pulses.direction == Direction::Up {
            let range = pairs.g_max_us - pairs.g_min_us;
            let beside = (&self.seen - &self.held).map(T::f64);
            let arms = self.arms.each_ref().map(|arm| arm.map(T::f64));
            // What is read beside the weight is read beside G+.
            let of = |w: f64| (pairs.g_min_us + range * w).max(0.0);
            return [(&arms[0] + beside).map(of), arms[1].map(of)];
        }
        let of = |w: T, side: usize| pairs.conductances(w.f64() * pairs.weight_max)[side];
        [0, 1].map(|side| self.seen.map(|w| of(w, side).max(0.0)))
    }

    /// What is read of the cells where all move and nothing ages, in weights.
    pub fn seen(&self, device: &CrossbarDevice) -> DMatrix<T> {
        &self.seen * T::of(device.cells.weight_max)
    }

    pub(super) fn save(&self, state: &mut State<T>) {
        state.insert("pulsed_held", self.held.clone());
        state.insert("pulsed_seen", self.seen.clone());
        for (name, arm) in ARMS.into_iter().zip(&self.arms).filter(|(_, arm)| !arm.is_empty()) {
            state.insert(name, arm.clone());
        }
        state.insert("pulses", vec![self.written]);
    }

    /// Puts back what [`save`](Self::save) kept.
    pub(super) fn restore(&mut self, state: &State<T>) -> Result<()> {
        self.held.copy_from(state.matrix("pulsed_held", self.held.shape())?);
        self.seen.copy_from(state.matrix("pulsed_seen", self.seen.shape())?);
        for (name, arm) in ARMS.into_iter().zip(&mut self.arms).filter(|(_, arm)| !arm.is_empty()) {
            arm.copy_from(state.matrix(name, arm.shape())?);
        }
        self.written = state.counts("pulses", 1)?[0];
        Ok(())
    }
}

/// The names under which is saved what cells that only step up hold.
const ARMS: [&str; 2] = ["pulsed_plus", "pulsed_minus"];

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
    /// A pair of ideal cells that only step up, pulsed up and down in turn, each time from what it
    /// holds: the conductances after each write, as fractions of the range, and the weight.
    fn up_and_down(refresh: f64, writes: usize) -> Vec<[f64; 3]> {
        let mut device = CrossbarDevice::default();
        (device.cells.weight_max, device.cells.g_max_us) = (1.0, 1.0);
        device.pulses = Pulses {
            model: StepModel::Constant,
            direction: Direction::Up,
            refresh_high: refresh,
            step: 0.01,
            rounding: Rounding::Deterministic,
            ..Pulses::default()
        };
        let start = DMatrix::from_element(1, 1, 0.3);
        let mut cells = PulsedCells::<f64>::new(&device, &start, Key::new(1, "cells"));
        let write = |write: usize| {
            let change = [0.2, -0.2][write % 2];
            let wanted = cells.held(&device).add_scalar(change);
            cells.write(&device, &wanted, Key::new(write as u64, "write"));
            let [plus, minus] = cells.conductances(&device).map(|cells| cells[0]);
            [plus, minus, cells.held(&device)[0]]
        };
        (0..writes).map(write).collect()
    }

    #[test]
    fn cells_that_only_step_up_need_their_refresh() {
        let refreshed = up_and_down(0.75, 40);
        let mut resets = 0;
        for (write, pair) in refreshed.iter().enumerate() {
            let expected = if write % 2 == 0 { 0.5 } else { 0.3 };
            assert!((pair[2] - expected).abs() < 1e-9, "write {write}: {pair:?}");
            assert!((pair[0] - pair[1] - pair[2]).abs() < 1e-12);
            let [last, _, _] = refreshed[write.saturating_sub(1)];
            resets += usize::from(pair[0] < last);
        }
        // Twice 0.2 for either cell: G+ from 0.3 to 0.9 in three rises, with G- at 0.4.
        assert!(resets > 5, "{resets}");
        // Without it both cells end at the top of the range, and the weight is gone.
        let [plus, minus, weight] = up_and_down(1.0, 40)[39];
        assert!(plus == 1.0 && minus == 1.0 && weight == 0.0, "{plus} {minus} {weight}");
    }
}
