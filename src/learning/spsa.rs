//! Simultaneous perturbation (Spall 1992, doi:10.1109/9.119632).
//!
//! ```text
//! g = mean over perturbations of   (C(theta + c Delta) - C(theta - c Delta)) / 2c   Delta,      Delta_i = +-1
//! ```
//!
//! The model-free baseline: two free phases a perturbation, right in expectation, with a variance
//! that grows with the number of parameters.

use nalgebra::DMatrix;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::batch::keep;
use super::{Batch, Common, Estimate, Rule, Traits, expect_movable};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Domain;
use crate::quantity::range;
use crate::system::{Measurement, System};

/// Simultaneous perturbation: `spsa`.
#[derive(Clone, Copy, Debug)]
pub struct Spsa {
    /// The size c of a perturbation.
    pub perturbation: f64,
    /// Perturbations averaged into one gradient.
    pub perturbations: usize,
    /// Names the random streams of the perturbations.
    pub seed: u64,
}

/// The table `[learning.rule.spsa]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpsaTable {
    /// The perturbation of every parameter.
    #[serde(deserialize_with = "range::positive")]
    pub perturbation: f64,
    /// Perturbations averaged into one gradient.
    #[serde(deserialize_with = "range::positive_integer")]
    pub perturbations: usize,
}

impl Default for SpsaTable {
    fn default() -> Self {
        Self { perturbation: 0.01, perturbations: 1 }
    }
}

impl SpsaTable {
    pub(super) fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>> {
        let Self { perturbation, perturbations } = *self;
        Box::new(Spsa { perturbation, perturbations, seed: common.seed })
    }

    pub(super) fn traits(&self) -> Traits {
        Traits {
            nudges: false,
            compares_sides: false,
            moves_parameters: true,
            protocol: "",
            ..Traits::NUDGED
        }
    }
}

impl<T: Real> Rule<T> for Spsa {
    fn name(&self) -> &'static str {
        "spsa"
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let parameters = system.parameters();
        expect_movable("spsa", &parameters)?;
        let free = batch.infer(system)?;
        let mut programmed: Vec<DMatrix<T>> =
            parameters.iter().map(|parameter| parameter.values.clone()).collect();
        let mut gradient: Vec<DMatrix<T>> =
            programmed.iter().map(|values| values.map(|_| T::zero())).collect();
        let mut used = free.used();
        let key = Key::new(self.seed, "perturbation").with(batch.update);
        let scale = 1.0 / (2.0 * self.perturbation * self.perturbations as f64);
        for index in 0..self.perturbations {
            let mut stream = key.with(index as u64).stream();
            let signs: Vec<DMatrix<T>> = parameters
                .iter()
                .map(|parameter| match parameter.domain {
                    Domain::Fixed => parameter.values.map(|_| T::zero()),
                    _ => parameter
                        .values
                        .map(|_| if stream.next_u64() >> 63 == 0 { T::one() } else { -T::one() }),
                })
                .collect();
            let mut measure = |step: f64| -> Result<Measurement<T>> {
                let mut moved: Vec<_> = programmed
                    .iter()
                    .zip(&signs)
                    .map(|(values, signs)| values + signs * T::of(step))
                    .collect();
                system.program(&mut moved)?;
                batch.infer(system)
            };
            let (plus, minus) = (measure(self.perturbation)?, measure(-self.perturbation)?);
            keep(&mut used, &plus.used_with(&minus));
            let slope =
                mean_cost(system, batch, &plus, &used) - mean_cost(system, batch, &minus, &used);
            gradient
                .iter_mut()
                .zip(&signs)
                .for_each(|(gradient, signs)| *gradient += signs * (slope * T::of(scale)));
        }
        system.program(&mut programmed)?;
        Ok(Estimate::of_gradient(gradient, free, &used))
    }
}

/// The mean cost of the samples that are used.
fn mean_cost<T: Real>(
    system: &dyn System<T>,
    batch: &Batch<T>,
    measured: &Measurement<T>,
    used: &[bool],
) -> T {
    let used = batch.costs(system, measured).into_iter().zip(used).filter(|(_, used)| **used);
    let (total, count) =
        used.fold((T::zero(), 0), |(total, count), (cost, _)| (total + cost, count + 1));
    total / T::of(count.max(1) as f64)
}
