//! Several processes at one study or budget: whoever writes a file that all of them share takes a
//! turn.

use std::fs::File;
use std::path::Path;

use crate::file::disk;
use crate::file::lock::sweep;
use crate::{Error, Result};

/// What is written in turns, by its extension; pages and plots are others' temporaries.
const WRITTEN: [&str; 3] = [".csv", ".json", ".toml"];

/// A turn, over when it is dropped.
pub(super) struct Turn {
    _file: File,
}

impl Turn {
    /// Waits for the turn of those who keep `records`, and removes from `directory` what killed
    /// processes were writing: whoever has the turn is alone at it.
    ///
    /// # Errors
    /// When a file cannot be locked or removed.
    pub fn take(records: &Path, directory: &Path) -> Result<Self> {
        let path = records.join("tables.lock");
        let file = disk::create(&path).map_err(Error::writing(&path))?;
        file.lock().map_err(Error::writing(&path))?;
        sweep(directory, |name| WRITTEN.iter().any(|end| name.ends_with(end)))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::file::TEMPORARY;

    #[test]
    fn what_was_left_is_removed_and_what_others_write_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let records = directory.path().join("records");
        fs::create_dir(&records).unwrap();
        for name in [".equilux-a.toml", ".equilux-b.csv", ".equilux-c.json", ".equilux-d.svg"] {
            fs::write(directory.path().join(name), "half").unwrap();
        }
        drop(Turn::take(&records, directory.path()).unwrap());
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(TEMPORARY))
            .collect();
        assert_eq!(left, [".equilux-d.svg"]);
    }
}
