//! Asked to stop, a computation keeps what it has done and says how to go on; what ended in any other
//! way can still be looked at.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{NOISY, Place, SMALL, bytes, refusal};
use equilux::Error;
use equilux::experiment::{Experiment, Session};
use equilux::stop::Stop;

/// Trains `text`, stopped after each mini-batch at which `stops` says so, and gone on with from the
/// file; the bytes of the last checkpoint.
fn trained(text: &str, stops: impl Fn(usize) -> bool) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let experiment = Experiment::parse(text, "x.toml", &[]).unwrap();
    let mut batches = 0;
    loop {
        let mut session = Session::<f64>::new(experiment.clone()).unwrap();
        let (trainer, stop) = (&mut session.trainer, Stop::default());
        trainer.stop_with(stop.clone());
        if path.exists() {
            trainer.resume(&path).unwrap();
        }
        while !trainer.is_finished() {
            let ended = trainer.epoch(&mut |_| {
                batches += 1;
                if stops(batches) {
                    stop.ask();
                }
            });
            match ended {
                Ok(_) => {}
                Err(Error::Stopped(when)) => {
                    assert!(when.contains("of its"), "{when}");
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        trainer.save(&path).unwrap();
        if trainer.is_finished() {
            assert!(trainer.summary("x".into()).is_ok());
            return bytes(&path);
        }
    }
}

#[test]
fn a_run_that_was_stopped_anywhere_ends_with_the_same_bits() {
    let small = SMALL.replace("train_limit = 1000", "train_limit = 470");
    let noisy = NOISY.replace("batch = 100", "batch = 30");
    for text in [small, noisy] {
        let whole = trained(&text, |_| false);
        assert!(trained(&text, |batch| batch % 2 == 1) == whole, "every second mini-batch");
        assert!(trained(&text, |_| true) == whole, "every mini-batch");
    }
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    let number = child.id().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &number]).status();
    assert!(status.unwrap().success());
}

#[cfg(unix)]
fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_writes_what_there_is_and_says_how_to_go_on() {
    let place = Place::new();
    place.file("noisy.toml", NOISY);
    let train = ["train", "noisy.toml", "--out", "run", "--set", "training.epochs=60"];
    let mut command = place.command(&train);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| place.path("run/metrics.csv").exists());
    interrupt(&child);
    let message = refusal(&child.wait_with_output().unwrap(), 130);
    assert!(message.contains("the same command with --out run --resume goes on"), "{message}");
    assert!(message.contains("stopped in epoch"), "{message}");
    for file in ["summary.json", "checkpoint.safetensors", "report.html", "metrics.csv"] {
        assert!(place.path("run").join(file).exists(), "{file}");
    }
    place.printed(&["evaluate", "run"]);
    place.printed(&[&train[..], &["--resume"]].concat());
    place.printed(&["train", "noisy.toml", "--out", "whole", "--set", "training.epochs=60"]);
    for file in ["metrics.csv", "checkpoint.safetensors"] {
        let read = |run: &str| bytes(&place.path(run).join(file));
        assert!(read("run") == read("whole"), "{file}");
    }
}

#[test]
#[cfg(unix)]
fn a_study_that_was_stopped_goes_on() {
    let place = Place::new();
    place.file("noisy.toml", NOISY.replace("epochs = 3", "epochs = 30"));
    place.file(
        "study.toml",
        "base = 'noisy.toml'\nseeds = 8\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.4, 0.5]\n",
    );
    let sweep = ["sweep", "study.toml", "--out", "study", "--jobs", "2"];
    let child = place.command(&sweep).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    let records = || std::fs::read_to_string(place.path("study/records/1-of-1.jsonl"));
    wait_for(|| records().is_ok_and(|text| text.contains('\n')));
    interrupt(&child);
    let message = refusal(&child.wait_with_output().unwrap(), 130);
    assert!(message.contains("the same command does the others"), "{message}");
    let done = records().unwrap();
    assert!(!done.contains("error"), "to be stopped is no outcome: {done}");
    assert!((1..16).contains(&done.lines().count()));
    place.printed(&["report", "study"]);
    let ended = place.json(&sweep);
    assert_eq!((&ended["done"], &ended["failed"]), (&16.into(), &0.into()));
}

#[test]
fn runs_that_were_killed_can_be_looked_at() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    for run in ["a", "b"] {
        place.printed(&["train", "small.toml", "--out", run]);
    }
    // Killed before the end, and in the first epoch.
    let summary = bytes(&place.path("a/summary.json"));
    std::fs::remove_file(place.path("a/summary.json")).unwrap();
    for file in ["summary.json", "metrics.csv", "checkpoint.safetensors"] {
        std::fs::remove_file(place.path("b").join(file)).unwrap();
    }
    let found = place.json(&["compare", "a", "b"]);
    let whole: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    for key in ["test_accuracy", "train_accuracy", "epochs"] {
        assert_eq!(found["results"][0][key], whole[key]);
    }
    assert!(found["results"][1].is_null());
    assert!(place.printed(&["compare", "a", "b"]).contains('-'));
    place.printed(&["report", "a"]);
    let message = place.refused(2, &["report", "b"]);
    assert!(message.contains("b: a run that ended in its first epoch"), "{message}");
}
