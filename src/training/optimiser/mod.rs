//! Optimisers: from gradients to parameters.
//!
//! An optimiser says what it does to some numbers of a parameter, given their gradient and what it
//! remembers of them; [`Descent`] walks all parameters with it, in parallel, keeps values in their
//! domains, and saves what is remembered, by name. One a file; to be chosen by name in an
//! experiment an optimiser is its own table and has a line in the list below.
//!
//! ```
//! use equilux::training::optimiser::{Chunk, Optimiser, Step};
//!
//! /// theta <- theta - rate sign(g)   (Bernstein et al. 2018, arXiv 1802.04434)
//! struct SignSgd {
//!     rate: f64,
//! }
//!
//! impl Optimiser<f64> for SignSgd {
//!     fn name(&self) -> &'static str {
//!         "sign-sgd"
//!     }
//!
//!     fn step(&self, step: &Step, chunk: &mut Chunk<f64>, scratch: &mut Vec<f64>) {
//!         let slopes = chunk.gradient.values(scratch);
//!         for (value, slope) in chunk.values.iter_mut().zip(slopes) {
//!             *value -= self.rate * step.rate_factor * slope.signum();
//!         }
//!     }
//! }
//! ```

mod adam;
mod bop;
mod descent;
mod rates;
mod sgd;

use crate::Result;
use crate::arithmetic::Real;
use crate::quantity::choice::choices;
use crate::state::State;
use crate::system::{GradientPart, LocalProduct};

pub use adam::Adam;
pub use bop::Bop;
pub use descent::Descent;
pub use rates::Rates;
pub use sgd::Sgd;

/// One step of an optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its number, from 1.
    pub number: u64,
    /// The schedule's factor on the learning rate.
    pub rate_factor: f64,
}

/// Some numbers of one parameter.
pub struct Chunk<'a, T: Real> {
    /// Their values, to be changed.
    pub values: &'a mut [T],
    /// Their gradient.
    pub gradient: GradientPart<'a, T>,
    /// What is remembered of them, in the order of [`Optimiser::moments`].
    pub moments: Vec<&'a mut [T]>,
}

/// What turns gradients into steps.
pub trait Optimiser<T: Real>: Send + Sync {
    /// The name in configurations and results.
    fn name(&self) -> &'static str;

    /// The names of what it remembers of every number: each is saved as a matrix of the parameter's
    /// shape that starts at zero.
    fn moments(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks at the whole gradient before a step, for those that need a norm of it.
    fn begin(&mut self, step: &Step, gradient: &LocalProduct<T>) {
        let _ = (step, gradient);
    }

    /// Moves some numbers down their gradient; `scratch` is the caller's to reuse.
    fn step(&self, step: &Step, chunk: &mut Chunk<T>, scratch: &mut Vec<T>);

    /// What it remembers beyond [`moments`](Self::moments).
    fn state(&self) -> State<T> {
        State::default()
    }

    /// Puts back what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// When the state is that of another optimiser.
    fn restore(&mut self, state: &State<T>) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

choices! {
    /// What trains parameters that are real numbers, by name: the table
    /// `[training.optimiser.sgd]`, for example.
    pub enum OptimiserChoice {
        /// Gradient descent with momentum.
        "sgd" => Sgd(Sgd),
        /// Adaptive moments.
        "adam" => Adam(Adam),
    }
    forward {
        /// The optimiser itself.
        pub fn optimiser<T: Real>(&self) -> Box<dyn Optimiser<T>>;
    }
}
