//! What is each cell's own and fixed in the chip: whether it is stuck, and a deviate for every effect
//! by which cells differ. It depends on the seed and the chip alone, so that the same cells can be
//! looked at at another time, or behind other converters.

use nalgebra::DMatrix;

use super::effects::{CrossbarDevice, MappedCells};
use super::hook::Making;
use crate::arithmetic::Real;

/// Cells of G+ and of G-.
#[derive(Clone, Debug)]
pub(super) struct ChipCells<T: Real> {
    /// Conductances of cells that no write moves, not-a-number for others; empty where all move.
    pub stuck: [Vec<f64>; 2],
    /// Measured deviations of writes, microsiemens; empty where none were.
    pub error: [Vec<f64>; 2],
    /// Standard normal deviates, one list an effect of the device's list, empty where it needs none.
    deviates: Vec<[Vec<T>; 2]>,
}

impl<T: Real> ChipCells<T> {
    /// The cells of the array `making`, of which `measured` were measured.
    pub fn new(making: &Making, measured: MappedCells) -> Self {
        let Making { device, outputs, inputs, key } = *making;
        let cells = outputs * inputs;
        let mut stream = key.with(1).stream();
        let stuck = [0, 1].map(|side| {
            let mut stuck = vec![f64::NAN; cells];
            device.active::<T>().for_each(|effect| effect.fix(&mut stuck, &mut stream, device));
            measured.put_stuck(side, &mut stuck);
            if stuck.iter().all(|cell| cell.is_nan()) { Vec::new() } else { stuck }
        });
        let hooks = device.hooks::<T>().into_iter().zip(0..);
        let deviates = hooks.map(|((_, effect), index)| {
            [0, 1].map(|side| {
                let varies = effect.varies() && !effect.is_off();
                let mut deviates = vec![T::zero(); if varies { cells } else { 0 }];
                key.with(3).with(index).with(side).add_normals(&mut deviates, T::one());
                deviates
            })
        });
        Self { stuck, error: measured.error, deviates: deviates.collect() }
    }

    /// Whether there are cells that no write moves.
    pub fn has_stuck(&self) -> bool {
        self.stuck.iter().any(|stuck| !stuck.is_empty())
    }

    /// Puts the conductances (microsiemens) of stuck cells among those of the others.
    pub fn put_stuck(&self, cells: &mut [DMatrix<f64>; 2]) {
        for (cells, stuck) in cells.iter_mut().zip(&self.stuck) {
            for (cell, stuck) in cells.iter_mut().zip(stuck).filter(|(_, stuck)| !stuck.is_nan()) {
                *cell = *stuck;
            }
        }
    }

    /// Takes `cells`, as they were programmed when asked to be `written`, to the time of the reads.
    /// Stuck cells stay what they are.
    pub fn age(
        &self,
        device: &CrossbarDevice,
        mut cells: [DMatrix<f64>; 2],
        written: &[DMatrix<f64>; 2],
    ) -> [DMatrix<f64>; 2] {
        for ((_, effect), deviates) in device.hooks::<T>().into_iter().zip(&self.deviates) {
            if effect.is_off() {
                continue;
            }
            for side in 0..2 {
                let (cells, written) = (cells[side].as_mut_slice(), written[side].as_slice());
                effect.age(cells, written, &deviates[side], device);
            }
        }
        self.put_stuck(&mut cells);
        cells
    }
}
