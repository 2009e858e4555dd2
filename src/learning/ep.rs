//! Equilibrium Propagation (Scellier & Bengio 2017, doi:10.3389/fncom.2017.00024).
//!
//! ```text
//! dC/dtheta = lim (dE/dtheta(v+) - dE/dtheta(v-)) / 2 beta,      v+-: steady states nudged by +-beta
//! ```
//!
//! For couplings, (v+ v+^T - v- v-^T) / 2 beta = d m^T + m d^T with d = (v+ - v-) / 2 beta and the
//! midpoint m = (v+ + v-) / 2: the energy contrast is the local product at the midpoint. Exact as
//! beta -> 0 when couplings are reciprocal; there is no energy, and no guarantee, when they are
//! not.

use super::{Batch, Nudges, Rule, Signal};
use crate::Result;
use crate::arithmetic::real::Real;
use crate::system::{Correction, Phase, System};

/// Equilibrium Propagation: `ep`.
#[derive(Clone, Copy, Debug)]
pub struct EquilibriumPropagation(pub Nudges);

impl<T: Real> Rule<T> for EquilibriumPropagation {
    fn name(&self) -> &'static str {
        "ep"
    }

    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>> {
        let free = system.settle(batch.inputs, &Phase::Free)?;
        let contrast = self.0.contrast(system, batch, &free, Correction::None)?;
        Ok(Signal::local(contrast.d, contrast.midpoint, free, &contrast.settled))
    }
}
