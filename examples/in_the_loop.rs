//! Trained in the loop, or trained on ideal arrays and then transferred? Digits on phase-change
//! cells an hour after they were written.
//!
//! Weights trained on ideal arrays of the same range are programmed into each device as they are;
//! weights trained in the loop met its errors while they learned. `cargo run --release --example
//! in_the_loop [SEEDS]`

use std::path::Path;

use equilux::Result;
use equilux::arithmetic::{Span, Statistics};
use equilux::experiment::{Experiment, Session};
use equilux::training::Trainer;

/// The devices: a name, and what is set beside `configs/digits-pcm.toml`.
const DEVICES: [(&str, &[&str]); 5] = [
    ("as configured", &[]),
    ("write-and-verify within 0.6 uS", &["programming.tolerance_uS=0.6", "programming.attempts=5"]),
    ("wires of 20 ohm", &["wires.r_word_ohm=20", "wires.r_bit_ohm=20"]),
    ("after a month, uncompensated", &["age.at=\"30 d\"", "drift.compensation=false"]),
    ("4 % of cells stuck at 25 uS", &["stuck.at_max=0.04"]),
];

/// Arrays of the same range without any imperfection.
const IDEAL: &[&str] =
    &["sheet=\"ideal-crossbar\"", "age.at=\"0 s\"", "wires.r_word_ohm=0", "wires.r_bit_ohm=0"];

fn experiment(seed: u64, settings: &[&str]) -> Result<Experiment> {
    let settings = settings.iter().map(|setting| format!("device.crossbar.{setting}"));
    Experiment::load(
        Path::new("configs/digits-pcm.toml"),
        &settings.chain([format!("seed={seed}")]).collect::<Vec<_>>(),
    )
}

fn trained(experiment: Experiment) -> Result<Trainer<f32>> {
    let mut session = Session::new(experiment)?;
    session.trainer.train()?;
    Ok(session.trainer)
}

/// Mean and standard deviation, in percent; of one seed there is no deviation.
fn percent(accuracies: &[f64]) -> String {
    let found = Statistics::of(accuracies, Span::Between(0.0, 1.0));
    found.map_or("-".into(), |Statistics { mean, deviation, .. }| {
        let spread = deviation.map_or(String::new(), |sd| format!(" +- {:4.2}", 100.0 * sd));
        format!("{:5.2}{spread} %", 100.0 * mean)
    })
}

fn main() -> Result<()> {
    let seeds: u64 = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(5);
    let mut ideal =
        (1..=seeds).map(|seed| trained(experiment(seed, IDEAL)?)).collect::<Result<Vec<_>>>()?;
    let accuracies = ideal
        .iter_mut()
        .map(|trainer| Ok(trainer.evaluate_test()?.score().value()))
        .collect::<Result<Vec<f64>>>()?;
    println!("ideal arrays                     {}", percent(&accuracies));
    println!("{:32} {:16} {:16} gap", "device", "in the loop", "transferred");
    for (name, settings) in DEVICES {
        let (mut looped, mut transferred, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        for (seed, ideal) in (1..=seeds).zip(&ideal) {
            let device = experiment(seed, settings)?;
            looped.push(trained(device.clone())?.evaluate_test()?.score().value());
            let mut machine = device.machine::<f32>()?;
            machine.program(&mut ideal.values().to_vec())?;
            let objective = device.learning.objective();
            let found =
                objective.evaluate(machine.as_mut(), &ideal.data().test, &ideal.data().outputs)?;
            transferred.push(found.score().value());
            gaps.push(looped[looped.len() - 1] - transferred[transferred.len() - 1]);
        }
        println!(
            "{name:32} {:16} {:16} {}",
            percent(&looped),
            percent(&transferred),
            percent(&gaps)
        );
    }
    Ok(())
}
