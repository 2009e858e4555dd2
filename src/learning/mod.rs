//! Learning rules: from measurements to a gradient.
//!
//! The gradient of a cost at a steady state F(v0) = 0 is dC/dtheta = -a . dF/dtheta with J^T a =
//! dC/dv. Every rule estimates the adjoint a by settling again and comparing measurements, and
//! forms the same local product at some point:
//!
//! | rule | learning phase | a is | local product at |
//! |---|---|---|---|
//! | [`EquilibriumPropagation`] | nudged | dv/beta | the midpoint |
//! | [`VectorField`] | nudged | dv/beta | v0 |
//! | [`AsymEp`] | nudged and corrected | dv/beta | v0 |
//! | [`DyadicEp`] | dyadic | difference/beta | the midpoint copy |
//! | [`Adjoint`] | none | solved from the model | v0 |
//! | [`Spsa`] | parameters perturbed | | |
//!
//! One rule a file. None but the adjoint asks the machine for anything that a laboratory could not
//! measure.

mod adjoint;
mod asym_ep;
mod dyadic_ep;
mod ep;
mod fidelity;
mod spsa;
mod vector_field;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arithmetic::real::Real;
use crate::arithmetic::simd::{self, vectorised};
use crate::system::{Correction, Cost, Gradient, LocalProduct, Measurement, Nudge, Phase, System};

pub use adjoint::Adjoint;
pub use asym_ep::{AsymEp, CorrectionMethod};
pub use dyadic_ep::DyadicEp;
pub use ep::EquilibriumPropagation;
pub use fidelity::{Fidelity, fidelity};
pub use spsa::Spsa;
pub use vector_field::VectorField;

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
    fn nudge(&self, beta: f64) -> Nudge<'a, T> {
        Nudge { beta: T::of(beta), cost: self.cost, targets: self.targets }
    }
}

/// What a rule learned from a machine.
#[derive(Clone, Debug)]
pub struct Signal<T: Real> {
    /// Where the mean gradient is, over the samples that settled in every phase.
    pub form: Form<T>,
    /// The free phase.
    pub free: Measurement<T>,
    /// How many samples did not settle in some phase and took no part.
    pub unsettled: usize,
}

/// A gradient, or what it is the local product of.
#[derive(Clone, Debug)]
pub enum Form<T: Real> {
    /// The gradient itself.
    Gradient(Gradient<T>),
    /// A post-synaptic signal d and the node values at which its local product is formed, both
    /// nodes x samples.
    Local {
        /// The signal, divided by the number of samples.
        d: DMatrix<T>,
        /// The node values.
        at: DMatrix<T>,
    },
}

impl<T: Real> Signal<T> {
    fn new(form: Form<T>, free: Measurement<T>, settled: &[bool]) -> Self {
        let unsettled = settled.iter().filter(|settled| !**settled).count();
        Self { form, free, unsettled }
    }

    /// The mean of the local products of `d` at `at` over the settled samples.
    fn local(
        mut d: DMatrix<T>,
        mut at: DMatrix<T>,
        free: Measurement<T>,
        settled: &[bool],
    ) -> Self {
        let used = settled.iter().filter(|settled| **settled).count();
        simd::scale(d.as_mut_slice(), T::one() / T::of(used.max(1) as f64));
        for (sample, _) in settled.iter().enumerate().filter(|(_, settled)| !**settled) {
            d.column_mut(sample).fill(T::zero());
            at.column_mut(sample).fill(T::zero());
        }
        Self::new(Form::Local { d, at }, free, settled)
    }

    /// The gradient that this signal makes on `system`, which was driven by `inputs`.
    pub fn product<'a>(
        &'a self,
        system: &dyn System<T>,
        inputs: &'a DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        match &self.form {
            Form::Gradient(gradient) => LocalProduct::of(gradient),
            Form::Local { d, at } => system.local_product(inputs, d, at),
        }
    }
}

/// A [`Signal`] with its gradient worked out.
#[derive(Clone, Debug)]
pub struct Estimate<T: Real> {
    /// The mean gradient over the samples that settled in every phase.
    pub gradient: Gradient<T>,
    /// The free phase.
    pub free: Measurement<T>,
    /// How many samples did not settle in some phase and took no part.
    pub unsettled: usize,
}

/// A learning rule.
pub trait Rule<T: Real>: Send + Sync {
    /// The name in configurations and results.
    fn name(&self) -> &'static str;

    /// Lets the machine settle as often as the rule needs, and compares.
    ///
    /// # Errors
    /// When the machine does not take the batch, or cannot do what the rule needs.
    fn signal(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Signal<T>>;

    /// Estimates the gradient of the mean cost of `batch`.
    ///
    /// # Errors
    /// Those of [`signal`](Self::signal).
    fn gradient(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Estimate<T>> {
        let signal = self.signal(system, batch)?;
        let gradient = signal.product(system, batch.inputs).whole();
        Ok(Estimate { gradient, free: signal.free, unsettled: signal.unsettled })
    }
}

/// On which sides of the free steady state the machine is nudged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nudging {
    /// +beta and -beta: d = (v+ - v-) / 2 beta, bias O(beta^2).
    Centred,
    /// +beta alone (beta may be negative): d = (v+ - v0) / beta, bias O(beta).
    OneSided,
    /// +-beta/2 and +-beta: the centred d of each, extrapolated to no nudge, d = (4 d(beta/2) -
    /// d(beta)) / 3. Bias O(beta^4), for twice the nudged phases and 2.7 times the noise.
    FourPoint,
}

/// Nudge strength and sides: what every nudged rule is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nudges {
    /// Nudge strength, not 0.
    pub beta: f64,
    /// The sides.
    pub nudging: Nudging,
}

/// The comparison of nudged steady states, both nodes x samples.
struct Contrast<T: Real> {
    /// dv/dbeta.
    d: DMatrix<T>,
    /// The mean of the compared states.
    midpoint: DMatrix<T>,
    /// Samples that settled in every phase.
    settled: Vec<bool>,
}

impl<T: Real> Contrast<T> {
    /// Compares two states that `nudge` lies between.
    fn between(plus: Measurement<T>, minus: Measurement<T>, nudge: f64) -> Self {
        let (mut d, mut midpoint) = (plus.values, minus.values);
        compare(d.as_mut_slice(), midpoint.as_mut_slice(), T::of(1.0 / nudge));
        let settled =
            plus.settled.iter().zip(&minus.settled).map(|(plus, minus)| *plus && *minus).collect();
        Self { d, midpoint, settled }
    }

    /// What this and the contrast at `twice` the nudge say of none (Richardson): errors of second
    /// order cancel.
    fn extrapolated(mut self, twice: &Self) -> Self {
        for (this, twice) in [(&mut self.d, &twice.d), (&mut self.midpoint, &twice.midpoint)] {
            simd::scale(this.as_mut_slice(), T::of(4.0 / 3.0));
            simd::add_scaled(this.as_mut_slice(), T::of(-1.0 / 3.0), twice.as_slice());
        }
        self.settled.iter_mut().zip(&twice.settled).for_each(|(settled, twice)| *settled &= *twice);
        self
    }
}

vectorised! {
    /// Replaces two states by their difference, scaled, and their mean.
    fn compare<T: Real>(plus: &mut [T], minus: &mut [T], scale: T) {
        for (plus, minus) in plus.iter_mut().zip(minus) {
            (*plus, *minus) = ((*plus - *minus) * scale, (*plus + *minus) * T::of(0.5));
        }
    }
}

impl Nudges {
    /// Settles the nudged phases and compares them.
    fn contrast<T: Real>(
        self,
        system: &mut dyn System<T>,
        batch: &Batch<T>,
        free: &Measurement<T>,
        correction: Correction<T>,
    ) -> Result<Contrast<T>> {
        let mut nudged = |beta| {
            system
                .settle(batch.inputs, &Phase::Nudged { nudge: batch.nudge(beta), correction, free })
        };
        let mut centred = |beta| Ok(Contrast::between(nudged(beta)?, nudged(-beta)?, 2.0 * beta));
        let mut contrast = match self.nudging {
            Nudging::Centred => centred(self.beta)?,
            Nudging::FourPoint => centred(self.beta / 2.0)?.extrapolated(&centred(self.beta)?),
            Nudging::OneSided => Contrast::between(nudged(self.beta)?, free.clone(), self.beta),
        };
        contrast
            .settled
            .iter_mut()
            .zip(&free.settled)
            .for_each(|(settled, free)| *settled &= *free);
        Ok(contrast)
    }
}
