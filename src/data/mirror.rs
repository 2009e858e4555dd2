//! Places that copies of a set's files can be taken from.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::idx;
use crate::file::disk::{self, Filling};
use crate::file::{limits, open};
use crate::{Error, Result};

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes received.
    pub received: u64,
    /// Bytes that there are to receive, if known.
    pub total: Option<u64>,
}

/// A place with copies.
pub(super) enum Mirror {
    /// An address below which the files are, as `<file>.gz`.
    Web(String),
    /// A directory with the files, plain or gzipped.
    Directory(PathBuf),
}

impl Mirror {
    /// The mirror that a user names: an address beginning with `http://` or a directory.
    pub fn parse(place: &str) -> Result<Self> {
        if place.starts_with("http://") {
            Ok(Self::Web(format!("{}/", place.trim_end_matches('/'))))
        } else if Path::new(place).is_dir() {
            Ok(Self::Directory(place.into()))
        } else if place.contains("://") {
            let message = format!(
                "mirror {place}: expected an address beginning with http:// (check sums guard the content) or a directory"
            );
            Err(Error::input(message))
        } else {
            Err(Error::input(format!(
                "mirror {place}: there is no such directory; an address begins with http://"
            )))
        }
    }

    /// Copies `file` as it is, packed or not, into the new file `target`.
    ///
    /// # Errors
    /// [`Error::Write`] when `target` cannot be written, any other when the mirror does not have or
    /// give the file.
    pub fn copy(
        &self,
        file: &str,
        target: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        match self {
            Self::Web(base) => download(base, file, target, progress),
            Self::Directory(directory) => {
                let path = idx::locate(directory, file)?;
                let source = open(&path)?;
                let total = fs::metadata(&path).ok().map(|metadata| metadata.len());
                let received =
                    pour(source, target, |received| progress(Progress { file, received, total }))?;
                received.map(drop).map_err(Error::reading(&path))
            }
        }
    }
}

/// Copies `file.gz` from below the address `base`.
#[cfg(feature = "fetch")]
fn download(
    base: &str,
    file: &str,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let address = format!("{base}{file}.gz");
    let failure = |error: &dyn std::fmt::Display| Error::input(format!("{address}: {error}"));
    let mut response = agent().get(&address).call().map_err(|error| failure(&error))?;
    // The host that was named, and no other.
    if !response.status().is_success() {
        let message = format!("{}: expected the file itself, not a redirection", response.status());
        return Err(failure(&message));
    }
    let total = response.body().content_length();
    let received = pour(response.body_mut().as_reader(), target, |received| {
        progress(Progress { file, received, total })
    })?;
    received.map(drop).map_err(|error| failure(&error))
}

/// Without the feature `fetch` nothing comes from the web.
#[cfg(not(feature = "fetch"))]
fn download(base: &str, file: &str, _: &Path, _: &mut dyn FnMut(Progress)) -> Result<()> {
    Err(Error::input(format!(
        "{base}{file}.gz: this library was built without its feature `fetch`; expected a directory"
    )))
}

/// Waits for a slow mirror, but not for a silent one.
#[cfg(feature = "fetch")]
fn agent() -> ureq::Agent {
    /// A set of 30 MB over a slow line.
    const IN_ALL: Option<std::time::Duration> = Some(std::time::Duration::from_secs(1800));
    const SILENCE: Option<std::time::Duration> = Some(std::time::Duration::from_secs(30));
    ureq::Agent::config_builder()
        .timeout_resolve(SILENCE)
        .timeout_connect(SILENCE)
        .timeout_recv_response(SILENCE)
        .timeout_per_read(SILENCE)
        .timeout_global(IN_ALL)
        .max_redirects(0)
        .user_agent(concat!("equilux/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Copies `source` into the new file `target`; the outer error is one of writing, the inner one of
/// reading.
fn pour(
    mut source: impl Read,
    target: &Path,
    mut progress: impl FnMut(u64),
) -> Result<io::Result<u64>> {
    let mut file = Filling(disk::create(target).map_err(Error::writing(target))?);
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    loop {
        progress(received);
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                received += count as u64;
                if let Err(message) = limits::FETCHED.check(received) {
                    return Ok(Err(io::Error::other(message)));
                }
                file.write_all(&buffer[..count]).map_err(Error::writing(target))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    disk::sync(&file.0).map_err(Error::writing(target))?;
    Ok(Ok(received))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_an_address_or_a_directory() {
        assert!(
            matches!(Mirror::parse("http://host/a").unwrap(), Mirror::Web(base) if base == "http://host/a/")
        );
        assert!(
            matches!(Mirror::parse("http://host/a/").unwrap(), Mirror::Web(base) if base == "http://host/a/")
        );
        assert!(
            matches!(Mirror::parse(".").unwrap(), Mirror::Directory(path) if path == Path::new("."))
        );
        let error = |place| Mirror::parse(place).err().unwrap().to_string();
        assert!(error("https://host/a").contains("expected an address beginning with http://"));
        assert!(
            error("no/such/place").contains("mirror no/such/place: there is no such directory")
        );
    }
}
