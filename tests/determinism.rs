//! What `docs/determinism.md` promises: what is the same to the bit, and how far apart the rest is.

mod common;

use std::process::Command;

use common::{NOISY, Place, SMALL, bytes};
use equilux::arithmetic::{Factor, Unit, add_product};
use equilux::experiment::{Experiment, Session};
use nalgebra::DMatrix;
use sha2::{Digest, Sha256};

/// A small optical machine with a camera's noise.
const OPTICAL: &str = r#"
seed = 3
[data]
set = "wine"
scaling = "unit-range"
clip = 1.0
train_limit = 40
[network]
layers = [13, 3]
topology = "all-to-all"
[device.spim]
sheet = "spim-laboratory"
patterns.count = 2
[relaxation]
step = 0.15
tolerance = 1e-2
max_steps = 60
free_steps = 20
nudged_steps = 20
[learning]
rule = "ep"
beta = 0.5
[training]
epochs = 2
batch = 8
"#;

/// The units that this processor has, narrowest first.
fn units() -> Vec<&'static str> {
    let all = [Unit::Portable, Unit::Avx2, Unit::Avx512];
    all.into_iter().filter(|unit| *unit <= Unit::of_processor()).map(Unit::name).collect()
}

/// Trains `name` on one vector unit; metrics and checkpoint.
fn trained(place: &Place, name: &str, unit: &str) -> [Vec<u8>; 2] {
    let out = format!("{name}-{unit}");
    let mut command = place.command(&["train", name, "--out", &out]);
    let output = command.env("EQUILUX_VECTORS", unit).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ["metrics.csv", "checkpoint.safetensors"].map(|file| bytes(&place.path(&out).join(file)))
}

#[test]
fn vector_units_of_fused_products_compute_the_same_bits() {
    let place = Place::new();
    let fused: Vec<&str> = units().into_iter().filter(|unit| *unit != "portable").collect();
    if fused.len() < 2 {
        eprintln!("skipped: this processor has {fused:?}, not both AVX2 and AVX-512");
        return;
    }
    for (name, text) in [("small", SMALL), ("noisy", NOISY), ("optical", OPTICAL)] {
        place.file(name, text);
        let [avx2, avx512] = ["avx2", "avx512"].map(|unit| trained(&place, name, unit));
        assert!(avx2 == avx512, "{name}");
    }
}

#[test]
fn a_unit_that_is_not_there_is_refused() {
    let place = Place::new();
    let mut command = place.command(&["devices"]);
    let output = command.env("EQUILUX_VECTORS", "avx1024").output().unwrap();
    let message = common::refusal(&output, 2);
    assert!(message.contains("EQUILUX_VECTORS=avx1024: expected one that is here: portable"));
}

/// Products and loops over slices of many shapes, in one precision: their bits, having compared them
/// with sums in double precision.
fn products<T: equilux::arithmetic::Real>(digest: &mut Sha256) {
    for (m, k, n) in [(1, 1, 1), (17, 5, 9), (48, 64, 16), (70, 33, 3), (96, 1100, 7)] {
        let entry = |i: usize, j: usize| T::of(((i * 7 + j * 13) % 19) as f64 * 0.1 - 0.9);
        let (a, b) = (DMatrix::from_fn(m, k, entry), DMatrix::from_fn(k, n, entry));
        let mut c = DMatrix::from_element(m, n, T::one());
        let (left, right) = (Factor::Plain(a.as_view()), Factor::Plain(b.as_view()));
        add_product(c.as_view_mut(), T::of(-2.0), left, right);
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let sum: f64 = (0..k).map(|l| a[(i, l)].f64() * b[(l, j)].f64()).sum();
            // The bound on k roundings of sums of products below 0.81.
            let tolerance = 2.0 * T::default_epsilon().f64() * (k * k + 1) as f64;
            assert!((c[(i, j)].f64() - (1.0 - 2.0 * sum)).abs() <= tolerance, "{m} x {k} x {n}");
        }
        c.iter().for_each(|value| digest.update(value.bytes()));
    }
}

/// What one process on one vector unit computes; run by the test below.
#[test]
fn products_of_this_process() {
    let mut digest = Sha256::new();
    products::<f32>(&mut digest);
    products::<f64>(&mut digest);
    let digits: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("products {digits} on {}", Unit::asked().unwrap().name());
}

#[test]
fn products_are_right_on_every_vector_unit_and_fused_ones_the_same() {
    let of = |unit: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "products_of_this_process", "--nocapture"]);
        let output = command.env("EQUILUX_VECTORS", unit).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{unit}: {text}");
        let at = text.find("products ").unwrap();
        let line: Vec<&str> = text[at..].lines().next().unwrap().split(' ').collect();
        assert_eq!(line[3], unit, "the switch was not heard");
        line[1].to_owned()
    };
    let found: Vec<String> = units().into_iter().map(of).collect();
    assert!(found[1..].windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
}

#[test]
fn other_bits_are_roundings_apart() {
    // A deep steady state in double precision: what is left is rounding and the tolerance.
    let place = Place::new();
    let text = SMALL
        .replace("tolerance = 1e-3", "tolerance = 1e-12")
        .replace("max_steps = 30", "max_steps = 1000")
        .replace("train_limit = 1000", "train_limit = 200")
        .replace("epochs = 3", "epochs = 1")
        .replace("adam.rate = 0.02", "sgd.rate = 0.02")
        .replace("seed = 5", "seed = 5\nprecision = \"f64\"");
    place.file("deep", &text);
    let values = |unit: &str| {
        trained(&place, "deep", unit);
        let path = place.path(&format!("deep-{unit}/checkpoint.safetensors"));
        equilux::training::Checkpoint::<f64>::read(&path).unwrap().parameters
    };
    let all: Vec<_> = units().into_iter().map(values).collect();
    let single = {
        let settings = ["precision=f32", "relaxation.tolerance=1e-5"].map(String::from);
        let experiment = Experiment::parse(&text, "deep", &settings).unwrap();
        let mut session = Session::<f32>::new(experiment).unwrap();
        session.trainer.train().unwrap();
        session.trainer.values().to_vec()
    };
    for (values, unit) in all.iter().zip(units()) {
        for (name, value) in values {
            let (norm, first) = (value.norm(), &all[0][name]);
            // Two updates of steady states to 1e-12, nudged by 0.1 or more.
            let apart = (value - first).norm();
            assert!(apart <= 1e-9 * norm, "{unit}, {name}: {apart:.1e} of {norm}");
        }
    }
    for ((name, value), single) in all[0].iter().zip(&single) {
        let apart = (value - single.map(f64::from)).norm();
        assert!(apart <= 1e-3 * value.norm(), "f32, {name}: {apart:.1e} of {}", value.norm());
    }
}

#[test]
fn precision_and_device_do_not_change_what_is_drawn() {
    let open = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).into()).collect();
        Experiment::parse(NOISY, "x.toml", &settings).unwrap()
    };
    let double = Session::<f64>::new(open(&["precision=f64"])).unwrap();
    let single = Session::<f32>::new(open(&["precision=f32"])).unwrap();
    let (a, b) = (double.trainer.data(), single.trainer.data());
    // The same samples, in the same parts.
    assert_eq!((&a.train.labels, &a.test.labels), (&b.train.labels, &b.test.labels));
    let apart = (a.train.inputs.map(|x| x as f32) - &b.train.inputs).norm();
    assert!(apart <= 1e-6 * b.train.inputs.norm(), "{apart}");
    // The same start, to rounding.
    for (x, y) in double.trainer.values().iter().zip(single.trainer.values()) {
        let apart = (x - y.map(f64::from)).norm();
        assert!(apart <= 1e-6 * x.norm(), "{apart:e} of {}", x.norm());
    }
}

#[test]
fn shards_and_jobs_do_not_change_a_bit() {
    let place = Place::new();
    place.file("noisy.toml", NOISY.replace("epochs = 3", "epochs = 1"));
    let study = "base = 'noisy.toml'\nseeds = 2\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.4, 0.5, 0.6]\n";
    place.file("study.toml", study);
    let sweep = |more: &[&str]| place.printed(&[&["sweep", "study.toml"], more].concat());
    sweep(&["--out", "whole", "--jobs", "1"]);
    sweep(&["--out", "jobs", "--jobs", "3"]);
    for shard in ["3/3", "1/3", "2/3"] {
        sweep(&["--out", "shards", "--shard", shard]);
    }
    let table = |study: &str| bytes(&place.path(study).join("results.csv"));
    assert!(table("jobs") == table("whole") && table("shards") == table("whole"));
}
