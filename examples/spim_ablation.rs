//! Which imperfection of a laboratory costs an optical machine most: Wine as in arXiv 2606.13454, one effect off at a time.
//!
//! `cargo run --release --example spim_ablation [SPLITS]`: 3 splits, none of which was used to choose a number, if not said otherwise.

use std::path::Path;

use equilux::Result;
use equilux::config::Experiment;
use equilux::data::{Dataset, Parts};
use equilux::training::Trainer;

/// A laboratory that trains for a third of the ideal machine's epochs, with steps as large as its noise allows; the camera behind a
/// pinhole, one pixel.
const LABORATORY: [&str; 6] = [
    "device.spim.sheet=spim-laboratory",
    "device.spim.camera_region_px=1",
    "relaxation.step=0.3",
    "relaxation.max_steps=15",
    "training.epochs=15",
    "learning.beta=1",
];

/// Each effect and the settings that take it away.
const EFFECTS: [(&str, &[&str]); 12] = [
    ("phase quantisation", &["phase_bits=0"]),
    ("fringing fields", &["crosstalk_sigma=0.0"]),
    ("dead zone", &["fill_factor=1.0"]),
    ("common flicker", &["flicker=0.0"]),
    ("pixel flicker", &["pixel_flicker_rad=0.0"]),
    ("illumination", &["beam_radius=0.0"]),
    ("aberration", &["zernike_correction=1.0"]),
    ("laser noise", &["laser_noise=0.0"]),
    ("shot noise", &["camera_electrons=0.0"]),
    ("camera bits", &["camera_bits=0"]),
    ("read noise", &["camera_noise=0.0"]),
    ("settling", &["response_ms=0.0"]),
];

fn accuracies(settings: &[String], seeds: u64) -> Result<Vec<f64>> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/spim-wine-paper.toml"));
    (201..=200 + seeds)
        .map(|seed| {
            let experiment = Experiment::load(path, &[settings, &[format!("seed={seed}")]].concat())?;
            let parts = Parts::<f64>::prepare(Dataset::load(&experiment.data)?, &experiment.data, seed)?;
            let mut trainer = Trainer::new(experiment.clone(), Box::new(experiment.machine::<f64>()?), parts)?;
            while !trainer.is_finished() {
                trainer.epoch(&mut |_| {})?;
            }
            Ok(100.0 * trainer.evaluate_test()?.0.accuracy())
        })
        .collect()
}

fn row(name: &str, settings: &[String], seeds: u64) -> Result<()> {
    let found = accuracies(settings, seeds)?;
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let spread = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (found.len() as f64 - 1.0).max(1.0);
    println!("{name:28} {mean:6.2} +- {:5.2} %", spread.sqrt());
    Ok(())
}

fn main() -> Result<()> {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    let laboratory: Vec<String> = LABORATORY.iter().map(|setting| setting.to_string()).collect();
    let without = |settings: &[&str]| {
        let off = settings.iter().map(|setting| format!("device.spim.{setting}"));
        laboratory.iter().cloned().chain(off).collect::<Vec<_>>()
    };
    println!("{:28} test accuracy, {seeds} splits", "machine");
    row("ideal", &[], seeds)?;
    row("laboratory", &laboratory, seeds)?;
    row("laboratory, uncompensated", &without(&["illumination_corrected=false"]), seeds)?;
    for (name, settings) in EFFECTS {
        row(&format!("laboratory, no {name}"), &without(settings), seeds)?;
    }
    Ok(())
}
