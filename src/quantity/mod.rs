//! Quantities as users write them: numbers within their range, durations with their unit,
//! units of the numbers in datasheets.

pub(crate) mod choice;
pub mod duration;
pub mod range;
pub mod unit;
