//! Numbers in place of classes: what a user types, and what comes of it.

mod common;

use common::{Place, bytes};
use equilux::data::{DataConfig, Dataset, Parts, Task};
use equilux::experiment::{Experiment, Session};
use equilux::stop::Stop;
use equilux::training::Checkpoint;
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

/// One column of Wine from the others, in a table of one's own.
const PROLINE: &str = r#"
seed = 1
[data]
set = "wine.csv"
task = "regression"
label = "proline"
[network]
layers = [12, 12, 1]
[relaxation]
step = 1.0
tolerance = 1e-3
max_steps = 30
[training]
epochs = 40
batch = 16
optimiser.sgd = { rate = 0.05, momentum = 0.9 }
"#;

/// The same on crossbars with noise and 8-bit converters.
const DEVICE: &str = "device.crossbar.sheet=crossbar-generic";

/// The built-in Wine as a table, without its classes.
fn wine() -> (Vec<String>, DMatrix<f64>) {
    let wine = Dataset::load(&DataConfig::default()).unwrap();
    (wine.feature_names, wine.features.transpose())
}

fn write_wine(place: &Place) {
    let (names, values) = wine();
    let rows =
        values.row_iter().map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let lines: Vec<String> = [names.join(",")].into_iter().chain(rows).collect();
    place.file("wine.csv", lines.join("\n") + "\n");
}

fn place() -> Place {
    let place = Place::new();
    write_wine(&place);
    place.file("proline.toml", PROLINE);
    place
}

/// A column of numbers of a CSV file.
fn column(place: &Place, file: &str, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(place.path(file)).unwrap();
    let at = reader.headers().unwrap().iter().position(|head| head == name);
    let at = at.unwrap_or_else(|| panic!("no column {name} in {file}"));
    reader.records().map(|record| record.unwrap()[at].parse().unwrap()).collect()
}

/// R2, root mean square and mean absolute error, as they are defined.
fn scores(known: &[f64], told: &[f64]) -> [f64; 3] {
    let n = known.len() as f64;
    let mean = known.iter().sum::<f64>() / n;
    let errors: Vec<f64> = known.iter().zip(told).map(|(a, b)| b - a).collect();
    let square = errors.iter().map(|e| e * e).sum::<f64>();
    let spread = known.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>();
    let size = errors.iter().map(|e| e.abs()).sum::<f64>();
    [1.0 - square / spread, (square / n).sqrt(), size / n]
}

#[track_caller]
fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
}

/// R2 on the test part of the plane that is closest to the training samples: ordinary least squares.
fn least_squares(place: &Place) -> f64 {
    let config = DataConfig {
        set: place.path("wine.csv").display().to_string(),
        task: Task::Regression,
        label: "proline".into(),
        ..DataConfig::default()
    };
    let parts: Parts<f64> = Parts::prepare(Dataset::load(&config).unwrap(), &config, 1).unwrap();
    let with_ones = |inputs: &DMatrix<f64>| inputs.transpose().insert_column(0, 1.0);
    let values = |of: &equilux::data::Labels| of.values().unwrap().row(0).transpose();
    let plane = with_ones(&parts.train.inputs).svd(true, true);
    let plane: DVector<f64> = plane.solve(&values(&parts.train.labels), 1e-12).unwrap();
    let told = with_ones(&parts.test.inputs) * plane;
    scores(values(&parts.test.labels).as_slice(), told.as_slice())[0]
}

#[test]
fn wine_is_told_as_well_as_by_a_plane() {
    let place = place();
    let plane = least_squares(&place);
    let r2 = |out: &str, settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let command = ["train", "proline.toml", "--out", out].into_iter().chain(settings);
        place.json(&command.collect::<Vec<_>>())["test_r2"].as_f64().unwrap()
    };
    let exact = r2("exact", &[]);
    let device = r2("device", &[DEVICE, "learning.beta=0.5"]);
    println!("R2: least squares {plane:.4}, exact arrays {exact:.4}, crossbars {device:.4}");
    assert!(exact > plane && exact > 0.78, "{exact} {plane}");
    assert!(device > plane && device > 0.78, "{device} {plane}");
}

#[test]
fn a_run_tells_values_in_their_units_everywhere() {
    let place = place();
    let two = ["--set", "data.label=[\"hue\", \"proline\"]", "--set", "network.layers=[11, 12, 2]"];
    let train = [&["train", "proline.toml", "--out", "run"][..], &two].concat();
    let output = place.run(&train);
    let lines =
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(lines.contains("train R2 ") && lines.contains(", test R2 "), "{lines}");
    assert!(lines.contains("(36 samples, means of 2 targets)"), "{lines}");
    assert!(!lines.contains("accuracy"), "{lines}");

    let text = std::fs::read_to_string(place.path("run/summary.json")).unwrap();
    assert!(!text.contains("accuracy") && !text.contains("confusion"), "{text}");
    let summary: Value = serde_json::from_str(&text).unwrap();
    let metrics = std::fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    assert!(!metrics.contains("accuracy"), "{metrics}");
    assert_eq!(column(&place, "run/metrics.csv", "test_rmse")[39], summary["test_rmse"]);

    // The test part, sample by sample.
    let places = column(&place, "run/predictions.csv", "sample");
    let proline = column(&place, "run/predictions.csv", "proline");
    let all = column(&place, "wine.csv", "proline");
    assert!(places.iter().zip(&proline).all(|(at, value)| all[*at as usize] == *value));
    let mut means = [0.0; 3];
    for (at, name) in ["hue", "proline"].into_iter().enumerate() {
        let known = column(&place, "run/predictions.csv", name);
        let told = column(&place, "run/predictions.csv", &format!("{name} predicted"));
        let expected = scores(&known, &told);
        let of = &summary["targets"][at];
        assert_eq!(of["target"], name);
        for (place, key) in ["r2", "rmse", "mae"].into_iter().enumerate() {
            close(&of[key], expected[place]);
            means[place] += 0.5 * expected[place];
        }
    }
    for (key, mean) in ["test_r2", "test_rmse", "test_mae"].into_iter().zip(means) {
        close(&summary[key], mean);
    }

    // All of Wine, with its columns in another order.
    let (names, values) = wine();
    let backwards = |row: Vec<String>| row.into_iter().rev().collect::<Vec<_>>().join(";");
    let rows = values.row_iter().map(|row| backwards(row.iter().map(f64::to_string).collect()));
    let lines: Vec<String> = [backwards(names.clone())].into_iter().chain(rows).collect();
    place.file("all.csv", lines.join("\n"));
    let tested = place.json(&["evaluate", "run", "--test", "all.csv"]);
    let predicted = place.json(&["predict", "run", "--data", "all.csv", "--out", "all-p.csv"]);
    assert_eq!((&tested["test_samples"], &predicted["samples"]), (&178.into(), &178.into()));
    assert_eq!(tested["test_r2"], predicted["r2"]);
    assert_eq!(predicted["targets"], serde_json::json!(["hue", "proline"]));
    let [known, told] =
        ["proline", "proline predicted"].map(|name| column(&place, "all-p.csv", name));
    let proline = names.iter().position(|name| name == "proline").unwrap();
    assert_eq!(known, values.column(proline).as_slice());
    close(&tested["targets"][1]["mae"], scores(&known, &told)[2]);
    // Without targets nothing is compared.
    let features = place.json(&["predict", "run", "--out", "p.npz"]);
    close(&features["r2"], summary["test_r2"].as_f64().unwrap());

    let shown = place.printed(&["evaluate", "run"]);
    assert!(shown.contains("target   R2      RMSE") && shown.contains("\nproline  "), "{shown}");
    let page = std::fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(page.contains("Predicted against true") && page.contains("proline, predicted"));
    assert!(!page.to_lowercase().contains("accuracy"));
    // The page is made of files alone.
    std::fs::remove_file(place.path("run/report.html")).unwrap();
    place.printed(&["report", "run"]);
    let again = std::fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(again.contains("proline, predicted"));

    let one = place.json(&["train", "proline.toml", "--out", "one"]);
    let compared = place.printed(&["compare", "run", "one"]);
    assert!(compared.contains("test R2 ") && compared.contains(", RMSE "), "{compared}");
    assert!(one["validation_r2"].is_null());
    place.file("classes.toml", common::SMALL);
    place.json(&["train", "classes.toml", "--out", "classes"]);
    let compared = place.printed(&["compare", "one", "classes"]);
    assert!(compared.contains("test score ") && compared.contains(" %\n"), "{compared}");
}

#[test]
fn the_same_bits_on_any_number_of_threads_and_after_a_stop() {
    let place = place();
    let settings =
        ["--set", "training.epochs=4", "--set", DEVICE, "--set", "data.validation_fraction=0.2"];
    let train = |out: &str, threads: &str| {
        let command = ["train", "proline.toml", "--out", out, "--threads", threads];
        place.json(&[&command[..], &settings].concat());
    };
    train("one", "1");
    train("three", "3");
    let short = ["train", "proline.toml", "--out", "short"];
    let two = ["--set", "training.epochs=2"];
    place.json(&[&short[..], &settings, &two].concat());
    place.json(&[&short[..], &settings, &["--resume"]].concat());
    for file in ["metrics.csv", "predictions.csv"] {
        let of = |run: &str| bytes(&place.path(run).join(file));
        assert!(of("one") == of("three"), "{file}");
    }
    assert!(bytes(&place.path("one/metrics.csv")) == bytes(&place.path("short/metrics.csv")));
    assert!(column(&place, "one/metrics.csv", "validation_mae").iter().all(|mae| *mae > 0.0));
}

#[test]
fn an_epoch_that_was_stopped_goes_on_to_the_same_bits() {
    let session = || {
        let text = "data = { set = 'wine', task = 'regression', label = ['hue', 'proline'] }\n\
                    network.layers = [12, 4, 2]\ntraining.epochs = 2\n";
        Session::<f64>::new(Experiment::parse(text, "x.toml", &[]).unwrap()).unwrap()
    };
    let (mut whole, mut begun, mut again) = (session(), session(), session());
    whole.trainer.train().unwrap();
    let stop = Stop::default();
    begun.trainer.stop_with(stop.clone());
    let stopped = begun.trainer.epoch(&mut |_| stop.ask()).unwrap_err();
    assert!(stopped.to_string().contains("stopped in epoch 1 of 2"), "{stopped}");
    let path = std::path::Path::new("a checkpoint");
    let bytes = begun.trainer.checkpoint("x".into()).bytes(path).unwrap();
    again.trainer.resume_from(&Checkpoint::parse(&bytes, path).unwrap(), path).unwrap();
    again.trainer.train().unwrap();
    assert_eq!(again.trainer.metrics(), whole.trainer.metrics());
    assert_eq!(again.trainer.values(), whole.trainer.values());
}

#[test]
fn a_study_is_one_of_r2() {
    let place = place();
    let study = "base = 'proline.toml'\nseeds = 2\ntarget_r2 = 0.2\n[set]\ntraining.epochs = 5\n\
                 [[axis]]\nkey = 'training.batch'\nvalues = [8, 12, 16]\n";
    place.file("study.toml", study);
    let shown = place.printed(&["sweep", "study.toml", "--out", "study"]);
    assert!(shown.contains("Test R2") && !shown.contains(" %\n"), "{shown}");
    let alone = place.json(&[
        "train",
        "proline.toml",
        "--out",
        "r",
        "--set",
        "training.epochs=5",
        "--set",
        "training.batch=8",
    ]);
    for key in ["test_r2", "test_rmse", "test_mae", "train_r2"] {
        assert_eq!(
            column(&place, "study/results.csv", key)[0],
            alone[key].as_f64().unwrap(),
            "{key}"
        );
    }
    let epochs = column(&place, "study/results.csv", "epochs_to_target");
    assert!(epochs.iter().all(|epoch| (1.0..=5.0).contains(epoch)), "{epochs:?}");
    place.printed(&["report", "study"]);
    let page = std::fs::read_to_string(place.path("study/report.html")).unwrap();
    assert!(page.contains(">\nTest R2\n<") && !page.to_lowercase().contains("accuracy"));
    for (from, to, expected) in [
        ("target_r2 = 0.2", "target_accuracy = 0.2", "learns targets: expected target_r2"),
        (
            "target_r2 = 0.2",
            "target_r2 = 2",
            "target_r2 = 2: expected a number above 0 and at most 1",
        ),
        ("target_r2 = 0.2", "metric = 'r2'", "expected one of test_accuracy"),
    ] {
        place.file("wrong.toml", study.replace(from, to));
        let message = place.refused(2, &["sweep", "wrong.toml", "--out", "wrong"]);
        assert!(message.contains(expected), "{message}");
    }
    let transfer = study.replace("seeds = 2\ntarget_r2 = 0.2", "procedure = 'transfer'");
    place.file(
        "transfer.toml",
        transfer
            + &format!(
                "[[axis]]\nkey = 'device.crossbar.sheet'\nvalues = ['{}']\n",
                "crossbar-generic"
            ),
    );
    place.printed(&["sweep", "transfer.toml", "--out", "transfer"]);
    assert!(column(&place, "transfer/results.csv", "ideal_test_r2").iter().all(|r2| *r2 < 1.0));
}

#[test]
fn a_budget_counts_hundredths_of_r2() {
    let place = place();
    let settings = [DEVICE, "training.epochs=2", "device.crossbar.programming.error_uS=3.0"];
    let settings = settings.into_iter().flat_map(|setting| ["--set", setting]);
    let command = ["budget", "proline.toml", "--out", "budget", "--seeds", "2", "--pairs", "0"];
    let command: Vec<&str> = command
        .into_iter()
        .chain(["--runs", "28", "--gradient-samples", "0"])
        .chain(settings)
        .collect();
    let budget = place.json(&command);
    assert_eq!(budget["metric"], "test_r2");
    // The machine as it is has the R2 of the run with the same seed.
    let rows = std::fs::read_to_string(place.path("budget/results.csv")).unwrap();
    assert!(rows.lines().next().unwrap().contains("test_r2"), "{rows}");
    let baseline = budget["baseline"].as_f64().unwrap();
    let own: Vec<f64> = ["seed=1", "seed=2"]
        .into_iter()
        .map(|seed| {
            let settings =
                [DEVICE, "training.epochs=2", "device.crossbar.programming.error_uS=3.0", seed];
            let settings = settings.into_iter().flat_map(|setting| ["--set", setting]);
            let train = ["train", "proline.toml", "--out", seed].into_iter().chain(settings);
            place.json(&train.collect::<Vec<_>>())["test_r2"].as_f64().unwrap()
        })
        .collect();
    assert!((baseline - 0.5 * (own[0] + own[1])).abs() < 1e-12, "{baseline} {own:?}");
    let page = std::fs::read_to_string(place.path("budget/index.html")).unwrap();
    assert!(page.contains("Points of test R2") && !page.contains("accuracy"));
    assert!(page.contains(&format!("{baseline:.4}")));
}

#[test]
fn an_export_tells_values() {
    let place = place();
    place.json(&[
        "train",
        "proline.toml",
        "--out",
        "run",
        "--set",
        DEVICE,
        "--set",
        "learning.beta=0.5",
    ]);
    let exported = place.json(&["export", "run", "--to", "crossbar", "--out", "maps"]);
    let expected = &exported["expected"];
    assert!(
        expected.get("accuracy").is_none() && expected["r2"].as_f64().unwrap() > 0.5,
        "{expected}"
    );
    let verified = place.json(&["verify", "maps"]);
    assert_eq!((&verified["ok"], &verified["test_r2"]), (&true.into(), &expected["r2"]));
    assert!(verified.get("test_accuracy").is_none());
    let shown = place.printed(&["verify", "maps"]);
    assert!(shown.contains("as the manifest says: test R2 "), "{shown}");
    let [known, told] = ["test-labels.csv", "predictions.csv"]
        .map(|file| column(&place, &format!("maps/{file}"), "proline"));
    close(&expected["mae"], scores(&known, &told)[2]);
    let read = |file: &str| std::fs::read_to_string(place.path("maps").join(file)).unwrap();
    let (readme, protocol) = (read("README.txt"), read("PROTOCOL.txt"));
    assert!(readme.contains("low + (v - off) / (on - off) x (high - low)"), "{readme}");
    assert!(readme.contains("has R2 0."), "{readme}");
    assert!(protocol.contains("`proline` = 278 + (v + 0.9) / 1.8 x "), "{protocol}");
    assert!(protocol.contains("y = -0.9 + 1.8 x (value - low)"), "{protocol}");
    // The example's value is what its output shows, scaled back.
    let low = 278.0;
    let high = column(&place, "maps/targets.csv", "high")[0];
    let told = protocol.lines().find_map(|line| line.trim().strip_prefix("the outputs show "));
    let (shown, told) = told.unwrap().split_once(": proline ").unwrap();
    let [shown, told]: [f64; 2] = [shown, told].map(|number| number.parse().unwrap());
    assert!((told - (low + (shown + 0.9) / 1.8 * (high - low))).abs() < 1e-3, "{told} {shown}");
    place.json(&["import", "maps", "--out", "again"]);
    close(&place.json(&["evaluate", "again"])["test_samples"], 36.0);

    // What is changed is told.
    let predictions = read("predictions.csv");
    let line = predictions.lines().nth(1).unwrap().to_owned();
    std::fs::write(place.path("maps/predictions.csv"), predictions.replace(&line, "0,1.5"))
        .unwrap();
    let message = place.refused(2, &["verify", "maps"]);
    assert!(message.contains("predictions.csv: 1 of 36 predictions differ"), "{message}");
    std::fs::write(
        place.path("maps/targets.csv"),
        "output,target,low,high,off,on\n0,proline,5,4,-0.9,0.9\n",
    )
    .unwrap();
    let message = place.refused(2, &["verify", "maps"]);
    assert!(
        message.contains("targets.csv: line 2: low 5, high 4: expected low below high"),
        "{message}"
    );
}

#[test]
fn the_other_commands_take_a_regression() {
    let place = place();
    let shown = place.printed(&["gradient", "proline.toml"]);
    assert!(shown.contains("asym-ep") && shown.contains("adjoint"), "{shown}");
    place.json(&["train", "proline.toml", "--out", "run", "--set", "training.epochs=2"]);
    let more = ["train", "proline.toml", "--out", "more", "--from", "run"];
    place.json(&[&more[..], &["--set", "training.epochs=1"]].concat());
    // Built-in sets and arrays.
    let wine = place.json(&[
        "train",
        "proline.toml",
        "--out",
        "built-in",
        "--set",
        "data.set=wine",
        "--set",
        "data.label=hue",
        "--set",
        "network.layers=[13, 8, 1]",
        "--set",
        "training.epochs=2",
    ]);
    assert_eq!(wine["targets"][0]["target"], "hue");
    let (x, y) = (
        DMatrix::from_fn(30, 2, |i, j| (i * (j + 1) % 7) as f64),
        DMatrix::from_fn(30, 2, |i, j| (i + j) as f64 * 0.5),
    );
    equilux::file::matrix::write_matrix(&place.path("x.npy"), &x).unwrap();
    equilux::file::matrix::write_matrix(&place.path("y.npy"), &y).unwrap();
    let arrays = place.json(&[
        "train",
        "proline.toml",
        "--out",
        "arrays",
        "--set",
        "data.set=x.npy",
        "--set",
        "data.label=y.npy",
        "--set",
        "network.layers=[2, 8, 2]",
        "--set",
        "training.epochs=2",
    ]);
    assert_eq!(arrays["targets"][1]["target"], "y_1");
}

#[test]
fn what_is_no_regression_is_refused_by_its_name() {
    let place = place();
    let set = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let command = ["train", "proline.toml", "--out", "run"].into_iter().chain(settings);
        place.refused(2, &command.collect::<Vec<_>>())
    };
    place.file("gap.csv", "a,b,t\n1,2,3\n4,5,?\n");
    place.file("inf.csv", "a,b,t\n1,2,inf\n4,5,6\n");
    place.file("same.csv", "a,b,t\n1,2,3\n4,5,3\n6,7,3\n8,9,3\n");
    let (t, two) = ("data.label=t", "network.layers=[2, 3, 1]");
    let classification = "data.task=classification";
    for (settings, expected) in [
        // As classes.
        (
            &[classification, "data.label=hue"][..],
            "wine.csv: column `hue`: 78 different numbers as labels of 178 samples",
        ),
        (
            &[classification, "data.label=hue"],
            "expected classes; data.task = \"regression\" learns numbers",
        ),
        (
            &[classification, "data.label=proline"],
            "most of them are there once: expected classes; data.task",
        ),
        (
            &[classification, "data.label=[\"hue\", \"proline\"]"],
            "data.label = [\"hue\", \"proline\"]: expected one column of classes",
        ),
        // Columns and values.
        (&["data.label=[]"], "an empty list: expected the name of a column"),
        (&["data.label=[\"hue\", \"hue\"]"], "`hue` is listed twice"),
        (&["data.label=Hue"], "no label column `Hue`; did you mean `hue`?"),
        (
            &["data.set=gap.csv", t, two, "data.missing=mean"],
            "gap.csv: line 3, column `t`: the target is missing (`?`)",
        ),
        (
            &["data.set=inf.csv", t, two],
            "inf.csv: line 2, column `t`: `inf` is not a finite number",
        ),
        (
            &["data.set=same.csv", t, two],
            "data.label: same: target `t` is 3 in every sample that trains",
        ),
        // The rest of the experiment.
        (&["data.task=regress"], "unknown variant `regress`"),
        (
            &["network.layers=[12, 12, 2]"],
            "data set wine.csv has 12 features and 1 targets, so the first layer",
        ),
        (
            &["learning.cost=cross-entropy"],
            "learning.cost = \"cross-entropy\": a cost of classes, and data.task is \"regression\"; expected \"squared-error\"",
        ),
        (
            &["learning.target_on=-0.9"],
            "learning.target_on = -0.9: learning.target_off is the same",
        ),
        (
            &["data.set=images/"],
            "data.task = \"regression\": images/ has classes of images, no targets",
        ),
    ] {
        let message = set(settings);
        assert!(message.contains(expected), "{settings:?}: expected `{expected}` in {message}");
        assert!(!place.path("run").exists(), "{settings:?}: something was written");
    }
    place.json(&["train", "proline.toml", "--out", "run", "--set", "training.epochs=1"]);
    let (names, _) = wine();
    let features: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| *name != "proline").collect();
    let line = ["1"; 12].join(",");
    place.file("bare.csv", format!("{}\n{line}\n", features.join(",")));
    let message = place.refused(2, &["evaluate", "run", "--test", "bare.csv"]);
    assert!(
        message.contains("--test bare.csv: no labels: expected targets beside the features"),
        "{message}"
    );
    place.file("nan.csv", format!("{},proline\n{line},NA\n", features.join(",")));
    let message = place.refused(2, &["evaluate", "run", "--test", "nan.csv"]);
    assert!(
        message.contains("nan.csv: line 2, column `proline`: the target is missing (`NA`)"),
        "{message}"
    );
    let message = place.refused(
        2,
        &[
            "evaluate",
            "run",
            "--set",
            "data.task=classification",
            "--set",
            "network.layers=[12, 12, 3]",
        ],
    );
    assert!(
        message
            .contains("data.task = \"classification\": the samples that were trained would test"),
        "{message}"
    );
    let message = place.refused(2, &["evaluate", "run", "--set", "data.label=hue"]);
    assert!(message.contains("data.label = \"hue\": the machine tells \"proline\""), "{message}");
    let message =
        place.refused(2, &["data", "import", "wine.csv", "--label", "hue", "--name", "own"]);
    assert!(message.contains("column `hue`: 78 different numbers"), "{message}");
}
