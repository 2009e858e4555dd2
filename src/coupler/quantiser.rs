//! Converters: a value becomes one of finitely many codes.

use crate::arithmetic::Real;
use crate::arithmetic::simd::vectorised;

/// A uniform mid-tread quantiser of b bits over [-range, range]: 2^b - 1 codes, zero among them,
/// clipping beyond the range.
///
/// ```
/// let adc = equilux::coupler::quantiser::Quantiser::new(3, 1.0_f64);
/// assert_eq!(adc.apply(0.4), 1.0 / 3.0);
/// assert_eq!(adc.apply(7.0), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiser<T> {
    step: T,
    range: T,
}

impl<T: Real> Quantiser<T> {
    /// `bits` at least 2, `range` above 0.
    pub fn new(bits: u32, range: f64) -> Self {
        let codes = f64::from(1u32 << (bits - 1)) - 1.0;
        Self { step: T::of(range / codes), range: T::of(range) }
    }

    /// The nearest code's value; halves are rounded away from zero.
    #[inline(always)]
    pub fn apply(&self, x: T) -> T {
        let value = (x / self.step).round() * self.step;
        let value = if value > self.range { self.range } else { value };
        if value < -self.range { -self.range } else { value }
    }

    /// Replaces each of `values` by its nearest code's: [`apply`](Self::apply) to the bit, on the
    /// vector unit.
    pub fn apply_all(&self, values: &mut [T]) {
        apply_all(self, values);
    }

    /// How many of `values` are beyond the range.
    pub fn clipped(&self, values: &[T]) -> usize {
        beyond(values, self.range)
    }

    /// As many codes over another range.
    #[must_use]
    pub fn ranged(&self, range: T) -> Self {
        Self { step: self.step * (range / self.range), range }
    }

    /// The distance between neighbouring codes.
    pub fn step(&self) -> T {
        self.step
    }
}

vectorised! {
    fn beyond<T: Real>(values: &[T], range: T) -> usize {
        values.iter().map(|value| usize::from(value.abs() > range)).sum()
    }

    fn apply_all<T: Real>(quantiser: &Quantiser<T>, values: &mut [T]) {
        for value in values {
            *value = quantiser.apply(*value);
        }
    }
}

/// The standard deviation of the error of rounding to multiples of `step`.
pub fn rounding_error(step: f64) -> f64 {
    step / 12f64.sqrt()
}

/// The bits of a converter whose rounding errors are `factor` times those of one of `bits`, to the
/// nearest bit and at most `most`; none of fewer than one. 0 bits, no converter, stay 0.
pub fn fewer_bits(bits: u32, factor: f64, most: u32) -> Option<u32> {
    if bits == 0 {
        return Some(0);
    }
    let wanted = (f64::from(bits) - factor.log2()).round();
    (wanted >= 1.0).then(|| wanted.min(f64::from(most)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_error_is_that_of_a_ramp() {
        let quantiser = Quantiser::<f64>::new(8, 1.0);
        let ramp = (0..200_000).map(|i| -0.99 + 1.98 * f64::from(i) / 200_000.0);
        let mean_square = ramp.map(|x| (quantiser.apply(x) - x).powi(2)).sum::<f64>() / 200_000.0;
        let expected = rounding_error(2.0 / 254.0);
        assert!((mean_square.sqrt() / expected - 1.0).abs() < 0.01);
    }

    #[test]
    fn clips_and_keeps_zero_and_the_ends() {
        let quantiser = Quantiser::<f32>::new(4, 2.0);
        assert_eq!(quantiser.apply(0.0), 0.0);
        assert_eq!(quantiser.apply(2.0), 2.0);
        assert_eq!(quantiser.apply(-9.0), -2.0);
        assert_eq!(quantiser.apply(0.1), 0.0);
    }

    #[test]
    fn twice_the_error_is_a_bit_less() {
        for (bits, factor, expected) in [
            (8, 2.0, Some(7)),
            (8, 0.5, Some(9)),
            (8, 1.0, Some(8)),
            (8, 1.4, Some(8)),
            (23, 0.1, Some(24)),
            (1, 2.0, None),
            (0, 2.0, Some(0)),
        ] {
            assert_eq!(fewer_bits(bits, factor, 24), expected, "{bits} bits, {factor}");
        }
    }
}
