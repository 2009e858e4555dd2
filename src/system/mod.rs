//! Systems: machines that relax.
//!
//! A learning rule meets a machine only through [`System`]: it programs parameters, lets the
//! machine settle in some [`Phase`], and reads a [`Measurement`]. Nothing here lets it look inside.
//!
//! # The phases
//! With forces F(v) on nodes v, cost C at the outputs and nudge strength beta,
//!
//! | phase | the machine waits for |
//! |---|---|
//! | free | F(v) = 0 |
//! | nudged | F(v) - beta dC/dv = 0 |
//! | nudged and corrected | F(v) - beta dC/dv - (J - J^T)(v - v0) = 0 |
//! | dyadic | midpoint F(m) = 0, difference J(m)^T d - beta dC/dm = 0 |
//!
//! For additive nodes J - J^T = W - W^T does not depend on the state, so the corrected phase has an
//! exact physical form, *port reversal*: every array is driven through its other ports (W becomes
//! W^T) while the constant current W v0 - W^T v0, measured once at the free steady state, is held
//! ([`System::held_current`]). A machine that cannot be reversed computes the correction from a
//! *digital model* of its weights.

mod activation;
mod cost;
mod instrument;
mod local_product;
mod network;
mod remote;

use std::ops::Range;

use nalgebra::DMatrix;

use crate::arithmetic::Real;
use crate::coupler::{Expense, Parameter, Picture, Quantity, Saturation};
use crate::state::State;
use crate::{Error, Result};

pub use activation::Activation;
pub use cost::Cost;
pub use instrument::SimulatedSystem;
pub use local_product::{GradientPart, LocalProduct};
pub use network::{
    AnalogNetwork, Coupling, CouplingKind, Dynamics, Instruments, Layer, NetworkDescription,
    Relaxation, RelaxationMethod,
};
pub use remote::RemoteSystem;

/// A force -beta dC/dv on the outputs.
#[derive(Clone, Copy, Debug)]
pub struct Nudge<'a, T: Real> {
    /// Nudge strength, of either sign.
    pub beta: T,
    /// The cost C.
    pub cost: Cost,
    /// Its targets, outputs x samples.
    pub targets: &'a DMatrix<T>,
    /// Whether the machine, once measured, lets go of the nudge to see if it returns to its free
    /// steady state: see [`Measurement::left`].
    pub release: bool,
}

/// How the antisymmetric part of the couplings is corrected in a nudged phase.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Correction<'a, T: Real> {
    /// Not at all.
    None,
    /// Arrays driven through their other ports, with the current held that was measured at the free
    /// steady state.
    PortReversal(&'a HeldCurrent<T>),
    /// Arrays as they are, plus the current -(W_m - W_m^T)(v - v0) from what was programmed.
    DigitalModel,
}

/// What the machine does until it settles. Learning phases start from the free steady state.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Phase<'a, T: Real> {
    /// Inference.
    Free,
    /// The outputs are nudged.
    Nudged {
        /// The force on the outputs.
        nudge: Nudge<'a, T>,
        /// The correction of non-reciprocal couplings.
        correction: Correction<'a, T>,
        /// The free steady state of the same inputs.
        free: &'a Measurement<T>,
    },
    /// Two coupled copies of the machine, seen as their midpoint and their difference.
    Dyadic {
        /// The force on the difference.
        nudge: Nudge<'a, T>,
        /// The free steady state of the same inputs.
        free: &'a Measurement<T>,
    },
}

/// What instruments say of a batch at the end of a phase.
#[derive(Clone, Debug)]
pub struct Measurement<T: Real> {
    /// Node values (midpoints in the dyadic phase), nodes x samples.
    pub values: DMatrix<T>,
    /// Differences of the two copies, nodes x samples; the dyadic phase alone has them.
    pub difference: Option<DMatrix<T>>,
    /// Whether each sample had settled when it was read.
    pub settled: Vec<bool>,
    /// Whether the phase was to last so many steps and no longer: samples that had not settled are
    /// used all the same, and counted as truncated.
    pub truncated: bool,
    /// Samples that did not return to their free steady state when the nudge was released, and so
    /// do not count as settled; empty where nobody looked.
    pub left: Vec<bool>,
    /// How many relaxation steps each sample took.
    pub steps: Vec<usize>,
    /// Where learning phases of a simulated machine start; none after other phases, and none of a
    /// machine that remembers its own free state. Not for rules.
    pub start: Option<Start<T>>,
}

impl<T: Real> Measurement<T> {
    /// A measurement of `values`, nodes x samples, all settled in one step.
    pub fn settled(values: DMatrix<T>) -> Self {
        let samples = values.ncols();
        Self {
            values,
            difference: None,
            settled: vec![true; samples],
            truncated: false,
            left: Vec::new(),
            steps: vec![1; samples],
            start: None,
        }
    }

    /// How many samples left their basin in this measurement or in `other`.
    pub fn left_with(&self, other: &Self) -> usize {
        let left = |of: &Self, sample: usize| of.left.get(sample).is_some_and(|left| *left);
        (0..self.settled.len()).filter(|s| left(self, *s) || left(other, *s)).count()
    }

    /// Whether a sample's values are to be used: it had settled, or was not to.
    pub fn is_used(&self, sample: usize) -> bool {
        self.settled[sample] || self.truncated
    }

    /// The samples that are to be used.
    pub fn used(&self) -> Vec<bool> {
        (0..self.settled.len()).map(|sample| self.is_used(sample)).collect()
    }

    /// The samples that are to be used of this measurement and of `other`.
    pub fn used_with(&self, other: &Self) -> Vec<bool> {
        (0..self.settled.len()).map(|s| self.is_used(s) && other.is_used(s)).collect()
    }

    /// Whether a sample is used without having settled.
    pub fn is_truncated(&self, sample: usize) -> bool {
        self.truncated && !self.settled[sample]
    }

    /// The samples that are used of this measurement or of `other` without having settled.
    pub fn truncated_with(&self, other: &Self) -> Vec<bool> {
        (0..self.settled.len()).map(|s| self.is_truncated(s) || other.is_truncated(s)).collect()
    }
}

/// The free steady state of a simulated machine, where its learning phases start.
#[derive(Clone, Debug)]
pub struct Start<T: Real> {
    /// States u or s, nodes x samples.
    pub state: DMatrix<T>,
    /// Constant currents of inputs and biases, nodes x samples.
    pub constant: DMatrix<T>,
}

/// The smallest forces on a node that a machine's steady states tell from none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// The force below which a node is taken to be at rest.
    pub tolerance: f64,
    /// The standard deviation of noise in a force, as one measurement of a sample averages it.
    pub noise: f64,
}

impl Resolution {
    /// How many standard deviations of a measured force, or of what it does to a node, may show at rest.
    pub const MARGIN: f64 = 8.0;

    /// Why a `force` on the nodes of each of `samples` samples is lost, if it is.
    pub fn loses(&self, force: f64, samples: usize) -> Option<String> {
        let Self { tolerance, noise } = *self;
        if force < 2.0 * tolerance {
            return Some(format!(
                "nodes are taken to be at rest at forces of {tolerance:.1e}, so that it is lost in \
                 relaxation.tolerance; expected a larger nudge or a smaller tolerance"
            ));
        }
        let averaged = noise / (samples as f64).sqrt();
        (force < averaged).then(|| {
            format!(
                "noise is {noise:.1e} in each of {samples} samples, so that an update sees mostly \
                 noise; expected a larger nudge, more measurement.samples or larger batches"
            )
        })
    }
}

/// The current W v0 - W^T v0, nodes x samples.
#[derive(Clone, Debug)]
pub struct HeldCurrent<T: Real>(pub DMatrix<T>);

/// A gradient: one matrix a parameter, in the order of [`System::parameters`].
pub type Gradient<T> = Vec<DMatrix<T>>;

/// A machine that relaxes, seen through its instruments.
///
/// Batches are matrices with one column a sample. Node rows are the free nodes, layer by layer;
/// inputs are not among them.
pub trait System<T: Real>: Send {
    /// What it is, in a few words: what reports and summaries call it.
    fn describe(&self) -> String;

    /// Number of driven inputs.
    fn inputs(&self) -> usize;

    /// The rows of a measurement that are outputs.
    fn outputs(&self) -> Range<usize>;

    /// What can be programmed, with the values last programmed.
    fn parameters(&self) -> Vec<Parameter<T>>;

    /// Programs new values, in the order and shapes of [`parameters`](Self::parameters). Where the
    /// hardware is the only memory of them, it leaves in `values` what it holds now.
    ///
    /// # Errors
    /// When the number or the shape of the values differs, or the hardware cannot take them.
    fn program(&mut self, values: &mut [DMatrix<T>]) -> Result<()>;

    /// Drives `inputs` (inputs x samples), waits for the steady state of `phase` and measures it.
    ///
    /// # Errors
    /// When a shape does not fit the machine, an instrument fails, or the machine has no such
    /// phase: [`no_such_phase`].
    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>>;

    /// At the free steady state `free` of `inputs`: drives every array both ways and measures
    /// W v0 - W^T v0.
    ///
    /// # Errors
    /// When a shape does not fit the machine, an instrument fails, or the machine cannot be driven
    /// backwards, as is the case unless it says otherwise.
    fn held_current(
        &mut self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
    ) -> Result<HeldCurrent<T>> {
        let _ = (inputs, free);
        Err(no_such_phase(&self.describe(), "be driven through its other ports"))
    }

    /// The gradient, summed over samples, that a post-synaptic signal `d` (nodes x samples) makes
    /// at node values `at` (nodes x samples): -d dF/dtheta. Arithmetic on measured numbers; it
    /// needs no knowledge of W.
    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: DMatrix<T>,
        at: DMatrix<T>,
    ) -> LocalProduct<'a, T>;

    /// What a laboratory would have spent on this machine so far.
    fn expense(&self) -> Expense;

    /// Counters and physical state beyond the parameters, for checkpoints.
    fn state(&self) -> State<T>;

    /// Puts back what [`state`](Self::state) gave, after the same parameters were programmed.
    ///
    /// # Errors
    /// When the state belongs to another machine.
    fn restore(&mut self, state: &State<T>) -> Result<()>;

    /// The yardstick: this machine's free steady state of `inputs` without noise, and the adjoint a
    /// of J^T a = dC/dv there, nodes x samples. None where there is no model,
    /// as in a laboratory. No rule but the adjoint asks.
    ///
    /// # Errors
    /// When J is singular: the steady state is marginal and no gradient exists.
    fn adjoint(
        &self,
        inputs: &DMatrix<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<Option<(Measurement<T>, DMatrix<T>)>> {
        let _ = (inputs, cost, targets);
        Ok(None)
    }

    /// The yardstick's gradient, summed over samples, from the adjoint `a` (nodes x samples) at node
    /// values `at` (nodes x samples): -a dF/dtheta by the parameters as they are programmed. What
    /// [`local_product`](Self::local_product) gives, unless the machine says otherwise. No rule but
    /// the adjoint asks.
    ///
    /// # Errors
    /// When an instrument fails.
    fn exact_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        a: DMatrix<T>,
        at: DMatrix<T>,
    ) -> Result<LocalProduct<'a, T>> {
        Ok(self.local_product(inputs, a, at))
    }

    /// What the yardstick's gradient is a derivative by, in words.
    fn derivative_by(&self) -> String {
        "its parameters".into()
    }

    /// Whether an instrument does its work that may be lost at any moment. What it has learnt is then
    /// kept after every update.
    fn is_in_a_laboratory(&self) -> bool {
        false
    }

    /// The largest relative difference between an array's effective matrix and what it should have
    /// been; see [`Coupler::staleness`](crate::coupler::Coupler::staleness).
    fn staleness(&self) -> f64 {
        0.0
    }

    /// Readings so far of the instruments that have a limit, and how many were at it.
    fn saturation(&self) -> Vec<Saturation> {
        Vec::new()
    }

    /// How far the couplings between nodes are from reciprocal, as they were asked for:
    /// |W - W^T| / |W + W^T| in Frobenius norms, 0 for reciprocal and 1 for feedforward machines;
    /// nothing where a laboratory cannot tell.
    fn non_reciprocity(&self) -> Option<f64> {
        None
    }

    /// The smallest forces that its steady states tell from none; none where nobody can say.
    fn resolution(&self) -> Option<Resolution> {
        None
    }

    /// How long a phase may take, and what to change where samples do not settle, for errors.
    fn patience(&self) -> String {
        "within the time that the machine allows".into()
    }

    /// What the hardware holds beyond its parameters, as numbers for histograms, each with the name
    /// of its array.
    fn quantities(&self) -> Vec<(String, Quantity)> {
        Vec::new()
    }

    /// What the hardware shows, as pictures for reports.
    ///
    /// # Errors
    /// When a picture cannot be worked out.
    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(Vec::new())
    }
}

/// The error of a `machine` that cannot do what a rule asks of it, for example "couple two copies".
pub fn no_such_phase(machine: &str, what: &str) -> Error {
    Error::input(format!("this machine ({machine}) cannot {what}: choose another learning.rule"))
}
