//! Mutations of valid files for every reader: a result or a message, never a panic, soon, and in
//! bounded memory.
//!
//! A thousand inputs a reader each time; `EQUILUX_FUZZ=1000000 cargo test --release --test fuzz` for
//! as many as wanted. What fails is kept by its number: the same number makes the same input.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use common::npz;
use equilux::coupler::crossbar::CellMap;
use equilux::coupler::spim::optics::mask::Mask;
use equilux::data::{DataConfig, Dataset, Missing, Store, Task, import_csv, import_directory};
use equilux::experiment::{Case, Experiment, RunDirectory, Session, Sheet};
use equilux::export::{ExportOptions, MaskOptions, Target, export, verify};
use equilux::file::matrix::{npy_bytes, read_matrix, write_matrix};
use equilux::fit::fit;
use equilux::study::budget::BudgetDirectory;
use equilux::study::{Options, Shard, Study, StudyDirectory, Table, sweep};
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

/// Bytes that a reader may take whatever it reads: a panel of 2^26 pixels, and what it unpacks to.
const MEMORY: usize = 1 << 28;
/// And for each byte of the file.
const MEMORY_A_BYTE: usize = 200;

/// The system's allocator, which counts.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is done by the system's allocator, as it is asked; counting touches no memory of its.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(used, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(used, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One reader at a time, so that the memory is its own.
static TURN: Mutex<()> = Mutex::new(());

/// A directory in memory where the system has one: a disk would be what is waited for.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Reads mutations of `seed` under `name` by `read`.
fn fuzz(name: &str, seed: &[u8], read: impl FnMut(&Path)) {
    fuzz_one_in(1, name, seed, read);
}

/// The same with one `part` of the mutations, for readers of several files.
fn fuzz_one_in(part: u64, name: &str, seed: &[u8], mut read: impl FnMut(&Path)) {
    let count: u64 =
        std::env::var("EQUILUX_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let count = count.div_ceil(part);
    let directory = scratch();
    let path = directory.path().join(name);
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // The seed itself is read, or nothing behind its first bytes would be.
    fs::write(&path, seed).unwrap();
    read(&path);
    for number in 0..count {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(number);
        let content = mutated(seed, &mut random);
        fs::write(&path, &content).unwrap();
        let (start, before) = (Instant::now(), USED.load(Relaxed));
        MOST.store(before, Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&path)));
        assert!(outcome.is_ok(), "{name}: input {number} makes a panic");
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(10), "{name}: input {number} takes {taken:?}");
        let used = MOST.load(Relaxed).saturating_sub(before);
        let most = MEMORY + MEMORY_A_BYTE * content.len();
        assert!(used <= most, "{name}: input {number} takes {used} bytes, {most} at most");
    }
}

/// The bytes of what `write` writes to a path that ends in `name`.
fn written(name: &str, write: impl FnOnce(&Path)) -> Vec<u8> {
    let directory = scratch();
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
    let store = scratch();
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

/// Reads the set at `path` in each way that may be asked for.
fn load_set(path: &Path) {
    for missing in [Missing::Refuse, Missing::Mean] {
        for (task, label) in [(Task::Classification, "column_3"), (Task::Regression, "column_1")] {
            let config = DataConfig {
                set: path.display().to_string(),
                task,
                label: label.into(),
                missing,
                ..DataConfig::default()
            };
            let _ = Dataset::load(&config);
        }
    }
}

#[test]
fn tables_and_archives() {
    fuzz("t.csv", b"1,5;?;\"a\"\n2,25;3;b\n-1e3;4;a\n", load_set);
    let text = "\u{feff}1\t2\tx\n3\tNA\ty\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fuzz("t.txt", &utf16, load_set);
    let npy = |matrix: DMatrix<f64>| equilux::file::matrix::npy_bytes(&matrix).unwrap();
    let features = npy(DMatrix::from_fn(4, 3, |i, j| (i * j) as f64));
    let labels = npy(DMatrix::from_fn(4, 1, |i, _| (i % 2) as f64));
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let arrays = [("x", features.clone()), ("y", labels.clone())];
        fuzz("t.npz", &npz(&arrays, method), load_set);
    }
}

#[test]
fn images_of_data_sets() {
    let grey = image::GrayImage::from_fn(9, 8, |x, y| image::Luma([(7 * x + 20 * y) as u8]));
    for name in ["i.png", "i.jpg"] {
        let seed = written(name, |path| grey.save(path).unwrap());
        let place = scratch();
        for class in ["a", "b"] {
            fs::create_dir(place.path().join(class)).unwrap();
        }
        fs::write(place.path().join("a").join(name), &seed).unwrap();
        let mut read = 0;
        fuzz(name, &seed, |path| {
            fs::copy(path, place.path().join("b").join(name)).unwrap();
            let set = format!("{}/", place.path().display());
            let config = DataConfig { set, image_size: Some([4, 4]), ..DataConfig::default() };
            read += usize::from(Dataset::load(&config).is_ok());
        });
        assert!(read > 0, "{name}: the seed itself is refused");
    }
}

#[test]
fn what_a_run_leaves() {
    let text = "[data]\nset = 'wine'\n[network]\nlayers = [13, 3]\n[training]\nepochs = 1\n";
    let experiment = Experiment::parse(text, "x.toml", &[]).unwrap();
    let mut session = Session::<f32>::new(experiment.clone()).unwrap();
    session.trainer.train().unwrap();
    let seed = written("c.safetensors", |path| session.trainer.save(path).unwrap());
    fuzz("c.safetensors", &seed, |path| {
        let read = Checkpoint::<f32>::read(path).is_ok();
        assert!(!read || fs::read(path).unwrap() == seed, "a damaged checkpoint is read");
    });
    let place = scratch();
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

#[test]
fn measurements() {
    let mut pulses = String::from("cell,cycle,pulse,conductance_uS\n1,0,up,2\n");
    for pulse in 1..=24 {
        let way = if pulse <= 12 { "up" } else { "down" };
        let g = 2.0 + 0.4 * f64::from(12 - (pulse - 12i32).abs()) - 0.01 * f64::from(pulse * pulse);
        pulses += &format!("1,0,{way},{g}\n");
    }
    let of = |head: &str, row: &dyn Fn(i32) -> String| {
        (0..16).fold(format!("{head}\n"), |text, at| text + &row(at) + "\n")
    };
    let seeds = [
        pulses,
        of("level;phase_rad", &|at| format!("{at};{}", 0.4 * f64::from(at % 9))),
        of("target_uS,conductance_uS", &|at| format!("{},{at}", at / 4)),
        of("cell,conductance_nS", &|at| format!("{},{at}", at / 4)),
        of("cell,time_s,conductance_uS", &|at| format!("{},{},{}", at / 8, 1 << (at % 8), 20 - at)),
    ];
    for seed in seeds {
        fuzz("m.csv", seed.as_bytes(), |path| drop(fit(path)));
    }
    let cells = npy_bytes(&DMatrix::from_fn(3, 2, |i, j| (i + j) as f64)).unwrap();
    let arrays = ["0-1.plus.stuck", "0-1.minus.error"].map(|name| (name, cells.clone()));
    fuzz("cells.npz", &npz(&arrays, zip::CompressionMethod::Deflated), |path| {
        let map = CellMap { file: Some(path.display().to_string()) };
        drop(map.read(&["0-1".into()], 0, (2, 3)));
    });
}

#[test]
fn measured_tables() {
    let text = |table: &str| {
        format!(
            "[data]\nset = 'wine'\n[network]\nlayers = [13, 3]\ntopology = 'all-to-all'\n[device.spim]\n\
             quantisation.bits = 3\n{table}\n"
        )
    };
    let phases = DMatrix::from_fn(8, 1, |level, _| 0.7 * level as f64);
    let kernel = DMatrix::from_fn(3, 3, |i, j| if (i, j) == (1, 1) { 0.6 } else { 0.05 });
    let light = DMatrix::from_fn(32, 32, |i, j| 1.0 + 0.01 * (i + j) as f64);
    for (key, matrix) in
        [("response.table", phases), ("fringing.kernel", kernel), ("illumination.image", light)]
    {
        for extension in ["csv", "npy"] {
            let name = format!("t.{extension}");
            let seed = written(&name, |path| write_matrix(path, &matrix).unwrap());
            let mut built = 0;
            fuzz(&name, &seed, |path| {
                let text = text(&format!("{key} = '{}'", path.display()));
                let experiment = Experiment::parse(&text, "x.toml", &[]);
                built += usize::from(experiment.is_ok_and(|x| x.machine::<f32>().is_ok()));
            });
            assert!(built > 0, "{key}: the seed itself is refused");
        }
    }
}

/// `content` with a seal that fits, as far as it has a place for one.
fn sealed(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    let name = b"\"seal\": \"";
    let Some(at) = content.windows(name.len()).position(|window| window == name) else {
        return content;
    };
    let digits = at + name.len()..at + name.len() + 64;
    if content.len() < digits.end {
        return content;
    }
    content[digits.clone()].fill(b'0');
    let sum = sha(&content);
    content[digits].copy_from_slice(sum.as_bytes());
    content
}

fn sha(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn exports() {
    let device = |name: &str| match name {
        "slm" => "topology = 'all-to-all'\n[device.spim]\npatterns.count = 1\n",
        _ => "[device.crossbar]\nsheet = 'crossbar-generic'\n",
    };
    for (name, target) in [
        ("slm", Target::Slm),
        ("crossbar", Target::Crossbar),
        ("safetensors", Target::Safetensors),
        ("npz", Target::Npz),
    ] {
        let place = scratch();
        let text = format!(
            "[data]\nset = 'wine'\ntest_fraction = 0.05\nscaling = 'unit-range'\nclip = 1.0\n[network]\n\
             layers = [13, 3]\n{}",
            device(name)
        );
        let experiment = Experiment::parse(&text, "x.toml", &[]).unwrap();
        let session = Session::<f32>::new(experiment.clone()).unwrap();
        let run = RunDirectory::create(&place.path().join("run"), &experiment).unwrap();
        run.save(&session.trainer).unwrap();
        let masks = MaskOptions { bits: Some(8), phases: true, ..Default::default() };
        let options = ExportOptions { clip: true, masks, ..ExportOptions::to(target) };
        let maps = place.path().join("maps");
        export(run.path(), &options, &maps).unwrap();
        assert!(verify(&maps).unwrap().ok, "{name}");
        let manifest = fs::read(maps.join("manifest.json")).unwrap();
        // A manifest that says it is whole; of each target its part of the mutations.
        fuzz_one_in(4, "manifest.json", &manifest, |path| {
            fs::write(maps.join("manifest.json"), sealed(&fs::read(path).unwrap())).unwrap();
            let _ = verify(&maps);
        });
        // Files of which a manifest says that they are whole.
        let listed: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for entry in listed["files"].as_array().unwrap() {
            let file = entry["file"].as_str().unwrap();
            let seed = fs::read(maps.join(file)).unwrap();
            let sum = entry["sha256"].as_str().unwrap();
            fuzz_one_in(40, file, &seed, |path| {
                let content = fs::read(path).unwrap();
                fs::write(maps.join(file), &content).unwrap();
                let text = String::from_utf8_lossy(&manifest).replace(sum, &sha(&content));
                fs::write(maps.join("manifest.json"), sealed(text.as_bytes())).unwrap();
                let _ = verify(&maps);
            });
            fs::write(maps.join(file), seed).unwrap();
        }
    }
}

#[test]
fn what_a_study_leaves() {
    let place = scratch();
    let text = "seeds = 2\n[experiment.data]\nset = 'wine'\n[experiment.network]\nlayers = [13, 3]\n\
                [experiment.training]\nepochs = 1\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.1, 0.2]\n";
    fs::write(place.path().join("study.toml"), text).unwrap();
    let study = Study::load(&place.path().join("study.toml")).unwrap();
    let (stop, path) = (equilux::stop::Stop::default(), place.path().join("study"));
    let kept = |_: &Path| Ok(());
    let options =
        Options { jobs: 1, shard: Shard::ALL, retry_failed: false, kept: &kept, stop: &stop };
    let directory = || StudyDirectory::for_study(&path, &study);
    sweep(&study, directory, &options, &mut |_| ()).unwrap();
    let (directory, _) = StudyDirectory::open(&path).unwrap();
    let runs = study.runs().unwrap();
    let table = fs::read(directory.results()).unwrap();
    fuzz("results.csv", &table, |path| drop(Table::read(path, &study)));
    for name in ["records/1-of-1.jsonl", "study.toml"] {
        let own = path.join(name);
        let seed = fs::read(&own).unwrap();
        fuzz("mutated", &seed, |mutated| {
            fs::copy(mutated, &own).unwrap();
            let _ = (StudyDirectory::open(&path), directory.write_tables(&study, &runs));
        });
        fs::write(&own, seed).unwrap();
    }
    let budget = path.join("budget.json");
    fuzz(
        "budget.json",
        br#"{"baseline": 0.5, "effects": [], "full": {}, "pairs": []}"#,
        |mutated| {
            fs::copy(mutated, &budget).unwrap();
            let _ = BudgetDirectory::open(&path);
        },
    );
}
