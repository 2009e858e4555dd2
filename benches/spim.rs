//! The spatial photonic Ising machine against its yardsticks, in one run.
//!
//! `cargo bench --bench spim`. A force of 510 nodes through 355 patterns, 32 samples at a time,
//! beside the pair of dense products that it cannot do without; the wave tier of a panel of 1024 x
//! 1024 pixels beside the bare transform and one pass over the pixels.

use divan::{Bencher, black_box};
use equilux::arithmetic::random::Key;
use equilux::arithmetic::{Factor, Real, add_product};
use equilux::coupler::spim::optics::Optics;
use equilux::coupler::spim::optics::fourier::Fourier;
use equilux::coupler::spim::optics::mask::Mask;
use equilux::coupler::spim::optics::wave::{Moment, Wave};
use equilux::coupler::spim::{PatternValues, Patterns, Spim, SpimDevice, Tier};
use equilux::coupler::{Coupler, Port, Read, Streams};
use nalgebra::DMatrix;
use num_complex::Complex;

const NODES: usize = 510;
const PATTERNS: usize = 355;
const SAMPLES: usize = 32;
const SIDE: usize = 1024;

fn main() {
    divan::main();
}

fn normals(rows: usize, columns: usize) -> DMatrix<f64> {
    let mut stream = Key::new(1, "bench").stream();
    DMatrix::from_fn(rows, columns, |_, _| f64::normal(&mut stream))
}

#[divan::bench]
fn dense_product_pair(bencher: Bencher) {
    let (patterns, values) = (normals(NODES, PATTERNS), normals(NODES, SAMPLES));
    let (mut overlaps, mut forces) =
        (DMatrix::zeros(PATTERNS, SAMPLES), DMatrix::zeros(NODES, SAMPLES));
    bencher.bench_local(|| {
        overlaps.fill(0.0);
        add_product(
            overlaps.as_view_mut(),
            1.0,
            Factor::Transposed(patterns.as_view()),
            Factor::Plain(values.as_view()),
        );
        add_product(
            forces.as_view_mut(),
            1.0,
            Factor::Plain(patterns.as_view()),
            Factor::Plain(overlaps.as_view()),
        );
        black_box(&forces);
    });
}

/// A force by parameter shift on every node of 32 samples.
fn force(bencher: Bencher, device: SpimDevice) {
    let binary = device.patterns.values == PatternValues::Binary;
    let patterns = normals(NODES, PATTERNS).map(if binary { f64::signum } else { f64::tanh });
    let spim = Spim::new(
        device.with(|device| {
            device.patterns.count = PATTERNS;
        }),
        Patterns::reciprocal(patterns, normals(PATTERNS, 1)),
    )
    .unwrap();
    let values = normals(NODES, SAMPLES).map(f64::tanh);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let (mut forces, mut scratch) = (DMatrix::zeros(NODES, SAMPLES), Vec::new());
    bencher.bench_local(|| {
        let streams = Streams { key: Key::new(1, "bench"), samples: &samples, step: 0 };
        let read = Read::new(Port::Forward, values.as_view(), 0..NODES, streams);
        spim.read(&read, forces.as_view_mut(), &mut scratch).unwrap();
        black_box(&forces);
    });
}

#[divan::bench]
fn force_without_noise(bencher: Bencher) {
    force(bencher, SpimDevice::default());
}

#[divan::bench]
fn force_8_bit_phases_and_camera_noise_drawn_once(bencher: Bencher) {
    force(
        bencher,
        SpimDevice::default().with(|device| {
            device.quantisation.bits = 8;
            device.camera.noise = 0.01;
        }),
    );
}

#[divan::bench(sample_count = 20)]
fn force_camera_noise_frame_by_frame(bencher: Bencher) {
    force(
        bencher,
        SpimDevice::default().with(|device| {
            device.quantisation.bits = 8;
            device.camera.noise = 0.01;
            device.frames.separate_noise = true;
        }),
    );
}

#[divan::bench(sample_count = 20)]
fn force_8_bit_camera_with_noise(bencher: Bencher) {
    force(
        bencher,
        SpimDevice::default().with(|device| {
            device.quantisation.bits = 8;
            device.camera.noise = 0.01;
            device.camera.bits = 8;
        }),
    );
}

/// The effective tier with patterns of these values.
fn force_by_effective_tier(bencher: Bencher, values: PatternValues, camera_bits: u32) {
    force(
        bencher,
        SpimDevice::default().with(|device| {
            device.quantisation.bits = 8;
            device.dead_zone.fill_factor = 0.93;
            device.tier = Some(Tier::Effective);
            device.patterns.values = values;
            device.camera.bits = camera_bits;
        }),
    );
}

#[divan::bench]
fn force_effective_tier_binary(bencher: Bencher) {
    force_by_effective_tier(bencher, PatternValues::Binary, 0);
}

#[divan::bench(sample_count = 20)]
fn force_effective_tier_continuous(bencher: Bencher) {
    force_by_effective_tier(bencher, PatternValues::Continuous, 0);
}

#[divan::bench(sample_count = 20)]
fn force_effective_tier_continuous_8_bit_camera(bencher: Bencher) {
    force_by_effective_tier(bencher, PatternValues::Continuous, 8);
}

fn levels() -> Vec<u16> {
    (0..SIDE * SIDE).map(|at| ((at * 2_654_435_761) >> 13) as u16 & 255).collect()
}

#[divan::bench]
fn bare_transform_and_one_pass(bencher: Bencher) {
    let (levels, fourier) = (levels(), Fourier::new(SIDE, SIDE));
    let table: Vec<Complex<f64>> =
        (0..256).map(|level| Complex::from_polar(1.0, f64::from(level) / 40.7)).collect();
    let mut plane = vec![Complex::default(); SIDE * SIDE];
    let mut spectrum = plane.clone();
    bencher.bench_local(|| {
        plane
            .iter_mut()
            .zip(&levels)
            .for_each(|(field, level)| *field = table[usize::from(*level)]);
        fourier.transform(&mut plane, &mut spectrum);
        black_box(&spectrum);
    });
}

#[divan::bench]
fn wave_tier(bencher: Bencher) {
    let device = SpimDevice::default().with(|device| {
        device.quantisation.bits = 8;
        device.panel.width_px = SIDE;
        device.panel.height_px = SIDE;
    });
    let optics = Optics::new(&device, 4096).unwrap();
    let mut wave = Wave::new(&optics);
    let mask = Mask::from_levels(SIDE, SIDE, 8, levels()).unwrap();
    bencher.bench_local(|| {
        let near = wave.near_field(&mask, Moment::default()).unwrap();
        black_box(wave.far_field(near));
    });
}
