//! Arrays whose cells were measured one by one: they run and train as they are.

mod common;

use std::collections::HashMap;

use common::{Place, write_npz};
use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice};
use equilux::file::matrix::read_matrix;
use nalgebra::DMatrix;

const EXPERIMENT: &str = "seed = 2\nprecision = 'f64'\ndata.set = 'wine'\nnetwork.layers = [13, 6, 3]\ntraining.epochs = 3\n\
     training.optimiser.sgd.rate = 0.1\n[device.crossbar]\ndrive.range = 3.0\nmap.file = 'cells.npz'\n";

/// Conductances G+ and G- of the array `name`, word lines x bit lines, as an export has them.
fn exported(place: &Place, run: &str, name: &str) -> [DMatrix<f64>; 2] {
    let out = format!("{run}-maps");
    if !place.path(&out).exists() {
        place.printed(&["export", run, "--to", "crossbar", "--out", &out]);
    }
    ["plus", "minus"].map(|side| {
        read_matrix(&place.path(&format!("{out}/{name}.weights.tile-0-0.{side}.npy"))).unwrap()
    })
}

#[test]
fn an_array_as_it_was_measured_runs() {
    let place = Place::new();
    // A machine without a map, and its array measured after training.
    let plain = EXPERIMENT.replace("map.file = 'cells.npz'\n", "");
    place.file("plain.toml", &plain);
    place.printed(&["train", "plain.toml", "--out", "plain", "--set", "network.bias=false"]);
    let mut arrays = HashMap::new();
    for name in ["0-1", "1-2"] {
        let cells = exported(&place, "plain", name);
        for (side, cells) in ["plus", "minus"].into_iter().zip(cells) {
            arrays.insert(format!("{name}.{side}.stuck"), cells);
        }
    }
    let all: Vec<(&str, &DMatrix<f64>)> =
        arrays.iter().map(|(name, m)| (name.as_str(), m)).collect();
    write_npz(&place.path("cells.npz"), &all);
    // Cells that hold what was measured make the machine that was measured, whatever is written to them.
    let expected = place.json(&["evaluate", "plain"]);
    place.file("frozen.toml", EXPERIMENT);
    let frozen = place.json(&[
        "train",
        "frozen.toml",
        "--out",
        "frozen",
        "--set",
        "network.bias=false",
        "--set",
        "training.epochs=1",
    ]);
    assert!(expected["test_accuracy"].as_f64().unwrap() > 0.8, "{expected}");
    for key in ["test_accuracy", "confusion"] {
        assert_eq!(frozen[key], expected[key], "{key}");
    }
}

#[test]
fn cells_that_no_write_moves_are_trained_around() {
    let place = Place::new();
    let mut stuck = DMatrix::from_element(13, 6, f64::NAN);
    // An open cell, one at the top, and a word line of which half the cells are open.
    (stuck[(0, 0)], stuck[(4, 2)]) = (0.0, 25.0);
    (0..3).for_each(|bit| stuck[(7, bit)] = 0.0);
    let error = DMatrix::from_fn(13, 6, |word, _| if word < 6 { 0.0 } else { 2.0 });
    write_npz(&place.path("cells.npz"), &[("0-1.plus.stuck", &stuck), ("0-1.minus.error", &error)]);
    place.file("x.toml", EXPERIMENT);
    let trained = place.json(&["train", "x.toml", "--out", "run"]);
    assert!(trained["test_accuracy"].as_f64().unwrap() > 0.8, "{trained}");
    // A copy is with the run: the same bits from it alone.
    let evaluated = || place.json(&["evaluate", "run"])["test_accuracy"].clone();
    let before = evaluated();
    std::fs::remove_file(place.path("cells.npz")).unwrap();
    assert_eq!(evaluated(), before);
    assert_eq!(before, trained["test_accuracy"]);
    let verified = {
        place.printed(&["export", "run", "--to", "crossbar", "--out", "maps"]);
        place.json(&["verify", "maps"])
    };
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn maps_of_other_arrays_are_refused() {
    let place = Place::new();
    place.file("x.toml", EXPERIMENT);
    let right = DMatrix::from_element(13, 6, 1.0);
    let turned = right.transpose();
    let mut negative = right.clone();
    negative[(2, 3)] = -1.0;
    for (name, cells, expected) in [
        ("0-2.plus.stuck", &right, "0-2.plus.stuck: expected ARRAY.plus.stuck"),
        ("0-1.plus.stuk", &right, "did you mean `0-1.plus.stuck`?"),
        ("0-1.plus.stuck", &turned, "expected 13 word lines x 6 bit lines, found [6, 13]"),
        (
            "0-1.plus.stuck",
            &negative,
            "word line 2, bit line 3: expected microsiemens of at least 0, found -1",
        ),
    ] {
        write_npz(&place.path("cells.npz"), &[(name, cells)]);
        let refused = place.refused(2, &["train", "x.toml", "--out", "run"]);
        assert!(refused.contains("map.file") && refused.contains(expected), "{refused}");
    }
    write_npz(&place.path("cells.npz"), &[("0-1.plus.error", &right)]);
    let twice =
        ["train", "x.toml", "--out", "run", "--set", "device.crossbar.programming.error_uS=1"];
    assert!(place.refused(2, &twice).contains("expected one of them"));
    // What has no network has no such cells.
    let device: CrossbarDevice = toml::from_str("map.file = 'cells.npz'").unwrap();
    let alone = Crossbar::<f64>::new(device, right, Key::new(1, "alone")).unwrap_err().to_string();
    assert!(alone.contains("expected an experiment"), "{alone}");
}
