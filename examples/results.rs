//! The table of results in the README: test accuracies, mean and standard deviation over splits.
//!
//! `cargo run --release --example results [SEEDS]`: seeds 1 to 5, if not said otherwise.

use std::path::Path;

use equilux::Result;
use equilux::arithmetic::{Real, Span, Statistics};
use equilux::experiment::{Experiment, Precision, Session};
use rayon::prelude::*;

/// A row: what it is, its rule, the experiment, and settings over it.
struct Row(&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: [Row; 5] = [
    Row(
        "Wine, SPIM, 32 binary patterns, 8-bit phases, 8-bit camera, 1 % read noise",
        "EP",
        "wine-spim",
        &[],
    ),
    Row(
        "Wine, SPIM, 32 continuous patterns, no noise",
        "EP",
        "wine-spim",
        &[
            "device.spim.sheet=ideal-slm",
            "device.spim.patterns.values=continuous",
            "measurement.samples=1",
            "relaxation.max_steps=300",
            "relaxation.tolerance=1e-5",
            "training.optimiser.adam.rate=0.01",
        ],
    ),
    Row(
        "Digits 64-48-32-10, crossbars with noise and 8-bit converters",
        "AsymEP",
        "digits-crossbar",
        &[],
    ),
    Row("Digits 64-48-32-10, exact arrays", "AsymEP", "digits-crossbar", &["device=exact"]),
    Row(
        "Digits 64-48-32-10, exact arrays",
        "vector field",
        "digits-crossbar",
        &["device=exact", "learning.rule=vector-field"],
    ),
];

/// The test accuracy of one run, percent.
fn accuracy<T: Real>(experiment: Experiment) -> Result<f64> {
    let mut trainer = Session::<T>::new(experiment)?.trainer;
    trainer.train()?;
    Ok(100.0 * trainer.evaluate_test()?.score().value())
}

fn main() -> Result<()> {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(5);
    println!("| machine | rule | test accuracy |\n|---|---|---|");
    for Row(machine, rule, config, settings) in ROWS {
        let path = format!("{}/configs/{config}.toml", env!("CARGO_MANIFEST_DIR"));
        let accuracies: Vec<f64> = (1..=seeds)
            .into_par_iter()
            .map(|seed: u64| {
                let mut settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
                settings.push(format!("seed={seed}"));
                let experiment = Experiment::load(Path::new(&path), &settings)?;
                match experiment.precision {
                    Precision::F32 => accuracy::<f32>(experiment),
                    Precision::F64 => accuracy::<f64>(experiment),
                }
            })
            .collect::<Result<_>>()?;
        let Some(Statistics { mean, deviation, .. }) =
            Statistics::of(&accuracies, Span::Between(0.0, 1.0))
        else {
            continue;
        };
        let spread = deviation.map_or(String::new(), |sd| format!(" +- {sd:.1}"));
        println!("| {machine} | {rule} | {mean:.1}{spread} % |");
    }
    Ok(())
}
