//! A bench measured over the wire: what was put into the simulated one is found again.

mod common;

use std::f64::consts::TAU;

use common::Place;
use equilux::coupler::spim::SpimDevice;
use equilux::coupler::spim::optics::Optics;
use equilux::experiment::{Device, Experiment};

const SHEET: [(&str, f64, &str); 17] = [
    ("panel.width_px", 96.0, "px"),
    ("panel.height_px", 80.0, "px"),
    ("panel.macro_pixel_px", 16.0, "px"),
    ("quantisation.bits", 8.0, "bit"),
    ("response.scale", 1.12, "1"),
    ("response.gamma", 1.08, "1"),
    ("dead_zone.fill_factor", 0.96, "1"),
    ("dead_zone.reflectivity", 0.5, "1"),
    ("fringing.sigma", 1.4, "1/px"),
    ("flicker.amplitude", 0.01, "1"),
    ("illumination.radius", 1.2, "1"),
    ("laser.noise", 0.005, "1"),
    ("camera.bits", 12.0, "bit"),
    ("camera.electrons", 10_000.0, "electron"),
    ("camera.noise", 0.002, "1"),
    ("unmodulated.coherent", 0.03, "1"),
    ("unmodulated.phase_rad", 1.0, "rad"),
];

fn bench(place: &Place) -> String {
    let mut text = String::from("kind = \"spim\"\ntitle = \"a bench\"\n");
    for (key, value, unit) in SHEET {
        let whole = key.ends_with("_px") || key.ends_with("bits");
        let value = if whole { format!("{value:.0}") } else { format!("{value:?}") };
        text += &format!("[{key}]\nvalue = {value}\nunit = \"{unit}\"\nsource = \"a test\"\n");
    }
    place.file("bench.toml", text);
    format!("{} serve bench.toml", env!("CARGO_BIN_EXE_equilux"))
}

/// What calibration says of a bench.
struct Found(serde_json::Value);

impl Found {
    fn number(&self, key: &str) -> f64 {
        let number = self.0["numbers"][key]["value"].as_f64();
        number.unwrap_or_else(|| panic!("no {key}: {}", self.0))
    }

    fn near(&self, key: &str, expected: f64, part: f64) {
        let found = self.number(key);
        println!("{key}: {found}, expected {expected}");
        assert!((found / expected - 1.0).abs() < part, "{key}: {found}, expected {expected}");
    }

    /// The phases of levels, to 0.02 rad rms.
    fn phases(&self, truth: impl Fn(usize) -> f64) {
        let phases: Vec<f64> = serde_json::from_value(self.0["phases"].clone()).unwrap();
        let square: f64 = phases.iter().enumerate().map(|(g, own)| (own - truth(g)).powi(2)).sum();
        let rms = (square / phases.len() as f64).sqrt();
        println!("phases: {rms} rad rms");
        assert!(rms < 0.02, "{rms} rad rms");
    }

    /// A complex number told by its size and its phase, to 0.02.
    fn light(&self, [size, phase]: [&str; 2], truth: [f64; 2]) {
        let [re, im] = polar(self.number(size), self.number(phase));
        let apart = (re - polar(truth[0], truth[1])[0]).hypot(im - polar(truth[0], truth[1])[1]);
        println!("{size}: {} at {}, expected {truth:?}", self.number(size), self.number(phase));
        assert!(apart < 0.02, "{size}: {} at {}", self.number(size), self.number(phase));
    }

    /// The standard deviations of frames of some intensities, to a twentieth.
    fn noise(&self, intensities: &[f64], truth: impl Fn(f64) -> f64) {
        let read = self.number("camera.noise");
        let shot = 1.0 / self.number("camera.electrons");
        let laser = self.number("laser.noise");
        for intensity in intensities {
            let intensity = *intensity;
            let own = (read * read + shot * intensity + (laser * intensity).powi(2)).sqrt();
            println!("noise at {intensity}: {own}, expected {}", truth(intensity));
            let apart = own / truth(intensity) - 1.0;
            assert!(apart.abs() < 0.05, "at {intensity}: {own}, expected {}", truth(intensity));
        }
    }
}

fn polar(size: f64, phase: f64) -> [f64; 2] {
    [size * phase.cos(), size * phase.sin()]
}

#[test]
fn calibration_finds_what_was_put_in() {
    let place = Place::new();
    let bench = bench(&place);
    let found = place.json(&["laboratory", "calibrate", &bench, "--out", "found.toml"]);
    println!("{found}");
    let found = Found(found);
    assert!(found.0["frames"].as_u64().unwrap() < 8000, "a few thousand frames");
    found.phases(|g| TAU * 1.12 * (g as f64 / 256.0).powf(1.08));
    found.near("fringing.sigma", 1.4, 0.1);
    found.near("illumination.radius", 1.2, 0.02);
    assert!((found.number("dead_zone.fill_factor") - 0.96).abs() < 0.02);
    found.light(["dead_zone.reflectivity", "dead_zone.phase_rad"], [0.5, 0.0]);
    found.light(["unmodulated.coherent", "unmodulated.phase_rad"], [0.03, 1.0]);
    found.noise(&[0.01, 0.1, 0.3, 0.7], |intensity| {
        (0.002f64.powi(2) + intensity / 1e4 + (0.005 * intensity).powi(2)).sqrt()
    });
    found.near("flicker.amplitude", 0.01, 0.3);
    let drift: [f64; 2] = serde_json::from_value(found.0["drift"]["light"].clone()).unwrap();
    assert!(drift[0].abs() < 5.0 * drift[1], "{drift:?}");
    // The sheet is a sheet, and the page of a check can be kept.
    assert!(place.printed(&["devices", "found.toml"]).contains("measured"));
    let page = place.json(&["laboratory", "check", &bench, "--drift", "0"]);
    let ratios: Vec<f64> = serde_json::from_value(page["orientation"].clone()).unwrap();
    assert!(ratios.iter().all(|ratio| *ratio > 10.0), "{page}");
    assert!(
        page["repeatability"].as_f64().unwrap() < 0.03 && page["darkness"].as_f64().unwrap() < 0.05
    );
}

/// Every pixel of a whole panel with every imperfection: some minutes in a release build.
#[test]
#[ignore = "skipped: takes minutes (cargo test --release --test laboratory_bench -- --ignored)"]
fn calibration_finds_a_whole_laboratory() {
    let place = Place::new();
    let begun = std::time::Instant::now();
    let served = format!("{} serve spim-laboratory", env!("CARGO_BIN_EXE_equilux"));
    let found = place.json(&["laboratory", "calibrate", &served, "--out", "found.toml"]);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} frames in {seconds:.0} s\n{}", found["frames"], found["numbers"]);
    check_whole(&Found(found));
}

/// Holds what was found against the bench that `spim-laboratory` describes.
fn check_whole(found: &Found) {
    let experiment = Experiment::of_sheet("spim-laboratory", &[]).unwrap();
    let Device::Spim(device) = &experiment.device else { panic!("another device") };
    let chip = SpimDevice::chip(experiment.seed, experiment.chip, 0);
    let optics = Optics::on_chip(device, device.panel.room(1).unwrap(), chip).unwrap();
    // The panel as a whole changes phases by the mean of its map, where the light is.
    let gains = optics.phase_gains.as_ref().unwrap().iter().enumerate();
    let gain = gains.map(|(at, gain)| gain * optics.amplitude(at)).sum::<f64>() / optics.light();
    let phase = |g: usize| optics.response.phase(g as f64 / 256.0);
    found.phases(|g| (1.0 + gain) * (phase(g) - phase(0)));
    found.near("fringing.sigma", device.fringing.sigma, 0.1);
    found.near("illumination.radius", device.illumination.radius, 0.02);
    let dead_zone = &device.dead_zone;
    let fill = found.number("dead_zone.fill_factor");
    assert!((fill - dead_zone.fill_factor).abs() < 0.02, "fill factor {fill}");
    found.light(
        ["dead_zone.reflectivity", "dead_zone.phase_rad"],
        [dead_zone.reflectivity, dead_zone.phase_rad],
    );
    let window = &device.unmodulated;
    found.light(
        ["unmodulated.coherent", "unmodulated.phase_rad"],
        [window.coherent, window.phase_rad],
    );
    // In less light the codes of 8 bits hide a camera pixel's noise.
    found.noise(&[0.1, 0.3, 0.7], |intensity| {
        optics.detector.resolution(intensity).hypot(device.laser.noise * intensity)
    });
    found.near("flicker.amplitude", device.flicker.amplitude, 0.3);
}
