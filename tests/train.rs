//! Training, evaluating and judging a machine, as a user does.

mod common;

use common::{NOISY, Place, SMALL, bytes};

const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs");

#[test]
fn a_run_leaves_everything_a_user_needs() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let summary =
        place.json(&["train", "small.toml", "--set", "training.epochs=2", "--threads", "1"]);
    assert_eq!(summary["run"], "runs/small");
    assert_eq!(summary["test_samples"], 359);
    assert!(summary["test_accuracy"].as_f64().unwrap() > 0.3, "{summary}");
    assert!(summary["train_accuracy"].as_f64().unwrap() > 0.3);
    assert!(summary["samples_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["lab"]["frames"], 0);
    assert!(summary["lab"]["seconds"].is_number());
    for file in [
        "config.toml",
        "metrics.csv",
        "checkpoint.safetensors",
        "summary.json",
        "plots/learning-curves.svg",
        "report.html",
    ] {
        assert!(!bytes(&place.path("runs/small").join(file)).is_empty(), "{file}");
    }
    let metrics = String::from_utf8(bytes(&place.path("runs/small/metrics.csv"))).unwrap();
    assert_eq!(metrics.lines().count(), 3, "{metrics}");
    // The next run does not touch this one, and the resolved experiment runs as it stands.
    let again = place.json(&["train", "runs/small/config.toml", "--out", "again"]);
    assert_eq!(again["test_accuracy"], summary["test_accuracy"]);
    assert_eq!(
        bytes(&place.path("again/checkpoint.safetensors")),
        bytes(&place.path("runs/small/checkpoint.safetensors"))
    );
    assert_eq!(place.json(&["train", "small.toml"])["run"], "runs/small-2");
}

#[test]
fn evaluation_repeats_the_accuracy_of_training() {
    // The noise of another evaluation moves a noisy machine's answers a little; nothing moves the
    // others.
    for (name, config, tolerance) in [("small.toml", SMALL, 0.0), ("noisy.toml", NOISY, 0.02)] {
        let place = Place::new();
        place.file(name, config);
        let trained = place.json(&["train", name, "--out", "run"]);
        let evaluated = place.json(&["evaluate", "run"]);
        let difference = evaluated["test_accuracy"].as_f64().unwrap()
            - trained["test_accuracy"].as_f64().unwrap();
        assert!(difference.abs() <= tolerance, "{name}: {difference}");
        assert_eq!(evaluated["lab"]["conversions"], trained["lab"]["conversions"]);
    }
}

#[test]
fn weights_move_to_another_device() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    place.json(&["train", "small.toml", "--out", "run", "--set", "training.epochs=10"]);
    let exact = place.json(&["evaluate", "run"])["test_accuracy"].as_f64().unwrap();
    let ideal = place.json(&[
        "evaluate",
        "run",
        "--device",
        "ideal-crossbar",
        "--set",
        "device.crossbar.cells.weight_max=9",
    ]);
    assert_eq!(ideal["test_accuracy"].as_f64().unwrap(), exact);
    let coarse = [
        "evaluate",
        "run",
        "--set",
        "device.crossbar.levels.count=2",
        "--set",
        "device.crossbar.cells.weight_max=9",
    ];
    assert!(place.json(&coarse)["test_accuracy"].as_f64().unwrap() < exact - 0.05);
    assert!(
        place
            .printed(&["evaluate", "run", "--device", "crossbar-generic"])
            .contains("crossbar-generic")
    );
}

#[test]
fn every_shipped_experiment_runs_on_its_own_data() {
    for config in ["wine-spim", "digits-crossbar"] {
        let place = Place::new();
        let file = format!("{CONFIGS}/{config}.toml");
        let summary = place.json(&["train", &file, "--out", "run", "--set", "training.epochs=1"]);
        assert_eq!(summary["epochs"], 1, "{config}");
        let seconds = summary["lab"]["seconds"].as_f64().unwrap();
        assert!(seconds > 0.0, "{config}: {seconds}");
    }
}

#[test]
fn the_frames_of_a_run_are_those_of_its_readout() {
    // Parameter shift: 2 K frames a node and read. One update of one batch: a free and two nudged
    // phases, each of max_steps reads for a noisy machine, and nothing else for the rule `ep`.
    let place = Place::new();
    let file = format!("{CONFIGS}/wine-spim.toml");
    let settings = [
        "training.epochs=1",
        "training.batch=200",
        "data.train_limit=20",
        "measurement.samples=1",
        "relaxation.max_steps=15",
    ];
    let mut arguments = vec!["train", &file, "--out", "run"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
    let lab = &place.json(&arguments)["lab"];
    assert_eq!(lab["frames"], 20 * 3 * 15 * (2 * 32 * 8));
    assert_eq!(lab["frames_per_inference"], f64::from(15 * 2 * 32 * 8));
    let seconds_a_read = f64::from(2 * 32 * 8) / 60.0 + 0.15;
    assert!((lab["seconds_per_inference"].as_f64().unwrap() - 15.0 * seconds_a_read).abs() < 1e-9);
}

#[test]
fn every_rule_trains_and_every_optimiser_and_schedule() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let accuracy = |name: &str, settings: &[&str]| {
        let mut arguments = vec!["train", "small.toml", "--out", name];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
        place.json(&arguments)["train_accuracy"].as_f64().unwrap()
    };
    // Chance is 0.1. SPSA's gradient of 910 parameters is nearly all noise: it is asked only to
    // run.
    assert!(accuracy("asym-ep", &["learning.rule=asym-ep", "training.epochs=6"]) > 0.6);
    assert!(accuracy("digital", &["learning.correction=digital-model", "training.epochs=6"]) > 0.6);
    assert!(accuracy("dyadic-ep", &["learning.rule=dyadic-ep", "training.epochs=6"]) > 0.6);
    assert!(accuracy("adjoint", &["learning.rule=adjoint", "training.epochs=6"]) > 0.6);
    assert!(accuracy("vector-field", &["learning.rule=vector-field", "training.epochs=6"]) > 0.3);
    assert!(
        accuracy(
            "ep",
            &[
                "learning.rule=ep",
                "network.topology=reciprocal",
                "relaxation.step=0.5",
                "training.epochs=6"
            ]
        ) > 0.6
    );
    assert!(
        accuracy(
            "feedback",
            &["network.topology=independent-feedback", "relaxation.step=0.5", "training.epochs=6"]
        ) > 0.6
    );
    accuracy("spsa", &["learning.rule=spsa", "training.epochs=1"]);
    assert!(
        accuracy(
            "adam",
            &[
                "training.optimiser.adam.rate=0.01",
                "training.schedule.cosine.end=0.1",
                "training.epochs=6"
            ]
        ) > 0.6
    );
    let entropy = [
        "learning.cost=cross-entropy",
        "network.output_activation=identity",
        "training.schedule.step.every=2",
        "training.schedule.step.factor=0.5",
        "training.epochs=6",
        "training.optimiser.sgd.momentum=0.9",
    ];
    assert!(accuracy("entropy", &entropy) > 0.6);
}

#[test]
fn gradient_judges_an_untrained_and_a_trained_machine() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let tight = [
        "--set",
        "relaxation.tolerance=1e-12",
        "--set",
        "relaxation.max_steps=500",
        "--beta",
        "0.01,0.001",
    ];
    let judged = place.json(&[&["gradient", "small.toml"][..], &tight].concat());
    let row = |rule: &str, beta: f64| {
        let rows = judged["rules"].as_array().unwrap();
        rows.iter()
            .find(|row| row["rule"] == rule && row["beta"] == beta)
            .unwrap_or_else(|| panic!("{rule} {beta}: {judged}"))
            .clone()
    };
    assert!(row("asym-ep", 0.001)["relative_error"].as_f64().unwrap() < 1e-6);
    assert!(row("dyadic-ep", 0.01)["relative_error"].as_f64().unwrap() < 1e-8);
    assert!(row("vector-field", 0.001)["cosine"].as_f64().unwrap() < 0.99);
    assert!(judged["free"]["cost"].as_f64().unwrap() > 0.0);
    place.json(&["train", "small.toml", "--out", "run"]);
    let trained = place.json(&["gradient", "run", "--rule", "asym-ep", "--samples", "20"]);
    assert_eq!(trained["samples"], 20);
    assert!(trained["free"]["cost"].as_f64().unwrap() < judged["free"]["cost"].as_f64().unwrap());
    assert!(
        place
            .printed(&["gradient", "run", "--rule", "asym-ep,vector-field"])
            .contains("vector-field")
    );
}

#[test]
fn gradient_of_a_case_file_is_the_reference() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/gradients.json");
    let reference: serde_json::Value = serde_json::from_slice(&bytes(file.as_ref())).unwrap();
    let case = &reference["cases"][1];
    place.file("case.json", case.to_string());
    let found = place.json(&[
        "gradient",
        "case.json",
        "--rule",
        "vector-field,asym-ep",
        "--beta",
        "0.1,0.01",
    ]);
    let close = |a: &serde_json::Value, b: &serde_json::Value| {
        (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9
    };
    assert!(close(&found["free"]["cost"], &case["cost"]));
    for (a, b) in found["free"]["v0"].as_array().unwrap().iter().zip(case["v0"].as_array().unwrap())
    {
        assert!(close(a, b));
    }
    assert_eq!(found["rules"].as_array().unwrap().len(), 4);
    for row in found["rules"].as_array().unwrap() {
        let expected = case["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["rule"] == row["rule"] && e["beta"] == row["beta"])
            .unwrap();
        assert!(
            close(&row["cosine"], &expected["cosine"])
                && close(&row["relative_error"], &expected["relative_error"]),
            "{row}"
        );
    }
    let all = place.json(&["gradient", file]);
    assert_eq!(all["cases"].as_array().unwrap().len(), 6);
}
