//! The adjoint: the exact gradient of the machine as it is, noise apart.
//!
//! ```text
//! J^T a = dC/dv,      dC/dtheta = -a . dF/dtheta
//! ```
//!
//! The one rule that looks inside the machine. It is the yardstick of the others, never a
//! laboratory's method.

use serde::{Deserialize, Serialize};

use super::{Batch, Common, Estimate, Rule, Traits};
use crate::arithmetic::Real;
use crate::system::System;
use crate::{Error, Result};

/// The exact gradient of the machine without noise: `adjoint`, and its table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjoint {}

impl Adjoint {
    pub(super) fn rule<T: Real>(&self, _: Common) -> Box<dyn Rule<T>> {
        Box::new(self.clone())
    }

    pub(super) fn traits(&self) -> Traits {
        Traits {
            nudges: false,
            compares_sides: false,
            protocol: "d is the solution of J^T d = dC/dv of the model at v0, no measurement; v = v0",
            ..Traits::NUDGED
        }
    }
}

impl<T: Real> Rule<T> for Adjoint {
    fn name(&self) -> &'static str {
        "adjoint"
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let solved = system.adjoint(batch.inputs, batch.cost, batch.targets)?;
        let (free, a) = solved.ok_or_else(|| {
            let machine = system.describe();
            Error::input(format!(
                "the adjoint rule needs a model of the machine, and {machine} has none"
            ))
        })?;
        Estimate::of_adjoint(system, batch, free, a)
    }
}
