//! The directory of a study: what was asked, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::record::{self, Log, Records};
use super::turn::Turn;
use super::{Run, Study, Table};
use crate::experiment::{from_there, rename_files};
use crate::file::{TEMPORARY, create_directory, write_text};
use crate::{Error, Result};

/// A study's directory: `study.toml`, `records/`, `results.csv`, `summary.csv`, and, where runs are
/// kept, `runs/`.
#[derive(Clone, Debug)]
pub struct StudyDirectory {
    path: PathBuf,
}

impl StudyDirectory {
    /// The directory `path` of `study`: made, or gone on with.
    ///
    /// # Errors
    /// When it holds something else, or another study: one with another base or procedure, or with
    /// axes that `study` has not.
    pub fn for_study(path: &Path, study: &Study) -> Result<Self> {
        let directory = Self { path: path.to_owned() };
        if directory.definition().is_file() {
            study.continues(&Study::load(&directory.definition())?, path)?;
        } else if path.exists() && holds_other_things(path)? {
            return Err(Error::input(format!(
                "{}: not the directory of a study: it has no study.toml; --out names another",
                path.display()
            )));
        }
        create_directory(&directory.records_directory())?;
        let _turn = Turn::take(&directory.records_directory(), path)?;
        write_text(&directory.definition(), &study.to_toml_in(path)?)?;
        Ok(directory)
    }

    /// The study at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<(Self, Study)> {
        let directory = Self { path: path.to_owned() };
        if !directory.definition().is_file() {
            return Err(Error::input(format!(
                "{}: not the directory of a study: it has no study.toml",
                path.display()
            )));
        }
        let study = Study::load(&directory.definition())?;
        Ok((directory, study))
    }

    /// Whether `path` is the directory of a study.
    pub fn is_one(path: &Path) -> bool {
        Self { path: path.to_owned() }.definition().is_file()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The study, its experiment within.
    pub fn definition(&self) -> PathBuf {
        self.path.join("study.toml")
    }

    /// The table of all runs.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.csv")
    }

    /// The table of all points, with statistics over seeds.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.csv")
    }

    /// Where a run that is kept has its directory.
    pub(super) fn run(&self, run: &Run) -> PathBuf {
        self.path.join("runs").join(&run.id)
    }

    fn records_directory(&self) -> PathBuf {
        self.path.join("records")
    }

    /// The records that the part `name` of a sweep writes.
    pub(super) fn log(&self, name: &str) -> Result<Log> {
        Log::open(&self.records_directory().join(format!("{name}.jsonl")))
    }

    /// What came of the runs so far, whoever ran them.
    pub(super) fn records(&self) -> Result<Records> {
        record::read_all(&self.records_directory())
    }

    /// Writes the tables of `runs` from all records there are, and returns that of the runs. Parts
    /// of a sweep that end at once take turns, so that the last one's tables have the records of
    /// all.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write_tables(&self, study: &Study, runs: &[Run]) -> Result<Table> {
        let _turn = Turn::take(&self.records_directory(), &self.path)?;
        let table = Table::new(study, runs, &self.records()?);
        table.write(&self.results())?;
        table.write_summary(&self.summary())?;
        Ok(table)
    }

    /// Adds all records of `other`, another directory of the same study.
    ///
    /// # Errors
    /// When it is one of another study, or a file cannot be read or written.
    pub fn merge(&self, study: &Study, other: &Path) -> Result<()> {
        let (other, theirs) = Self::open(other)?;
        study.continues(&theirs, other.path())?;
        let known = self.records()?;
        let mut log = self.log("merged")?;
        let mut new: Vec<_> = other
            .records()?
            .into_values()
            .filter(|record| known.get(&record.id) != Some(record))
            .collect();
        new.sort_by(|a, b| a.id.cmp(&b.id));
        new.iter().try_for_each(|record| log.append(record))
    }
}

/// Whether `path` holds what no sweep puts there before its study.toml: several may begin at once.
pub(super) fn holds_other_things(path: &Path) -> Result<bool> {
    for entry in fs::read_dir(path).map_err(Error::reading(path))? {
        let name = entry.map_err(Error::reading(path))?.file_name();
        let name = name.to_string_lossy();
        if !(name == "records" || name == "logs" || name.starts_with(TEMPORARY)) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Study {
    /// Checks that `before`, the study in the directory `path`, is this one or was extended to it.
    fn continues(&self, before: &Self, path: &Path) -> Result<()> {
        let differs = |what: String| {
            let path = path.display();
            Err(Error::input(format!(
                "{path}: it holds another study ({what}); --out names another directory"
            )))
        };
        if before.procedure != self.procedure {
            return differs(format!(
                "its procedure is {}, not {}",
                before.procedure.name(),
                self.procedure.name()
            ));
        }
        if let Some(key) = before.keys().into_iter().find(|key| !self.keys().contains(key)) {
            return differs(format!("it has an axis `{key}`"));
        }
        // The same files by other paths are the same.
        let seen_from_here = |study: &Self| -> Result<toml::Table> {
            let mut experiment = study.experiment.clone();
            rename_files(&mut experiment, &mut |file| from_there(Path::new(""), file))?;
            Ok(experiment)
        };
        if seen_from_here(before)? != seen_from_here(self)? {
            return differs("its experiment differs".into());
        }
        Ok(())
    }
}
