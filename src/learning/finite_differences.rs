//! Finite differences of the cost: the machine's own gradient, by brute force.
//!
//! ```text
//! dC/dtheta_i = (C(theta + h e_i) - C(theta - h e_i)) / 2h
//! ```
//!
//! Two free phases a parameter, and no model: whatever the machine is made of (offsets, laws of
//! cells, wires, optics) is in it. Before every phase the hardware is put back to the state in which
//! it was found, so that both sides of a difference see the same noise and the same errors of
//! programming; `repeats` of them are averaged, each with noise of its own. What the hardware
//! rounds, it rounds here too: h is to be larger than that.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::batch::keep;
use super::{Batch, Common, Estimate, Rule, Traits, expect_movable};
use crate::arithmetic::Real;
use crate::coupler::Domain;
use crate::quantity::range;
use crate::state::State;
use crate::system::{Measurement, System};
use crate::{Error, Result};

/// The machine's own gradient: `finite-differences`, and its table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FiniteDifferences {
    /// The change h of a parameter to either side.
    #[serde(deserialize_with = "range::positive")]
    pub step: f64,
    /// Differences that are averaged, each with noise of its own.
    #[serde(deserialize_with = "range::positive_integer")]
    pub repeats: usize,
}

impl Default for FiniteDifferences {
    fn default() -> Self {
        Self { step: 1e-3, repeats: 1 }
    }
}

impl FiniteDifferences {
    pub(super) fn rule<T: Real>(&self, _: Common) -> Box<dyn Rule<T>> {
        Box::new(self.clone())
    }

    pub(super) fn traits(&self) -> Traits {
        Traits {
            nudges: false,
            compares_sides: false,
            moves_parameters: true,
            settles_often: true,
            protocol: "",
            ..Traits::NUDGED
        }
    }
}

/// A machine that is put back before every look at it.
struct Bench<'a, 'b, 'c, T: Real> {
    system: &'a mut dyn System<T>,
    batch: &'b Batch<'c, T>,
    /// The hardware as it was found, and after each repeat.
    found: State<T>,
}

impl<T: Real> Bench<'_, '_, '_, T> {
    /// The free phase with the parameters `values`, which become what the hardware took.
    fn look(&mut self, values: &mut [DMatrix<T>]) -> Result<Measurement<T>> {
        self.system.restore(&self.found)?;
        self.system.program(values)?;
        self.batch.infer(self.system)
    }
}

impl<T: Real> Rule<T> for FiniteDifferences {
    fn name(&self) -> &'static str {
        "finite-differences"
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let parameters = system.parameters();
        expect_movable("finite-differences", &parameters)?;
        let samples = batch.inputs.ncols();
        let as_found = system.state();
        let mut bench = Bench { system, batch, found: as_found.clone() };
        let whole: Vec<DMatrix<T>> = parameters.iter().map(|p| p.values.clone()).collect();
        let mut gradient: Vec<Vec<Vec<f64>>> = Vec::new();
        let mut used = vec![true; samples];
        for repeat in 0..self.repeats {
            for (which, parameter) in parameters.iter().enumerate() {
                let fixed = parameter.domain == Domain::Fixed;
                let moved = if fixed { 0 } else { parameter.values.len() };
                let mut slopes = Vec::with_capacity(moved);
                for index in 0..moved {
                    let mut side = |sign: f64| {
                        let mut values = whole.clone();
                        values[which][index] += T::of(sign * self.step);
                        let measured = bench.look(&mut values)?;
                        keep(&mut used, &measured.used());
                        let costs = batch.costs(bench.system, &measured);
                        Ok::<_, Error>((values[which][index].f64(), costs))
                    };
                    let ((above, more), (below, less)) = (side(1.0)?, side(-1.0)?);
                    if above <= below {
                        return Err(Error::input(format!(
                            "finite-differences: the hardware takes {} [{index}] = {above} for both \
                             sides of a step of {}: expected a larger step",
                            parameter.name, self.step
                        )));
                    }
                    let slope =
                        |(more, less): (&T, &T)| (more.f64() - less.f64()) / (above - below);
                    slopes.push(more.iter().zip(&less).map(slope).collect::<Vec<f64>>());
                }
                if repeat == 0 {
                    gradient.push(slopes);
                } else {
                    let sums = gradient[which].iter_mut().flatten();
                    sums.zip(slopes.iter().flatten()).for_each(|(sum, slope)| *sum += slope);
                }
            }
            // The next repeat begins where this one's free phase ends: its noise is another.
            bench.look(&mut whole.clone())?;
            bench.found = bench.system.state();
        }
        bench.found = as_found;
        let free = bench.look(&mut whole.clone())?;
        keep(&mut used, &free.used());
        let count = used.iter().filter(|used| **used).count();
        let share = 1.0 / (count.max(1) * self.repeats) as f64;
        let mean = |slopes: &Vec<f64>| {
            let taken = slopes.iter().zip(&used).filter(|(_, used)| **used);
            T::of(taken.map(|(slope, _)| slope).sum::<f64>() * share)
        };
        let gradient = parameters.iter().zip(&gradient).map(|(parameter, slopes)| {
            let (rows, columns) = parameter.values.shape();
            let mut whole = DMatrix::zeros(rows, columns);
            whole.iter_mut().zip(slopes).for_each(|(value, slopes)| *value = mean(slopes));
            whole
        });
        Ok(Estimate::of_gradient(gradient.collect(), free, &used))
    }
}
