//! Descent: all parameters, one step after another.

use std::slice::ChunksMut;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::{Chunk, Optimiser, Rates, Step};
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::{Domain, Parameter};
use crate::state::State;
use crate::system::{GradientPart, LocalProduct};
use crate::{Error, Result};

/// Numbers that are updated at a time: as many columns of a parameter as the first caches hold.
const CHUNK: usize = 1 << 14;

/// Optimisers with the parameters that they train.
pub struct Descent<T: Real> {
    real: Box<dyn Optimiser<T>>,
    binary: Box<dyn Optimiser<T>>,
    trained: Vec<Trained<T>>,
    steps: u64,
}

/// One parameter, and what is remembered of it.
struct Trained<T: Real> {
    name: String,
    domain: Domain<T>,
    /// What its learning rate is multiplied by.
    rate: f64,
    moments: Vec<(&'static str, DMatrix<T>)>,
}

impl<T: Real> Descent<T> {
    /// Trains `parameters`: `real` those that are real numbers, `binary` those of -1 and +1.
    pub fn new(
        real: Box<dyn Optimiser<T>>,
        binary: Box<dyn Optimiser<T>>,
        parameters: &[Parameter<T>],
    ) -> Self {
        let trained = |parameter: &Parameter<T>| {
            let names = match parameter.domain {
                Domain::Fixed => &[],
                Domain::Binary => binary.moments(),
                Domain::Real | Domain::Interval(..) => real.moments(),
            };
            let (rows, columns) = parameter.values.shape();
            let moments = names.iter().map(|name| (*name, DMatrix::zeros(rows, columns)));
            Trained {
                name: parameter.name.clone(),
                domain: parameter.domain,
                rate: 1.0,
                moments: moments.collect(),
            }
        };
        let trained = parameters.iter().map(trained).collect();
        Self { real, binary, trained, steps: 0 }
    }

    /// Sets the factors on the learning rates of real parameters, in place of those before.
    ///
    /// # Errors
    /// When no real parameter that is trained has one of their names.
    pub fn set_rates(&mut self, rates: &Rates) -> Result<()> {
        let is_real = |trained: &&mut Trained<T>| {
            matches!(trained.domain, Domain::Real | Domain::Interval(..))
        };
        self.trained.iter_mut().for_each(|trained| trained.rate = 1.0);
        for (name, factor) in rates.iter() {
            let called = |trained: &Trained<T>| {
                trained.name == name || trained.name.rsplit('.').next() == Some(name)
            };
            let mut names = Vec::new();
            let mut found = false;
            for trained in self.trained.iter_mut().filter(is_real) {
                if called(trained) {
                    (trained.rate, found) = (trained.rate * factor, true);
                }
                names.push(trained.name.as_str());
            }
            if !found {
                return Err(Error::input(format!(
                    "training.rates.{name}: no real parameter that is trained is called so; expected \
                     one, or the last part of one, of {}",
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// One step down `gradient`, of the parameters this was made for; `rate_factor` scales the
    /// learning rate. Values are kept in their domains.
    ///
    /// # Errors
    /// Naming a parameter that is no longer finite: training has diverged.
    pub fn step(
        &mut self,
        values: &mut [DMatrix<T>],
        gradient: &LocalProduct<T>,
        rate_factor: f64,
    ) -> Result<()> {
        self.steps += 1;
        let step = Step { number: self.steps, rate_factor };
        self.real.begin(&step, gradient);
        self.binary.begin(&step, gradient);
        let mut diverged = None;
        for (parameter, (values, trained)) in values.iter_mut().zip(&mut self.trained).enumerate() {
            let optimiser = match trained.domain {
                Domain::Fixed => continue,
                Domain::Binary => self.binary.as_ref(),
                Domain::Real | Domain::Interval(..) => self.real.as_ref(),
            };
            let step = Step { rate_factor: rate_factor * trained.rate, ..step };
            if !trained.step(optimiser, &step, parameter, values, gradient) {
                diverged = diverged.or(Some(&trained.name));
            }
        }
        match diverged {
            None => Ok(()),
            Some(name) => Err(Error::Machine(format!(
                "update {}: {name} is not finite: training has diverged",
                step.number
            ))),
        }
    }

    /// What is remembered, by parameter and name.
    pub fn state(&self) -> State<T> {
        let mut state = State::default().with("steps", vec![self.steps]);
        state.nest("real", self.real.state());
        state.nest("binary", self.binary.state());
        for trained in &self.trained {
            for (name, moment) in &trained.moments {
                state.insert(format!("{}/{name}", trained.name), moment.clone());
            }
        }
        state
    }

    /// Puts back what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// When the state is that of other optimisers or parameters.
    pub fn restore(&mut self, state: &State<T>) -> Result<()> {
        self.steps = state.counts("steps", 1)?[0];
        self.real.restore(&state.part("real"))?;
        self.binary.restore(&state.part("binary"))?;
        for trained in &mut self.trained {
            for (name, moment) in &mut trained.moments {
                let full = format!("{}/{name}", trained.name);
                moment.copy_from(state.matrix(&full, moment.shape())?);
            }
        }
        Ok(())
    }
}

impl<T: Real> Trained<T> {
    /// One step of the parameter numbered `parameter`, in parts; says whether all its numbers are
    /// finite, looked at while they are at hand.
    fn step(
        &mut self,
        optimiser: &dyn Optimiser<T>,
        step: &Step,
        parameter: usize,
        values: &mut DMatrix<T>,
        gradient: &LocalProduct<T>,
    ) -> bool {
        let (domain, rows, all) = (self.domain, values.nrows().max(1), values.ncols());
        let width = (CHUNK / rows).max(1);
        let size = width * rows;
        fn parts<T>(matrix: &mut DMatrix<T>, size: usize) -> ChunksMut<'_, T> {
            matrix.as_mut_slice().chunks_mut(size)
        }
        let mut moments: Vec<_> =
            self.moments.iter_mut().map(|(_, moment)| parts(moment, size)).collect();
        let chunks: Vec<Chunk<T>> = parts(values, size)
            .enumerate()
            .map(|(at, values)| {
                let columns = at * width..all.min((at + 1) * width);
                let gradient = GradientPart { gradient, parameter, columns };
                let moments =
                    moments.iter_mut().map(|parts| parts.next().unwrap_or_default()).collect();
                Chunk { values, gradient, moments }
            })
            .collect();
        let work = |scratch: &mut Vec<T>, mut chunk: Chunk<T>| {
            optimiser.step(step, &mut chunk, scratch);
            // Binary values are always finite: what they are flipped by may not be.
            let mut moments = chunk.moments.iter().filter(|_| domain == Domain::Binary);
            let finite = simd::largest(chunk.values).is_finite()
                && moments.all(|moment| simd::largest(moment).is_finite());
            if let Domain::Interval(low, high) = domain {
                simd::clamp(chunk.values, low, high);
            }
            finite
        };
        chunks.into_par_iter().map_init(Vec::new, work).reduce(|| true, |all, one| all && one)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Adam, Bop, Sgd};
    use super::*;

    fn run<O: Optimiser<f64> + 'static>(
        real: O,
        domain: Domain<f64>,
        start: [f64; 2],
        gradients: &[[f64; 2]],
    ) -> Vec<f64> {
        let mut values = vec![DMatrix::from_column_slice(2, 1, &start)];
        let parameters = [Parameter::new("p", values[0].clone(), domain)];
        let bop = Box::new(Bop { gamma: 0.5, threshold: 0.2 });
        let mut descent = Descent::new(Box::new(real), bop, &parameters);
        for gradient in gradients {
            let gradient = vec![DMatrix::from_column_slice(2, 1, gradient)];
            descent.step(&mut values, &gradient.into(), 1.0).unwrap();
        }
        values[0].as_slice().to_vec()
    }

    #[test]
    fn sgd_accumulates_momentum() {
        let sgd = Sgd { rate: 0.1, momentum: 0.5, l2: 0.0 };
        let values = run(sgd, Domain::Real, [1.0, 0.0], &[[1.0, 0.0], [1.0, -2.0]]);
        assert!((values[0] - (1.0 - 0.1 - 0.15)).abs() < 1e-15 && (values[1] - 0.2).abs() < 1e-15);
    }

    #[test]
    fn weights_decay_along_a_penalty_of_their_squares() {
        for momentum in [0.0, 0.5] {
            let sgd = Sgd { rate: 0.1, momentum, l2: 0.2 };
            let values = run(sgd, Domain::Real, [1.0, -2.0], &[[0.0, 1.0]]);
            let expected = [1.0 - 0.1 * 0.2, -2.0 - 0.1 * (1.0 - 0.4)];
            assert!((values[0] - expected[0]).abs() < 1e-15, "{momentum}");
            assert!((values[1] - expected[1]).abs() < 1e-15, "{momentum}");
        }
    }

    #[test]
    fn the_first_step_of_adam_has_the_size_of_the_rate() {
        let adam = Adam { rate: 0.01, ..Adam::default() };
        let values = run(adam, Domain::Real, [0.0, 0.0], &[[3.0, -0.004]]);
        assert!((values[0] + 0.01).abs() < 1e-9 && (values[1] - 0.01).abs() < 1e-7);
    }

    #[test]
    fn bop_flips_only_along_its_own_sign_and_beyond_the_threshold() {
        let binary = |start, gradient| run(Sgd::default(), Domain::Binary, start, &[gradient]);
        assert_eq!(binary([1.0, 1.0], [0.5, -0.5]), [-1.0, 1.0]);
        assert_eq!(binary([1.0, -1.0], [0.3, -0.5]), [1.0, 1.0]);
    }

    #[test]
    fn intervals_clip_and_fixed_parameters_stay() {
        let sgd = Sgd { rate: 1.0, momentum: 0.0, l2: 0.0 };
        let within = Domain::Interval(-1.0, 1.0);
        assert_eq!(run(sgd, within, [0.5, -0.5], &[[-9.0, 0.1]]), [1.0, -0.6]);
        assert_eq!(run(sgd, Domain::Fixed, [0.5, -0.5], &[[-9.0, 0.1]]), [0.5, -0.5]);
    }

    #[test]
    fn rates_are_those_of_a_name_and_of_its_last_part() {
        let sgd = Sgd { rate: 1.0, momentum: 0.0, l2: 0.0 };
        let names = ["0-1.weights", "1-2.weights", "bias"];
        let mut values = names.map(|_| DMatrix::zeros(1, 1));
        let parameters = names.map(|name| Parameter::new(name, DMatrix::zeros(1, 1), Domain::Real));
        let mut descent = Descent::new(Box::new(sgd), Box::new(Bop::default()), &parameters);
        let rates = |text| Rates::try_from(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
        descent.set_rates(&rates("weights = 0.5\n1-2.weights = 0.25\nbias = 3")).unwrap();
        let gradient = names.map(|_| DMatrix::from_element(1, 1, -1.0)).to_vec();
        descent.step(&mut values, &gradient.into(), 2.0).unwrap();
        assert_eq!(values.map(|value: DMatrix<f64>| value[0]), [1.0, 0.25, 6.0]);
        let error = descent.set_rates(&rates("biases = 1")).unwrap_err().to_string();
        assert!(
            error.contains("training.rates.biases: no") && error.contains("0-1.weights"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_longer_finite_is_named() {
        for (domain, gradient) in [(Domain::Real, f64::INFINITY), (Domain::Binary, f64::NAN)] {
            let mut values = vec![DMatrix::from_element(2, 1, 1.0)];
            let parameters = [Parameter::new("0-1.weights", values[0].clone(), domain)];
            let mut descent =
                Descent::new(Box::new(Sgd::default()), Box::new(Bop::default()), &parameters);
            let gradient = vec![DMatrix::from_element(2, 1, gradient)];
            let error = descent.step(&mut values, &gradient.into(), 1.0).unwrap_err();
            assert!(error.to_string().contains("update 1: 0-1.weights is not finite"), "{error}");
        }
    }
}
