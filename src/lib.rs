//! Equilux simulates analog and photonic hardware that learns by Equilibrium Propagation.

pub mod cli;
pub mod config;
pub mod data;
pub mod error;
mod file;
pub mod random;
pub mod real;

pub use error::{Error, Result};
