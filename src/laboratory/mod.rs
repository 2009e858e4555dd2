//! A laboratory looked at: is it what it says, and what would its datasheet be?
//!
//! [`check`] asks an instrument of the kind `frames` the questions that one asks a bench before an
//! experiment; [`calibrate`] measures what a datasheet states, from intensities alone.

mod bench;
mod calibrate;
mod check;
mod fit;

pub use calibrate::{Calibration, Drift, Measured, calibrate};
pub use check::{Check, check};
