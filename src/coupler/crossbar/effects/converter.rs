//! A converter at every line of one side.

use std::sync::Arc;

use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::Streams;
use crate::coupler::crossbar::{Lines, Stage};
use crate::coupler::quantiser::{Quantiser, rounding_error};

/// Rounds to the codes of a uniform quantiser.
#[derive(Debug)]
struct Converter<T> {
    quantiser: Quantiser<T>,
    auto_range: bool,
}

/// Converters of `bits` over [-range, range], or over the largest value of every read.
pub fn stage<T: Real>(bits: u32, range: f64, auto_range: bool) -> Option<Arc<dyn Stage<T>>> {
    Some(Arc::new(Converter { quantiser: Quantiser::new(bits, range), auto_range }))
}

/// Standard deviation of the error of such a converter in arrays of numbers `T`.
pub fn error<T: Real>(bits: u32, range: f64) -> f64 {
    rounding_error(Quantiser::<T>::new(bits, range).step().f64())
}

impl<T: Real> Stage<T> for Converter<T> {
    fn pass(&self, lines: &mut Lines<T>, _: &Streams) {
        if !self.auto_range {
            return self.quantiser.apply_all(lines.values);
        }
        for column in lines.columns() {
            let range = simd::largest(column);
            if range > T::zero() && range.is_finite() {
                self.quantiser.ranged(range).apply_all(column);
            }
        }
    }
}
