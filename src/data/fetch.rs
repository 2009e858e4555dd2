//! Brings a set into the store: copied from a mirror, checked, then put in place all at once.

use std::path::{Path, PathBuf};

use super::content::Content;
use super::mirror::{Mirror, Progress};
use super::{Source, Store, idx};
use crate::file::disk;
use crate::{Error, Result};

/// What [`fetch`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The set's directory in the store.
    pub directory: PathBuf,
    /// The names of its files.
    pub files: Vec<String>,
    /// Whether the files came now; `false` when all were there already, their check sums right.
    pub copied: bool,
}

/// Brings the files of `source` into `store`, from `mirror` (an address beginning with `http://`,
/// or a directory) or else from the first of the source's own mirrors that gives a right copy, file
/// by file. `progress` is told of each piece.
///
/// # Errors
/// [`Error::Input`] when no mirror gives a file whose unpacked content has the check sum expected,
/// naming the file and what each mirror answered; [`Error::Write`] when the store cannot be
/// written. Either way the store is left as it was.
pub fn fetch(
    source: &Source,
    mirror: Option<&str>,
    store: &Store,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched> {
    let mirrors = match mirror {
        Some(place) => vec![Mirror::parse(place)?],
        None => source.mirrors.iter().map(|place| Mirror::parse(place)).collect::<Result<_>>()?,
    };
    let directory = store.images(&source.name);
    if let Some(files) = complete(source, &directory) {
        return Ok(Fetched { directory, files, copied: false });
    }
    let mut files = Vec::new();
    let directory = store.install(&source.name, |staging| {
        for (file, sum) in &source.files {
            files.push(fetch_file(source, file, sum, &mirrors, staging, progress)?);
        }
        Ok(())
    })?;
    Ok(Fetched { directory, files, copied: true })
}

/// The names of the files in `directory` when all are there with the right content.
fn complete(source: &Source, directory: &Path) -> Option<Vec<String>> {
    let right = |(file, sum): &(String, String)| {
        let path = idx::locate(directory, file).ok()?;
        check(&path, file, sum).ok()?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    };
    source.files.iter().map(right).collect()
}

/// Brings one file into `staging` from the first mirror that has it right; returns the name it is
/// kept by.
fn fetch_file(
    source: &Source,
    file: &str,
    sum: &str,
    mirrors: &[Mirror],
    staging: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<String> {
    let part = staging.join("part");
    let mut failures = Vec::new();
    for mirror in mirrors {
        match mirror.copy(file, &part, progress).and_then(|()| check(&part, file, sum)) {
            Ok(gzipped) => {
                let name = if gzipped { format!("{file}.gz") } else { file.to_owned() };
                let path = staging.join(&name);
                disk::rename(&part, &path).map_err(Error::writing(&path))?;
                return Ok(name);
            }
            Err(error @ Error::Write { .. }) => return Err(error),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let advice = "--mirror names another place, an http:// address or a directory";
    Err(Error::input(format!(
        "{}: {file} cannot be fetched: {}; {advice}",
        source.name,
        failures.join("; ")
    )))
}

/// Whether the file at `path` is gzipped; an error when its content is not the one that `sum` is
/// of.
fn check(path: &Path, file: &str, sum: &str) -> Result<bool> {
    let content = Content::open(path)?;
    let gzipped = content.is_gzipped();
    let found = content.sha256()?;
    if found == sum {
        Ok(gzipped)
    } else {
        Err(Error::input(format!(
            "{file}: its unpacked content has SHA-256 {found}: expected {sum}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// SHA-256 of "abc" and of nothing (FIPS 180-2 and its test vectors).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn source(mirrors: &[&str]) -> Source {
        let files = [("first", ABC), ("second", NOTHING)]
            .map(|(file, sum)| (file.to_owned(), sum.to_owned()));
        Source {
            name: "tiny".into(),
            files: files.into(),
            mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
        }
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    }

    /// The address of a server that answers with these files, and with 404 to anything else, until
    /// the test's process ends.
    fn serve(files: &[(&str, Vec<u8>)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/sets", listener.local_addr().unwrap());
        let files: HashMap<String, Vec<u8>> =
            files.iter().map(|(name, bytes)| (format!("/sets/{name}"), bytes.clone())).collect();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap())
                    .lines()
                    .map_while(std::io::Result::ok);
                let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let path =
                    request.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
                let (status, body) =
                    files.get(path).map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
                let header = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(header.as_bytes()).and_then(|()| stream.write_all(body));
            }
        });
        address
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn store(&self) -> Store {
            Store::at(self.0.path().join("store"))
        }

        fn fetch(&self, source: &Source, mirror: Option<&str>) -> Result<Fetched> {
            fetch(source, mirror, &self.store(), &mut |_| {})
        }

        /// Everything in the store, whatever it is.
        fn kept(&self) -> usize {
            fs::read_dir(self.store().directory()).map_or(0, Iterator::count)
        }
    }

    #[test]
    fn files_come_over_http_and_only_once() {
        let place = Place::new();
        let address = serve(&[("first.gz", gzip(b"abc")), ("second.gz", gzip(b""))]);
        let mut seen = Vec::new();
        let mut progress = |at: Progress| seen.push((at.file.to_owned(), at.received, at.total));
        let fetched = fetch(&source(&[&address]), None, &place.store(), &mut progress).unwrap();
        assert_eq!(
            (fetched.files, fetched.copied),
            (vec!["first.gz".to_owned(), "second.gz".into()], true)
        );
        assert_eq!(fs::read(fetched.directory.join("first.gz")).unwrap(), gzip(b"abc"));
        let size = gzip(b"abc").len() as u64;
        assert!(seen.contains(&("first".into(), size, Some(size))), "{seen:?}");
        assert!(!place.fetch(&source(&[&address]), None).unwrap().copied);
        assert_eq!(place.kept(), 1);
    }

    #[test]
    fn a_directory_may_hold_plain_and_gzipped_files() {
        let place = Place::new();
        let copies = tempfile::tempdir().unwrap();
        fs::write(copies.path().join("first"), "abc").unwrap();
        fs::write(copies.path().join("second.gz"), gzip(b"")).unwrap();
        let fetched = place.fetch(&source(&[]), copies.path().to_str()).unwrap();
        assert_eq!(fetched.files, ["first", "second.gz"]);
        // A file damaged later is replaced, whichever form it has.
        fs::write(fetched.directory.join("second"), "x").unwrap();
        assert!(place.fetch(&source(&[]), copies.path().to_str()).unwrap().copied);
        assert_eq!(fs::read_dir(&fetched.directory).unwrap().count(), 2);
    }

    #[test]
    fn the_next_mirror_helps_out() {
        let place = Place::new();
        let wrong = serve(&[("first.gz", gzip(b"abd")), ("second.gz", gzip(b""))]);
        let right = serve(&[("first.gz", gzip(b"abc"))]);
        assert!(place.fetch(&source(&[&wrong, &right]), None).unwrap().copied);
    }

    #[test]
    fn wrong_content_is_refused_and_nothing_kept() {
        for (second, expected) in [
            (
                gzip(b"abc"),
                format!("second: its unpacked content has SHA-256 {ABC}: expected {NOTHING}"),
            ),
            (gzip(b"")[..12].to_vec(), "damaged gzip file".to_owned()),
        ] {
            let place = Place::new();
            let address = serve(&[("first.gz", gzip(b"abc")), ("second.gz", second)]);
            let error = place.fetch(&source(&[]), Some(&address)).unwrap_err().to_string();
            assert!(
                error.starts_with("tiny: second cannot be fetched: ") && error.contains(&expected),
                "{error}"
            );
            assert_eq!(place.kept(), 0);
        }
    }

    #[test]
    fn every_mirror_that_fails_is_named() {
        let place = Place::new();
        let mirrors = [serve(&[]), "http://127.0.0.1:1/".to_owned()];
        let error =
            place.fetch(&source(&[&mirrors[0], &mirrors[1]]), None).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{}/first.gz: ", mirrors[0])) && error.contains("404"),
            "{error}"
        );
        assert!(error.contains("http://127.0.0.1:1/first.gz: "), "{error}");
        assert_eq!(place.kept(), 0);
    }
}
