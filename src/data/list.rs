//! Which sets there are.

use std::path::PathBuf;

use super::store::LABEL;
use super::{Missing, Size, Store, Task, csv, embedded, idx, source};
use crate::Result;

/// One set that can be named as `data.set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// How large it is, unless its files are damaged.
    pub size: Option<Size>,
    /// Where it is.
    pub place: Place,
}

/// Where a set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the program.
    BuiltIn,
    /// In the store.
    Stored(PathBuf),
    /// Not in the store, but this command brings it.
    Fetchable(String),
    /// In the store, but of no use.
    Damaged(PathBuf, String),
}

/// The built-in sets, the sets that can be fetched, then the imported sets of `store` by name.
///
/// Of images only the headers are read.
pub fn list(store: &Store) -> Vec<Listing> {
    let built_in = embedded::NAMES.iter().map(|&name| {
        let dataset = embedded::load(name, &LABEL.into(), Task::Classification);
        let size = dataset.and_then(Result::ok).map(|dataset| dataset.size());
        Listing { name: name.to_owned(), size, place: Place::BuiltIn }
    });
    let fetched = source::NAMES.iter().map(|&name| {
        let absent = || Listing {
            name: name.to_owned(),
            size: Some(source::SIZE),
            place: Place::Fetchable(source::command(name)),
        };
        stored(store, name).unwrap_or_else(absent)
    });
    let imported = store.imported();
    built_in.chain(fetched).chain(imported.iter().filter_map(|name| stored(store, name))).collect()
}

fn stored(store: &Store, name: &str) -> Option<Listing> {
    let path = store.find(name)?;
    let size = if path.is_dir() {
        idx::size(&path, source::classes(name).map(|classes| classes.len()))
    } else {
        csv::read(&path, (&LABEL.into(), Task::Classification), Missing::Mean)
            .map(|dataset| dataset.size())
    };
    let (size, place) = match size {
        Ok(size) => (Some(size), Place::Stored(path)),
        Err(error) => (None, Place::Damaged(path, error.to_string())),
    };
    Some(Listing { name: name.to_owned(), size, place })
}
