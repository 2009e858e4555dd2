//! Numbers: one arithmetic in two precisions (f32 trains, f64 verifies), products of matrices, loops
//! over slices, random streams, and what samples say of their distribution.

mod interval;
mod product;
pub mod random;
pub(crate) mod simd;
mod statistics;

pub use interval::wilson;
pub use simd::Unit;
pub use statistics::{Span, Statistics, student};

use nalgebra::{DMatrixView, DMatrixViewMut, Dyn, RealField, U1};
use rand_distr::{Distribution, StandardNormal};

use product::Kernel;
use random::{Stream, normal};

pub use product::{Factor, Foreground, Packed, add_product};

/// A read-only view of a column-major matrix, one column a sample.
pub type View<'a, T> = DMatrixView<'a, T, U1, Dyn>;
/// A writable view of a column-major matrix, one column a sample.
pub type ViewMut<'a, T> = DMatrixViewMut<'a, T, U1, Dyn>;

/// A floating-point type that machines can be simulated in: `f32` or `f64`.
pub trait Real: RealField + Copy + Default + serde::Serialize + Kernel {
    /// The name used in configurations: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest value to `x`.
    fn of(x: f64) -> Self;

    /// This value in double precision.
    fn f64(self) -> f64;

    /// The exact bytes of this value, little-endian.
    fn bytes(self) -> Vec<u8>;

    /// The value with these little-endian bytes.
    fn from_bytes(bytes: &[u8]) -> Self;

    /// A standard normal deviate.
    fn normal(stream: &mut Stream) -> Self;

    /// Adds `deviation` times the deviates of the stream with this key to `values`; called through
    /// [`Key::add_normals`](crate::arithmetic::random::Key::add_normals).
    fn add_normals(values: &mut [Self], deviation: Self, key: u64);

    /// tanh, compiled in line: in single precision within 6 units in the last place, and without a
    /// branch.
    fn hyperbolic_tangent(self) -> Self;

    /// The sine of an angle of a quarter turn at most either way, compiled in line: in single
    /// precision within 2 units in the last place, and without a branch.
    fn quarter_sine(self) -> Self;

    /// The cosine of such an angle, likewise, within 3 units.
    fn quarter_cosine(self) -> Self;
}

/// tanh x = tanh 4y for y = x / 4: the continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) to its
/// seventh term as p/q, doubled twice by tanh 2a = 2 tanh a / (1 + tanh^2 a) on p and q, then one
/// division.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    // Beyond 9.02 tanh rounds to one.
    let y = 0.25 * x.clamp(-9.1, 9.1);
    let s = y * y;
    let series =
        |terms: [f32; 4]| terms.into_iter().fold(0.0, |sum: f32, term| sum.mul_add(s, term));
    let p = y * series([1.0 / 135_135.0, 2.0 / 715.0, 5.0 / 39.0, 1.0]);
    let q = series([4.0 / 19_305.0, 10.0 / 429.0, 6.0 / 13.0, 1.0]);
    let (p, q) = (2.0 * p * q, q.mul_add(q, p * p));
    2.0 * p * q / q.mul_add(q, p * p)
}

/// The series of the sine to x^13; the next term is below 7e-10 of it at a quarter of a turn.
#[inline(always)]
fn quarter_sine_f32(x: f32) -> f32 {
    let s = x * x;
    let terms = [1.0 / 6_227_020_800.0, -1.0 / 39_916_800.0, 1.0 / 362_880.0, -1.0 / 5040.0];
    let series = terms.into_iter().fold(0.0f32, |sum, term| sum.mul_add(s, term));
    let series = series.mul_add(s, 1.0 / 120.0).mul_add(s, -1.0 / 6.0);
    (series * s).mul_add(x, x)
}

/// The sine of what is missing to a quarter of a turn, of which two numbers hold the digits.
#[inline(always)]
fn quarter_cosine_f32(x: f32) -> f32 {
    const REST: f32 = (std::f64::consts::FRAC_PI_2 - std::f32::consts::FRAC_PI_2 as f64) as f32;
    quarter_sine_f32((std::f32::consts::FRAC_PI_2 - x.abs()) + REST)
}

macro_rules! real {
    ($float:ident, $add_normals:path, $tanh:path, $sine:path, $cosine:path) => {
        impl Real for $float {
            const NAME: &'static str = stringify!($float);

            fn of(x: f64) -> Self {
                x as $float
            }

            fn f64(self) -> f64 {
                self.into()
            }

            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Self {
                $float::from_le_bytes(bytes.try_into().expect("a slice of this type's size"))
            }

            fn normal(stream: &mut Stream) -> Self {
                StandardNormal.sample(stream)
            }

            fn add_normals(values: &mut [Self], deviation: Self, key: u64) {
                $add_normals(values, deviation, key);
            }

            #[inline(always)]
            fn hyperbolic_tangent(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn quarter_sine(self) -> Self {
                $sine(self)
            }

            #[inline(always)]
            fn quarter_cosine(self) -> Self {
                $cosine(self)
            }
        }
    };
}
real!(f32, normal::add_f32, tanh_f32, quarter_sine_f32, quarter_cosine_f32);
real!(f64, normal::add_f64, f64::tanh, f64::sin, f64::cos);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_sine_in_single_precision_is_that_of_double() {
        let quarter = std::f32::consts::FRAC_PI_2;
        let (mut sine, mut cosine) = (0f64, 0f64);
        for x in (0..=1_000_000).map(|step| (quarter * (step as f32 / 5e5 - 1.0)).min(quarter)) {
            let unit = |exact: f64| f64::from(f32::EPSILON) * 2f64.powf(exact.abs().log2().floor());
            let error = |found: f32, exact: f64| {
                (f64::from(found) - exact).abs() / unit(exact).max(f64::MIN_POSITIVE)
            };
            sine = sine.max(error(x.quarter_sine(), f64::from(x).sin()));
            // At a quarter of a turn the cosine is the last digit of the angle.
            if x.abs() < quarter {
                cosine = cosine.max(error(x.quarter_cosine(), f64::from(x).cos()));
            }
        }
        assert!(sine < 2.0 && cosine < 3.0, "{sine} and {cosine} units in the last place");
        assert!(f32::NAN.quarter_sine().is_nan() && f32::NAN.quarter_cosine().is_nan());
    }

    #[test]
    fn tanh_in_single_precision_is_that_of_double() {
        let mut worst = 0f64;
        for x in (0..2_000_000).map(|step| -10.0 + 1e-5 * step as f32).chain([
            -1e30,
            1e-30,
            f32::INFINITY,
        ]) {
            let exact = f64::from(x).tanh();
            let unit = f64::from(f32::EPSILON) * 2f64.powf(exact.abs().log2().floor());
            worst = worst.max(
                (f64::from(x.hyperbolic_tangent()) - exact).abs() / unit.max(f64::MIN_POSITIVE),
            );
        }
        assert!(worst < 6.0, "{worst} units in the last place");
        assert!(f32::NAN.hyperbolic_tangent().is_nan());
        assert_eq!((-0.0f32).hyperbolic_tangent().to_bits(), (-0.0f32).to_bits());
    }
}
