//! Training throughput beside the floor that arithmetic sets: `cargo bench --bench training [--
//! --threads N]`.
//!
//! The floor of one AsymEP sample on a feedforward network: every array between nodes is multiplied
//! at least once freely, twice for the held current, once in each of two learning phases and once
//! in the local product; the array of the inputs once freely and once in the local product. At 2
//! flops a weight and product, divided by the rate of the product kernel on this machine at the
//! shape of the inputs' array, that is the least time of one sample. Every other number
//! (nonlinearities, noise, moving weights between caches) is on top.

use std::time::Instant;

use equilux::arithmetic::random::Key;
use equilux::arithmetic::{Factor, Packed};
use equilux::data::{Examples, Labels, Outputs, Parts};
use equilux::experiment::Experiment;
use equilux::learning::Batch;
use equilux::training::Trainer;
use nalgebra::DMatrix;

const SAMPLES: usize = 16_384;
const FEATURES: usize = 784;
const CLASSES: usize = 10;

/// What is trained: a name, the layers, and the tables of the experiment that differ.
const RUNS: [(&str, &[usize], &str); 7] = [
    ("time steps", &[784, 256, 10], ""),
    (
        "layer by layer",
        &[784, 256, 10],
        "[relaxation]\nmethod = 'layer-by-layer'\nstep = 1.0\nmax_steps = 12",
    ),
    ("read noise, 8 bits", &[784, 256, 10], NOISE),
    ("time steps", &[784, 256, 256, 10], ""),
    (
        "layer by layer",
        &[784, 256, 256, 10],
        "[relaxation]\nmethod = 'layer-by-layer'\nstep = 1.0\nmax_steps = 12",
    ),
    ("time steps", &[784, 512, 10], ""),
    (
        "layer by layer",
        &[784, 512, 10],
        "[relaxation]\nmethod = 'layer-by-layer'\nstep = 1.0\nmax_steps = 12",
    ),
];

const NOISE: &str = "[relaxation]\nstep = 1.0\nmax_steps = 12\n[device.crossbar]\nread_noise.sd_uS = 0.01\n[measurement]\nbits = 8";

const RELAXATION: &str = "[relaxation]\nstep = 1.0\nmax_steps = 12";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads = arguments
        .iter()
        .position(|a| a == "--threads")
        .and_then(|i| arguments.get(i + 1))
        .map_or(1, |n| n.parse().unwrap());
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
        let (products, copies) = (product_rate(), copy_rate());
        println!("{threads} thread(s); products {:.0} GFLOP/s a thread; copies {:.1} GB/s", products * 1e-9, copies * 1e-9);
        println!("{:<20} {:<28} {:>12} {:>12} {:>10}", "network", "", "samples/s", "floor/s", "sustained");
        for (name, layers, tables) in RUNS {
            let rate = training_rate(layers, if tables.is_empty() { RELAXATION } else { tables });
            let floor = threads as f64 * products / flops(layers);
            println!("{:<20} {name:<28} {rate:>12.0} {floor:>12.0} {:>9.0}%", format!("{layers:?}"), 100.0 * rate / floor);
        }
        // Never at rest: every phase takes all its steps.
        let exact = gradient_rate("[relaxation]\ntolerance = 1e-30\nstep = 1.0\nmax_steps = 12");
        let noisy = gradient_rate(NOISE);
        println!(
            "gradients at 12 steps a phase: {exact:.0} samples/s, with read noise and 8-bit reads {noisy:.0}: {:.2} times the time",
            exact / noisy
        );
    });
}

/// The least floating-point operations of one sample.
fn flops(layers: &[usize]) -> f64 {
    let weights: Vec<usize> = layers.windows(2).map(|pair| pair[0] * pair[1]).collect();
    2.0 * (2 * weights[0] + 6 * weights[1..].iter().sum::<usize>()) as f64
}

/// Floating-point operations a second of the product kernel on one thread.
fn product_rate() -> f64 {
    let (rows, depth, columns) = (256, FEATURES, 32);
    let a = Packed::new(&Factor::Plain(DMatrix::from_element(rows, depth, 0.5f32).as_view()));
    let (b, mut c) =
        (DMatrix::from_element(depth, columns, 0.25f32), DMatrix::zeros(rows, columns));
    let seconds = best(200, || {
        a.multiply(&(0..rows), &Factor::Plain(b.as_view()), 1.0, 1.0, c.as_view_mut())
    });
    2.0 * (rows * depth * columns) as f64 / seconds
}

/// Bytes a second that are read, and as many written, beyond the caches.
fn copy_rate() -> f64 {
    let (from, mut to) = (vec![1u8; 1 << 28], vec![0u8; 1 << 28]);
    let copy = || {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
    };
    from.len() as f64 / best(5, copy)
}

fn best(times: usize, mut work: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..times).map(once).fold(f64::INFINITY, f64::min)
}

fn experiment(layers: &[usize], tables: &str) -> Experiment {
    let text = format!(
        "seed = 1\n[data]\nset = 'mnist'\n[network]\nlayers = {layers:?}\ntopology = 'one-way'\n{tables}\n[learning]\nrule = 'asym-ep'\n\
         beta = 0.1\n[training]\nepochs = 3\nbatch = 64\noptimiser.sgd.rate = 0.05\n"
    );
    Experiment::parse(&text, "benchmark", &[]).unwrap()
}

fn examples(samples: usize) -> Examples<f32> {
    let mut inputs = DMatrix::zeros(FEATURES, samples);
    Key::new(1, "data").with(samples as u64).add_normals(inputs.as_mut_slice(), 0.3f32);
    let labels = (0..samples).map(|sample| sample % CLASSES).collect();
    Examples { inputs, labels: Labels::Classes(labels) }
}

/// Samples a second of estimating gradients of 784-256-10, without updates.
fn gradient_rate(tables: &str) -> f64 {
    let experiment = experiment(&[784, 256, 10], tables);
    let mut machine = experiment.machine::<f32>().unwrap();
    let (rule, (inputs, labels)) =
        (experiment.learning.rule(1), examples(64).batch(&(0..64).collect::<Vec<_>>()));
    let classes = labels.classes().unwrap();
    let targets = experiment.learning.objective().class_targets(classes, CLASSES);
    let batch =
        Batch { inputs: &inputs, targets: &targets, cost: experiment.learning.cost, update: 0 };
    64.0 / best(200, || {
        rule.gradient(machine.as_mut(), &batch).unwrap();
    })
}

/// Samples a second of training on random data, evaluation aside; the best of three epochs.
fn training_rate(layers: &[usize], tables: &str) -> f64 {
    let experiment = experiment(layers, tables);
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    let parts = Parts {
        name: "random".into(),
        train: examples(SAMPLES),
        validation: None,
        test: examples(64),
        test_samples: (0..64).collect(),
        outputs: Outputs::Classes(classes),
        inputs: FEATURES,
    };
    let mut trainer = Trainer::new(
        experiment.machine::<f32>().unwrap(),
        experiment.learning.rule(experiment.seed),
        experiment.training.optimiser.optimiser(),
        parts,
        experiment.plan(),
    )
    .unwrap();
    let seconds = best(3, || {
        trainer.epoch(&mut |_| ()).unwrap();
    });
    SAMPLES as f64 / seconds
}
