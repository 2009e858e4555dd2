//! One directory, one owner: who writes a run holds it until it ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::disk::{self, Filling};
use super::{TEMPORARY, sync_directory};
use crate::{Error, Result};

/// The file that is locked; the operating system lets go of it when its holder dies.
const NAME: &str = ".equilux-lock";

/// A directory that no other process writes while this is kept.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes `directory` and sweeps out what is temporary in it, which a killed holder left.
    ///
    /// # Errors
    /// When another process holds it, naming that, or it cannot be written.
    pub fn take(directory: &Path) -> Result<Self> {
        let path = directory.join(NAME);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = disk::open_with(&path, &options).map_err(Error::writing(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = file.take(100).read_to_string(&mut holder);
                    let holder = match holder.trim() {
                        "" => "another process".into(),
                        number => format!("process {number}"),
                    };
                    return Err(Error::input(format!(
                        "{}: {holder} is at work in it; expected one at a time",
                        directory.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(Error::writing(&path)(error)),
            }
            // The last holder may have removed the file after it was opened here.
            if !is_there(&file, &path) {
                continue;
            }
            // From here on it is held, and removed with this.
            let mut lock = Self { file, path };
            lock.sign().map_err(Error::writing(&lock.path))?;
            sweep(directory, |_| true)?;
            return Ok(lock);
        }
    }

    /// Says who holds it.
    fn sign(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(Filling(&mut self.file), "{}", std::process::id())?;
        self.file.flush()
    }
}

/// Whether `file` is the one that others find at `path`.
#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |metadata: std::io::Result<std::fs::Metadata>| {
        metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()))
    };
    of(file.metadata()) == of(std::fs::metadata(path))
}

#[cfg(not(unix))]
fn is_there(_: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held: whoever opened it before sees that it is gone.
        let _ = disk::remove_file(&self.path);
    }
}

/// Removes from `directory` the temporary files and directories of a name that is `ours`: nobody else
/// writes these.
pub(crate) fn sweep(directory: &Path, ours: impl Fn(&str) -> bool) -> Result<()> {
    let mut swept = false;
    for entry in std::fs::read_dir(directory).map_err(Error::reading(directory))? {
        let entry = entry.map_err(Error::reading(directory))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let temporary = name.starts_with(TEMPORARY) && name != NAME && ours(&name);
        let Ok(kind) = entry.file_type() else { continue };
        if temporary {
            let path = entry.path();
            let remove = if kind.is_dir() { disk::remove_directory } else { disk::remove_file };
            remove(&path).map_err(Error::writing(&path))?;
            swept = true;
        }
    }
    if swept { sync_directory(directory).map_err(Error::writing(directory)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_nothing_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join(".equilux-abc.toml"), "half").unwrap();
        let held = Lock::take(path).unwrap();
        let refused = Lock::take(path).unwrap_err().to_string();
        let own = format!("process {} is at work in it", std::process::id());
        assert!(refused.contains(&own), "{refused}");
        assert!(path.join(NAME).exists());
        drop(held);
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
        Lock::take(path).unwrap();
    }
}
