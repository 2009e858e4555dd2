//! Killed at any moment, told again, and ended as if nothing had been.
//!
//! A handful of kills each time; `EQUILUX_KILLS=100 cargo test --release --test kills` for a campaign.
#![cfg(unix)]

mod common;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{NOISY, Place, bytes};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn kills() -> u64 {
    std::env::var("EQUILUX_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4)
}

/// Runs `command` in one place to its end, and in another killed at random moments and told again until
/// it ends (`command` hears whether it is told again); then `compare`s the two.
fn survives(
    prepare: impl Fn(&Place),
    command: impl Fn(&Place, bool) -> Vec<String>,
    compare: impl Fn(&Place, &Place),
) {
    let whole = Place::new();
    prepare(&whole);
    let words = command(&whole, false);
    let start = Instant::now();
    whole.printed(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let length = start.elapsed();
    let (mut killed, mut number) = (0, 0);
    while killed < kills() {
        let place = Place::new();
        prepare(&place);
        // At most so often in a row: the last one is let go on.
        for attempt in 0..4 {
            let words = command(&place, attempt > 0);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if attempt == 3 {
                place.printed(&words);
                break;
            }
            let mut program = place.command(&words);
            let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let mut random = Xoshiro256PlusPlus::seed_from_u64(number);
            number += 1;
            std::thread::sleep(length.mul_f64(random.random_range(0.0..1.2)));
            child.kill().unwrap(); // SIGKILL
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                break;
            }
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), None, "kill {number}: {message}");
            killed += 1;
        }
        compare(&whole, &place);
        let left: Vec<_> = fs::read_dir(place.path("out"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(".equilux-"))
            .collect();
        assert!(left.is_empty(), "kill {number} left {left:?}");
        assert!(length < Duration::from_secs(300));
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

fn same(files: &[&str]) -> impl Fn(&Place, &Place) {
    move |whole, other| {
        for file in files {
            let read = |place: &Place| bytes(&place.path("out").join(file));
            assert!(read(whole) == read(other), "{file}");
        }
    }
}

#[test]
fn training() {
    let prepare = |place: &Place| {
        place.file("x.toml", NOISY);
    };
    let train = |place: &Place, again: bool| {
        let begun = again && place.path("out/config.toml").exists();
        words(if begun { "train x.toml --out out --resume" } else { "train x.toml --out out" })
    };
    survives(prepare, train, same(&["checkpoint.safetensors", "metrics.csv", "config.toml"]));
}

#[test]
fn studies() {
    let prepare = |place: &Place| {
        place.file("x.toml", NOISY.replace("epochs = 3", "epochs = 1"));
        let study = "base = 'x.toml'\nkeep = true\nseeds = 2\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.4, 0.5]\n";
        place.file("study.toml", study);
    };
    let sweep = |_: &Place, _| words("sweep study.toml --out out --jobs 2");
    survives(prepare, sweep, same(&["results.csv", "summary.csv", "study.toml"]));
}

#[test]
fn exports() {
    let prepare = |place: &Place| {
        place.file("x.toml", NOISY);
        place.printed(&["train", "x.toml", "--out", "run", "--set", "training.epochs=1"]);
    };
    let export = |place: &Place, _| {
        // Whole or not there: what is there needs no telling again.
        if place.path("out").exists() {
            assert!(place.path("out/manifest.json").exists());
            words("verify out")
        } else {
            words("export run --to crossbar --out out")
        }
    };
    let verified = |_: &Place, other: &Place| {
        assert!(equilux::export::verify(&other.path("out")).unwrap().ok);
    };
    survives(prepare, export, verified);
}
