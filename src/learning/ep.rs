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

use serde::{Deserialize, Serialize};

use super::{Batch, Common, Estimate, Nudges, Rule, Signal, Traits};
use crate::Result;
use crate::arithmetic::Real;
use crate::system::{Correction, System};

/// Equilibrium Propagation: `ep`.
#[derive(Clone, Copy, Debug)]
pub struct EquilibriumPropagation(pub Nudges);

/// The table of `ep`: nothing beyond the nudge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpTable {}

impl EpTable {
    pub(super) fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>> {
        Box::new(EquilibriumPropagation(common.nudges))
    }

    pub(super) fn traits(&self) -> Traits {
        Traits { ties_pairs: true, protocol: "v = m", ..Traits::NUDGED }
    }
}

impl<T: Real> Rule<T> for EquilibriumPropagation {
    fn name(&self) -> &'static str {
        "ep"
    }

    fn nudge(&self) -> Option<f64> {
        Some(self.0.beta)
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let free = batch.infer(system)?;
        let contrast = self.0.contrast(system, batch, &free, Correction::None)?;
        let truncated = contrast.truncated();
        let signal = Signal { d: contrast.d, at: contrast.midpoint };
        let estimate = Estimate::of_signal(system, batch, free, &contrast.used, signal);
        Ok(Estimate { left: contrast.left, truncated, ..estimate })
    }
}
