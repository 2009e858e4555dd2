//! Which imperfection of a laboratory costs an optical machine most: Wine as in arXiv 2606.13454,
//! one effect off at a time.
//!
//! `cargo run --release --example spim_ablation [SPLITS]`: 3 splits, none of which was used to
//! choose a number, if not said otherwise.

use std::path::Path;

use equilux::Result;
use equilux::experiment::{Experiment, Session};
use rayon::prelude::*;

/// A laboratory that trains for a third of the ideal machine's epochs, with steps as large as its
/// noise allows; the camera behind a pinhole, one pixel.
const LABORATORY: [&str; 6] = [
    "device.spim.sheet=spim-laboratory",
    "device.spim.region.side_px=1",
    "relaxation.step=0.3",
    "relaxation.max_steps=15",
    "training.epochs=15",
    "learning.beta=1",
];

/// Each effect and the settings that take it away.
const EFFECTS: [(&str, &[&str]); 12] = [
    ("phase quantisation", &["quantisation.bits=0"]),
    ("fringing fields", &["fringing.sigma=0.0"]),
    ("dead zone", &["dead_zone.fill_factor=1.0"]),
    ("common flicker", &["flicker.amplitude=0.0"]),
    ("pixel flicker", &["pixel_flicker.sd_rad=0.0"]),
    ("illumination", &["illumination.radius=0.0"]),
    ("aberration", &["aberration.correction=1.0"]),
    ("laser noise", &["laser.noise=0.0"]),
    ("shot noise", &["camera.electrons=0.0"]),
    ("camera bits", &["camera.bits=0"]),
    ("read noise", &["camera.noise=0.0"]),
    ("settling", &["settling.rise_ms=0.0", "settling.fall_ms=0.0"]),
];

/// Test accuracies, one a split, in percent.
fn accuracies(settings: &[String], splits: u64) -> Result<Vec<f64>> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/spim-wine-paper.toml"));
    (201..=200 + splits)
        .into_par_iter()
        .map(|seed| {
            let experiment =
                Experiment::load(path, &[settings, &[format!("seed={seed}")]].concat())?;
            let mut trainer = Session::<f64>::new(experiment)?.trainer;
            trainer.train()?;
            Ok(100.0 * trainer.evaluate_test()?.accuracy())
        })
        .collect()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (mean, (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt())
}

fn main() -> Result<()> {
    let splits = std::env::args().nth(1).and_then(|splits| splits.parse().ok()).unwrap_or(3);
    let laboratory: Vec<String> = LABORATORY.iter().map(|setting| setting.to_string()).collect();
    let without = |settings: &[&str]| {
        let off = settings.iter().map(|setting| format!("device.spim.{setting}"));
        laboratory.iter().cloned().chain(off).collect::<Vec<_>>()
    };
    println!(
        "{:28} test accuracy, {splits} splits   more than in the laboratory (standard error)",
        "machine"
    );
    let whole = accuracies(&laboratory, splits)?;
    let row = |name: &str, found: &[f64]| {
        let (mean, spread) = moments(found);
        let more: Vec<f64> = found.iter().zip(&whole).map(|(found, whole)| found - whole).collect();
        let (more, error) = (moments(&more).0, moments(&more).1 / (splits as f64).sqrt());
        println!("{name:28} {mean:6.2} +- {spread:5.2} %             {more:+5.2} ({error:4.2})");
    };
    row("laboratory", &whole);
    row("ideal", &accuracies(&[], splits)?);
    row(
        "laboratory, uncompensated",
        &accuracies(&without(&["patterns.compensated=false"]), splits)?,
    );
    for (name, settings) in EFFECTS {
        row(&format!("laboratory, no {name}"), &accuracies(&without(settings), splits)?);
    }
    Ok(())
}
