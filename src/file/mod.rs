//! Files are written whole or not at all: into a temporary neighbour, then renamed.

pub mod disk;
pub mod grey;
pub mod limits;
pub(crate) mod lock;
pub mod matrix;
pub mod npz;
pub(crate) mod seal;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use self::disk::Filling;
use crate::{Error, Result};

/// How names of temporary files begin.
pub(crate) const TEMPORARY: &str = ".equilux-";

/// Writes `path` by `fill`; a failure or an interruption leaves what was there before.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let write = || {
        let mut file = temporary_neighbour(path)?;
        let mut buffered = BufWriter::new(Filling(file.as_file_mut()));
        fill(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        publish(file, path)
    };
    write().map_err(Error::writing(path))
}

/// Like [`write_whole`], for a `fill` that wants a path: that of an empty temporary file with
/// `path`'s extension.
#[cfg(feature = "plots")]
pub(crate) fn write_whole_by_name(
    path: &Path,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<()> {
    let write = || {
        let file = temporary_neighbour(path)?;
        // What fills it goes its own way to the disk: it is one step here.
        Filling(io::sink()).write_all(&[0])?;
        fill(file.path())?;
        publish(file, path)
    };
    write().map_err(Error::writing(path))
}

/// An empty file in the directory of `path`, with its extension.
fn temporary_neighbour(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut suffix = OsString::new();
    if let Some(extension) = path.extension() {
        suffix.push(".");
        suffix.push(extension);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(&suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: the user's umask takes from these.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    disk::temporary(&builder, directory)
}

/// Makes the finished `file` appear as `path`.
fn publish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    disk::sync(file.as_file())?;
    disk::persist(file, path)?;
    sync_directory(path.parent().unwrap_or(Path::new("")))
}

/// Makes the names in `directory` last through a power cut.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    // Other systems do not open directories.
    if cfg!(unix) { disk::sync(&disk::open(directory)?) } else { Ok(()) }
}

/// Writes `content` to `path`, whole or not at all.
pub(crate) fn write_text(path: &Path, content: &str) -> Result<()> {
    write_whole(path, |file| file.write_all(content.as_bytes()))
}

/// Creates the directory `path` and its parents.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    disk::create_directory(path).map_err(Error::writing(path))
}

/// Opens `path` to be read: a regular file, or a link to one. A pipe could keep us waiting for ever,
/// a device never end.
pub(crate) fn open(path: &Path) -> Result<File> {
    let found = fs::metadata(path).map_err(Error::reading(path))?;
    if !found.is_file() && !found.is_dir() {
        return Err(Error::input(format!(
            "{}: expected a file, found a device or a pipe",
            path.display()
        )));
    }
    if found.is_dir() {
        let why = "it is a directory; expected a file";
        return Err(Error::reading(path)(io::Error::new(io::ErrorKind::IsADirectory, why)));
    }
    disk::open(path).map_err(Error::reading(path))
}

/// What `path` holds.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata().map_err(Error::reading(path))?.len();
    let within = |count| {
        let wrong = |message| Error::input(format!("{}: {message}", path.display()));
        limits::FILE.check(count).map_err(wrong)
    };
    let mut bytes = Vec::with_capacity(within(length)? as usize);
    // It may grow while it is read.
    file.take(limits::FILE.most + 1).read_to_end(&mut bytes).map_err(Error::reading(path))?;
    within(bytes.len() as u64)?;
    Ok(bytes)
}

/// The SHA-256 of what `path` holds, in lower-case hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    let mut file = open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&digest.finalize())),
            Ok(count) => digest.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::reading(path)(error)),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of `path`.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let wrong =
        |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(read_bytes(path)?).map_err(wrong).map_err(Error::reading(path))
}

/// Checks that the result `out` would not replace a file that is read.
pub(crate) fn keep_inputs(out: &Path, inputs: &[&Path]) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    match inputs.iter().find(|input| real(out).is_some() && real(out) == real(input)) {
        None => Ok(()),
        Some(input) => {
            let (out, input) = (out.display(), input.display());
            Err(Error::input(format!(
                "--out {out}: is the input {input}, which would be lost; expected another file"
            )))
        }
    }
}
