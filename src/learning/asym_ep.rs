//! AsymEP (arXiv 2602.03670).
//!
//! ```text
//! F(v+-) -+ beta dC/dv - (J - J^T)(v+- - v0) = 0,      d = (v+ - v-) / 2 beta,      dC/dW ~ -d v0^T
//! ```
//!
//! The correction turns J into J^T around the free steady state, so d solves J^T d = dC/dv: exact
//! as beta -> 0 for any couplings. A machine realises it by port reversal, or computes it from a
//! digital model of what was programmed.

use serde::{Deserialize, Serialize};

use super::{Batch, Nudges, Rule, Signal};
use crate::Result;
use crate::arithmetic::real::Real;
use crate::system::{Correction, Phase, System};

/// How the machine realises the correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorrectionMethod {
    /// Arrays driven through their other ports, with a held current.
    PortReversal,
    /// Arrays as they are, with the current -(W_m - W_m^T)(v - v0) from what was programmed.
    DigitalModel,
}

/// AsymEP: `asym-ep`.
#[derive(Clone, Copy, Debug)]
pub struct AsymEp {
    /// Nudge strength and sides.
    pub nudges: Nudges,
    /// How the correction is realised.
    pub correction: CorrectionMethod,
}

impl<T: Real> Rule<T> for AsymEp {
    fn name(&self) -> &'static str {
        "asym-ep"
    }

    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>> {
        let free = system.settle(batch.inputs, &Phase::Free)?;
        let contrast = match self.correction {
            CorrectionMethod::PortReversal => {
                let held = system.held_current(batch.inputs, &free)?;
                self.nudges.contrast(system, batch, &free, Correction::PortReversal(&held))?
            }
            CorrectionMethod::DigitalModel => {
                self.nudges.contrast(system, batch, &free, Correction::DigitalModel)?
            }
        };
        Ok(Signal::local(contrast.d, free.values.clone(), free, &contrast.settled))
    }
}
