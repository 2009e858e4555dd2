//! Numbers: two precisions, products of matrices, loops over slices, random streams, and what
//! samples say of their distribution.

mod interval;
mod product;
pub mod random;
pub mod real;
pub(crate) mod simd;
mod statistics;

pub use interval::wilson;
pub use statistics::Statistics;
