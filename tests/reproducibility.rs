//! Same seed, same bits: whatever the number of threads, and whether or not the run was killed on
//! the way.

mod common;

use std::time::{Duration, Instant};

use common::{NOISY, Place, SMALL, bytes};

fn results(place: &Place, run: &str) -> [Vec<u8>; 2] {
    ["checkpoint.safetensors", "metrics.csv"].map(|file| bytes(&place.path(run).join(file)))
}

#[test]
fn threads_do_not_change_a_bit() {
    for (name, config) in [("small.toml", SMALL), ("noisy.toml", NOISY)] {
        let place = Place::new();
        place.file(name, config);
        for threads in ["1", "2", "3"] {
            place.printed(&["train", name, "--out", threads, "--threads", threads]);
            assert!(results(&place, threads) == results(&place, "1"), "{name}, {threads} threads");
        }
    }
}

#[test]
fn seeds_do_change_the_bits() {
    let place = Place::new();
    place.file("noisy.toml", NOISY);
    place.printed(&["train", "noisy.toml", "--out", "a"]);
    place.printed(&["train", "noisy.toml", "--out", "b", "--set", "seed=6"]);
    assert!(results(&place, "a")[0] != results(&place, "b")[0]);
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let place = Place::new();
    place.file("noisy.toml", NOISY);
    let epochs = ["--set", "training.epochs=12"];
    place.printed(&[&["train", "noisy.toml", "--out", "whole"][..], &epochs].concat());
    for kill_after in [1, 4] {
        let killed = format!("killed-{kill_after}");
        let arguments = [&["train", "noisy.toml", "--out", &killed][..], &epochs].concat();
        let mut child =
            place.command(&arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        let rows = || {
            std::fs::read_to_string(place.path(&killed).join("metrics.csv"))
                .map_or(0, |text| text.lines().count())
        };
        while rows() <= kill_after {
            assert!(start.elapsed() < Duration::from_secs(60), "no epoch was written");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap(); // SIGKILL
        assert!(!child.wait().unwrap().success(), "the run had ended before it was killed");
        place.printed(&[&arguments[..], &["--resume"]].concat());
        assert!(results(&place, &killed) == results(&place, "whole"), "killed after {kill_after}");
    }
}

#[test]
fn a_finished_run_is_extended_as_if_it_had_been_longer() {
    let place = Place::new();
    place.file("noisy.toml", NOISY);
    place.printed(&["train", "noisy.toml", "--out", "whole", "--set", "training.epochs=5"]);
    place.printed(&["train", "noisy.toml", "--out", "extended", "--set", "training.epochs=2"]);
    place.printed(&[
        "train",
        "noisy.toml",
        "--out",
        "extended",
        "--set",
        "training.epochs=5",
        "--resume",
    ]);
    assert!(results(&place, "extended") == results(&place, "whole"));
}
