//! Equilux simulates analog and photonic hardware that learns by Equilibrium Propagation.

pub mod cli;
pub mod config;
pub mod coupler;
pub mod data;
pub mod error;
mod file;
pub mod learning;
pub mod random;
pub mod real;
pub mod report;
pub mod system;
pub mod training;

pub use error::{Error, Result};
