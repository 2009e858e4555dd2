//! Where the files are that an experiment names: what a file calls them is seen from where it stands
//! itself. Read, they are seen from here; written, from there again.

use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::Experiment;
use crate::data::Dataset;
use crate::{Error, Result};

/// Endings of the files that devices are made of: datasheets, and what was measured.
const OF_DEVICES: [&str; 4] = [".toml", ".npy", ".csv", ".png"];

/// What a file in `directory` calls `name`, as it is called here.
pub(crate) fn from_here(directory: &Path, name: &str) -> String {
    clean(&directory.join(name)).to_string_lossy().into_owned()
}

/// What is called `name` here, as a file in `directory` calls it: by a path that goes there from
/// `directory`, so that both can be moved together.
pub(crate) fn from_there(directory: &Path, name: &str) -> Result<String> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map(|path| clean(&path)).map_err(Error::reading(path))
    };
    let here = directory.as_os_str().is_empty();
    let directory = absolute(if here { Path::new(".") } else { directory })?;
    let file = absolute(Path::new(name))?;
    let (mut from, mut to) = (directory.components().peekable(), file.components().peekable());
    // On another drive there is no way between.
    if from.peek() != to.peek() {
        return Ok(file.to_string_lossy().into_owned());
    }
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    let up = from.map(|_| Component::ParentDir);
    Ok(up.chain(to).collect::<PathBuf>().to_string_lossy().into_owned())
}

/// `name` without the way to it.
pub(crate) fn anywhere(name: &str) -> String {
    let last = Path::new(name).file_name();
    last.map_or_else(|| name.to_owned(), |last| last.to_string_lossy().into_owned())
}

/// `path` without steps up and down again.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        let last = clean.components().next_back();
        match (part, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(clean.pop()),
            (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            (part, _) => clean.push(part),
        }
    }
    clean
}

/// Changes the names of files in `table`, which is one of an experiment.
pub(crate) fn rename_files(
    table: &mut Table,
    change: &mut dyn FnMut(&str) -> Result<String>,
) -> Result<()> {
    if let Some(set) = table.get_mut("data").and_then(|data| data.get_mut("set"))
        && let Value::String(name) = set
        && Dataset::is_a_file(name)
    {
        *name = change(name)?;
    }
    table.get_mut("device").map_or(Ok(()), |device| rename_in(device, change))
}

/// [`rename_files`] in a table of a device, or one in it.
fn rename_in(value: &mut Value, change: &mut dyn FnMut(&str) -> Result<String>) -> Result<()> {
    match value {
        Value::Table(table) => table.iter_mut().try_for_each(|(_, value)| rename_in(value, change)),
        Value::String(name) if OF_DEVICES.iter().any(|ending| name.ends_with(ending)) => {
            *name = change(name)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The value of the key `key` of an experiment, its files renamed.
pub(crate) fn rename_value(
    key: &str,
    value: &mut Value,
    change: &mut dyn FnMut(&str) -> Result<String>,
) -> Result<()> {
    match value {
        Value::String(name) if key == "data.set" && Dataset::is_a_file(name) => {
            *name = change(name)?;
            Ok(())
        }
        value if key.starts_with("device.") => rename_in(value, change),
        _ => Ok(()),
    }
}

impl Experiment {
    /// It as TOML for a file in `directory`: every key present, the names of files as they are seen
    /// from there.
    ///
    /// # Errors
    /// When it cannot be told where this program is.
    pub(crate) fn to_toml_in(&self, directory: &Path) -> Result<String> {
        self.with_names(&mut |name| from_there(directory, name))
    }

    /// It as TOML with files called by no more than their last names: what decides results, together
    /// with what the files hold, wherever they are.
    pub(crate) fn to_toml_anywhere(&self) -> String {
        self.with_names(&mut |name| Ok(anywhere(name))).expect("a name has a last part")
    }

    fn with_names(&self, change: &mut dyn FnMut(&str) -> Result<String>) -> Result<String> {
        let mut table: Table = self.to_toml().parse().expect("it has just been written");
        rename_files(&mut table, change)?;
        Ok(toml::to_string_pretty(&table).expect("a table that was read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (directory, name) in [
            ("", "a.toml"),
            ("runs/x", "cells/a.toml"),
            ("runs/x", "../a.toml"),
            ("/tmp/x", "a.csv"),
        ] {
            let there = from_there(Path::new(directory), name).unwrap();
            let back = from_here(Path::new(directory), &there);
            let absolute = |path: &str| clean(&std::path::absolute(path).unwrap());
            assert_eq!(absolute(&back), absolute(name), "{directory}: {there}, {back}");
        }
        assert_eq!(from_there(Path::new("runs/x"), "cells/a.toml").unwrap(), "../../cells/a.toml");
        assert_eq!(from_here(Path::new("runs/x"), "../../cells/a.toml"), "cells/a.toml");
        assert_eq!(from_here(Path::new(""), "a.toml"), "a.toml");
        assert_eq!(from_here(Path::new("configs"), "/data/a.toml"), "/data/a.toml");
        assert_eq!(from_here(Path::new("../x"), "../../a.toml"), "../../a.toml");
    }

    #[test]
    fn files_are_told_from_names() {
        let text = "data.set = 'wine'\n[device.crossbar]\nsheet = 'rram-wan'\n";
        let mut table: Table = text.parse().unwrap();
        let before = table.clone();
        rename_files(&mut table, &mut |_| unreachable!()).unwrap();
        assert_eq!(table, before);
        let text = "data.set = 'x/w.csv'\n[device.spim]\nsheet = 'mine.toml'\n\
                    illumination.image = 'light.png'\nreadout = 'homodyne'\n";
        let mut table: Table = text.parse().unwrap();
        let mut seen = Vec::new();
        rename_files(&mut table, &mut |name| {
            seen.push(name.to_owned());
            Ok(format!("there/{name}"))
        })
        .unwrap();
        seen.sort();
        assert_eq!(seen, ["light.png", "mine.toml", "x/w.csv"]);
        assert_eq!(table["device"]["spim"]["sheet"].as_str(), Some("there/mine.toml"));
    }
}
