//! Dyadic EP (arXiv 2602.03670).
//!
//! ```text
//! two coupled copies:   m' = F(m),   d' = J(m)^T d - beta dC/dm,      dC/dW = -(d / beta) m^T
//! ```
//!
//! The midpoint m of the copies settles where the free machine does, their difference d solves beta
//! dC/dm = J^T d: exact for any couplings, and linear in beta, so a large nudge costs no bias.

use super::{Batch, Rule, Signal};
use crate::arithmetic::real::Real;
use crate::system::{Phase, System};
use crate::{Error, Result};

/// Dyadic EP: `dyadic-ep`.
#[derive(Clone, Copy, Debug)]
pub struct DyadicEp {
    /// Nudge strength, not 0.
    pub beta: f64,
}

impl<T: Real> Rule<T> for DyadicEp {
    fn name(&self) -> &'static str {
        "dyadic-ep"
    }

    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>> {
        let free = system.settle(batch.inputs, &Phase::Free)?;
        let dyadic = system
            .settle(batch.inputs, &Phase::Dyadic { nudge: batch.nudge(self.beta), free: &free })?;
        let difference = dyadic
            .difference
            .ok_or_else(|| Error::input("dyadic-ep: this machine does not couple two copies"))?;
        let settled: Vec<bool> = free
            .settled
            .iter()
            .zip(&dyadic.settled)
            .map(|(free, dyadic)| *free && *dyadic)
            .collect();
        Ok(Signal::local(difference / T::of(self.beta), dyadic.values, free, &settled))
    }
}
