//! Target conductances of a crossbar's cells, tile by tile: word lines (inputs) x bit lines
//! (outputs), as an array is drawn and as `equilux crossbar` takes it.

use std::ops::Range;
use std::path::Path;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::bundle::{Bundle, file_name};
use crate::coupler::Effect;
use crate::coupler::crossbar::{CrossbarDevice, Mapping};
use crate::file::matrix::read_matrix;
use crate::{Error, Result};

/// An array of pairs of cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossbarArray {
    /// The parameter it holds, outputs (bit lines) x inputs (word lines).
    pub parameter: String,
    /// How a weight becomes conductances.
    pub mapping: Mapping,
    /// The weight of one microsiemens of G+ - G-.
    #[serde(rename = "weight_per_uS")]
    pub weight_per_us: f64,
    /// Lowest conductance of a cell.
    #[serde(rename = "g_min_uS")]
    pub g_min_us: f64,
    /// Highest conductance of a cell.
    #[serde(rename = "g_max_uS")]
    pub g_max_us: f64,
    /// Levels of a cell; 0 is a continuum.
    pub levels: u32,
    /// Write-and-verify stops within this distance of the target.
    #[serde(rename = "write_tolerance_uS")]
    pub write_tolerance_us: f64,
    /// Weights that were beyond the range and were clipped.
    pub clipped: usize,
    /// Its tiles.
    pub tiles: Vec<TileFiles>,
}

/// The files of one tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileFiles {
    /// First output, and the one after the last.
    pub outputs: [usize; 2],
    /// First input, and the one after the last.
    pub inputs: [usize; 2],
    /// Conductances G+, word lines x bit lines.
    pub plus: String,
    /// Conductances G-, word lines x bit lines.
    pub minus: String,
    /// Pulses from weight 0, word lines x bit lines, where cells are pulsed.
    pub pulses: Option<String>,
}

/// The array whose weights the parameter `name` is.
pub(super) fn array_of(name: &str) -> &str {
    name.strip_suffix(".weights").unwrap_or(name)
}

impl CrossbarArray {
    /// The name of the array in its network.
    pub(super) fn name(&self) -> &str {
        array_of(&self.parameter)
    }

    /// What is not as on `device`: key, value found, value expected.
    pub(super) fn differs_from(
        &self,
        device: &CrossbarDevice,
    ) -> Vec<(&'static str, String, String)> {
        let (cells, mut differing) = (&device.cells, Vec::new());
        let mut compare = |key, found: String, expected: String| {
            if found != expected {
                differing.push((key, found, expected));
            }
        };
        for (key, found, expected) in [
            ("weight_per_uS", self.weight_per_us, cells.weight_per_us()),
            ("g_min_uS", self.g_min_us, cells.g_min_us),
            ("g_max_uS", self.g_max_us, cells.g_max_us),
            ("write_tolerance_uS", self.write_tolerance_us, device.programming.tolerance_us),
        ] {
            compare(key, found.to_string(), expected.to_string());
        }
        compare("levels", self.levels.to_string(), device.levels.number().to_string());
        compare("mapping", format!("{:?}", self.mapping), format!("{:?}", cells.mapping));
        let end = |ends: fn(&TileFiles) -> usize| self.tiles.iter().map(ends).max().unwrap_or(0);
        let shape = (end(|tile| tile.outputs[1]), end(|tile| tile.inputs[1]));
        let along = |length: usize, limit| if limit == 0 { 1 } else { length.div_ceil(limit) };
        let tiles = &device.tiles;
        let count = along(shape.0, tiles.columns).saturating_mul(along(shape.1, tiles.rows));
        if count != self.tiles.len() {
            compare("tiles", self.tiles.len().to_string(), count.to_string());
        } else {
            let places = |tile: &TileFiles| (tile.outputs, tile.inputs);
            let expected = device.tiles.of(shape).into_iter();
            let expected: Vec<_> =
                expected.map(|(o, i)| ([o.start, o.end], [i.start, i.end])).collect();
            let found: Vec<_> = self.tiles.iter().map(places).collect();
            compare("tiles", format!("{found:?}"), format!("{expected:?}"));
        }
        differing
    }
}

impl TileFiles {
    /// The names of its files.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.plus, &self.minus].into_iter().chain(&self.pulses).map(String::as_str)
    }
}

/// Writes the targets of `weights`, outputs x inputs.
pub(super) fn write(
    bundle: &mut Bundle,
    parameter: &str,
    weights: &DMatrix<f64>,
    device: &CrossbarDevice,
    clip: bool,
) -> Result<CrossbarArray> {
    // A rounding of single precision is not beyond the range.
    let bound = device.cells.weight_max * (1.0 + f64::from(f32::EPSILON));
    let clipped = weights.iter().filter(|weight| weight.abs() > bound).count();
    if clipped > 0 && !clip {
        let largest = weights.amax();
        return Err(Error::input(format!(
            "{parameter}: {clipped} of {} weights are beyond the range of the cells, the largest {largest}, its device.crossbar.cells.weight_max = {}; \
             --clip clips and counts them",
            weights.len(),
            device.cells.weight_max
        )));
    }
    let targets = weights.map(|weight| device.nearest_weight(weight));
    let cells = [0, 1].map(|side| targets.map(|weight| device.cells.conductances(weight)[side]));
    let mut tiles = Vec::new();
    for (outputs, inputs) in device.tiles.of(weights.shape()) {
        let number =
            |range: &Range<usize>, limit: usize| range.start.checked_div(limit).unwrap_or(0);
        let stem = format!(
            ".tile-{}-{}",
            number(&outputs, device.tiles.columns),
            number(&inputs, device.tiles.rows)
        );
        let part = |matrix: &DMatrix<f64>| {
            let size = (outputs.len(), inputs.len());
            matrix.view((outputs.start, inputs.start), size).transpose()
        };
        let mut name = |side: &str, what: &str, unit: &str, matrix: &DMatrix<f64>| {
            bundle.write_matrix(
                &file_name(parameter, &format!("{stem}.{side}")),
                &format!("{what} of {parameter}, word lines (inputs) x bit lines (outputs)"),
                unit,
                matrix,
            )
        };
        tiles.push(TileFiles {
            outputs: [outputs.start, outputs.end],
            inputs: [inputs.start, inputs.end],
            plus: name("plus", "target conductances G+", "uS", &part(&cells[0]))?,
            minus: name("minus", "target conductances G-", "uS", &part(&cells[1]))?,
            pulses: if device.pulses.is_off() {
                None
            } else {
                let (range, step) = (device.cells.weight_max, device.pulses.step);
                let pulses = part(&targets).map(|weight| (weight / range / step).round());
                Some(name("pulses", "pulses from weight 0", "pulses", &pulses)?)
            },
        });
    }
    Ok(CrossbarArray {
        parameter: parameter.into(),
        mapping: device.cells.mapping,
        weight_per_us: device.cells.weight_per_us(),
        g_min_us: device.cells.g_min_us,
        g_max_us: device.cells.g_max_us,
        levels: device.levels.number() as u32,
        write_tolerance_us: device.programming.tolerance_us,
        clipped,
        tiles,
    })
}

/// The weights, outputs x inputs, that the conductances in `directory` stand for.
pub(super) fn read(directory: &Path, array: &CrossbarArray) -> Result<DMatrix<f64>> {
    let differences = array
        .tiles
        .iter()
        .map(|tile| difference(directory, array, tile))
        .collect::<Result<Vec<_>>>()?;
    let end = |ends: fn(&TileFiles) -> usize| array.tiles.iter().map(ends).max().unwrap_or(0);
    let (outputs, inputs) = (end(|tile| tile.outputs[1]), end(|tile| tile.inputs[1]));
    let cells: usize = differences.iter().map(DMatrix::len).sum();
    let uneven = || {
        Error::input(format!(
            "{}: its {cells} pairs of cells do not tile {outputs} x {inputs} weights",
            array.parameter
        ))
    };
    if outputs.checked_mul(inputs) != Some(cells) {
        return Err(uneven());
    }
    let mut weights = DMatrix::from_element(outputs, inputs, f64::NAN);
    for (tile, difference) in array.tiles.iter().zip(&differences) {
        weights
            .view_mut((tile.outputs[0], tile.inputs[0]), difference.shape())
            .copy_from(&(difference * array.weight_per_us));
    }
    // As many cells as weights, and each weight written: none twice.
    if weights.iter().any(|weight| weight.is_nan()) { Err(uneven()) } else { Ok(weights) }
}

/// G+ - G- of one tile, outputs x inputs.
fn difference(directory: &Path, array: &CrossbarArray, tile: &TileFiles) -> Result<DMatrix<f64>> {
    let length = |[start, end]: [usize; 2]| end.saturating_sub(start);
    let shape = (length(tile.inputs), length(tile.outputs));
    let cells = |file: &str| {
        let path = directory.join(file);
        let cells = read_matrix(&path)?;
        if cells.shape() != shape {
            let (rows, columns) = cells.shape();
            return Err(Error::input(format!(
                "{}: expected {} x {} cells (word lines x bit lines), found {rows} x {columns}",
                path.display(),
                shape.0,
                shape.1
            )));
        }
        let range = array.g_min_us * (1.0 - 1e-12)..=array.g_max_us * (1.0 + 1e-12);
        match cells.iter().find(|g| !range.contains(g)) {
            None => Ok(cells),
            Some(g) => Err(Error::input(format!(
                "{}: {g} uS is out of the range of the cells, {} to {} uS",
                path.display(),
                array.g_min_us,
                array.g_max_us
            ))),
        }
    };
    Ok((cells(&tile.plus)? - cells(&tile.minus)?).transpose())
}
