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

mod adjoint;
mod cost;
mod instruments;
mod laboratory;
mod lane;
mod layer_by_layer;
mod local_product;
mod network;
mod node;
mod relaxation;

use std::ops::Range;

use nalgebra::DMatrix;

use crate::Result;
use crate::arithmetic::real::Real;
use crate::coupler::{Expense, Parameter};

pub use cost::Cost;
pub use instruments::Instruments;
pub use local_product::LocalProduct;
pub use network::{AnalogNetwork, Coupling, CouplingKind, Layer, NetworkDescription};
pub use node::{Activation, Dynamics};
pub use relaxation::{Relaxation, RelaxationMethod};

/// A force -beta dC/dv on the outputs.
#[derive(Clone, Copy, Debug)]
pub struct Nudge<'a, T: Real> {
    /// Nudge strength, of either sign.
    pub beta: T,
    /// The cost C.
    pub cost: Cost,
    /// Its targets, outputs x samples.
    pub targets: &'a DMatrix<T>,
}

/// How the antisymmetric part of the couplings is corrected in a nudged phase.
#[derive(Clone, Copy, Debug)]
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
    /// How many relaxation steps each sample took.
    pub steps: Vec<usize>,
    rest: Rest<T>,
}

impl<T: Real> Measurement<T> {
    /// A measurement made elsewhere, by instruments of a machine that remembers its own free state.
    pub fn new(
        values: DMatrix<T>,
        difference: Option<DMatrix<T>>,
        settled: Vec<bool>,
        steps: Vec<usize>,
    ) -> Self {
        Self { values, difference, settled, steps, rest: Rest::new(0, 0) }
    }
}

/// Where a simulated machine rests: the handle by which a learning phase starts from the free
/// steady state. Not for rules.
#[derive(Clone, Debug)]
struct Rest<T: Real> {
    /// States u or s of the free steady state, nodes x samples; empty after other phases.
    state: DMatrix<T>,
    /// Constant currents of inputs and biases, as `state`.
    held: DMatrix<T>,
}

impl<T: Real> Rest<T> {
    fn new(nodes: usize, samples: usize) -> Self {
        Self { state: DMatrix::zeros(nodes, samples), held: DMatrix::zeros(0, 0) }
    }
}

/// The current W v0 - W^T v0, nodes x samples.
#[derive(Clone, Debug)]
pub struct HeldCurrent<T: Real>(pub DMatrix<T>);

/// Counters and physical state of a machine, for checkpoints.
#[derive(Clone, Debug, Default)]
pub struct MachineState<T: Real> {
    /// Named physical state beyond the parameters.
    pub tensors: Vec<(String, DMatrix<T>)>,
    /// The machine's clocks and counters.
    pub counters: Vec<u64>,
}

/// A gradient: one matrix a parameter, in the order of [`System::parameters`].
pub type Gradient<T> = Vec<DMatrix<T>>;

/// A machine that relaxes, seen through its instruments.
///
/// Batches are matrices with one column a sample. Node rows are the free nodes, layer by layer;
/// inputs are not among them.
pub trait System<T: Real> {
    /// Number of driven inputs.
    fn inputs(&self) -> usize;

    /// The rows of a measurement that are outputs.
    fn outputs(&self) -> Range<usize>;

    /// What can be programmed, with the values last programmed.
    fn parameters(&self) -> Vec<Parameter<T>>;

    /// Programs new values, in the order and shapes of [`parameters`](Self::parameters).
    ///
    /// # Errors
    /// When the number or the shape of the values differs, or the hardware cannot take them.
    fn program(&mut self, values: &[DMatrix<T>]) -> Result<()>;

    /// Replaces `values` that were programmed by what the hardware holds, where it is the only
    /// memory of them.
    fn read_back(&self, values: &mut [DMatrix<T>]) {
        let _ = values;
    }

    /// The largest relative difference between an array's effective matrix and what it should have
    /// been; see [`Coupler::staleness`](crate::coupler::Coupler::staleness).
    fn staleness(&self) -> f64 {
        0.0
    }

    /// How far the couplings between nodes are from reciprocal, as they were asked for: |W - W^T| /
    /// |W + W^T| in Frobenius norms, 0 for reciprocal and 1 for feedforward machines; nothing where
    /// a laboratory cannot tell.
    fn non_reciprocity(&self) -> Option<f64> {
        None
    }

    /// Drives `inputs` (inputs x samples), waits for the steady state of `phase` and measures it.
    ///
    /// # Errors
    /// When a shape does not fit the machine.
    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>>;

    /// At the free steady state `free` of `inputs`: drives every array both ways and measures W v0
    /// - W^T v0.
    ///
    /// # Errors
    /// When a shape does not fit the machine.
    fn held_current(
        &mut self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
    ) -> Result<HeldCurrent<T>>;

    /// The gradient, summed over samples, that a post-synaptic signal `d` (nodes x samples) makes
    /// at node values `at` (nodes x samples): -d dF/dtheta. Arithmetic on measured numbers; it
    /// needs no knowledge of W.
    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: &'a DMatrix<T>,
        at: &'a DMatrix<T>,
    ) -> LocalProduct<'a, T>;

    /// What a laboratory would have spent on this machine so far.
    fn expense(&self) -> Expense;

    /// Counters and physical state beyond the parameters.
    fn state(&self) -> MachineState<T> {
        MachineState::default()
    }

    /// Puts back what [`state`](Self::state) gave, after the same parameters were programmed.
    ///
    /// # Errors
    /// When the state belongs to another machine.
    fn restore(&mut self, state: &MachineState<T>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// An exact, noise-free model of this machine; a laboratory has none. Only the adjoint
    /// yardstick asks for it.
    fn twin(&self) -> Option<AnalogNetwork<T>> {
        None
    }
}
