//! The vector-field rule (Scellier, Goyal, Binas, Mesnard & Bengio 2018, arXiv 1808.04873).
//!
//! ```text
//! F(v+-) -+ beta dC/dv = 0,      d = (v+ - v-) / 2 beta,      dC/dW ~ -d v0^T
//! ```
//!
//! d solves J d = dC/dv, where the gradient wants J^T a = dC/dv: exact as beta -> 0 when J is
//! symmetric. In a feedforward network d never reaches the hidden layers.

use serde::{Deserialize, Serialize};

use super::{Batch, Common, Estimate, Nudges, Rule, Signal, Traits};
use crate::Result;
use crate::arithmetic::Real;
use crate::system::{Correction, System};

/// The vector-field rule: `vector-field`.
#[derive(Clone, Copy, Debug)]
pub struct VectorField(pub Nudges);

/// The table of `vector-field`: nothing beyond the nudge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFieldTable {}

impl VectorFieldTable {
    pub(super) fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>> {
        Box::new(VectorField(common.nudges))
    }

    pub(super) fn traits(&self) -> Traits {
        Traits::NUDGED
    }
}

impl<T: Real> Rule<T> for VectorField {
    fn name(&self) -> &'static str {
        "vector-field"
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
        let signal = Signal { d: contrast.d, at: free.values.clone() };
        let estimate = Estimate::of_signal(system, batch, free, &contrast.used, signal);
        Ok(Estimate { left: contrast.left, truncated, ..estimate })
    }
}
