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
//! - *Non-linear cells*: currents of v, v^2 and v^3, a product each, of what selectors leave of v;
//!   behind resistive wires the circuit is solved for every read, all samples together (`chord.rs`).
//!   From the other side the even one changes its sign, so the array is not reciprocal, and the
//!   steady state of port reversal no longer solves the adjoint equation. A 5-4-3-2 machine on the cells of `rram-milo` at 0.5 V
//!   finds a gradient of cosine 0.953 by AsymEP (relative error 0.34), at 0.05 V of 0.9996 (0.036);
//!   on the same cells with straight currents the error is below 1e-5 (`tests/crossbar_cells.rs`).
//! - *Memory*: cells are written to targets, with the weights kept digitally, or pulsed, and then
//!   are the only memory.
//!
//! What parts an array from an ideal one is a list of effects ([`CrossbarDevice`]), each a file in
//! `effects/` that owns its table, its formula and its off-switch; an array meets them through
//! [`ArrayEffect`].

mod array;
mod bench;
mod chip;
mod chord;
mod circuit;
mod derivative;
mod device;
mod dissection;
mod effects;
mod heat;
mod hook;
mod instrument;
mod law;
mod periphery;
mod pulsed;
mod read;
mod remote;
mod settings;
mod tile;
mod writer;
mod written;

use nalgebra::DMatrix;

use super::{
    Coupler, Domain, Effect, Energy, Expense, Joules, Parameter, Port, Quantity, Read, Saturation,
    Span, add_plain_product,
};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View, ViewMut};
use crate::state::State;
use array::{Array, Held};
use chip::ChipCells;
use heat::{Counter, Heating};
use periphery::Periphery;
use pulsed::PulsedCells;
use writer::WriteTally;
use written::Cells;

pub use bench::{BenchArray, BenchOptions, CellUnit, program_once};
pub use circuit::{Solution, solve};
pub use dissection::effective;
pub use effects::*;
pub use hook::{ArrayEffect, Conversions, Lines, Load, Making, Path, Stage, Write};
pub use instrument::SimulatedArray;
pub use law::{CellLaw, Threshold};
pub use remote::RemoteArray;
pub use settings::{Age, Cost, Drive, Mapping, Noise, Pairs, TileSum, Tiles};

/// Where the weights are.
#[derive(Clone, Debug)]
enum Memory<T: Real> {
    Written(Cells<T>),
    Pulsed(PulsedCells<T>),
}

/// A crossbar of pairs of cells behind converters, outputs (bit lines) x inputs (word lines).
#[derive(Clone, Debug)]
pub struct Crossbar<T: Real> {
    device: CrossbarDevice,
    /// What was asked for last.
    weights: DMatrix<T>,
    memory: Memory<T>,
    chip: ChipCells<T>,
    array: Array<T>,
    periphery: Periphery<T>,
    /// Names the random streams of what is fixed in it.
    key: Key,
    /// Energy that reads have spent in cells and wires.
    heat: Counter,
}

impl<T: Real> Crossbar<T> {
    /// The array `device` with `weights` (outputs x inputs) programmed into it; `key` names the
    /// random streams of this write and of what differs from cell to cell.
    ///
    /// # Errors
    /// When the array's network is singular in double precision; when the device maps the cells of a
    /// network's arrays.
    pub fn new(device: CrossbarDevice, weights: DMatrix<T>, key: Key) -> Result<Self> {
        device.map.expect_none()?;
        Self::of_cells(device, weights, key, MappedCells::default())
    }

    /// [`new`](Self::new) with cells of which some were `measured`.
    ///
    /// # Errors
    /// When the array's network is singular in double precision.
    pub fn of_cells(
        device: CrossbarDevice,
        weights: DMatrix<T>,
        key: Key,
        measured: MappedCells,
    ) -> Result<Self> {
        let (outputs, inputs) = weights.shape();
        let making = Making { device: &device, outputs, inputs, key: key.with(u64::MAX) };
        let chip = ChipCells::new(&making, measured);
        let memory = if device.pulses.is_off() {
            let mut cells = Cells::new(&device, weights.shape());
            cells.write(&device, &chip, &weights, key);
            Memory::Written(cells)
        } else {
            Memory::Pulsed(PulsedCells::new(&device, &weights, making.key))
        };
        let (periphery, gains) = (Periphery::new(&making), Periphery::gains(&making));
        let shape = weights.shape();
        let array =
            memory.with_held(&device, &chip, |held| Array::new(&device, gains, held, shape))?;
        let (key, heat) = (making.key, Counter::default());
        let mut crossbar = Self { device, weights, memory, chip, array, periphery, key, heat };
        crossbar.read_own_back();
        Ok(crossbar)
    }

    /// What the losses in the wires depend on beside the cells as they were written.
    fn wired(&self) -> Vec<f64> {
        let CrossbarDevice { wires, tiles, age, cost, .. } = &self.device;
        let heated = f64::from(u8::from(cost.counts_heat()));
        let size = [tiles.rows as f64, tiles.columns as f64];
        vec![wires.r_word_ohm, wires.r_bit_ohm, size[0], size[1], age.at_s, heated]
    }

    /// Looks at the cells after a write.
    fn read_cells(&mut self) -> Result<()> {
        self.read_own_back();
        let (device, array) = (&self.device, &mut self.array);
        self.memory.with_held(device, &self.chip, |held| array.update(device, held))
    }

    fn read_own_back(&mut self) {
        if let Memory::Pulsed(cells) = &self.memory {
            self.weights = cells.held(&self.device);
        }
    }

    /// Pulses so far, and cells that write-and-verify gave up.
    fn tally(&self) -> WriteTally {
        match &self.memory {
            Memory::Written(cells) => cells.tally(),
            Memory::Pulsed(cells) => WriteTally { pulses: cells.written, given_up: 0 },
        }
    }
}

impl<T: Real> Memory<T> {
    /// The conductances G+ and G- right after programming, microsiemens, outputs x inputs.
    fn programmed(&self, device: &CrossbarDevice, chip: &ChipCells<T>) -> [DMatrix<f64>; 2] {
        let mut cells = match self {
            Self::Written(cells) => cells.programmed(device),
            Self::Pulsed(cells) => cells.conductances(device),
        };
        chip.put_stuck(&mut cells);
        cells
    }

    /// The conductances that G+ and G- were asked to have; pulsed cells those that they have.
    fn asked(&self, device: &CrossbarDevice, chip: &ChipCells<T>) -> [DMatrix<f64>; 2] {
        let Self::Written(cells) = self else { return self.programmed(device, chip) };
        let mut asked = cells.asked(device);
        chip.put_stuck(&mut asked);
        asked
    }

    /// Lets `work` see the cells as they are now.
    fn with_held<R>(
        &self,
        device: &CrossbarDevice,
        chip: &ChipCells<T>,
        work: impl FnOnce(&Held<T>) -> R,
    ) -> R {
        let as_written = device.follows(Path::WeightsAsWritten);
        let seen;
        let weights = match self {
            _ if !as_written => None,
            Self::Written(own) => Some(own.weights()),
            // A weight with a stuck cell is not the one that was pulsed.
            Self::Pulsed(_) if chip.has_stuck() => None,
            Self::Pulsed(own) => {
                seen = own.seen(device);
                Some(&seen)
            }
        };
        let nothing = || [DMatrix::zeros(0, 0), DMatrix::zeros(0, 0)];
        if weights.is_some() && !device.shows_conductances() {
            let [cells, asked] = [nothing(), nothing()];
            return work(&Held { cells, asked, weights, compensation: 1.0 });
        }
        let programmed = self.programmed(device, chip);
        if as_written {
            let even = device.follows(Path::EvenNoise);
            let asked = if even { nothing() } else { self.asked(device, chip) };
            return work(&Held { cells: programmed, asked, weights, compensation: 1.0 });
        }
        let asked = self.asked(device, chip);
        let sum = |cells: &[DMatrix<f64>; 2]| cells.iter().map(|cells| cells.sum()).sum::<f64>();
        let then = sum(&programmed);
        let cells = chip.age(device, programmed, &asked);
        // Measured with all lines driven: then over now.
        let lost = || match sum(&cells) {
            now if now > 0.0 => then / now,
            _ => 1.0,
        };
        let active = device.active::<T>();
        let compensation = active.map(|effect| effect.compensation(&lost, device)).product();
        work(&Held { cells, asked, weights, compensation })
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
            Memory::Written(cells) => cells.write(&self.device, &self.chip, &values[0], key),
            Memory::Pulsed(cells) => cells.write(&self.device, &values[0], key),
        }
        self.read_cells()?;
        if let Memory::Pulsed(_) = self.memory {
            values[0].copy_from(&self.weights);
        }
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        match &self.memory {
            Memory::Written(cells) => cells.targets().clone(),
            Memory::Pulsed(cells) => cells.held(&self.device),
        }
    }

    fn noiseless(&self) -> Option<Box<dyn Coupler<T>>> {
        let (device, periphery) = (self.device.without_noise(), self.quiet_periphery());
        let mut quiet = Self { device, periphery, ..self.clone() };
        quiet.array.tiles.iter_mut().for_each(|tile| tile.variances = None);
        Some(Box::new(quiet))
    }

    fn linear(&self, port: Port) -> Option<DMatrix<T>> {
        let straight = self.device.follows(Path::StraightCurrents);
        let linear = straight && self.quiet_periphery().only_adds(port);
        linear.then(|| match port {
            Port::Forward => self.array.effective(),
            Port::Reversed => self.array.effective().transpose(),
        })
    }

    fn add_derivative(
        &self,
        read: &Read<T>,
        signal: View<T>,
        gradient: &mut [DMatrix<T>],
    ) -> Result<bool> {
        if self.reads_weights_as_asked() {
            return Ok(false);
        }
        self.add_derivative_by_weights(read, signal, &mut gradient[0]);
        Ok(true)
    }

    fn derivative_by(&self) -> String {
        self.derivative_in_words()
    }

    fn resolution(&self, span: Span) -> f64 {
        let (outputs, inputs) = self.shape();
        let variances = self.array.tiles.iter().filter_map(|tile| tile.variances.as_ref());
        let variance: f64 = variances.map(|variances| variances.weights().sum().f64()).sum::<f64>()
            / outputs.max(1) as f64;
        let load = Load {
            weights: self.weights.norm().f64() / (outputs.max(1) as f64).sqrt(),
            conversions: self.array.conversions(Port::Forward) as f64,
        };
        let noise =
            self.periphery.noise_at_full_drive(inputs, variance) * self.device.noise.share(span);
        self.device
            .active::<T>()
            .rev()
            .fold(noise, |sum, effect| sum.hypot(effect.resolution(&load, &self.device)))
    }

    fn read_expense(&self, port: Port, wanted: usize, span: Span) -> Expense {
        let (outputs, inputs) = self.shape();
        let driven = if port == Port::Forward { inputs } else { outputs };
        // As many conversions of an output as there are tiles along the driven lines.
        let read = wanted * self.array.conversions(port);
        let (mut conversions, mut energy) = (0, Energy::default());
        for effect in self.device.active::<T>() {
            let own = effect.conversions(driven, read);
            conversions += own.count as u64;
            let converters = Joules::of(own.count as u64, own.picojoule_each * 1e-12);
            energy = energy.plus(&Energy { converters, ..Energy::default() });
        }
        // The heat is counted where it is known.
        energy.arrays.unpriced = if self.device.cost.counts_heat() { 0.0 } else { 1.0 };
        // Converters of a continuous machine go on converting.
        let seconds = self.device.seconds_of(span);
        let reads = match self.device.cost.read_time_us * 1e-6 {
            read_time if read_time > 0.0 => seconds / read_time,
            _ => 1.0,
        };
        Expense {
            conversions: (conversions as f64 * reads).round() as u64,
            seconds,
            energy: energy.times(reads),
            ..Expense::default()
        }
    }

    fn expense(&self) -> Expense {
        let (WriteTally { pulses, given_up }, cost) = (self.tally(), &self.device.cost);
        Expense {
            pulses,
            given_up,
            seconds: pulses as f64 * cost.write_time_us * 1e-6,
            energy: Energy {
                arrays: Joules { joules: self.heat.joules(), unpriced: 0.0 },
                converters: Joules::default(),
                writes: Joules::of(pulses, cost.write_energy_pj * 1e-12),
            },
            ..Expense::default()
        }
    }

    fn staleness(&self) -> f64 {
        let (device, array) = (&self.device, &self.array);
        let now = self.memory.with_held(device, &self.chip, |held| array.stale_by(device, held));
        now.map_or(f64::INFINITY, |now| now.max(array.staleness))
    }

    fn saturation(&self) -> Vec<Saturation> {
        self.periphery.saturation()
    }

    fn quantities(&self) -> Vec<Quantity> {
        let programmed = self.memory.programmed(&self.device, &self.chip);
        let asked = self.memory.asked(&self.device, &self.chip);
        let [plus, minus] = self.chip.age(&self.device, programmed, &asked);
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
            .with("heat_zJ", self.heat.parts().to_vec())
            .with("wires", self.wired())
            .with("wire_age", vec![self.array.age as u64])
            .with("staleness", vec![self.array.staleness]);
        for (name, losses) in LOSSES.into_iter().zip(&self.array.losses) {
            state.insert(name, losses.clone());
        }
        if let Heating::Ends(tiles) = &self.array.heating {
            for (tile, own) in tiles.iter().enumerate() {
                for (end, admittance) in ENDS.into_iter().zip(&own.admittances) {
                    state.insert(format!("{end}_{tile}"), admittance.weights());
                }
            }
        }
        match &self.memory {
            Memory::Written(cells) => cells.save(&mut state),
            Memory::Pulsed(cells) => cells.save(&mut state),
        }
        state
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        // What was trained in a laboratory is in the cells as it was programmed.
        if state.text("session").is_ok() {
            return Ok(());
        }
        let heat = state.counts("heat_zJ", 2)?;
        self.heat.set([heat[0], heat[1]]);
        match &mut self.memory {
            Memory::Written(cells) => cells.restore(state)?,
            Memory::Pulsed(cells) => cells.restore(state)?,
        }
        self.read_own_back();
        // Where wires and time are those of the state, its losses are too, and nothing is solved
        // anew.
        let wired = self.wired();
        let same = state.numbers("wires", wired.len())? == wired;
        let (device, array) = (&self.device, &mut self.array);
        if same {
            array.age = state.counts("wire_age", 1)?[0] as usize;
            array.staleness = state.numbers("staleness", 1)?[0];
            for (name, losses) in LOSSES.into_iter().zip(&mut array.losses) {
                losses.copy_from(state.matrix(name, losses.shape())?);
            }
            if let Heating::Ends(tiles) = &mut array.heating {
                for (tile, own) in tiles.iter_mut().enumerate() {
                    for (end, admittance) in ENDS.into_iter().zip(&mut own.admittances) {
                        let saved = state.matrix(&format!("{end}_{tile}"), admittance.shape())?;
                        admittance.set(saved.as_view());
                    }
                }
            }
        }
        self.memory.with_held(device, &self.chip, |held| array.set(device, held, !same))
    }
}

/// The names under which admittances of the tiles' ends are saved.
const ENDS: [&str; 2] = ["word_ends", "bit_ends"];

/// The names under which the wires' losses are saved.
const LOSSES: [&str; 2] = ["wire_losses_plus", "wire_losses_minus"];

#[cfg(test)]
mod tests;
