//! Configuration files: what the values of a key may be.

pub mod range;
