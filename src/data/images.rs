//! Images in directories, one a class: `DIR/cat/1.png`, `DIR/dog/a.jpg`; or `DIR/train/cat/1.png` and
//! `DIR/test/cat/2.png`, where there is a test part of its own.
//!
//! Features are grey levels from 0 to 255, row by row; of colours it is the luma of Rec. 709. Images
//! of 16 bits keep their fractions.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::io::{Limits, Reader};
use image::{DynamicImage, ImageFormat};
use nalgebra::DMatrix;

use super::Dataset;
use crate::file::{limits, read_bytes};
use crate::{Error, Result};

/// How names of images end.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Reads the images in `directory`, resized to `size` (height, width) if one is given; of the whole
/// image, its proportions are not kept.
///
/// # Errors
/// [`Error::Read`] when something cannot be read; [`Error::Input`] naming the file for one that is no
/// image, is not opaque, or has another size than the first where no `size` is given; and for a
/// directory without classes, or with an empty one.
pub(super) fn read(directory: &Path, size: Option<[usize; 2]>) -> Result<Dataset> {
    let wrong = |message: String| Error::input(format!("{}: {message}", directory.display()));
    let parts = parts(directory)?;
    let mut classes = Vec::new();
    for part in &parts {
        for class in directories(part)? {
            classes.push(name(&class).to_owned());
        }
    }
    classes.sort();
    classes.dedup();
    if classes.len() < 2 {
        return Err(wrong(format!(
            "{} directories: expected one for each class, at least two, with .png and .jpg files",
            classes.len()
        )));
    }
    let mut reader = Images { asked: size, first: None, pixels: Vec::new() };
    let (mut labels, mut counts) = (Vec::new(), Vec::new());
    for part in &parts {
        for (label, class) in classes.iter().enumerate() {
            let class = part.join(class);
            let files = if class.is_dir() { files(&class)? } else { Vec::new() };
            if files.is_empty() {
                let (part, class) = (class.display(), ENDINGS.join(", ."));
                return Err(Error::input(format!(
                    "{part}: no images: expected files that end in .{class}"
                )));
            }
            for file in files {
                reader.add(&file)?;
                labels.push(label);
            }
        }
        counts.push(labels.len());
    }
    let ([height, width], pixels) = (reader.size(), reader.pixels);
    limits::NUMBERS.product(&[labels.len(), height, width]).map_err(wrong)?;
    Ok(Dataset {
        name: name(directory).to_owned(),
        features: DMatrix::from_vec(height * width, labels.len(), pixels),
        labels: labels.into(),
        outputs: classes,
        feature_names: (0..height * width)
            .map(|pixel| format!("pixel_{}_{}", pixel / width, pixel % width))
            .collect(),
        test_from: (counts.len() > 1).then(|| counts[0]),
    })
}

/// All images of the set in `directory`, as far as it can be looked through.
pub(super) fn paths(directory: &Path) -> Vec<PathBuf> {
    let classes = parts(directory).unwrap_or_default().into_iter();
    let classes = classes.flat_map(|part| directories(&part).unwrap_or_default());
    classes.flat_map(|class| files(&class).unwrap_or_default()).collect()
}

/// The directory itself, or its training and test parts where it has these and nothing else.
fn parts(directory: &Path) -> Result<Vec<PathBuf>> {
    let found = directories(directory)?;
    let parts = ["train", "test"].map(|part| directory.join(part));
    let both = found.len() == 2 && parts.iter().all(|part| found.contains(part));
    // Two classes of these names hold images, not directories.
    let nested = both && !directories(&parts[0])?.is_empty() && files(&parts[0])?.is_empty();
    Ok(if nested { parts.into() } else { vec![directory.to_owned()] })
}

/// The directories in `directory`, sorted; hidden ones are none.
fn directories(directory: &Path) -> Result<Vec<PathBuf>> {
    entries(directory, &|path| path.is_dir())
}

/// The images in `directory`, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let is_image = |path: &Path| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        !path.is_dir() && ENDINGS.contains(&ending.as_str())
    };
    entries(directory, &is_image)
}

fn entries(directory: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let reading = || Error::reading(directory);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        if !name(&path).starts_with('.') && wanted(&path) {
            if path.to_str().is_none() {
                return Err(Error::input(format!("{}: a name that is not UTF-8", path.display())));
            }
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Images on their way into a matrix.
struct Images {
    /// Height and width that every image is brought to, if they were asked for.
    asked: Option<[usize; 2]>,
    /// The first image, and its height and width.
    first: Option<(PathBuf, [usize; 2])>,
    pixels: Vec<f64>,
}

impl Images {
    /// Height and width of every image.
    fn size(&self) -> [usize; 2] {
        self.asked.or(self.first.as_ref().map(|(_, size)| *size)).unwrap_or_default()
    }

    /// Reads one more.
    fn add(&mut self, path: &Path) -> Result<()> {
        let image = decode(path)?;
        let found = [image.height() as usize, image.width() as usize];
        let first = self.first.get_or_insert_with(|| (path.to_owned(), found)).clone();
        let size = self.size();
        if found == size {
            let grey = image.to_luma16().into_raw().into_iter();
            self.pixels.extend(grey.map(|grey| f64::from(grey) / 257.0));
        } else if self.asked.is_some() {
            let [height, width] = size.map(|length| length as u32);
            let grey = imageops::resize(&image.to_luma32f(), width, height, FilterType::Triangle);
            self.pixels.extend(grey.into_raw().into_iter().map(|grey| 255.0 * f64::from(grey)));
        } else {
            let (path, [height, width], [rows, columns]) = (path.display(), found, size);
            return Err(Error::input(format!(
                "{path}: {height} x {width} pixels: expected {rows} x {columns}, as {} has; \
                 data.image_size = [{rows}, {columns}] resizes all",
                first.0.display()
            )));
        }
        Ok(())
    }
}

/// The image at `path`, its size looked at before memory is taken.
fn decode(path: &Path) -> Result<DynamicImage> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let bytes = read_bytes(path)?;
    // By content, not by name.
    let format = image::guess_format(&bytes).ok();
    let format = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg));
    let format = format.ok_or_else(|| wrong("neither a PNG nor a JPEG image".into()))?;
    let damaged = |error: image::ImageError| wrong(format!("damaged image: {error}"));
    let reader = || Reader::with_format(Cursor::new(&bytes), format);
    let (width, height) = reader().into_dimensions().map_err(damaged)?;
    limits::IMAGE.product(&[height as usize, width as usize]).map_err(wrong)?;
    let mut reader = reader();
    let mut most = Limits::default();
    most.max_alloc = Some(limits::IMAGE.most * 8);
    reader.limits(most);
    let image = reader.decode().map_err(damaged)?;
    if image.color().has_alpha() {
        let grey = image.to_luma_alpha16();
        if let Some((column, row, _)) = grey.enumerate_pixels().find(|(_, _, p)| p.0[1] != u16::MAX)
        {
            return Err(wrong(format!(
                "row {row}, column {column}: a pixel that is not opaque: expected an image without transparency"
            )));
        }
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    /// Saves `image` under `path` of `directory`.
    fn put(directory: &Path, path: &str, image: impl Into<DynamicImage>) {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.into().save(path).unwrap();
    }

    fn grey(height: u32, width: u32, level: impl Fn(u32, u32) -> u8) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| Luma([level(y, x)]))
    }

    #[test]
    fn pixels_become_features_row_by_row() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        put(place, "shapes/b/2.png", grey(2, 3, |y, x| (10 * y + x) as u8));
        put(place, "shapes/a/1.png", RgbImage::from_pixel(3, 2, Rgb([255, 255, 255])));
        std::fs::write(place.join("shapes/a/notes.txt"), "no image").unwrap();
        let set = read(&place.join("shapes"), None).unwrap();
        assert_eq!(set.outputs, ["a", "b"]);
        assert_eq!((set.labels, set.test_from), (vec![0, 1].into(), None));
        assert_eq!(set.features.column(0).as_slice(), [255.0; 6]);
        assert_eq!(set.features.column(1).as_slice(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert_eq!(set.feature_names[5], "pixel_1_2");
        assert_eq!(paths(&place.join("shapes")).len(), 2);
    }

    #[test]
    fn images_are_resized_to_the_mean_of_what_they_cover() {
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "a/1.png", grey(4, 4, |_, _| 100));
        put(place.path(), "b/1.jpg", grey(8, 8, |_, x| if x < 4 { 0 } else { 255 }));
        let refused = read(place.path(), None).unwrap_err().to_string();
        assert!(refused.contains("8 x 8 pixels: expected 4 x 4, as "), "{refused}");
        assert!(refused.contains("data.image_size = [4, 4] resizes all"), "{refused}");
        let set = read(place.path(), Some([2, 2])).unwrap();
        // The levels of an even image stay; of two halves the edge blurs, evenly on both sides.
        assert!(set.features.column(0).iter().all(|level| (level - 100.0).abs() < 0.01));
        let halves = set.features.column(1);
        assert!(halves[0] < 60.0 && halves[1] > 195.0, "{halves}");
        assert!((halves[0] + halves[1] - 255.0).abs() < 4.0, "{halves}");
    }

    #[test]
    fn a_test_part_of_its_own_is_kept() {
        let place = tempfile::tempdir().unwrap();
        for (path, level) in
            [("train/a/1", 1), ("train/b/1", 2), ("train/b/2", 3), ("test/a/1", 4), ("test/b/9", 5)]
        {
            put(place.path(), &format!("{path}.png"), grey(1, 1, |_, _| level));
        }
        let set = read(place.path(), None).unwrap();
        assert_eq!((set.labels, set.test_from), (vec![0, 1, 1, 0, 1].into(), Some(3)));
        assert_eq!(set.features.as_slice(), [1.0, 2.0, 3.0, 4.0, 5.0]);
        // Classes that happen to be called so.
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "train/1.png", grey(1, 1, |_, _| 1));
        put(place.path(), "test/1.png", grey(1, 1, |_, _| 2));
        let set = read(place.path(), None).unwrap();
        assert_eq!((set.outputs, set.test_from), (vec!["test".to_owned(), "train".into()], None));
    }

    #[test]
    fn what_is_no_set_of_images_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let refused = |expected: &str| {
            let error = read(place.path(), None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused("0 directories: expected one for each class");
        put(place.path(), "a/1.png", grey(1, 1, |_, _| 1));
        std::fs::create_dir(place.path().join("b")).unwrap();
        refused("b: no images: expected files that end in .png, .jpg, .jpeg");
        std::fs::write(place.path().join("b/1.png"), "text").unwrap();
        refused("b/1.png: neither a PNG nor a JPEG image");
        put(place.path(), "b/1.png", RgbaImage::from_pixel(1, 1, Rgba([9, 9, 9, 128])));
        refused("b/1.png: row 0, column 0: a pixel that is not opaque");
        let mut cut = std::fs::read(place.path().join("a/1.png")).unwrap();
        cut.truncate(50);
        std::fs::write(place.path().join("b/1.png"), cut).unwrap();
        refused("b/1.png: damaged image: ");
    }
}
