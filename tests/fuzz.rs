//! Mutations of valid files for every reader: a result or a message, never a panic, and soon.
//!
//! A few hundred inputs a reader each time; `EQUILUX_FUZZ=100000 cargo test --release --test fuzz` for
//! as many as wanted. What fails is kept by its number: the same number makes the same input.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use equilux::coupler::spim::optics::mask::Mask;
use equilux::data::{Store, import_csv, import_directory};
use equilux::experiment::{Case, Experiment, RunDirectory, Sheet};
use equilux::file::matrix::{read_matrix, write_matrix};
use equilux::study::Study;
use equilux::training::Checkpoint;
use nalgebra::DMatrix;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What parsers like least.
const TOKENS: [&[u8]; 22] = [
    b"0",
    b"-1",
    b"1e308",
    b"nan",
    b"inf",
    b"18446744073709551615",
    b"9223372036854775807",
    b"((((((((",
    b"[[[[[[[[",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b"\n",
    b"\r\n",
    b",",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\xef\xbb\xbf",
    b"=1+1",
    b"../../etc/passwd",
];

/// `seed`, a valid file, with a few pieces changed, cut, doubled or put in.
fn mutated(seed: &[u8], random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let mut content = seed.to_vec();
    for _ in 0..random.random_range(1..5) {
        if content.is_empty() {
            break;
        }
        let at = random.random_range(0..content.len());
        let end = (at + random.random_range(1..32)).min(content.len());
        match random.random_range(0..6) {
            0 => content[at] ^= 1 << random.random_range(0..8),
            1 => content[at] = random.next_u32() as u8,
            2 => drop(content.drain(at..end)),
            3 => {
                let piece = content[at..end].to_vec();
                drop(content.splice(at..at, piece));
            }
            4 => {
                let token = TOKENS[random.random_range(0..TOKENS.len())];
                drop(content.splice(at..end.min(at + token.len()), token.iter().copied()));
            }
            _ => content.truncate(at),
        }
    }
    content
}

/// Reads mutations of `seed` under `name` by `read`.
fn fuzz(name: &str, seed: &[u8], mut read: impl FnMut(&Path)) {
    let count: u64 = std::env::var("EQUILUX_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    // The seed itself is read, or nothing behind its first bytes would be.
    fs::write(&path, seed).unwrap();
    read(&path);
    for number in 0..count {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(number);
        fs::write(&path, mutated(seed, &mut random)).unwrap();
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&path)));
        assert!(outcome.is_ok(), "{name}: input {number} makes a panic");
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(10), "{name}: input {number} takes {taken:?}");
    }
}

/// The bytes of what `write` writes to a path that ends in `name`.
fn written(name: &str, write: impl FnOnce(&Path)) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    write(&path);
    fs::read(path).unwrap()
}

#[test]
fn matrices() {
    let matrix = DMatrix::from_fn(4, 3, |i, j| i as f64 - 0.5 * j as f64);
    for name in ["m.npy", "m.csv"] {
        let seed = written(name, |path| write_matrix(path, &matrix).unwrap());
        let mut read = 0;
        fuzz(name, &seed, |path| read += usize::from(read_matrix(path).is_ok()));
        assert!(read > 1, "no mutation of {name} is read: nothing is tried behind the header");
    }
}

#[test]
fn pictures() {
    for bits in [8, 16] {
        let mask = Mask::from_levels(6, 5, bits, (0..30).map(|level| 8 * level).collect()).unwrap();
        let seed = written("m.png", |path| mask.write_png(path).unwrap());
        fuzz("m.png", &seed, |path| drop(Mask::read(path, 0, None)));
    }
}

#[test]
fn experiments_sheets_studies_and_cases() {
    let experiment = fs::read("configs/wine-spim.toml").unwrap();
    fuzz("x.toml", &experiment, |path| {
        if let Ok(experiment) = Experiment::load(path, &[]) {
            let _ = experiment.machine::<f64>();
        }
    });
    let sheet = fs::read("devices/spim-generic.toml").unwrap();
    fuzz("sheet.toml", &sheet, |path| drop(Sheet::find(&path.display().to_string())));
    let study = b"seeds = 2\n[experiment.network]\nlayers = [4, 3, 2]\n[[axis]]\nkey = 'learning.beta'\n\
                  logarithmic = { from = 0.1, to = 1.0, steps = 3 }\n[[axis]]\nkey = 'learning.rule'\n\
                  values = ['ep', 'asym-ep']\n";
    fuzz("study.toml", study, |path| {
        if let Ok(study) = Study::load(path) {
            // As many as a study may have are told, not made, here.
            if study.size() < 1000 {
                let _ = study.runs();
            }
        }
    });
    let case = br#"{"W": [[0, 0.5], [0.4, 0]], "U": [[1], [0]], "b": [0.1, 0], "x": [0.8], "target": [0.5]}"#;
    fuzz("case.json", case, |path| drop(Case::read(path)));
}

#[test]
fn data_sets() {
    let store = tempfile::tempdir().unwrap();
    let store = Store::at(store.path());
    let table = b"a,b,class\r\n1,2,x\r\n\r\n3,\"4\",\"y, z\"\n-5e-1,6,x\n";
    fuzz("t.csv", table, |path| drop(import_csv(path, "t", "class", &store)));
    let idx = |dimensions: &[u32], bytes: &[u8]| {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        file.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(bytes);
        file
    };
    let images = idx(&[3, 1, 2], &[0, 1, 2, 3, 4, 255]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &images).unwrap();
    for seed in [images.clone(), gzip.finish().unwrap()] {
        fuzz("train-images-idx3-ubyte", &seed, |path| {
            let directory = path.parent().unwrap();
            fs::write(directory.join("train-labels-idx1-ubyte"), idx(&[3], &[9, 0, 1])).unwrap();
            fs::write(directory.join("t10k-images-idx3-ubyte"), idx(&[1, 1, 2], &[7, 8])).unwrap();
            fs::write(directory.join("t10k-labels-idx1-ubyte"), idx(&[1], &[2])).unwrap();
            let _ = import_directory(directory, "images", &store);
        });
    }
}

#[test]
fn what_a_run_leaves() {
    let text = "[data]\nset = 'wine'\n[network]\nlayers = [13, 3]\n[training]\nepochs = 1\n";
    let experiment = Experiment::parse(text, "x.toml", &[]).unwrap();
    let mut session = equilux::experiment::Session::<f32>::new(experiment.clone()).unwrap();
    session.trainer.train().unwrap();
    let seed = written("c.safetensors", |path| session.trainer.save(path).unwrap());
    fuzz("c.safetensors", &seed, |path| {
        let read = Checkpoint::<f32>::read(path).is_ok();
        assert!(!read || fs::read(path).unwrap() == seed, "a damaged checkpoint is read");
    });
    let place = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(&place.path().join("run"), &experiment).unwrap();
    run.write_metrics(session.trainer.metrics()).unwrap();
    run.write_summary(&session.trainer.summary("run".into()).unwrap()).unwrap();
    for name in ["metrics.csv", "summary.json", "config.toml", "files.json"] {
        let own = run.path().join(name);
        let Ok(seed) = fs::read(&own) else { continue };
        fuzz(name, &seed, |path| {
            fs::copy(path, &own).unwrap();
            let _ = (run.metrics(), run.summary(), run.origin(), run.experiment(&[]));
        });
        fs::write(&own, seed).unwrap();
    }
}
