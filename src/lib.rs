//! Equilux simulates analog and photonic hardware that learns by Equilibrium Propagation.
//!
//! Spatial photonic Ising machines and resistive crossbars, with their noise, quantisation and
//! non-reciprocal couplings, are machines that *relax*: drive them, wait for the steady state,
//! measure. Equilux trains them the way a laboratory would, and a learning rule never looks where a
//! laboratory could not.
//!
//! # Learning from steady states
//! A machine has nodes with values v and inputs x; its dynamics is a force F(v, x; theta), and
//! inference waits for F(v0) = 0. With J = dF/dv at v0, the gradient of a cost C(v0) is
//!
//! ```text
//! dC/dtheta = -a . dF/dtheta,      J^T a = dC/dv
//! ```
//!
//! The machine itself can solve for the adjoint a: nudge its outputs by -beta dC/dv, let it settle
//! again, and compare. That solves J d = dC/dv: plain Equilibrium Propagation, right where
//! couplings are reciprocal and J = J^T. For the additive nodes of analog hardware,
//!
//! ```text
//! tau du/dt = -u + W v + U x + b,      v = f(u)
//! ```
//!
//! the antisymmetric part (W - W^T)/2 of J does not depend on the state. So AsymEP (arXiv
//! 2602.03670) has an exact physical form, *port reversal*: drive every array through its other
//! ports, so that W becomes W^T, and hold the current W v0 - W^T v0 measured once. [`learning`] has
//! the rules, [`system`] the phases.
//!
//! # Five nouns
//! - [`coupler`]: hardware that turns node values into currents, and its *local product*.
//! - [`system`]: a machine that relaxes, seen through its instruments.
//! - [`learning`]: rules, from measurements to a gradient.
//! - [`training`]: data, optimiser, schedule, checkpoints.
//! - [`study`]: many runs that answer one question.
//!
//! [`experiment`] is what a user writes, [`report`] what a user takes home; [`fit`] makes a datasheet of a user's
//! measurements.
//!
//! # An example
//! Four nodes with random couplings: AsymEP by port reversal against the exact gradient.
//!
//! ```
//! use equilux::experiment::Case;
//! use equilux::learning::{fidelity, Adjoint, AsymEp, Batch, CorrectionMethod, Nudges, Nudging, Rule};
//! use equilux::system::Cost;
//!
//! let case: Case = serde_json::from_str(r#"{
//!     "W": [[0, 0.6, -0.3, 0.1], [-0.4, 0, 0.5, 0.2], [0.3, -0.2, 0, 0.7], [0.5, 0.1, -0.6, 0]],
//!     "U": [[1], [0], [0], [0]], "b": [0.1, 0, -0.2, 0], "x": [0.8], "target": [0.5] }"#).unwrap();
//! let (inputs, targets) = (case.inputs(), case.targets());
//! let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
//! let mut machine = case.machine(0.2)?;
//!
//! let nudges = Nudges::new(0.01, Nudging::Centred);
//! let asym = AsymEp { nudges, correction: CorrectionMethod::PortReversal };
//! let found = asym.gradient(&mut machine, &batch)?;
//! let exact = Adjoint::default().gradient(&mut machine, &batch)?;
//! assert!(fidelity(&found, &exact).relative_error < 1e-4);
//! # Ok::<(), equilux::Error>(())
//! ```

#![warn(missing_docs)]

pub mod arithmetic;
pub mod bring_your_own;
#[cfg(feature = "cli")]
pub mod cli;
pub mod coupler;
pub mod data;
pub mod error;
pub mod experiment;
pub mod export;
pub mod file;
pub mod fit;
pub mod laboratory;
pub mod learning;
pub mod quantity;
#[cfg(feature = "plots")]
pub mod report;
pub mod state;
pub mod stop;
pub mod study;
pub mod system;
pub mod training;
pub mod wire;

pub use error::{Error, Result};
pub use {nalgebra, rand};
