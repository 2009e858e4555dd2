//! Tiles: parts of an array with wires of their own, compiled to what reads meet.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn};

use super::chord::Chord;
use super::dissection;
use super::effects::CrossbarDevice;
use super::hook::Path;
use crate::Result;
use crate::arithmetic::{Real, View};
use crate::coupler::Port;
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

/// The driven ends of one tile with its own wires.
#[derive(Clone, Debug)]
pub(super) struct TileEnds<T: Real> {
    inputs: Range<usize>,
    outputs: Range<usize>,
    /// What the drivers of its inputs, and of its outputs, see: siemens, ends x ends, both cells of
    /// every pair together.
    pub admittances: [TwoWayMatrix<T>; 2],
}

impl<T: Real> TileEnds<T> {
    /// The lines that are driven at `port`.
    pub fn lines(&self, port: Port) -> &Range<usize> {
        match port {
            Port::Forward => &self.inputs,
            Port::Reversed => &self.outputs,
        }
    }

    /// What their drivers see.
    pub fn admittance(&self, port: Port) -> &TwoWayMatrix<T> {
        &self.admittances[port.index()]
    }
}

/// One tile of cells that are not linear behind its wires.
#[derive(Clone, Debug)]
pub(super) struct Circuit {
    pub inputs: Range<usize>,
    pub outputs: Range<usize>,
    /// Both cells of every pair.
    pub sides: [Chord; 2],
}

impl Circuit {
    /// The lines that are driven at `port`.
    pub fn driven(&self, port: Port) -> &Range<usize> {
        match port {
            Port::Forward => &self.inputs,
            Port::Reversed => &self.outputs,
        }
    }
}

/// Both sides of an array of cells that are not linear, `cells` in microsiemens, behind the wires of
/// their tiles.
///
/// # Errors
/// When a tile has too many cells, or its network is singular.
pub(super) fn circuits(device: &CrossbarDevice, cells: &[DMatrix<f64>; 2]) -> Result<Vec<Circuit>> {
    let tiles = device.tiles.of(cells[0].shape()).into_iter();
    let circuit = |(outputs, inputs): (Range<usize>, Range<usize>)| {
        let side = |cells: &DMatrix<f64>| {
            let (start, size) = ((outputs.start, inputs.start), (outputs.len(), inputs.len()));
            let siemens = cells.view(start, size).transpose() * 1e-6;
            Chord::new(&siemens, device.law(), device.wires, device.drive.voltage_v)
        };
        let (plus, minus) = rayon::join(|| side(&cells[0]), || side(&cells[1]));
        Ok(Circuit { sides: [plus?, minus?], inputs, outputs })
    };
    tiles.map(circuit).collect()
}

/// An array behind the wires of its tiles.
pub(super) struct BehindWires<T: Real> {
    /// The effective conductances of both cells of every pair, microsiemens, outputs x inputs.
    pub effective: [DMatrix<f64>; 2],
    /// The ends of its tiles; empty where nobody asks for heat.
    pub ends: Vec<TileEnds<T>>,
}

/// Both sides of an array, `cells` in microsiemens, behind the wires of their tiles.
///
/// # Errors
/// When a tile's network is singular.
pub(super) fn behind_wires<T: Real>(
    device: &CrossbarDevice,
    cells: &[DMatrix<f64>; 2],
) -> Result<BehindWires<T>> {
    // Of cells that are not linear the circuits tell the heat.
    let heated = device.cost.counts_heat() && device.follows(Path::StraightCurrents);
    let shape = cells[0].shape();
    let side = |cells: &DMatrix<f64>| {
        let (mut effective, mut ends) = (cells.clone(), Vec::new());
        for (outputs, inputs) in device.tiles.of(shape) {
            let (start, size) = ((outputs.start, inputs.start), (outputs.len(), inputs.len()));
            let siemens = cells.view(start, size).transpose() * 1e-6;
            let compiled = if heated {
                let with_ends = dissection::compiled(&siemens, device.wires)?;
                ends.push([with_ends.word, with_ends.bit]);
                with_ends.effective
            } else {
                dissection::effective(&siemens, device.wires)?
            };
            effective.view_mut(start, size).copy_from(&(compiled.transpose() * 1e6));
        }
        Ok((effective, ends))
    };
    let (plus, minus) = rayon::join(|| side(&cells[0]), || side(&cells[1]));
    let ((plus, plus_ends), (minus, minus_ends)) = (plus?, minus?);
    let both = plus_ends.iter().zip(&minus_ends);
    let ends = both.zip(device.tiles.of(shape)).map(|((plus, minus), (outputs, inputs))| {
        let sum = |end: usize| (&plus[end] + &minus[end]).map(T::of);
        let admittances = [0, 1].map(|end| TwoWayMatrix::new(sum(end).as_view()));
        TileEnds { inputs, outputs, admittances }
    });
    Ok(BehindWires { effective: [plus, minus], ends: ends.collect() })
}
