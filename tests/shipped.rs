//! What is shipped works: every experiment and study of `configs/`, and every file that a text
//! names.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Place;
use equilux::Result;
use equilux::experiment::{Experiment, Precision};
use equilux::study::Study;

/// The files of a directory of the repository that end in `ending`, those below it too.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap(), ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Experiments, without studies.
fn experiments() -> Vec<PathBuf> {
    let all = files("configs", ".toml");
    all.into_iter().filter(|path| path.parent().unwrap().ends_with("configs")).collect()
}

fn build(experiment: &Experiment) -> Result<()> {
    match experiment.precision {
        Precision::F32 => drop(experiment.machine::<f32>()?),
        Precision::F64 => drop(experiment.machine::<f64>()?),
    }
    Ok(())
}

#[test]
fn every_experiment_is_read_and_its_machine_built() {
    let found = experiments();
    for name in ["wine-spim", "digits-crossbar", "mnist-crossbar", "mnist-spim", "mnist-256"] {
        assert!(found.iter().any(|path| path.file_stem().unwrap() == name), "{name}");
    }
    for path in found {
        let experiment = Experiment::load(&path, &[]).unwrap();
        build(&experiment).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // As a run writes it down.
        let again = Experiment::parse(&experiment.to_toml(), "again", &[]).unwrap();
        assert_eq!(again, experiment, "{}", path.display());
    }
}

#[test]
fn every_experiment_on_built_in_data_trains() {
    for path in experiments() {
        let set = Experiment::load(&path, &[]).unwrap().data.set;
        if !["wine", "digits"].contains(&set.as_str()) {
            continue;
        }
        let place = Place::new();
        let path = path.to_str().unwrap();
        let settings = ["--set", "training.epochs=1", "--set", "data.train_limit=100"];
        let summary = place
            .json(&[&["train", path, "--out", "run", "--threads", "1"], &settings[..]].concat());
        assert_eq!(summary["epochs"], 1, "{path}");
        assert!(summary["lab"]["seconds"].as_f64().unwrap() > 0.0, "{path}");
    }
}

#[test]
fn every_study_is_read_and_its_machines_built() {
    let found = files("configs/studies", ".toml");
    assert!(!found.is_empty());
    for path in found {
        let runs = Study::load(&path).unwrap().runs().unwrap();
        assert!(runs.len() > 1, "{}", path.display());
        // The machines of one seed; those of MNIST are large, and the first and the last do.
        let first = runs[0].experiment.seed;
        let mut runs: Vec<_> =
            runs.into_iter().filter(|run| run.experiment.seed == first).collect();
        if runs[0].experiment.data.set == "mnist" {
            runs.drain(1..runs.len() - 1);
        }
        for run in runs {
            build(&run.experiment).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

#[test]
fn every_file_that_a_text_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![root.join("README.md")];
    for (directory, ending) in [
        ("docs", ".md"),
        ("configs", ".toml"),
        ("devices", ".toml"),
        ("src", ".rs"),
        ("examples", ".rs"),
        ("benches", ".rs"),
        ("benches", ".py"),
    ] {
        texts.extend(files(directory, ending));
    }
    let mut named = 0;
    for text in texts {
        let content = fs::read_to_string(&text).unwrap();
        // Words that begin with a directory of ours and end like a file.
        let inside = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        for word in content.split(|c| !inside(c)) {
            let word = word.trim_end_matches('.');
            let ours = ["benches/", "examples/", "configs/", "devices/", "docs/", "tests/"];
            let ends = [".rs", ".toml", ".py", ".md", ".json", ".sh", ".svg", ".png"];
            if ours.iter().any(|start| word.starts_with(start))
                && ends.iter().any(|end| word.ends_with(end))
            {
                named += 1;
                // A document names its neighbours from where it stands, too.
                let beside = text.parent().unwrap().join(word);
                assert!(
                    root.join(word).is_file() || beside.is_file(),
                    "{}: {word} is not there",
                    text.display()
                );
            }
        }
    }
    assert!(named > 20, "only {named} were found");
}

#[test]
fn the_keys_of_devices_are_documented_as_they_are() {
    let documented = std::fs::read_to_string("docs/devices.md").unwrap();
    for kind in ["spim", "crossbar"] {
        let printed = Place::new().printed(&["devices", "--keys", kind]);
        assert!(
            documented.contains(&printed),
            "docs/devices.md is not what `equilux devices --keys {kind}` says: python3 docs/figures.py --write devices"
        );
    }
    let place = Place::new();
    let (_, sheet) = documented.split_once("```toml\n").unwrap();
    place.file("mine.toml", sheet.split_once("```").unwrap().0);
    assert!(place.printed(&["devices", "mine.toml"]).contains("Our 64 x 64 test array"));
    let refused = place.refused(2, &["devices", "--keys", "exact"]);
    assert!(refused.contains("expected spim or crossbar"), "{refused}");
    // A sheet whose file is not there is no valid one.
    place.file(
        "mine.toml",
        "kind = 'spim'\ntitle = 'x'\n[illumination.image]\nvalue = 'no.png'\nunit = '1'\nsource = 'x'\n",
    );
    let refused = place.refused(2, &["devices", "mine.toml"]);
    assert!(refused.contains("illumination: no.png: there is no such file"), "{refused}");
}
