//! Disks that fail: steps of each command on files fail in turn, in four ways, and after each of them
//! what was there before is there and whole, and the same command, told again, ends as if nothing had
//! been.
//!
//! Some steps each time; `EQUILUX_FAULTS=all cargo test --release --test faults` for every one.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use common::bytes;
use equilux::Result;
use equilux::data::{DataConfig, Store, import_csv, import_directory};
use equilux::experiment::{Experiment, RunDirectory, Session, outcome};
use equilux::export::{ExportOptions, Manifest, MaskOptions, Target, export, import, verify};
use equilux::file::disk::{Fault, fail, mend};
use equilux::report;
use equilux::stop::Stop;
use equilux::study::{Options, Shard, Study, StudyDirectory, sweep};
use equilux::training::Checkpoint;

const FAULTS: [Fault; 4] = [Fault::Full, Fault::ReadOnly, Fault::NoHandles, Fault::Once];

/// The disk is the process's: one test at a time.
static DISK: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    DISK.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A machine that trains in a moment, and what makes it an optical one.
const WINE: &str = "[data]\nset = 'wine'\nscaling = 'unit-range'\nclip = 1.0\ntrain_limit = 8\n\
                    [network]\nlayers = [13, 3]\ntopology = 'all-to-all'\n[relaxation]\n\
                    step = 0.5\ntolerance = 1e-2\nmax_steps = 100\n[learning]\nrule = 'ep'\n\
                    beta = 0.5\n[training]\nepochs = 2\n";
const OPTICAL: &str = "[device.spim]\npatterns.count = 1\n";

/// Every step fails where `EQUILUX_FAULTS` is set (`all`), else some of each command's.
fn stride(steps: u64) -> u64 {
    let all = std::env::var_os("EQUILUX_FAULTS").is_some();
    if all { 1 } else { steps.div_ceil(9) }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Every file below `at`, by its path.
fn tree(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(at: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), bytes(&path));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(at, at, &mut found);
    found
}

/// Whether a file that a user finds is whole, by what its kind ends with.
fn is_whole(name: &Path, content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    match name.extension().and_then(|extension| extension.to_str()) {
        Some("html") => text.trim_end().ends_with("</html>"),
        Some("svg") => text.trim_end().ends_with("</svg>"),
        Some("png") => content.ends_with(b"IEND\xaeB`\x82"),
        Some("json") => serde_json::from_str::<serde_json::Value>(&text).is_ok(),
        Some("toml") => toml::from_str::<toml::Table>(&text).is_ok() && !text.is_empty(),
        Some("csv") => text.ends_with('\n'),
        Some("safetensors") => {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), content).unwrap();
            Checkpoint::<f32>::read(file.path()).is_ok()
                || Checkpoint::<f64>::read(file.path()).is_ok()
                || name.file_name().unwrap() == "weights.safetensors"
        }
        _ => true,
    }
}

fn is_temporary(name: &Path) -> bool {
    name.iter().any(|part| part.to_string_lossy().starts_with(".equilux-"))
}

/// Does `work` in a copy of `before`, with each of its steps failing in turn; `check` looks at what
/// is left, then `work` is done again. Files of which `same` says so end with the same bytes.
fn every_step(
    what: &str,
    before: &Path,
    work: impl Fn(&Path) -> Result<()>,
    check: impl Fn(&Path),
    same: impl Fn(&Path) -> bool,
) {
    let at = |number: &str| {
        let place = tempfile::Builder::new().prefix(number).tempdir().unwrap();
        copy(before, place.path());
        place
    };
    let place = at("whole");
    fail(u64::MAX, Fault::Once);
    work(place.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let steps = mend();
    let kept = |tree: BTreeMap<PathBuf, Vec<u8>>| {
        let lasts = |name: &Path| same(name) && !is_temporary(name);
        tree.into_iter().filter(|(name, _)| lasts(name)).collect::<BTreeMap<_, _>>()
    };
    let whole = kept(tree(place.path()));
    assert!(!whole.is_empty(), "{what}: nothing is compared");
    let mut failed = 0;
    for (offset, fault) in (0..).zip(FAULTS) {
        // Other steps for each fault; the last one is beyond the end.
        let stride = stride(steps);
        for step in (offset % stride..steps).step_by(stride as usize).chain([steps]) {
            let place = at("fault");
            fail(step, fault);
            let ended = catch_unwind(AssertUnwindSafe(|| work(place.path())));
            let done = mend();
            let Ok(ended) = ended else { panic!("{what}: {fault:?} at step {step}: a panic") };
            if done <= step {
                assert!(ended.is_ok(), "{what}: {fault:?} beyond the end: {ended:?}");
                break;
            }
            if let Err(error) = &ended {
                failed += 1;
                let text = error.to_string();
                assert!(text.contains("cannot be"), "{what}: {fault:?} at step {step}: {text}");
            }
            for (name, content) in tree(place.path()) {
                let name_shown = name.display();
                assert!(
                    is_temporary(&name) || is_whole(&name, &content),
                    "{what}: {fault:?} at step {step}: {name_shown} is not whole"
                );
            }
            check(place.path());
            work(place.path())
                .unwrap_or_else(|error| panic!("{what}, again after {fault:?} at {step}: {error}"));
            let again = tree(place.path());
            // What a failing disk would not have removed: of an export, which a later one sweeps a
            // minute after, and a lock that nobody holds.
            let harmless = |name: &Path| {
                let name = name.to_string_lossy();
                name.contains(".equilux-export-") || name.ends_with(".equilux-lock")
            };
            let left = again.keys().find(|name| is_temporary(name) && !harmless(name));
            assert!(left.is_none(), "{what}: {fault:?} at step {step} left {left:?}");
            let again = kept(again);
            let differs = |name: &&PathBuf| whole.get(*name) != again.get(*name);
            let other = whole.keys().chain(again.keys()).find(differs);
            assert!(other.is_none(), "{what}: {fault:?} at step {step}: {other:?} is another");
        }
    }
    assert!(failed > 5, "{what}: only {failed} steps failed");
}

/// What `equilux train --out RUN`, or with `--resume`, does.
fn train(run: &Path, epochs: usize) -> Result<()> {
    let setting = format!("training.epochs={epochs}");
    let experiment = Experiment::parse(WINE, "wine.toml", &[setting])?;
    let run = if run.join("config.toml").exists() {
        let held = RunDirectory::hold(run)?;
        held.expect_same(&experiment)?;
        held.set_epochs(epochs)?;
        held
    } else {
        RunDirectory::create(run, &experiment)?
    };
    let mut session = Session::<f32>::new(experiment)?;
    let trainer = &mut session.trainer;
    if run.checkpoint().exists() {
        trainer.resume_from(&run.read_checkpoint()?, &run.checkpoint())?;
    }
    while !trainer.is_finished() {
        trainer.epoch(&mut |_| ())?;
        run.write_metrics(trainer.metrics())?;
        run.save(trainer)?;
    }
    let summary = session.summary(&run)?;
    run.write_summary(&summary)?;
    let (trainer, experiment) = (&session.trainer, Some(&session.experiment));
    let system = Some(trainer.system());
    report::write_run(
        run.path(),
        &summary,
        trainer.metrics(),
        system,
        experiment,
        report::Paper::default(),
    )
}

/// All files but those that tell how fast a run was, and what it is called.
fn lasting(name: &Path) -> bool {
    let name = name.to_string_lossy();
    !["summary.json", "report.html"].iter().any(|other| name.ends_with(other))
}

fn nothing() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A directory with the run `run`.
fn trained() -> tempfile::TempDir {
    let place = nothing();
    train(&place.path().join("run"), 2).unwrap();
    place
}

/// A directory with the run `run` of an optical machine, before its first epoch.
fn optical() -> tempfile::TempDir {
    let place = nothing();
    let text =
        format!("{WINE}{OPTICAL}").replace("unit-range'", "unit-range'\ntest_fraction = 0.05");
    let experiment = Experiment::parse(&text, "wine.toml", &[]).unwrap();
    let session = Session::<f32>::new(experiment.clone()).unwrap();
    let run = RunDirectory::create(&place.path().join("run"), &experiment).unwrap();
    run.save(&session.trainer).unwrap();
    place
}

#[test]
fn training() {
    let _turn = turn();
    let check = |place: &Path| {
        let run = place.join("run");
        if run.join("config.toml").exists() {
            outcome(&RunDirectory::open(&run).unwrap()).unwrap();
        }
    };
    every_step("train", nothing().path(), |p| train(&p.join("run"), 2), check, lasting);
}

#[test]
fn going_on() {
    let _turn = turn();
    let before = trained();
    let check = |place: &Path| {
        let run = RunDirectory::open(&place.join("run")).unwrap();
        let done = run.read_checkpoint::<f32>().unwrap().progress.metrics.len();
        assert!((2..=3).contains(&done));
        assert!(outcome(&run).unwrap().unwrap().epochs >= 2);
    };
    every_step("resume", before.path(), |p| train(&p.join("run"), 3), check, lasting);
}

#[test]
fn reports() {
    let _turn = turn();
    let before = trained();
    let report = |place: &Path| report::rewrite_run(&place.join("run"), report::Paper::default());
    let check = |place: &Path| {
        let kept = ["checkpoint.safetensors", "metrics.csv", "summary.json", "config.toml"];
        for name in kept.map(|name| Path::new("run").join(name)) {
            assert!(bytes(&before.path().join(&name)) == bytes(&place.join(&name)));
        }
        assert!(place.join("run/report.html").exists());
    };
    every_step("report", before.path(), report, check, lasting);
}

#[test]
fn studies() {
    let _turn = turn();
    let study = format!(
        "seeds = 1\nkeep = true\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.4, 0.5]\n[experiment]\n{}",
        WINE.replace("epochs = 2", "epochs = 1")
            .replace('[', "[experiment.")
            .replace("= [experiment.", "= [")
            .replace("\n[experiment.data]", "[experiment.data]")
    );
    let before = nothing();
    fs::write(before.path().join("study.toml"), study).unwrap();
    let work = |place: &Path| {
        let study = Study::load(&place.join("study.toml"))?;
        let (stop, out) = (Stop::default(), place.join("study"));
        let kept = |_: &Path| Ok(());
        let options =
            Options { jobs: 1, shard: Shard::ALL, retry_failed: true, kept: &kept, stop: &stop };
        let made = || StudyDirectory::for_study(&out, &study);
        sweep(&study, made, &options, &mut |_| ()).map(drop)
    };
    let check = |place: &Path| {
        let study = place.join("study");
        if StudyDirectory::is_one(&study) {
            StudyDirectory::open(&study).unwrap();
        }
    };
    let tables = |name: &Path| name.ends_with("study/results.csv") || name.ends_with("config.toml");
    every_step("sweep", before.path(), work, check, tables);
}

fn options() -> ExportOptions {
    let masks = MaskOptions { bits: Some(8), ..Default::default() };
    ExportOptions { masks, ..ExportOptions::to(Target::Slm) }
}

#[test]
fn exports_and_imports() {
    let _turn = turn();
    let before = optical();
    let old = before.path().join("old");
    let exported = |place: &Path, out: &str| {
        let out = place.join(out);
        // Told again, the program refuses what is there already: whole.
        if out.join("manifest.json").exists() {
            return Ok(());
        }
        export(&place.join("run"), &options(), &out).map(|_: Manifest| ())
    };
    exported(before.path(), "old").unwrap();
    let check = |place: &Path| {
        assert!(verify(&place.join("old")).unwrap().ok);
        let new = place.join("new");
        let there = new.exists() && fs::read_dir(&new).unwrap().next().is_some();
        assert!(!there || verify(&new).unwrap().ok);
    };
    every_step("export", before.path(), |p| exported(p, "new"), check, lasting);
    let imported = |place: &Path| {
        let run = place.join("imported");
        if run.join("checkpoint.safetensors").exists() {
            return Ok(());
        }
        import(&place.join("old"), &run).map(drop)
    };
    let check = |place: &Path| {
        assert!(verify(&place.join("old")).unwrap().ok);
        assert_eq!(tree(&old), tree(&place.join("old")));
    };
    every_step("import", before.path(), imported, check, lasting);
}

#[test]
fn stores() {
    let _turn = turn();
    let before = nothing();
    let images = |place: &Path, value: u8| {
        let set = place.join(format!("set-{value}"));
        fs::create_dir_all(&set).unwrap();
        let idx = |dimensions: &[u32], bytes: &[u8]| {
            let mut file = vec![0, 0, 8, dimensions.len() as u8];
            file.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
            file.extend(bytes);
            file
        };
        for (name, file) in [
            ("train-images-idx3-ubyte", idx(&[2, 1, 2], &[value; 4])),
            ("train-labels-idx1-ubyte", idx(&[2], &[0, 1])),
            ("t10k-images-idx3-ubyte", idx(&[1, 1, 2], &[value; 2])),
            ("t10k-labels-idx1-ubyte", idx(&[1], &[1])),
        ] {
            fs::write(set.join(name), file).unwrap();
        }
        set
    };
    let store = |place: &Path| Store::at(place.join("store"));
    let path = before.path();
    import_directory(&images(path, 1), "images", &store(path)).unwrap();
    images(path, 2);
    fs::write(path.join("t.csv"), "a,class\n1,x\n2,y\n").unwrap();
    import_csv(&path.join("t.csv"), "t", "class", &store(path)).unwrap();
    fs::write(path.join("t.csv"), "a,class\n3,x\n4,y\n5,y\n").unwrap();
    let called = |name: &str| DataConfig { set: name.into(), ..DataConfig::default() };
    let loads = |place: &Path| {
        assert_eq!(store(place).load(&called("images")).unwrap().size().features, 2);
        assert!(store(place).load(&called("t")).is_ok());
    };
    let files = |place: &Path| import_directory(&place.join("set-2"), "images", &store(place));
    every_step("import of images", path, |p| files(p).map(drop), loads, |_| true);
    let table = |place: &Path| import_csv(&place.join("t.csv"), "t", "class", &store(place));
    every_step("import of a table", path, |p| table(p).map(drop), loads, |_| true);
}

/// Nobody goes to the disk but by `file/disk.rs`.
#[test]
fn there_is_one_way_to_the_disk() {
    fn sources(at: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let forbidden = [
        "fs::write(",
        "File::create(",
        "fs::rename(",
        "fs::remove_",
        "fs::copy(",
        "fs::create_dir",
        "File::open(",
        ".tempfile_in(",
        ".tempdir_in(",
        ".persist(",
        "fs::read(",
        "read_to_string(path",
    ];
    let own = |path: &&PathBuf| !path.ends_with("file/disk.rs") && !path.ends_with("tests.rs");
    for path in found.iter().filter(own) {
        let text = fs::read_to_string(path).unwrap();
        let own = text.split("mod tests {").next().unwrap();
        for (number, line) in own.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let word = forbidden.iter().find(|word| code.contains(**word));
            assert!(word.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}
