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
//! measure. A rule of one's own implements [`Rule`]; to be chosen by name in an experiment it has a
//! table and a line in the list of [`RuleChoice`].

mod adjoint;
mod asym_ep;
mod batch;
mod dyadic_ep;
mod ep;
mod fidelity;
mod finite_differences;
mod nudges;
mod spsa;
mod vector_field;

use crate::arithmetic::Real;
use crate::coupler::{Domain, Parameter};
use crate::quantity::choice::choices;
use crate::system::{Gradient, System};
use crate::{Error, Result};

pub use adjoint::Adjoint;
pub use asym_ep::{AsymEp, AsymEpTable, CorrectionMethod};
pub use batch::{Batch, Estimate, Signal};
pub use dyadic_ep::{DyadicEp, DyadicEpTable};
pub use ep::{EpTable, EquilibriumPropagation};
pub use fidelity::{Fidelity, fidelity};
pub use finite_differences::FiniteDifferences;
pub use nudges::{Contrast, Nudges, Nudging};
pub use spsa::{Spsa, SpsaTable};
pub use vector_field::{VectorField, VectorFieldTable};

/// A learning rule.
pub trait Rule<T: Real>: Send + Sync {
    /// The name in configurations and results.
    fn name(&self) -> &'static str;

    /// The strength of its nudge; none of a rule that does not nudge, or does not say.
    fn nudge(&self) -> Option<f64> {
        None
    }

    /// Lets the machine settle as often as the rule needs, compares, and estimates the gradient of
    /// the mean cost of `batch`.
    ///
    /// # Errors
    /// When the machine does not take the batch, or cannot do what the rule needs.
    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>>;

    /// The gradient of [`estimate`](Self::estimate), worked out.
    ///
    /// # Errors
    /// Those of [`estimate`](Self::estimate).
    fn gradient(&self, system: &mut dyn System<T>, batch: &Batch<T>) -> Result<Gradient<T>> {
        Ok(self.estimate(system, batch)?.gradient.whole())
    }
}

/// What rules are made with that is not theirs alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Common {
    /// Nudge strength and sides, for rules that nudge.
    pub nudges: Nudges,
    /// Names the random streams of rules that need any.
    pub seed: u64,
}

/// Checks that the parameters of a machine can be moved a little, as `rule` does.
fn expect_movable<T: Real>(rule: &str, parameters: &[Parameter<T>]) -> Result<()> {
    match parameters.iter().find(|parameter| parameter.domain == Domain::Binary) {
        None => Ok(()),
        Some(binary) => Err(Error::input(format!(
            "{rule}: {} are binary and cannot be perturbed a little",
            binary.name
        ))),
    }
}

/// What is known of a rule before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Whether it nudges, so that the nudge's strength matters.
    pub nudges: bool,
    /// Whether it compares states on the sides that `nudging` names.
    pub compares_sides: bool,
    /// Whether it moves parameters a little, as binary ones cannot be.
    pub moves_parameters: bool,
    /// Whether it trains pairs W_ij = W_ji as one.
    pub ties_pairs: bool,
    /// Whether it settles the machine as often as there are parameters.
    pub settles_often: bool,
    /// What a laboratory does, in the words of a protocol: v0 is the free steady state, d the contrast of
    /// nudged ones, m their mean; it ends with what stands for d and v in the local product -d_i v_j.
    pub protocol: &'static str,
}

impl Traits {
    /// A rule that nudges.
    const NUDGED: Self = Self {
        nudges: true,
        compares_sides: true,
        moves_parameters: false,
        ties_pairs: false,
        settles_often: false,
        protocol: "v = v0",
    };
}

choices! {
    /// A rule by its name, with its table.
    pub enum RuleChoice {
        /// Equilibrium Propagation.
        "ep" => Ep(EpTable),
        /// The vector-field rule.
        "vector-field" => VectorField(VectorFieldTable),
        /// AsymEP.
        "asym-ep" => AsymEp(AsymEpTable),
        /// Dyadic EP.
        "dyadic-ep" => DyadicEp(DyadicEpTable),
        /// The exact gradient, from the model.
        "adjoint" => Adjoint(Adjoint),
        /// The machine's own gradient, by brute force.
        "finite-differences" => FiniteDifferences(FiniteDifferences),
        /// Simultaneous perturbation.
        "spsa" => Spsa(SpsaTable),
    }
    forward {
        /// The rule itself.
        pub fn rule<T: Real>(&self, common: Common) -> Box<dyn Rule<T>>;
        /// What is known of it.
        pub fn traits(&self) -> Traits;
    }
}
