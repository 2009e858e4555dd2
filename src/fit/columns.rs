//! Tables of measurements: CSV with a header, columns found by what they are called.

use std::path::{Path, PathBuf};

use crate::data::separator;
use crate::file::{limits, read_text};
use crate::quantity::unit;
use crate::{Error, Result};

/// A table of measurements.
pub(super) struct Columns {
    path: PathBuf,
    names: Vec<String>,
    /// Row by row, as many as there are names.
    cells: Vec<Vec<String>>,
    /// The line of each row.
    lines: Vec<u64>,
    /// Whether a comma may be that of a number.
    decimal_comma: bool,
}

impl Columns {
    /// The table in `path`; empty lines and those that begin with # apart.
    ///
    /// # Errors
    /// When it cannot be read, has no header, two columns of one name, a row of another length, or no row.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
        let is_comment = |line: &&str| line.trim_start().starts_with('#');
        let head = text.lines().find(|line| !is_comment(line)).unwrap_or_default();
        let separator = separator(head.as_bytes());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let told = |e: csv::Error| wrong(format!("not a table: {e}"));
        let names: Vec<String> = reader.headers().map_err(told)?.iter().map(String::from).collect();
        if let Some(name) = names.iter().find(|name| {
            names.iter().filter(|other| other == name).count() > 1 || name.parse::<f64>().is_ok()
        }) {
            return Err(wrong(format!(
                "column `{name}`: expected names, each once, on the first line"
            )));
        }
        let (mut cells, mut lines) = (Vec::new(), Vec::new());
        for record in reader.records() {
            let record = record.map_err(told)?;
            lines.push(record.position().map_or(0, csv::Position::line));
            cells.push(record.iter().map(String::from).collect());
        }
        limits::NUMBERS.product(&[cells.len(), names.len()]).map_err(wrong)?;
        if cells.is_empty() {
            return Err(wrong("no measurement: expected at least one line below the names".into()));
        }
        // Other separators leave the comma to numbers.
        let decimal_comma = separator != b',';
        Ok(Self { path: path.to_owned(), names, cells, lines, decimal_comma })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Where the column is that says what `key` does, and what takes its numbers to the unit of `key`:
    /// `conductance_nS` says what `conductance_uS` does.
    fn find(&self, key: &str) -> Option<(usize, f64)> {
        // What has a unit says it.
        let stem = |name: &str| match unit::of(name) {
            Some(_) => (name.rsplit_once('_').map_or(name, |(stem, _)| stem).to_lowercase(), true),
            None => (name.to_lowercase(), false),
        };
        let at = self.names.iter().position(|name| stem(name) == stem(key))?;
        let factor = unit::of(&self.names[at]).map_or(Ok(1.0), |own| unit::factor(key, own));
        Some((at, factor.ok()?))
    }

    /// Whether there is a column that says what `key` does.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// The texts of the column `key`, one a row.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>> {
        let (at, _) = self.find(key).ok_or_else(|| {
            let (path, names) = (self.path.display(), self.names.join(", "));
            Error::input(format!("{path}: no column `{key}` among {names}"))
        })?;
        Ok(self.cells.iter().map(|row| row[at].as_str()).collect())
    }

    /// The numbers of the column `key`, one a row, in its unit.
    ///
    /// # Errors
    /// When there is no such column, or a cell is no finite number.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>> {
        let factor = self.find(key).map_or(1.0, |(_, factor)| factor);
        let number = |(row, text): (usize, &str)| {
            let point = if self.decimal_comma { text.replace(',', ".") } else { text.to_owned() };
            let value = point.parse::<f64>().ok().filter(|value| value.is_finite());
            value.map(|value| value * factor).ok_or_else(|| {
                self.wrong(row, &format!("{key} = {text:?}: expected a finite number"))
            })
        };
        self.texts(key)?.into_iter().enumerate().map(number).collect()
    }

    /// What is wrong with a row.
    pub fn wrong(&self, row: usize, message: &str) -> Error {
        Error::input(format!("{}: line {}: {message}", self.path.display(), self.lines[row]))
    }

    /// The rows of each text of the column `key`, in the order in which they first come.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn groups(&self, key: &str) -> Result<Vec<(&str, Vec<usize>)>> {
        let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (row, text) in self.texts(key)?.into_iter().enumerate() {
            let place = *places.entry(text).or_insert_with(|| {
                groups.push((text, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(row);
        }
        Ok(groups)
    }
}
