//! What reads meet: the cells of an array and its wires as matrices.

use std::borrow::Cow;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::effects::CrossbarDevice;
use super::heat::Heating;
use super::hook::Path;
use super::law::Threshold;
use super::tile::{self, BehindWires, Circuit, Tile};
use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::{Effect, Port};

/// The compiled array.
#[derive(Clone, Debug)]
pub(super) struct Array<T: Real> {
    pub tiles: Vec<Tile<T>>,
    /// Gains of the outputs, the same in both directions; empty where all are 1.
    pub gains: Vec<T>,
    /// What is in series with each cell.
    pub selector: Threshold,
    /// What reads solve where cells behind resistive wires are not linear.
    pub circuits: Arc<Vec<Circuit>>,
    /// Weight times value of a current of an ampere in a circuit.
    pub per_ampere: f64,
    /// What tells the heat of reads.
    pub heating: Heating<T>,
    /// What wires make of a cell's conductance, a factor for each cell of both sides; empty where
    /// wires are perfect.
    pub losses: Vec<DMatrix<T>>,
    /// Programmings since the wires' effect was worked out.
    pub age: usize,
    /// The largest relative difference between an effective matrix with old losses, as reads have
    /// met them, and the one that replaced it.
    pub staleness: f64,
}

/// The cells as they are: conductances in microsiemens, and, where neither wires nor time changed
/// anything, their exact weights.
pub(super) struct Held<'a, T: Real> {
    /// Empty where the weights are all that counts.
    pub cells: [DMatrix<f64>; 2],
    /// What the cells were asked to be, microsiemens; empty as `cells`, and where their noise does
    /// not depend on it.
    pub asked: [DMatrix<f64>; 2],
    pub weights: Option<&'a DMatrix<T>>,
    /// What outputs are scaled by to make up for drift.
    pub compensation: f64,
}

impl<T: Real> Array<T> {
    /// The array of `shape` = (outputs, inputs) that holds `held`, behind amplifiers of `gains`.
    pub fn new(
        device: &CrossbarDevice,
        gains: Vec<T>,
        held: &Held<T>,
        shape: (usize, usize),
    ) -> Result<Self> {
        let tiles = device.tiles.converting(shape).into_iter();
        let mut array = Self {
            tiles: tiles.map(|(outputs, inputs)| Tile::blank(outputs, inputs)).collect(),
            gains,
            selector: device.law()(0.0).selector,
            circuits: Arc::default(),
            per_ampere: 0.0,
            heating: Heating::Unknown,
            losses: Vec::new(),
            age: 0,
            staleness: 0.0,
        };
        array.set(device, held, true)?;
        Ok(array)
    }

    /// After a programming: the wires' losses are worked out anew every `wires.refresh` times.
    pub fn update(&mut self, device: &CrossbarDevice, held: &Held<T>) -> Result<()> {
        self.age += 1;
        self.set(device, held, self.age >= device.wires.refresh)
    }

    /// Works out everything from the cells; the wires' losses only if `fresh`.
    pub fn set(&mut self, device: &CrossbarDevice, held: &Held<T>, fresh: bool) -> Result<()> {
        let scale = device.cells.weight_per_us() * held.compensation;
        let mut effective = match held.weights {
            Some(weights) => Cow::Borrowed(weights),
            None if device.wires.is_off() => Cow::Owned(difference(&held.cells, scale)),
            None => Cow::Owned(self.behind_wires(device, &held.cells, scale, fresh)?),
        };
        if !self.gains.is_empty() {
            self.amplify(effective.to_mut());
        }
        for tile in &mut self.tiles {
            tile.linear.set(tile.view(&effective));
        }
        if device.shows_conductances() {
            self.compile(device, held, scale)?;
        }
        Ok(())
    }

    /// The effective matrix behind wires, from the losses of before unless `fresh`.
    fn behind_wires(
        &mut self,
        device: &CrossbarDevice,
        cells: &[DMatrix<f64>; 2],
        scale: f64,
        fresh: bool,
    ) -> Result<DMatrix<T>> {
        let stale = (!self.losses.is_empty()).then(|| lossy(cells, &self.losses, scale));
        if let Some(stale) = stale.as_ref().filter(|_| !fresh) {
            return Ok(stale.clone());
        }
        let BehindWires { effective, ends } = tile::behind_wires(device, cells)?;
        self.losses = losses(cells, &effective);
        if !ends.is_empty() {
            self.heating = Heating::Ends(ends);
        }
        // Through the losses, as later reads and a resumed run will: the same bits.
        let fresh = lossy(cells, &self.losses, scale);
        // Losses that were worked out anew at every programming are not stale for any read.
        if let Some(stale) = stale.filter(|_| self.age > 1) {
            self.staleness = self.staleness.max(difference_between(&stale, &fresh));
        }
        self.age = 0;
        Ok(fresh)
    }

    /// The relative difference between the effective matrix in use and what it should be.
    ///
    /// # Errors
    /// When the array's network is singular.
    pub fn stale_by(&self, device: &CrossbarDevice, held: &Held<T>) -> Result<f64> {
        if self.age == 0 || self.losses.is_empty() {
            return Ok(0.0);
        }
        let BehindWires { effective, .. } = tile::behind_wires::<T>(device, &held.cells)?;
        let with = |own: &[DMatrix<T>]| lossy::<T>(&held.cells, own, held.compensation);
        Ok(difference_between(&with(&self.losses), &with(&losses(&held.cells, &effective))))
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

    /// How many tiles convert for one line that is read when `port` is driven.
    pub fn conversions(&self, port: Port) -> usize {
        self.tiles.iter().filter(|tile| tile.driven(port.other()).start == 0).count()
    }

    /// Lays out what conductances say beyond the weights.
    fn compile(&mut self, device: &CrossbarDevice, held: &Held<T>, scale: f64) -> Result<()> {
        let plus = &held.cells[0];
        let straight = device.follows(Path::StraightCurrents);
        if !straight && !device.wires.is_off() {
            self.circuits = Arc::new(tile::circuits(device, &held.cells)?);
            self.per_ampere = scale * 1e6 / device.drive.volts_per_value();
        }
        let powers = (!straight && device.wires.is_off())
            .then(|| [0, 1].map(|power| self.power(device, held, power, scale)));
        let variances = (!device.follows(Path::EvenNoise)).then(|| {
            let noise = [0, 1].map(|side| {
                device.cell_noise(held.cells[side].as_slice(), held.asked[side].as_slice())
            });
            let pairs = noise[0].iter().zip(&noise[1]);
            let variances =
                pairs.map(|(plus, minus)| T::of((plus.powi(2) + minus.powi(2)) * scale * scale));
            let mut matrix = DMatrix::from_iterator(plus.nrows(), plus.ncols(), variances);
            (0..2).for_each(|_| self.amplify(&mut matrix));
            matrix
        });
        for tile in &mut self.tiles {
            tile.powers =
                powers.as_ref().map(|powers| powers.each_ref().map(|power| tile.part_of(power)));
            tile.variances = variances.as_ref().map(|variances| tile.part_of(variances));
        }
        if device.cost.counts_heat() && device.wires.is_off() {
            let law = device.law();
            let beyond = (!straight).then(|| {
                [0, 1].map(|power| {
                    held.cells.each_ref().map(|cells| cells.map(|g| law(g * 1e-6).beyond[power]))
                })
            });
            self.heating = Heating::lines(&held.cells, beyond);
        }
        Ok(())
    }

    /// The currents of the values' squares (`power` 0) or cubes (1), in weights.
    fn power(
        &self,
        device: &CrossbarDevice,
        held: &Held<T>,
        power: usize,
        scale: f64,
    ) -> DMatrix<T> {
        let mut matrix = current_of(device, &held.cells, power, scale).map(T::of);
        self.amplify(&mut matrix);
        matrix
    }

    /// Multiplies the rows of `matrix` by the gains, if there are any.
    fn amplify(&self, matrix: &mut DMatrix<T>) {
        for (mut row, gain) in matrix.row_iter_mut().zip(&self.gains) {
            row *= *gain;
        }
    }
}

/// The currents of the values' squares (`power` 0) or cubes (1) in pairs of `cells`, in weights.
pub(super) fn current_of(
    device: &CrossbarDevice,
    [plus, minus]: &[DMatrix<f64>; 2],
    power: usize,
    scale: f64,
) -> DMatrix<f64> {
    let law = device.law();
    let term = |g_us: f64| law(g_us * 1e-6).beyond[power];
    let factor = scale * 1e6 * device.drive.volts_per_value().powi(power as i32 + 1);
    plus.zip_map(minus, |plus, minus| (term(plus) - term(minus)) * factor)
}

/// What wires make of a cell's conductance: a factor for each cell of both sides.
fn losses<T: Real>(cells: &[DMatrix<f64>; 2], effective: &[DMatrix<f64>; 2]) -> Vec<DMatrix<T>> {
    let loss = |behind: f64, cell: f64| if cell > 0.0 { T::of(behind / cell) } else { T::one() };
    (0..2).map(|side| effective[side].zip_map(&cells[side], loss)).collect()
}

/// The weights of pairs of cells behind wires of these `losses`.
fn lossy<T: Real>(cells: &[DMatrix<f64>; 2], losses: &[DMatrix<T>], scale: f64) -> DMatrix<T> {
    let with = |side: usize| cells[side].zip_map(&losses[side], |g, loss| g * loss.f64());
    difference(&[with(0), with(1)], scale)
}

/// |a - b| / |b|.
fn difference_between<T: Real>(a: &DMatrix<T>, b: &DMatrix<T>) -> f64 {
    (a - b).norm().f64() / b.norm().f64().max(f64::MIN_POSITIVE)
}

/// The weights of pairs of cells.
fn difference<T: Real>([plus, minus]: &[DMatrix<f64>; 2], scale: f64) -> DMatrix<T> {
    plus.zip_map(minus, |plus, minus| T::of((plus - minus) * scale))
}
