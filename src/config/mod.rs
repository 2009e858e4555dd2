//! Experiments as files.
pub mod range;
