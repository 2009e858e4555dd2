//! Pulsed weights: cells that step up and down and are their own memory.
//!
//! A weight w, in units of `weight_max`, takes steps of mean dw:
//!
//! ```text
//! constant      dw
//! linear        dw (1 - gamma w / w_max) up,  dw (1 - gamma w / w_min) down, of the mean bounds
//! soft-bounds   dw (1 - w / w_max) up,  dw (1 - w / w_min) down, of the cell's own bounds
//! exponential   dw max(0, 1 - A e^(+-gamma z)),  z = 2 a w / (w_max - w_min) + b
//! ```
//!
//! dw, the asymmetry of up and down, w_min and w_max vary from cell to cell, and each step by
//! `pulse_step_noise` times itself or, with `pulse_noise = "constant"`, times dw (Gokmen & Vlasov
//! 2016, doi:10.3389/fnins.2016.00333; the models and presets of aihwkit, arXiv 2104.02184). A
//! change that is asked for becomes a whole number of pulses, rounded to the nearest or
//! stochastically, so that small changes have their mean. No weight is kept digitally: only the
//! *difference* between the values that are programmed and those that were last read back counts,
//! and what cancels out of it need not be known to the laboratory.

use nalgebra::DMatrix;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::CrossbarDevice;
use crate::Result;
use crate::arithmetic::random::{Key, Stream};
use crate::arithmetic::real::Real;
use crate::state::State;

/// How a pulsed weight steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepModel {
    /// The same step everywhere.
    #[default]
    Constant,
    /// Steps that shrink towards the bounds, to 1 - gamma.
    Linear,
    /// Steps that vanish at the bounds.
    SoftBounds,
    /// Steps with an exponential of the weight.
    Exponential,
}

/// What the noise of a step is a fraction of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepNoise {
    /// The step at the weight, so that it shrinks with the step.
    #[default]
    Proportional,
    /// The step at w = 0, wherever the weight is.
    Constant,
}

/// How a change becomes a whole number of pulses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest.
    Deterministic,
    /// Up with the probability of the fraction.
    #[default]
    Stochastic,
}

/// The numbers of a step model, in units of `weight_max`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulses {
    device: CrossbarDevice,
}

/// One weight's own numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Step up at w = 0.
    pub up: f64,
    /// Step down at w = 0.
    pub down: f64,
    /// Lowest weight.
    pub low: f64,
    /// Highest weight.
    pub high: f64,
}

impl Pulses {
    pub(super) fn of(device: &CrossbarDevice) -> Self {
        Self { device: device.clone() }
    }

    /// The numbers of one weight, drawn from `stream`.
    pub fn draw(&self, stream: &mut Stream) -> Steps {
        let device = &self.device;
        let mut spread = |deviation: f64| deviation * f64::normal(stream);
        let step = device.pulse_step * (1.0 + spread(device.pulse_step_spread)).max(0.0);
        let up_down = device.pulse_up_down + spread(device.pulse_up_down_spread);
        Steps {
            up: step * (1.0 + up_down),
            down: step * (1.0 - up_down),
            low: device.pulse_low * (1.0 + spread(device.pulse_low_spread)).max(0.0),
            high: device.pulse_high * (1.0 + spread(device.pulse_high_spread)).max(0.0),
        }
    }

    /// The mean step of a pulse at `w`, positive in either direction.
    pub fn mean_step(&self, steps: &Steps, w: f64, up: bool) -> f64 {
        let device = &self.device;
        let (step, bound) = if up { (steps.up, steps.high) } else { (steps.down, steps.low) };
        match device.pulse_model {
            StepModel::Constant => step,
            StepModel::Linear if up => step * (1.0 - device.pulse_gamma_up * w / device.pulse_high),
            StepModel::Linear => step * (1.0 - device.pulse_gamma_down * w / device.pulse_low),
            StepModel::SoftBounds if bound == 0.0 => 0.0,
            StepModel::SoftBounds => step * (1.0 - w / bound),
            StepModel::Exponential => {
                let z = 2.0 * device.pulse_exponential_a * w
                    / (steps.high - steps.low).max(f64::MIN_POSITIVE)
                    + device.pulse_exponential_b;
                let exponential = if up {
                    device.pulse_exponential_up * (device.pulse_gamma_up * z).exp()
                } else {
                    device.pulse_exponential_down * (-device.pulse_gamma_down * z).exp()
                };
                step * (1.0 - exponential).max(0.0)
            }
        }
    }

    /// `w` after one pulse.
    pub fn pulse(&self, steps: &Steps, w: f64, up: bool, stream: &mut Stream) -> f64 {
        let mean = self.mean_step(steps, w, up);
        let deviation = self.device.pulse_step_noise
            * match self.device.pulse_noise {
                StepNoise::Proportional => mean,
                StepNoise::Constant if up => steps.up,
                StepNoise::Constant => steps.down,
            };
        let step = if deviation > 0.0 { mean + deviation * f64::normal(stream) } else { mean };
        (if up { w + step } else { w - step }).clamp(steps.low, steps.high)
    }

    /// The whole number of pulses for a change of `wanted`, negative downwards.
    pub fn count(&self, wanted: f64, stream: &mut Stream) -> i64 {
        let pulses = wanted / self.device.pulse_step;
        let whole = match self.device.pulse_rounding {
            Rounding::Deterministic => pulses.round(),
            Rounding::Stochastic => (pulses + stream.random::<f64>()).floor(),
        };
        let limit = self.device.pulse_limit as f64;
        whole.clamp(-limit, limit) as i64
    }
}

/// Pulsed weights, outputs x inputs, in units of `weight_max`.
#[derive(Clone, Debug)]
pub struct PulsedCells<T: Real> {
    pulses: Pulses,
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
        let pulses = device.pulses();
        let mut stream = key.stream();
        let steps: Vec<Steps> = weights.iter().map(|_| pulses.draw(&mut stream)).collect();
        let mut held = weights.clone();
        for (held, steps) in held.iter_mut().zip(&steps) {
            *held = T::of((held.f64() / device.weight_max).clamp(steps.low, steps.high));
        }
        Self { pulses, steps, seen: held.clone(), held, written: 0 }
    }

    /// Pulses the weights from what they hold towards `wanted` (in weights).
    pub fn write(&mut self, wanted: &DMatrix<T>, key: Key) {
        let device = &self.pulses.device;
        let mut stream = key.stream();
        let keep = if device.pulse_lifetime > 0.0 {
            1.0 - 1.0 / device.pulse_lifetime.max(1.0)
        } else {
            1.0
        };
        let noise = device.pulse_write_noise * device.pulse_step;
        for (((held, seen), wanted), steps) in
            self.held.iter_mut().zip(self.seen.iter_mut()).zip(wanted).zip(&self.steps)
        {
            let mut w = held.f64();
            let count = self.pulses.count(wanted.f64() / device.weight_max - w, &mut stream);
            for _ in 0..count.abs() {
                w = self.pulses.pulse(steps, w, count > 0, &mut stream);
            }
            self.written += count.unsigned_abs();
            w *= keep;
            *held = T::of(w);
            if noise == 0.0 {
                *seen = *held;
            } else if count != 0 {
                *seen = T::of(w + noise * f64::normal(&mut stream));
            }
        }
    }

    /// What the cells hold, in weights.
    pub fn held(&self) -> DMatrix<T> {
        &self.held * T::of(self.pulses.device.weight_max)
    }

    /// What is read of the cells, in weights.
    pub fn seen(&self) -> DMatrix<T> {
        &self.seen * T::of(self.pulses.device.weight_max)
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

    fn device(model: StepModel) -> CrossbarDevice {
        CrossbarDevice {
            pulse_model: model,
            pulse_step: 0.01,
            weight_max: 1.0,
            ..CrossbarDevice::ideal()
        }
    }

    const STEPS: Steps = Steps { up: 0.01, down: 0.01, low: -0.8, high: 1.2 };

    #[test]
    fn steps_are_those_of_the_formulas() {
        let soft = device(StepModel::SoftBounds).pulses();
        assert!((soft.mean_step(&STEPS, 0.6, true) - 0.005).abs() < 1e-15);
        assert!((soft.mean_step(&STEPS, -0.4, false) - 0.005).abs() < 1e-15);
        let linear = CrossbarDevice {
            pulse_gamma_up: 0.1,
            pulse_gamma_down: 0.5,
            ..device(StepModel::Linear)
        }
        .pulses();
        assert!((linear.mean_step(&STEPS, 0.5, true) - 0.0095).abs() < 1e-15);
        assert!((linear.mean_step(&STEPS, -0.8, false) - 0.006).abs() < 1e-15);
        let exponential = CrossbarDevice {
            pulse_gamma_up: 5.0,
            pulse_exponential_up: 0.5,
            pulse_exponential_a: 1.0,
            pulse_exponential_b: 0.1,
            ..device(StepModel::Exponential)
        };
        let expected = 0.01 * (1.0 - 0.5 * (5.0f64 * (2.0 * -0.5 / 2.0 + 0.1)).exp());
        assert!((exponential.pulses().mean_step(&STEPS, -0.5, true) - expected).abs() < 1e-15);
        assert_eq!(
            exponential.pulses().mean_step(&STEPS, 1.0, true),
            0.0,
            "a step is never backwards"
        );
    }

    #[test]
    fn the_noise_of_a_step_follows_the_step_or_not() {
        for (pulse_noise, expected) in
            [(StepNoise::Proportional, 0.3 * 0.0025), (StepNoise::Constant, 0.3 * 0.01)]
        {
            let device = CrossbarDevice {
                pulse_step_noise: 0.3,
                pulse_noise,
                ..device(StepModel::SoftBounds)
            };
            let pulses = device.pulses();
            let mut stream = Key::new(1, "test").stream();
            let n = 100_000;
            let squares: f64 = (0..n)
                .map(|_| (pulses.pulse(&STEPS, 0.9, true, &mut stream) - 0.9025).powi(2))
                .sum();
            // The standard error of a deviation of n draws is 1 / sqrt(2 n), relatively.
            assert!(
                ((squares / f64::from(n)).sqrt() / expected - 1.0).abs()
                    < 5.0 / (2.0 * f64::from(n)).sqrt()
            );
        }
    }

    #[test]
    fn stochastic_counts_have_the_mean_that_was_asked_for() {
        let pulses = device(StepModel::Constant).pulses();
        let mut stream = Key::new(1, "test").stream();
        let n = 100_000;
        let sum: i64 = (0..n).map(|_| pulses.count(-0.0123, &mut stream)).sum();
        // A fraction of 0.23: standard deviation 0.42 of one count.
        assert!((sum as f64 / n as f64 + 1.23).abs() < 5.0 * 0.42 / (n as f64).sqrt());
        let nearest = CrossbarDevice {
            pulse_rounding: Rounding::Deterministic,
            ..device(StepModel::Constant)
        }
        .pulses();
        assert_eq!(nearest.count(-0.0123, &mut stream), -1);
    }

    #[test]
    fn ideal_pulses_reach_what_was_asked_within_a_step() {
        let device = CrossbarDevice {
            pulse_rounding: Rounding::Deterministic,
            ..device(StepModel::Constant)
        };
        let mut cells =
            PulsedCells::<f64>::new(&device, &DMatrix::zeros(3, 3), Key::new(1, "cells"));
        let wanted = DMatrix::from_fn(3, 3, |i, j| 0.07 * i as f64 - 0.05 * j as f64);
        cells.write(&wanted, Key::new(1, "write"));
        assert!((cells.held() - &wanted).amax() <= 0.005 + 1e-12);
        let expected: f64 = wanted.iter().map(|w| (w.abs() / 0.01).round()).sum();
        assert_eq!(cells.written, expected as u64);
    }

    #[test]
    fn cell_to_cell_spread_has_the_stated_moments() {
        let device = CrossbarDevice {
            pulse_step_spread: 0.2,
            pulse_high_spread: 0.1,
            ..device(StepModel::Constant)
        };
        let pulses = device.pulses();
        let mut stream = Key::new(2, "test").stream();
        let n = 1_000_000;
        let (mut sum, mut squares, mut highs) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let steps = pulses.draw(&mut stream);
            sum += steps.up / 0.01;
            squares += (steps.up / 0.01 - 1.0).powi(2);
            highs += (steps.high - 1.0).powi(2);
        }
        let n = f64::from(n);
        assert!((sum / n - 1.0).abs() < 1e-3 && ((squares / n).sqrt() / 0.2 - 1.0).abs() < 0.01);
        assert!(((highs / n).sqrt() / 0.1 - 1.0).abs() < 0.01);
    }
}
