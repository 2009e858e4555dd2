//! Normal deviates in bulk, beside one at a time from a stream of its own.

use divan::Bencher;
use divan::counter::ItemsCount;
use equilux::arithmetic::Real;
use equilux::arithmetic::random::Key;

fn main() {
    divan::main();
}

/// Nodes of an array, from the ten outputs of a classifier to a large layer.
const NODES: [usize; 3] = [10, 256, 4096];

#[divan::bench(args = NODES, types = [f32, f64])]
fn bulk<T: Real>(bencher: Bencher, nodes: usize) {
    let mut values = vec![T::zero(); nodes];
    let mut sample = 0;
    bencher.counter(ItemsCount::new(nodes)).bench_local(|| {
        sample += 1;
        Key::new(1, "noise").with(sample).add_normals(&mut values, T::of(0.1));
    });
}

#[divan::bench(args = NODES, types = [f32, f64])]
fn one_by_one<T: Real>(bencher: Bencher, nodes: usize) {
    let mut values = vec![T::zero(); nodes];
    let mut sample = 0;
    bencher.counter(ItemsCount::new(nodes)).bench_local(|| {
        sample += 1;
        let mut stream = Key::new(1, "noise").with(sample).stream();
        values.iter_mut().for_each(|value| *value += T::of(0.1) * T::normal(&mut stream));
    });
}
