//! Dyadic EP (arXiv 2602.03670).
//!
//! ```text
//! two coupled copies:   m' = F(m),   d' = J(m)^T d - beta dC/dm,      dC/dW = -(d / beta) m^T
//! ```
//!
//! The midpoint m of the copies settles where the free machine does, their difference d solves beta
//! dC/dm = J^T d: exact for any couplings, and linear in beta, so a large nudge costs no bias.
//!
//! The laboratory that is simulated has two sets of nodes, z = m +- d/2, and one of each array, which
//! serves them in turn. A step reads every array three times: forward at the midpoint (the mean of
//! the two sets on its lines), then through its other ports at +d/2 for one copy and at -d/2 for the
//! other. Both copies meet the same cells, gains and offsets, so offsets cancel in the difference of
//! the two reads; their noise does not, and counts twice. (Two arrays a coupling would be faster, and
//! their offsets and errors of programming would differ: a difference of the machine's own, that no
//! subtraction takes away.)

use serde::{Deserialize, Serialize};

use super::batch::count_truncated;
use super::{Batch, Common, Estimate, Rule, Signal, Traits};
use crate::Result;
use crate::arithmetic::Real;
use crate::system::{Phase, System, no_such_phase};

/// Dyadic EP: `dyadic-ep`.
#[derive(Clone, Copy, Debug)]
pub struct DyadicEp {
    /// Nudge strength, not 0.
    pub beta: f64,
}

/// The table of `dyadic-ep`: nothing beyond the nudge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DyadicEpTable {}

impl DyadicEpTable {
    pub(super) fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>> {
        Box::new(DyadicEp { beta: common.nudges.beta })
    }

    pub(super) fn traits(&self) -> Traits {
        let protocol = "Two copies of the nodes, m +- d / 2, settle together from v0: m by the F of section 3, d by \
                        J(m)^T d - beta dC/dm, for which every array is read through its other ports at m + d / 2 \
                        and at m - d / 2. d is then divided by beta; v = m";
        Traits { compares_sides: false, protocol, ..Traits::NUDGED }
    }
}

impl<T: Real> Rule<T> for DyadicEp {
    fn name(&self) -> &'static str {
        "dyadic-ep"
    }

    fn nudge(&self) -> Option<f64> {
        Some(self.beta)
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let free = batch.infer(system)?;
        let phase = Phase::Dyadic { nudge: batch.nudge(self.beta), free: &free };
        let mut dyadic = system.settle(batch.inputs, &phase)?;
        let two_copies = || no_such_phase(&system.describe(), "couple two copies of itself");
        let difference = dyadic.difference.take().ok_or_else(two_copies)?;
        let used = free.used_with(&dyadic);
        let truncated = count_truncated(&used, &free.truncated_with(&dyadic));
        let signal = Signal { d: difference / T::of(self.beta), at: dyadic.values };
        let estimate = Estimate::of_signal(system, batch, free, &used, signal);
        Ok(Estimate { truncated, ..estimate })
    }
}
