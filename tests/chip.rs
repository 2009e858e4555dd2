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

#[test]
fn samples_that_were_trained_do_not_test() {
    let place = Place::new();
    let wine = include_str!("../src/data/sets/wine.csv");
    place.file("mine.csv", wine);
    place.file("x.toml", "data.set = 'mine.csv'\nnetwork.layers = [13, 3]\ntraining.epochs = 1\n");
    place.run(&["train", "x.toml", "--out", "run"]);
    let evaluated = |settings: &[&str]| {
        let set = settings.iter().flat_map(|setting| ["--set", setting]);
        let all: Vec<&str> = ["evaluate", "run", "--json"].into_iter().chain(set).collect();
        place.run(&all)
    };
    let before = evaluated(&[]);
    assert!(before.status.success());
    // One row of it is another: all samples would be dealt anew.
    let (head, last) = wine.trim_end().rsplit_once('\n').unwrap();
    let (names, rest) = head.split_once('\n').unwrap();
    place.file("mine.csv", format!("{names}\n{last}\n{rest}\n"));
    for arguments in [
        &["evaluate", "run"][..],
        &["predict", "run", "--out", "p.csv"],
        &["export", "run", "--to", "npz", "--out", "maps"],
        &["train", "x.toml", "--from", "run", "--out", "on"],
    ] {
        let message = place.refused(2, arguments);
        let expected = "mine.csv: not what it was when run was trained";
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    // The same data under another name are the same data.
    std::fs::remove_file(place.path("mine.csv")).unwrap();
    let message = place.refused(2, &["evaluate", "run"]);
    assert!(message.contains("mine.csv: cannot be read"), "{message}");
    assert!(message.contains("--set data.set=PATH says where it is"), "{message}");
    place.file("moved.csv", wine);
    let accuracy = |output: &std::process::Output| {
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["test_accuracy"].as_f64().unwrap()
    };
    assert_eq!(accuracy(&evaluated(&["data.set=moved.csv"])), accuracy(&before));
    let other = evaluated(&["data.set=moved.csv", "data.test_fraction=0.4"]);
    let message = common::refusal(&other, 2);
    assert!(
        message.contains("data.test_fraction = 0.4: the samples that were trained"),
        "{message}"
    );
}
