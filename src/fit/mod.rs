//! Datasheets from measurements: `equilux fit`.
//!
//! A table says by the names of its columns what was measured (in any unit of the kind: `conductance_nS`
//! as well):
//!
//! | columns | what becomes of them |
//! |---|---|
//! | `level`, `phase_rad` | the phase response of a modulator, smoothed to rise; with `row` and `column` of regions of the panel, how it varies over it |
//! | `target_uS`, `conductance_uS` | the programming error at each target |
//! | `cell`, `conductance_uS` | read noise: each cell read again and again |
//! | `cell`, `time_s`, `conductance_uS` | drift of cells, over their conductances where it depends on them |
//! | `cell`, `voltage_V`, `current_uA` | currents of cells beyond G u |
//! | `cell`, `pulse`, `conductance_uS`, and `cycle` where there are several | pulsed cells: potentiation and depression |
//!
//! ```
//! use equilux::fit::fit;
//! # let place = tempfile::tempdir()?;
//! # let path = place.path().join("reads.csv");
//! let table = "cell,conductance_uS\n1,10.1\n1,9.9\n1,10.0\n2,20.3\n2,20.0\n2,19.7\n";
//! std::fs::write(&path, table)?;
//! let found = fit(&path)?;
//! assert_eq!(found.kind, "crossbar");
//! assert!(found.numbers.contains_key("read_noise.sd_points_uS"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod drift;
mod estimate;
mod law;
mod programming;
mod reads;
mod response;
mod steps;

use std::collections::BTreeMap;
use std::path::Path;

use toml::Value;

use self::columns::Columns;
pub use self::estimate::Estimate;
use crate::experiment::{Beside, Number};
use crate::{Error, Result};

/// What a table of measurements says of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// The kind of device, `spim` or `crossbar`.
    pub kind: &'static str,
    /// Numbers of its datasheet by key.
    pub numbers: BTreeMap<String, Number>,
    /// Of a law over conductances: that to which they are in proportion, uS, in place of the `cells.g_max_uS`
    /// of the sheet.
    pub of_conductance_us: Option<f64>,
    /// What is too much for the datasheet.
    pub beside: Vec<Beside>,
    /// What was found, in words: name and value with its standard error.
    pub lines: Vec<(String, String)>,
    /// Data and model over each other.
    pub panels: Vec<Panel>,
}

/// Data and model in one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What it is called in names of files.
    pub name: &'static str,
    /// What is seen.
    pub caption: String,
    /// What the axes show, with units.
    pub axes: [String; 2],
    /// The measured points.
    pub dots: Vec<(f64, f64)>,
    /// The model: a line of each.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Whether the horizontal axis is logarithmic.
    pub logarithmic: bool,
}

/// What the measurements in the table `path` say of a device.
///
/// # Errors
/// When it cannot be read, its columns are those of no measurement, a cell is wrong (with its line), or
/// it does not say enough.
pub fn fit(path: &Path) -> Result<Fitted> {
    let table = Columns::read(path)?;
    let has = |keys: &[&str]| keys.iter().all(|key| table.has(key));
    if has(&["level", "phase_rad"]) {
        response::fit(&table)
    } else if has(&["cell", "pulse", "conductance_uS"]) {
        steps::fit(&table)
    } else if has(&["cell", "time_s", "conductance_uS"]) {
        drift::fit(&table)
    } else if has(&["cell", "voltage_V", "current_uA"]) {
        law::fit(&table)
    } else if has(&["target_uS", "conductance_uS"]) {
        programming::fit(&table)
    } else if has(&["cell", "conductance_uS"]) {
        reads::fit(&table)
    } else {
        Err(Error::input(format!(
            "{}: columns {}: expected level, phase_rad (a phase response); target_uS, conductance_uS \
             (programming); cell, conductance_uS (reads); cell, time_s, conductance_uS (drift); cell, \
             voltage_V, current_uA (cells that are not linear); or cell, pulse, conductance_uS (pulses); names with their units",
            path.display(),
            table.names().join(", ")
        )))
    }
}

impl Fitted {
    fn new(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Adds a number of the datasheet, with its source.
    fn number(&mut self, key: &str, value: impl Into<Value>, unit: &str, source: String) {
        let number = Number { value: value.into(), unit: unit.to_owned(), source };
        self.numbers.insert(key.to_owned(), number);
    }

    /// Adds what was found, in words.
    fn say(&mut self, name: &str, value: impl ToString) {
        self.lines.push((name.to_owned(), value.to_string()));
    }
}

/// Points of a straight line with corners, as a datasheet has them, to four digits.
fn points(curve: &[(f64, f64)]) -> Value {
    let pair = |(x, y): &(f64, f64)| {
        let number = |value: f64| Value::Float(estimate::rounded(value, 4));
        Value::Array(vec![number(*x), number(*y)])
    };
    Value::Array(curve.iter().map(pair).collect())
}

/// Where numbers come from: the file and what was measured.
fn source(table: &Columns, what: &str) -> String {
    let file = table.path().file_name().unwrap_or_default().to_string_lossy();
    format!("fit to {what} in {file}")
}
