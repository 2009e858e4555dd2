//! Crossbars on the bench and in training: against reference values, and with what users get wrong.

mod common;

use common::Place;
use equilux::coupler::Port;
use equilux::coupler::crossbar::{CellLaw, Wires, effective, solve};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// The cells in siemens, the wires and the voltages of a case of tests/reference/crossbar.json.
fn case(case: &Value) -> (DMatrix<f64>, Wires, DVector<f64>) {
    let wires = Wires {
        r_word_ohm: case["r_word"].as_f64().unwrap(),
        r_bit_ohm: case["r_bit"].as_f64().unwrap(),
        ..Wires::default()
    };
    let (resistance, volts): (DMatrix<f64>, Vec<f64>) = match case["name"].as_str().unwrap() {
        "32x32" => (
            DMatrix::from_fn(32, 32, |i, j| 1e4 * (1.0 + ((7 * i + 3 * j) % 11) as f64 / 2.0)),
            (0..32).map(|i| 0.1 + 0.01 * f64::from(i % 5)).collect(),
        ),
        "20x48 rectangular, unequal wires" => (
            DMatrix::from_fn(20, 48, |i, j| 5e3 * (1.0 + ((5 * i + 11 * j) % 13) as f64)),
            (0..20).map(|i| -0.2 + 0.02 * f64::from(i % 21)).collect(),
        ),
        _ => {
            let rows: Vec<Vec<f64>> =
                case["resistance_ohm"].as_array().unwrap().iter().map(numbers).collect();
            (DMatrix::from_fn(3, 3, |i, j| rows[i][j]), numbers(&case["v"]))
        }
    };
    (resistance.map(|r| 1.0 / r), wires, DVector::from_vec(volts))
}

fn cases() -> Vec<Value> {
    let reference: Value = serde_json::from_str(include_str!("reference/crossbar.json")).unwrap();
    reference["cases"].as_array().unwrap().clone()
}

fn agree(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-10 * expected.abs().max(1e-3 * scale),
            "{found} is not {expected}"
        );
    }
}

#[test]
fn currents_and_effective_matrices_are_the_reference_s() {
    for reference in cases() {
        let (cells, wires, volts) = case(&reference);
        let matrix = effective(&cells, wires).unwrap();
        let expected = numbers(&reference["i"]);
        agree(matrix.tr_mul(&volts).as_slice(), &expected);
        agree(
            solve(&cells, CellLaw::straight, wires, &volts, Port::Forward)
                .unwrap()
                .currents
                .as_slice(),
            &expected,
        );
        for (key, row) in [("effective_row_0", 0), ("effective_row_31", 31)] {
            if reference.get(key).is_some() {
                agree(
                    &matrix.row(row).iter().copied().collect::<Vec<_>>(),
                    &numbers(&reference[key]),
                );
            }
        }
        if let Some(rows) = reference.get("effective_s") {
            for (i, row) in rows.as_array().unwrap().iter().enumerate() {
                agree(&matrix.row(i).iter().copied().collect::<Vec<_>>(), &numbers(row));
            }
        }
    }
}

#[test]
fn perfect_wires_give_the_cells_and_other_ports_the_transpose() {
    for reference in cases() {
        let (cells, wires, _) = case(&reference);
        assert_eq!(effective(&cells, Wires::default()).unwrap(), cells);
        let (rows, columns) = cells.shape();
        // The array turned over: bit lines are its word lines, from the bottom end of the last one.
        let turned = DMatrix::from_fn(columns, rows, |i, j| cells[(rows - 1 - j, columns - 1 - i)]);
        for wires in [wires, Wires { r_bit_ohm: 0.0, ..wires }, Wires { r_word_ohm: 0.0, ..wires }]
        {
            let matrix = effective(&cells, wires).unwrap();
            let other = effective(
                &turned,
                Wires { r_word_ohm: wires.r_bit_ohm, r_bit_ohm: wires.r_word_ohm, ..wires },
            )
            .unwrap();
            let back =
                DMatrix::from_fn(rows, columns, |i, j| other[(columns - 1 - j, rows - 1 - i)]);
            assert!((&matrix - back).amax() <= 1e-12 * matrix.amax());
            let volts = DVector::from_fn(columns, |j, _| 0.1 + 0.01 * j as f64);
            let found =
                solve(&cells, CellLaw::straight, wires, &volts, Port::Reversed).unwrap().currents;
            agree(found.as_slice(), (&matrix * &volts).as_slice());
        }
    }
}

#[test]
fn cells_that_are_not_linear_are_not_reciprocal() {
    let (cells, wires, _) = case(&cases()[2]);
    let law = |g| CellLaw { beyond: [-1e-5, 1e-4], ..CellLaw::straight(g) };
    let volts = DVector::from_element(32, 0.3);
    for wires in [wires, Wires::default()] {
        let forward = solve(&cells, law, wires, &volts, Port::Forward).unwrap();
        // Kirchhoff's law at every word node: what comes along the wire is what goes on and through
        // the cell.
        if wires.r_word_ohm > 0.0 {
            for (i, j) in (0..32).flat_map(|i| (0..32).map(move |j| (i, j))) {
                let left = if j == 0 { volts[i] } else { forward.word[(i, j - 1)] };
                let right = if j == 31 { forward.word[(i, j)] } else { forward.word[(i, j + 1)] };
                let u = forward.word[(i, j)] - forward.bit[(i, j)];
                let through = u * (cells[(i, j)] + u * (-1e-5 + u * 1e-4));
                let kept = (left - 2.0 * forward.word[(i, j)] + right) / wires.r_word_ohm - through;
                assert!(kept.abs() < 1e-12, "{kept} A are lost in row {i}, column {j}");
            }
        }
        let reversed = solve(&cells, law, wires, &volts, Port::Reversed).unwrap();
        let (there, back) = (forward.currents.sum(), reversed.currents.sum());
        // With equal volts everywhere a reciprocal array would give equal totals; 2 a u / G of
        // cells of 15 to 100 uS is some 10 to 80 %.
        assert!((there / back - 1.0).abs() > 0.1, "{there} A there, {back} A back");
    }
}

#[test]
fn the_bench_solves_and_compiles() {
    let place = Place::new();
    place.file("cells.csv", "345,903,755\n652,401,508\n442,897,389\n");
    place.file("volts.csv", "1.5,2.3,1.7\n");
    let solve = [
        "crossbar",
        "solve",
        "--cells",
        "cells.csv",
        "--unit",
        "ohm",
        "--volts",
        "volts.csv",
        "--r-word",
        "0.5",
        "--r-bit",
        "0.5",
    ];
    let found = place.json(&solve);
    agree(&numbers(&found["currents_A"]), &numbers(&cases()[0]["i"]));
    let voltages = place.json(&[&solve[..], &["--voltages"]].concat());
    let ends = numbers(&voltages["bit_V"][2]);
    agree(&ends.iter().map(|volt| volt / 0.5).collect::<Vec<_>>(), &numbers(&cases()[0]["i"]));
    place.printed(&[
        "crossbar",
        "compile",
        "--cells",
        "cells.csv",
        "--unit",
        "ohm",
        "--r-word",
        "0.5",
        "--r-bit",
        "0.5",
        "--out",
        "e.csv",
    ]);
    let matrix = equilux::file::matrix::read_matrix(&place.path("e.csv")).unwrap();
    agree(
        &matrix.row(0).iter().copied().collect::<Vec<_>>(),
        &numbers(&cases()[0]["effective_s"][0]),
    );
    place.file("cells_us.csv", "60,100\n110,80\n");
    place.file("two.csv", "0.3,0.4\n");
    let milo = [
        "crossbar",
        "solve",
        "--cells",
        "cells_us.csv",
        "--unit",
        "uS",
        "--volts",
        "two.csv",
        "--device",
        "rram-milo",
    ];
    assert_ne!(
        place.json(&milo)["currents_A"],
        place.json(&[&milo[..], &["--reversed"]].concat())["currents_A"]
    );
}

#[test]
fn what_is_no_array_is_refused() {
    let place = Place::new();
    place.file("volts.csv", "1,2\n");
    let refused = |cells: &str, extra: &[&str], expected: &str| {
        place.file("cells.csv", cells);
        let unit = if extra.contains(&"--unit") { &[][..] } else { &["--unit", "ohm"] };
        let solve = ["crossbar", "solve", "--cells", "cells.csv", "--volts", "volts.csv"];
        let message = place.refused(2, &[&solve[..], unit, extra].concat());
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    };
    refused("100,0\n100,100\n", &[], "row 1, column 2: expected a resistance above 0 ohm, found 0");
    refused(
        "100,-5\n100,100\n",
        &["--unit", "S"],
        "expected a conductance of at least 0 S, found -5",
    );
    refused("100,nan\n100,100\n", &[], "expected a finite number");
    refused("100,100\n", &[], "volts.csv: expected 1 voltages, one a word line, found 2");
    refused(
        "100,100\n100,100\n",
        &["--r-word", "-1"],
        "--r-word -1: expected a resistance of at least 0 ohm",
    );
    refused("100,100\n100,100\n", &["--r-bit", "nan"], "--r-bit NaN");
    refused(
        "60,70\n80,300\n",
        &["--unit", "uS", "--device", "rram-milo"],
        "300.0000 uS is out of the device's range",
    );
    refused(
        "60,70\n80,90\n",
        &["--unit", "uS", "--device", "rram-mlo"],
        "did you mean `rram-milo`?",
    );
    refused(
        "1,2\n3,4\n",
        &["--unit", "uS", "--device", "pcm-nandakumar", "--at", "1 week"],
        "--at 1 week: expected",
    );
}

#[test]
fn units_are_named_and_inputs_are_kept() {
    let place = Place::new();
    let solve = ["crossbar", "solve", "--cells", "cells.csv", "--volts", "volts.csv"];
    place.file("volts.csv", "0.5\n");
    place.file("cells.csv", "20\n");
    assert!(place.refused(2, &solve).contains("--unit"), "no unit is the usual one");
    let message = place.refused(2, &[&solve[..], &["--unit", "us"]].concat());
    assert!(message.contains("nS, uS, mS, S, ohm, kohm, Mohm"), "{message}");
    for (unit, siemens) in
        [("nS", 2e-8), ("uS", 2e-5), ("mS", 2e-2), ("S", 20.0), ("ohm", 0.05), ("kohm", 5e-5)]
    {
        let found = place.json(&[&solve[..], &["--unit", unit]].concat());
        let current = found["currents_A"][0].as_f64().unwrap();
        assert!((current / (0.5 * siemens) - 1.0).abs() < 1e-14, "{unit}: {current}");
    }
    let compile = ["crossbar", "compile", "--unit", "uS", "--cells", "cells.csv", "--out"];
    for out in ["cells.csv", "./cells.csv"] {
        let message = place.refused(2, &[&compile[..], &[out]].concat());
        assert!(message.contains("would be lost"), "{message}");
    }
    assert_eq!(std::fs::read_to_string(place.path("cells.csv")).unwrap(), "20\n");
    place.printed(&[&compile[..], &["e.csv"]].concat());
    place.printed(&[&compile[..], &["e.csv"]].concat());
}

#[test]
fn the_bench_programs_what_the_sheet_says() {
    let place = Place::new();
    place.file("volts.csv", "1\n");
    place.file("cells.csv", "7.4\n");
    let number =
        |key: &str, value: &str| format!("[{key}]\nvalue = {value}\nunit = '1'\nsource = 'test'\n");
    let sheet = "kind = 'crossbar'\ntitle = 'levels'\n".to_owned() + &number("levels.count", "6");
    place.file("levels.toml", sheet);
    let solve = ["crossbar", "solve", "--unit", "uS", "--cells", "cells.csv"];
    let solve = [&solve[..], &["--volts", "volts.csv", "--device"]].concat();
    let found = place.json(&[&solve[..], &["levels.toml"]].concat());
    // Six levels of 0 to 25 uS: 0, 5, 10...
    assert!((found["currents_A"][0].as_f64().unwrap() / 5e-6 - 1.0).abs() < 1e-14, "{found}");
    let message = place.refused(2, &[&solve[..], &["reram-es"]].concat());
    assert!(message.contains("pulsed cells are not written to targets"), "{message}");
}

#[test]
fn a_singular_network_is_an_error_of_the_array() {
    let place = Place::new();
    place.file("cells.csv", "1e300,1\n1,1e-300\n");
    let compile = [
        "crossbar",
        "compile",
        "--cells",
        "cells.csv",
        "--unit",
        "ohm",
        "--r-word",
        "1e300",
        "--r-bit",
        "1e-200",
        "--out",
        "e.csv",
    ];
    let message = place.refused(1, &compile);
    assert!(
        message.contains("(r_word 1e300 ohm, r_bit 1e-200 ohm) is singular in double precision"),
        "{message}"
    );
    assert!(!place.path("e.csv").exists());
}

#[test]
fn tiles_wires_drift_and_pulses_train_and_resume_to_the_same_bits() {
    let place = Place::new();
    let config = common::NOISY.replace("max_steps = 8", "max_steps = 60").replace(
        "levels.count = 64",
        "tiles.rows = 20\ntiles.columns = 8\n\
         wires = { r_word_ohm = 2.0, r_bit_ohm = 1.0, refresh = 3 }",
    );
    for (name, sheet, more) in [
        ("pcm", "pcm-nandakumar", "age.at = \"1 h\""),
        ("ecram", "ecram", "age.at = \"1 h\""),
        ("pairs", "gokmen-vlasov", "pulses.direction = \"up\"\ndrift.nu = [0.0, 0.05, 0.0, 0.1]"),
    ] {
        let file = format!("{name}.toml");
        let config = config.replace("crossbar-generic", sheet);
        place.file(&file, config.replace("tiles.rows", &format!("{more}\ntiles.rows")));
        let (whole, halves) = (format!("{name}-whole"), format!("{name}-halves"));
        place.printed(&["train", &file, "--out", &whole]);
        place.printed(&["train", &file, "--out", &halves, "--set", "training.epochs=1"]);
        place.printed(&["train", &file, "--out", &halves, "--resume"]);
        for part in ["checkpoint.safetensors", "metrics.csv"] {
            assert!(
                common::bytes(&place.path(&whole).join(part))
                    == common::bytes(&place.path(&halves).join(part)),
                "{name}: {part}"
            );
        }
    }
}
