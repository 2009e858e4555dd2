//! Tiles: parts of an array with wires of their own, compiled to what reads meet.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn};

use super::dissection;
use super::effects::CrossbarDevice;
use crate::Result;
use crate::arithmetic::{Real, View};
use crate::coupler::matrix::TwoWayMatrix;
use crate::coupler::{Effect, Port};

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

    /// The lines that are driven at `port`.
    pub fn driven(&self, port: Port) -> &Range<usize> {
        match port {
            Port::Forward => &self.inputs,
            Port::Reversed => &self.outputs,
        }
    }

    /// This tile's part of `matrix`, laid out for reads.
    pub fn part_of(&self, matrix: &DMatrix<T>) -> TwoWayMatrix<T> {
        TwoWayMatrix::new(self.view(matrix))
    }

    /// This tile's part of `matrix`.
    pub fn view<'a>(&self, matrix: &'a DMatrix<T>) -> View<'a, T> {
        let (outputs, inputs) = (&self.outputs, &self.inputs);
        let size = (Dyn(outputs.len()), Dyn(inputs.len()));
        matrix.generic_view((outputs.start, inputs.start), size)
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
    if device.wires.is_off() {
        return Ok(cells.clone());
    }
    let side = |cells: &DMatrix<f64>| {
        let mut effective = cells.clone();
        for (outputs, inputs) in device.tiles.of(cells.shape()) {
            let (start, size) = ((outputs.start, inputs.start), (outputs.len(), inputs.len()));
            let siemens = cells.view(start, size).transpose() * 1e-6;
            let compiled = dissection::effective(&siemens, device.wires)?;
            effective.view_mut(start, size).copy_from(&(compiled.transpose() * 1e6));
        }
        Ok(effective)
    };
    let (plus, minus) = rayon::join(|| side(&cells[0]), || side(&cells[1]));
    Ok([plus?, minus?])
}
