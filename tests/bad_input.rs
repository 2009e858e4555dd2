//! Whatever a user gives: a clear message, the right exit status, nothing half-written, no panic.

mod common;

use std::fs;
use std::process::Command;

use common::{Place, SMALL, refusal};

/// Trains SMALL with `from` replaced by `to`, and returns the refusal.
fn refused(from: &str, to: &str) -> String {
    let place = Place::new();
    assert!(SMALL.contains(from));
    place.file("small.toml", SMALL.replace(from, to));
    let message = place.refused(2, &["train", "small.toml", "--out", "run"]);
    assert!(!place.path("run").exists(), "something was written");
    message
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected `{part}` in: {message}");
    }
}

#[test]
fn files_of_another_kind_say_which_command_takes_them() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    place
        .file("study.toml", "base = 'small.toml'\n[[axis]]\nkey = 'learning.beta'\nvalues = [1]\n");
    says(&place.refused(2, &["train", "study.toml"]), &["study.toml: a study", "equilux sweep"]);
    says(&place.refused(2, &["gradient", "study.toml"]), &["study.toml: a study"]);
    says(
        &place.refused(2, &["sweep", "small.toml"]),
        &["an experiment", "equilux train small.toml"],
    );
    place.json(&["sweep", "study.toml", "--out", "st"]);
    says(
        &place.refused(2, &["evaluate", "st"]),
        &["not the directory of a run", "that of a study"],
    );
    says(&place.refused(2, &["verify", "st"]), &["st: not an export: it has no manifest.json"]);
    let set = |setting: &str| place.refused(2, &["train", "small.toml", "--set", setting]);
    says(&set("device=rram-wan"), &["device.crossbar.sheet=rram-wan", "--device rram-wan"]);
    says(&set("seed=9223372036854775808"), &["expected a whole number between -2^63 and 2^63"]);
    says(&set("relaxation.max_step=none"), &["did you mean `max_steps`?"]);
    says(&place.refused(2, &["report", "st", "--style", "width=3in"]), &["width=8.5cm,font=8pt"]);
}

#[test]
fn keys_and_values_of_an_experiment() {
    says(
        &refused("max_steps = 30", "max_step = 30"),
        &["small.toml", "line 11, column 1", "did you mean `max_steps`?"],
    );
    says(&refused("step = 1.0", "step = \"fast\""), &["line 9, column 8", "expected"]);
    says(
        &refused("step = 1.0", "step = 1.5"),
        &["line 9, column 8", "1.5 is out of range: expected a number above 0 and at most 1"],
    );
    says(&refused("step = 1.0", "step = nan"), &["line 9, column 8", "NaN is out of range"]);
    says(&refused("epochs = 3", "epochs = 0"), &["line 13", "a whole number of at least 1"]);
    says(&refused("seed = 5", "seed = -5"), &["line 2, column 8"]);
    says(&refused("[training]", "[training"), &["line 12"]);
    says(
        &refused("optimiser.adam.rate = 0.02", "optimiser.adm.rate = 0.02"),
        &["line 15", "did you mean `adam`?"],
    );
    says(
        &refused("layers = [64, 12, 10]", "layers = [63, 12, 10]"),
        &["network.layers", "64 features and 10 classes"],
    );
    says(&refused("layers = [64, 12, 10]", "layers = [64]"), &["at least two layers"]);
    says(&refused("set = \"digits\"", "set = \"digit\""), &["did you mean `digits`?"]);
    says(
        &refused("set = \"digits\"", "set = \"digits\"\ntest_fraction = 0.0"),
        &["data.test_fraction"],
    );
}

#[test]
fn settings_and_arguments() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let train = |extra: &[&str]| {
        place.refused(2, &[&["train", "small.toml", "--out", "run"][..], extra].concat())
    };
    says(
        &train(&["--set", "training.epochs=many"]),
        &["--set training.epochs=many", "expected a whole number\nin `training.epochs`"],
    );
    says(&train(&["--set", "training.epoch=3"]), &["did you mean `epochs`?"]);
    says(&train(&["--set", "epochs=3"]), &["unknown field `epochs`", "there is `training.epochs`"]);
    says(&train(&["--set", "training.epochs"]), &["expected key=value"]);
    says(
        &train(&["--set", "training.rates.weigths=2"]),
        &["training.rates.weigths: no real parameter", "0-1.weights"],
    );
    says(
        &train(&["--set", "training.rates.weights=-1"]),
        &["weights = -1: expected a number above 0", "training.rates"],
    );
    says(&train(&["--threads", "0"]), &["--threads"]);
    says(&place.refused(2, &["train", "absent.toml"]), &["absent.toml", "cannot be read"]);
    says(&place.refused(2, &["train", "smal.tml"]), &["did you mean `small.toml`?"]);
    says(&place.refused(2, &["evaluate", "absent"]), &["absent", "not the directory of a run"]);
    says(&place.refused(2, &["evaluate", "small.toml"]), &["it is a file, and equilux train"]);
    fs::create_dir(place.path("empty")).unwrap();
    says(&place.refused(2, &["train", "empty"]), &["empty: a directory: expected the TOML file"]);
    says(
        &place.refused(2, &["gradient", "small.toml", "--rule", "asymep"]),
        &["did you mean `asym-ep`?"],
    );
    says(
        &place.refused(2, &["gradient", "small.toml", "--beta", "0"]),
        &["expected numbers other than 0"],
    );
}

#[test]
fn data_files() {
    let place = Place::new();
    let experiment = SMALL
        .replace("set = \"digits\"", "set = \"flowers.csv\"")
        .replace("[64, 12, 10]", "[2, 4, 2]");
    place.file("flowers.toml", experiment);
    let train = |csv: &str| {
        place.file("flowers.csv", csv);
        place.refused(2, &["train", "flowers.toml", "--out", "run"])
    };
    says(&train("a,b,class\n1,2,x\n3,y\n"), &["flowers.csv", "line 3"]);
    says(&train("a,b,class\n1,2,x\n3,four,y\n"), &["flowers.csv", "3", "`b`", "four"]);
    says(&train("a,b,kind\n1,2,x\n3,4,y\n"), &["flowers.csv", "class"]);
    let absent = place
        .command(&["train", "flowers.toml", "--set", "data.set=mnist"])
        .env("EQUILUX_DATA", place.path("store"))
        .output();
    says(&refusal(&absent.unwrap(), 2), &["equilux data fetch mnist"]);
}

#[test]
fn case_files() {
    let place = Place::new();
    let case = |text: &str| {
        place.file("case.json", text);
        place.refused(2, &["gradient", "case.json"])
    };
    says(&case("{\"W\": [[1, 2]"), &["case.json", "line 1"]);
    says(&case("{\"W\": [[0]], \"U\": [[0]], \"b\": [0], \"x\": [0]}"), &["case.json", "target"]);
    says(
        &case("{\"W\": [[0, 1]], \"U\": [[0]], \"b\": [0], \"x\": [0], \"target\": [0]}"),
        &["row 0 of W has 2 values, expected 1"],
    );
    says(
        &case("{\"W\": [[0]], \"U\": [[0]], \"b\": [0], \"x\": [0], \"target\": [0, 0]}"),
        &["target has 2 values"],
    );
    // An unstable machine is the machine's fault, not the user's.
    place.file("case.json", "{\"W\": [[3]], \"U\": [[0]], \"b\": [0.1], \"x\": [0], \"target\": [0], \"activation\": \"identity\"}");
    says(&place.refused(1, &["gradient", "case.json"]), &["did not settle"]);
}

#[test]
fn checkpoints() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    place.printed(&["train", "small.toml", "--out", "run", "--set", "training.epochs=1"]);
    let checkpoint = place.path("run/checkpoint.safetensors");
    let whole = fs::read(&checkpoint).unwrap();
    let resume = ["train", "small.toml", "--out", "run", "--resume"];
    says(
        &place.refused(2, &["train", "run"]),
        &["run: the directory of a run", "equilux evaluate run"],
    );

    fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    says(
        &place.refused(2, &["evaluate", "run"]),
        &["checkpoint.safetensors", "not a whole checkpoint"],
    );
    says(&place.refused(2, &resume), &["checkpoint.safetensors", "not a whole checkpoint"]);
    fs::write(&checkpoint, b"").unwrap();
    says(&place.refused(2, &["evaluate", "run"]), &["not a whole checkpoint"]);

    fs::write(&checkpoint, &whole).unwrap();
    let other = ["evaluate", "run", "--set", "network.layers=[64, 13, 10]"];
    says(
        &place.refused(2, &other),
        &["another machine", "0-1.weights", "expected 13 x 64", "found 12 x 64"],
    );
    let changed = [&resume[..], &["--set", "learning.beta=0.3"]].concat();
    says(
        &place.refused(2, &changed),
        &["--resume", "differs", "in learning.beta", "training.epochs"],
    );
    fs::remove_file(&checkpoint).unwrap();
    says(&place.refused(2, &["evaluate", "run"]), &["checkpoint.safetensors", "cannot be read"]);
}

#[test]
fn output_directories() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    place.file("occupied", "a file");
    says(
        &place.refused(2, &["train", "small.toml", "--out", "occupied/run"]),
        &["occupied/run", "cannot be written"],
    );
    fs::create_dir(place.path("full")).unwrap();
    place.file("full/notes.txt", "mine");
    says(
        &place.refused(2, &["train", "small.toml", "--out", "full"]),
        &["full", "not an empty directory"],
    );
    assert_eq!(fs::read_to_string(place.path("full/notes.txt")).unwrap(), "mine");
    // A run that failed before its first epoch does not stand in the way of one that will not.
    let train = ["train", "small.toml", "--out", "failed", "--set"];
    let hasty = [&train[..], &["relaxation.max_steps=1"]].concat();
    says(&place.refused(1, &hasty), &["settled in every phase", "relaxation.max_steps"]);
    place.printed(&[&train[..], &["training.epochs=1"]].concat());
    says(
        &place.refused(2, &["train", "small.toml", "--out", "nowhere", "--resume"]),
        &["nowhere", "not the directory of a run"],
    );
}

#[test]
#[cfg(unix)]
fn a_disk_that_fills_up() {
    // A limit on the size of files stands for the disk: the checkpoint of 800 weights and their
    // moments does not fit in 4 KiB.
    let place = Place::new();
    place.file("small.toml", SMALL);
    let program = env!("CARGO_BIN_EXE_equilux");
    let script = format!("trap '' XFSZ; ulimit -f 4; exec {program} train small.toml --out run");
    let output =
        Command::new("bash").current_dir(place.path("")).args(["-c", &script]).output().unwrap();
    says(&refusal(&output, 1), &["checkpoint.safetensors", "cannot be written"]);
    let mut left: Vec<String> = fs::read_dir(place.path("run"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["config.toml", "metrics.csv"], "half-written files are left");
    // With room again the run goes on.
    place.printed(&["train", "small.toml", "--out", "run", "--resume"]);
}

#[test]
fn training_that_diverges() {
    let place = Place::new();
    place.file(
        "small.toml",
        SMALL.replace("optimiser.adam.rate = 0.02", "optimiser.sgd.rate = 1e38"),
    );
    // The first updates leave weights so large that nothing comes to rest.
    says(
        &place.refused(1, &["train", "small.toml", "--out", "run"]),
        &["epoch 2: none of the first ", "relaxation.max_steps = 30"],
    );
}
