//! What a rule learns from in one update, and what it learned.

use nalgebra::DMatrix;

use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::system::{Cost, Gradient, LocalProduct, Measurement, Nudge, Phase, System};

/// What a rule learns from in one update.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T: Real> {
    /// Inputs x samples.
    pub inputs: &'a DMatrix<T>,
    /// Outputs x samples.
    pub targets: &'a DMatrix<T>,
    /// The cost of outputs against targets.
    pub cost: Cost,
    /// The number of the update; names the random streams of rules that need any.
    pub update: u64,
}

impl<'a, T: Real> Batch<'a, T> {
    /// The force -beta dC/dv of this batch.
    pub fn nudge(&self, beta: f64) -> Nudge<'a, T> {
        Nudge { beta: T::of(beta), cost: self.cost, targets: self.targets, release: false }
    }

    /// The cost of each sample at the `measured` values of `system`.
    pub fn costs(&self, system: &dyn System<T>, measured: &Measurement<T>) -> Vec<T> {
        let outputs = measured.values.rows_range(system.outputs()).into_owned();
        let each = outputs.column_iter().zip(self.targets.column_iter());
        each.map(|(v, y)| self.cost.value(v.as_slice(), y.as_slice())).collect()
    }

    /// Lets `system` infer.
    ///
    /// # Errors
    /// When the machine does not take the batch.
    pub fn infer(&self, system: &mut dyn System<T>) -> Result<Measurement<T>> {
        system.settle(self.inputs, &Phase::Free)
    }
}

/// What a rule learned from a machine.
#[derive(Debug)]
pub struct Estimate<'a, T: Real> {
    /// The gradient of the mean cost over the samples that settled in every phase, or were not to,
    /// as it is or by its factors.
    pub gradient: LocalProduct<'a, T>,
    /// The free phase.
    pub free: Measurement<T>,
    /// How many samples did not settle in some phase, or did not return from it, and took no part.
    pub unsettled: usize,
    /// How many of them a nudge pushed out of the basin of their free steady state, as far as
    /// anybody looked.
    pub left: usize,
    /// How many took part though a phase was over before they had settled.
    pub truncated: usize,
}

impl<'a, T: Real> Estimate<'a, T> {
    /// The gradient itself, the mean over the samples that are `used`.
    pub fn of_gradient(gradient: Gradient<T>, free: Measurement<T>, used: &[bool]) -> Self {
        Self { gradient: gradient.into(), free, unsettled: unsettled(used), left: 0, truncated: 0 }
    }

    /// The mean over the samples that are `used` of the local products of a post-synaptic signal
    /// `d` at the node values `at`, both nodes x samples.
    pub fn of_signal(
        system: &dyn System<T>,
        batch: &Batch<'a, T>,
        free: Measurement<T>,
        used: &[bool],
        signal: Signal<T>,
    ) -> Self {
        let Signal { d, at } = signal.mean_over(used);
        let gradient = system.local_product(batch.inputs, d, at);
        Self { gradient, free, unsettled: unsettled(used), left: 0, truncated: 0 }
    }

    /// The same of the adjoint, through all that stands between parameters and currents, at its
    /// free steady state.
    ///
    /// # Errors
    /// When an instrument fails.
    pub(super) fn of_adjoint(
        system: &dyn System<T>,
        batch: &Batch<'a, T>,
        free: Measurement<T>,
        a: DMatrix<T>,
    ) -> Result<Self> {
        let signal = Signal { d: a, at: free.values.clone() };
        let Signal { d, at } = signal.mean_over(&free.settled);
        let gradient = system.exact_product(batch.inputs, d, at)?;
        let unsettled = unsettled(&free.settled);
        Ok(Self { gradient, free, unsettled, left: 0, truncated: 0 })
    }
}

/// A post-synaptic signal and the point at which its local product is formed, both nodes x samples.
#[derive(Clone, Debug)]
pub struct Signal<T: Real> {
    /// The signal, an estimate of the adjoint a.
    pub d: DMatrix<T>,
    /// The node values.
    pub at: DMatrix<T>,
}

impl<T: Real> Signal<T> {
    /// Such that a sum over all samples is the mean over those that are `used`.
    fn mean_over(mut self, used: &[bool]) -> Self {
        let count = used.len() - unsettled(used);
        simd::scale(self.d.as_mut_slice(), T::one() / T::of(count.max(1) as f64));
        for (sample, _) in used.iter().enumerate().filter(|(_, used)| !**used) {
            self.d.column_mut(sample).fill(T::zero());
            self.at.column_mut(sample).fill(T::zero());
        }
        self
    }
}

/// Drops the samples that are not used in `others`.
pub(super) fn keep(used: &mut [bool], others: &[bool]) {
    used.iter_mut().zip(others).for_each(|(own, other)| *own &= *other);
}

/// How many samples are used though they are `truncated`.
pub(super) fn count_truncated(used: &[bool], truncated: &[bool]) -> usize {
    used.iter().zip(truncated).filter(|(used, truncated)| **used && **truncated).count()
}

fn unsettled(used: &[bool]) -> usize {
    used.iter().filter(|used| !**used).count()
}
