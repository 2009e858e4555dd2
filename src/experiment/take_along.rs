//! Copies of the files that a device is made of: what stands beside them can be moved anywhere.

use std::path::Path;

use toml::Value;

use super::places::{anywhere, from_here};
use super::{Device, Experiment};
use crate::Result;
use crate::file::read_bytes;

/// How the names of copies begin.
pub(crate) const COPY: &str = "device-";

/// A file that a device is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileOfDevice {
    /// The table that names it.
    pub table: &'static str,
    /// What its copy is called: `device-` before its own name, and its table where that is taken.
    pub name: String,
    /// What it holds; a datasheet calls the files that it names by their copies' names.
    pub content: Vec<u8>,
}

impl Experiment {
    /// The files that the device is made of. It then names their copies in `directory`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn take_along(&mut self, directory: &Path) -> Result<Vec<FileOfDevice>> {
        let mut taken: Vec<FileOfDevice> = Vec::new();
        let mut names = Vec::new();
        for (table, file) in self.device.files() {
            let own = anywhere(file);
            // That of a copy of a copy has it already.
            let own = own.strip_prefix(COPY).unwrap_or(&own);
            let mut name = format!("{COPY}{own}");
            if taken.iter().any(|other| other.name == name) {
                name = format!("{COPY}{table}-{own}");
            }
            let content = read_bytes(Path::new(&*file))?;
            taken.push(FileOfDevice { table, content, name: name.clone() });
            let copy = directory.join(&name).to_string_lossy().into_owned();
            names.push((std::mem::replace(file, copy), name));
        }
        // The sheet comes first.
        if let (Some(sheet), Some((path, _))) = (taken.first_mut(), names.first())
            && sheet.table == "sheet"
        {
            let beside = Path::new(path).parent().unwrap_or(Path::new(""));
            sheet.content = renamed(std::mem::take(&mut sheet.content), beside, &names);
        }
        Ok(taken)
    }
}

impl Device {
    /// It with files called by the tables that name them: what it is, wherever they are.
    #[must_use]
    pub(super) fn without_places(mut self) -> Self {
        for (table, file) in self.files() {
            *file = table.to_owned();
        }
        self
    }
}

/// The datasheet `content`, which stands in `directory`, with other names of files: the first of each
/// pair, as it is seen from here, becomes the second.
fn renamed(content: Vec<u8>, directory: &Path, names: &[(String, String)]) -> Vec<u8> {
    let Ok(mut text) = String::from_utf8(content.clone()) else { return content };
    let mut stated = Vec::new();
    if let Ok(table) = text.parse() {
        strings(&Value::Table(table), &mut stated);
    }
    for own in stated {
        let here = from_here(directory, &own);
        let Some((_, name)) = names.iter().find(|(file, _)| *file == here) else { continue };
        for quote in ['"', '\''] {
            text = text.replace(&format!("{quote}{own}{quote}"), &format!("{quote}{name}{quote}"));
        }
    }
    text.into_bytes()
}

/// All texts in `value`.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Table(table) => table.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Sheet;

    #[test]
    fn copies_name_each_other() {
        let place = tempfile::tempdir().unwrap();
        let there = |name: &str| place.path().join(name);
        std::fs::create_dir(there("light")).unwrap();
        let mut light = Vec::new();
        let pixels = image::GrayImage::from_fn(8, 8, |x, _| image::Luma([100 + x as u8]));
        pixels.write_to(&mut std::io::Cursor::new(&mut light), image::ImageFormat::Png).unwrap();
        std::fs::write(there("light/a.png"), &light).unwrap();
        let sheet = "kind = 'spim' # mine\ntitle = 'x'\n[illumination.image]\n\
                     value = 'light/a.png'\nunit = '1'\nsource = 'measured'\n";
        std::fs::write(there("mine.toml"), sheet).unwrap();
        let text = "[network]\nlayers = [4, 2]\ntopology = 'all-to-all'\n[device.spim]\n\
                    sheet = 'mine.toml'\npatterns.count = 2\n";
        std::fs::write(there("x.toml"), text).unwrap();
        let mut experiment = Experiment::load(&there("x.toml"), &[]).unwrap();
        let before = experiment.device.clone();

        let copies = there("copies");
        std::fs::create_dir(&copies).unwrap();
        let taken = experiment.take_along(&copies).unwrap();
        let names: Vec<&str> = taken.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["device-mine.toml", "device-a.png"]);
        assert_eq!(taken[1].content, light);
        for file in &taken {
            std::fs::write(copies.join(&file.name), &file.content).unwrap();
        }
        assert_eq!(experiment.device.clone().without_places(), before.without_places());
        // The copies alone are the whole device.
        std::fs::remove_dir_all(there("light")).unwrap();
        let Device::Spim(device) = &experiment.device else { unreachable!() };
        let copy = Sheet::find(device.sheet.as_deref().unwrap()).unwrap();
        let image = copy.numbers["illumination.image"].value.as_str();
        assert_eq!(image.map(Path::new), Some(&*copies.join("device-a.png")));
        let text = String::from_utf8(taken[0].content.clone()).unwrap();
        assert!(text.starts_with("kind = 'spim' # mine\n"), "{text}");
    }
}
