//! Resistive crossbars: word lines carry voltages, cells conduct, bit lines sum currents.
//!
//! A weight is a pair of cells, w = w_max (G+ - G-) / (g_max - g_min); the [`Mapping`] says which
//! of them carries it. Driven at its bit lines and read at its word lines, the same array gives the
//! transpose. A read passes through the converters and amplifiers:
//!
//! ```text
//! values -> DAC -> array (cells as they are, wires, read noise) -> gain, offset, output noise -> ADC -> currents
//! ```
//!
//! - *Wires*: after programming, the array with its wires is compiled once into its effective
//!   matrix ([`wires`](effective)); every later read is a dense product. With `wire_refresh` above
//!   1 the losses E / G of each cell are kept between compilations, and the difference that a new
//!   compilation makes is reported as staleness.
//! - *Tiles*: each tile has its own wires and, unless `tile_sum = "analog"`, its own amplifiers and
//!   converters; partial sums add up.
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

mod array;
mod cell;
mod circuit;
mod device;
mod pulse;
mod read;
mod tile;
mod wires;

use std::sync::atomic::{AtomicU64, Ordering};

use nalgebra::DMatrix;

use super::quantiser::{Quantiser, rounding_error};
use super::{Coupler, Domain, Expense, Parameter, Port, Read, add_plain_product};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::{Real, View, ViewMut};
use crate::state::State;
use array::{Amplifiers, Array, Held};

pub use cell::{Cells, program_once};
pub use circuit::{CellCurrent, Solution, solve};
pub use device::{CrossbarDevice, Mapping, TileSum, Update};
pub use pulse::{PulsedCells, Pulses, Rounding, StepModel, StepNoise, Steps};
pub use wires::{Wires, effective};

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
    amplifiers: Amplifiers<T>,
    dac: Option<Quantiser<T>>,
    adc: Option<Quantiser<T>>,
    /// Standard deviation of a pair's read noise, in units of the weights, where it is the same for
    /// all.
    pair_noise: T,
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
        let own = key.with(u64::MAX);
        let memory = match device.update {
            Update::Write => {
                let mut cells = Cells::new(&device, weights.shape(), own);
                cells.write(&weights, key);
                Memory::Written(cells)
            }
            Update::Pulsed => Memory::Pulsed(PulsedCells::new(&device, &weights, own)),
        };
        let amplifiers = Amplifiers::new(&device, weights.shape(), own.with(2));
        let noise = if device.read_noise_q.is_empty() {
            2f64.sqrt() * device.read_noise_us * device.weight_per_us()
        } else {
            0.0
        };
        let array = memory
            .with_held(&device, |held| Array::new(&device, &amplifiers, held, weights.shape()))?;
        let mut crossbar = Self {
            dac: (device.dac_bits > 0).then(|| Quantiser::new(device.dac_bits, device.dac_range)),
            adc: (device.adc_bits > 0).then(|| Quantiser::new(device.adc_bits, device.adc_range)),
            pair_noise: T::of(noise),
            array,
            amplifiers,
            weights,
            memory,
            heat: Counter::default(),
            device,
        };
        if let Memory::Pulsed(cells) = &crossbar.memory {
            crossbar.weights = cells.held();
        }
        Ok(crossbar)
    }

    /// How much the effective matrix differed, at most, from the one that replaced it: relative, 0
    /// unless `wire_refresh` is above 1.
    pub fn staleness(&self) -> f64 {
        self.array.staleness
    }

    /// Whether a read is nothing but a product.
    fn is_perfect(&self) -> bool {
        let device = &self.device;
        let converters = self.dac.is_some() || self.adc.is_some();
        let noise = self.pair_noise > T::zero()
            || device.output_noise > 0.0
            || !device.read_noise_q.is_empty();
        let powers = self.array.tiles.iter().any(|tile| tile.powers.is_some());
        !converters
            && !noise
            && !powers
            && self.amplifiers.are_perfect()
            && self.array.tiles.len() == 1
            && device.read_time_us == 0.0
    }

    fn written(&self) -> u64 {
        match &self.memory {
            Memory::Written(cells) => cells.written(),
            Memory::Pulsed(cells) => cells.written,
        }
    }
}

impl<T: Real> Memory<T> {
    /// Lets `work` see the cells as they are now.
    fn with_held<R>(&self, device: &CrossbarDevice, work: impl FnOnce(&Held<T>) -> R) -> R {
        let perfect = device.wires().are_perfect();
        match self {
            Self::Written(cells) => {
                let drifted = cells.have_drifted();
                let compensation =
                    if device.drift_compensation && drifted { cells.lost() } else { 1.0 };
                let weights = (perfect && !drifted).then(|| cells.weights());
                let cells = if weights.is_none() || device.shows_conductances() {
                    cells.now()
                } else {
                    Held::<T>::no_cells()
                };
                work(&Held { cells, weights, compensation })
            }
            Self::Pulsed(cells) => {
                let seen = cells.seen();
                let conductances =
                    || [0, 1].map(|side| seen.map(|w| device.conductances(w.f64())[side].max(0.0)));
                let cells = if perfect && !device.shows_conductances() {
                    Held::<T>::no_cells()
                } else {
                    conductances()
                };
                work(&Held { cells, weights: perfect.then_some(&seen), compensation: 1.0 })
            }
        }
    }
}

impl<T: Real> Coupler<T> for Crossbar<T> {
    fn shape(&self) -> (usize, usize) {
        self.weights.shape()
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) -> Result<()> {
        if self.is_perfect() {
            self.array.tiles[0].linear.read(read, currents, scratch);
        } else if read.gain.is_none() && self.passes_currents_on() {
            self.read_straight(read, currents);
        } else {
            self.read_through_converters(read, currents, scratch);
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
        let bound = T::of(self.device.weight_max);
        let domain = match self.device.update {
            Update::Write => Domain::Interval(-bound, bound),
            // Each cell has bounds of its own.
            Update::Pulsed => Domain::Real,
        };
        vec![Parameter { name: "weights".into(), values: self.weights.clone(), domain }]
    }

    fn program(&mut self, values: &mut [DMatrix<T>], key: Key) -> Result<()> {
        self.weights.copy_from(&values[0]);
        match &mut self.memory {
            Memory::Written(cells) => cells.write(&values[0], key),
            Memory::Pulsed(cells) => {
                cells.write(&values[0], key);
                self.weights = cells.held();
                values[0].copy_from(&self.weights);
            }
        }
        let (device, amplifiers, array) = (&self.device, &self.amplifiers, &mut self.array);
        self.memory.with_held(device, |held| array.update(device, amplifiers, held))
    }

    fn intended(&self) -> DMatrix<T> {
        match &self.memory {
            Memory::Written(cells) => cells.targets().clone(),
            Memory::Pulsed(cells) => cells.held(),
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
        let noise = (self.pair_noise.f64() * (inputs as f64).sqrt())
            .hypot(variance.sqrt())
            .hypot(self.device.output_noise);
        let converting =
            self.array.tiles.iter().filter(|tile| tile.outputs.start == 0).count() as f64;
        let adc = self.adc.map_or(0.0, |adc| rounding_error(adc.step().f64())) * converting.sqrt();
        let row = || self.weights.norm().f64() / (outputs.max(1) as f64).sqrt();
        let dac = self.dac.map_or(0.0, |dac| rounding_error(dac.step().f64()) * row());
        noise.hypot(adc).hypot(dac)
    }

    fn read_expense(&self, port: Port, wanted: usize) -> Expense {
        let (outputs, inputs) = self.weights.shape();
        let tiles = |start: fn(&tile::Tile<T>) -> usize| {
            self.array.tiles.iter().filter(|tile| start(tile) == 0).count()
        };
        // As many conversions of an output as there are tiles along the driven lines.
        let (driven, conversions) = match port {
            Port::Forward => (inputs, wanted * tiles(|tile| tile.outputs.start)),
            Port::Reversed => (outputs, wanted * tiles(|tile| tile.inputs.start)),
        };
        let dac = if self.dac.is_some() { driven } else { 0 };
        let adc = if self.adc.is_some() { conversions } else { 0 };
        let joules = (dac as f64 * self.device.dac_energy_pj
            + adc as f64 * self.device.adc_energy_pj)
            * 1e-12;
        Expense {
            conversions: (dac + adc) as u64,
            seconds: self.device.read_time_us * 1e-6,
            joules,
            ..Expense::default()
        }
    }

    fn expense(&self) -> Expense {
        let pulses = self.written();
        let heat = self.heat.0.load(Ordering::Relaxed) as f64 * 1e-18;
        Expense {
            pulses,
            seconds: pulses as f64 * self.device.write_time_us * 1e-6,
            joules: pulses as f64 * self.device.write_energy_pj * 1e-12 + heat,
            ..Expense::default()
        }
    }

    fn staleness(&self) -> f64 {
        self.array.staleness
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
            Memory::Pulsed(cells) => {
                cells.restore(state)?;
                self.weights = cells.held();
            }
        }
        let (device, amplifiers, array) = (&self.device, &self.amplifiers, &mut self.array);
        // The losses came with the state, so nothing is solved anew.
        self.memory.with_held(device, |held| array.set(device, amplifiers, held, false))
    }
}

/// The names under which the wires' losses are saved.
const LOSSES: [&str; 2] = ["wire_losses_plus", "wire_losses_minus"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::{Exact, ReadNoise};

    fn matrix(rows: usize, columns: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| ((i * 5 + j * 3) % 11) as f64 / 11.0 - 0.45)
    }

    fn currents(
        coupler: &dyn Coupler<f64>,
        port: Port,
        values: &DMatrix<f64>,
        step: u64,
    ) -> DMatrix<f64> {
        let ports = if port == Port::Forward { coupler.shape().0 } else { coupler.shape().1 };
        let samples: Vec<usize> = (0..values.ncols()).collect();
        let noise = ReadNoise { key: Key::new(1, "test"), samples: &samples, step };
        let mut out = DMatrix::zeros(ports, values.ncols());
        let read = Read {
            port,
            values: values.as_view(),
            gain: None,
            foreground: None,
            wanted: 0..ports,
            noise,
        };
        coupler.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
        out
    }

    #[test]
    fn an_ideal_array_is_the_exact_matrix_both_ways() {
        let weights = matrix(4, 6);
        let crossbar =
            Crossbar::new(CrossbarDevice::ideal(), weights.clone(), Key::new(1, "test")).unwrap();
        let exact = Exact::new(weights);
        for (port, ports) in [(Port::Forward, 6), (Port::Reversed, 4)] {
            let values = matrix(ports, 3);
            assert!(
                (currents(&crossbar, port, &values, 0) - currents(&exact, port, &values, 0))
                    .abs()
                    .max()
                    < 1e-15
            );
        }
    }

    #[test]
    fn read_noise_has_the_variance_of_the_sum_over_cells() {
        let device = CrossbarDevice { read_noise_us: 0.5, ..CrossbarDevice::ideal() };
        let deviation = 2f64.sqrt() * 0.5 * device.weight_per_us();
        let weights = matrix(40, 6);
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test")).unwrap();
        let values = matrix(6, 50);
        let clean = &weights * &values;
        let (mut squares, mut count) = (0.0, 0.0);
        for step in 0..50 {
            let error = currents(&crossbar, Port::Forward, &values, step) - &clean;
            for (column, v) in error.column_iter().zip(values.column_iter()) {
                squares += column.norm_squared() / (deviation * v.norm()).powi(2);
                count += 40.0;
            }
        }
        // The standard error of a variance over n deviates is sqrt(2 / n).
        assert!(
            (squares / count - 1.0f64).abs() < 5.0 * (2.0f64 / count).sqrt(),
            "{}",
            squares / count
        );
    }

    #[test]
    fn converters_round_both_ends() {
        let device =
            CrossbarDevice { dac_bits: 4, adc_bits: 5, adc_range: 2.0, ..CrossbarDevice::ideal() };
        let (dac, adc) = (Quantiser::new(4, 1.0), Quantiser::new(5, 2.0));
        let weights = matrix(4, 6);
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test")).unwrap();
        let values = matrix(6, 3);
        let expected = (weights * values.map(|v| dac.apply(v))).map(|current| adc.apply(current));
        assert!((currents(&crossbar, Port::Forward, &values, 0) - expected).abs().max() < 1e-15);
    }
}
