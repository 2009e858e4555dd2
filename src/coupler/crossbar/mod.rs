//! Resistive crossbars: word lines carry voltages, cells conduct, bit lines sum currents.
//!
//! A weight is a differential pair of cells, w = w_max (G+ - G-) / (g_max - g_min), one of the pair at g_min. Driven at its bit
//! lines and read at its word lines, the same array gives the transpose. A read passes through the converters:
//!
//! ```text
//! values -> DAC -> array (cells as written, read noise) -> ADC -> currents
//! ```
//!
//! Read noise: every cell of every read carries an independent error of standard deviation sigma, so the current of an output
//! carries exactly N(0, 2 sigma^2 |v|^2); one deviate an output and read stands for all its cells.

mod cell;
mod device;

use nalgebra::{DMatrix, Dyn};

use super::matrix::{TwoWayMatrix, outer_product};
use super::quantiser::{Quantiser, rounding_error};
use super::{Coupler, Domain, Expense, Parameter, Port, Read};
use crate::Result;
use crate::random::Key;
use crate::real::{Real, View, ViewMut};

pub use cell::Cells;
pub use device::CrossbarDevice;

/// A crossbar of differential pairs behind converters, outputs (bit lines) x inputs (word lines).
#[derive(Clone, Debug)]
pub struct Crossbar<T: Real> {
    device: CrossbarDevice,
    weights: DMatrix<T>,
    cells: Cells<T>,
    /// What the cells hold, as it is read.
    array: TwoWayMatrix<T>,
    dac: Option<Quantiser<T>>,
    adc: Option<Quantiser<T>>,
    /// Standard deviation of a pair's read noise, in units of the weights.
    pair_noise: T,
}

impl<T: Real> Crossbar<T> {
    /// The array `device` with `weights` (outputs x inputs) programmed into it; `key` names the random streams of this write.
    pub fn new(device: CrossbarDevice, weights: DMatrix<T>, key: Key) -> Self {
        let mut cells = Cells::new(&device, weights.shape());
        cells.write(&weights, key);
        Self {
            dac: (device.dac_bits > 0).then(|| Quantiser::new(device.dac_bits, device.dac_range)),
            adc: (device.adc_bits > 0).then(|| Quantiser::new(device.adc_bits, device.adc_range)),
            pair_noise: T::of(2f64.sqrt() * device.read_noise_us * device.weight_per_us()),
            device,
            weights,
            array: TwoWayMatrix::new(cells.weights()),
            cells,
        }
    }
}

impl<T: Real> Coupler<T> for Crossbar<T> {
    fn shape(&self) -> (usize, usize) {
        self.weights.shape()
    }

    fn read(&self, read: &Read<T>, mut currents: ViewMut<T>, scratch: &mut Vec<T>) {
        if self.dac.is_none() && self.adc.is_none() && self.pair_noise == T::zero() {
            return self.array.read(read, currents, scratch);
        }
        let (driven, samples) = read.values.shape();
        let wanted = read.wanted.len();
        scratch.clear();
        scratch.resize((driven + wanted) * samples, T::zero());
        let (voltages, product) = scratch.split_at_mut(driven * samples);
        ViewMut::from_slice_generic(voltages, Dyn(driven), Dyn(samples)).copy_from(&read.values);
        if let Some(dac) = self.dac {
            dac.apply_all(voltages);
        }
        let voltages = View::from_slice_generic(voltages, Dyn(driven), Dyn(samples));
        let whole = ViewMut::from_slice_generic(product, Dyn(wanted), Dyn(samples));
        self.array.add_product(read.port, &read.wanted, voltages.as_view(), whole);
        if self.pair_noise > T::zero() {
            for (column, currents) in product.chunks_exact_mut(wanted).enumerate() {
                let deviation = self.pair_noise * voltages.column(column).norm();
                read.noise.key(column).add_normals(currents, deviation);
            }
        }
        if let Some(adc) = self.adc {
            adc.apply_all(product);
        }
        let product = View::from_slice_generic(product, Dyn(wanted), Dyn(samples));
        match &read.gain {
            Some(gain) => currents.zip_zip_apply(&product, gain, |current, product, gain| *current += product * gain),
            None => currents += product,
        }
    }

    fn local_product(&self, d: View<T>, v: View<T>, keep: T, gradient: &mut [DMatrix<T>]) {
        outer_product(d, v, keep, &mut gradient[0]);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let bound = T::of(self.device.weight_max);
        vec![Parameter { name: "weights".into(), values: self.weights.clone(), domain: Domain::Interval(-bound, bound) }]
    }

    fn program(&mut self, values: &[DMatrix<T>], key: Key) -> Result<()> {
        self.weights.copy_from(&values[0]);
        self.cells.write(&values[0], key);
        self.array.set(self.cells.weights());
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        self.cells.targets().clone()
    }

    fn effective(&self) -> DMatrix<T> {
        self.cells.weights().clone()
    }

    fn resolution(&self) -> f64 {
        let (outputs, inputs) = self.shape();
        let noise = self.pair_noise.f64() * (inputs as f64).sqrt();
        let adc = self.adc.map_or(0.0, |adc| rounding_error(adc.step().f64()));
        let row = self.weights.norm().f64() / (outputs.max(1) as f64).sqrt();
        let dac = self.dac.map_or(0.0, |dac| rounding_error(dac.step().f64()) * row);
        noise.hypot(adc).hypot(dac)
    }

    fn read_expense(&self, port: Port, wanted: usize) -> Expense {
        let driven = match port {
            Port::Forward => self.weights.ncols(),
            Port::Reversed => self.weights.nrows(),
        };
        let dac = if self.dac.is_some() { driven } else { 0 };
        let adc = if self.adc.is_some() { wanted } else { 0 };
        Expense { frames: 0, conversions: (dac + adc) as u64, seconds: self.device.read_time_us * 1e-6 }
    }

    fn write_expense(&self) -> Expense {
        Expense { seconds: self.cells.written() as f64 * self.device.write_time_us * 1e-6, ..Expense::default() }
    }

    fn hardware_state(&self) -> Vec<(&'static str, DMatrix<T>)> {
        self.cells.state()
    }

    fn restore_hardware_state(&mut self, state: &[DMatrix<T>]) {
        self.cells.restore(state);
        self.array.set(self.cells.weights());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::{Exact, ReadNoise};

    fn matrix(rows: usize, columns: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| ((i * 5 + j * 3) % 11) as f64 / 11.0 - 0.45)
    }

    fn currents(coupler: &dyn Coupler<f64>, port: Port, values: &DMatrix<f64>, step: u64) -> DMatrix<f64> {
        let ports = if port == Port::Forward { coupler.shape().0 } else { coupler.shape().1 };
        let samples: Vec<usize> = (0..values.ncols()).collect();
        let noise = ReadNoise { key: Key::new(1, "test"), samples: &samples, step };
        let mut out = DMatrix::zeros(ports, values.ncols());
        let read = Read { port, values: values.as_view(), gain: None, wanted: 0..ports, noise };
        coupler.read(&read, out.as_view_mut(), &mut Vec::new());
        out
    }

    #[test]
    fn an_ideal_array_is_the_exact_matrix_both_ways() {
        let weights = matrix(4, 6);
        let crossbar = Crossbar::new(CrossbarDevice::ideal(), weights.clone(), Key::new(1, "test"));
        let exact = Exact::new(weights);
        for (port, ports) in [(Port::Forward, 6), (Port::Reversed, 4)] {
            let values = matrix(ports, 3);
            assert!((currents(&crossbar, port, &values, 0) - currents(&exact, port, &values, 0)).abs().max() < 1e-15);
        }
    }

    #[test]
    fn read_noise_has_the_variance_of_the_sum_over_cells() {
        let device = CrossbarDevice { read_noise_us: 0.5, ..CrossbarDevice::ideal() };
        let deviation = 2f64.sqrt() * 0.5 * device.weight_per_us();
        let weights = matrix(40, 6);
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test"));
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
        assert!((squares / count - 1.0f64).abs() < 5.0 * (2.0f64 / count).sqrt(), "{}", squares / count);
    }

    #[test]
    fn converters_round_both_ends() {
        let device = CrossbarDevice { dac_bits: 4, adc_bits: 5, adc_range: 2.0, ..CrossbarDevice::ideal() };
        let (dac, adc) = (Quantiser::new(4, 1.0), Quantiser::new(5, 2.0));
        let weights = matrix(4, 6);
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test"));
        let values = matrix(6, 3);
        let expected = (weights * values.map(|v| dac.apply(v))).map(|current| adc.apply(current));
        assert!((currents(&crossbar, Port::Forward, &values, 0) - expected).abs().max() < 1e-15);
    }
}
