//! The adjoint: the exact gradient, from the model of the machine.
//!
//! ```text
//! J^T a = dC/dv,      dC/dtheta = -a . dF/dtheta
//! ```
//!
//! The one rule that looks inside the machine. It is the yardstick of the others, never a
//! laboratory's method.

use super::{Batch, Rule, Signal};
use crate::arithmetic::real::Real;
use crate::system::{Phase, System};
use crate::{Error, Result};

/// The exact gradient of the machine's noise-free twin: `adjoint`.
#[derive(Clone, Copy, Debug)]
pub struct Adjoint;

impl<T: Real> Rule<T> for Adjoint {
    fn name(&self) -> &'static str {
        "adjoint"
    }

    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>> {
        let twin = system.twin();
        let mut twin = twin.ok_or_else(|| {
            Error::input("the adjoint rule needs a model of the machine, and this machine has none")
        })?;
        let free = twin.settle(batch.inputs, &Phase::Free)?;
        let adjoint = twin.adjoint(batch.inputs, &free, batch.cost, batch.targets)?;
        let settled = free.settled.clone();
        Ok(Signal::local(adjoint, free.values.clone(), free, &settled))
    }
}
