//! `equilux data`: which sets there are, and how to bring more.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::print;
use crate::data::{self, Listing, Place, Progress, Size, Source, Store};
use crate::report::format::counted;
use crate::{Error, Result};

/// The arguments of `equilux data`.
#[derive(Debug, Args)]
pub struct DataCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sets that `data.set` can name
    List,
    Fetch(Fetch),
    Import(Import),
}

/// Fetch a set into the store, its content checked
///
/// The store is $EQUILUX_DATA, else $XDG_DATA_HOME/equilux, else ~/.local/share/equilux. Mirrors
/// are plain HTTP: check sums of the content (SHA-256) guard against damage and forgery, and
/// nothing is kept unless every file is right.
#[derive(Debug, Args)]
struct Fetch {
    /// The set
    #[arg(value_parser = ["mnist", "fashion-mnist"])]
    set: String,
    /// Take the files from here: an address beginning with http://, or a directory with plain or
    /// .gz files
    #[arg(long, value_name = "URL_OR_DIRECTORY")]
    mirror: Option<String>,
}

/// Import a table of text, or a directory in the layout of MNIST
///
/// Arrays (.npz, .npy), directories of images and tables of targets (data.task = "regression") need no
/// import: `data.set` takes their paths.
///
/// The set is checked in full, then copied into the store; a set imported before by the same name
/// is replaced.
#[derive(Debug, Args)]
struct Import {
    /// A table of columns parted by commas, semicolons or tabs; or a directory with
    /// {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz; of several such sets in one directory,
    /// DIRECTORY/SET
    path: PathBuf,
    /// What `data.set` will call it [default: the name of the file or directory]
    #[arg(long)]
    name: Option<String>,
    /// The column of a table that holds the classes, column_N in one without a header; the copy in the
    /// store calls it `class`
    #[arg(long, value_name = "COLUMN", default_value = "class")]
    label: String,
}

/// Does what `command` says; `json` asks for one JSON object on standard output.
///
/// # Errors
/// Those of [`data::fetch`], [`data::import_csv`] and [`data::import_directory`], and
/// [`Error::Write`] when standard output cannot be written.
pub fn run(command: DataCommand, json: bool) -> Result<()> {
    let store = Store::open()?;
    match command.action {
        Action::List => list(&store, json),
        Action::Fetch(command) => fetch(&store, &command, json),
        Action::Import(command) => import(&store, &command, json),
    }
}

fn list(store: &Store, json: bool) -> Result<()> {
    let sets = data::list(store);
    if json {
        let sets: Vec<Value> = sets.iter().map(listing_json).collect();
        return print(
            &json!({ "store": store.directory().display().to_string(), "sets": sets }).to_string(),
        );
    }
    let width = sets.iter().map(|set| set.name.len()).max().unwrap_or_default().max(4);
    let mut lines = vec![format!(
        "{:width$}  {:>8}  {:>8}  {:>8}  where",
        "name", "samples", "features", "classes"
    )];
    for set in &sets {
        let [samples, features, classes] = match set.size {
            Some(Size { samples, features, outputs }) => {
                [samples, features, outputs].map(|number| number.to_string())
            }
            None => ["-", "-", "-"].map(str::to_owned),
        };
        let place = match &set.place {
            Place::BuiltIn => "built in".to_owned(),
            Place::Stored(path) => path.display().to_string(),
            Place::Fetchable(command) => format!("not here: {command}"),
            Place::Damaged(_, problem) => format!("damaged: {problem}"),
        };
        lines.push(format!(
            "{:width$}  {samples:>8}  {features:>8}  {classes:>8}  {place}",
            set.name
        ));
    }
    print(&lines.join("\n"))
}

fn listing_json(set: &Listing) -> Value {
    let mut value = json!({ "name": set.name });
    if let Some(size) = set.size {
        value["samples"] = size.samples.into();
        value["features"] = size.features.into();
        value["classes"] = size.outputs.into();
    }
    value["status"] = match &set.place {
        Place::BuiltIn => "built-in",
        Place::Stored(_) => "stored",
        Place::Fetchable(_) => "absent",
        Place::Damaged(..) => "damaged",
    }
    .into();
    match &set.place {
        Place::BuiltIn => {}
        Place::Stored(path) => value["path"] = json!(path.display().to_string()),
        Place::Fetchable(command) => value["command"] = json!(command),
        Place::Damaged(path, problem) => {
            value["path"] = json!(path.display().to_string());
            value["problem"] = json!(problem);
        }
    }
    value
}

fn fetch(store: &Store, command: &Fetch, json: bool) -> Result<()> {
    let source = Source::named(&command.set)
        .ok_or_else(|| Error::input(format!("`{}` cannot be fetched", command.set)))?;
    let bar = super::progress::bar(0, "{msg} {bar:24} {bytes}/{total_bytes} {eta}");
    let mut show = |progress: Progress| {
        if bar.message() != progress.file {
            bar.set_message(progress.file.to_owned());
        }
        bar.set_length(progress.total.unwrap_or(progress.received));
        bar.set_position(progress.received);
    };
    let fetched = data::fetch(&source, command.mirror.as_deref(), store, &mut show);
    bar.finish_and_clear();
    let fetched = fetched?;
    let directory = fetched.directory.display().to_string();
    if json {
        let value = json!({ "name": source.name, "path": directory, "files": fetched.files, "copied": fetched.copied });
        print(&value.to_string())
    } else if fetched.copied {
        print(&format!(
            "{}: {} files, check sums right, in {directory}",
            source.name,
            fetched.files.len()
        ))
    } else {
        print(&format!("{}: already in {directory}, check sums right", source.name))
    }
}

fn import(store: &Store, command: &Import, json: bool) -> Result<()> {
    let path = &command.path;
    let directory = path.is_dir();
    let name = command.name.clone().or_else(|| default_name(path, directory)).unwrap_or_default();
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["npz", "npy"].contains(&ending.as_str()) {
        return Err(Error::input(format!(
            "{0}: needs no import: data.set = \"{0}\" reads it where it is",
            path.display()
        )));
    }
    // Of several sets in one directory the path is that of no file.
    let set_in_directory =
        !path.exists() && path.parent().is_some_and(Path::is_dir) && ending.is_empty();
    let imported = if directory || set_in_directory {
        data::import_directory(path, &name, store)?
    } else {
        data::import_csv(path, &name, &command.label, store)?
    };
    let (Size { samples, features, outputs: classes }, kept) =
        (imported.size, imported.path.display().to_string());
    if json {
        let name = imported.name;
        print(&json!({ "name": name, "path": kept, "samples": samples, "features": features, "classes": classes, "missing": imported.missing }).to_string())
    } else {
        print(&format!(
            "{}: {}, {}, {classes} classes{}, in {kept}",
            imported.name,
            counted(samples, "sample"),
            counted(features, "feature"),
            match imported.missing {
                0 => String::new(),
                missing =>
                    format!(", {missing} values missing (data.missing = \"mean\" fills them)"),
            }
        ))
    }
}

/// The name of a directory, `.` and `..` resolved, or that of a file without its extension.
fn default_name(path: &Path, directory: bool) -> Option<String> {
    let name = if directory {
        path.canonicalize().ok()?.file_name()?.to_owned()
    } else {
        path.file_stem()?.to_owned()
    };
    Some(name.to_string_lossy().into_owned())
}
