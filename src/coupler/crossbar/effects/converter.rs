//! A converter at every line of one side.

use std::sync::Arc;

use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::crossbar::{Lines, Stage};
use crate::coupler::quantiser::{Quantiser, rounding_error};
use crate::coupler::{Saturation, Streams, Tally};

/// Rounds to the codes of a uniform quantiser.
#[derive(Debug)]
struct Converter<T> {
    quantiser: Quantiser<T>,
    auto_range: bool,
    /// What they are called, and the key of their range.
    name: [&'static str; 2],
    tally: Tally,
}

/// Converters of `bits` over [-range, range], or over the largest value of every read; `name` is
/// what they are called, and the key of their range.
pub fn stage<T: Real>(
    bits: u32,
    range: f64,
    auto_range: bool,
    name: [&'static str; 2],
) -> Option<Arc<dyn Stage<T>>> {
    let (quantiser, tally) = (Quantiser::new(bits, range), Tally::default());
    Some(Arc::new(Converter { quantiser, auto_range, name, tally }))
}

/// Standard deviation of the error of such a converter in arrays of numbers `T`.
pub fn error<T: Real>(bits: u32, range: f64) -> f64 {
    rounding_error(Quantiser::<T>::new(bits, range).step().f64())
}

impl<T: Real> Stage<T> for Converter<T> {
    fn pass(&self, lines: &mut Lines<T>, _: &Streams) {
        if !self.auto_range {
            let clipped = self.quantiser.clipped(lines.values);
            self.tally.add(lines.values.len() as u64, clipped as u64);
            return self.quantiser.apply_all(lines.values);
        }
        for column in lines.columns() {
            let range = simd::largest(column);
            if range > T::zero() && range.is_finite() {
                self.quantiser.ranged(range).apply_all(column);
            }
        }
    }

    fn saturation(&self) -> Option<Saturation> {
        let [instrument, limit] = self.name;
        (!self.auto_range).then(|| self.tally.of(instrument, limit))
    }
}
