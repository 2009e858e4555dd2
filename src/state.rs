//! What a machine, a device or an optimiser must keep to go on after a stop: values by name.
//!
//! ```
//! use equilux::state::State;
//! let mut state = State::<f32>::default();
//! state.insert("pulses", vec![7u64]);
//! let mut whole = State::default();
//! whole.nest("0-1", state);
//! assert_eq!(whole.part("0-1").counts("pulses", 1)?, [7]);
//! assert!(whole.counts("pulses", 1).unwrap_err().to_string().contains("pulses"));
//! # Ok::<(), equilux::Error>(())
//! ```

use std::collections::BTreeMap;

use nalgebra::DMatrix;

use crate::arithmetic::Real;
use crate::{Error, Result};

/// One value that is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<T: Real> {
    /// A matrix in the precision of the simulation.
    Matrix(DMatrix<T>),
    /// Numbers in double precision.
    Numbers(Vec<f64>),
    /// Whole numbers: counters, clocks.
    Counts(Vec<u64>),
    /// Text: a serial number, a session's name.
    Text(String),
}

impl<T: Real> From<DMatrix<T>> for Entry<T> {
    fn from(matrix: DMatrix<T>) -> Self {
        Self::Matrix(matrix)
    }
}

impl<T: Real> From<Vec<f64>> for Entry<T> {
    fn from(numbers: Vec<f64>) -> Self {
        Self::Numbers(numbers)
    }
}

impl<T: Real> From<Vec<u64>> for Entry<T> {
    fn from(counts: Vec<u64>) -> Self {
        Self::Counts(counts)
    }
}

impl<T: Real> From<String> for Entry<T> {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Real> Entry<T> {
    fn describe(&self) -> String {
        match self {
            Self::Matrix(matrix) => format!("a matrix of {} x {}", matrix.nrows(), matrix.ncols()),
            Self::Numbers(numbers) => format!("{} numbers", numbers.len()),
            Self::Counts(counts) => format!("{} whole numbers", counts.len()),
            Self::Text(_) => "text".into(),
        }
    }
}

/// Named values. Names of parts are joined by a slash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State<T: Real> {
    entries: BTreeMap<String, Entry<T>>,
}

impl<T: Real> State<T> {
    /// Keeps `value` under `name`.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Entry<T>>) {
        self.entries.insert(name.into(), value.into());
    }

    /// This state with `value` under `name`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Entry<T>>) -> Self {
        self.insert(name, value);
        self
    }

    /// Keeps everything in `part`, under names that begin with `name/`.
    pub fn nest(&mut self, name: &str, part: Self) {
        let named = part.entries.into_iter().map(|(own, entry)| (format!("{name}/{own}"), entry));
        self.entries.extend(named);
    }

    /// What was kept by [`nest`](Self::nest) under `name`.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let prefix = format!("{name}/");
        let own = |(full, entry): (&String, &Entry<T>)| {
            full.strip_prefix(&prefix).map(|own| (own.to_owned(), entry.clone()))
        };
        Self { entries: self.entries.iter().filter_map(own).collect() }
    }

    /// Everything, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry<T>)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The matrix `name` of `shape`.
    ///
    /// # Errors
    /// When there is no such matrix.
    pub fn matrix(&self, name: &str, shape: (usize, usize)) -> Result<&DMatrix<T>> {
        match self.entries.get(name) {
            Some(Entry::Matrix(matrix)) if matrix.shape() == shape => Ok(matrix),
            other => {
                let (rows, columns) = shape;
                Err(unexpected(name, &format!("a matrix of {rows} x {columns}"), other))
            }
        }
    }

    /// The `count` numbers `name`.
    ///
    /// # Errors
    /// When there are no such numbers.
    pub fn numbers(&self, name: &str, count: usize) -> Result<&[f64]> {
        match self.entries.get(name) {
            Some(Entry::Numbers(numbers)) if numbers.len() == count => Ok(numbers),
            other => Err(unexpected(name, &format!("{count} numbers"), other)),
        }
    }

    /// The `count` whole numbers `name`.
    ///
    /// # Errors
    /// When there are no such numbers.
    pub fn counts(&self, name: &str, count: usize) -> Result<&[u64]> {
        match self.entries.get(name) {
            Some(Entry::Counts(counts)) if counts.len() == count => Ok(counts),
            other => Err(unexpected(name, &format!("{count} whole numbers"), other)),
        }
    }

    /// The text `name`.
    ///
    /// # Errors
    /// When there is no such text.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.entries.get(name) {
            Some(Entry::Text(text)) => Ok(text),
            other => Err(unexpected(name, "text", other)),
        }
    }
}

fn unexpected<T: Real>(name: &str, expected: &str, found: Option<&Entry<T>>) -> Error {
    let found = found.map_or("there is none".into(), |entry| format!("found {}", entry.describe()));
    Error::input(format!("state {name}: expected {expected}, {found}"))
}
