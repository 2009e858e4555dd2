//! Images in the layout of MNIST: four idx files, plain or gzipped, with a test part of their own.
//!
//! Names are those of MNIST (`train-images-idx3-ubyte`, also `train-images.idx3-ubyte`, `t10k-` for the
//! test part, also `test-`), or those of EMNIST, with the name of the set before them
//! (`emnist-letters-train-images-idx3-ubyte`; Cohen, Afshar, Tapson & van Schaik 2017, arXiv:1702.05373,
//! whose images lie on their sides).
//!
//! An idx file is a magic number (0, 0, 8 for unsigned bytes, the number of dimensions), each
//! dimension as a big-endian 32-bit integer, then the bytes, last index fastest (LeCun, Cortes &
//! Burges, "The MNIST database of handwritten digits", 1998).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

use super::content::Content;
use super::{Dataset, Size};
use crate::file::limits;
use crate::{Error, Result};

/// The four files, each with or without `.gz` behind it: images and labels of the training part,
/// then of the test part.
pub(super) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The number of classes that MNIST and Fashion-MNIST have.
pub(super) const CLASSES: usize = 10;

/// Reads the set at `path`: a directory, or of several sets in one the directory and the name of the
/// set. Features are pixels from 0 to 255, row by row. `classes` are the ten that there must be; without
/// them the classes are the labels that occur.
///
/// # Errors
/// [`Error::Read`] when a file cannot be read; [`Error::Input`] naming the file for one that is
/// missing, for damaged gzip, a wrong magic number, missing or additional bytes, a label outside
/// the ten classes, and for parts that do not fit together.
pub(super) fn read(path: &Path, name: &str, classes: Option<Vec<String>>) -> Result<Dataset> {
    let [train_images, train_labels, test_images, test_labels] = open(path)?;
    let (rows, columns) = (train_images.dimensions[1], train_images.dimensions[2]);
    let test_from = train_images.dimensions[0];
    let samples = test_from + test_images.dimensions[0];
    let count = limits::NUMBERS.product(&[samples, rows, columns]);
    let count = count.map_err(|message| train_images.wrong(message))?;

    let most = classes.as_ref().map(Vec::len);
    let mut labels = train_labels.labels(most)?;
    labels.extend(test_labels.labels(most)?);
    let (labels, classes) = match classes {
        Some(classes) => (labels, classes),
        None => occurring(path, &labels)?,
    };
    // All bytes are read and counted before memory is asked for, so a false header cannot ask for
    // more than the file holds.
    let parts = [train_images.bytes()?, test_images.bytes()?];
    let mut pixels = Vec::with_capacity(count);
    for bytes in parts {
        pixels.extend(bytes.into_iter().map(f64::from));
    }
    Ok(Dataset {
        name: name.to_owned(),
        features: DMatrix::from_vec(rows * columns, samples, pixels),
        labels: labels.into(),
        outputs: classes,
        feature_names: (0..rows * columns)
            .map(|pixel| format!("pixel_{}_{}", pixel / columns, pixel % columns))
            .collect(),
        test_from: Some(test_from),
    })
}

/// The class of each label among those that occur, and their names.
fn occurring(path: &Path, labels: &[usize]) -> Result<(Vec<usize>, Vec<String>)> {
    let held: Vec<usize> = labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if held.len() < 2 {
        let path = path.display();
        return Err(Error::input(format!(
            "{path}: every label is {}: expected at least two classes",
            held.first().copied().unwrap_or_default()
        )));
    }
    let classes = labels.iter().map(|label| held.partition_point(|held| held < label)).collect();
    Ok((classes, held.iter().map(usize::to_string).collect()))
}

/// How large the set at `path` is, by the headers of images, and by the labels unless there are
/// `classes`.
///
/// # Errors
/// As [`read`], but for what only the content of images tells.
pub(super) fn size(path: &Path, classes: Option<usize>) -> Result<Size> {
    let [train, train_labels, test, test_labels] = open(path)?;
    let samples = train.dimensions[0] + test.dimensions[0];
    let classes = match classes {
        Some(classes) => classes,
        None => {
            let labels = [train_labels.labels(None)?, test_labels.labels(None)?].concat();
            occurring(path, &labels)?.1.len()
        }
    };
    Ok(Size { samples, features: train.dimensions[1] * train.dimensions[2], outputs: classes })
}

/// What an idx file's name says: the set, `train` or `test`, `images` or `labels`, and how far it is
/// from the usual way to write it.
fn read_name(file: &str) -> Option<(&str, usize, usize)> {
    let (file, packed) = match file.strip_suffix(".gz") {
        Some(file) => (file, 1),
        None => (file, 0),
    };
    let (stem, part, unusual) = [
        ("images-idx3-ubyte", 0, 0),
        ("images.idx3-ubyte", 0, 2),
        ("labels-idx1-ubyte", 1, 0),
        ("labels.idx1-ubyte", 1, 2),
    ]
    .into_iter()
    .find_map(|(end, part, unusual)| Some((file.strip_suffix(end)?, part, unusual)))?;
    let heads = [("train-", 0), ("t10k-", 2), ("test-", 2)];
    let found = heads.into_iter().find_map(|(end, half)| Some((stem.strip_suffix(end)?, half)));
    let (set, half) = found?;
    // A name before that of the part is a set's: `emnist-letters-train-...`
    (set.is_empty() || set.len() > 1 && set.ends_with('-')).then_some((
        set.trim_end_matches('-'),
        half + part,
        packed + unusual,
    ))
}

/// The four files of the set at `path`: in this directory, or of the set of this name in its parent.
///
/// # Errors
/// When one is missing, or there are several sets in the directory.
pub(super) fn find(path: &Path) -> Result<[PathBuf; 4]> {
    let (directory, wanted) = match path.is_dir() {
        true => (path, None),
        false => (path.parent().unwrap_or(path), path.file_name().and_then(|name| name.to_str())),
    };
    let entries = std::fs::read_dir(directory).map_err(Error::reading(path))?;
    let mut sets: BTreeMap<String, [Option<(usize, PathBuf)>; 4]> = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Error::reading(directory))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some((set, role, unusual)) = read_name(name) else { continue };
        if !path.is_file() || wanted.is_some_and(|wanted| wanted != set) {
            continue;
        }
        let place = &mut sets.entry(set.to_owned()).or_default()[role];
        if place.as_ref().is_none_or(|(before, _)| unusual < *before) {
            *place = Some((unusual, path));
        }
    }
    if sets.len() > 1 {
        let (directory, names) = (directory.display(), sets.keys().map(String::as_str));
        let names: Vec<&str> =
            names.map(|name| if name.is_empty() { "MNIST's" } else { name }).collect();
        return Err(Error::input(format!(
            "{directory}: files of several sets, {}: expected one, as {directory}/{}",
            names.join(", "),
            names.last().copied().unwrap_or_default()
        )));
    }
    let (set, files) = sets.pop_first().unwrap_or_default();
    let missing = |role: usize| {
        let head = if set.is_empty() { String::new() } else { format!("{set}-") };
        let (directory, file) = (directory.display(), FILES[role]);
        Error::input(format!("{directory}: no file `{head}{file}` or `{head}{file}.gz`"))
    };
    let [a, b, c, d] = files.map(|file| file.map(|(_, path)| path));
    Ok([
        a.ok_or_else(|| missing(0))?,
        b.ok_or_else(|| missing(1))?,
        c.ok_or_else(|| missing(2))?,
        d.ok_or_else(|| missing(3))?,
    ])
}

/// Whether `directory` has any of the four files.
pub(super) fn is_layout(directory: &Path) -> bool {
    FILES.iter().any(|file| locate(directory, file).is_ok())
}

/// Whether `directory` has any file that is called as an idx file is.
pub(super) fn is_any(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_str().and_then(read_name).is_some())
}

/// The path of `file` in `directory`, plain or else with `.gz`.
pub(super) fn locate(directory: &Path, file: &str) -> Result<PathBuf> {
    let plain = directory.join(file);
    let gzipped = directory.join(format!("{file}.gz"));
    let found = [plain, gzipped].into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::input(format!("{}: no file `{file}` or `{file}.gz`", directory.display()))
    })
}

/// The paths of those of the four files that are in `directory`.
pub(super) fn paths(directory: &Path) -> Vec<PathBuf> {
    FILES.iter().filter_map(|file| locate(directory, file).ok()).collect()
}

/// Opens the four files of the set at `path` and checks that their headers fit together.
fn open(path: &Path) -> Result<[Idx; 4]> {
    let paths = find(path)?;
    let files = [
        Idx::open(&paths[0], 3)?,
        Idx::open(&paths[1], 1)?,
        Idx::open(&paths[2], 3)?,
        Idx::open(&paths[3], 1)?,
    ];
    for [images, labels] in [[&files[0], &files[1]], [&files[2], &files[3]]] {
        let (found, expected) = (labels.dimensions[0], images.dimensions[0]);
        if found != expected {
            return Err(labels.wrong(format!(
                "{found} labels: expected {expected}, as many as `{}` has images",
                images.name()
            )));
        }
    }
    for file in &files {
        limits::NUMBERS.product(&file.dimensions).map_err(|message| file.wrong(message))?;
    }
    let [train, test] = [&files[0], &files[2]];
    if train.dimensions[1..] != test.dimensions[1..] {
        let shape = |images: &Idx| format!("{} x {}", images.dimensions[1], images.dimensions[2]);
        let message = format!(
            "images of {} pixels: expected {}, as in `{}`",
            shape(test),
            shape(train),
            train.name()
        );
        return Err(test.wrong(message));
    }
    Ok(files)
}

/// One idx file, its header read.
struct Idx {
    path: PathBuf,
    dimensions: Vec<usize>,
    content: Content,
}

impl Idx {
    /// Opens an array of `rank` dimensions.
    fn open(path: &Path, rank: u8) -> Result<Self> {
        let mut idx =
            Self { path: path.to_owned(), dimensions: Vec::new(), content: Content::open(path)? };
        let header = idx.content.take(4 + 4 * u64::from(rank))?;
        let mut words = header
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        let magic = u32::from_be_bytes([0, 0, 8, rank]);
        match words.next() {
            Some(found) if found == magic => {}
            Some(found) => {
                return Err(
                    idx.wrong(format!("magic number 0x{found:08x}: expected 0x{magic:08x}"))
                );
            }
            None => {
                return Err(
                    idx.wrong(format!("{} bytes: expected an idx file's header", header.len()))
                );
            }
        }
        idx.dimensions = words.map(|word| word as usize).collect();
        if idx.dimensions.len() < rank.into() {
            return Err(idx.wrong(format!(
                "truncated: {} bytes of a header of {}",
                header.len(),
                4 + 4 * u32::from(rank)
            )));
        }
        if idx.dimensions.contains(&0) {
            return Err(
                idx.wrong(format!("dimensions {:?}: expected none to be 0", idx.dimensions))
            );
        }
        Ok(idx)
    }

    /// All bytes behind the header, as many as its dimensions say.
    fn bytes(mut self) -> Result<Vec<u8>> {
        let expected = limits::NUMBERS.product(&self.dimensions);
        let expected = expected.map_err(|message| self.wrong(message))? as u64;
        self.content.expect_unpacked(expected)?;
        // One more than expected is enough to notice that there is more, and to have gzip's own
        // check made at the end.
        let bytes = self.content.take(expected + 1)?;
        let found = bytes.len() as u64;
        if found < expected {
            return Err(self.wrong(format!(
                "truncated: {found} bytes behind the header: expected {expected}"
            )));
        }
        if found > expected {
            return Err(self.wrong(format!(
                "bytes left over: expected {expected} behind the header, and no more"
            )));
        }
        Ok(bytes)
    }

    /// The labels, below `most` where there is a most.
    fn labels(self, most: Option<usize>) -> Result<Vec<usize>> {
        let path = self.path.clone();
        let labels: Vec<usize> = self.bytes()?.into_iter().map(usize::from).collect();
        let Some(most) = most else { return Ok(labels) };
        if let Some(sample) = labels.iter().position(|&label| label >= most) {
            let (label, last) = (labels[sample], most - 1);
            return Err(Error::input(format!(
                "{}: label {label} of sample {sample}: expected 0 to {last}",
                path.display()
            )));
        }
        Ok(labels)
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn wrong(&self, message: String) -> Error {
        Error::input(format!("{}: {message}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        file.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(bytes);
        file
    }

    /// A set of 3 + 1 images of 1 x 2 pixels, with `file`, if any, replaced by `bytes`.
    fn set(replaced: Option<(usize, Vec<u8>)>) -> Result<Dataset> {
        let directory = tempfile::tempdir().unwrap();
        let mut files = [
            idx(&[3, 1, 2], &[0, 1, 2, 3, 4, 255]),
            idx(&[3], &[9, 0, 1]),
            idx(&[1, 1, 2], &[7, 8]),
            idx(&[1], &[2]),
        ];
        if let Some((index, bytes)) = replaced {
            files[index] = bytes;
        }
        for (file, bytes) in FILES.iter().zip(files) {
            std::fs::write(directory.path().join(file), bytes).unwrap();
        }
        read(directory.path(), "tiny", Some(vec![String::new(); 10]))
    }

    #[test]
    fn images_become_columns_and_the_test_part_follows() {
        let set = set(None).unwrap();
        assert_eq!(
            set.features,
            DMatrix::from_column_slice(2, 4, &[0.0, 1.0, 2.0, 3.0, 4.0, 255.0, 7.0, 8.0])
        );
        assert_eq!((set.labels, set.test_from), (vec![9, 0, 1, 2].into(), Some(3)));
        assert_eq!(set.feature_names, ["pixel_0_0", "pixel_0_1"]);
    }

    #[test]
    fn sets_have_names_of_several_kinds_and_as_many_classes_as_labels() {
        let directory = tempfile::tempdir().unwrap();
        let put = |file: &str, bytes: Vec<u8>| {
            std::fs::write(directory.path().join(file), bytes).unwrap()
        };
        let parts = |head: &str, images: &str, labels: &str| {
            put(&format!("{head}train-{images}"), idx(&[3, 1, 2], &[0, 1, 2, 3, 4, 255]));
            put(&format!("{head}train-{labels}"), idx(&[3], &[26, 1, 17]));
        };
        parts("", "images.idx3-ubyte", "labels.idx1-ubyte");
        let missing = read(directory.path(), "letters", None).unwrap_err().to_string();
        assert!(
            missing.contains("no file `t10k-images-idx3-ubyte` or `t10k-images-idx3-ubyte.gz`"),
            "{missing}"
        );
        put("test-images.idx3-ubyte", idx(&[1, 1, 2], &[7, 8]));
        put("t10k-labels.idx1-ubyte", idx(&[1], &[1]));
        let set = read(directory.path(), "letters", None).unwrap();
        assert_eq!(set.outputs, ["1", "17", "26"]);
        assert_eq!((set.labels, set.test_from), (vec![2, 0, 1, 0].into(), Some(3)));
        let size = Size { samples: 4, features: 2, outputs: 3 };
        assert_eq!(self::size(directory.path(), None).unwrap(), size);
        // Of EMNIST all sets are in one directory.
        parts("emnist-letters-", "images-idx3-ubyte", "labels-idx1-ubyte");
        put("emnist-letters-test-images-idx3-ubyte", idx(&[1, 1, 2], &[5, 6]));
        let several = find(directory.path()).unwrap_err().to_string();
        assert!(
            several.contains("files of several sets, MNIST's, emnist-letters: expected one, as "),
            "{several}"
        );
        let one = directory.path().join("emnist-letters");
        let missing = find(&one).unwrap_err().to_string();
        assert!(missing.contains("no file `emnist-letters-t10k-labels-idx1-ubyte`"), "{missing}");
        put("emnist-letters-test-labels-idx1-ubyte", idx(&[1], &[26]));
        assert_eq!(read(&one, "letters", None).unwrap().labels, vec![2, 0, 1, 2].into());
    }

    #[test]
    fn errors_say_what_was_found_and_expected() {
        let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[]);
        for (file, bytes, expected) in [
            (
                0,
                idx(&[3], &[1, 2, 3]),
                "train-images-idx3-ubyte: magic number 0x00000801: expected 0x00000803",
            ),
            (1, vec![0, 0], "2 bytes: expected an idx file's header"),
            (2, vec![0, 0, 8, 3, 0, 0], "truncated: 6 bytes of a header of 16"),
            (2, vec![0, 0, 8, 3, 0, 0, 0, 1, 0], "truncated: 9 bytes of a header of 16"),
            (0, idx(&[3, 1, 2], &[1; 5]), "truncated: 5 bytes behind the header: expected 6"),
            (3, idx(&[1], &[1, 1]), "bytes left over: expected 1 behind the header"),
            (
                1,
                idx(&[3], &[0, 10, 0]),
                "train-labels-idx1-ubyte: label 10 of sample 1: expected 0 to 9",
            ),
            (
                1,
                idx(&[2], &[0, 1]),
                "2 labels: expected 3, as many as `train-images-idx3-ubyte` has images",
            ),
            (2, idx(&[1, 2, 1], &[0, 1]), "images of 2 x 1 pixels: expected 1 x 2"),
            (2, idx(&[0, 1, 2], &[]), "dimensions [0, 1, 2]: expected none to be 0"),
            (0, huge, "expected 4294967295, as many"),
        ] {
            let error = set(Some((file, bytes))).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\n{expected}");
        }
    }
}
