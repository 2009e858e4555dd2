//! The product of the hot loops beside nalgebra's, at the shapes of training: million multiply-adds
//! a second.

use divan::Bencher;
use divan::counter::ItemsCount;
use equilux::arithmetic::{Factor, Packed, Real};
use nalgebra::DMatrix;

fn main() {
    divan::main();
}

/// Rows, inner dimension, columns: a drive, a read of a square array, of outputs, a reversed read,
/// a local product.
const SHAPES: [(usize, usize, usize); 6] =
    [(256, 784, 32), (512, 784, 32), (256, 256, 32), (10, 256, 32), (256, 10, 32), (256, 64, 128)];

fn matrices<T: Real>((m, k, n): (usize, usize, usize)) -> [DMatrix<T>; 3] {
    let entry = |i: usize, j: usize| T::of((i * 7 + j * 3) as f64 % 1.7 - 0.8);
    [DMatrix::from_fn(m, k, entry), DMatrix::from_fn(k, n, entry), DMatrix::zeros(m, n)]
}

fn work((m, k, n): (usize, usize, usize)) -> ItemsCount {
    ItemsCount::new(m * k * n)
}

#[divan::bench(args = SHAPES, types = [f32, f64])]
fn packed<T: Real>(bencher: Bencher, shape: (usize, usize, usize)) {
    let [a, b, mut c] = matrices::<T>(shape);
    let a = Packed::new(&Factor::Plain(a.as_view()));
    bencher.counter(work(shape)).bench_local(|| {
        a.multiply(&(0..shape.0), &Factor::Plain(b.as_view()), T::one(), T::one(), c.as_view_mut())
    });
}

#[divan::bench(args = SHAPES, types = [f32])]
fn packed_on_the_way<T: Real>(bencher: Bencher, shape: (usize, usize, usize)) {
    let [a, b, mut c] = matrices::<T>(shape);
    bencher.counter(work(shape)).bench_local(|| {
        equilux::arithmetic::add_product(
            c.as_view_mut(),
            T::one(),
            Factor::Plain(a.as_view()),
            Factor::Plain(b.as_view()),
        );
    });
}

#[divan::bench(args = SHAPES, types = [f32, f64])]
fn nalgebra<T: Real>(bencher: Bencher, shape: (usize, usize, usize)) {
    let [a, b, mut c] = matrices::<T>(shape);
    bencher.counter(work(shape)).bench_local(|| c.gemm(T::one(), &a, &b, T::one()));
}
