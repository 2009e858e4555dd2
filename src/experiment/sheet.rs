//! Datasheets: one file a device, every number with its unit and its source.
//!
//! ```toml
//! kind = "crossbar"                 # or "spim"
//! title = "A crossbar as one finds it"
//!
//! [read_noise.sd_uS]                # a key of the device's table [device.crossbar.read_noise]
//! value = 0.05
//! unit = "uS"
//! source = "assumed: 0.2 % of the range"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::Device;
use super::beside::Beside;
use super::places::from_here;
use super::setting::{located, set, set_value};
use crate::coupler::crossbar::CrossbarDevice;
use crate::coupler::spim::SpimDevice;
use crate::error::did_you_mean;
use crate::file::matrix::write_matrix;
use crate::file::{read_text, write_text};
use crate::quantity::unit;
use crate::{Error, Result};

/// The sheets that come with the program.
const EMBEDDED: [(&str, &str); 22] = [
    ("capacitor", include_str!("../../devices/capacitor.toml")),
    ("crossbar-generic", include_str!("../../devices/crossbar-generic.toml")),
    ("ecram", include_str!("../../devices/ecram.toml")),
    ("gokmen-vlasov", include_str!("../../devices/gokmen-vlasov.toml")),
    ("hamamatsu-x15213", include_str!("../../devices/hamamatsu-x15213.toml")),
    ("holoeye-gaea-2", include_str!("../../devices/holoeye-gaea-2.toml")),
    ("holoeye-pluto-2", include_str!("../../devices/holoeye-pluto-2.toml")),
    ("ideal-crossbar", include_str!("../../devices/ideal-crossbar.toml")),
    ("ideal-slm", include_str!("../../devices/ideal-slm.toml")),
    ("idealized-pulses", include_str!("../../devices/idealized-pulses.toml")),
    ("meadowlark-1920x1152", include_str!("../../devices/meadowlark-1920x1152.toml")),
    ("pcm-joshi", include_str!("../../devices/pcm-joshi.toml")),
    ("pcm-nandakumar", include_str!("../../devices/pcm-nandakumar.toml")),
    ("reram-es", include_str!("../../devices/reram-es.toml")),
    ("reram-sb", include_str!("../../devices/reram-sb.toml")),
    ("rram-milo", include_str!("../../devices/rram-milo.toml")),
    ("rram-wan", include_str!("../../devices/rram-wan.toml")),
    ("santec-slm-200", include_str!("../../devices/santec-slm-200.toml")),
    ("spim-generic", include_str!("../../devices/spim-generic.toml")),
    ("spim-laboratory", include_str!("../../devices/spim-laboratory.toml")),
    ("spim-laboratory-rough", include_str!("../../devices/spim-laboratory-rough.toml")),
    ("ti-plm", include_str!("../../devices/ti-plm.toml")),
];

/// A device's numbers, each with its unit and its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sheet {
    /// The kind of device, the name of its table: `spim` or `crossbar`.
    pub kind: String,
    /// What it is, in words.
    pub title: String,
    /// The numbers by key, such as `camera.bits`, in the units of their keys.
    #[serde(flatten)]
    pub numbers: BTreeMap<String, Number>,
}

/// One number of a datasheet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// The value.
    pub value: Value,
    /// Its unit; `1` for a pure number.
    pub unit: String,
    /// Where it comes from.
    pub source: String,
}

/// The file as it is written: tables of tables, a number where they have a `value`.
#[derive(Deserialize)]
struct Written {
    kind: String,
    title: String,
    #[serde(flatten)]
    tables: Table,
}

/// Collects the numbers in `value`, the content of the key `key`.
fn collect(key: &str, value: &Value, numbers: &mut BTreeMap<String, Number>) -> Result<(), String> {
    let expected = || format!("{key}: expected a table with value, unit and source");
    let table = value.as_table().ok_or_else(expected)?;
    if table.contains_key("value") {
        let number: Number = value
            .clone()
            .try_into()
            .map_err(|e: toml::de::Error| format!("{key}: {}", e.message()))?;
        numbers.insert(key.to_owned(), number);
        return Ok(());
    }
    if table.is_empty() || ["unit", "source"].iter().any(|name| table.contains_key(*name)) {
        return Err(expected());
    }
    table.iter().try_for_each(|(name, value)| collect(&format!("{key}.{name}"), value, numbers))
}

impl Number {
    /// The same number in the unit that its key names.
    fn in_unit_of(self, key: &str) -> Result<Self, String> {
        // A file's name: its unit is that of the numbers in the file.
        if self.value.is_str() && unit::of(key).is_none() {
            return Ok(self);
        }
        let factor = unit::factor(key, &self.unit)?;
        let own = unit::of(key);
        if factor == 1.0 {
            let unit = own.map_or(self.unit, String::from);
            return Ok(Self { unit, ..self });
        }
        let value = scaled(&self.value, factor)
            .ok_or_else(|| format!("value = {}: expected numbers to convert", self.value))?;
        let source = format!("{} (stated as {} {})", self.source, self.value, self.unit);
        Ok(Self { value, unit: own.unwrap_or("1").to_owned(), source })
    }
}

/// A number, or each number of a list, times `factor`; nothing of what is neither.
fn scaled(value: &Value, factor: f64) -> Option<Value> {
    match value {
        Value::Float(value) => Some(Value::Float(value * factor)),
        Value::Integer(value) => Some(Value::Float(*value as f64 * factor)),
        Value::Array(values) => values
            .iter()
            .map(|value| scaled(value, factor))
            .collect::<Option<_>>()
            .map(Value::Array),
        _ => None,
    }
}

impl Sheet {
    /// The sheet called `name` among those that come with the program, else the file of that path.
    ///
    /// # Errors
    /// When there is none (with the nearest name), or its content is not a valid datasheet.
    pub fn find(name: &str) -> Result<Self> {
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(text, name),
            None if name.ends_with(".toml") => {
                let path = Path::new(name);
                let sheet = Self::parse(&read_text(path)?, name)?;
                Ok(sheet.with_files_in(path.parent().unwrap_or(Path::new(""))))
            }
            None => {
                let known: Vec<&str> = EMBEDDED.iter().map(|(known, _)| *known).collect();
                let suggestion = did_you_mean(name, known.iter().copied());
                Err(Error::input(format!(
                    "no datasheet is called `{name}`; expected a path ending in .toml or one of {}{suggestion}",
                    known.join(", ")
                )))
            }
        }
    }

    /// Whether the file at `path` is a datasheet: it states a kind of device.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_one(path: &Path) -> Result<bool> {
        let table = read_text(path)?.parse::<Table>();
        Ok(table.is_ok_and(|table| table.get("kind").is_some_and(Value::is_str)))
    }

    /// The names of the sheets that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// The optical device of the sheet `name`, with `settings` (`key=value`, keys of
    /// `[device.spim]`) over its numbers.
    ///
    /// # Errors
    /// When there is no such sheet, it describes another kind of device, or a setting is wrong.
    pub fn spim(name: &str, settings: &[String]) -> Result<SpimDevice> {
        let sheet = Self::find(name)?;
        if sheet.kind != "spim" {
            return Err(Error::input(format!(
                "datasheet {name} describes a {}: expected a spim",
                sheet.kind
            )));
        }
        let mut table = sheet.values();
        for setting in settings {
            set(&mut table, setting)?;
        }
        Value::Table(table).try_into().map_err(|e| {
            located(&format!("datasheet {name} --set {}", settings.join(" --set ")), &e)
        })
    }

    /// The crossbar of the sheet `name`.
    ///
    /// # Errors
    /// When there is no such sheet, or it describes another kind of device.
    pub fn crossbar(name: &str) -> Result<CrossbarDevice> {
        match Self::find(name)?.device()? {
            Device::Crossbar(device) => Ok(*device),
            _ => {
                Err(Error::input(format!("--device {name}: that datasheet describes no crossbar")))
            }
        }
    }

    /// It with the files that it names by their places from `directory`, where it stands itself.
    fn with_files_in(mut self, directory: &Path) -> Self {
        let files: Vec<String> = self.device().map_or(Vec::new(), |mut device| {
            device.files().into_iter().map(|(_, file)| file.clone()).collect()
        });
        for number in self.numbers.values_mut() {
            if let Value::String(file) = &mut number.value
                && files.contains(file)
            {
                *file = from_here(directory, file);
            }
        }
        self
    }

    fn parse(text: &str, name: &str) -> Result<Self> {
        let Written { kind, title, tables } = toml::from_str(text).map_err(|e| {
            let table = text.parse::<Table>().unwrap_or_default();
            match ["network", "training", "learning"].iter().find(|key| table.contains_key(**key)) {
                Some(key) => Error::input(format!(
                    "{name}: an experiment, with [{key}]: expected a datasheet, with kind, title and numbers; \
                     equilux train {name} trains it"
                )),
                None => located(name, &e),
            }
        })?;
        let wrong = |e: String| Error::input(format!("datasheet {name}: {e}"));
        let mut numbers = BTreeMap::new();
        let mut tables = tables.iter();
        tables.try_for_each(|(key, value)| collect(key, value, &mut numbers)).map_err(wrong)?;
        let stated = Self { kind, title, numbers };
        let convert = |(key, number): (&String, &Number)| {
            let number = number.clone().in_unit_of(key).map_err(|e| (key.clone(), e))?;
            Ok((key.clone(), number))
        };
        let numbers: Result<_, (String, String)> = stated.numbers.iter().map(convert).collect();
        let check = |sheet: &Self| {
            let device = sheet.device().map_err(|e| wrong(e.to_string()))?;
            device.check().map_err(wrong)
        };
        match numbers {
            Ok(numbers) => {
                let sheet = Self { numbers, ..stated };
                check(&sheet)?;
                Ok(sheet)
            }
            // A key that there is not has no unit either; what is in a wrong unit has no range.
            Err((key, unit)) => {
                let absent = |e: &Error| e.to_string().contains("unknown field");
                let unit = wrong(format!("{key}: {unit}"));
                Err(check(&stated).err().filter(absent).unwrap_or(unit))
            }
        }
    }

    /// The text of a file that holds it, in the order of its keys: it has been read once.
    ///
    /// # Errors
    /// When a number is none that the device has, or is out of range.
    pub fn to_toml(&self) -> Result<String> {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = format!("kind = {}\ntitle = {}\n", quoted(&self.kind), quoted(&self.title));
        for (key, Number { value, unit, source }) in &self.numbers {
            let (unit, source) = (quoted(unit), quoted(source));
            text += &format!("\n[{key}]\nvalue = {value}\nunit = {unit}\nsource = {source}\n");
        }
        Self::parse(&text, &self.title).map(|_| text)
    }

    /// Writes it to the file `path`, and `measured` beside it, which it then names.
    ///
    /// # Errors
    /// Those of [`to_toml`](Self::to_toml), before anything is written; when a file cannot be written.
    pub fn write(&mut self, path: &Path, measured: &[Beside]) -> Result<()> {
        for file in measured {
            // It is seen from where the sheet is.
            let name = file.path(path);
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (unit, source) = (file.unit.into(), file.source.clone());
            self.numbers.insert(file.key.into(), Number { value: name.into(), unit, source });
        }
        let text = self.to_toml()?;
        for file in measured {
            write_matrix(&file.path(path), &file.values)?;
        }
        write_text(path, &text)
    }

    /// The device of these numbers alone.
    ///
    /// # Errors
    /// When a number is none that the device has.
    pub fn device(&self) -> Result<Device> {
        let table = Table::from_iter([(self.kind.clone(), Value::Table(self.values()))]);
        Value::Table(table).try_into().map_err(|e| located(&self.title, &e))
    }

    /// The numbers as a device's table.
    pub fn values(&self) -> Table {
        let mut table = Table::new();
        for (key, number) in &self.numbers {
            set_value(&mut table, key, number.value.clone());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_sheet_is_valid_and_every_file_is_embedded() {
        for (name, _) in EMBEDDED {
            let sheet = Sheet::find(name).unwrap();
            assert!(
                sheet
                    .numbers
                    .values()
                    .all(|number| !number.unit.is_empty() && !number.source.is_empty()),
                "{name}"
            );
        }
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/devices")).unwrap();
        assert_eq!(
            files
                .filter(|file| file
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == "toml"))
                .count(),
            EMBEDDED.len()
        );
    }

    #[test]
    fn files_of_a_sheet_stand_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("mine.toml");
        let text = "kind = 'spim'\ntitle = 'x'\n[illumination.image]\nvalue = 'light.png'\n\
                    unit = '1'\nsource = 'measured'\n";
        std::fs::write(&path, text).unwrap();
        let sheet = Sheet::find(path.to_str().unwrap()).unwrap();
        let image = sheet.numbers["illumination.image"].value.as_str();
        assert_eq!(image.map(Path::new), Some(&*place.path().join("light.png")));
    }

    #[test]
    fn a_sheet_with_an_unknown_number_is_refused() {
        let text = "kind = 'crossbar'\ntitle = 'x'\n[read_noise.sd_us]\nvalue = 1\nunit = 'uS'\nsource = 'x'\n";
        assert!(
            Sheet::parse(text, "x.toml").unwrap_err().to_string().contains("did you mean `sd_uS`?")
        );
        let text = "kind = 'crossbar'\ntitle = 'x'\n[read_noise.sd_uS]\nvalue = 1\nunit = 'uS'\n";
        assert!(Sheet::parse(text, "x.toml").unwrap_err().to_string().contains("source"));
    }

    #[test]
    fn a_sheet_whose_numbers_do_not_fit_each_other_is_refused() {
        let text = "kind = 'crossbar'\ntitle = 'x'\n[cells.g_min_uS]\nvalue = 30\nunit = 'uS'\n\
                    source = 'x'\n";
        let refused = Sheet::parse(text, "x.toml").unwrap_err().to_string();
        assert_eq!(
            refused,
            "datasheet x.toml: cells.g_min_uS = 30: expected less than g_max_uS = 25"
        );
    }

    #[test]
    fn numbers_are_converted_to_the_unit_of_their_key() {
        let text = |unit: &str| {
            format!(
                "kind = 'crossbar'\ntitle = 'x'\n[read_noise.sd_uS]\nvalue = 50\nunit = '{unit}'\n\
                 source = 'measured'\n"
            )
        };
        let sheet = Sheet::parse(&text("nS"), "x.toml").unwrap();
        let number = &sheet.numbers["read_noise.sd_uS"];
        assert_eq!((&number.value, number.unit.as_str()), (&Value::Float(0.05), "uS"));
        let number = &Sheet::parse(&text("µS"), "x.toml").unwrap().numbers["read_noise.sd_uS"];
        assert_eq!((&number.value, number.unit.as_str()), (&Value::Integer(50), "uS"));
        let refused = Sheet::parse(&text("V"), "x.toml").unwrap_err().to_string();
        assert!(
            refused.contains("read_noise.sd_uS") && refused.contains("expected uS"),
            "{refused}"
        );
    }

    #[test]
    fn lists_and_percent_are_converted() {
        let text = |key: &str, value: &str, unit: &str| {
            format!(
                "kind = 'crossbar'\ntitle = 'x'\n[{key}]\nvalue = {value}\nunit = '{unit}'\nsource = 'x'\n"
            )
        };
        let sheet =
            |key: &str, value: &str, unit: &str| Sheet::parse(&text(key, value, unit), "x.toml");
        let points =
            sheet("programming.error_points_uS", "[[0, 0.001], [0.02, 0.002]]", "mS").unwrap();
        let Device::Crossbar(device) = points.device().unwrap() else { unreachable!() };
        assert_eq!(device.programming.error_points_us, [[0.0, 1.0], [20.0, 2.0]]);
        let stuck = sheet("stuck.at_min", "1.5", "%").unwrap();
        let number = &stuck.numbers["stuck.at_min"];
        assert_eq!((&number.value, number.unit.as_str()), (&Value::Float(0.015), "1"));
        // What is beyond its range only in a unit that it has not got is told the unit.
        let refused = sheet("cells.g_min_uS", "-5", "parsec").unwrap_err().to_string();
        assert!(refused.contains("unit = \"parsec\": expected uS"), "{refused}");
    }
}
