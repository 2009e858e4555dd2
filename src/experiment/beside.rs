//! Files of a datasheet.

use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

/// What was measured and is too much for a datasheet: a file beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// The key of the sheet that names the file.
    pub key: &'static str,
    /// Rows and columns as the key wants them.
    pub values: DMatrix<f64>,
    /// The unit of the values.
    pub unit: &'static str,
    /// Where they are from.
    pub source: String,
}

impl Beside {
    /// Where it is written for a sheet at `sheet`: `mine.toml` has its `response.table` in
    /// `mine.response.csv`.
    pub fn path(&self, sheet: &Path) -> PathBuf {
        let table = self.key.split('.').next().unwrap_or(self.key);
        sheet.with_extension(format!("{table}.csv"))
    }
}
