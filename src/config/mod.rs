//! Experiments as files.

mod case;
pub mod range;

pub use case::Case;
