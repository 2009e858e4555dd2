//! Optimisers: from gradients to parameters.
//!
//! ```text
//! SGD    m <- mu m + g                                          theta <- theta - rate m
//! Adam   m <- b1 m + (1 - b1) g,  s <- b2 s + (1 - b2) g^2      theta <- theta - rate m^ / (sqrt(s^) + epsilon)
//! BOP    m <- (1 - gamma) m + gamma g                           flip where |m| > threshold and sign m = sign theta
//! ```
//!
//! Adam: Kingma & Ba 2015, arXiv 1412.6980. BOP, for binary parameters: Helwegen et al. 2019, arXiv 1906.02107; a schedule acts on its gamma,
//! as theirs does.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::config::range;
use crate::coupler::{Domain, Parameter};
use crate::real::Real;

/// What trains parameters that are real numbers: the table `[training.optimiser.sgd]` or `[training.optimiser.adam]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserConfig {
    /// Gradient descent with momentum.
    Sgd(Sgd),
    /// Adaptive moments.
    Adam(Adam),
}

/// Gradient descent with momentum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Learning rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// Momentum mu.
    #[serde(deserialize_with = "range::fraction")]
    pub momentum: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { rate: 0.05, momentum: 0.0 }
    }
}

/// Adaptive moments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Learning rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// Decay of the first moment.
    #[serde(deserialize_with = "range::fraction")]
    pub beta1: f64,
    /// Decay of the second moment.
    #[serde(deserialize_with = "range::fraction")]
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[serde(deserialize_with = "range::positive")]
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { rate: 0.003, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// What trains binary parameters: the table `[training.bop]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bop {
    /// Adaptivity gamma: the weight of the newest gradient in the running mean.
    #[serde(deserialize_with = "range::up_to_one")]
    pub gamma: f64,
    /// The running mean beyond which a parameter flips.
    #[serde(deserialize_with = "range::non_negative")]
    pub threshold: f64,
}

impl Default for Bop {
    fn default() -> Self {
        Self { gamma: 0.01, threshold: 1e-4 }
    }
}

/// An optimiser with its running moments.
#[derive(Clone, Debug)]
pub struct Optimiser<T: Real> {
    config: OptimiserConfig,
    bop: Bop,
    /// First and second moments of each parameter; unused ones are empty.
    moments: Vec<[DMatrix<T>; 2]>,
    steps: u64,
}

impl<T: Real> Optimiser<T> {
    /// An optimiser for parameters like `parameters`.
    pub fn new(config: OptimiserConfig, bop: Bop, parameters: &[Parameter<T>]) -> Self {
        let moments = parameters.iter().map(|parameter| {
            let like = |wanted: bool| {
                let (rows, columns) = if wanted { parameter.values.shape() } else { (0, 0) };
                DMatrix::zeros(rows, columns)
            };
            let trained = parameter.domain != Domain::Fixed;
            let second = trained && parameter.domain != Domain::Binary && matches!(config, OptimiserConfig::Adam(_));
            [like(trained), like(second)]
        });
        Self { config, bop, moments: moments.collect(), steps: 0 }
    }

    /// One step down `gradient`; `rate_factor` scales the learning rate, and BOP's gamma. Values are kept in their domains.
    pub fn step(&mut self, parameters: &mut [Parameter<T>], gradient: &[DMatrix<T>], rate_factor: f64) {
        self.steps += 1;
        for ((parameter, gradient), [first, second]) in parameters.iter_mut().zip(gradient).zip(&mut self.moments) {
            match (parameter.domain, self.config) {
                (Domain::Fixed, _) => continue,
                (Domain::Binary, _) => self.bop.step(&mut parameter.values, gradient, first, rate_factor),
                (_, OptimiserConfig::Sgd(sgd)) => sgd.step(&mut parameter.values, gradient, first, rate_factor),
                (_, OptimiserConfig::Adam(adam)) => {
                    adam.step(&mut parameter.values, gradient, [first, second], rate_factor, self.steps);
                }
            }
            if let Domain::Interval(low, high) = parameter.domain {
                parameter.values.apply(|value| *value = value.clamp(low, high));
            }
        }
    }

    /// The running moments by parameter, and the number of steps, for checkpoints.
    pub fn state(&self) -> (&[[DMatrix<T>; 2]], u64) {
        (&self.moments, self.steps)
    }

    /// Puts back what [`state`](Self::state) gave; shapes must agree.
    pub fn restore(&mut self, moments: Vec<[DMatrix<T>; 2]>, steps: u64) {
        self.moments = moments;
        self.steps = steps;
    }
}

impl Sgd {
    fn step<T: Real>(&self, values: &mut DMatrix<T>, gradient: &DMatrix<T>, velocity: &mut DMatrix<T>, rate_factor: f64) {
        let (momentum, rate) = (T::of(self.momentum), T::of(self.rate * rate_factor));
        for ((value, slope), velocity) in values.iter_mut().zip(gradient).zip(velocity) {
            *velocity = momentum * *velocity + *slope;
            *value -= rate * *velocity;
        }
    }
}

impl Adam {
    fn step<T: Real>(&self, values: &mut DMatrix<T>, gradient: &DMatrix<T>, moments: [&mut DMatrix<T>; 2], rate_factor: f64, steps: u64) {
        let (beta1, beta2, epsilon) = (T::of(self.beta1), T::of(self.beta2), T::of(self.epsilon));
        let unbias = |beta: f64| 1.0 - beta.powf(steps as f64);
        let rate = T::of(self.rate * rate_factor / unbias(self.beta1));
        let unbias_second = T::of(1.0 / unbias(self.beta2));
        let [first, second] = moments;
        for (((value, slope), first), second) in values.iter_mut().zip(gradient).zip(first).zip(second) {
            *first = beta1 * *first + (T::one() - beta1) * *slope;
            *second = beta2 * *second + (T::one() - beta2) * *slope * *slope;
            *value -= rate * *first / ((*second * unbias_second).sqrt() + epsilon);
        }
    }
}

impl Bop {
    fn step<T: Real>(&self, values: &mut DMatrix<T>, gradient: &DMatrix<T>, mean: &mut DMatrix<T>, rate_factor: f64) {
        let (gamma, threshold) = (T::of(self.gamma * rate_factor), T::of(self.threshold));
        for ((value, slope), mean) in values.iter_mut().zip(gradient).zip(mean) {
            *mean = (T::one() - gamma) * *mean + gamma * *slope;
            if mean.abs() > threshold && *mean * *value > T::zero() {
                *value = -*value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(domain: Domain<f64>, values: [f64; 2]) -> Vec<Parameter<f64>> {
        vec![Parameter { name: "p".into(), values: DMatrix::from_column_slice(2, 1, &values), domain }]
    }

    fn run(config: OptimiserConfig, domain: Domain<f64>, start: [f64; 2], gradients: &[[f64; 2]]) -> Vec<f64> {
        let mut parameters = parameter(domain, start);
        let mut optimiser = Optimiser::new(config, Bop { gamma: 0.5, threshold: 0.2 }, &parameters);
        for gradient in gradients {
            optimiser.step(&mut parameters, &[DMatrix::from_column_slice(2, 1, gradient)], 1.0);
        }
        parameters[0].values.as_slice().to_vec()
    }

    #[test]
    fn sgd_accumulates_momentum() {
        let sgd = OptimiserConfig::Sgd(Sgd { rate: 0.1, momentum: 0.5 });
        let values = run(sgd, Domain::Real, [1.0, 0.0], &[[1.0, 0.0], [1.0, -2.0]]);
        assert!((values[0] - (1.0 - 0.1 - 0.15)).abs() < 1e-15 && (values[1] - 0.2).abs() < 1e-15);
    }

    #[test]
    fn the_first_step_of_adam_has_the_size_of_the_rate() {
        let adam = OptimiserConfig::Adam(Adam { rate: 0.01, ..Adam::default() });
        let values = run(adam, Domain::Real, [0.0, 0.0], &[[3.0, -0.004]]);
        assert!((values[0] + 0.01).abs() < 1e-9 && (values[1] - 0.01).abs() < 1e-7);
    }

    #[test]
    fn bop_flips_only_along_its_own_sign_and_beyond_the_threshold() {
        let sgd = OptimiserConfig::Sgd(Sgd::default());
        assert_eq!(run(sgd, Domain::Binary, [1.0, 1.0], &[[0.5, -0.5]]), [-1.0, 1.0]);
        assert_eq!(run(sgd, Domain::Binary, [1.0, -1.0], &[[0.3, -0.5]]), [1.0, 1.0]);
    }

    #[test]
    fn intervals_clip_and_fixed_parameters_stay() {
        let sgd = OptimiserConfig::Sgd(Sgd { rate: 1.0, momentum: 0.0 });
        assert_eq!(run(sgd, Domain::Interval(-1.0, 1.0), [0.5, -0.5], &[[-9.0, 0.1]]), [1.0, -0.6]);
        assert_eq!(run(sgd, Domain::Fixed, [0.5, -0.5], &[[-9.0, 0.1]]), [0.5, -0.5]);
    }
}
