//! Archives of numpy, `.npz`: a zip file with an `.npy` file for each array, stored or deflated.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::matrix::{Array, parse_array};
use super::{limits, read_bytes, write_whole};
use crate::error::did_you_mean;
use crate::{Error, Result};

/// An archive that is read.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// The most bytes that its arrays may unpack to.
    most: u64,
}

impl Npz {
    /// Opens the archive at `path`.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read; [`Error::Input`] when it is no zip file, or holds no
    /// array.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = read_bytes(path)?;
        let packed = bytes.len() as u64;
        let most = limits::UNPACKED.most.saturating_add(packed.saturating_mul(limits::PACKING));
        let wrong = |e: ZipError| {
            Error::input(format!("{}: not an archive of numpy (.npz): {e}", path.display()))
        };
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
        let npz = Self { path: path.to_owned(), archive, most };
        if npz.names().is_empty() {
            return Err(npz.wrong("it holds no array: expected entries that end in .npy"));
        }
        Ok(npz)
    }

    /// The names of its arrays, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = self.archive.file_names();
        // Names that are no text are nobody's arrays.
        let names = entries.filter_map(|entry| Some(entry.ok()?.strip_suffix(".npy")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Its array `name`.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none (with those that there are), when it is packed in a way
    /// that numpy does not use, damaged, or no array of real numbers.
    pub fn array(&mut self, name: &str) -> Result<Array> {
        let names = self.names();
        if !names.iter().any(|known| known == name) {
            let near = did_you_mean(name, names.iter().map(String::as_str));
            return Err(
                self.wrong(&format!("no array `{name}`{near}; it holds {}", names.join(", ")))
            );
        }
        let most = self.most;
        let mut content = Vec::new();
        let read = self.archive.by_name(&format!("{name}.npy")).map_err(|e| e.to_string());
        let read = read.and_then(|entry| {
            // What an entry says of its size need not be so.
            let mut entry = entry.take(most + 1);
            entry.read_to_end(&mut content).map_err(|e| e.to_string())
        });
        let parsed = read.and_then(|_| match content.len() as u64 > most {
            true => Err(format!("it unpacks to more than {most} bytes")),
            false => parse_array(&content),
        });
        parsed.map_err(|message| self.wrong(&format!("array `{name}`: {message}")))
    }

    fn wrong(&self, message: &str) -> Error {
        Error::input(format!("{}: {message}", self.path.display()))
    }
}

/// Writes `arrays`, the content of an `.npy` file each, as the archive `path`, whole or not at all.
///
/// # Errors
/// [`Error::Write`] when it cannot be written.
pub(crate) fn write_npz(path: &Path, arrays: &[(String, Vec<u8>)]) -> Result<()> {
    write_whole(path, |file| file.write_all(&npz_bytes(arrays)?))
}

/// An archive of `arrays`, the content of an `.npy` file each.
pub(crate) fn npz_bytes(arrays: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in arrays {
        archive.start_file(format!("{name}.npy"), stored)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}
