//! The vector-field rule (Scellier, Goyal, Binas, Mesnard & Bengio 2018, arXiv 1808.04873).
//!
//! ```text
//! F(v+-) -+ beta dC/dv = 0,      d = (v+ - v-) / 2 beta,      dC/dW ~ -d v0^T
//! ```
//!
//! d solves J d = dC/dv, where the gradient wants J^T a = dC/dv: exact as beta -> 0 when J is
//! symmetric. In a feedforward network d never reaches the hidden layers.

use super::{Batch, Nudges, Rule, Signal};
use crate::Result;
use crate::arithmetic::real::Real;
use crate::system::{Correction, Phase, System};

/// The vector-field rule: `vector-field`.
#[derive(Clone, Copy, Debug)]
pub struct VectorField(pub Nudges);

impl<T: Real> Rule<T> for VectorField {
    fn name(&self) -> &'static str {
        "vector-field"
    }

    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>> {
        let free = system.settle(batch.inputs, &Phase::Free)?;
        let contrast = self.0.contrast(system, batch, &free, Correction::None)?;
        Ok(Signal::local(contrast.d, free.values.clone(), free, &contrast.settled))
    }
}
