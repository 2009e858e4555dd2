//! Resistive crossbars: word lines carry voltages, cells conduct, bit lines sum currents.
//!
//! A weight is a pair of cells, w = w_max (G+ - G-) / (g_max - g_min); the [`Mapping`] says which
//! of them carries it. Driven at its bit lines and read at its word lines, the same array gives the
//! transpose. A read passes through the converters and amplifiers:
//!
//! ```text
//! values -> DAC -> array (cells as they are, wires, gains) -> noise -> offsets -> ADC -> currents
//! ```
//!
//! - *Wires*: after programming, the array with its wires is compiled once into its effective
//!   matrix ([`effective`]); every later read is a dense product. With `wires.refresh` above
//!   1 the losses E / G of each cell are kept between compilations, and the difference that a new
//!   compilation makes is reported as staleness.
//! - *Tiles*: each tile has its own wires and, unless `tiles.sum = "analog"`, its own amplifiers
//!   and converters; partial sums add up.
//! - *Read noise*: every cell of every read carries an independent error. Where sigma is the same
//!   for all cells, the current of an output carries exactly N(0, 2 sigma^2 |v|^2), for the price
//!   of one deviate an output. Where it differs from cell to cell, the variance is the product of
//!   the cells' variances with v^2: a second product.
//! - *Non-linear cells*: currents of v, v^2 and v^3, a product each; from the other side the even
//!   one changes its sign, so the array is not reciprocal, and the steady state of port reversal no
//!   longer solves the adjoint equation. A 5-4-3-2 machine on the cells of `rram-milo` at 0.5 V
//!   finds a gradient of cosine 0.953 by AsymEP (relative error 0.34), at 0.05 V of 0.9996 (0.036);
//!   on the same cells with straight currents the error is below 1e-5 (`tests/crossbar_cells.rs`).
//! - *Memory*: cells are written to targets, with the weights kept digitally, or pulsed, and then
//!   are the only memory.
//!
//! What parts an array from an ideal one is a list of effects ([`CrossbarDevice`]), each a file in
//! `effects/` that owns its table, its formula and its off-switch; an array meets them through
//! [`ArrayEffect`].

mod array;
mod circuit;
mod device;
mod dissection;
mod effects;
mod hook;
mod periphery;
mod pulsed;
mod read;
mod settings;
mod tile;
mod writer;
mod written;

use std::sync::atomic::{AtomicU64, Ordering};

use nalgebra::DMatrix;

use super::{
    Coupler, Domain, Effect, Expense, Parameter, Port, Quantity, Read, Saturation,
    add_plain_product,
};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View, ViewMut};
use crate::state::State;
use array::{Array, Held};
use periphery::Periphery;

pub use circuit::{Solution, solve};
pub use dissection::effective;
pub use effects::*;
pub use hook::{ArrayEffect, Conversions, Lines, Load, Making, Path, Stage, Write};
pub use pulsed::PulsedCells;
pub use settings::{Age, Cost, Drive, Mapping, Pairs, TileSum, Tiles};
pub use writer::program_once;
pub use written::Cells;

/// Where the weights are.
#[derive(Clone, Debug)]
enum Memory<T: Real> {
    Written(Cells<T>),
    Pulsed(PulsedCells<T>),
}

/// A sum that all threads add to: whole numbers, so that their order does not matter.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Clone for Counter {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

/// A crossbar of pairs of cells behind converters, outputs (bit lines) x inputs (word lines).
#[derive(Clone, Debug)]
pub struct Crossbar<T: Real> {
    device: CrossbarDevice,
    /// What was asked for last.
    weights: DMatrix<T>,
    memory: Memory<T>,
    array: Array<T>,
    periphery: Periphery<T>,
    /// Energy spent in cells, attojoule.
    heat: Counter,
}

impl<T: Real> Crossbar<T> {
    /// The array `device` with `weights` (outputs x inputs) programmed into it; `key` names the
    /// random streams of this write and of what differs from cell to cell.
    ///
    /// # Errors
    /// When the array's network is singular in double precision.
    pub fn new(device: CrossbarDevice, weights: DMatrix<T>, key: Key) -> Result<Self> {
        let (outputs, inputs) = weights.shape();
        let making = Making { device: &device, outputs, inputs, key: key.with(u64::MAX) };
        let memory = if device.pulses.is_off() {
            let mut cells = Cells::new(&device, weights.shape(), making.key);
            cells.write(&device, &weights, key);
            Memory::Written(cells)
        } else {
            Memory::Pulsed(PulsedCells::new(&device, &weights, making.key))
        };
        let (periphery, gains) = (Periphery::new(&making), Periphery::gains(&making));
        let array =
            memory.with_held(&device, |held| Array::new(&device, gains, held, weights.shape()))?;
        let heat = Counter::default();
        let mut crossbar = Self { device, weights, memory, array, periphery, heat };
        crossbar.read_own_back();
        Ok(crossbar)
    }

    fn read_own_back(&mut self) {
        if let Memory::Pulsed(cells) = &self.memory {
            self.weights = cells.held(&self.device);
        }
    }

    /// How much the effective matrix differed, at most, from the one that replaced it: relative, 0
    /// unless `wires.refresh` is above 1.
    pub fn staleness(&self) -> f64 {
        self.array.staleness
    }

    fn written(&self) -> u64 {
        match &self.memory {
            Memory::Written(cells) => cells.written(),
            Memory::Pulsed(cells) => cells.written,
        }
    }
}

impl<T: Real> Memory<T> {
    /// The conductances G+ and G- as reads meet them, microsiemens, outputs x inputs.
    fn conductances(&self, device: &CrossbarDevice) -> [DMatrix<f64>; 2] {
        match self {
            Self::Written(cells) => cells.now(device),
            Self::Pulsed(cells) => {
                let seen = cells.seen(device);
                let of = |w: f64, side: usize| device.cells.conductances(w)[side].max(0.0);
                [0, 1].map(|side| seen.map(|w| of(w.f64(), side)))
            }
        }
    }

    /// Lets `work` see the cells as they are now.
    fn with_held<R>(&self, device: &CrossbarDevice, work: impl FnOnce(&Held<T>) -> R) -> R {
        let as_written = device.follows(Path::WeightsAsWritten);
        let cells = if as_written && !device.shows_conductances() {
            [DMatrix::zeros(0, 0), DMatrix::zeros(0, 0)]
        } else {
            self.conductances(device)
        };
        match self {
            Self::Written(own) => {
                let weights = as_written.then(|| own.weights());
                work(&Held { cells, weights, compensation: own.compensation(device) })
            }
            Self::Pulsed(own) => {
                let seen = own.seen(device);
                work(&Held { cells, weights: as_written.then_some(&seen), compensation: 1.0 })
            }
        }
    }
}

impl<T: Real> Coupler<T> for Crossbar<T> {
    fn shape(&self) -> (usize, usize) {
        self.weights.shape()
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) -> Result<()> {
        match &self.array.tiles[..] {
            [tile] if self.periphery.only_products => tile.linear.read(read, currents, scratch),
            [_] if self.periphery.only_noise && read.gain.is_none() => {
                self.read_straight(read, currents);
            }
            _ => self.read_through(read, currents, scratch),
        }
        Ok(())
    }

    fn is_plain_matrix(&self) -> bool {
        true
    }

    fn add_local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
        add_plain_product(d, v, gradient);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let bound = T::of(self.device.cells.weight_max);
        let domain = match self.memory {
            Memory::Written(_) => Domain::Interval(-bound, bound),
            // Each cell has bounds of its own.
            Memory::Pulsed(_) => Domain::Real,
        };
        vec![Parameter { name: "weights".into(), values: self.weights.clone(), domain }]
    }

    fn program(&mut self, values: &mut [DMatrix<T>], key: Key) -> Result<()> {
        self.weights.copy_from(&values[0]);
        match &mut self.memory {
            Memory::Written(cells) => cells.write(&self.device, &values[0], key),
            Memory::Pulsed(cells) => cells.write(&self.device, &values[0], key),
        }
        self.read_own_back();
        if let Memory::Pulsed(_) = self.memory {
            values[0].copy_from(&self.weights);
        }
        let (device, array) = (&self.device, &mut self.array);
        self.memory.with_held(device, |held| array.update(device, held))
    }

    fn intended(&self) -> DMatrix<T> {
        match &self.memory {
            Memory::Written(cells) => cells.targets().clone(),
            Memory::Pulsed(cells) => cells.held(&self.device),
        }
    }

    fn effective(&self) -> Option<DMatrix<T>> {
        Some(self.array.effective())
    }

    fn resolution(&self) -> f64 {
        let (outputs, inputs) = self.shape();
        let variances = self.array.tiles.iter().filter_map(|tile| tile.variances.as_ref());
        let variance: f64 = variances.map(|variances| variances.weights().sum().f64()).sum::<f64>()
            / outputs.max(1) as f64;
        let load = Load {
            weights: self.weights.norm().f64() / (outputs.max(1) as f64).sqrt(),
            conversions: self.array.conversions(Port::Forward) as f64,
        };
        let noise = self.periphery.noise_at_full_drive(inputs, variance);
        self.device
            .active::<T>()
            .rev()
            .fold(noise, |sum, effect| sum.hypot(effect.resolution(&load, &self.device)))
    }

    fn read_expense(&self, port: Port, wanted: usize) -> Expense {
        let (outputs, inputs) = self.shape();
        let driven = if port == Port::Forward { inputs } else { outputs };
        // As many conversions of an output as there are tiles along the driven lines.
        let read = wanted * self.array.conversions(port);
        let (mut conversions, mut picojoules) = (0, 0.0);
        for effect in self.device.active::<T>() {
            let own = effect.conversions(driven, read);
            conversions += own.count as u64;
            picojoules += own.picojoules;
        }
        Expense {
            conversions,
            seconds: self.device.cost.read_time_us * 1e-6,
            joules: picojoules * 1e-12,
            ..Expense::default()
        }
    }

    fn expense(&self) -> Expense {
        let (pulses, cost) = (self.written(), &self.device.cost);
        let heat = self.heat.0.load(Ordering::Relaxed) as f64 * 1e-18;
        Expense {
            pulses,
            seconds: pulses as f64 * cost.write_time_us * 1e-6,
            joules: pulses as f64 * cost.write_energy_pj * 1e-12 + heat,
            ..Expense::default()
        }
    }

    fn staleness(&self) -> f64 {
        self.array.staleness
    }

    fn saturation(&self) -> Vec<Saturation> {
        self.periphery.saturation()
    }

    fn quantities(&self) -> Vec<Quantity> {
        let [plus, minus] = self.memory.conductances(&self.device);
        [("conductance of G+", plus), ("conductance of G-", minus)]
            .map(|(name, cells)| Quantity {
                name: name.into(),
                unit: "uS",
                values: cells.as_slice().to_vec(),
            })
            .into()
    }

    fn state(&self) -> State<T> {
        let mut state = State::default()
            .with("heat_aJ", vec![self.heat.0.load(Ordering::Relaxed)])
            .with("wire_age", vec![self.array.age as u64])
            .with("staleness", vec![self.array.staleness]);
        for (name, losses) in LOSSES.into_iter().zip(&self.array.losses) {
            state.insert(name, losses.clone());
        }
        match &self.memory {
            Memory::Written(cells) => cells.save(&mut state),
            Memory::Pulsed(cells) => cells.save(&mut state),
        }
        state
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        self.heat.0.store(state.counts("heat_aJ", 1)?[0], Ordering::Relaxed);
        self.array.age = state.counts("wire_age", 1)?[0] as usize;
        self.array.staleness = state.numbers("staleness", 1)?[0];
        for (name, losses) in LOSSES.into_iter().zip(&mut self.array.losses) {
            losses.copy_from(state.matrix(name, losses.shape())?);
        }
        match &mut self.memory {
            Memory::Written(cells) => cells.restore(state)?,
            Memory::Pulsed(cells) => cells.restore(state)?,
        }
        self.read_own_back();
        let (device, array) = (&self.device, &mut self.array);
        // The losses came with the state, so nothing is solved anew.
        self.memory.with_held(device, |held| array.set(device, held, false))
    }
}

/// The names under which the wires' losses are saved.
const LOSSES: [&str; 2] = ["wire_losses_plus", "wire_losses_minus"];

#[cfg(test)]
mod tests;
