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
//! At w = 0 the steps of a cell are
//!
//! ```text
//! up    |1 + min(u, 0) + s + r| dw,    down    |1 - max(u, 0) + s - r| dw
//! ```
//!
//! with u = `up_down`, which only ever weakens one side, and s and r the cell's own deviations of
//! `step_spread` and `up_down_spread`. Bounds, gamma of the linear step and lifetimes vary from
//! cell to cell too, and each step by `step_noise` times itself or, with `noise = "constant"`, times
//! the step at w = 0 (Gokmen & Vlasov 2016, doi:10.3389/fnins.2016.00333; the models and presets of
//! aihwkit, arXiv 2104.02184, `PulsedRPUDevice::populate`). A
//! change that is asked for becomes a whole number of pulses, rounded to the nearest or
//! stochastically, so that small changes have their mean. No weight is kept digitally: only the
//! *difference* between the values that are programmed and those that were last read back counts,
//! and what cancels out of it need not be known to the laboratory.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path};
use crate::quantity::range;

/// How a pulsed weight steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepModel {
    /// Cells are not pulsed but written to targets; the weights are kept in digital memory.
    #[default]
    None,
    /// The same step everywhere.
    Constant,
    /// Steps that shrink towards the bounds, to 1 - gamma.
    Linear,
    /// Steps that vanish at the bounds.
    SoftBounds,
    /// Steps with an exponential of the weight.
    Exponential,
}

/// Which way the cells of a weight step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Up and down: the weight itself steps.
    #[default]
    Both,
    /// Only up, as phase-change cells: a weight rises by a pulse of G+ and falls by one of G-, each
    /// from 0 to `high`. A pair of which both cells have come far is refreshed: reset, and its
    /// difference pulsed back.
    Up,
}

/// What the noise of a step is a fraction of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepNoise {
    /// The step at the weight, so that it shrinks with the step.
    #[default]
    Proportional,
    /// The step at w = 0, wherever the weight is.
    Constant,
}

/// How a change becomes a whole number of pulses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest.
    Deterministic,
    /// Up with the probability of the fraction.
    #[default]
    Stochastic,
}

/// Cells that are pulsed and are the only memory, all numbers in units of `weight_max`: the table
/// `[device.crossbar.pulses]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pulses {
    /// How a pulsed weight steps; none for cells that are written.
    pub model: StepModel,
    /// Which way the cells step.
    pub direction: Direction,
    /// A pair of cells that only step up is refreshed when one of them is beyond this fraction of
    /// `high`...
    #[serde(deserialize_with = "range::up_to_one")]
    pub refresh_high: f64,
    /// ...and the other beyond this one: there is something to gain.
    #[serde(deserialize_with = "range::up_to_one")]
    pub refresh_low: f64,
    /// Mean step of a pulse.
    #[serde(deserialize_with = "range::positive")]
    pub step: f64,
    /// Standard deviation of the step from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pub step_spread: f64,
    /// Standard deviation of the step from pulse to pulse, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pub step_noise: f64,
    /// What that fraction is of.
    pub noise: StepNoise,
    /// Asymmetry: above 0, steps down are 1 - this times the mean; below 0, steps up 1 + this.
    #[serde(deserialize_with = "range::finite")]
    pub up_down: f64,
    /// Standard deviation of the asymmetry from cell to cell, half its effect on either side: what
    /// one side gains, in units of `step`, the other loses.
    #[serde(deserialize_with = "range::non_negative")]
    pub up_down_spread: f64,
    /// Lowest weight.
    #[serde(deserialize_with = "range::negative")]
    pub low: f64,
    /// Highest weight.
    #[serde(deserialize_with = "range::positive")]
    pub high: f64,
    /// Standard deviation of the lowest weight from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pub low_spread: f64,
    /// Standard deviation of the highest weight from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pub high_spread: f64,
    /// gamma of the linear and the exponential step, upwards.
    #[serde(deserialize_with = "range::finite")]
    pub gamma_up: f64,
    /// gamma of the linear and the exponential step, downwards.
    #[serde(deserialize_with = "range::finite")]
    pub gamma_down: f64,
    /// Standard deviation of the linear step's gammas from cell to cell.
    #[serde(deserialize_with = "range::non_negative")]
    pub gamma_spread: f64,
    /// A of the exponential step, upwards.
    #[serde(deserialize_with = "range::finite")]
    pub exponential_up: f64,
    /// A of the exponential step, downwards.
    #[serde(deserialize_with = "range::finite")]
    pub exponential_down: f64,
    /// a of the exponential step.
    #[serde(deserialize_with = "range::finite")]
    pub exponential_a: f64,
    /// b of the exponential step.
    #[serde(deserialize_with = "range::finite")]
    pub exponential_b: f64,
    /// Standard deviation of what is read of a weight beside what it is, anew at each write, in
    /// units of `step`.
    #[serde(deserialize_with = "range::non_negative")]
    pub write_noise: f64,
    /// Programmings in which a weight leaks to 1/e; 0 is for ever.
    #[serde(deserialize_with = "range::non_negative")]
    pub lifetime: f64,
    /// Standard deviation of the lifetime from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pub lifetime_spread: f64,
    /// How a change becomes a whole number of pulses.
    pub rounding: Rounding,
    /// Most pulses of one weight in one programming.
    #[serde(deserialize_with = "range::positive_integer")]
    pub limit: usize,
}

impl Default for Pulses {
    fn default() -> Self {
        Self {
            model: StepModel::None,
            direction: Direction::Both,
            refresh_high: 0.75,
            refresh_low: 0.25,
            step: 0.001,
            step_spread: 0.0,
            step_noise: 0.0,
            noise: StepNoise::Proportional,
            up_down: 0.0,
            up_down_spread: 0.0,
            low: -1.0,
            high: 1.0,
            low_spread: 0.0,
            high_spread: 0.0,
            gamma_up: 0.0,
            gamma_down: 0.0,
            gamma_spread: 0.0,
            exponential_up: 0.0,
            exponential_down: 0.0,
            exponential_a: 0.0,
            exponential_b: 0.0,
            write_noise: 0.0,
            lifetime: 0.0,
            lifetime_spread: 0.0,
            rounding: Rounding::Stochastic,
            limit: 100,
        }
    }
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
    /// gamma of the linear step, upwards.
    pub gamma_up: f64,
    /// gamma of the linear step, downwards.
    pub gamma_down: f64,
    /// What a programming leaves of the weight.
    pub kept: f64,
}

impl Pulses {
    /// The numbers of one weight, drawn from `stream`.
    pub fn draw(&self, stream: &mut Stream) -> Steps {
        let mut spread = |deviation: f64| deviation * f64::normal(stream);
        let (step, side) = (1.0 + spread(self.step_spread), spread(self.up_down_spread));
        let mut gamma = |mean: f64| (mean + spread(self.gamma_spread)).abs();
        let (gamma_up, gamma_down) = (gamma(self.gamma_up), gamma(self.gamma_down));
        let lifetime = self.lifetime * (1.0 + spread(self.lifetime_spread));
        Steps {
            up: self.step * (step + self.up_down.min(0.0) + side).abs(),
            down: self.step * (step - self.up_down.max(0.0) - side).abs(),
            low: -(self.low * (1.0 + spread(self.low_spread))).abs(),
            high: (self.high * (1.0 + spread(self.high_spread))).abs(),
            gamma_up,
            gamma_down,
            kept: match self.lifetime {
                0.0 => 1.0,
                _ => 1.0 - 1.0 / lifetime.max(1.0),
            },
        }
    }

    /// The mean step of a pulse at `w`, positive in either direction.
    pub fn mean_step(&self, steps: &Steps, w: f64, up: bool) -> f64 {
        let (step, bound) = if up { (steps.up, steps.high) } else { (steps.down, steps.low) };
        match self.model {
            StepModel::None | StepModel::Constant => step,
            StepModel::Linear if up => step * (1.0 - steps.gamma_up * w / self.high),
            StepModel::Linear => step * (1.0 - steps.gamma_down * w / self.low),
            StepModel::SoftBounds if bound == 0.0 => 0.0,
            StepModel::SoftBounds => step * (1.0 - w / bound),
            StepModel::Exponential => {
                let z = 2.0 * self.exponential_a * w
                    / (steps.high - steps.low).max(f64::MIN_POSITIVE)
                    + self.exponential_b;
                let exponential = if up {
                    self.exponential_up * (self.gamma_up * z).exp()
                } else {
                    self.exponential_down * (-self.gamma_down * z).exp()
                };
                step * (1.0 - exponential).max(0.0)
            }
        }
    }

    /// `w` after one pulse.
    pub fn pulse(&self, steps: &Steps, w: f64, up: bool, stream: &mut Stream) -> f64 {
        let mean = self.mean_step(steps, w, up);
        let deviation = self.step_noise
            * match self.noise {
                StepNoise::Proportional => mean,
                StepNoise::Constant if up => steps.up,
                StepNoise::Constant => steps.down,
            };
        let step = if deviation > 0.0 { mean + deviation * f64::normal(stream) } else { mean };
        (if up { w + step } else { w - step }).clamp(steps.low, steps.high)
    }

    /// The whole number of pulses for a change of `wanted`, negative downwards.
    pub fn count(&self, wanted: f64, stream: &mut Stream) -> i64 {
        let pulses = wanted / self.step;
        let whole = match self.rounding {
            Rounding::Deterministic => pulses.round(),
            Rounding::Stochastic => (pulses + stream.random::<f64>()).floor(),
        };
        let limit = self.limit as f64;
        whole.clamp(-limit, limit) as i64
    }
}

impl Effect for Pulses {
    fn title(&self) -> &'static str {
        "pulsed cells"
    }

    fn is_off(&self) -> bool {
        self.model == StepModel::None
    }

    fn check(&self) -> Result<(), String> {
        let (low, high) = (self.refresh_low, self.refresh_high);
        if low <= high {
            return Ok(());
        }
        Err(format!("refresh_low = {low}: expected at most refresh_high = {high}"))
    }
}

impl<T: Real> ArrayEffect<T> for Pulses {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path == Path::Pulses || path.is_of_cells() || path.is_of_products()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    fn stepping(model: StepModel) -> Pulses {
        Pulses { model, step: 0.01, ..Pulses::default() }
    }

    const STEPS: Steps = Steps {
        up: 0.01,
        down: 0.01,
        low: -0.8,
        high: 1.2,
        gamma_up: 0.1,
        gamma_down: 0.5,
        kept: 1.0,
    };

    #[test]
    fn steps_are_those_of_the_formulas() {
        let soft = stepping(StepModel::SoftBounds);
        assert!((soft.mean_step(&STEPS, 0.6, true) - 0.005).abs() < 1e-15);
        assert!((soft.mean_step(&STEPS, -0.4, false) - 0.005).abs() < 1e-15);
        let linear = stepping(StepModel::Linear);
        assert!((linear.mean_step(&STEPS, 0.5, true) - 0.0095).abs() < 1e-15);
        assert!((linear.mean_step(&STEPS, -0.8, false) - 0.006).abs() < 1e-15);
        let exponential = Pulses {
            gamma_up: 5.0,
            exponential_up: 0.5,
            exponential_a: 1.0,
            exponential_b: 0.1,
            ..stepping(StepModel::Exponential)
        };
        let expected = 0.01 * (1.0 - 0.5 * (5.0f64 * (2.0 * -0.5 / 2.0 + 0.1)).exp());
        assert!((exponential.mean_step(&STEPS, -0.5, true) - expected).abs() < 1e-15);
        assert_eq!(exponential.mean_step(&STEPS, 1.0, true), 0.0, "a step is never backwards");
    }

    #[test]
    fn the_noise_of_a_step_follows_the_step_or_not() {
        for (noise, expected) in
            [(StepNoise::Proportional, 0.3 * 0.0025), (StepNoise::Constant, 0.3 * 0.01)]
        {
            let device = Pulses { step_noise: 0.3, noise, ..stepping(StepModel::SoftBounds) };
            let pulses = device;
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
        let pulses = stepping(StepModel::Constant);
        let mut stream = Key::new(1, "test").stream();
        let n = 100_000;
        let sum: i64 = (0..n).map(|_| pulses.count(-0.0123, &mut stream)).sum();
        // A fraction of 0.23: standard deviation 0.42 of one count.
        assert!((sum as f64 / n as f64 + 1.23).abs() < 5.0 * 0.42 / (n as f64).sqrt());
        let nearest = Pulses { rounding: Rounding::Deterministic, ..stepping(StepModel::Constant) };
        assert_eq!(nearest.count(-0.0123, &mut stream), -1);
    }

    #[test]
    fn cell_to_cell_spread_has_the_stated_moments() {
        let device = Pulses { step_spread: 0.2, high_spread: 0.1, ..stepping(StepModel::Constant) };
        let pulses = device;
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
