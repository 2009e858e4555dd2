//! Where sets that are not built in live.
//!
//! `<store>/<name>.csv` is a set with a label column `class`; `<store>/<name>/` holds the four
//! files of MNIST's layout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DataConfig, Dataset, Task, csv, embedded, idx, source};
use crate::error::did_you_mean;
use crate::file::lock::Lock;
use crate::file::{TEMPORARY, create_directory, disk, sync_directory};
use crate::{Error, Result};

/// The label column of every CSV in the store.
pub(super) const LABEL: &str = "class";

/// A directory of data sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The user's store: `$EQUILUX_DATA`, else `$XDG_DATA_HOME/equilux`, else
    /// `~/.local/share/equilux`. It need not exist.
    ///
    /// # Errors
    /// [`Error::Input`] when none of these is known.
    pub fn open() -> Result<Self> {
        let variable =
            |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = variable("EQUILUX_DATA")
            .or_else(|| {
                variable("XDG_DATA_HOME")
                    .filter(|path| path.is_absolute())
                    .map(|path| path.join("equilux"))
            })
            .or_else(|| env::home_dir().map(|home| home.join(".local/share/equilux")));
        directory.map(Self::at).ok_or_else(|| {
            Error::input(
                "no home directory is known: set EQUILUX_DATA to a directory for data sets",
            )
        })
    }

    /// The store in `directory`.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where the store is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads the set that `config` names; values that are missing, if that is allowed, are NaN.
    /// Classes are in the column that the import made of them; targets may be any columns.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there, naming the command that brings it or the nearest
    /// known name, and for damaged files.
    pub fn load(&self, config: &DataConfig) -> Result<Dataset> {
        let (name, task, missing) = (config.set.as_str(), config.task, config.missing);
        let fetchable = source::NAMES.contains(&name);
        let Some(path) = check_name(name).ok().and_then(|()| self.find(name)) else {
            return Err(if fetchable { self.not_fetched(name) } else { self.unknown(name) });
        };
        let set = match (path.is_dir(), task) {
            (true, Task::Regression) => return Err(super::no_targets(name)),
            (true, Task::Classification) => idx::read(&path, name, source::classes(name)),
            (false, Task::Regression) => csv::read(&path, (&config.label, task), missing),
            (false, Task::Classification) => csv::read(&path, (&LABEL.into(), task), missing),
        };
        set.map_err(|error| match error {
            Error::Input(message) if fetchable => {
                Error::Input(format!("{message}; `{}` mends it", source::command(name)))
            }
            other => other,
        })
    }

    /// The path of the set `name`, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let [directory, file] = [self.images(name), self.table(name)];
        if idx::is_layout(&directory) {
            Some(directory)
        } else if !directory.exists() && idx::is_layout(&self.replaced(name)) {
            // Its replacement was interrupted between two renames.
            Some(self.replaced(name))
        } else {
            (file.is_file() && !source::NAMES.contains(&name)).then_some(file)
        }
    }

    /// The files of the set `name`, if it is there.
    pub(super) fn files(&self, name: &str) -> Vec<PathBuf> {
        match self.find(name) {
            Some(path) if path.is_dir() => idx::paths(&path),
            Some(path) => vec![path],
            None => Vec::new(),
        }
    }

    /// Where the set `name` is if it has MNIST's layout.
    pub(super) fn images(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where the set `name` is if it is a CSV.
    pub(super) fn table(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.csv"))
    }

    /// The names of the sets in the store that are neither built in nor fetched, sorted.
    pub(super) fn imported(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .map(|name| name.strip_suffix(".csv").map(str::to_owned).unwrap_or(name))
            .filter(|name| {
                check_name(name).is_ok() && !is_reserved(name) && self.find(name).is_some()
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Puts the directory of files that `fill` makes in the place of the set `name`, whole or not
    /// at all.
    pub(super) fn install(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let _lock = self.hold()?;
        let target = self.images(name);
        let replaced = self.replaced(name);
        let failure = || Error::writing(&target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        let staging = disk::temporary_directory(&builder, &self.directory);
        let staging = staging.map_err(Error::writing(&self.directory))?;
        let new = staging.path().join("new");
        create_directory(&new)?;
        fill(&new)?;
        sync_directory(&new).map_err(failure())?;
        // Between the two renames the set is found where it was put aside.
        if target.exists() {
            if replaced.exists() {
                disk::remove_directory(&replaced).map_err(failure())?;
            }
            disk::rename(&target, &replaced).map_err(failure())?;
        }
        disk::rename(&new, &target).map_err(failure())?;
        sync_directory(&self.directory).map_err(failure())?;
        if replaced.exists() {
            disk::remove_directory(&replaced).map_err(failure())?;
        }
        Ok(target)
    }

    /// Holds the store: one process writes it at a time.
    ///
    /// # Errors
    /// When another does, or it cannot be written.
    pub(super) fn hold(&self) -> Result<Lock> {
        create_directory(&self.directory)?;
        Lock::take(&self.directory)
    }

    /// Where a set of images is while another is put in its place.
    fn replaced(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.replaced"))
    }

    fn not_fetched(&self, name: &str) -> Error {
        let (store, command) = (self.directory.display(), source::command(name));
        Error::input(format!("data.set: `{name}` is not in {store}: `{command}` brings it"))
    }

    fn unknown(&self, name: &str) -> Error {
        let imported = self.imported();
        let known: Vec<&str> = embedded::NAMES
            .into_iter()
            .chain(source::NAMES)
            .chain(imported.iter().map(String::as_str))
            .collect();
        let near = did_you_mean(name, known.iter().copied());
        let (store, known) = (self.directory.display(), known.join(", "));
        Error::input(format!(
            "data.set: no set `{name}` in {store}{near}; expected one of {known}, or a path: of a table (.csv, .tsv, .txt, .data), of arrays (.npz, .npy), or of a directory, with a / in it"
        ))
    }
}

/// Refuses names that cannot be a set's: they become file names, and no path may hide in them.
pub(super) fn check_name(name: &str) -> Result<()> {
    let accepted = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(accepted) {
        return Ok(());
    }
    Err(Error::input(format!(
        "`{name}` cannot name a set: expected letters, digits, `-` and `_`; choose a name with --name"
    )))
}

/// Whether `name` means a built-in or fetched set, whatever is in the store.
pub(super) fn is_reserved(name: &str) -> bool {
    embedded::NAMES.contains(&name) || source::NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(directory: &tempfile::TempDir) -> Store {
        Store::at(directory.path())
    }

    fn called(name: &str) -> DataConfig {
        DataConfig { set: name.into(), ..DataConfig::default() }
    }

    #[test]
    fn missing_sets_say_what_helps() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("iris.csv"), "a,class\n1,x\n2,y\n").unwrap();
        let error = |name: &str| store(&directory).load(&called(name)).unwrap_err().to_string();
        assert!(
            error("mnist").contains("`equilux data fetch mnist` brings it"),
            "{}",
            error("mnist")
        );
        assert!(
            error("fashion-mnst").contains("did you mean `fashion-mnist`?"),
            "{}",
            error("fashion-mnst")
        );
        assert!(error("irs").contains("did you mean `iris`?"), "{}", error("irs"));
        assert!(error("../iris").contains("no set `../iris`"), "{}", error("../iris"));
        fs::create_dir(directory.path().join("mnist")).unwrap();
        fs::write(directory.path().join("mnist/train-labels-idx1-ubyte"), "").unwrap();
        let incomplete = error("mnist");
        assert!(incomplete.contains("no file `train-images-idx3-ubyte`"), "{incomplete}");
        assert!(incomplete.ends_with("`equilux data fetch mnist` mends it"), "{incomplete}");
        assert_eq!(store(&directory).load(&called("iris")).unwrap().outputs, ["x", "y"]);
        let of_a = DataConfig { task: Task::Regression, label: "a".into(), ..called("iris") };
        let error = store(&directory).load(&of_a).unwrap_err().to_string();
        assert!(error.contains("line 2, column `class`: `x` is not a number"), "{error}");
    }

    #[test]
    fn a_failed_installation_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let write = |content: &'static str| {
            move |new: &Path| fs::write(new.join("file"), content).map_err(Error::writing(new))
        };
        let target = store(&directory).install("set", write("first")).unwrap();
        let failed = |new: &Path| write("second")(new).and(Err(Error::input("stopped")));
        store(&directory).install("set", failed).unwrap_err();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "first");
        store(&directory).install("set", write("third")).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "third");
        // Killed between the two renames: what was there is still there, and makes room again.
        fs::write(target.join(idx::FILES[0]), "").unwrap();
        fs::rename(&target, directory.path().join("set.replaced")).unwrap();
        fs::create_dir(directory.path().join(".equilux-killed")).unwrap();
        let found = store(&directory).find("set").unwrap();
        assert_eq!(fs::read_to_string(found.join("file")).unwrap(), "third");
        store(&directory).install("set", write("fourth")).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "fourth");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
