//! Quantities as users write them: numbers within their range, durations with their unit.

pub mod duration;
pub mod range;
