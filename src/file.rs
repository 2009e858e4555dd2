//! Files are written whole or not at all: into a temporary neighbour, then renamed.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes `path` by `fill`; a failure or an interruption leaves what was there before.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let write = || {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".equilux-").tempfile_in(directory)?;
        {
            let mut buffered = BufWriter::new(file.as_file_mut());
            fill(&mut buffered)?;
            buffered.flush()?;
        }
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(Error::writing(path))
}

/// Writes `content` to `path`, whole or not at all.
pub fn write_text(path: &Path, content: &str) -> Result<()> {
    write_whole(path, |file| file.write_all(content.as_bytes()))
}

/// Creates the directory `path` and its parents.
pub fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::writing(path))
}

/// The text of `path`.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::reading(path))
}
