//! Studies: grids of runs that go on where they stopped, on one machine or many.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Place, bytes};
use equilux::study::Study;
use serde_json::Value;

/// Forty runs of a small network on Wine, each a few milliseconds.
const STUDY: &str = r#"
title = "How strong a nudge?"
seeds = 4
[experiment]
seed = 5
[experiment.data]
set = "wine"
[experiment.network]
layers = [13, 6, 3]
[experiment.relaxation]
step = 1.0
[experiment.training]
epochs = 2
batch = 30
[[axis]]
key = "learning.rule"
values = ["asym-ep", "vector-field"]
[[axis]]
key = "learning.beta"
linear = { from = 0.1, to = 0.5, steps = 5 }
"#;

fn text(path: &Path) -> String {
    String::from_utf8(bytes(path)).unwrap()
}

/// The cells of a CSV file under the head `name`.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|head| head == name)
        .unwrap_or_else(|| panic!("{name} in {csv}"));
    reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
}

#[test]
fn a_sweep_is_a_table_of_what_training_gives() {
    let place = Place::new();
    place.file("nudge.toml", STUDY);
    let swept = place.json(&["sweep", "nudge.toml"]);
    for (key, expected) in [
        ("study", Value::from("studies/nudge")),
        ("runs", 40.into()),
        ("done", 40.into()),
        ("failed", 0.into()),
        ("ran", 40.into()),
    ] {
        assert_eq!(swept[key], expected, "{key}");
    }
    let results = text(&place.path(swept["results"].as_str().unwrap()));
    assert_eq!(column(&results, "run"), (1..=40).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(column(&results, "seed")[..5], ["5", "6", "7", "8", "5"]);
    assert_eq!(column(&results, "learning.beta")[..5], ["0.1", "0.1", "0.1", "0.1", "0.2"]);

    // Run 26 is vector-field, beta 0.2, seed 6: the same number as training by hand gives.
    let experiment: toml::Table = toml::from_str(STUDY).unwrap();
    place.file("alone.toml", experiment["experiment"].to_string().as_bytes());
    place.file("alone.toml", toml::to_string(&experiment["experiment"]).unwrap());
    let settings =
        ["--set", "seed=6", "--set", "learning.rule=vector-field", "--set", "learning.beta=0.2"];
    let alone = place.json(&[&["train", "alone.toml"][..], &settings].concat());
    assert_eq!(column(&results, "learning.rule")[25], "vector-field");
    assert_eq!(
        column(&results, "test_accuracy")[25].parse::<f64>().unwrap(),
        alone["test_accuracy"].as_f64().unwrap()
    );

    // Mean, standard deviation and interval over the four seeds of the first point; t of 3 degrees
    // of freedom is 3.182446.
    let of_seeds: Vec<f64> =
        column(&results, "test_accuracy")[..4].iter().map(|cell| cell.parse().unwrap()).collect();
    let mean = of_seeds.iter().sum::<f64>() / 4.0;
    let deviation = (of_seeds.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let summary = text(&place.path("studies/nudge/summary.csv"));
    let first = |name: &str| column(&summary, name)[0].parse::<f64>().unwrap();
    assert!(
        (first("test_accuracy") - mean).abs() < 1e-12
            && (first("test_accuracy_sd") - deviation).abs() < 1e-12
    );
    // (mean - end)^2 = t^2 s^2/n V(end)/V(mean), V(x) = x (1 - x): inside 0 to 1, about the mean.
    for (end, below) in [("test_accuracy_low", true), ("test_accuracy_high", false)] {
        let end = first(end);
        let square = (3.182446 * deviation / 2.0).powi(2);
        let expected = square * end * (1.0 - end) / (mean * (1.0 - mean));
        assert!(((mean - end).powi(2) - expected).abs() < 1e-6 && (end < mean) == below, "{end}");
        assert!((0.0..=1.0).contains(&end), "{end}");
    }
    assert!(place.printed(&["sweep", "nudge.toml"]).contains("40 of 40 done; 0 of them now"));
}

#[test]
fn the_table_is_the_same_on_any_number_of_cores_and_in_any_parts() {
    let place = Place::new();
    place.file("nudge.toml", STUDY);
    let expected = |name: &str| {
        place.json(&["sweep", "nudge.toml", "--out", "one", "--jobs", "1"]);
        bytes(&place.path("one").join(name))
    };
    place.json(&["sweep", "nudge.toml", "--out", "two", "--jobs", "3", "--threads", "2"]);
    for shard in ["2/3", "1/3", "3/3"] {
        // In one directory, as on a shared disk, and each in its own, to be merged.
        place.json(&["sweep", "nudge.toml", "--out", "shared", "--shard", shard]);
        place.json(&[
            "sweep",
            "nudge.toml",
            "--out",
            &format!("part-{}", &shard[..1]),
            "--shard",
            shard,
        ]);
    }
    let merged = place.json(&["merge", "part-1", "part-2", "part-3", "--out", "merged"]);
    assert_eq!((&merged["runs"], &merged["done"]), (&40.into(), &40.into()));
    assert_eq!(column(&text(&place.path("part-2/results.csv")), "run").len(), 13);
    for name in ["results.csv", "summary.csv"] {
        for directory in ["two", "shared", "merged"] {
            assert_eq!(
                bytes(&place.path(directory).join(name)),
                expected(name),
                "{directory}/{name}"
            );
        }
    }
}

#[test]
fn a_killed_sweep_loses_no_more_than_the_runs_it_was_at() {
    const JOBS: usize = 2;
    let place = Place::new();
    place.file("nudge.toml", STUDY.replace("epochs = 2", "epochs = 40"));
    let expected = place.json(&["sweep", "nudge.toml", "--out", "whole"]);
    assert_eq!(expected["done"], 40);
    let records = place.path("killed/records/1-of-1.jsonl");
    let whole_lines = || fs::read_to_string(&records).unwrap_or_default().matches('\n').count();
    let mut kills = 0;
    for attempt in 0..200 {
        let before = fs::read_to_string(&records).unwrap_or_default();
        let before = &before[..before.rfind('\n').map_or(0, |end| end + 1)];
        let mut sweep =
            place.command(&["sweep", "nudge.toml", "--out", "killed", "--jobs", &JOBS.to_string()]);
        let mut sweep = sweep.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // At moments that have nothing to do with what it is at, some of them before it has begun.
        let (start, lifetime) = (Instant::now(), Duration::from_millis(20 + 37 * attempt % 230));
        let ended = loop {
            match sweep.try_wait().unwrap() {
                Some(status) => break status.success(),
                None if start.elapsed() > lifetime => break false,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        if ended {
            break;
        }
        sweep.kill().unwrap();
        sweep.wait().unwrap();
        kills += 1;
        assert!(
            fs::read_to_string(&records).unwrap_or_default().starts_with(before),
            "a record was lost"
        );
    }
    assert!(kills >= 3, "{kills} kills: it went too fast to be killed");
    let last = place.json(&["sweep", "nudge.toml", "--out", "killed"]);
    assert_eq!((&last["done"], &last["ran"]), (&40.into(), &0.into()));
    // Every run was recorded once: what a kill lost is what was in flight, and nothing that ended
    // was done again.
    assert_eq!(whole_lines(), 40);
    for name in ["results.csv", "summary.csv"] {
        assert_eq!(
            bytes(&place.path("killed").join(name)),
            bytes(&place.path("whole").join(name)),
            "{name}"
        );
    }
}

#[test]
fn an_extended_study_runs_only_what_is_new() {
    let place = Place::new();
    place.file("nudge.toml", STUDY);
    place.json(&["sweep", "nudge.toml"]);
    place.file(
        "nudge.toml",
        STUDY
            .replace("seeds = 4", "seeds = 5")
            .replace("\"vector-field\"]", "\"vector-field\", \"dyadic-ep\"]"),
    );
    let swept = place.json(&["sweep", "nudge.toml"]);
    assert_eq!(
        (&swept["runs"], &swept["ran"], &swept["done"]),
        (&75.into(), &35.into(), &75.into())
    );
    // And back: what is no more asked for is not in the table, and nothing is run.
    place.file("nudge.toml", STUDY);
    let swept = place.json(&["sweep", "nudge.toml"]);
    assert_eq!(
        (&swept["runs"], &swept["ran"], &swept["done"]),
        (&40.into(), &0.into(), &40.into())
    );
}

#[test]
fn a_measured_file_that_changes_makes_its_runs_new() {
    let place = Place::new();
    let samples = |shift: f64| {
        let line = |i: usize| format!("{},{},{}\n", i as f64 + shift, (i * i) % 7, i % 2);
        "a,b,class\n".to_owned() + &(0..40).map(line).collect::<String>()
    };
    let study = STUDY
        .replace("set = \"wine\"", "set = \"own.csv\"")
        .replace("[13, 6, 3]", "[2, 3, 2]")
        .replace("seeds = 4", "seeds = 1");
    place.file("own.csv", samples(0.0));
    place.file("own.toml", &study);
    let swept = |expected: u64| {
        assert_eq!(place.json(&["sweep", "own.toml", "--out", "own"])["ran"], expected);
    };
    swept(10);
    swept(0);
    place.file("own.csv", samples(0.5));
    swept(10);

    // A run goes on with the data that it began with, or not at all.
    let config = "data.set = \"own.csv\"\nnetwork.layers = [2, 3, 2]\ntraining.epochs = 2\n";
    place.file("own-run.toml", config);
    place.printed(&["train", "own-run.toml", "--out", "run"]);
    place.file("own.csv", samples(0.0));
    let resume =
        ["train", "own-run.toml", "--out", "run", "--resume", "--set", "training.epochs=3"];
    let message = place.refused(2, &resume);
    assert!(message.contains("own.csv is not what it was when run began"), "{message}");
}

#[test]
fn where_points_are_drawn_hardware_is_too() {
    let place = Place::new();
    let study =
        STUDY.replace("seeds = 4", "seeds = 1\n[draw]\nmethod = \"random\"\npoints = 3").replace(
            "[[axis]]\nkey = \"learning.rule\"\nvalues = [\"asym-ep\", \"vector-field\"]\n",
            "",
        );
    place.file("drawn.toml", study);
    let runs = equilux::study::Study::load(&place.path("drawn.toml")).unwrap().runs().unwrap();
    let chips: Vec<u64> = runs.iter().map(|run| run.experiment.chip).collect();
    assert_eq!(chips, [0, 1, 2]);
}

#[test]
fn a_run_that_fails_stops_nothing() {
    let place = Place::new();
    // One step a phase: at this tolerance nothing settles.
    let failing = STUDY.replace(
        "\"learning.beta\"\nlinear = { from = 0.1, to = 0.5, steps = 5 }",
        "\"relaxation.max_steps\"\nvalues = [1, 50]",
    );
    place.file("steps.toml", failing);
    let swept = place.json(&["sweep", "steps.toml"]);
    assert_eq!(
        (&swept["runs"], &swept["done"], &swept["failed"]),
        (&16.into(), &8.into(), &8.into())
    );
    let results = text(&place.path("studies/steps/results.csv"));
    assert!(column(&results, "error")[0].contains("settled in every phase"), "{results}");
    assert_eq!(column(&results, "test_accuracy")[0], "");
    assert_eq!(place.json(&["sweep", "steps.toml"])["ran"], 0);
    assert_eq!(place.json(&["sweep", "steps.toml", "--retry-failed"])["ran"], 8);
    assert!(
        place
            .printed(&["sweep", "steps.toml"])
            .contains("8 failed (--retry-failed tries them again)")
    );
}

#[test]
fn a_draw_of_more_places_than_can_be_counted_is_drawn() {
    let place = Place::new();
    let axes = &STUDY[STUDY.find("[[axis]]").unwrap()..];
    // 170 values of nine numbers each: 170^9 is beyond 64 bits.
    let numbers: String = [
        "learning.beta",
        "relaxation.step",
        "data.gain",
        "device.crossbar.read_noise.sd_uS",
        "device.crossbar.programming.error_uS",
        "device.crossbar.output_noise.sd",
        "device.crossbar.amplifiers.gain_sd",
        "device.crossbar.amplifiers.offset_sd",
        "device.crossbar.stuck.at_min",
    ]
    .map(|key| format!("[[axis]]\nkey = '{key}'\nlinear = {{ from = 0.01, to = 0.2 }}\n"))
    .concat();
    let draw = "[draw]\nmethod = 'latin-hypercube'\npoints = 170\none_seed_each = true\n";
    place.file(
        "wide.toml",
        STUDY.replace(axes, &format!("{numbers}{draw}")).replace("epochs = 2", "epochs = 1"),
    );
    assert_eq!(place.json(&["sweep", "wide.toml"])["done"], 170);
    place.printed(&["report", "studies/wide"]);
    assert!(place.path("studies/wide/plots/distribution.svg").exists());
}

#[test]
fn draws_zipped_axes_and_kept_runs() {
    let place = Place::new();
    let axes = &STUDY[STUDY.find("[[axis]]").unwrap()..];
    let drawn = STUDY.replace(
        axes,
        "[[axis]]\nkey = 'learning.beta'\nlogarithmic = { from = 0.01, to = 1.0 }\n\
         [[axis]]\nkeys = ['training.epochs', 'training.batch']\nvalues = [[1, 20], [2, 40]]\n\
         [draw]\nmethod = 'latin-hypercube'\npoints = 6\n",
    );
    place.file(
        "drawn.toml",
        drawn.replace("seeds = 4", "seeds = [3, 1]\nkeep = true\ntarget_accuracy = 0.5"),
    );
    assert_eq!(place.json(&["sweep", "drawn.toml"])["done"], 12);
    let printed = place.printed(&["sweep", "drawn.toml"]);
    assert!(
        printed.contains("at 50.00 % or more: ") && printed.contains("of the runs"),
        "{printed}"
    );
    let page = place.printed(&["report", "studies/drawn"]);
    assert!(place.path("studies/drawn/plots/distribution.svg").exists(), "{page}");
    let results = text(&place.path("studies/drawn/results.csv"));
    assert_eq!(column(&results, "seed")[..3], ["3", "1", "3"]);
    let together = |(epochs, batch): (&String, &String)| (epochs == "1") == (batch == "20");
    assert!(
        column(&results, "training.epochs")
            .iter()
            .zip(&column(&results, "training.batch"))
            .all(together)
    );
    let mut betas: Vec<f64> = column(&results, "learning.beta")
        .iter()
        .step_by(2)
        .map(|beta| beta.parse().unwrap())
        .collect();
    betas.sort_by(f64::total_cmp);
    // One in each sixth of two decades.
    assert!(
        betas
            .iter()
            .enumerate()
            .all(|(slice, beta)| ((beta.log10() + 2.0) * 3.0).floor() == slice as f64),
        "{betas:?}"
    );
    let each = drawn.replace("points = 6", "points = 6\none_seed_each = true");
    place.file("each.toml", each.replace("seeds = 4", "seeds = [3, 1]"));
    assert_eq!(place.json(&["sweep", "each.toml"])["done"], 6);
    let seeds = text(&place.path("studies/each/results.csv"));
    assert_eq!(column(&seeds, "seed"), ["3", "1", "3", "1", "3", "1"]);
    let id = &column(&results, "id")[0];
    let kept = place.json(&["evaluate", &format!("studies/drawn/runs/{id}")]);
    assert_eq!(
        kept["test_accuracy"].as_f64().unwrap(),
        column(&results, "test_accuracy")[0].parse::<f64>().unwrap()
    );
}

#[test]
fn what_is_no_study_is_refused_before_anything_runs() {
    let place = Place::new();
    let refused = |from: &str, to: &str, parts: &[&str]| {
        assert!(STUDY.contains(from), "{from}");
        place.file("nudge.toml", STUDY.replace(from, to));
        let message = place.refused(2, &["sweep", "nudge.toml", "--out", "out"]);
        for part in ["nudge.toml"].iter().chain(parts) {
            assert!(message.contains(part), "expected `{part}` in: {message}");
        }
        assert!(!place.path("out").exists(), "something was written");
    };
    refused(
        "learning.beta",
        "learning.betta",
        &["axis `learning.betta` = 0.1", "did you mean `beta`?"],
    );
    refused("learning.beta", "lerning.beta", &["did you mean `learning`?"]);
    refused("learning.beta", "seed", &["seeds are not an axis"]);
    refused("learning.beta", "learning.rule", &["another axis has this key"]);
    refused("\"asym-ep\", \"vector-field\"", "", &["axis `learning.rule`: it has no values"]);
    refused(
        "\"vector-field\"",
        "\"vectorfield\"",
        &["axis `learning.rule` = \"vectorfield\"", "did you mean `vector-field`?"],
    );
    refused("from = 0.1", "from = nan", &["from = nan: expected a number"]);
    refused(
        "from = 0.1, to = 0.5, steps = 5",
        "from = -1, to = 1, steps = 3",
        &["axis `learning.beta` = 0", "other than 0"],
    );
    refused("linear", "linaer", &["line 20", "did you mean `linear`?"]);
    refused("seeds = 4", "seeds = 0", &["seeds = 0: expected a whole number of at least 1"]);
    refused("seeds = 4", "seeds = [1, 1]", &["none of them twice"]);
    refused("seeds = 4", "base = \"missing.toml\"", &["both `base` and [experiment]"]);
    refused("layers = [13, 6, 3]", "layers = [12, 6, 3]", &["13 features"]);
    refused("layers = [13, 6, 3]", "layer = [13, 6, 3]", &["did you mean `layers`?"]);
    refused("seeds = 4", "seeds = 4\nprocedure = \"gradent\"", &["did you mean `gradient`?"]);
    refused("title", "target_accuracy = 96\ntitle", &["target_accuracy = 96"]);

    place.file("nudge.toml", STUDY);
    for shard in ["0/8", "9/8", "eight", "1/0"] {
        assert!(
            place
                .refused(2, &["sweep", "nudge.toml", "--out", "out", "--shard", shard])
                .contains("expected i/n with i from 1 to n")
        );
    }
    assert!(place.refused(2, &["sweep", "missing.toml"]).contains("missing.toml: cannot be read"));
    assert!(
        place
            .refused(2, &["merge", "missing", "--out", "out"])
            .contains("missing: not the directory of a study")
    );
    assert!(!place.path("out").exists() && !place.path("studies").exists());
}

#[test]
fn a_directory_of_another_study_is_left_alone() {
    let place = Place::new();
    place.file("nudge.toml", STUDY);
    place.json(&["sweep", "nudge.toml", "--out", "out"]);
    let before = bytes(&place.path("out/study.toml"));
    for (from, to, expected) in [
        ("batch = 30", "batch = 31", "its experiment differs"),
        ("learning.beta", "learning.target_on", "it has an axis `learning.beta`"),
        ("seeds = 4", "procedure = \"transfer\"", "its procedure is in-loop, not transfer"),
    ] {
        place.file("other.toml", STUDY.replace(from, to));
        let message = place.refused(2, &["sweep", "other.toml", "--out", "out"]);
        assert!(
            message.contains("it holds another study") && message.contains(expected),
            "{message}"
        );
        place.json(&["sweep", "other.toml", "--out", expected, "--shard", "1/40"]);
        assert!(
            place.refused(2, &["merge", "out", expected, "--out", "out"]).contains("another study")
        );
    }
    assert_eq!(bytes(&place.path("out/study.toml")), before);
    fs::create_dir(place.path("full")).unwrap();
    place.file("full/mine.txt", "mine");
    assert!(
        place
            .refused(2, &["sweep", "nudge.toml", "--out", "full"])
            .contains("not the directory of a study")
    );
    // Records that are none.
    fs::write(place.path("out/records/1-of-1.jsonl"), "{\"id\": 3}\n").unwrap();
    assert!(
        place
            .refused(2, &["sweep", "nudge.toml", "--out", "out"])
            .contains("1-of-1.jsonl, line 1: not the record of a run")
    );
}

/// A place with the study done on one machine (`one`) and the script of an array of jobs.
fn job_array() -> Place {
    let place = Place::new();
    place.file("nudge.toml", STUDY);
    place.json(&["sweep", "nudge.toml", "--out", "one"]);
    let script = ["--slurm", "array.sbatch", "--tasks", "8"];
    let written = place.json(&[&["sweep", "nudge.toml", "--out", "array"][..], &script].concat());
    assert_eq!(written["runs"], 40);
    assert!(text(&place.path("array.sbatch")).contains("#SBATCH --array=1-8\n"));
    place
}

#[test]
fn the_script_of_a_job_array_does_every_run_once() {
    let place = job_array();
    // What Slurm would do, one task after the other.
    for task in 1..=8 {
        let mut job = Command::new("bash");
        job.arg(place.path("array.sbatch")).current_dir(place.path(""));
        let done = job.env("SLURM_ARRAY_TASK_ID", task.to_string()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    is_the_same_table(&place);
}

#[test]
#[ignore = "skipped: wants Slurm (tests/slurm/start.sh; cargo test --test sweep -- --ignored)"]
fn a_job_array_of_slurm_gives_the_same_table() {
    let place = job_array();
    let array =
        Command::new("sbatch").arg("--wait").arg(place.path("array.sbatch")).output().unwrap();
    assert!(array.status.success(), "{}", String::from_utf8_lossy(&array.stderr));
    is_the_same_table(&place);
}

fn is_the_same_table(place: &Place) {
    let ran = |task: usize| {
        serde_json::Deserializer::from_str(&text(
            &place.path(&format!("array/records/{task}-of-8.jsonl")),
        ))
        .into_iter::<Value>()
        .count()
    };
    assert_eq!((1..=8).map(ran).collect::<Vec<_>>(), [5; 8]);
    for name in ["results.csv", "summary.csv"] {
        assert_eq!(
            bytes(&place.path("array").join(name)),
            bytes(&place.path("one").join(name)),
            "{name}"
        );
    }
}

#[test]
fn a_key_of_a_study_is_unset_by_none() {
    let place = Place::new();
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/wine-spim.toml");
    let study = "seeds = 1\n[set]\ndevice.spim.camera.noise = 'none'\n[[axis]]\n\
                 key = 'device.spim.camera.bits'\nvalues = ['none', 9]\n";
    place.file("study.toml", format!("base = {base:?}\n{study}"));
    let study = Study::load(&place.path("study.toml")).unwrap();
    let cameras = study.runs().unwrap().into_iter().map(|run| {
        let table: toml::Table = run.experiment.to_toml().parse().unwrap();
        let camera = table["device"]["spim"]["camera"].clone();
        (camera["bits"].as_integer().unwrap(), camera["noise"].as_float().unwrap())
    });
    assert_eq!(cameras.collect::<Vec<_>>(), [(0, 0.0), (9, 0.0)]);
}

#[test]
fn a_yield_is_of_chips_by_every_way_to_weights() {
    let place = Place::new();
    let experiment = "[experiment]\nchip = 7\n[experiment.data]\nset = 'wine'\n[experiment.network]\n\
                      layers = [13, 6, 3]\n[experiment.training]\nepochs = 4\n";
    let of_keys = |keys: &str, tables: &str| {
        format!("procedure = 'yield'\nseeds = 2\n{keys}\n{tables}\n{experiment}")
    };
    let keys = "chips = 4\ntarget_accuracy = 0.9";
    let stuck = "[experiment.device.crossbar]\nstuck = { at_min = 0.05, at_max = 0.05 }\n";
    let study = of_keys(keys, "") + stuck;
    place.file("yield.toml", study);
    let printed = place.printed(&["sweep", "yield.toml", "--jobs", "1"]);
    assert!(printed.contains("at 90.00 % or more"), "{printed}");
    let results = text(&place.path("studies/yield/results.csv"));
    let of = |name: &str| column(&results, name);
    assert_eq!(of("procedure"), ["transfer", "copied", "in-loop"].map(|name| [name; 8]).concat());
    assert_eq!(of("chip"), ["8", "9", "10", "11"].repeat(6));
    assert_eq!(of("seed")[..8].concat(), "11112222");
    let numbers = |name: &str| -> Vec<f64> {
        of(name).iter().map(|number| number.parse().unwrap()).collect()
    };
    let (accuracy, reached) = (numbers("test_accuracy"), numbers("at_target"));
    let expected = accuracy.iter().map(|accuracy| f64::from(u8::from(*accuracy >= 0.9)));
    assert_eq!(reached, expected.collect::<Vec<_>>());
    // Chips differ, and training on each is best.
    let mean = |runs: std::ops::Range<usize>| accuracy[runs].iter().sum::<f64>() / 8.0;
    assert!(mean(16..24) > mean(0..8) && mean(16..24) > mean(8..16), "{accuracy:?}");
    assert!(accuracy[..4].iter().any(|other| *other != accuracy[0]), "{accuracy:?}");
    let page = {
        place.printed(&["report", "studies/yield"]);
        text(&place.path("studies/yield/report.html"))
    };
    assert!(page.contains("over 8 chips and seeds; the line is the target"));
    // The interval of eight of eight is Wilson's.
    let summary = text(&place.path("studies/yield/summary.csv"));
    let reached = mean_of(&column(&summary, "at_target"));
    assert!((reached - numbers("at_target").iter().sum::<f64>() / 24.0).abs() < 1e-12);
    assert!(column(&summary, "at_target_low").iter().all(|low| !low.is_empty()), "{summary}");

    // Weights that are learnt once are those that each run would learn.
    for shard in ["1/5", "2/5", "3/5", "4/5", "5/5"] {
        place.printed(&["sweep", "yield.toml", "--out", "parts", "--shard", shard]);
    }
    place.printed(&["merge", "parts", "--out", "parts"]);
    assert_eq!(text(&place.path("parts/results.csv")), results);
    // Where there is nothing to differ, all three are one.
    place.file("exact.toml", of_keys(keys, ""));
    place.printed(&["sweep", "exact.toml"]);
    let exact = column(&text(&place.path("studies/exact/results.csv")), "test_accuracy");
    assert!(exact.chunks(4).all(|chips| chips.iter().all(|other| *other == chips[0])), "{exact:?}");
    assert_eq!((&exact[..8], &exact[..8]), (&exact[8..16], &exact[16..]));

    let axis = |key: &str, value: &str| format!("[[axis]]\nkey = '{key}'\nvalues = [{value}]");
    for (keys, tables, expected) in [
        ("chips = 4", String::new(), "expected target_accuracy"),
        ("target_accuracy = 0.9\nchips = 0", String::new(), "chips"),
        ("target_accuracy = 0.9\nchips = 'many'", String::new(), "chips"),
        (keys, axis("chip", "1"), "an axis `chip` has them already"),
        (keys, axis("procedure", "'transfer'"), "an axis `procedure` of its own"),
        (keys, "[draw]\nmethod = 'random'\npoints = 3".into(), "every point of a draw has a chip"),
    ] {
        place.file("wrong.toml", of_keys(keys, &tables));
        let refused = place.refused(2, &["sweep", "wrong.toml"]);
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

fn mean_of(cells: &[String]) -> f64 {
    cells.iter().map(|cell| cell.parse::<f64>().unwrap()).sum::<f64>() / cells.len() as f64
}
