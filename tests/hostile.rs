//! Files that are damaged, foreign or made to do harm: refused at once, with a message, and nothing is
//! taken for what it is not. The inputs are tiny and made here.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Place, SMALL, refusal};
use equilux::export::verify;
use equilux::training::Checkpoint;
use serde_json::Value;

/// What everything here ends in: a debug build on a busy machine has time enough.
const SOON: Duration = Duration::from_secs(20);

/// Refused with exit status 2, soon, saying `expected`; the program has 3 GB of addresses.
#[track_caller]
fn refused(place: &Place, arguments: &[&str], expected: &str) {
    let start = Instant::now();
    let quoted: Vec<String> = arguments.iter().map(|a| format!("'{a}'")).collect();
    let program = env!("CARGO_BIN_EXE_equilux");
    let script = format!("ulimit -v 3000000; exec {program} {}", quoted.join(" "));
    let mut command = Command::new("bash");
    let output = command.current_dir(place.path("")).args(["-c", &script]).output().unwrap();
    let message = refusal(&output, 2);
    assert!(message.contains(expected), "{arguments:?}: expected `{expected}` in: {message}");
    assert!(start.elapsed() < SOON, "{arguments:?}: {:?}", start.elapsed());
}

/// An `.npy` file of this header and these bytes behind it.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend((header.len() as u16).to_le_bytes());
    content.extend(header.bytes().chain(data.iter().copied()));
    content
}

/// A grey PNG that claims to be of this size and ends after a few pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(data);
        file.extend(name.iter().chain(data).copied().chain(crc.sum().to_be_bytes()));
    };
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    chunk(b"IDAT", &zlib(&[0; 100]));
    chunk(b"IEND", &[]);
    file
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn sizes_of_matrices_do_not_wrap() {
    let place = Place::new();
    let dictionary = |shape: &str, order: &str| {
        format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': {shape}, }}\n")
    };
    let half = 1u64 << 63;
    let quarter = 1u64 << 33;
    for shape in [
        format!("({half}, 2)"),
        format!("(2, {half})"),
        format!("({quarter}, {quarter})"),
        format!("(0, {half}, {half})"),
        "(99999999999999999999999, 1)".into(),
        "(1000000, 1000000)".into(),
    ] {
        for order in ["False", "True"] {
            place.file("m.npy", npy(&dictionary(&shape, order), &[0; 16]));
            let expected = "its header asks for more elements than the 16 bytes behind it can hold";
            refused(&place, &["spim", "encode", "m.npy", "--out", "x.png"], expected);
            let compile = ["crossbar", "compile", "--unit", "uS", "--out", "x.npy", "--cells"];
            refused(&place, &[&compile[..], &["m.npy"]].concat(), expected);
        }
    }
    assert!(!place.path("x.png").exists());
    let encode = ["spim", "encode", "m.npy", "--out", "x.png"];
    let nested = format!("{}{}", "[".repeat(24), "]".repeat(24));
    place.file("m.npy", npy(&dictionary(&nested, "False"), &[]));
    refused(&place, &encode, "the brackets of its header nest too deep");
    place.file("m.npy", npy(&dictionary("(0x7fffffffffffffff, 2)", "False"), &[0; 16]));
    refused(&place, &encode, "`x` in its header");
    place.file("m.npy", [&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], &[b'('; 64]].concat());
    refused(&place, &encode, "4294967295 bytes of header: expected at most 10000");
}

#[test]
fn pictures_do_not_claim_memory() {
    let place = Place::new();
    let frame = ["spim", "frame", "m.png", "--device", "ideal-slm"];
    place.file("m.png", png(40, 1 << 30));
    refused(&place, &frame, "m.png: 40 x 1073741824 pixels: expected at most 67108864");
    place.file("m.png", png(40_000, 40_000));
    refused(&place, &frame, "m.png: 40000 x 40000 pixels: expected at most 67108864");
}

#[test]
fn packed_files_do_not_burst() {
    let place = Place::new();
    fs::create_dir(place.path("set")).unwrap();
    let idx = |dimensions: &[u32], bytes: usize| {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        file.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        file.resize(file.len() + bytes, 0);
        file
    };
    let write = |images: Vec<u8>| {
        place.file("set/train-images-idx3-ubyte.gz", images);
        let mut labels = idx(&[100], 100);
        labels[8] = 1;
        place.file("set/train-labels-idx1-ubyte", labels);
        place.file("set/t10k-images-idx3-ubyte", idx(&[1, 1000, 1000], 1_000_000));
        place.file("set/t10k-labels-idx1-ubyte", idx(&[1], 1));
    };
    let import = ["data", "import", "set", "--name", "bomb"];
    write(gzip(&idx(&[100, 1000, 1000], 100_000_000)));
    refused(&place, &import, "100000000 unpacked bytes in 97");
    write(idx(&[100, 65536, 65536], 0));
    refused(&place, &import, "100 x 65536 x 65536 numbers: expected at most 536870912");
}

#[test]
fn sizes_in_experiments_have_ranges() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    for (setting, expected) in [
        ("measurement.samples=4294967295", "1 to 100000 reads"),
        ("measurement.samples=9223372036854775807", "1 to 100000 reads"),
        ("training.epochs=9223372036854775807", "at most 1000000000"),
        ("network.layers=[64,4611686018427387904,10]", "expected at most 536870912"),
        ("network.layers=[64,9223372036854775807,9223372036854775807]", "expected at most"),
        ("network.layers=[64,20000000,10]", "20000000 x 64 numbers: expected at most 536870912"),
        ("device.spim.patterns.count=9223372036854775807", "1 to 65536 patterns"),
        ("device.spim.settling.rise_ms=1e308", "a magnitude from 2.3e-308 to 1e100"),
        ("device.crossbar.age.at=1e300 y", "expected a number of at least 0 and a unit"),
        ("device.spim.region.side_px=9223372036854775807", "1 to 8192 pixels"),
        ("device.spim.panel.macro_pixel_px=9223372036854775807", "1 to 8192 pixels"),
    ] {
        refused(&place, &["train", "small.toml", "--out", "run", "--set", setting], expected);
        assert!(!place.path("run").exists());
    }
    // Together they ask for too much, each by itself does not.
    place.file(
        "wide.toml",
        "[data]\nset = 'wine'\n[network]\nlayers = [13, 3]\ntopology = 'all-to-all'\n[device.spim]\n\
         patterns.count = 1\npanel.width_px = 1000000\npanel.height_px = 1000000\n",
    );
    refused(&place, &["train", "wide.toml"], "1000000 x 1000000 pixels: expected at most 67108864");
}

#[test]
fn studies_are_counted_before_they_are_made() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    let study = |text: &str| place.file("study.toml", format!("base = 'small.toml'\n{text}"));
    let axis = |key: &str, steps: u64| {
        format!("[[axis]]\nkey = '{key}'\nlinear = {{ from = 0.001, to = 1.0, steps = {steps} }}\n")
    };
    let sweep = ["sweep", "study.toml", "--out", "study"];
    study(
        "[draw]\nmethod = 'random'\npoints = 9223372036854775807\n[[axis]]\nkey = 'learning.beta'\nlinear = { from = 0.1, to = 1.0 }\n",
    );
    refused(&place, &sweep, "at most 1000000000");
    study(
        "[draw]\nmethod = 'random'\npoints = 1000000000\n[[axis]]\nkey = 'learning.beta'\nlinear = { from = 0.1, to = 1.0 }\n",
    );
    refused(&place, &sweep, "1000000000 x 1 runs: expected at most 1000000");
    study(
        &[
            axis("learning.beta", 3000),
            axis("measurement.noise", 3000),
            axis("measurement.drift", 3000),
        ]
        .concat(),
    );
    refused(&place, &sweep, "3000 x 3000 x 3000 x 1 runs: expected at most 1000000");
    study(&axis("learning.beta", 1 << 62));
    refused(&place, &sweep, "4611686018427387904 x 1 runs");
    // A seed beyond what TOML holds could not be written into a study's directory.
    study(
        "seeds = 2\n[set]\nseed = 9223372036854775807\n[[axis]]\nkey = 'learning.beta'\nvalues = [0.1]\n",
    );
    refused(&place, &sweep, "seed = 9223372036854775807: 2 more are counted from it");
    assert!(!place.path("study").exists());
}

#[test]
fn long_tables_are_read_in_one_go() {
    let place = Place::new();
    let mut table = String::from("a,b,class\n");
    for row in 0..100_000 {
        table += &format!("{row},{},{}\r\n\r\n", row % 7, row % 3);
    }
    place.file("long.csv", &table);
    let start = Instant::now();
    let import = ["data", "import", "long.csv"];
    let mut command = place.command(&import);
    let output = command.env("EQUILUX_DATA", place.path("store")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    place.file("long.csv", table + "1,x,1\n");
    refused(&place, &import, "long.csv: line 200002, column `b`: `x` is not a number");
}

/// A place with a trained optical machine (`run`) and its export (`maps`).
fn exported() -> Place {
    let place = Place::new();
    place.file(
        "x.toml",
        "[data]\nset = 'wine'\nscaling = 'unit-range'\nclip = 1.0\n[network]\nlayers = [13, 3]\n\
         topology = 'all-to-all'\n[device.spim]\nsheet = 'spim-generic'\npatterns.count = 2\n\
         [relaxation]\nstep = 0.15\ntolerance = 1e-2\nmax_steps = 30\n[learning]\nrule = 'ep'\nbeta = 0.5\n\
         [training]\nepochs = 1\n",
    );
    place.printed(&["train", "x.toml", "--out", "run"]);
    place.printed(&["export", "run", "--to", "slm", "--out", "maps"]);
    place
}

/// Every value below `value` that is neither a table nor a list.
fn leaves(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::Object(table) => {
            table.iter().flat_map(|(key, value)| leaves(value, format!("{at}/{key}"))).collect()
        }
        Value::Array(list) => list
            .iter()
            .enumerate()
            .flat_map(|(i, value)| leaves(value, format!("{at}/{i}")))
            .collect(),
        _ => vec![at],
    }
}

#[test]
fn no_leaf_of_a_manifest_is_decoration() {
    let place = exported();
    let path = place.path("maps/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(verify(&place.path("maps")).unwrap().ok);
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let leaves = leaves(&manifest, String::new());
    assert!(leaves.len() > 100, "{}", leaves.len());
    for leaf in leaves {
        let mut changed = manifest.clone();
        let value = changed.pointer_mut(&leaf).unwrap();
        *value = match &*value {
            Value::Number(number) if number.is_f64() => {
                (number.as_f64().unwrap() * 1.5 + 0.25).into()
            }
            Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
            Value::String(text) => format!("{text} ").into(),
            Value::Bool(value) => Value::Bool(!value),
            _ => 1.into(),
        };
        fs::write(&path, serde_json::to_string_pretty(&changed).unwrap() + "\n").unwrap();
        let ok = verify(&place.path("maps")).is_ok_and(|found| found.ok);
        assert!(!ok, "{leaf} was changed to {}", changed.pointer(&leaf).unwrap());
    }
    // What means something is named.
    let named = |from: &str, to: &str, expected: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let message = place.refused(2, &["verify", "maps"]);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
        let message = place.refused(2, &["import", "maps", "--out", "again"]);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    };
    named("\"level_2pi\": 256", "\"level_2pi\": 250", "level_2pi = Some(250)");
    named(
        "\"wavelength_nm\": 532.0",
        "\"wavelength_nm\": 633.0",
        "wavelength_nm = 633: the machine",
    );
    named("\"pitch_um\": 8.0", "\"pitch_um\": 12.5", "pitch_um = 12.5: the machine");
    named("\"sign\": 1", "\"sign\": 3", "sign = 3: expected");
    named("\"macro_pixel_px\": 8", "\"macro_pixel_px\": 0", "do not fit a panel");
    named("\"nodes\": 16", "\"nodes\": 4611686018427387904", "do not fit a panel");
    named("\"width_px\": 32", "\"width_px\": 4611686018427387904", "pixels: expected at most");
    named("\"bits\": 8", "\"bits\": 31", "bits = 31, sign = 1: expected 1 to 16 bits");
    named(
        "\"as_trained\": ",
        "\"as_trained\": 1",
        "manifest.json: changed: its content has SHA-256",
    );
    assert!(!place.path("again").exists());
}

#[test]
#[cfg(unix)]
fn names_in_a_manifest_stay_in_its_directory() {
    let place = exported();
    let path = place.path("maps/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    place.file("secret.txt", "the secret\n");
    let name = "all.patterns.phases.npy";
    let absolute = place.path("secret.txt").display().to_string();
    for other in ["../secret.txt", &absolute, "/dev/zero", ".", "", "sub/x"] {
        fs::write(&path, text.replace(name, other)).unwrap();
        for command in [&["verify", "maps"][..], &["import", "maps", "--out", "again"]] {
            refused(&place, command, "expected the name of a file beside the manifest");
        }
    }
    fs::write(&path, text.replacen(&format!("\"phases\": \"{name}\""), "\"phases\": \"x.npy\"", 1))
        .unwrap();
    refused(&place, &["verify", "maps"], "\"x.npy\" is used, but not listed in `files`");
    // The device is made of files of the export, or of none.
    fs::write(&path, text.replacen("spim-generic", &absolute.replace(".txt", ".toml"), 1)).unwrap();
    refused(&place, &["verify", "maps"], "expected a file of the export");
    fs::write(&path, &text).unwrap();
    let file = place.path("maps").join(name);
    let link = |to: &Path| {
        let _ = fs::remove_file(&file);
        std::os::unix::fs::symlink(to, &file).unwrap();
        refused(&place, &["verify", "maps"], "expected a file, found something else");
    };
    link(&place.path("secret.txt"));
    link(Path::new("/dev/zero"));
    fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    refused(&place, &["verify", "maps"], "expected a file, found something else");
    // Nor does what a user names himself keep him waiting.
    let (pipe, table) = (file.display().to_string(), place.path("table.csv"));
    assert!(Command::new("mkfifo").arg(&table).status().unwrap().success());
    let table = table.display().to_string();
    let set = format!("data.set={pipe}");
    for command in [
        &["train", &pipe][..],
        &["spim", "frame", &pipe],
        &["data", "import", &table, "--name", "pipe"],
        &["train", "wine-spim", "--set", &set, "--set", "data.label=labels.npy"],
    ] {
        refused(&place, command, "expected a file, found a device or a pipe");
    }
}

#[test]
fn damaged_exports_do_not_come_in() {
    let place = exported();
    for name in ["bias.npy", "all.patterns.mask-001.png", "test-inputs.npy", "README.txt"] {
        let path = place.path("maps").join(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        let expected = format!("{name}: changed: SHA-256");
        refused(&place, &["import", "maps", "--out", "again"], &expected);
        assert!(!place.path("again").exists());
        fs::write(&path, whole).unwrap();
    }
    place.printed(&["import", "maps", "--out", "again"]);
}

/// A place with a small run.
fn trained() -> Place {
    let place = Place::new();
    place.file("small.toml", SMALL);
    place.printed(&["train", "small.toml", "--out", "run", "--set", "training.epochs=1"]);
    place
}

#[test]
fn no_bit_of_a_checkpoint_may_flip() {
    let place = trained();
    let path = place.path("run/checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    Checkpoint::<f32>::read(&path).unwrap();
    // Every bit of the first kilobytes, the header, and one of each byte in twenty behind it.
    let bits = (0..16_000).chain((16_000..8 * whole.len()).step_by(163));
    for bit in bits {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        assert!(Checkpoint::<f32>::read(&path).is_err(), "bit {bit}");
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 0x40;
    fs::write(&path, flipped).unwrap();
    refused(&place, &["evaluate", "run"], "not a whole checkpoint of equilux: changed");
}

#[test]
fn a_checkpoint_is_its_own_runs() {
    let place = trained();
    let other =
        ["train", "small.toml", "--out", "other", "--set", "training.epochs=1", "--set", "seed=6"];
    place.printed(&other);
    fs::copy(place.path("run/checkpoint.safetensors"), place.path("other/checkpoint.safetensors"))
        .unwrap();
    let expected =
        "a checkpoint of another run: expected one of the experiment in other/config.toml";
    refused(&place, &["evaluate", "other"], expected);
    refused(&place, &["export", "other", "--to", "npz", "--out", "maps"], expected);
    refused(&place, &["report", "other"], expected);
    refused(&place, &[&other[..], &["--resume"]].concat(), expected);
    // More epochs are the same run, and config.toml says how many.
    let resume = ["train", "small.toml", "--out", "run", "--resume", "--set", "training.epochs=2"];
    place.printed(&resume);
    let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
    assert!(config.contains("epochs = 2"), "{config}");
    assert_eq!(fs::read_to_string(place.path("run/metrics.csv")).unwrap().lines().count(), 3);
    place.printed(&["evaluate", "run"]);
}

#[test]
fn weights_that_are_no_numbers_are_not_exported() {
    let place = trained();
    let path = place.path("run/checkpoint.safetensors");
    let mut checkpoint = Checkpoint::<f32>::read(&path).unwrap();
    checkpoint.parameters.get_mut("0-1.weights").unwrap()[(3, 5)] = f32::NAN;
    checkpoint.write(&path).unwrap();
    refused(&place, &["export", "run", "--to", "npz", "--out", "maps"], "0-1.weights holds NaN");
    assert!(!place.path("maps").exists());
}

/// Waits until `path` is there.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < SOON, "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_run_has_one_owner() {
    let place = Place::new();
    place.file("small.toml", SMALL.replace("epochs = 3", "epochs = 100000"));
    let train = ["train", "small.toml", "--out", "run"];
    let mut first = place.command(&train).spawn().unwrap();
    wait_for(&place.path("run/checkpoint.safetensors"));
    let held = format!("run: process {} is at work in it", first.id());
    refused(&place, &[&train[..], &["--set", "seed=6"]].concat(), &held);
    refused(&place, &[&train[..], &["--resume"]].concat(), &held);
    // To look is not to write.
    place.printed(&["evaluate", "run"]);
    first.kill().unwrap();
    first.wait().unwrap();
    // The dead hold nothing.
    let epochs = fs::read_to_string(place.path("run/metrics.csv")).unwrap().lines().count();
    let enough = format!("training.epochs={epochs}");
    place.printed(&[&train[..], &["--resume", "--set", &enough]].concat());
    let left: Vec<String> = fs::read_dir(place.path("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_killed_run_left_is_swept_out() {
    let place = Place::new();
    place.file("small.toml", SMALL);
    fs::create_dir(place.path("run")).unwrap();
    // Killed before the first rename.
    place.file("run/.equilux-a1b2c3.toml", "half a conf");
    place.printed(&["train", "small.toml", "--out", "run", "--set", "training.epochs=1"]);
    assert!(!place.path("run/.equilux-a1b2c3.toml").exists());
}

#[test]
fn errors_do_not_drive_the_terminal() {
    let place = Place::new();
    let output = place.run(&["train", "\x1b]0;owned\x07\x1b[31m.toml"]);
    let message = refusal(&output, 2);
    assert!(message.contains("\\u001b]0;owned"), "{message}");
    assert!(!message.contains(['\x1b', '\x07']));
    let message = refusal(&place.run(&["train", "x.toml", "\x1b[31m"]), 2);
    assert!(!message.contains('\x1b'), "{message}");
    // What is printed does not either, and JSON stays what it is.
    place.file("small.toml", SMALL);
    let run = "run-\x1b[31m\u{9b}31m\u{202e}";
    let train = ["train", "small.toml", "--set", "training.epochs=1", "--out", run];
    let said = place.printed(&train);
    assert!(said.contains("run-\\u001b[31m\\u009b31m\\u202e"), "{said}");
    assert!(!said.contains(['\x1b', '\u{9b}', '\u{202e}']));
    assert_eq!(place.json(&["evaluate", run])["run"], run);
    // Nobody to tell is no reason to panic.
    let program = env!("CARGO_BIN_EXE_equilux");
    for (command, expected) in [
        ("train absent.toml 2>/dev/full", 2),
        ("train absent.toml 2>&-", 2),
        ("train --no-such-option 2>/dev/full", 2),
        ("train small.toml --out d --set training.epochs=1 >/dev/full 2>/dev/full", 1),
        ("train small.toml --out e --set training.epochs=1 >&- 2>&-", 0),
        ("devices >/dev/full", 1),
        ("evaluate d --json >/dev/full", 1),
        ("--help >/dev/full", 0),
    ] {
        let script = format!("{program} {command}; exit $?");
        let mut bash = Command::new("bash");
        let output = bash.current_dir(place.path("")).args(["-c", &script]).output().unwrap();
        refusal(&output, expected);
    }
    // The run is there all the same.
    assert!(place.path("d/summary.json").exists() && place.path("e/summary.json").exists());
}

#[test]
fn mirrors_send_no_more_than_a_set() {
    let serve = |answer: &'static str, endless: bool| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 1024];
                let _ = std::io::Read::read(&mut stream, &mut request);
                let _ = stream.write_all(answer.as_bytes());
                let piece = vec![0; 1 << 20];
                while endless && stream.write_all(&piece).is_ok() {}
            }
        });
        address
    };
    let place = Place::new();
    let fetch = |address: &str, expected: &str| {
        let mut command = place.command(&["data", "fetch", "mnist", "--mirror", address]);
        let output = command.env("EQUILUX_DATA", place.path("store")).output().unwrap();
        let message = refusal(&output, 2);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
        assert_eq!(fs::read_dir(place.path("store")).unwrap().count(), 0, "something is left");
    };
    let endless = serve("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", true);
    fetch(&endless, "bytes: expected at most 134217728");
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    fetch(&serve(moved, false), "302 Found: expected the file itself, not a redirection");
}
