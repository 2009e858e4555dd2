//! The one way to the disk: everything here that makes, fills, moves or removes a file, step by step.
//!
//! Each step can be made to fail ([`fail`]), as disks do: tests let each step of each command fail in
//! turn, and look at what is left.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use tempfile::{NamedTempFile, TempDir};

/// What a disk does to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space is left: nothing more is made or filled.
    Full,
    /// It is read only from now on: nothing is made, filled, moved or removed.
    ReadOnly,
    /// The process has no handles left: nothing is opened or made.
    NoHandles,
    /// One step fails, whatever it is; those after it work again.
    Once,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Open,
    Make,
    Fill,
    Sync,
    Move,
    Remove,
}

impl Fault {
    /// What the operating system says, of the steps that it hits.
    fn hits(self, step: Step) -> Option<io::ErrorKind> {
        use Step::{Fill, Make, Move, Open, Remove, Sync};
        match (self, step) {
            (Self::Full, Make | Fill | Sync) => Some(io::ErrorKind::StorageFull),
            (Self::ReadOnly, Make | Fill | Move | Remove) => {
                Some(io::ErrorKind::ReadOnlyFilesystem)
            }
            (Self::NoHandles, Open | Make) => Some(io::ErrorKind::QuotaExceeded),
            (Self::Once, _) => Some(io::ErrorKind::Other),
            _ => None,
        }
    }
}

/// Whether steps are counted at all.
static COUNTS: AtomicBool = AtomicBool::new(false);
/// Steps so far, and the first that fails.
static STEPS: AtomicU64 = AtomicU64::new(0);
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);
/// Which fault it is, by its place in the list.
static FAULT: AtomicI32 = AtomicI32::new(0);

/// For tests: lets the step number `step` of this process from here on (from 0) fail by `fault`, and,
/// but for [`Fault::Once`], what comes after it.
pub fn fail(step: u64, fault: Fault) {
    STEPS.store(0, Ordering::SeqCst);
    FIRST.store(step, Ordering::SeqCst);
    FAULT.store(fault as i32, Ordering::SeqCst);
    COUNTS.store(true, Ordering::SeqCst);
}

/// For tests: the disk is whole again; how many steps were done since [`fail`].
pub fn mend() -> u64 {
    COUNTS.store(false, Ordering::SeqCst);
    STEPS.load(Ordering::SeqCst)
}

/// Before each step: an error where it is to fail.
fn step(step: Step) -> io::Result<()> {
    if !COUNTS.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (number, first) = (STEPS.fetch_add(1, Ordering::SeqCst), FIRST.load(Ordering::SeqCst));
    let fault = [Fault::Full, Fault::ReadOnly, Fault::NoHandles, Fault::Once]
        [FAULT.load(Ordering::SeqCst) as usize];
    let now = if fault == Fault::Once { number == first } else { number >= first };
    match fault.hits(step).filter(|_| now) {
        Some(kind) => Err(kind.into()),
        None => Ok(()),
    }
}

/// What fills a file.
#[derive(Debug)]
pub(crate) struct Filling<W>(pub W);

impl<W: Write> Write for Filling<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = step(Step::Fill) {
            // A disk is full in the middle of something.
            let _ = self.0.write(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Opens the file `path` to be read.
pub(super) fn open(path: &Path) -> io::Result<File> {
    step(Step::Open)?;
    File::open(path)
}

/// Opens `path` as `options` say, which may make it.
pub(crate) fn open_with(path: &Path, options: &fs::OpenOptions) -> io::Result<File> {
    step(Step::Make)?;
    options.open(path)
}

/// Makes the file `path`, empty.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    step(Step::Make)?;
    File::create(path)
}

/// Makes a temporary file in `directory`.
pub(super) fn temporary(
    builder: &tempfile::Builder<'_, '_>,
    directory: &Path,
) -> io::Result<NamedTempFile> {
    step(Step::Make)?;
    builder.tempfile_in(directory)
}

/// Makes a temporary directory in `directory`.
pub(crate) fn temporary_directory(
    builder: &tempfile::Builder<'_, '_>,
    directory: &Path,
) -> io::Result<TempDir> {
    step(Step::Make)?;
    builder.tempdir_in(directory)
}

/// Makes the directory `path` and its parents.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    step(Step::Make)?;
    fs::create_dir_all(path)
}

/// Waits until what `file` holds is on the disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    step(Step::Sync)?;
    file.sync_all()
}

/// Lets the finished `file` appear as `path`, in place of what was there.
pub(super) fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    step(Step::Move)?;
    file.persist(path).map(drop).map_err(|e| e.error)
}

/// Moves `from` to `to`.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(Step::Move)?;
    fs::rename(from, to)
}

/// Removes the file `path`.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    step(Step::Remove)?;
    fs::remove_file(path)
}

/// Removes the empty directory `path`.
pub(crate) fn remove_empty(path: &Path) -> io::Result<()> {
    step(Step::Remove)?;
    fs::remove_dir(path)
}

/// Removes the directory `path` and all in it.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    step(Step::Remove)?;
    fs::remove_dir_all(path)
}
