//! Training, evaluating and judging a machine, as a user does.

mod common;

use std::fs;

use common::{NOISY, Place, SMALL, bytes};

/// A column of the `metrics.csv` of `run`, a number an epoch.
fn metrics(place: &Place, run: &str, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(place.path(run).join("metrics.csv")).unwrap();
    let column = reader.headers().unwrap().iter().position(|head| head == name).unwrap();
    reader.records().map(|record| record.unwrap()[column].parse().unwrap()).collect()
}

#[test]
fn a_run_leaves_everything_a_user_needs() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let summary =
        place.json(&["train", "small.toml", "--set", "training.epochs=2", "--threads", "1"]);
    assert_eq!(summary["run"], "runs/small");
    assert_eq!(summary["test_samples"], 359);
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
    // The summary is that of the last epoch; no accuracy but a whole number of samples.
    for part in ["test_accuracy", "train_accuracy"] {
        let column = metrics(&place, "runs/small", part);
        assert_eq!(column.len(), 2, "{part}");
        let samples = if part == "test_accuracy" { 359.0 } else { 1000.0 };
        let correct = column[1] * samples;
        assert!((correct - correct.round()).abs() < 1e-9, "{part}: {correct}");
        if part == "test_accuracy" {
            assert_eq!(summary[part].as_f64().unwrap(), column[1]);
        }
    }
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
    // Evaluation after training draws the noise that evaluation in training drew.
    for (name, config) in [("small.toml", SMALL), ("noisy.toml", NOISY)] {
        let place = Place::new();
        place.file(name, config);
        let trained = place.json(&["train", name, "--out", "run"]);
        let evaluated = place.json(&["evaluate", "run"]);
        assert_eq!(evaluated["test_accuracy"], trained["test_accuracy"], "{name}");
        assert_eq!(evaluated["lab"]["conversions"], trained["lab"]["conversions"]);
    }
}

#[test]
fn without_a_terminal_every_epoch_has_a_line_and_says_what_it_lost() {
    let place = Place::new();
    // So many steps are too few for about half of the samples.
    place.file("small.toml", SMALL.replace("step = 1.0", "step = 0.3"));
    let settings = ["--set", "training.epochs=3", "--set", "relaxation.max_steps=26"];
    let output = place.run(&[&["train", "small.toml", "--out", "run"][..], &settings].concat());
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("epoch ")).collect();
    let lost = metrics(&place, "run", "unsettled");
    let costs = metrics(&place, "run", "train_cost");
    assert_eq!((lines.len(), lost.len()), (3, 3), "{told}");
    for (epoch, line) in lines.iter().enumerate() {
        let begins = format!("epoch {}/3: cost {:.4}, train ", epoch + 1, costs[epoch]);
        assert!(line.starts_with(&begins), "{line}: {begins}");
        let samples = if lost[epoch] == 1.0 { "sample" } else { "samples" };
        let said = format!(", {} {samples} did not settle and took no part", lost[epoch]);
        assert_eq!(line.contains(&said), lost[epoch] > 0.0, "{line}: {said}");
    }
    assert!(lost.iter().any(|count| *count > 0.0), "{lost:?}");
}

#[test]
fn files_are_seen_from_the_file_that_names_them_and_runs_from_anywhere() {
    let place = Place::new();
    for directory in ["lab/cells", "elsewhere"] {
        fs::create_dir_all(place.path(directory)).unwrap();
    }
    let rows: String =
        (0..60).map(|k| format!("{},{},{}\n", k % 7, k % 2, ["a", "b"][k % 2])).collect();
    place.file("lab/beans.csv", format!("x,y,class\n{rows}"));
    place.file(
        "lab/cells/mine.toml",
        "kind = 'crossbar'\ntitle = 'Ours'\n[read_noise.sd_uS]\nvalue = 50\nunit = 'nS'\nsource = 'us'\n",
    );
    place.file(
        "lab/beans.toml",
        "data.set = 'beans.csv'\nnetwork.layers = [2, 3, 2]\ndevice.crossbar.sheet = 'cells/mine.toml'\n\
         relaxation = { step = 1.0, max_steps = 12, tolerance = 1e-3 }\ntraining.epochs = 2\n",
    );
    place.file(
        "lab/study.toml",
        "base = 'beans.toml'\n[[axis]]\nkey = 'device.crossbar.sheet'\n\
         values = ['cells/mine.toml', 'crossbar-generic']\n",
    );
    let trained = place.json(&["train", "lab/beans.toml", "--out", "runs/beans"]);
    let config = fs::read_to_string(place.path("runs/beans/config.toml")).unwrap();
    assert!(
        config.contains("\"../../lab/beans.csv\"") && config.contains("\"device-mine.toml\""),
        "{config}"
    );
    place.json(&["sweep", "lab/study.toml", "--out", "st"]);
    let from = |directory: &str, arguments: &[&str]| {
        let mut command = place.command(arguments);
        let output = command.current_dir(place.path(directory)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = from("elsewhere", &["evaluate", "../runs/beans", "--json"]);
    let evaluated: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(evaluated["test_accuracy"], trained["test_accuracy"]);
    from("elsewhere", &["report", "../runs/beans"]);
    from("elsewhere", &["report", "../st"]);
    // What was begun here goes on there; nothing is done twice.
    let more = ["--set", "training.epochs=3", "--resume", "--out", "../runs/beans"];
    from("lab", &[&["train", "beans.toml"][..], &more].concat());
    let swept = from("lab", &["sweep", "study.toml", "--out", "../st", "--json"]);
    let swept: serde_json::Value = serde_json::from_str(&swept).unwrap();
    assert_eq!((&swept["done"], &swept["ran"]), (&2.into(), &0.into()));
    // Moved together, they are found.
    let moved = place.path("moved");
    fs::create_dir(&moved).unwrap();
    for name in ["lab", "runs"] {
        fs::rename(place.path(name), moved.join(name)).unwrap();
    }
    from("moved/lab", &["evaluate", "../runs/beans"]);
    // The device is in the run, and nothing else is taken for it.
    fs::remove_dir_all(moved.join("lab/cells")).unwrap();
    let told = from("moved/lab", &["evaluate", "../runs/beans", "--json"]);
    let evaluated: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(evaluated["machine"].as_str().unwrap().contains("device-mine"), "{evaluated}");
    let copy = moved.join("runs/beans/device-mine.toml");
    let text = fs::read_to_string(&copy).unwrap();
    fs::write(&copy, text.replace("50", "5000")).unwrap();
    let refused = place.refused(2, &["evaluate", "moved/runs/beans"]);
    assert!(refused.contains("device-mine.toml: not what this run copied"), "{refused}");
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
    // With two levels over a range of 9 every weight is written as 0: what is left is the bias, and
    // one answer for every sample. Of 1797 digits no class has more than 183, and a fifth is tested.
    let coarse = [
        "evaluate",
        "run",
        "--set",
        "device.crossbar.levels.count=2",
        "--set",
        "device.crossbar.cells.weight_max=9",
    ];
    let coarse = place.json(&coarse)["test_accuracy"].as_f64().unwrap();
    assert!(coarse > 0.0 && coarse * 359.0 < 38.0, "{coarse}");
    assert!(
        place
            .printed(&["evaluate", "run", "--device", "crossbar-generic"])
            .contains("crossbar-generic")
    );
}

#[test]
fn the_frames_of_a_run_are_those_of_its_readout() {
    // Parameter shift: 2 K frames a node and read. One update of one batch: a free and two nudged
    // phases, each of max_steps reads for a noisy machine, and nothing else for the rule `ep`.
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/wine-spim.toml");
    let settings = [
        "training.epochs=1",
        "training.batch=200",
        "data.train_limit=20",
        "measurement.samples=1",
        "relaxation.max_steps=15",
        "learning.release_every=0",
    ];
    let mut arguments = vec!["train", file, "--out", "run"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
    let lab = &place.json(&arguments)["lab"];
    assert_eq!(lab["frames"], 20 * 3 * 15 * (2 * 32 * 8));
    assert_eq!(lab["frames_per_inference"], f64::from(15 * 2 * 32 * 8));
    let seconds_a_read = f64::from(2 * 32 * 8) / 60.0 + 0.15;
    assert!((lab["seconds_per_inference"].as_f64().unwrap() - 15.0 * seconds_a_read).abs() < 1e-9);
}

/// The mean cost of each epoch of a run of SMALL with `settings`.
fn costs(place: &Place, optimiser: &str, settings: &[&str]) -> Vec<f64> {
    place.file("rules.toml", SMALL.replace("optimiser.adam.rate = 0.02", optimiser));
    let mut arguments = vec!["train", "rules.toml", "--out", "run"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
    place.json(&arguments);
    let unsettled = metrics(place, "run", "unsettled");
    assert!(unsettled.iter().all(|samples| *samples == 0.0), "{settings:?}: {unsettled:?}");
    let costs = metrics(place, "run", "train_cost");
    fs::remove_dir_all(place.path("run")).unwrap();
    costs
}

/// Nothing but the rule is between these runs and the exact gradient: small nudges, settled to the
/// last digits.
const EXACT: [&str; 7] = [
    "data.train_limit=300",
    "training.epochs=2",
    "precision=f64",
    "network.initial_gain=0.5",
    "relaxation.tolerance=1e-12",
    "relaxation.max_steps=2000",
    "learning.beta=1e-3",
];

/// Trains as the adjoint does with each of `rules`.
fn as_the_adjoint(optimiser: &str, settings: &[&str], rules: &[&[&str]]) {
    let place = Place::new();
    let run = |rule: &[&str]| costs(&place, optimiser, &[&EXACT, settings, rule].concat());
    let exact = run(&["learning.rule=adjoint"]);
    assert!(exact.is_sorted_by(|before, after| before > after), "{settings:?}: {exact:?}");
    for rule in rules {
        for (found, exact) in run(rule).iter().zip(&exact) {
            // A centred nudge errs by the order of beta^2 = 1e-6.
            assert!((found / exact - 1.0).abs() < 1e-5, "{settings:?} {rule:?}: {found} {exact}");
        }
    }
}

const ADAM: &str = "optimiser.adam.rate = 0.005";
const ASYM: &[&str] = &["learning.rule=asym-ep"];
const DIGITAL: &[&str] =
    &["learning.rule=asym-ep", "learning.rule.asym-ep.correction=digital-model"];
const DYADIC: &[&str] = &["learning.rule=dyadic-ep"];
const VECTOR_FIELD: &[&str] = &["learning.rule=vector-field"];
const EP: &[&str] = &["learning.rule=ep"];

#[test]
fn rules_train_as_the_exact_gradient_does() {
    as_the_adjoint(ADAM, &[], &[ASYM, DIGITAL, DYADIC]);
    let feedback = ["network.topology=independent-feedback", "relaxation.step=0.3"];
    as_the_adjoint(ADAM, &feedback, &[ASYM, DIGITAL, DYADIC]);
    as_the_adjoint(ADAM, &["network.topology=all-to-all", "relaxation.step=0.3"], &[ASYM]);
    let reciprocal = ["network.topology=reciprocal", "relaxation.step=0.3"];
    as_the_adjoint(ADAM, &reciprocal, &[EP, VECTOR_FIELD, ASYM, DIGITAL, DYADIC]);
}

#[test]
fn every_optimiser_schedule_and_cost_trains_as_with_the_exact_gradient() {
    as_the_adjoint("optimiser.sgd.rate = 0.02", &[], &[ASYM]);
    as_the_adjoint(ADAM, &["training.schedule.cosine.end=0.1"], &[ASYM]);
    let entropy = [
        "learning.cost=cross-entropy",
        "network.output_activation=identity",
        "training.schedule.step.every=2",
        "training.schedule.step.factor=0.5",
    ];
    let momentum = "optimiser.sgd.rate = 0.02\noptimiser.sgd.momentum = 0.9";
    as_the_adjoint(momentum, &entropy, &[ASYM]);
}

#[test]
fn vector_field_without_feedback_leaves_the_hidden_layer_alone() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let weights = |epochs: &str, array: &str| {
        let epochs = format!("training.epochs={epochs}");
        let rule = ["--set", "learning.rule=vector-field", "--set", &epochs];
        place.json(&[&["train", "small.toml", "--out", &epochs][..], &rule].concat());
        let file = bytes(&place.path(&epochs).join("checkpoint.safetensors"));
        fs::remove_dir_all(place.path(&epochs)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        tensors.tensor(&format!("parameters/{array}.weights")).unwrap().data().to_vec()
    };
    // The nudge never comes back from the outputs.
    assert!(weights("1", "0-1") == weights("2", "0-1"));
    assert!(weights("1", "1-2") != weights("2", "1-2"));
}

#[test]
fn a_rate_of_each_parameter_is_a_factor_on_the_rate_of_all() {
    let place = Place::new();
    let costs = |settings: &[&str]| {
        let settings = [&["learning.rule=adjoint", "data.train_limit=300"], settings].concat();
        costs(&place, "optimiser.sgd.rate = 0.02", &settings)
    };
    let all = costs(&["training.optimiser.sgd.rate=0.04"]);
    assert_eq!(costs(&["training.rates.weights=2", "training.rates.bias=2"]), all);
    let one = costs(&["training.rates.1-2.weights=2"]);
    assert!(one != all && one != costs(&[]), "{one:?}");
}

#[test]
fn spsa_trains_as_the_exact_gradient_does_on_average() {
    let place = Place::new();
    let fall = |rule: &str| {
        let perturbations = "learning.rule.spsa.perturbations=100";
        let settings = [rule, perturbations, "data.train_limit=200", "training.epochs=5"];
        let costs = costs(&place, "optimiser.sgd.rate = 0.02", &settings);
        costs[0] - costs[4]
    };
    // The estimated slope along an update has the mean of the exact one and a relative variance of
    // 2 / n over n = 100 perturbations. Between the first and the last epoch's mean are 8 updates:
    // four deviations.
    let ratio = fall("learning.rule=spsa") / fall("learning.rule=adjoint");
    assert!((ratio - 1.0).abs() < 4.0 * (2.0_f64 / 100.0 / 8.0).sqrt(), "{ratio}");
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
    // Without feedback the nudge stays at the outputs: the vector field has their arrays' gradient
    // and nothing else of it, so that its error is what it lacks.
    let vector_field = row("vector-field", 0.001);
    let [cosine, error] =
        ["cosine", "relative_error"].map(|key| vector_field[key].as_f64().unwrap());
    assert!((cosine.hypot(error) - 1.0).abs() < 1e-5 && error > 0.0, "{vector_field}");
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
