//! A bench measured over the wire: what was put into the simulated one is found again.

mod common;

use std::f64::consts::TAU;

use common::Place;

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

#[test]
fn calibration_finds_what_was_put_in() {
    let place = Place::new();
    let bench = bench(&place);
    let found = place.json(&["laboratory", "calibrate", &bench, "--out", "found.toml"]);
    let number = |key: &str| found["numbers"][key]["value"].as_f64().unwrap();
    println!("{found}");
    assert!(found["frames"].as_u64().unwrap() < 8000, "a few thousand frames");

    let phases: Vec<f64> = serde_json::from_value(found["phases"].clone()).unwrap();
    let truth = |g: usize| TAU * 1.12 * (g as f64 / 256.0).powf(1.08);
    let square: f64 = phases.iter().enumerate().map(|(g, own)| (own - truth(g)).powi(2)).sum();
    assert!((square / 256.0).sqrt() < 0.02, "{} rad rms", (square / 256.0).sqrt());
    let near = |key: &str, expected: f64, part: f64| {
        let found = number(key);
        assert!((found / expected - 1.0).abs() < part, "{key}: {found}, expected {expected}");
    };
    near("fringing.sigma", 1.4, 0.1);
    near("illumination.radius", 1.2, 0.02);
    // What dead zones and the window add to the modulated light: fill 0.96, its rest 0.5 of it.
    let constant = [0.04 * 0.5 + 0.03 * 1f64.cos(), 0.03 * 1f64.sin()].map(|part| part / 0.96);
    let (size, phase) = (number("unmodulated.coherent"), number("unmodulated.phase_rad"));
    let apart = (size * phase.cos() - constant[0]).hypot(size * phase.sin() - constant[1]);
    assert!(apart < 0.02, "{size} at {phase}");
    // The deviation of a frame, whatever its intensity.
    let deviation = |[read, electrons, laser]: [f64; 3], intensity: f64| {
        (read * read + intensity / electrons + (laser * intensity).powi(2)).sqrt()
    };
    let own = ["camera.noise", "camera.electrons", "laser.noise"].map(number);
    for intensity in [0.01, 0.1, 0.3, 0.7] {
        let (own, truth) = (deviation(own, intensity), deviation([0.002, 1e4, 0.005], intensity));
        assert!((own / truth - 1.0).abs() < 0.05, "at {intensity}: {own}, expected {truth}");
    }
    // The sheet is a sheet, and the page of a check can be kept.
    assert!(place.printed(&["devices", "found.toml"]).contains("measured"));
    let page = place.json(&["laboratory", "check", &bench, "--drift", "0"]);
    let ratios: Vec<f64> = serde_json::from_value(page["orientation"].clone()).unwrap();
    assert!(ratios.iter().all(|ratio| *ratio > 10.0), "{page}");
    assert!(
        page["repeatability"].as_f64().unwrap() < 0.03 && page["darkness"].as_f64().unwrap() < 0.05
    );
}
