//! What reads meet: the cells of an array, its wires and its amplifiers as matrices.

use std::borrow::Cow;

use nalgebra::DMatrix;

use super::device::CrossbarDevice;
use super::tile::{self, Tile};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::coupler::matrix::TwoWayMatrix;

/// Amplifiers at the lines: constant in time, different from node to node.
#[derive(Clone, Debug)]
pub(super) struct Amplifiers<T> {
    /// Gains of the outputs, the same in both directions; empty where all are 1.
    pub gains: Vec<T>,
    /// Offsets of reads at the outputs and at the inputs; empty where all are 0.
    pub offsets: [Vec<T>; 2],
    /// Gains that only reads at the inputs have; empty where all are 1.
    pub reverse_gains: Vec<T>,
}

impl<T: Real> Amplifiers<T> {
    pub fn new(device: &CrossbarDevice, (outputs, inputs): (usize, usize), key: Key) -> Self {
        let draw = |deviation: f64, mean: f64, count: usize, index: u64| -> Vec<T> {
            let mut values = vec![T::of(mean); if deviation > 0.0 { count } else { 0 }];
            key.with(index).add_normals(&mut values, T::of(deviation));
            values
        };
        Self {
            gains: draw(device.gain_sd, 1.0, outputs, 0),
            offsets: [
                draw(device.offset_sd, 0.0, outputs, 1),
                draw(device.reverse_offset_sd, 0.0, inputs, 2),
            ],
            reverse_gains: draw(device.reverse_gain_sd, 1.0, inputs, 3),
        }
    }

    pub fn are_perfect(&self) -> bool {
        self.offsets.iter().all(Vec::is_empty) && self.reverse_gains.is_empty()
    }
}

/// The compiled array.
#[derive(Clone, Debug)]
pub(super) struct Array<T: Real> {
    pub tiles: Vec<Tile<T>>,
    /// The conductance on every input and on every output, microsiemens.
    pub conductances: [Vec<T>; 2],
    /// What wires make of a cell's conductance, a factor for each cell of both sides; empty where
    /// wires are perfect.
    pub losses: Vec<DMatrix<T>>,
    /// Programmings since the wires' effect was worked out.
    pub age: usize,
    /// The largest relative difference between an effective matrix with old losses and the one that
    /// replaced it.
    pub staleness: f64,
}

/// The cells as they are: conductances in microsiemens, and, where neither wires nor time changed
/// anything, their exact weights.
pub(super) struct Held<'a, T: Real> {
    /// Empty where the weights are all that counts.
    pub cells: [DMatrix<f64>; 2],
    pub weights: Option<&'a DMatrix<T>>,
    /// What outputs are scaled by to make up for drift.
    pub compensation: f64,
}

impl<T: Real> Held<'_, T> {
    pub fn no_cells() -> [DMatrix<f64>; 2] {
        [DMatrix::zeros(0, 0), DMatrix::zeros(0, 0)]
    }
}

impl CrossbarDevice {
    /// Whether conductances count even where the exact weights are known.
    pub(super) fn shows_conductances(&self) -> bool {
        !self.cell_current().is_linear() || !self.read_noise_q.is_empty() || self.read_time_us > 0.0
    }
}

impl<T: Real> Array<T> {
    pub fn new(
        device: &CrossbarDevice,
        amplifiers: &Amplifiers<T>,
        held: &Held<T>,
        shape: (usize, usize),
    ) -> Result<Self> {
        let mut array = Self {
            tiles: tile::converting(device, shape)
                .into_iter()
                .map(|(outputs, inputs)| Tile::blank(outputs, inputs))
                .collect(),
            conductances: [Vec::new(), Vec::new()],
            losses: Vec::new(),
            age: 0,
            staleness: 0.0,
        };
        array.set(device, amplifiers, held, true)?;
        Ok(array)
    }

    /// After a programming: the wires' losses are worked out anew every `wire_refresh` times.
    pub fn update(
        &mut self,
        device: &CrossbarDevice,
        amplifiers: &Amplifiers<T>,
        held: &Held<T>,
    ) -> Result<()> {
        self.age += 1;
        self.set(device, amplifiers, held, self.age >= device.wire_refresh)
    }

    /// Works out everything from the cells; the wires' losses only if `fresh`.
    pub fn set(
        &mut self,
        device: &CrossbarDevice,
        amplifiers: &Amplifiers<T>,
        held: &Held<T>,
        fresh: bool,
    ) -> Result<()> {
        let scale = device.weight_per_us() * held.compensation;
        let difference = |[plus, minus]: &[DMatrix<f64>; 2]| {
            plus.zip_map(minus, |plus, minus| T::of((plus - minus) * scale))
        };
        let wires = !device.wires().are_perfect();
        let mut effective = match held.weights {
            Some(weights) => Cow::Borrowed(weights),
            None if !wires => Cow::Owned(difference(&held.cells)),
            None => {
                let stale =
                    (!self.losses.is_empty()).then(|| difference(&self.with_losses(&held.cells)));
                Cow::Owned(match stale {
                    Some(stale) if !fresh => stale,
                    stale => {
                        let effective = tile::behind_wires(device, &held.cells)?;
                        let loss = |behind: f64, cell: f64| {
                            if cell > 0.0 { T::of(behind / cell) } else { T::one() }
                        };
                        self.losses = (0..2)
                            .map(|side| effective[side].zip_map(&held.cells[side], loss))
                            .collect();
                        // Through the losses, as later reads and a resumed run will: the same bits.
                        let fresh = difference(&self.with_losses(&held.cells));
                        if let Some(stale) = stale {
                            let relative = (&stale - &fresh).norm().f64()
                                / fresh.norm().f64().max(f64::MIN_POSITIVE);
                            self.staleness = self.staleness.max(relative);
                        }
                        self.age = 0;
                        fresh
                    }
                })
            }
        };
        if !amplifiers.gains.is_empty() {
            amplify(effective.to_mut(), &amplifiers.gains);
        }
        for tile in &mut self.tiles {
            tile.linear.set(tile::part(&effective, &tile.outputs, &tile.inputs));
        }
        if device.shows_conductances() {
            self.compile(device, amplifiers, held);
        }
        Ok(())
    }

    fn with_losses(&self, cells: &[DMatrix<f64>; 2]) -> [DMatrix<f64>; 2] {
        [0, 1].map(|side| cells[side].zip_map(&self.losses[side], |cell, loss| cell * loss.f64()))
    }

    /// Currents of the values, outputs x inputs, in weights: all tiles together.
    pub fn effective(&self) -> DMatrix<T> {
        let end = |ends: fn(&Tile<T>) -> usize| self.tiles.iter().map(ends).max().unwrap_or(0);
        let mut effective =
            DMatrix::zeros(end(|tile| tile.outputs.end), end(|tile| tile.inputs.end));
        for Tile { outputs, inputs, linear, .. } in &self.tiles {
            let part = (outputs.len(), inputs.len());
            effective.view_mut((outputs.start, inputs.start), part).copy_from(&linear.weights());
        }
        effective
    }

    /// Lays out what conductances say beyond the weights.
    fn compile(&mut self, device: &CrossbarDevice, amplifiers: &Amplifiers<T>, held: &Held<T>) {
        let scale = device.weight_per_us() * held.compensation;
        let [plus, minus] = &held.cells;
        let law = device.cell_current();
        let per_value = device.read_voltage_v / device.dac_range;
        let powers = (!law.is_linear()).then(|| {
            [0, 1].map(|power| {
                let factor = scale * 1e6 * per_value.powi(power as i32 + 1);
                let term = |g_us: f64| law.coefficients(g_us * 1e-6)[power];
                let mut matrix =
                    plus.zip_map(minus, |plus, minus| T::of((term(plus) - term(minus)) * factor));
                amplify(&mut matrix, &amplifiers.gains);
                matrix
            })
        });
        let variances = (!device.read_noise_q.is_empty()).then(|| {
            let variance = |g_us: f64| device.read_noise(g_us).powi(2);
            let mut matrix = plus.zip_map(minus, |plus, minus| {
                T::of((variance(plus) + variance(minus)) * scale * scale)
            });
            (0..2).for_each(|_| amplify(&mut matrix, &amplifiers.gains));
            matrix
        });
        for tile in &mut self.tiles {
            let part = |matrix: &DMatrix<T>| {
                TwoWayMatrix::new(tile::part(matrix, &tile.outputs, &tile.inputs))
            };
            tile.powers = powers.as_ref().map(|powers| powers.each_ref().map(part));
            tile.variances = variances.as_ref().map(part);
        }
        if device.read_time_us > 0.0 {
            let sum = plus + minus;
            self.conductances = [
                sum.row_sum().iter().map(|g| T::of(*g)).collect(),
                sum.column_sum().iter().map(|g| T::of(*g)).collect(),
            ];
        }
    }
}

/// Multiplies the rows of `matrix` by `gains`, if there are any.
fn amplify<T: Real>(matrix: &mut DMatrix<T>, gains: &[T]) {
    for (mut row, gain) in matrix.row_iter_mut().zip(gains) {
        row *= *gain;
    }
}
