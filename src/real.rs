//! One arithmetic, two precisions: f32 trains, f64 verifies.

use nalgebra::{DMatrixView, DMatrixViewMut, Dyn, RealField, U1};
use rand_distr::{Distribution, StandardNormal};

use crate::random::{Stream, normal};

/// A read-only view of a column-major matrix, one column a sample.
pub type View<'a, T> = DMatrixView<'a, T, U1, Dyn>;
/// A writable view of a column-major matrix, one column a sample.
pub type ViewMut<'a, T> = DMatrixViewMut<'a, T, U1, Dyn>;

/// A floating-point type that machines can be simulated in: `f32` or `f64`.
pub trait Real: RealField + Copy + Default + serde::Serialize {
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
    /// [`Key::add_normals`](crate::random::Key::add_normals).
    fn add_normals(values: &mut [Self], deviation: Self, key: u64);

    /// tanh, compiled in line: in single precision within 6 units in the last place, and without a branch.
    fn hyperbolic_tangent(self) -> Self;

    /// C <- alpha A B + beta C on strided matrices (row stride, column stride).
    ///
    /// # Safety
    /// Every element named by the shapes and strides must lie inside its allocation, and C must not overlap A or B.
    #[allow(clippy::too_many_arguments)]
    unsafe fn gemm(
        shape: [usize; 3],
        alpha: Self,
        a: (*const Self, isize, isize),
        b: (*const Self, isize, isize),
        beta: Self,
        c: (*mut Self, isize, isize),
    );
}

/// tanh x = tanh 4y for y = x / 4: the continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) to its seventh term as p/q, doubled twice by
/// tanh 2a = 2 tanh a / (1 + tanh^2 a) on p and q, then one division.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    // Beyond 9.02 tanh rounds to one.
    let y = 0.25 * x.clamp(-9.1, 9.1);
    let s = y * y;
    let series = |terms: [f32; 4]| terms.into_iter().fold(0.0, |sum: f32, term| sum.mul_add(s, term));
    let p = y * series([1.0 / 135_135.0, 2.0 / 715.0, 5.0 / 39.0, 1.0]);
    let q = series([4.0 / 19_305.0, 10.0 / 429.0, 6.0 / 13.0, 1.0]);
    let (p, q) = (2.0 * p * q, q.mul_add(q, p * p));
    2.0 * p * q / q.mul_add(q, p * p)
}

macro_rules! real {
    ($float:ident, $gemm:ident, $add_normals:path, $tanh:path) => {
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

            unsafe fn gemm(
                [m, k, n]: [usize; 3],
                alpha: Self,
                a: (*const Self, isize, isize),
                b: (*const Self, isize, isize),
                beta: Self,
                c: (*mut Self, isize, isize),
            ) {
                // SAFETY: the caller's contract is the callee's.
                unsafe { matrixmultiply::$gemm(m, k, n, alpha, a.0, a.1, a.2, b.0, b.1, b.2, beta, c.0, c.1, c.2) }
            }
        }
    };
}
real!(f32, sgemm, normal::add_f32, tanh_f32);
real!(f64, dgemm, normal::add_f64, f64::tanh);

/// A factor of a product, as it is stored or transposed.
pub enum Factor<'a, T: Real> {
    /// The matrix itself.
    Plain(View<'a, T>),
    /// Its transpose; nothing is copied.
    Transposed(View<'a, T>),
}

impl<T: Real> Factor<'_, T> {
    fn layout(&self) -> ((usize, usize), (*const T, isize, isize)) {
        let (view, transposed) = match self {
            Self::Plain(view) => (view, false),
            Self::Transposed(view) => (view, true),
        };
        let (rows, columns) = view.shape();
        let stride = view.strides().1 as isize;
        if transposed { ((columns, rows), (view.as_ptr(), stride, 1)) } else { ((rows, columns), (view.as_ptr(), 1, stride)) }
    }
}

/// C <- C + alpha A B: the one product behind every batched hot loop.
///
/// # Panics
/// When the shapes do not chain; that is a mistake in this crate, never of a user's input.
pub fn add_product<T: Real>(mut c: ViewMut<T>, alpha: T, a: Factor<T>, b: Factor<T>) {
    let ((m, k), a) = a.layout();
    let ((inner, n), b) = b.layout();
    assert_eq!(k, inner, "inner dimensions of a product");
    assert_eq!((m, n), c.shape(), "shape of a product");
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let stride = c.strides().1 as isize;
    // SAFETY: shapes and strides are those of live views, and `c` is borrowed mutably, so it overlaps neither factor.
    unsafe { T::gemm([m, k, n], alpha, a, b, T::one(), (c.as_mut_ptr(), 1, stride)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn tanh_in_single_precision_is_that_of_double() {
        let mut worst = 0f64;
        for x in (0..2_000_000).map(|step| -10.0 + 1e-5 * step as f32).chain([-1e30, 1e-30, f32::INFINITY]) {
            let exact = f64::from(x).tanh();
            let unit = f64::from(f32::EPSILON) * 2f64.powf(exact.abs().log2().floor());
            worst = worst.max((f64::from(x.hyperbolic_tangent()) - exact).abs() / unit.max(f64::MIN_POSITIVE));
        }
        assert!(worst < 6.0, "{worst} units in the last place");
        assert!(f32::NAN.hyperbolic_tangent().is_nan());
        assert_eq!((-0.0f32).hyperbolic_tangent().to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn products_of_views_agree_with_sums() {
        let a = DMatrix::from_fn(5, 7, |i, j| (i * 7 + j) as f64 * 0.1);
        let b = DMatrix::from_fn(4, 9, |i, j| (i as f64 - j as f64) * 0.3);
        let mut c = DMatrix::from_element(6, 5, 1.0);
        // rows 1..4 of a transposed (7 x 3) times rows 0..3, columns 2..6 of b: inner dimension 3
        add_product(c.view_mut((0, 1), (6, 4)), 2.0, Factor::Transposed(a.view((1, 0), (3, 6))), Factor::Plain(b.view((0, 2), (3, 4))));
        for i in 0..6 {
            for j in 0..5 {
                let sum: f64 = if j == 0 { 0.0 } else { (0..3).map(|k| 2.0 * a[(1 + k, i)] * b[(k, 1 + j)]).sum() };
                assert!((c[(i, j)] - 1.0 - sum).abs() < 1e-14);
            }
        }
    }
}
