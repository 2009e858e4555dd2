//! Tiles: parts of an array with wires of their own, compiled to what reads meet.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn};

use super::device::{CrossbarDevice, TileSum};
use super::wires;
use crate::Result;
use crate::arithmetic::real::{Real, View};
use crate::coupler::matrix::TwoWayMatrix;

/// One tile, or the whole array where partial sums are added before conversion.
#[derive(Clone, Debug)]
pub(super) struct Tile<T: Real> {
    pub inputs: Range<usize>,
    pub outputs: Range<usize>,
    /// Currents of the values, outputs x inputs, in weights.
    pub linear: TwoWayMatrix<T>,
    /// Currents of the values' squares and cubes, where cells are not linear.
    pub powers: Option<[TwoWayMatrix<T>; 2]>,
    /// Variances of the weights from read to read, where they differ from cell to cell.
    pub variances: Option<TwoWayMatrix<T>>,
}

impl<T: Real> Tile<T> {
    /// A tile to be filled.
    pub fn blank(outputs: Range<usize>, inputs: Range<usize>) -> Self {
        Self { outputs, inputs, linear: TwoWayMatrix::default(), powers: None, variances: None }
    }
}

/// Pieces of `0..length` of at most `limit`; 0 is no limit.
fn pieces(length: usize, limit: usize) -> Vec<Range<usize>> {
    let limit = if limit == 0 { length.max(1) } else { limit };
    (0..length).step_by(limit).map(|start| start..length.min(start + limit)).collect()
}

impl CrossbarDevice {
    /// The tiles of an array of `shape` = (outputs, inputs): (outputs, inputs) of each.
    pub fn tiles(&self, shape: (usize, usize)) -> Vec<(Range<usize>, Range<usize>)> {
        let (outputs, inputs) = (pieces(shape.0, self.tile_cols), pieces(shape.1, self.tile_rows));
        inputs
            .iter()
            .flat_map(|inputs| outputs.iter().map(|outputs| (outputs.clone(), inputs.clone())))
            .collect()
    }
}

/// The tiles that convert on their own.
pub(super) fn converting(
    device: &CrossbarDevice,
    shape: (usize, usize),
) -> Vec<(Range<usize>, Range<usize>)> {
    match device.tile_sum {
        TileSum::Digital => device.tiles(shape),
        TileSum::Analog => vec![(0..shape.0, 0..shape.1)],
    }
}

/// The effective conductances of both cells of every pair behind the wires of their tiles, in the
/// unit of `cells`, microsiemens.
///
/// # Errors
/// When a tile's network is singular.
pub(super) fn behind_wires(
    device: &CrossbarDevice,
    cells: &[DMatrix<f64>; 2],
) -> Result<[DMatrix<f64>; 2]> {
    if device.wires().are_perfect() {
        return Ok(cells.clone());
    }
    let side = |cells: &DMatrix<f64>| {
        let mut effective = cells.clone();
        for (outputs, inputs) in device.tiles(cells.shape()) {
            let (start, size) = ((outputs.start, inputs.start), (outputs.len(), inputs.len()));
            let siemens = cells.view(start, size).transpose() * 1e-6;
            let compiled = wires::effective(&siemens, device.wires())?;
            effective.view_mut(start, size).copy_from(&(compiled.transpose() * 1e6));
        }
        Ok(effective)
    };
    let (plus, minus) = rayon::join(|| side(&cells[0]), || side(&cells[1]));
    Ok([plus?, minus?])
}

/// The part of `matrix` that belongs to a tile.
pub(super) fn part<'a, T: Real>(
    matrix: &'a DMatrix<T>,
    outputs: &Range<usize>,
    inputs: &Range<usize>,
) -> View<'a, T> {
    matrix.generic_view((outputs.start, inputs.start), (Dyn(outputs.len()), Dyn(inputs.len())))
}
