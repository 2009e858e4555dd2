//! Equilux simulates analog and photonic hardware that learns by Equilibrium Propagation.

pub mod error;
mod file;
pub mod random;
pub mod real;

pub use error::{Error, Result};
pub mod config;
pub mod coupler;
pub mod learning;
pub mod report;
pub mod system;
pub mod training;
