//! Which imperfection of a laboratory costs an optical machine most: Wine as in arXiv 2606.13454,
//! one effect off at a time. Every machine is trained with the same settings on the same splits, and
//! compared with the laboratory split by split.
//!
//! `cargo run --release --example spim_ablation [SPLITS]`: 3 splits, none of which was used to
//! choose a number, if not said otherwise.

use std::path::Path;

use equilux::Result;
use equilux::arithmetic::Statistics;
use equilux::experiment::{Experiment, Session};
use rayon::prelude::*;

/// The laboratory, trained for as long as it can be: 15 epochs of phases of 40 steps, as large as
/// its noise allows; the camera behind a pinhole, one pixel.
const LABORATORY: [&str; 6] = [
    "device.spim.sheet=spim-laboratory",
    "device.spim.region.side_px=1",
    "relaxation.step=0.3",
    "relaxation.max_steps=40",
    "training.epochs=15",
    "learning.beta=1",
];

/// Each effect and the settings that take it away.
const EFFECTS: [(&str, &[&str]); 22] = [
    ("phase quantisation", &["quantisation.bits=0"]),
    ("fringing fields", &["fringing.sigma=0.0"]),
    ("dead zone", &["dead_zone.fill_factor=1.0"]),
    ("common flicker", &["flicker.amplitude=0.0"]),
    ("pixel flicker", &["pixel_flicker.sd_rad=0.0"]),
    ("illumination", &["illumination.radius=0.0"]),
    ("aberration", &["aberration.correction=1.0"]),
    ("laser noise", &["laser.noise=0.0"]),
    ("1/f laser noise", &["laser_flicker.density=0.0"]),
    ("calibration", &["calibration.phase_rad=0.0", "calibration.unit_of_light=0.0"]),
    ("varied response", &["varied_response.slope=[0.0, 0.0]", "varied_response.map_sd=0.0"]),
    ("misregistration", &MISREGISTRATION),
    ("unmodulated light", &["unmodulated.coherent=0.0", "unmodulated.incoherent=0.0"]),
    ("phase drift", &["phase_drift.in_an_hour=0.0"]),
    ("power drift", &["power_drift.in_an_hour=0.0"]),
    ("pointing drift", &["drift.in_an_hour_px=0.0"]),
    ("non-uniformity, hot pixels", &["non_uniformity.sd=0.0", "hot_pixels.fraction=0.0"]),
    ("camera curve, dark level", &CURVE),
    ("shot noise", &["camera.electrons=0.0"]),
    ("camera bits", &["camera.bits=0"]),
    ("read noise", &["camera.noise=0.0"]),
    ("settling", &["settling.rise_ms=0.0", "settling.fall_ms=0.0"]),
];

const MISREGISTRATION: [&str; 3] = [
    "registration.camera_px=[0.0, 0.0]",
    "registration.panel_px=[0.0, 0.0]",
    "registration.rotation_mrad=0.0",
];

const CURVE: [&str; 3] =
    ["non_linearity.bend=0.0", "dark_level.level=0.0", "dark_level.residual=0.0"];

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

fn main() -> Result<()> {
    let splits = std::env::args().nth(1).and_then(|splits| splits.parse().ok()).unwrap_or(3);
    let laboratory: Vec<String> = LABORATORY.iter().map(|setting| setting.to_string()).collect();
    let without = |settings: &[&str]| {
        let off = settings.iter().map(|setting| format!("device.spim.{setting}"));
        laboratory.iter().cloned().chain(off).collect::<Vec<_>>()
    };
    println!("machine                      test accuracy        more than the laboratory, 95 %");
    let whole = accuracies(&laboratory, splits)?;
    let row = |name: &str, found: &[f64]| {
        let more: Vec<f64> = found.iter().zip(&whole).map(|(found, whole)| found - whole).collect();
        let [Some(found), Some(more)] = [Statistics::of(found), Statistics::of(&more)] else {
            return;
        };
        let half = more.half_width.unwrap_or(0.0);
        println!(
            "{name:28} {:6.2} +- {:5.2} %   {:+6.2} ({:+.2} to {:+.2})",
            found.mean,
            found.deviation.unwrap_or(0.0),
            more.mean,
            more.mean - half,
            more.mean + half
        );
    };
    row("laboratory", &whole);
    let all: Vec<&str> =
        EFFECTS.iter().flat_map(|(_, settings)| settings.iter().copied()).collect();
    row("no imperfection", &accuracies(&without(&all), splits)?);
    row("no compensation", &accuracies(&without(&["patterns.compensated=false"]), splits)?);
    for (name, settings) in EFFECTS {
        row(&format!("no {name}"), &accuracies(&without(settings), splits)?);
    }
    row("ideal, 60 epochs, 150 steps", &accuracies(&[], splits)?);
    Ok(())
}
