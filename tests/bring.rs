//! What a user brings to a trained machine and takes away from it: weights, samples, predictions.

mod common;

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use common::write_npz;
use equilux::data::{DataConfig, Dataset};
use equilux::file::npz::Npz;
use nalgebra::DMatrix;
use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn equilux(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        let mut command = Command::cargo_bin("equilux").unwrap();
        command.current_dir(self.0.path()).args(arguments).assert()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let assert = self.equilux(&[arguments, &["--json"]].concat()).success();
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], expected: &str) {
        let assert = self.equilux(arguments).code(2).stdout("");
        let message = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(message.contains(expected), "{message}\n{expected}");
    }

    fn array(&self, file: &str, name: &str) -> DMatrix<f64> {
        let array = Npz::open(&self.path(file)).unwrap().array(name).unwrap();
        DMatrix::from_row_slice(array.shape[0], array.shape[1], &array.values)
    }
}

const WINE: &str =
    "seed = 3\ndata.set = 'wine'\nnetwork.layers = [13, 6, 3]\ntraining.epochs = 3\n";

#[test]
fn predictions_are_those_that_were_counted() {
    let place = Place::new();
    fs::write(place.path("wine.toml"), WINE).unwrap();
    let summary = place.json(&["train", "wine.toml", "--out", "run"]);
    let found = place.json(&["predict", "run", "--out", "p.npz"]);
    let right = summary["test_accuracy"].as_f64().unwrap() * 36.0;
    assert_eq!(found["samples"], 36);
    assert!((found["correct"].as_f64().unwrap() - right).abs() < 1e-9);
    let (outputs, nodes) = (place.array("p.npz", "outputs"), place.array("p.npz", "nodes"));
    assert_eq!((outputs.shape(), nodes.shape()), ((36, 3), (36, 9)));
    assert_eq!(outputs, nodes.columns(6, 3).into_owned());
    let (given, label) = (place.array("p.npz", "class"), place.array("p.npz", "label"));
    for sample in 0..36 {
        assert_eq!(outputs.row(sample).transpose().imax() as f64, given[sample]);
    }
    // The confusion matrix counts the same samples.
    let evaluated = place.json(&["evaluate", "run"]);
    let mut counts = vec![vec![0u64; 3]; 3];
    given
        .iter()
        .zip(&label)
        .for_each(|(&given, &label)| counts[label as usize][given as usize] += 1);
    assert_eq!(evaluated["confusion"]["counts"], serde_json::json!(counts));
    let recall =
        |class: usize| counts[class][class] as f64 / counts[class].iter().sum::<u64>() as f64;
    let balanced = (recall(0) + recall(1) + recall(2)) / 3.0;
    assert!((evaluated["balanced_accuracy"].as_f64().unwrap() - balanced).abs() < 1e-12);
    let shown = place.equilux(&["evaluate", "run"]).success().get_output().stdout.clone();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("balanced accuracy") && shown.contains("precision"), "{shown}");
    let report = fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(report.contains("Confusion of the test samples"));

    place.equilux(&["predict", "run", "--out", "p.csv"]).success();
    let table = fs::read_to_string(place.path("p.csv")).unwrap();
    let head = "sample,class,label,settled,steps,output_0,output_1,output_2,node_0,";
    assert!(table.starts_with(head), "{table}");
    let first: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first[5].parse::<f64>().unwrap(), outputs[(0, 0)]);
}

#[test]
fn new_samples_are_scaled_as_the_training_part_was() {
    let place = Place::new();
    let wine = Dataset::load(&DataConfig::default()).unwrap();
    wine.write_csv(&place.path("wine.csv"), &"class".into()).unwrap();
    fs::write(place.path("x.toml"), WINE.replace("'wine'", "'wine.csv'")).unwrap();
    place.equilux(&["train", "x.toml", "--out", "run"]).success();
    let whole = place.json(&["predict", "run", "--data", "wine.csv", "--out", "all.npz"]);
    // The test part says which samples of the set it has.
    place.equilux(&["predict", "run", "--out", "p.npz"]).success();
    let [places, own, all] = [("p", "sample"), ("p", "nodes"), ("all", "nodes")]
        .map(|(file, array)| place.array(&format!("{file}.npz"), array));
    assert!(places.len() == 36 && places[35] > 100.0, "{places}");
    for (row, place) in own.row_iter().zip(&places) {
        assert_eq!(row, all.row(*place as usize));
    }
    // The same samples, with columns in another order and no labels.
    let names: Vec<&str> = wine.feature_names.iter().rev().map(String::as_str).collect();
    let mut text = names.join(";") + "\n";
    for sample in wine.features.column_iter() {
        let numbers: Vec<String> = sample.iter().rev().map(f64::to_string).collect();
        text += &(numbers.join(";") + "\n");
    }
    fs::write(place.path("new.csv"), text).unwrap();
    let found = place.json(&["predict", "run", "--data", "new.csv", "--out", "new.npz"]);
    assert_eq!((&found["samples"], &found["correct"]), (&178.into(), &Value::Null));
    assert_eq!(place.array("new.npz", "nodes"), place.array("all.npz", "nodes"));
    let tested = place.json(&["evaluate", "run", "--test", "wine.csv"]);
    assert_eq!(tested["test_samples"], 178);
    let accuracy = whole["correct"].as_f64().unwrap() / 178.0;
    assert!((tested["test_accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12);

    place.refused(&["evaluate", "run", "--test", "new.csv"], "--test new.csv: no labels");
    place.refused(
        &["predict", "run", "--out", "p.txt"],
        "expected a file that ends in .csv or .npz",
    );
    let over = ["predict", "run", "--data", "wine.csv", "--out", "wine.csv"];
    place.refused(&over, "is the input wine.csv, which would be lost");
    fs::write(place.path("bad.csv"), "a,class\n1,0\n").unwrap();
    let bad = ["predict", "run", "--data", "bad.csv", "--out", "p.csv"];
    place.refused(&bad, "column `a` is none of the features that were trained");
    write_npz(&place.path("few.npz"), &[("x", DMatrix::zeros(2, 12))]);
    let few = ["predict", "run", "--data", "few.npz", "--out", "p.csv"];
    place.refused(&few, "--data few.npz: 12 features of a sample: expected 13");
    assert!(!place.path("p.csv").exists());
}

/// A network of rectifiers as PyTorch has it, Linear(13, 8), ReLU, Linear(8, 5), ReLU, Linear(5, 3):
/// its weights under the names there.
fn network() -> Vec<(&'static str, DMatrix<f64>)> {
    let number = |seed: usize| {
        move |i: usize, j: usize| ((7 * i + 13 * j + 29 * seed) as f64 * 0.7311).sin() * 0.8
    };
    vec![
        ("net.0.weight", DMatrix::from_fn(8, 13, number(1))),
        ("net.0.bias", DMatrix::from_fn(8, 1, number(2))),
        ("net.2.weight", DMatrix::from_fn(5, 8, number(3))),
        ("net.2.bias", DMatrix::from_fn(5, 1, number(4))),
        ("net.10.weight", DMatrix::from_fn(3, 5, number(5))),
        ("net.10.bias", DMatrix::from_fn(3, 1, number(6))),
    ]
}

#[test]
fn weights_from_elsewhere_compute_the_same_sample_for_sample() {
    let place = Place::new();
    let text = "seed = 1\nprecision = 'f64'\ndata.set = 'wine'\n[network]\nlayers = [13, 8, 5, 3]\nactivation = 'rectify'\n\
                output_activation = 'identity'\n[relaxation]\nstep = 1.0\ntolerance = 1e-12\n";
    fs::write(place.path("mlp.toml"), text).unwrap();
    let network = network();
    write_npz(&place.path("mlp.npz"), &network);
    let report = place.json(&["import", "mlp.npz", "--config", "mlp.toml", "--out", "run"]);
    let placed = report["placed"].as_array().unwrap();
    assert_eq!(placed.len(), 6);
    assert!(placed.iter().all(|placed| placed["changed"] == 0), "{report}");

    let samples = DMatrix::from_fn(50, 13, |i, j| ((i * 13 + j) as f64 * 0.917).cos());
    write_npz(&place.path("samples.npz"), &[("x", samples.clone())]);
    // As it is: no scaling but what the file of features has.
    let plain = ["--set", "data.scaling=none"];
    let predict = |run: &str| {
        let arguments = ["predict", run, "--data", "samples.npz", "--out", "p.npz"];
        place.equilux(&[&arguments[..], &plain].concat()).success();
        (place.array("p.npz", "outputs"), place.array("p.npz", "class"))
    };
    let (outputs, given) = predict("run");
    let mut values = samples.transpose();
    for (layer, pair) in network.chunks(2).enumerate() {
        let (weights, bias) = (&pair[0].1, &pair[1].1);
        values = weights * values;
        for mut sample in values.column_iter_mut() {
            sample += bias;
        }
        if layer < 2 {
            values.apply(|value| *value = value.max(0.0));
        }
    }
    // The tolerance of forces, through weights of a gain of about 2 a layer.
    assert!((outputs - values.transpose()).amax() < 1e-10);
    for (sample, column) in values.column_iter().enumerate() {
        assert_eq!(column.imax() as f64, given[sample], "sample {sample}");
    }

    // Inputs x outputs, under other names.
    let turned: Vec<(&str, DMatrix<f64>)> = network
        .iter()
        .zip(["w3", "b3", "w2", "b2", "w1", "b1"])
        .map(|((_, matrix), name)| {
            (name, if name.starts_with('w') { matrix.transpose() } else { matrix.clone() })
        })
        .collect();
    write_npz(&place.path("turned.npz"), &turned);
    let import = ["import", "turned.npz", "--config", "mlp.toml", "--out", "again"];
    place.refused(&import, "b1: expected [8, 1] for bias.1, found [3, 1]");
    let map = [
        "--transpose",
        "--map",
        "w3=0-1.weights",
        "--map",
        "w2=1-2.weights",
        "--map",
        "w1=2-3.weights",
        "--map",
        "b3=bias.1",
        "--map",
        "b1=bias.3",
    ];
    place.equilux(&[&import[..], &map].concat()).success();
    assert_eq!(predict("again").1, given);

    // On ideal cells with the range of each array's own weights it is the same network, in an export too.
    let mut loud = network.clone();
    loud[4].1 *= 10.0;
    write_npz(&place.path("loud.npz"), &loud);
    let import = ["import", "loud.npz", "--config", "mlp.toml"];
    let cells = ["--set", "device.crossbar.cells.g_max_uS=20"];
    let imported = |more: &[&str]| place.json(&[&import[..], more].concat());
    imported(&["--out", "exact"]);
    let clipped = imported(&[&cells[..], &["--out", "clipped"]].concat());
    let of = |report: &Value| {
        let all = report["placed"].as_array().unwrap();
        all.iter().find(|placed| placed["parameter"] == "2-3.weights").unwrap().clone()
    };
    let beyond = loud[4].1.iter().filter(|weight| weight.abs() > 2.0).count();
    assert_eq!(of(&clipped)["changed"], beyond, "{clipped}");
    let whole = imported(&[&cells[..], &["--fit-range", "--out", "fitted"]].concat());
    assert!(
        whole["placed"]
            .as_array()
            .unwrap()
            .iter()
            .all(|placed| { placed["off"].as_f64().unwrap() < 1e-15 })
    );
    let expected = predict("exact").0;
    assert!((predict("fitted").0 - &expected).amax() < 1e-9 * expected.amax());
    assert!((predict("clipped").0 - &expected).amax() > 0.1 * expected.amax());
    let config = fs::read_to_string(place.path("fitted/config.toml")).unwrap();
    assert!(config.contains("[device.crossbar.cells.weight_max_of]"), "{config}");
    place.equilux(&["export", "fitted", "--out", "maps", "--to", "crossbar"]).success();
    place.equilux(&["verify", "maps"]).success();
    place.equilux(&["import", "maps", "--out", "back"]).success();
    assert!((predict("back").0 - &expected).amax() < 1e-6 * expected.amax());
    place.refused(
        &[&import[..], &["--fit-range", "--out", "x"]].concat(),
        "--fit-range: expected an experiment on [device.crossbar]",
    );
    for (setting, expected) in [
        ("device.crossbar.cells.weight_max_of.0-2=1", "expected one of the arrays 0-1, 1-2, 2-3"),
        (
            "device.crossbar.cells.weight_max_of.0-1=0",
            "weight_max_of.0-1 = 0: expected a number above 0",
        ),
    ] {
        place.refused(&["train", "mlp.toml", "--out", "x", "--set", setting], expected);
    }

    // On a device: what is clipped or rounded is told, and training goes on from there.
    let device = ["--set", "device.crossbar.sheet=crossbar-generic", "--out", "cells"];
    let import = ["import", "mlp.npz", "--config", "mlp.toml"];
    place.json(&[&import[..], &device].concat());
    let train = [
        "train",
        "mlp.toml",
        "--from",
        "run",
        "--device",
        "crossbar-generic",
        "--set",
        "training.epochs=1",
        "--out",
        "trained",
    ];
    let trained = place.json(&train);
    assert!(trained["machine"].as_str().unwrap().contains("crossbar"), "{trained}");
}

#[test]
fn weights_without_a_place_are_refused() {
    let place = Place::new();
    fs::write(place.path("x.toml"), WINE).unwrap();
    let arrays =
        [("a", DMatrix::zeros(6, 13)), ("b", DMatrix::zeros(3, 6)), ("c", DMatrix::zeros(2, 2))];
    write_npz(&place.path("w.npz"), &arrays);
    fs::write(place.path("w.txt"), "0").unwrap();
    for (arguments, expected) in [
        (&["w.npz"][..], "expected one, or weights and --config CONFIG"),
        (&["w.txt", "--config", "x.toml"], "ends in .safetensors, .npz or .npy"),
        (
            &["w.npz", "--config", "x.toml"],
            "3 matrices for 2 arrays: expected --map TENSOR=PARAMETER",
        ),
        (&["w.npz", "--config", "x.toml", "--map", "d=0-1.weights"], "no tensor `d`"),
        (&["w.npz", "--config", "x.toml", "--map", "a=0-1.weight"], "did you mean `0-1.weights`?"),
        (&["w.npz", "--config", "x.toml", "--map", "c=-", "--transpose"], "without --transpose"),
    ] {
        place.refused(&[&["import", "--out", "run"], arguments].concat(), expected);
        assert!(!place.path("run").exists());
    }
    let whole = ["import", "w.npz", "--config", "x.toml", "--map", "c=-", "--out", "run"];
    place.equilux(&whole).success();
}

#[test]
fn what_a_new_user_begins_with() {
    let place = Place::new();
    place.equilux(&["init", "first"]).success();
    let summary =
        place.json(&["train", "first.toml", "--set", "training.epochs=2", "--out", "run"]);
    assert_eq!(summary["data"], "wine");
    place.refused(&["init", "first.toml"], "first.toml: exists: expected another name");
    // With data and hardware of one's own, both seen from where the experiment stands.
    let rows = |k: usize| format!("{},{},{}\n", k % 7, k % 3, ["a", "b", "c"][k % 3]);
    let rows: String = (0..60).map(rows).collect();
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("data/beans.csv"), format!("x,y,kind\n{rows}")).unwrap();
    std::fs::create_dir(place.path("lab")).unwrap();
    let sheet = "kind = 'crossbar'\ntitle = 'ours'\n[read_noise.sd_uS]\nvalue = 0.1\nunit = 'uS'\nsource = 'us'\n";
    std::fs::write(place.path("lab/ours.toml"), sheet).unwrap();
    let hardware =
        [("cells", "crossbar-generic"), ("light", "spim-generic"), ("own", "lab/ours.toml")];
    for (name, device) in hardware {
        let path = format!("data/{name}");
        let more = ["--data", "data/beans.csv", "--label", "kind", "--device", device, "--study"];
        place.equilux(&[&["init", path.as_str()][..], &more].concat()).success();
        let text = std::fs::read_to_string(place.path(&format!("{path}.toml"))).unwrap();
        assert!(
            text.contains("set = \"beans.csv\"  ") && text.contains("layers = [2, 8, 3]"),
            "{text}"
        );
        let of = ["--set", "training.epochs=1", "--out", name];
        let summary = place.json(&[&["train", &format!("{path}.toml")][..], &of].concat());
        let called = device.rsplit('/').next().unwrap();
        assert!(summary["machine"].as_str().unwrap().contains(called), "{summary}");
        place.equilux(&["sweep", &format!("{path}-study.toml"), "--dry-run"]).success();
    }
    let more = ["--data", "data/beans.csv", "--label", "x", "--label", "y", "--regression"];
    place.refused(&[&["init", "two"][..], &more].concat(), "column `kind`: `a` is not a number");
    let rows: String = (0..40).map(|k| format!("{},{},{}\n", k, k % 7, 2 * k + k % 7)).collect();
    std::fs::write(place.path("oil.csv"), format!("x,y,z\n{rows}")).unwrap();
    let more = ["--data", "oil.csv", "--label", "z", "--regression"];
    place.equilux(&[&["init", "oil"][..], &more].concat()).success();
    let summary = place.json(&["train", "oil.toml", "--out", "oil"]);
    assert!(summary["test_r2"].as_f64().unwrap() > 0.8, "{summary}");
    place.refused(&["init", "x", "--data", "data/beans.csv"], "no label column `class`");
    place.refused(&["init", "x", "--device", "rram-wann"], "did you mean `rram-wan`?");
    assert!(!place.path("x.toml").exists());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = place.equilux(&["completions", shell]).success().get_output().stdout.clone();
        let script = String::from_utf8(output).unwrap();
        assert!(script.contains("evaluate") && script.contains("transpose"), "{shell}");
    }
    place.equilux(&["completions", "cmd"]).code(2);
    let page = place.equilux(&["man"]).success().get_output().stdout.clone();
    let page = String::from_utf8(page).unwrap();
    assert!(
        page.contains(".TH equilux 1")
            && page.contains("EQUILUX PREDICT")
            && page.contains("\\-\\-transpose")
    );
}
