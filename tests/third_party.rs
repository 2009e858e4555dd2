//! Exports looked at by programs that we did not write: numpy, Pillow, safetensors, jsonschema,
//! slmsuite, badcrossbar. They are asked for: `cargo test --test third_party -- --ignored`.

mod common;

use std::path::Path;
use std::process::Command;

use common::{NOISY, Place, SMALL};

/// Runs a script of `tests/third_party` on the export `maps` in `place`.
fn check(place: &Place, script: &str, more: &[&str]) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party");
    let mut command = Command::new("python3");
    command
        .arg("-B")
        .arg(scripts.join(script))
        .arg(env!("CARGO_BIN_EXE_equilux"))
        .arg(place.path("maps"))
        .args(more);
    let output = command.current_dir(place.path("")).env("PYTHONWARNINGS", "ignore").output();
    let output = output.expect("python3 runs");
    let (printed, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {printed}{said}");
    println!("{script}: {printed}");
}

fn schema() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manifest.schema.json").display().to_string()
}

fn trained(config: &str, settings: &[&str]) -> Place {
    let place = Place::new();
    place.file("x.toml", config);
    place.printed(
        &[&["train", "x.toml", "--out", "run", "--set", "training.epochs=1"], settings].concat(),
    );
    place
}

#[test]
#[ignore = "skipped: wants badcrossbar (cargo test --test third_party -- --ignored)"]
fn conductances_in_a_nodal_analysis() {
    let place = trained(&NOISY.replace("levels.count = 64", common::TILED), &[]);
    place.printed(&["export", "run", "--to", "crossbar", "--out", "maps"]);
    check(&place, "files.py", &[&schema()]);
    check(&place, "crossbar.py", &[]);
}

/// Linear cells behind wires, and cells that are not linear.
#[test]
#[ignore = "skipped: wants ngspice (cargo test --test third_party -- --ignored)"]
fn tiles_as_circuits() {
    let wires = "device.crossbar.wires.r_word_ohm=3";
    let tiled = NOISY.replace("levels.count = 64", common::TILED);
    let place = trained(&tiled, &["--set", wires, "--set", "device.crossbar.wires.r_bit_ohm=5"]);
    place.printed(&["export", "run", "--to", "spice", "--out", "maps"]);
    check(&place, "files.py", &[&schema()]);
    check(&place, "spice.py", &["--r-word", "3", "--r-bit", "5"]);
    // Behind wires and selectors too.
    for sheet in [BENT.to_owned(), format!("{BENT}{SELECTED}")] {
        let place = trained(SMALL, &[]);
        place.file("bent.toml", sheet);
        place.printed(&[
            "export",
            "run",
            "--to",
            "spice",
            "--device",
            "bent.toml",
            "--out",
            "maps",
        ]);
        let sheet = place.path("bent.toml");
        check(&place, "spice.py", &["--device", &sheet.display().to_string()]);
    }
}

/// What is in series with them, and wires.
const SELECTED: &str = r#"
[selector.threshold_V]
value = 0.05
unit = "V"
source = "test"
[selector.leak]
value = 0.1
unit = "1"
source = "test"
[wires.r_word_ohm]
value = 30
unit = "ohm"
source = "test"
[wires.r_bit_ohm]
value = 20
unit = "ohm"
source = "test"
"#;

/// Cells whose current bends by a tenth and more at 0.2 V.
const BENT: &str = r#"
kind = "crossbar"
title = "Cells that are not linear"
[cells.g_min_uS]
value = 5
unit = "uS"
source = "test"
[current.square]
value = [5e-6]
unit = "A/V^2"
source = "test"
[current.cube]
value = [4e-5]
unit = "A/V^3"
source = "test"
"#;

#[test]
#[ignore = "skipped: wants slmsuite (cargo test --test third_party -- --ignored)"]
fn masks_on_another_simulated_modulator() {
    for (sheet, more) in [
        ("spim-generic", &[][..]),
        ("santec-slm-200", &["--set", "device.spim.patterns.values=continuous"][..]),
    ] {
        let wine = include_str!("../configs/wine-spim.toml").replace("count = 32", "count = 4");
        let place =
            trained(&wine, &[more, &["--set", "training.optimiser.adam.rate=0.1"]].concat());
        place.printed(&[
            "export", "run", "--to", "slm", "--device", sheet, "--out", "maps", "--phases",
        ]);
        check(&place, "files.py", &[&schema()]);
        if sheet == "spim-generic" {
            check(&place, "masks.py", &[]);
        }
    }
}

#[test]
#[ignore = "skipped: wants numpy (cargo test --test third_party -- --ignored)"]
fn weights_in_numpy() {
    for (target, device, rounding) in
        [("safetensors", "exact", "0"), ("npz", "exact", "0"), ("aihwkit", "exact", "1e-9")]
    {
        let place = trained(SMALL, &["--set", "training.epochs=2"]);
        place.printed(&["export", "run", "--to", target, "--device", device, "--out", "maps"]);
        check(&place, "files.py", &[&schema()]);
        check(&place, "weights.py", &[rounding]);
    }
}

/// Whoever has only the export can write the loop: `loop.py` is one, from PROTOCOL.txt.
#[test]
#[ignore = "skipped: wants numpy (cargo test --test third_party -- --ignored)"]
fn a_loop_written_from_the_export_alone() {
    let wine = include_str!("../configs/wine-spim.toml").replace("count = 32", "count = 8");
    let paper = include_str!("../configs/spim-wine-paper.toml");
    let crossbar =
        "data.set = 'wine'\nnetwork.layers = [13, 6, 3]\ndevice.crossbar.tiles.rows = 5\n";
    for (config, target, settings) in [
        (
            wine.as_str(),
            "slm",
            &["--set", "device.spim.sheet=ideal-slm", "--set", "relaxation.max_steps=300"][..],
        ),
        (paper, "slm", &[][..]),
        (crossbar, "crossbar", &[][..]),
    ] {
        let place = trained(config, settings);
        place.printed(&["export", "run", "--to", target, "--out", "maps"]);
        check(&place, "loop.py", &[]);
    }
}

#[test]
#[ignore = "skipped: wants slmsuite (cargo test --test third_party -- --ignored)"]
fn a_bench_of_slmsuite_both_ways() {
    let place = Place::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    check(&place, "laboratory.py", &[&examples.display().to_string()]);
    // And a machine is trained on it.
    let wine = include_str!("../configs/wine-spim.toml").replace("count = 32", "count = 1");
    place.file("x.toml", wine);
    let bench = format!("python3 -B {}", examples.join("slmsuite_bench.py").display());
    let arguments = ["train", "x.toml", "--out", "run", "--laboratory", &bench];
    let settings = [
        "training.epochs=1",
        "data.test_fraction=0.9",
        "network.layers=[13,3]",
        "relaxation.step=0.5",
        "relaxation.max_steps=12",
        "relaxation.tolerance=1e-2",
        "measurement.samples=1",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let summary = place.json(&arguments.into_iter().chain(settings).collect::<Vec<_>>());
    println!("{}", summary["lab"]);
    assert!(summary["lab"]["frames"].as_u64().unwrap() > 100, "{summary}");
}
