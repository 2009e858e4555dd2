//! Datasheets from measurements: what is known of a device comes back within its stated error.

mod common;

use std::f64::consts::PI;
use std::fmt::Write;

use common::Place;
use equilux::arithmetic::Real;
use equilux::arithmetic::random::{Key, Stream};
use equilux::coupler::crossbar::{Pulses, StepModel, Threshold};
use equilux::experiment::{Device, Sheet};
use serde_json::Value;

fn stream(name: &'static str) -> Stream {
    Key::new(1, name).stream()
}

/// The number of a line such as "0.0203 +- 0.0004 fraction", and its error.
fn stated(source: &str) -> (f64, f64) {
    let words: Vec<&str> = source.split_whitespace().collect();
    let at = words.iter().rposition(|word| *word == "+-").unwrap_or_else(|| panic!("{source}"));
    (words[at - 1].parse().unwrap(), words[at + 1].parse().unwrap())
}

/// Checks that each number of `sheet` is the truth, within four of its errors, of which it has no more
/// than `most` of the truth (or itself).
fn comes_back(sheet: &Value, truths: &[(&str, f64, f64)]) {
    for (key, truth, most) in truths {
        let source = sheet["numbers"][key]["source"].as_str().unwrap_or_else(|| panic!("no {key}"));
        let (found, error) = stated(source);
        assert!((found - truth).abs() < 4.0 * error, "{key}: {found} +- {error}, in truth {truth}");
        assert!(error < *most, "{key}: an error of {error} says little");
    }
}

/// Cells from 2 to 22 uS, pulsed up and down in cycles, read with noise.
fn pulsed(pulses: &Pulses, read_us: f64, cells: usize) -> String {
    let (mut cell_stream, mut noise) = (stream("cells"), stream("pulses"));
    let mut text = String::from("cell,cycle,pulse,conductance_uS\n");
    for cell in 0..cells {
        let steps = pulses.draw(&mut cell_stream);
        let mut w = -0.8;
        let read = |w: f64, noise: &mut Stream| 12.0 + 10.0 * w + read_us * f64::normal(noise);
        for cycle in 0..3 {
            let _ = writeln!(text, "c{cell},{cycle},up,{}", read(w, &mut noise));
            for (pulse, up) in [("up", true), ("down", false)] {
                for _ in 0..150 {
                    w = pulses.pulse(&steps, w, up, &mut noise);
                    let _ = writeln!(text, "c{cell},{cycle},{pulse},{}", read(w, &mut noise));
                }
            }
        }
    }
    text
}

#[test]
fn pulsed_cells_come_back() {
    let place = Place::new();
    let truth = Pulses {
        model: StepModel::SoftBounds,
        step: 0.03,
        step_spread: 0.2,
        step_noise: 0.3,
        up_down: 0.25,
        up_down_spread: 0.05,
        low_spread: 0.1,
        high_spread: 0.1,
        ..Pulses::default()
    };
    place.file("pulses.csv", pulsed(&truth, 0.05, 60));
    let sheet = place.json(&["fit", "pulses.csv", "--out", "mine.toml"]);
    comes_back(
        &sheet,
        &[
            ("cells.g_min_uS", 2.0, 0.3),
            ("cells.g_max_uS", 22.0, 0.3),
            ("pulses.step", 0.03, 0.0015),
            ("pulses.step_spread", 0.2, 0.04),
            ("pulses.step_noise", 0.3, 0.05),
            ("pulses.up_down", 0.25, 0.03),
            ("pulses.up_down_spread", 0.05, 0.03),
            ("pulses.high_spread", 0.1, 0.03),
            ("pulses.low_spread", 0.1, 0.03),
            ("read_noise.sd_uS", 0.05, 0.01),
        ],
    );
    // The sheet is one: it reads, and a machine of it learns.
    let Device::Crossbar(device) =
        Sheet::find(place.path("mine.toml").to_str().unwrap()).unwrap().device().unwrap()
    else {
        unreachable!()
    };
    assert_eq!(device.pulses.model, StepModel::SoftBounds);
    place.file(
        "x.toml",
        "data.set = 'wine'\nnetwork.layers = [13, 3]\ntraining.epochs = 2\ntraining.optimiser.sgd.rate = 0.1\n\
         [device.crossbar]\nsheet = 'mine.toml'\n",
    );
    place.printed(&["train", "x.toml", "--out", "run"]);
    let page = std::fs::read_to_string(place.path("mine.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
}

#[test]
fn cells_that_are_alike_have_no_spread() {
    let place = Place::new();
    let truth =
        Pulses { model: StepModel::SoftBounds, step: 0.03, step_noise: 0.3, ..Pulses::default() };
    for (name, read_us) in [("quiet", 0.0), ("loud", 0.3)] {
        place.file("pulses.csv", pulsed(&truth, read_us, 40));
        let sheet = place.json(&["fit", "pulses.csv", "--out", &format!("{name}.toml")]);
        for key in ["step_spread", "up_down_spread", "low_spread", "high_spread"] {
            let found = sheet["numbers"][format!("pulses.{key}")]["value"].as_f64().unwrap();
            assert!(found < 0.015, "{name}: {key} = {found}");
        }
        let reads = sheet["numbers"]["read_noise.sd_uS"]["value"].as_f64().unwrap();
        assert!((reads - read_us).abs() < 0.02, "{name}: {reads}");
    }
}

#[test]
fn steps_that_do_not_shrink_are_constant() {
    let place = Place::new();
    let truth =
        Pulses { model: StepModel::Constant, step: 0.005, step_noise: 0.5, ..Pulses::default() };
    place.file("pulses.csv", pulsed(&truth, 0.0, 20));
    let sheet = place.json(&["fit", "pulses.csv", "--out", "mine.toml"]);
    assert_eq!(sheet["numbers"]["pulses.model"]["value"], "constant");
    // In units of half the range that was seen.
    let range = ["cells.g_max_uS", "cells.g_min_uS"]
        .map(|key| sheet["numbers"][key]["value"].as_f64().unwrap());
    let unit = 0.5 * (range[0] - range[1]);
    let step = sheet["numbers"]["pulses.step"]["value"].as_f64().unwrap() * unit;
    assert!((step / 0.05 - 1.0).abs() < 0.05, "{step}");
}

#[test]
fn cells_that_only_rise_are_pairs() {
    let place = Place::new();
    let truth =
        Pulses { model: StepModel::SoftBounds, step: 0.05, step_noise: 0.2, ..Pulses::default() };
    let (mut cells, mut noise) = (stream("cells"), stream("pulses"));
    let mut text = String::from("cell,pulse,conductance_nS\n");
    for cell in 0..30 {
        let (steps, mut w) = (truth.draw(&mut cells), 0.0);
        for pulse in 1..=60 {
            let _ = writeln!(text, "{cell},{pulse},{}", 1000.0 * (0.1 + 20.0 * w));
            w = truth.pulse(&steps, w, true, &mut noise);
        }
    }
    place.file("pulses.csv", text);
    let sheet = place.json(&["fit", "pulses.csv", "--out", "mine.toml"]);
    assert_eq!(sheet["numbers"]["pulses.direction"]["value"], "up");
    comes_back(
        &sheet,
        &[
            ("cells.g_max_uS", 20.1, 0.3),
            ("pulses.step", 0.05, 0.002),
            ("pulses.step_noise", 0.2, 0.05),
        ],
    );
}

#[test]
fn reads_writes_and_drift_come_back_in_one_sheet() {
    let place = Place::new();
    let mut noise = stream("reads");
    let mut normal = || f64::normal(&mut noise);
    let deviation = |g: f64| 0.02 + 0.01 * g;
    let mut reads = String::from("cell,conductance_uS\n# a comment\n");
    let mut writes = String::from("target_uS,conductance_uS\n");
    let mut drift = String::from("cell,time_ms,conductance_uS\n");
    for cell in 0..80 {
        let g = 1.0 + 0.25 * f64::from(cell);
        let nu = 0.05 + 0.01 * normal();
        for read in 0..50 {
            let _ = writeln!(reads, "{cell},{}", g + deviation(g) * normal());
            let target = [2.0, 8.0, 16.0][read % 3];
            let _ = writeln!(writes, "{target},{}", target + 0.1 + 0.05 * target * normal());
            let time = 20.0 * 1.3f64.powi(read as i32);
            let error = 1.0 + 0.005 * normal();
            let _ =
                writeln!(drift, "{cell},{},{}", 1e3 * time, g * (time / 20.0).powf(-nu) * error);
        }
    }
    for (name, text) in [("reads.csv", reads), ("writes.csv", writes), ("drift.csv", drift)] {
        place.file(name, text);
    }
    let all = ["fit", "reads.csv", "writes.csv", "drift.csv", "--out", "mine.toml"];
    let sheet = place.json(&all);
    let curve = |key: &str| -> Vec<(f64, f64)> {
        let points = sheet["numbers"][key]["value"].as_array().unwrap();
        points.iter().map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap())).collect()
    };
    // 490 degrees of freedom a point: a deviation to 3.2 %.
    for (g, found) in curve("read_noise.sd_points_uS") {
        assert!((found / deviation(g) - 1.0).abs() < 0.16, "{g}: {found}");
    }
    let writes = curve("programming.error_points_uS");
    assert_eq!(writes.iter().map(|point| point.0).collect::<Vec<_>>(), [2.0, 8.0, 16.0]);
    for (g, found) in writes {
        assert!((found / (0.05 * g) - 1.0).abs() < 0.1, "{g}: {found}");
    }
    let source = sheet["numbers"]["programming.error_points_uS"]["source"].as_str().unwrap();
    assert!(source.contains("off its target by 0.1"), "{source}");
    for (key, truth) in [("drift.nu", 0.05), ("drift.nu_sd", 0.01)] {
        let (found, error) = stated(sheet["numbers"][key]["source"].as_str().unwrap());
        assert!((found - truth).abs() < 4.0 * error && error < 0.004, "{key}: {found} +- {error}");
    }
    let shown = place.printed(&["devices", "mine.toml"]);
    assert!(shown.contains("fit to 4000 reads of 80 cells in reads.csv"), "{shown}");
    // Nothing is written over.
    assert!(place.refused(2, &all).contains("mine.toml: exists"));
}

#[test]
fn a_noisy_response_rises_again() {
    let place = Place::new();
    let mut noise = stream("phases");
    // 2.9 pi of stroke, not quite straight, 0.02 rad of noise, read between 0 and 2 pi.
    let phase = |level: i32| 2.9 * PI * (f64::from(level) / 255.0).powf(1.1);
    let mut text = String::from("level,phase_rad\n");
    for level in 0..256 {
        let read = (phase(level) + 0.4 + 0.02 * f64::normal(&mut noise)).rem_euclid(2.0 * PI);
        let _ = writeln!(text, "{level},{read}");
    }
    place.file("raw.csv", &text);
    std::fs::create_dir(place.path("sheets")).unwrap();
    let sheet = place.json(&["fit", "raw.csv", "--out", "sheets/slm.toml"]);
    assert_eq!(sheet["numbers"]["quantisation.bits"]["value"], 8);
    let table = std::fs::read_to_string(place.path("sheets/slm.response.csv")).unwrap();
    let found: Vec<f64> = table.lines().map(|line| line.parse().unwrap()).collect();
    assert!(found.windows(2).all(|pair| pair[1] > pair[0]));
    let errors = found.iter().zip(0..).map(|(found, level)| (found - phase(level)).powi(2));
    let rms = (errors.sum::<f64>() / 256.0).sqrt();
    // Level 0 has the noise of the first plateau.
    assert!(rms < 0.025, "{rms}");
    assert!(sheet["numbers"]["response.table"]["source"].as_str().unwrap().contains("rad rms"));
    // Where phases begin is nobody's choice, nor where a turn is cut.
    for (name, begin) in [("zero", 0.0), ("below", -0.01), ("pi", PI), ("far", 5.0)] {
        let mut text = String::from("level;phase_rad\n");
        for level in 0..256 {
            let read = phase(level) + begin + 0.03 * f64::normal(&mut noise);
            let read = (read + PI).rem_euclid(2.0 * PI) - PI;
            let _ = writeln!(text, "{level};{}", read.to_string().replace('.', ","));
        }
        place.file("cut.csv", &text);
        place.printed(&["fit", "cut.csv", "--out", &format!("{name}.toml")]);
        let table = std::fs::read_to_string(place.path(&format!("{name}.response.csv"))).unwrap();
        let last: f64 = table.lines().last().unwrap().parse().unwrap();
        assert!((last - 2.9 * PI).abs() < 0.1, "{name}: {last}");
    }
    // As measured it is refused, with what to do.
    place.printed(&["devices", "sheets/slm.toml"]);
    let phases: Vec<&str> =
        text.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
    place.file("sheets/slm.response.csv", phases.join("\n"));
    let refused = place.refused(2, &["devices", "sheets/slm.toml"]);
    assert!(refused.contains("equilux fit"), "{refused}");
}

#[test]
fn a_response_that_varies_comes_back_region_by_region() {
    let place = Place::new();
    let mut noise = stream("regions");
    let (down, across) = (3, 4);
    let phase = |level: i32| 2.3 * PI * (f64::from(level) / 255.0).powf(1.2);
    // Of mean 0: the response is that of the panel on average.
    let change =
        |row: i32, column: i32| 0.03 * f64::from(row - 1) + 0.01 * (f64::from(column) - 1.5);
    let mut text = String::from("row,column,level,phase_rad\n");
    for (row, column) in (0..down).flat_map(|row| (0..across).map(move |column| (row, column))) {
        // Each region begins where it likes and is read between 0 and 2 pi.
        let begin = f64::from(3 * row + column);
        for level in (0..256).step_by(3) {
            let read =
                (1.0 + change(row, column)) * phase(level) + begin + 0.02 * f64::normal(&mut noise);
            let _ =
                writeln!(text, "{},{},{level},{}", row + 1, column + 1, read.rem_euclid(2.0 * PI));
        }
    }
    place.file("regions.csv", &text);
    place.printed(&["fit", "regions.csv", "--out", "slm.toml"]);
    let numbers = |name: &str| -> Vec<f64> {
        let table = std::fs::read_to_string(place.path(name)).unwrap();
        table
            .split([',', '\n'])
            .filter(|cell| !cell.is_empty())
            .map(|cell| cell.parse().unwrap())
            .collect()
    };
    let changes = numbers("slm.varied_response.csv");
    for (at, found) in changes.iter().enumerate() {
        let truth = change(at as i32 / across, at as i32 % across);
        // 86 phases of 0.02 rad over 7 rad: each change to 0.0012.
        assert!((found - truth).abs() < 0.005, "{at}: {found}, in truth {truth}");
    }
    assert_eq!(changes.len(), 12);
    let phases = numbers("slm.response.csv");
    assert!((phases[255] / phase(255) - 1.0).abs() < 0.005, "{}", phases[255]);
    let page = std::fs::read_to_string(place.path("slm.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    // It is the map of a device, which the wave tier follows.
    place.file(
        "x.toml",
        "data.set = 'wine'\nnetwork = { layers = [13, 3], topology = 'all-to-all' }\ntraining.epochs = 1\n\
         training.optimiser.sgd.rate = 0.1\n[device.spim]\nsheet = 'slm.toml'\npatterns.count = 2\n",
    );
    let shown = place.printed(&["devices", "slm.toml"]);
    assert!(shown.contains("varied_response.map"), "{shown}");
    place.printed(&["train", "x.toml", "--out", "run"]);
    // A hole in the panel is no region.
    let holed: Vec<&str> = text.lines().filter(|line| !line.starts_with("2,3,")).collect();
    place.file("holed.csv", holed.join("\n"));
    let refused = place.refused(2, &["fit", "holed.csv", "--out", "holed.toml"]);
    assert!(refused.contains("no phase of row 2, column 3"), "{refused}");
    let text = |rows: [i32; 2], levels: [i32; 2]| {
        let mut text = String::from("row,column,level,phase_rad\n1,1,0,0\n1,1,9,1\n1,1,20,3\n");
        for (row, level) in
            rows.into_iter().flat_map(|row| [(row, 0), (row, levels[0]), (row, levels[1])])
        {
            let _ = writeln!(text, "{row},1,{level},{}", f64::from(level) / 7.0);
        }
        text
    };
    for (text, expected) in [
        (
            text([2, 4], [9, 20]),
            "row 4 after 2: expected regions of an evenly divided panel, steps of 1",
        ),
        (text([2, 3], [8, 20]), "region 2, 1 of 3 x 1: phases of other levels"),
    ] {
        place.file("odd.csv", text);
        let refused = place.refused(2, &["fit", "odd.csv", "--out", "odd.toml"]);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_is_no_measurement_is_refused() {
    let place = Place::new();
    for (text, expected) in [
        ("", "no measurement"),
        ("a,b\n1,2\n", "columns a, b: expected level, phase_rad"),
        ("cell,conductance_uS\n", "no measurement"),
        ("cell,conductance_uS\n1,2\n2,3\n", "every cell is read once"),
        (
            "cell,conductance_uS\n1,2\n1,x\n",
            "line 3: conductance_uS = \"x\": expected a finite number",
        ),
        ("cell,conductance_uS\n1,2\n1\n", "not a table"),
        ("cell,conductance_V\n1,2\n", "expected level, phase_rad"),
        ("cell,conductance\n1,2\n", "names with their units"),
        ("level,phase_rad\n0,0\n1.5,1\n", "line 3: level = 1.5: expected a whole number"),
        ("level,phase_rad\n0,1\n1,0.5\n", "phases do not rise"),
        ("cell,pulse,conductance_uS\n1,up,2\n1,sideways,3\n", "line 3: pulse = \"sideways\""),
        ("cell,pulse,conductance_uS\n1,up,2\n1,up,3\n", "too few pulses up"),
        (
            "cell,time_s,conductance_uS\n1,0,2\n",
            "line 2: expected a time and a conductance above 0",
        ),
        ("cell,time_s,conductance_uS\n1,1,2\n1,2,2\n", "expected at least three times"),
        ("target_uS,conductance_uS\n1,1\n2,2\n", "every target was written once"),
        ("target_uS,conductance_uS\n1,1\n-2,2\n", "line 3: target_uS = -2: expected 0 or more"),
        (
            "cell,conductance_uS\n1,2\n1,2.1\n2,-3\n2,-3.1\n",
            "line 4: conductances of -3.050 uS: expected 0 or more on average",
        ),
    ] {
        place.file("m.csv", text);
        let refused = place.refused(2, &["fit", "m.csv", "--out", "x.toml"]);
        assert!(refused.contains(expected), "{text:?}: {refused}");
        assert!(!place.path("x.toml").exists() && !place.path("x.html").exists());
    }
    // Noise takes reads of cells at 0 below it; their means, all of them 0, are one point.
    let noise =
        |row: usize| if row.is_multiple_of(2) { 0.1 } else { -0.1 - 0.01 * (row / 4) as f64 };
    let rows = (0..40).map(|row| format!("{},{}\n", row / 4, noise(row)));
    place.file("noise.csv", format!("cell,conductance_uS\n{}", rows.collect::<String>()));
    let found = place.json(&["fit", "noise.csv", "--out", "noise.toml"]);
    let points = found["numbers"]["read_noise.sd_points_uS"]["value"].as_array().unwrap();
    let squares: f64 = (0..10).map(|cell| (0.2 + 0.01 * f64::from(cell)).powi(2) / 3.0).sum();
    assert_eq!(points.len(), 1, "{points:?}");
    let expected = (squares / 10.0).sqrt();
    assert!((points[0][1].as_f64().unwrap() / expected - 1.0).abs() < 1e-3, "{points:?}");
    place.file("a.csv", "level,phase_rad\n0,0\n1,1\n");
    place.file("b.csv", "cell,conductance_uS\n1,2\n1,2.1\n");
    let refused = place.refused(2, &["fit", "a.csv", "b.csv", "--out", "x.toml"]);
    assert!(refused.contains("expected those of one device"), "{refused}");
    let refused = place.refused(2, &["fit", "b.csv", "b.csv", "--out", "x.toml"]);
    assert!(refused.contains("was found in another file already"), "{refused}");
    assert!(place.refused(2, &["fit", "a.csv", "--out", "x.txt"]).contains("ends in .toml"));
}

#[test]
fn drift_of_states_is_a_law_of_conductance() {
    let place = Place::new();
    let mut noise = stream("states");
    let mut normal = || f64::normal(&mut noise);
    let law = |g: f64| 0.04 - 0.01 * (g / 20.0).ln();
    let mut text = String::from("cell,time_s,conductance_uS\n");
    for cell in 0..100 {
        let g = 20.0 * 0.05f64.powf(f64::from(cell % 20) / 19.0);
        let nu = law(g) + 0.004 * normal();
        for read in 0..30 {
            let time = 20.0 * 1.4f64.powi(read);
            let error = 1.0 + 0.002 * normal();
            let _ = writeln!(text, "{cell},{time},{}", g * (time / 20.0).powf(-nu) * error);
        }
    }
    place.file("drift.csv", text);
    let pulses = Pulses { model: StepModel::SoftBounds, step: 0.02, ..Pulses::default() };
    place.file("pulses.csv", pulsed(&pulses, 0.02, 6));
    for (files, highest) in [(&["drift.csv"][..], 20.0), (&["pulses.csv", "drift.csv"], 22.0)] {
        let out = format!("mine-{}.toml", files.len());
        let arguments = [&["fit"], files, &["--out", &out]].concat();
        let sheet = place.json(&arguments);
        let number = |key: &str| sheet["numbers"][key]["value"].clone();
        let g_max = number("cells.g_max_uS").as_f64().unwrap();
        assert!((g_max / highest - 1.0).abs() < 0.05, "{g_max}");
        let form: Vec<f64> = serde_json::from_value(number("drift.nu")).unwrap();
        for g in [1.0, 3.0, 10.0, 20.0] {
            let found = (form[0] * (g / g_max).ln() + form[1]).clamp(form[2], form[3]);
            // Four errors of a line through 100 cells with a spread of 0.004.
            assert!((found - law(g)).abs() < 0.003, "{g} uS: {found}, in truth {}", law(g));
        }
        let (spread, error) = stated(sheet["numbers"]["drift.nu_sd"]["source"].as_str().unwrap());
        assert!((spread - 0.004).abs() < 4.0 * error && error < 0.001, "{spread} +- {error}");
        assert!(place.printed(&["devices", &out]).contains("by a factor e of conductance"));
    }
}

#[test]
fn cells_that_are_not_linear_come_back() {
    let place = Place::new();
    let mut noise = stream("laws");
    let mut normal = || f64::normal(&mut noise);
    // I = G u + a u^2 + b u^3 of uA, uS and V; and Poole's sinh, which is no such polynomial.
    let cube = |g: f64| 6.0 + 2.0 * (g / 40.0).ln();
    let sinh = |g: f64, u: f64| g / 2.0 * (2.0 * u).sinh();
    for (name, square) in [("law", 3.0), ("sinh", 0.0)] {
        let mut text = String::from("cell,voltage_mV,current_nA\n");
        for cell in 0..30 {
            let g = 20.0 * 5f64.powf(f64::from(cell) / 29.0);
            for step in -20..=20 {
                let u = 0.025 * f64::from(step);
                let current = match name {
                    "law" => g * u + square * u * u + cube(g) * u.powi(3),
                    _ => sinh(g, u),
                };
                let _ = writeln!(text, "{cell},{},{}", 1e3 * u, 1e3 * (current + 0.01 * normal()));
            }
        }
        for step in 0..10 {
            let _ = writeln!(text, "open,{},{}", 50 * step, normal());
        }
        place.file(&format!("{name}.csv"), text);
        let out = format!("{name}.toml");
        let found = place.json(&["fit", &format!("{name}.csv"), "--out", &out]);
        assert_eq!(found["numbers"]["current.square"].is_null(), square == 0.0, "{found}");
        assert!(found["numbers"]["selector.leak"].is_null(), "{found}");
        let source = found["numbers"]["current.cube"]["source"].as_str().unwrap();
        assert!(
            source.contains("1230 currents of 30 cells") && source.contains("0.5 V"),
            "{source}"
        );
        let device = Sheet::crossbar(place.path(&out).to_str().unwrap()).unwrap();
        for g in [20.0, 30.0, 50.0, 99.0] {
            let [a, b] = device.current.coefficients(1e-6 * g).map(|x| 1e6 * x);
            if name == "law" {
                assert!((a - square).abs() < 0.02 && (b - cube(g)).abs() < 0.1, "{g}: {a} {b}");
            } else {
                // What a cube cannot follow of a sinh up to 0.5 V is 0.1 % of it.
                let u = 0.45;
                let current = g * u + a * u * u + b * u.powi(3);
                assert!((current / sinh(g, u) - 1.0).abs() < 3e-3, "{g}: {current}");
            }
        }
    }
    // A selector in series with all of them.
    let series = Threshold { volts: 0.2, leak: 0.05 };
    let mut text = String::from("cell,voltage_V,current_uA\n");
    for cell in 0..20 {
        let g = 20.0 + 4.0 * f64::from(cell);
        for step in -20..=20 {
            let u = 0.025 * f64::from(step);
            let w = series.leaves(u);
            let _ = writeln!(text, "{cell},{u},{}", g * w + 20.0 * w.powi(3) + 0.02 * normal());
        }
    }
    place.file("selected.csv", text);
    let found = place.json(&["fit", "selected.csv", "--out", "selected.toml"]);
    for (key, truth, most) in [("threshold_V", 0.2, 1e-3), ("leak", 0.05, 1e-2)] {
        let number = &found["numbers"][format!("selector.{key}")];
        let (value, error) = stated(number["source"].as_str().unwrap());
        assert!((value - truth).abs() < 4.0 * error && error < most, "{key}: {value} +- {error}");
    }
    assert!(found["numbers"]["current.square"].is_null(), "{found}");
    for (text, expected) in [
        ("1,0.1,1\n1,0.2,2\n1,0.3,3\n", "line 2: cell 1: 3 currents: expected at least 5"),
        ("1,0.1,0\n1,0.2,0\n1,0.3,0\n1,-0.1,0\n1,-0.2,0\n", "no cell conducts"),
        ("1,0.1,1\n1,0.1,1\n1,0.1,1\n1,0.1,1\n1,0.1,1\n1,0.1,1\n", "at as many voltages"),
    ] {
        place.file("m.csv", format!("cell,voltage_V,current_uA\n{text}"));
        let refused = place.refused(2, &["fit", "m.csv", "--out", "x.toml"]);
        assert!(refused.contains(expected), "{text:?}: {refused}");
    }
}
