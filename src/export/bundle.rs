//! A directory that appears whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::file::disk::{self, Filling};
use crate::file::lock::Lock;
use crate::file::matrix::{write_matrix, write_vector};
use crate::file::{create_directory, sha256, sync_directory};
use crate::{Error, Result};

/// One exported file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the directory.
    pub file: String,
    /// What it is.
    pub what: String,
    /// The unit of its numbers.
    pub unit: Option<String>,
    /// Rows and columns of its numbers; empty where there are none.
    pub shape: Vec<usize>,
    /// Check sum of its bytes, hexadecimal.
    pub sha256: String,
}

/// How the names of directories on their way begin.
const STAGING: &str = ".equilux-export-";

/// How old such a directory is before another process takes it for one that was left: its owner has
/// locked it by then.
const OLD: Duration = Duration::from_secs(60);

/// Removes what killed exports left in `parent`, as far as it can be.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let age = entry.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
        let old = age.is_some_and(|age| age > OLD);
        let staging = entry.file_name().to_string_lossy().starts_with(STAGING) && path.is_dir();
        // Held by nobody: whoever wrote it is dead.
        if staging && old && Lock::take(&path).is_ok() {
            let _ = disk::remove_directory(&path);
        }
    }
}

/// Files on their way into a directory.
pub(super) struct Bundle {
    target: PathBuf,
    /// Says that the directory is in use; let go before that is removed.
    lock: Lock,
    directory: TempDir,
    files: Vec<FileEntry>,
}

/// The place of a file beside the others.
pub(super) fn file_name(parameter: &str, rest: &str) -> String {
    format!("{}{rest}", parameter.replace('/', "-"))
}

/// What a new directory permits, before the user's umask takes from it.
fn new_directory() -> fs::Permissions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::Permissions::from_mode(0o777)
    }
    #[cfg(not(unix))]
    fs::metadata(".").map(|found| found.permissions()).expect("the working directory is there")
}

impl Bundle {
    /// Files that will be found in `target`.
    ///
    /// # Errors
    /// When `target` holds something, or its parent cannot be written.
    pub fn new(target: &Path) -> Result<Self> {
        if target.exists()
            && (!target.is_dir()
                || fs::read_dir(target).map_err(Error::reading(target))?.next().is_some())
        {
            return Err(Error::input(format!(
                "{}: not an empty directory; --out names a new one",
                target.display()
            )));
        }
        let parent = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        create_directory(parent)?;
        sweep(parent);
        let mut builder = tempfile::Builder::new();
        builder.prefix(STAGING).permissions(new_directory());
        let directory = disk::temporary_directory(&builder, parent);
        let directory = directory.map_err(Error::writing(target))?;
        let lock = Lock::take(directory.path())?;
        Ok(Self { target: target.to_owned(), lock, directory, files: Vec::new() })
    }

    /// Where the files are for now.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Says what the finished file `name` is.
    pub fn add(
        &mut self,
        name: &str,
        what: &str,
        unit: Option<&str>,
        shape: &[usize],
    ) -> Result<()> {
        let sha256 = sha256(&self.path().join(name))?;
        let (what, unit) = (what.into(), unit.map(Into::into));
        self.files.push(FileEntry { file: name.into(), what, unit, shape: shape.to_vec(), sha256 });
        Ok(())
    }

    /// Writes a file by `fill`.
    pub fn write(
        &mut self,
        name: &str,
        what: &str,
        unit: Option<&str>,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.path().join(name);
        let write = || {
            let mut file = BufWriter::new(Filling(disk::create(&path)?));
            fill(&mut file)?;
            file.flush()?;
            disk::sync(&file.get_ref().0)
        };
        write().map_err(Error::writing(&self.target.join(name)))?;
        self.add(name, what, unit, &[])
    }

    /// Writes a matrix as `stem.npy` and `stem.csv`; returns the first one's name.
    pub fn write_matrix(
        &mut self,
        stem: &str,
        what: &str,
        unit: &str,
        matrix: &DMatrix<f64>,
    ) -> Result<String> {
        for extension in ["npy", "csv"] {
            let name = format!("{stem}.{extension}");
            write_matrix(&self.path().join(&name), matrix)?;
            self.add(&name, what, Some(unit), &[matrix.nrows(), matrix.ncols()])?;
        }
        Ok(format!("{stem}.npy"))
    }

    /// [`write_matrix`](Self::write_matrix) of a vector: one dimension, one number a line.
    pub fn write_vector(
        &mut self,
        stem: &str,
        what: &str,
        unit: &str,
        vector: &[f64],
    ) -> Result<String> {
        for extension in ["npy", "csv"] {
            let name = format!("{stem}.{extension}");
            write_vector(&self.path().join(&name), vector)?;
            self.add(&name, what, Some(unit), &[vector.len()])?;
        }
        Ok(format!("{stem}.npy"))
    }

    /// Adds `manifest.json` and lets the directory appear.
    pub fn publish(self, manifest: &str) -> Result<()> {
        crate::file::write_text(&self.path().join("manifest.json"), manifest)?;
        let target = self.target;
        if target.is_dir() {
            // Empty, or it would have been refused.
            disk::remove_empty(&target).map_err(Error::writing(&target))?;
        }
        drop(self.lock);
        let path = self.directory.keep();
        let appear = || {
            sync_directory(&path)?;
            disk::rename(&path, &target)?;
            sync_directory(target.parent().unwrap_or(Path::new("")))
        };
        appear().map_err(|error| {
            let _ = disk::remove_directory(&path);
            Error::writing(&target)(error)
        })
    }
}
