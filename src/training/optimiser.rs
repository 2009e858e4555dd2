//! Optimisers: from gradients to parameters.
//!
//! ```text
//! SGD    m <- mu m + g                                          theta <- theta - rate m
//! Adam   m <- b1 m + (1 - b1) g,  s <- b2 s + (1 - b2) g^2      theta <- theta - rate m^ / (sqrt(s^) + epsilon)
//! BOP    m <- (1 - gamma) m + gamma g                           flip where |m| > threshold and sign m = sign theta
//! ```
//!
//! Adam: Kingma & Ba 2015, arXiv 1412.6980. BOP, for binary parameters: Helwegen et al. 2019, arXiv
//! 1906.02107; a schedule acts on its gamma, as theirs does.

use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arithmetic::real::Real;
use crate::arithmetic::simd::{self, vectorised};
use crate::coupler::{Domain, Parameter};
use crate::quantity::range;
use crate::system::LocalProduct;

/// What trains parameters that are real numbers: the table `[training.optimiser.sgd]` or
/// `[training.optimiser.adam]`.
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
    domains: Vec<Domain<T>>,
    /// First and second moments of each parameter; unused ones are empty.
    moments: Vec<[DMatrix<T>; 2]>,
    steps: u64,
}

/// Numbers that are updated at a time: as many columns of a parameter as the first caches hold.
const CHUNK: usize = 1 << 14;

/// The gradient of some columns of a parameter.
struct Part<'a, T: Real> {
    gradient: &'a LocalProduct<'a, T>,
    index: usize,
    columns: Range<usize>,
}

impl<T: Real> Part<'_, T> {
    fn whole<'s>(&'s self, scratch: &'s mut Vec<T>) -> &'s [T] {
        self.gradient.columns(self.index, self.columns.clone(), scratch)
    }

    /// Adds `scale` times the gradient to `sum`: at the cost of one pass less.
    fn add_to(&self, sum: &mut [T], scale: T) {
        self.gradient.add_columns(self.index, self.columns.clone(), scale, sum);
    }
}

/// Some columns of a parameter with their moments, where there are any.
struct Chunk<'a, T> {
    values: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
}

impl<T: Real> Optimiser<T> {
    /// An optimiser for parameters like `parameters`.
    pub fn new(config: OptimiserConfig, bop: Bop, parameters: &[Parameter<T>]) -> Self {
        let moments = parameters.iter().map(|parameter| {
            let like = |wanted: bool| {
                let (rows, columns) = if wanted { parameter.values.shape() } else { (0, 0) };
                DMatrix::zeros(rows, columns)
            };
            let wanted = match (parameter.domain, config) {
                (Domain::Fixed, _) => [false, false],
                (Domain::Binary, _) => [true, false],
                (_, OptimiserConfig::Sgd(sgd)) => [sgd.momentum > 0.0, false],
                (_, OptimiserConfig::Adam(_)) => [true, true],
            };
            wanted.map(like)
        });
        let domains = parameters.iter().map(|parameter| parameter.domain).collect();
        Self { config, bop, domains, moments: moments.collect(), steps: 0 }
    }

    /// One step down `gradient`, of the parameters this was made for; `rate_factor` scales the
    /// learning rate, and BOP's gamma. Values are kept in their domains. Says which parameter, if
    /// any, is no longer finite.
    pub fn step(
        &mut self,
        values: &mut [DMatrix<T>],
        gradient: &LocalProduct<T>,
        rate_factor: f64,
    ) -> Option<usize> {
        self.steps += 1;
        let (this, mut diverged) = (&self.rules(rate_factor), None);
        for (index, (values, [first, second])) in
            values.iter_mut().zip(&mut self.moments).enumerate()
        {
            let domain = self.domains[index];
            if domain == Domain::Fixed {
                continue;
            }
            let (rows, all) = (values.nrows().max(1), values.ncols());
            let width = (CHUNK / rows).max(1);
            let mut first = first.as_mut_slice().chunks_mut(width * rows);
            let mut second = second.as_mut_slice().chunks_mut(width * rows);
            let chunks = values.as_mut_slice().chunks_mut(width * rows).map(|values| Chunk {
                values,
                first: first.next().unwrap_or_default(),
                second: second.next().unwrap_or_default(),
            });
            let chunks: Vec<Chunk<T>> = chunks.collect();
            let finite =
                chunks.into_par_iter().enumerate().map_init(Vec::new, |scratch, (at, chunk)| {
                    this.step(
                        domain,
                        chunk,
                        &Part { gradient, index, columns: at * width..all.min((at + 1) * width) },
                        scratch,
                    )
                });
            if !finite.reduce(|| true, |all, one| all && one) {
                diverged = diverged.or(Some(index));
            }
        }
        diverged
    }

    /// The numbers of this step.
    fn rules(&self, rate_factor: f64) -> Rules<T> {
        Rules {
            bop: BopStep {
                gamma: T::of(self.bop.gamma * rate_factor),
                threshold: T::of(self.bop.threshold),
            },
            real: match self.config {
                OptimiserConfig::Sgd(sgd) => RealStep::Sgd {
                    momentum: T::of(sgd.momentum),
                    rate: T::of(sgd.rate * rate_factor),
                },
                OptimiserConfig::Adam(adam) => {
                    let unbias = |beta: f64| 1.0 - beta.powf(self.steps as f64);
                    RealStep::Adam(AdamStep {
                        beta: [T::of(adam.beta1), T::of(adam.beta2)],
                        epsilon: T::of(adam.epsilon),
                        rate: T::of(adam.rate * rate_factor / unbias(adam.beta1)),
                        unbias_second: T::of(1.0 / unbias(adam.beta2)),
                    })
                }
            },
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

/// The numbers of one step.
struct Rules<T> {
    bop: BopStep<T>,
    real: RealStep<T>,
}

enum RealStep<T> {
    Sgd { momentum: T, rate: T },
    Adam(AdamStep<T>),
}

struct AdamStep<T> {
    beta: [T; 2],
    epsilon: T,
    rate: T,
    unbias_second: T,
}

struct BopStep<T> {
    gamma: T,
    threshold: T,
}

impl<T: Real> Rules<T> {
    /// One step of `chunk` down its `gradient`; says whether all its numbers are finite, looked at
    /// while they are at hand.
    fn step(
        &self,
        domain: Domain<T>,
        chunk: Chunk<T>,
        gradient: &Part<T>,
        scratch: &mut Vec<T>,
    ) -> bool {
        let Chunk { values, first, second } = chunk;
        if domain == Domain::Binary {
            return self.bop.step(values, gradient.whole(scratch), first);
        }
        match &self.real {
            RealStep::Sgd { rate, .. } if first.is_empty() => gradient.add_to(values, -*rate),
            RealStep::Sgd { momentum, rate } => {
                simd::scale(first, *momentum);
                gradient.add_to(first, T::one());
                simd::add_scaled(values, -*rate, first);
            }
            RealStep::Adam(step) => adam_step(values, gradient.whole(scratch), first, second, step),
        }
        let finite = simd::largest(values).is_finite();
        if let Domain::Interval(low, high) = domain {
            simd::clamp(values, low, high);
        }
        finite
    }
}

vectorised! {
    fn adam_step<T: Real>(values: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T], step: &AdamStep<T>) {
        let [beta1, beta2] = step.beta;
        for (((value, slope), first), second) in values.iter_mut().zip(gradient).zip(first).zip(second) {
            *first = beta1 * *first + (T::one() - beta1) * *slope;
            *second = beta2 * *second + (T::one() - beta2) * *slope * *slope;
            *value -= step.rate * *first / ((*second * step.unbias_second).sqrt() + step.epsilon);
        }
    }
}

impl<T: Real> BopStep<T> {
    fn step(&self, values: &mut [T], gradient: &[T], mean: &mut [T]) -> bool {
        for ((value, slope), mean) in values.iter_mut().zip(gradient).zip(&mut *mean) {
            *mean = (T::one() - self.gamma) * *mean + self.gamma * *slope;
            if mean.abs() > self.threshold && *mean * *value > T::zero() {
                *value = -*value;
            }
        }
        simd::largest(mean).is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(domain: Domain<f64>, values: [f64; 2]) -> Vec<Parameter<f64>> {
        vec![Parameter {
            name: "p".into(),
            values: DMatrix::from_column_slice(2, 1, &values),
            domain,
        }]
    }

    fn run(
        config: OptimiserConfig,
        domain: Domain<f64>,
        start: [f64; 2],
        gradients: &[[f64; 2]],
    ) -> Vec<f64> {
        let parameters = parameter(domain, start);
        let mut optimiser = Optimiser::new(config, Bop { gamma: 0.5, threshold: 0.2 }, &parameters);
        let mut values = vec![parameters[0].values.clone()];
        for gradient in gradients {
            optimiser.step(
                &mut values,
                &LocalProduct::of(&[DMatrix::from_column_slice(2, 1, gradient)]),
                1.0,
            );
        }
        values[0].as_slice().to_vec()
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
