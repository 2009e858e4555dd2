//! A trained chip looked at again: at another time, at other prices, behind other converters, and
//! beside another chip.

mod common;

use common::Place;
use serde_json::Value;

const EXPERIMENT: &str = r#"
precision = "f64"
[data]
set = "wine"
[network]
layers = [13, 12, 3]
[device.crossbar]
cells.weight_max = 1.0
programming.error_uS = 5.0
drift = { nu = [0.0, 0.05, 0.05, 0.1], compensation = true }
age.at = "20 s"
stuck.at_min = 0.05
wires = { r_word_ohm = 20.0, r_bit_ohm = 20.0 }
[relaxation]
step = 1.0
tolerance = 1e-6
max_steps = 60
[training]
epochs = 2
batch = 16
optimiser.sgd.rate = 0.05
"#;

#[test]
fn a_chip_stays_the_chip() {
    let place = Place::new();
    place.file("chip.toml", EXPERIMENT);
    let trained = place.json(&["train", "chip.toml", "--out", "run"]);
    let evaluated = |settings: &[&str]| -> Value {
        let mut all = vec!["evaluate", "run"];
        settings.iter().for_each(|setting| all.extend(["--set", *setting]));
        place.json(&all)
    };
    let accuracies =
        |of: &Value| ["train_accuracy", "test_accuracy"].map(|key| of[key].as_f64().unwrap());
    let before = accuracies(&trained);
    for settings in [
        &[][..],
        &["device.crossbar.age.at=\"20.0001 s\""],
        &["device.crossbar.adc={ bits = 20, range = 50.0 }"],
        &["device.crossbar.adc.energy_pJ=2.5"],
        &["device.crossbar.cost.write_time_us=3.0"],
        &["device.crossbar.cost.read_time_us=3.0"],
        &["device.crossbar.tiles.sum=\"analog\"", "device.crossbar.wires.refresh=4"],
        &["precision=\"f32\""],
    ] {
        assert_eq!(accuracies(&evaluated(settings)), before, "{settings:?}");
    }
    // Another chip: other cells hold the same weights before the same samples.
    let chips = ["2", "3", "4", "5"].map(|chip| evaluated(&[&format!("chip={chip}")]));
    assert!(chips.iter().any(|chip| accuracies(chip) != before));
    assert!(chips.iter().all(|chip| chip["test_samples"] == trained["test_samples"]));
    for (setting, expected) in [
        ("seed=2", "seed = 2: the samples that were trained would test; expected 1"),
        ("data.test_fraction=0.3", "data.test_fraction = 0.3: the samples that were trained"),
    ] {
        let message = place.refused(2, &["evaluate", "run", "--set", setting]);
        assert!(message.contains(expected), "{message}");
    }
    assert!(place.refused(2, &["evaluate", "run", "--set", "seed=2"]).contains("chip = N"));
}

#[test]
fn another_chip_learns_from_the_same_split() {
    let place = Place::new();
    place.file("chip.toml", EXPERIMENT);
    let run = |chip: &str, out: &str| {
        place.json(&[
            "train",
            "chip.toml",
            "--out",
            out,
            "--set",
            chip,
            "--set",
            "training.epochs=1",
        ]);
        place.printed(&["export", out, "--to", "npz", "--out", &format!("{out}-files")]);
        let samples = std::fs::read(place.path(&format!("{out}-files/test-inputs.npy"))).unwrap();
        (samples, std::fs::read(place.path(&format!("{out}/checkpoint.safetensors"))).unwrap())
    };
    let (one, other) = (run("chip=0", "one"), run("chip=7", "other"));
    assert!(one.0 == other.0, "the same samples test");
    assert!(one.1 != other.1, "other cells");
}
