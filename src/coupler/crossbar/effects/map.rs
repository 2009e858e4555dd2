//! Cells that were measured one by one: which no write moves, and how well the others take one.
//!
//! An archive of numpy (.npz) has arrays of the shape of a tile's files in an export, word lines x bit
//! lines, called by the array of the network (0-1), the side (plus, minus) and what they are:
//!
//! | array | microsiemens, cell by cell |
//! |---|---|
//! | `0-1.plus.stuck`, `0-1.minus.stuck` | the conductance of a cell that no write moves, 0 of an open one; NaN of cells that move |
//! | `0-1.plus.error`, `0-1.minus.error` | the standard deviation of what a write leaves the cell at |
//!
//! What is not there is as the rest of the device says. A map of stuck cells without NaN is an array as it
//! was measured: it runs, and only what is beside its cells learns.

use std::path::Path as FilePath;

use nalgebra::DMatrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::crossbar::{ArrayEffect, CrossbarDevice, Path, Write};
use crate::error::did_you_mean;
use crate::file::npz::Npz;
use crate::{Error, Result};

/// Cells measured by their places: the table `[device.crossbar.map]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CellMap {
    /// An archive of numpy (.npz): for the array 0-1 of the network `0-1.plus.stuck` and
    /// `0-1.minus.stuck`, conductances (microsiemens, word lines x bit lines) of cells that no write moves,
    /// 0 of open ones, NaN of those that move; `0-1.plus.error` and `0-1.minus.error`, deviations of writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What a map says of the cells of one array, G+ and G-, outputs x inputs by column; lists are empty where it
/// says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedCells {
    /// Conductances of cells that no write moves, microsiemens; not-a-number of others.
    pub stuck: [Vec<f64>; 2],
    /// Standard deviations of what a write leaves a cell at, microsiemens.
    pub error: [Vec<f64>; 2],
}

/// The names of an array's sides.
const SIDES: [&str; 2] = ["plus", "minus"];

impl CellMap {
    /// Refuses to be of an array by itself: it has none of a network's names.
    ///
    /// # Errors
    /// When there is a file.
    pub fn expect_none(&self) -> Result<()> {
        match &self.file {
            None => Ok(()),
            Some(file) => Err(Error::input(format!(
                "map.file = {file:?}: cells by their places are those of a network's arrays; expected an experiment"
            ))),
        }
    }

    /// What it says of array number `index` of `arrays`, outputs x inputs cells of either sign; every entry
    /// belongs to one of `arrays`.
    ///
    /// # Errors
    /// When the file cannot be read, has an entry that is nobody's, of another shape, or of a number that is
    /// none.
    pub fn read(
        &self,
        arrays: &[String],
        index: usize,
        (outputs, inputs): (usize, usize),
    ) -> Result<MappedCells> {
        let Some(file) = &self.file else { return Ok(MappedCells::default()) };
        let wrong = |message: String| Error::input(format!("map.file: {file}: {message}"));
        let mut archive = Npz::open(FilePath::new(file))?;
        let known = |array: &String| {
            let of = |side: &str| ["stuck", "error"].map(|what| format!("{array}.{side}.{what}"));
            SIDES.map(of).concat()
        };
        let names = archive.names();
        let all: Vec<String> = arrays.iter().flat_map(known).collect();
        if let Some(name) = names.iter().find(|name| !all.contains(name)) {
            let near = did_you_mean(name, all.iter().map(String::as_str));
            let array = &arrays[0];
            return Err(wrong(format!(
                "{name}: expected ARRAY.plus.stuck, ARRAY.minus.stuck, ARRAY.plus.error or ARRAY.minus.error of \
                 the arrays {}, such as {array}.plus.stuck{near}",
                arrays.join(", ")
            )));
        }
        let mut list = |side: &str, what: &str| -> Result<Vec<f64>> {
            let name = format!("{}.{side}.{what}", arrays[index]);
            if !names.contains(&name) {
                return Ok(Vec::new());
            }
            let array = archive.array(&name)?;
            if array.shape != [inputs, outputs] {
                return Err(wrong(format!(
                    "{name}: expected {inputs} word lines x {outputs} bit lines, found {:?}",
                    array.shape
                )));
            }
            let moves = |value: f64| value.is_nan() && what == "stuck";
            let bad = array.values.iter().position(|g| !(moves(*g) || g.is_finite() && *g >= 0.0));
            if let Some(at) = bad {
                let (word, bit) = (at / outputs, at % outputs);
                return Err(wrong(format!(
                    "{name}: word line {word}, bit line {bit}: expected microsiemens of at least 0, found {}",
                    array.values[at]
                )));
            }
            let cells = DMatrix::from_row_slice(inputs, outputs, &array.values);
            Ok(cells.transpose().as_slice().to_vec())
        };
        let mut of = |what| Ok::<_, Error>([list(SIDES[0], what)?, list(SIDES[1], what)?]);
        Ok(MappedCells { stuck: of("stuck")?, error: of("error")? })
    }
}

impl MappedCells {
    /// Puts what it says of cells that no write moves into `stuck`, all cells of a side.
    pub fn put_stuck(&self, side: usize, stuck: &mut [f64]) {
        for (cell, own) in stuck.iter_mut().zip(&self.stuck[side]).filter(|(_, own)| !own.is_nan())
        {
            *cell = *own;
        }
    }

    /// Whether it says how well cells take a write.
    pub fn has_errors(&self) -> bool {
        self.error.iter().any(|error| !error.is_empty())
    }
}

impl Effect for CellMap {
    fn title(&self) -> &'static str {
        "measured cells"
    }

    fn is_off(&self) -> bool {
        self.file.is_none()
    }

    fn measured(&mut self) -> Option<&mut String> {
        self.file.as_mut()
    }
}

impl<T: Real> ArrayEffect<T> for CellMap {
    fn follows(&self, path: Path, _: &CrossbarDevice) -> bool {
        path == Path::Pulses || path.is_of_cells() || path.is_of_products()
    }

    fn draws(&self) -> bool {
        false
    }

    fn write(&self, writes: &mut [Write], _: &mut Stream, _: &CrossbarDevice) {
        for write in writes {
            write.cell = (write.cell + write.error * write.deviate).max(0.0);
        }
    }
}
