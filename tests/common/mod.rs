//! A place of its own for each test, and the program run in it.
#![allow(dead_code)]

use std::borrow::Borrow;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use equilux::file::matrix::npy_bytes;
use nalgebra::DMatrix;
use serde_json::Value;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A small feedforward network on the embedded digits: trains in a moment, and more than one lane
/// of samples a batch.
pub const SMALL: &str = r#"
seed = 5
[data]
set = "digits"
train_limit = 1000
[network]
layers = [64, 12, 10]
[relaxation]
step = 1.0
tolerance = 1e-3
max_steps = 30
[training]
epochs = 3
batch = 100
optimiser.adam.rate = 0.02
"#;

/// The same on crossbars with every imperfection.
pub const NOISY: &str = r#"
seed = 5
[data]
set = "digits"
train_limit = 200
[network]
layers = [64, 12, 10]
[device.crossbar]
sheet = "crossbar-generic"
levels.count = 64
drive.range = 3.0
[relaxation]
step = 1.0
tolerance = 1e-3
max_steps = 8
[measurement]
bits = 10
noise = 0.001
samples = 2
[learning]
beta = 0.5
[training]
epochs = 3
batch = 100
optimiser.adam.rate = 0.01
"#;

/// In place of `levels.count = 64` there: the same with tiles.
pub const TILED: &str = "levels.count = 64\ntiles.rows = 20\ntiles.columns = 8";

/// A directory of its own.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its name.
    pub fn file<'a>(&self, name: &'a str, content: impl AsRef<[u8]>) -> &'a str {
        fs::write(self.path(name), content).unwrap();
        name
    }

    /// The program, to be run in this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_equilux"));
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What the program printed, having succeeded.
    pub fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one JSON object that the program printed, having succeeded.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.printed(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The message with which the program refused, with exit status `status` and without a panic.
    pub fn refused(&self, status: i32, arguments: &[&str]) -> String {
        refusal(&self.run(arguments), status)
    }
}

/// The message of a run that ended with exit status `status`.
pub fn refusal(output: &Output, status: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// The bytes of a file.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// An archive of numpy with these `.npy` files.
pub fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in arrays {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Writes an archive of these matrices to `path`.
pub fn write_npz(path: &Path, arrays: &[(&str, impl Borrow<DMatrix<f64>>)]) {
    let arrays: Vec<(&str, Vec<u8>)> =
        arrays.iter().map(|(name, matrix)| (*name, npy_bytes(matrix.borrow()).unwrap())).collect();
    fs::write(path, npz(&arrays, CompressionMethod::Deflated)).unwrap();
}
