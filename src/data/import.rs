//! Brings a user's own set into the store, validated in full.

use std::path::{Path, PathBuf};

use super::store::{LABEL, check_name, is_reserved};
use super::{Missing, Size, Store, Task, idx, source};
use crate::file::{open, write_whole};
use crate::{Error, Result};

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The name to use as `data.set`.
    pub name: String,
    /// Where it is now.
    pub path: PathBuf,
    /// How large it is.
    pub size: Size,
    /// Values that are missing in it.
    pub missing: usize,
}

/// Imports the table at `path`, whose classes are in column `label`, as `<store>/<name>.csv`; a set
/// imported before by this name is replaced. The label column is called `class` from then on, so
/// that the name alone tells how to read it, and stands behind the features; the copy is parted by commas,
/// with decimal points. A table of targets needs no import: `data.set` takes its path.
///
/// # Errors
/// [`Error::Input`] for a file that is not a set (line and column are named), for a name that is
/// taken by another kind of set or cannot be a name, and when another column is called `class`;
/// [`Error::Read`] and [`Error::Write`] for files.
pub fn import_csv(path: &Path, name: &str, label: &str, store: &Store) -> Result<Imported> {
    check_free(name, &store.images(name))?;
    let dataset = super::csv::read(path, (&label.into(), Task::Classification), Missing::Mean)?;
    if label != LABEL && dataset.feature_names.iter().any(|feature| feature == LABEL) {
        let message = format!(
            "{}: column `{LABEL}` is not the label column `{label}`: expected another name for it",
            path.display()
        );
        return Err(Error::input(message));
    }
    let _lock = store.hold()?;
    let target = store.table(name);
    super::csv::write(&dataset, &target, &LABEL.into())?;
    let missing = dataset.features.iter().filter(|value| value.is_nan()).count();
    Ok(Imported { name: name.to_owned(), path: target, size: dataset.size(), missing })
}

/// Imports the four files of MNIST's layout in the directory `path` as `<store>/<name>/`; a set
/// imported before by this name is replaced. Of several sets in one directory, `path` is that and the
/// name of the set.
///
/// # Errors
/// [`Error::Input`] for missing and damaged files and for parts that do not fit together, naming
/// the file, and for a name that is taken by another kind of set or cannot be a name;
/// [`Error::Read`] and [`Error::Write`] for files.
pub fn import_directory(path: &Path, name: &str, store: &Store) -> Result<Imported> {
    check_free(name, &store.table(name))?;
    let size = idx::read(path, name, source::classes(name))?.size();
    let directory = store.install(name, |staging| {
        for (file, from) in idx::FILES.into_iter().zip(idx::find(path)?) {
            // The plain name would do for both, were it not for those who look into the store.
            let packed = from.extension().is_some_and(|extension| extension == "gz");
            let to = staging.join(if packed { format!("{file}.gz") } else { file.to_owned() });
            let mut from_file = open(&from)?;
            write_whole(&to, |to_file| std::io::copy(&mut from_file, to_file).map(drop))?;
        }
        Ok(())
    })?;
    Ok(Imported { name: name.to_owned(), path: directory, size, missing: 0 })
}

/// Refuses names that mean something else already, above all what is at `other`.
fn check_free(name: &str, other: &Path) -> Result<()> {
    check_name(name)?;
    if is_reserved(name) {
        let advice = if source::NAMES.contains(&name) {
            format!("; `{} --mirror DIRECTORY` takes checked copies of it", source::command(name))
        } else {
            String::new()
        };
        return Err(Error::input(format!(
            "`{name}` is a set of its own: choose another name with --name{advice}"
        )));
    }
    if other.exists() {
        let message = format!(
            "`{name}` is taken by {}: remove that or choose another name with --name",
            other.display()
        );
        return Err(Error::input(message));
    }
    Ok(())
}
