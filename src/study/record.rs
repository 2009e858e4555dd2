//! What came of a run, kept as one line of a file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::disk::{self, Filling};
use crate::file::read_text;
use crate::{Error, Result};

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The run's identity.
    pub id: String,
    /// Results, or what went wrong.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Seconds of computing.
    pub seconds: f64,
}

/// Results, or what went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Named numbers; none where there is no such number, as for a target that was not reached.
    Results(Vec<(String, Option<f64>)>),
    /// What went wrong.
    Error(String),
}

/// Records by the identity of their run.
pub(super) type Records = HashMap<String, Record>;

/// Adds the records of `path`; what was done is not undone by what failed. A line that an
/// interruption left incomplete is no record.
pub(super) fn read(path: &Path, records: &mut Records) -> Result<()> {
    let text = read_text(path)?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    for (index, line) in whole.lines().enumerate() {
        let record: Record = serde_json::from_str(line).map_err(|e| {
            Error::input(format!(
                "{}, line {}: not the record of a run: {e}",
                path.display(),
                index + 1
            ))
        })?;
        let done = records
            .get(&record.id)
            .is_some_and(|known| matches!(known.outcome, Outcome::Results(_)));
        if !done {
            records.insert(record.id.clone(), record);
        }
    }
    Ok(())
}

/// The records of all files of `directory`, whoever wrote them.
pub(super) fn read_all(directory: &Path) -> Result<Records> {
    let mut records = Records::new();
    for entry in std::fs::read_dir(directory).map_err(Error::reading(directory))? {
        let path = entry.map_err(Error::reading(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            read(&path, &mut records)?;
        }
    }
    Ok(records)
}

/// A file of records that this process alone writes.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: std::path::PathBuf,
}

impl Log {
    /// Opens `path`, makes it if need be, and cuts off a line that an interruption left incomplete.
    ///
    /// # Errors
    /// When it cannot be opened, or another process writes it.
    pub fn open(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = disk::open_with(path, &options).map_err(Error::writing(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::input(format!(
                    "{}: another sweep is at work on this part of the study",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(Error::writing(path)(error)),
        }
        cut_incomplete_line(&mut file).map_err(Error::writing(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Appends a record and waits until it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record).expect("names and finite numbers") + "\n";
        let mut write = || {
            Filling(&mut self.file).write_all(line.as_bytes())?;
            disk::sync(&self.file)
        };
        write().map_err(Error::writing(&self.path))
    }
}

fn cut_incomplete_line(file: &mut File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() { file.set_len(whole as u64) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, outcome: Outcome) -> Record {
        Record { id: id.into(), outcome, seconds: 0.5 }
    }

    #[test]
    fn a_torn_line_is_cut_and_what_came_before_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records.jsonl");
        let first =
            record("a", Outcome::Results(vec![("x".into(), Some(0.1 + 0.2)), ("y".into(), None)]));
        Log::open(&path).unwrap().append(&first).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"id\":\"b\",\"res")
            .unwrap();
        let mut records = Records::new();
        read(&path, &mut records).unwrap();
        assert_eq!(records.len(), 1);
        let second = record("b", Outcome::Error("it diverged".into()));
        Log::open(&path).unwrap().append(&second).unwrap();
        read(&path, &mut records).unwrap();
        assert_eq!((&records["a"], &records["b"]), (&first, &second));
    }

    #[test]
    fn what_is_done_stays_done() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records.jsonl");
        let mut log = Log::open(&path).unwrap();
        for outcome in
            [Outcome::Error("x".into()), Outcome::Results(Vec::new()), Outcome::Error("y".into())]
        {
            log.append(&record("a", outcome)).unwrap();
        }
        let mut records = Records::new();
        read(&path, &mut records).unwrap();
        assert_eq!(records["a"].outcome, Outcome::Results(Vec::new()));
        assert!(Log::open(&path).unwrap_err().to_string().contains("another sweep"));
    }
}
