//! Crossbars: the effective matrix of an array behind its wires beside a sparse Cholesky solution
//! with as many right-hand sides as word lines; a read of an MNIST-sized array beside the bare
//! product; and cells that are not linear behind wires beside cells that are.

use divan::Bencher;
use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice, Wires, effective};
use equilux::coupler::{Coupler, Exact, Port, Read, Streams};
use faer::linalg::solvers::Solve;
use faer::sparse::{SparseColMat, Triplet};
use faer::{Mat, Side};
use nalgebra::DMatrix;

fn main() {
    divan::main();
}

const WIRES: Wires = Wires { r_word_ohm: 2.0, r_bit_ohm: 2.0, refresh: 1 };

fn cells(n: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, n, |i, j| 1e-6 * (1.0 + ((7 * i + 3 * j) % 11) as f64 * 2.4))
}

/// Nodal analysis: every node of both planes of lines, one factorisation, a right-hand side a word
/// line.
fn nodal_analysis(cells: &DMatrix<f64>, wires: Wires) -> DMatrix<f64> {
    let (m, n) = cells.shape();
    let (word, bit) = (|i: usize, j: usize| i * n + j, |i: usize, j: usize| m * n + i * n + j);
    let (g_word, g_bit) = (1.0 / wires.r_word_ohm, 1.0 / wires.r_bit_ohm);
    let mut diagonal = vec![0.0; 2 * m * n];
    let mut entries = Vec::new();
    let mut link = |p: usize, q: Option<usize>, g: f64| {
        diagonal[p] += g;
        if let Some(q) = q {
            diagonal[q] += g;
            entries.push(Triplet::new(p.max(q), p.min(q), -g));
        }
    };
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        link(word(i, j), Some(bit(i, j)), cells[(i, j)]);
        link(word(i, j), (j > 0).then(|| word(i, j.max(1) - 1)), g_word);
        link(bit(i, j), (i + 1 < m).then(|| bit(i + 1, j)), g_bit);
    }
    entries.extend(diagonal.iter().enumerate().map(|(k, g)| Triplet::new(k, k, *g)));
    let matrix =
        SparseColMat::<usize, f64>::try_new_from_triplets(2 * m * n, 2 * m * n, &entries).unwrap();
    let right = Mat::from_fn(2 * m * n, m, |row, i| if row == word(i, 0) { g_word } else { 0.0 });
    let volts = matrix.sp_cholesky(Side::Lower).unwrap().solve(&right);
    DMatrix::from_fn(m, n, |i, j| volts[(bit(m - 1, j), i)] * g_bit)
}

const SIZES: [usize; 3] = [64, 128, 256];

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn effective_matrix(bencher: Bencher, n: usize) {
    let cells = cells(n);
    bencher.bench_local(|| effective(&cells, WIRES).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn effective_matrix_by_sparse_cholesky(bencher: Bencher, n: usize) {
    let cells = cells(n);
    let difference = (nodal_analysis(&cells, WIRES) - effective(&cells, WIRES).unwrap()).amax();
    assert!(difference < 1e-10 * 25e-6, "the two disagree by {difference}");
    bencher.bench_local(|| nodal_analysis(&cells, WIRES));
}

const OUTPUTS: usize = 512;
const INPUTS: usize = 784;
const BATCH: usize = 128;

fn forward(bencher: Bencher, coupler: &dyn Coupler<f32>) {
    let (outputs, inputs) = coupler.shape();
    let values = DMatrix::from_fn(inputs, BATCH, |i, j| ((i * 7 + j * 3) % 17) as f32 / 17.0);
    let samples: Vec<usize> = (0..BATCH).collect();
    let (mut currents, mut scratch) = (DMatrix::zeros(outputs, BATCH), Vec::new());
    let streams = Streams { key: Key::new(1, "bench"), samples: &samples, step: 0 };
    bencher.bench_local(|| {
        let read = Read::new(Port::Forward, values.as_view(), 0..outputs, streams);
        coupler.read(&read, currents.as_view_mut(), &mut scratch).unwrap();
    });
}

fn weights(outputs: usize, inputs: usize) -> DMatrix<f32> {
    DMatrix::from_fn(outputs, inputs, |i, j| ((i * 5 + j * 3) % 11) as f32 / 11.0 - 0.45)
}

/// Converters of 8 bits on both sides.
fn eight_bits() -> CrossbarDevice {
    let mut device = CrossbarDevice::default();
    device.dac.bits = 8;
    (device.adc.bits, device.adc.range) = (8, 100.0);
    device
}

#[divan::bench]
fn forward_bare_product(bencher: Bencher) {
    forward(bencher, &Exact::new(weights(OUTPUTS, INPUTS)));
}

#[divan::bench]
fn forward_8_bits_and_output_noise(bencher: Bencher) {
    let mut device = eight_bits();
    device.output_noise.sd = 0.06;
    forward(
        bencher,
        &Crossbar::new(device, weights(OUTPUTS, INPUTS), Key::new(1, "bench")).unwrap(),
    );
}

#[divan::bench]
fn forward_8_bits_and_noise_of_each_cell(bencher: Bencher) {
    let mut device = eight_bits();
    device.flicker_noise.q = vec![0.0088, 0.65, 0.2];
    forward(
        bencher,
        &Crossbar::new(device, weights(OUTPUTS, INPUTS), Key::new(1, "bench")).unwrap(),
    );
}

/// An array of 64 word lines behind wires of 2 ohm a segment; `cube` is what cells have beyond a
/// straight line.
fn forward_behind_wires(bencher: Bencher, cube: Vec<f64>) {
    let mut device = CrossbarDevice { wires: WIRES, ..CrossbarDevice::default() };
    device.current.cube = cube;
    forward(bencher, &Crossbar::new(device, weights(48, 64), Key::new(1, "bench")).unwrap());
}

#[divan::bench]
fn forward_behind_wires_of_linear_cells(bencher: Bencher) {
    forward_behind_wires(bencher, Vec::new());
}

#[divan::bench]
fn forward_behind_wires_of_cells_that_are_not(bencher: Bencher) {
    forward_behind_wires(bencher, vec![1e-4]);
}
