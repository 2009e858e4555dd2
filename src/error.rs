//! What can go wrong, sorted by who can mend it.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the file, key or value at fault and what was expected of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the user gave is wrong: a value, a file's content, a combination of options.
    #[error("{0}")]
    Input(String),
    /// A file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file or directory could not be written; nothing of it was left behind.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The machine did not do what was asked of it, for example no sample settled.
    #[error("{0}")]
    Machine(String),
    /// Somebody asked to stop, and what was done until then is kept.
    #[error("{0}")]
    Stopped(String),
    /// A plot could not be drawn.
    #[error("a plot could not be drawn: {0}")]
    Plot(String),
}

impl Error {
    /// Wrong input, described by `message`.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// For `map_err`: a failure to read `path`.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// For `map_err`: a failure to write `path`.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// The process's exit status: 2 when what the user gave is wrong, 130 when it was asked to
    /// stop (128 and the number of the signal of Ctrl-C), 1 for anything else.
    pub fn exit_status(&self) -> u8 {
        use io::ErrorKind::{
            AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied,
            ReadOnlyFilesystem,
        };
        match self {
            Self::Input(_) | Self::Read { .. } => 2,
            Self::Write { source, .. } => match source.kind() {
                AlreadyExists | IsADirectory | NotADirectory | NotFound | PermissionDenied
                | ReadOnlyFilesystem => 2,
                _ => 1,
            },
            Self::Stopped(_) => 130,
            Self::Machine(_) | Self::Plot(_) => 1,
        }
    }
}

/// The entry of `known` nearest to `word`, as `"; did you mean `x`?"`, or nothing when none is
/// near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}
