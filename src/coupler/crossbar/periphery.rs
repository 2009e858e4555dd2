//! What stands around the cells of one array: stages at its lines, noise, and the short cuts that
//! its device leaves open.

use std::sync::Arc;

use super::hook::{ArrayEffect, Lines, Making, Path, Stage};
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::coupler::{Port, Saturation, Streams};

/// Everything that reads meet beside the matrix.
#[derive(Clone, Debug)]
pub(super) struct Periphery<T: Real> {
    drive: Vec<Arc<dyn Stage<T>>>,
    output: Vec<Arc<dyn Stage<T>>>,
    /// Standard deviation of a pair's read noise, in units of the weights, where it is the same for
    /// all; 0 where it differs.
    pair_noise: T,
    /// Standard deviation of an output's noise, weight times value.
    pub output_noise: f64,
    /// Whether a read is nothing but products.
    pub only_products: bool,
    /// Whether a read is nothing but products and noise that is the same for all cells.
    pub only_noise: bool,
}

impl<T: Real> Periphery<T> {
    pub fn new(making: &Making) -> Self {
        let device = making.device;
        let effects: Vec<&dyn ArrayEffect<T>> = device.active().collect();
        let even = device.follows(Path::EvenNoise);
        let cell = if even {
            device.cell_noise(&[device.cells.g_max_us], &[device.cells.g_max_us])[0]
        } else {
            0.0
        };
        let output = effects.iter().fold(0.0f64, |sum, effect| sum.hypot(effect.output_noise()));
        Self {
            drive: effects.iter().filter_map(|effect| effect.at_drive(making)).collect(),
            output: effects.iter().filter_map(|effect| effect.at_output(making)).collect(),
            pair_noise: T::of(2f64.sqrt() * cell * device.cells.weight_per_us()),
            output_noise: output,
            only_products: device.follows(Path::Product),
            only_noise: even && device.follows(Path::NoisyProduct),
        }
    }

    /// Gains of the outputs of an array, the same in both directions; empty where all are 1.
    pub fn gains(making: &Making) -> Vec<T> {
        let mut all = Vec::new();
        for effect in making.device.active::<T>() {
            let gains = effect.gains(making);
            if all.is_empty() {
                all = gains;
            } else if !gains.is_empty() {
                simd::multiply(&mut all, &gains);
            }
        }
        all
    }

    /// Standard deviation of a current that `values` drive: the cells' noise, the same for all, and
    /// the outputs'.
    pub fn noise_of(&self, values: &[T]) -> T {
        let output = T::of(self.output_noise);
        if self.pair_noise == T::zero() {
            return output;
        }
        let squares = self.pair_noise * self.pair_noise * simd::sum_of_squares(values);
        (squares + output * output).sqrt()
    }

    /// The standard deviation of noise in the current of an output with as many inputs as `inputs`
    /// at 1; `variance` is that of all cells of an output that do not have the same noise.
    pub fn noise_at_full_drive(&self, inputs: usize, variance: f64) -> f64 {
        let even = self.pair_noise.f64() * (inputs as f64).sqrt();
        even.hypot(variance.sqrt()).hypot(self.output_noise)
    }

    /// What has passed the stages that have a limit.
    pub fn saturation(&self) -> Vec<Saturation> {
        self.drive.iter().chain(&self.output).filter_map(|stage| stage.saturation()).collect()
    }

    /// What the values on driven lines become.
    pub fn drive(&self, lines: &mut Lines<T>, streams: &Streams) {
        self.drive.iter().for_each(|stage| stage.pass(lines, streams));
    }

    /// Whether currents that are read while `port` is driven are products plus constants.
    pub fn only_adds(&self, port: Port) -> bool {
        self.drive.is_empty() && self.output.iter().all(|stage| stage.only_adds(port))
    }

    /// What currents become on their way out.
    pub fn output(&self, lines: &mut Lines<T>, streams: &Streams) {
        self.output.iter().for_each(|stage| stage.pass(lines, streams));
    }
}
