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

use super::{Batch, Common, Estimate, Nudges, Rule, Signal, Traits};
use crate::Result;
use crate::arithmetic::Real;
use crate::system::{Correction, System};

/// How the machine realises the correction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorrectionMethod {
    /// Arrays driven through their other ports, with a held current.
    #[default]
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

/// The table `[learning.rule.asym-ep]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AsymEpTable {
    /// How the correction is realised.
    pub correction: CorrectionMethod,
}

impl AsymEpTable {
    pub(super) fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>> {
        Box::new(AsymEp { nudges: common.nudges, correction: self.correction })
    }

    pub(super) fn traits(&self) -> Traits {
        let protocol = match self.correction {
            CorrectionMethod::PortReversal => {
                "At v0 read every array both ways, h = W v0 - W^T v0. In the nudged phases arrays are read through their other \
                 ports (W^T) and h is added to the currents; v = v0"
            }
            CorrectionMethod::DigitalModel => {
                "In the nudged phases -(W - W^T) (v - v0), of the W that was programmed, is added to the currents; v = v0"
            }
        };
        Traits { protocol, ..Traits::NUDGED }
    }
}

impl<T: Real> Rule<T> for AsymEp {
    fn name(&self) -> &'static str {
        "asym-ep"
    }

    fn nudge(&self) -> Option<f64> {
        Some(self.nudges.beta)
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let free = batch.infer(system)?;
        let held;
        let correction = match self.correction {
            CorrectionMethod::PortReversal => {
                held = system.held_current(batch.inputs, &free)?;
                Correction::PortReversal(&held)
            }
            CorrectionMethod::DigitalModel => Correction::DigitalModel,
        };
        let contrast = self.nudges.contrast(system, batch, &free, correction)?;
        let truncated = contrast.truncated();
        let signal = Signal { d: contrast.d, at: free.values.clone() };
        let estimate = Estimate::of_signal(system, batch, free, &contrast.used, signal);
        Ok(Estimate { left: contrast.left, truncated, ..estimate })
    }
}
