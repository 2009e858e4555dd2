//! Weight maps: exported, read back, and what is wrong with those that are not as they were.

mod common;

use std::fs;

use common::Place;
use equilux::file::matrix::write_matrix;
use equilux::training::Checkpoint;
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

/// A place with a small trained machine on tiled crossbars (`run`).
fn crossbar_run() -> Place {
    let place = Place::new();
    place.file("x.toml", common::NOISY.replace("levels.count = 64", common::TILED));
    place.printed(&["train", "x.toml", "--out", "run", "--set", "training.epochs=1"]);
    place
}

/// A place with a small trained optical machine (`run`).
fn spim_run(settings: &[&str]) -> Place {
    let place = Place::new();
    place.file(
        "x.toml",
        "precision = 'f64'\n[data]\nset = 'wine'\nscaling = 'unit-range'\nclip = 1.0\n[network]\nlayers = [13, 5, 3]\n\
         topology = 'all-to-all'\nactivation = 'sine'\n[network.dynamics.gradient]\nleak = 2.0\n[device.spim]\nsheet = 'spim-generic'\npatterns.count = 6\n\
         [relaxation]\nstep = 0.15\ntolerance = 1e-2\nmax_steps = 30\n[learning]\nrule = 'ep'\nbeta = 0.5\n[training]\nepochs = 1\n\
         optimiser.adam.rate = 0.01\n",
    );
    let train = ["train", "x.toml", "--out", "run"];
    place.printed(&[&train[..], settings].concat());
    place
}

/// A float64 tensor of a safetensors file, row by row.
fn tensor(file: &[u8], name: &str) -> Vec<f64> {
    let tensors = safetensors::SafeTensors::deserialize(file).unwrap();
    let view = tensors.tensor(name).unwrap();
    assert_eq!(view.dtype(), safetensors::Dtype::F64);
    view.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn manifest(place: &Place) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path("maps/manifest.json")).unwrap()).unwrap()
}

#[test]
fn conductances_come_back_as_the_same_machine() {
    let place = crossbar_run();
    let exported = place.json(&["export", "run", "--to", "crossbar", "--out", "maps"]);
    let files = exported["files"].as_array().unwrap();
    // 64 x 12 in 4 x 2 tiles and 12 x 10 in one by two, plus and minus as .npy and .csv; biases;
    // contact sheet; test samples in two files; scaling, predictions, README, PROTOCOL, manifest.
    assert_eq!(files.len(), (8 + 2) * 4 + 2 + 1 + 2 + 5);
    // 64 features of digits, each with what brings it to its input.
    let scaling = fs::read_to_string(place.path("maps/scaling.csv")).unwrap();
    assert_eq!(scaling.lines().next(), Some("feature,offset,factor,clip,mean,name"));
    assert_eq!(scaling.lines().count(), 65);
    assert!(files.iter().all(|file| place.path(file.as_str().unwrap()).is_file()));
    let verified = place.json(&["verify", "maps"]);
    assert_eq!(
        (&verified["ok"], &verified["problems"]),
        (&Value::Bool(true), &Value::Array(vec![]))
    );
    assert_eq!(verified["test_accuracy"], exported["expected"]["accuracy"]);
    // The machine built from the files is the trained one, sample by sample.
    assert_eq!(exported["expected"]["as_trained"], exported["expected"]["samples"]);
    // Every target is a level of the cells.
    let cells =
        equilux::file::matrix::read_matrix(&place.path("maps/0-1.weights.tile-0-0.plus.npy"))
            .unwrap();
    // Word lines x bit lines: what the bench takes.
    assert_eq!(cells.shape(), (20, 8));
    let volts = DMatrix::from_fn(20, 1, |i, _| 0.01 * i as f64 - 0.07);
    write_matrix(&place.path("volts.npy"), &volts).unwrap();
    let solve = ["crossbar", "solve", "--unit", "uS", "--volts", "volts.npy", "--cells"];
    let solved = |side: &str| {
        let file = format!("maps/0-1.weights.tile-0-0.{side}.npy");
        let found = place.json(&[&solve[..], &[&file]].concat());
        let currents = found["currents_A"].as_array().unwrap();
        DVector::from_iterator(8, currents.iter().map(|current| current.as_f64().unwrap()))
    };
    let checkpoint = Checkpoint::<f64>::read(&place.path("run/checkpoint.safetensors")).unwrap();
    let own = checkpoint.machine.part("0-1");
    let weights = own.matrix("cell_targets", (12, 64)).unwrap();
    let scale = manifest(&place)["held"][0]["crossbar"]["weight_per_uS"].as_f64().unwrap();
    let expected = weights.view((0, 0), (8, 20)) * volts / scale * 1e-6;
    // Single precision in the checkpoint.
    assert!((solved("plus") - solved("minus") - &expected).amax() < 1e-6 * expected.amax());
    let array = &manifest(&place)["held"][0]["crossbar"];
    let (low, high) = (array["g_min_uS"].as_f64().unwrap(), array["g_max_uS"].as_f64().unwrap());
    let level = |g: &f64| (g - low) / (high - low) * 63.0;
    assert!(cells.iter().all(|g| (level(g) - level(g).round()).abs() < 1e-9));
}

#[test]
fn masks_come_back_as_the_same_machine() {
    for (settings, sheet, bits) in [
        (&[][..], "hamamatsu-x15213", 8),
        (
            &[
                "--set",
                "device.spim.patterns.values=continuous",
                "--set",
                "training.optimiser.adam.rate=0.1",
            ][..],
            "ti-plm",
            4,
        ),
        (&[][..], "santec-slm-200", 10),
    ] {
        let place = spim_run(settings);
        let exported =
            place.json(&["export", "run", "--to", "slm", "--device", sheet, "--out", "maps"]);
        assert_eq!(
            exported["files"].as_array().unwrap().len(),
            6 + 1 + 2 + 2 + 1 + 2 + 5,
            "{sheet}"
        );
        let held = &manifest(&place)["held"][0]["slm"];
        assert_eq!(
            (&held["bits"], held["masks"].as_array().unwrap().len()),
            (&Value::from(bits), 6)
        );
        assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true), "{sheet}");
    }
}

#[test]
fn binary_masks_are_the_trained_machine_sample_by_sample() {
    let place = spim_run(&["--set", "device.spim.patterns.values=binary"]);
    let exported = place.json(&["export", "run", "--to", "slm", "--out", "maps"]);
    assert_eq!(exported["expected"]["as_trained"], exported["expected"]["samples"]);
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
}

#[test]
fn masks_for_real_panels_come_back_too() {
    // Phases that curve, fall and end beyond a turn; a correction; gratings; many regions on one
    // mask.
    let place = spim_run(&[
        "--set",
        "device.spim.patterns.values=continuous",
        "--set",
        "training.optimiser.adam.rate=0.1",
    ]);
    let trained = tensor(
        &fs::read(place.path("run/checkpoint.safetensors")).unwrap(),
        "parameters/all.patterns",
    );
    let response: Vec<String> =
        (0..256).map(|g| format!("{:.9}", 7.0 * (f64::from(g) / 256.0).powf(1.2))).collect();
    place.file("response.csv", response.join("\n"));
    let table = place.path("response.csv").display().to_string();
    place.file(
        "curved.toml",
        format!(
            "kind = 'spim'\ntitle = 'curved'\n[quantisation.bits]\nvalue = 8\nunit = 'bit'\nsource = 'test'\n\
             [response.table]\nvalue = '{table}'\nunit = '1'\nsource = 'test'\n"
        ),
    );
    let correction = DMatrix::from_fn(40, 40, |row, column| {
        0.004 * ((row as f64 - 20.0).powi(2) + (column as f64 - 20.0).powi(2))
    });
    write_matrix(&place.path("correction.npy"), &correction).unwrap();
    let options: [&[&str]; 6] = [
        &["--sign", "minus"],
        &["--device", "curved.toml"],
        &["--correction", "correction.npy"],
        &["--carrier", "0.125,-0.07"],
        &[
            "--device",
            "curved.toml",
            "--correction",
            "correction.npy",
            "--carrier",
            "0.1,0.2",
            "--sign",
            "minus",
            "--phases",
        ],
        &["--phases"],
    ];
    for option in options {
        place.printed(&[&["export", "run", "--to", "slm", "--out", "maps"], option].concat());
        let verified = place.json(&["verify", "maps"]);
        assert_eq!(
            (&verified["ok"], &verified["problems"]),
            (&Value::Bool(true), &Value::Array(vec![])),
            "{option:?}"
        );
        // Training goes on from what the masks show, within what a level rounds off a phase.
        place.printed(&["import", "maps", "--out", "again"]);
        let back = tensor(
            &fs::read(place.path("again/checkpoint.safetensors")).unwrap(),
            "parameters/all.patterns",
        );
        let apart = trained
            .iter()
            .zip(&back)
            .map(|(a, b)| (a.clamp(-1.0, 1.0).acos() - b.acos()).abs())
            .fold(0.0, f64::max);
        // Half of the widest step between levels: of a turn, or of the response above.
        let turn = std::f64::consts::TAU / 256.0;
        let step = if option.contains(&"curved.toml") { 7.0 * 1.2 / 256.0 } else { turn };
        assert!(apart < step / 2.0, "{option:?}: {apart} rad");
        for directory in ["maps", "again"] {
            fs::remove_dir_all(place.path(directory)).unwrap();
        }
    }
    let refused = |option: &[&str], expected: &str| {
        let message = place
            .refused(2, &[&["export", "run", "--to", "slm", "--out", "maps"], option].concat());
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
        assert!(!place.path("maps").exists());
    };
    refused(&["--bits", "12"], "--bits 12: the modulator has 8 bits");
    refused(&["--bits", "20"], "20 is not in 1..=16");
    refused(&["--carrier", "0.7,0"], "expected two numbers from -0.5 to 0.5");
    write_matrix(&place.path("correction.npy"), &correction.rows(0, 39).into_owned()).unwrap();
    refused(
        &["--correction", "correction.npy"],
        "correction.npy: expected 40 x 40 radians, rows x columns of the panel, found 39 x 40",
    );
}

#[test]
fn one_mask_of_many_regions_comes_back() {
    let place = spim_run(&[
        "--set",
        "device.spim.frames.multiplexing=focal-plane",
        "--set",
        "device.spim.panel.width_px=400",
        "--set",
        "device.spim.panel.height_px=300",
    ]);
    let exported = place.json(&["export", "run", "--to", "slm", "--out", "maps"]);
    assert_eq!(manifest(&place)["held"][0]["slm"]["masks"].as_array().unwrap().len(), 1);
    assert_eq!(exported["expected"]["as_trained"], exported["expected"]["samples"]);
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
}

#[test]
fn tensors_are_written_for_other_programs() {
    let place = crossbar_run();
    place.printed(&["export", "run", "--to", "safetensors", "--out", "maps"]);
    let bytes = fs::read(place.path("maps/weights.safetensors")).unwrap();
    assert_eq!(
        safetensors::SafeTensors::deserialize(&bytes)
            .unwrap()
            .tensor("0-1.weights")
            .unwrap()
            .shape(),
        [12, 64]
    );
    for target in ["safetensors", "npz", "aihwkit"] {
        let out = format!("maps-{target}");
        place.printed(&["export", "run", "--to", target, "--out", &out]);
        assert_eq!(place.json(&["verify", &out])["ok"], Value::Bool(true), "{target}");
    }
    let optical = spim_run(&[]);
    assert!(
        optical
            .refused(2, &["export", "run", "--to", "aihwkit", "--out", "m"])
            .contains("feedforward chains of arrays")
    );
}

#[test]
fn training_goes_on_from_an_export() {
    let place = crossbar_run();
    place.printed(&["export", "run", "--to", "crossbar", "--out", "maps"]);
    let said = place.printed(&["import", "maps", "--out", "again"]);
    assert!(said.contains("equilux train again/config.toml --out again --resume"), "{said}");
    // What comes in goes out again, to the last bit.
    place.printed(&["export", "again", "--to", "crossbar", "--out", "maps-2"]);
    for side in ["plus", "minus"] {
        let cells = |maps: &str| {
            fs::read(place.path(maps).join(format!("0-1.weights.tile-1-2.{side}.npy"))).unwrap()
        };
        assert_eq!(cells("maps"), cells("maps-2"));
    }
    place.printed(&["train", "again/config.toml", "--out", "again", "--resume"]);
    assert_eq!(fs::read_to_string(place.path("again/metrics.csv")).unwrap().lines().count(), 1 + 1);
    assert!(
        place.refused(2, &["import", "maps", "--out", "again"]).contains("not an empty directory")
    );
    assert!(
        place
            .refused(2, &["import", "nowhere", "--out", "m"])
            .contains("nowhere: no directory of an export")
    );
}

#[test]
fn what_was_changed_is_found_and_named() {
    let place = crossbar_run();
    place.printed(&["export", "run", "--to", "crossbar", "--out", "maps"]);
    let whole = fs::read(place.path("maps/0-1.weights.tile-0-0.plus.npy")).unwrap();
    let problem = |expected: &str| {
        let message = place.refused(2, &["verify", "maps"]);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    };
    let file = |content: &[u8]| {
        fs::write(place.path("maps/0-1.weights.tile-0-0.plus.npy"), content).unwrap()
    };
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    file(&changed);
    problem("0-1.weights.tile-0-0.plus.npy: changed: SHA-256");
    fs::remove_file(place.path("maps/0-1.weights.tile-0-0.plus.npy")).unwrap();
    problem("0-1.weights.tile-0-0.plus.npy: missing");
    file(&whole);
    let text = fs::read_to_string(place.path("maps/manifest.json")).unwrap();
    let rewrite = |from: &str, to: &str| {
        assert!(text.contains(from));
        fs::write(place.path("maps/manifest.json"), text.replacen(from, to, 1)).unwrap();
    };
    let scale = manifest(&place)["held"][0]["crossbar"]["weight_per_uS"].to_string();
    rewrite(&format!("\"weight_per_uS\": {scale}"), "\"weight_per_uS\": 0.5");
    problem("0-1.weights: weight_per_uS = 0.5: the device's range makes it");
    rewrite(
        "\"outputs\": [\n              0,\n              8\n",
        "\"outputs\": [\n              4,\n              12\n",
    );
    problem("0-1.weights: its 768 pairs of cells do not tile 12 x 64 weights");
    rewrite("equilux-export", "somebody-else");
    problem("not a manifest of equilux");
    rewrite("\"version\": 2", "\"version\": 7");
    problem("expected \"version\": 2, found 7");
    fs::write(place.path("maps/manifest.json"), &text[..text.len() / 2]).unwrap();
    problem("manifest.json: damaged");
    fs::remove_file(place.path("maps/manifest.json")).unwrap();
    problem("maps: not an export: it has no manifest.json");
}

#[test]
fn masks_that_were_changed_are_found_and_named() {
    let place = spim_run(&[]);
    place.printed(&["export", "run", "--to", "slm", "--out", "maps"]);
    let text = fs::read_to_string(place.path("maps/manifest.json")).unwrap();
    for (from, to, expected) in [
        ("\"checker_px\": 1,", "\"checker_px\": 2,", "mask-001.png: not a mask of 21 values"),
        ("\"width_px\": 40,", "\"width_px\": 30,", "do not fit a panel of 30 x 40 pixels"),
        ("\"bits\": 8,", "\"bits\": 10,", "mask-001.png: expected 16-bit grey"),
        (
            "\"orders\": [\n",
            "\"orders\": [\n 0.9,",
            "of the light into its orders, the manifest says [0.9",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(place.path("maps/manifest.json"), text.replacen(from, to, 1)).unwrap();
        let message = place.refused(2, &["verify", "maps"]);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

#[test]
fn what_does_not_fit_a_device_is_not_exported() {
    let place = crossbar_run();
    let refused = |arguments: &[&str], expected: &str| {
        let message =
            place.refused(2, &[&["export", "run", "--out", "maps"][..], arguments].concat());
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
        assert!(!place.path("maps").exists(), "something was left behind");
    };
    refused(&["--to", "slm"], "--to slm: this run is on resistive crossbars");
    refused(&["--to", "crossbar", "--device", "no-such-sheet"], "no-such-sheet");
    place.file(
        "narrow.toml",
        fs::read_to_string("devices/ideal-crossbar.toml").unwrap()
            + "\n[cells.weight_max]\nvalue = 0.01\nunit = '1'\nsource = 'test'\n",
    );
    refused(
        &["--to", "crossbar", "--device", "narrow.toml"],
        "weights are beyond the range of the cells",
    );
    place.printed(&[
        "export",
        "run",
        "--out",
        "maps",
        "--to",
        "crossbar",
        "--device",
        "narrow.toml",
        "--clip",
    ]);
    assert!(manifest(&place)["held"][0]["crossbar"]["clipped"].as_u64().unwrap() > 0);
    let message = place.refused(2, &["export", "run", "--out", "maps", "--to", "crossbar"]);
    assert!(message.contains("maps: not an empty directory"), "{message}");
    assert!(
        place
            .refused(2, &["export", "nowhere", "--out", "m", "--to", "crossbar"])
            .contains("nowhere")
    );

    let optical = spim_run(&[]);
    let small = ["export", "run", "--to", "slm", "--out", "maps", "--device", "small.toml"];
    let sheet = "kind = 'spim'\ntitle = 'small'\n[panel.width_px]\nvalue = 24\nunit = 'px'\nsource = 'test'\n\
                 [panel.height_px]\nvalue = 16\nunit = 'px'\nsource = 'test'\n";
    optical.file("small.toml", sheet);
    let message = optical.refused(2, &small);
    assert!(
        message.contains("a panel of 24 x 16 pixels has room for 3 x 2 macro-pixels"),
        "{message}"
    );
    assert!(!optical.path("maps").exists());
}
