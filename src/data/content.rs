//! The content of a file, plain or gzipped: told by its first two bytes, not by its name.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::file::{hexadecimal, limits};
use crate::{Error, Result};

/// The first two bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file's content, unpacked if it is gzipped.
pub(super) struct Content {
    path: PathBuf,
    /// The bytes of a file that is gzipped.
    packed: Option<u64>,
    reader: Box<dyn Read>,
}

impl Content {
    /// Opens `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let mut open = || {
            let mut file = crate::file::open(path)?;
            file.by_ref().take(2).read_to_end(&mut start).map_err(Error::reading(path))?;
            Ok::<_, Error>(file)
        };
        let file = open()?;
        let length = file.metadata().map_err(Error::reading(path))?.len();
        let packed = (start == GZIP).then_some(length);
        let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(file));
        let reader: Box<dyn Read> =
            if packed.is_some() { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { path: path.to_owned(), packed, reader })
    }

    /// Whether the file is gzipped.
    pub fn is_gzipped(&self) -> bool {
        self.packed.is_some()
    }

    /// Checks that a gzipped file may well hold `count` bytes, before memory is taken for them.
    ///
    /// # Errors
    /// When it would have to unpack to more than [`limits::UNPACKED`] and [`limits::PACKING`] times
    /// itself.
    pub fn expect_unpacked(&self, count: u64) -> Result<()> {
        let Some(packed) = self.packed else { return Ok(()) };
        let usual = packed.saturating_mul(limits::PACKING);
        match limits::UNPACKED.check(count.saturating_sub(usual)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::input(format!(
                "{}: {count} unpacked bytes in {packed} packed ones: expected at most {} and {} times the file",
                self.path.display(),
                limits::UNPACKED.most,
                limits::PACKING
            ))),
        }
    }

    /// The next `limit` bytes, or fewer when the content ends before.
    pub fn take(&mut self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// The SHA-256 of the rest of the content, in lower-case hexadecimal digits.
    pub fn sha256(mut self) -> Result<String> {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => {
                    return Ok(hexadecimal(&digest.finalize()));
                }
                Ok(count) => digest.update(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error)),
            }
        }
    }

    fn failure(&self, error: io::Error) -> Error {
        let damaged = matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
        );
        if self.is_gzipped() && damaged {
            Error::input(format!("{}: damaged gzip file: {error}", self.path.display()))
        } else {
            Error::reading(&self.path)(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn plain_and_gzipped_are_told_by_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.gz");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"abc").unwrap();
        let gzip = gzip.finish().unwrap();
        for bytes in [b"abc".as_slice(), &gzip, &[&gzip[..], &gzip].concat()] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Content::open(&path).unwrap().take(3).unwrap(), b"abc");
        }
        // FIPS 180-2, appendix B.1
        std::fs::write(&path, &gzip).unwrap();
        let sum = Content::open(&path).unwrap().sha256().unwrap();
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for damaged in [
            &gzip[..gzip.len() - 2],
            &[&gzip[..gzip.len() - 8], &[0; 8]].concat(),
            &[&gzip[..], b"rest"].concat(),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let error = Content::open(&path).unwrap().sha256().unwrap_err().to_string();
            assert!(error.contains("x.gz: damaged gzip file"), "{error}");
        }
    }
}
