//! The machine without noise, and the derivative of its reads by patterns and their weights.
//!
//! Where forces are products with the patterns, the local product is the derivative. Through optics
//! and readouts that are not, it is a central difference for each pattern value: a pattern's frames
//! know nothing of other patterns, so each costs two reads of a machine of one pattern, 2 N K such
//! reads in all, O(N^2 K). What a lagging panel remembers of one pattern in the frames of the next
//! is left out. That is no laboratory's method.

use std::sync::{Arc, OnceLock};

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::side::Side;
use super::{Patterns, Spim, readout};
use crate::Result;
use crate::arithmetic::{Real, View};
use crate::coupler::{Coupler, Port, Read, Tally};

impl<T: Real> Spim<T> {
    /// The same machine without noise and rounding; readouts that draw at random by their mean.
    pub(super) fn without_noise(&self) -> Result<Self> {
        let mut device = self.device.without_noise();
        // A camera without noise, its scale as it was: that of what it does to the light.
        device.camera.full_scale = self.device.camera.full_scale;
        device.camera.exposure = self.device.camera.exposure;
        if let Some(mean) = device.readout.get().mean() {
            device.readout = mean;
        }
        let sides = match self.quiet_sides.get() {
            Some(sides) => sides.clone(),
            None => {
                let [forward, reversed] = &self.sides;
                let first = Arc::new(Side::new(&device, forward.nodes, self.chip)?);
                let second = if Arc::ptr_eq(forward, reversed) {
                    first.clone()
                } else {
                    Arc::new(Side::new(&device, reversed.nodes, self.chip)?)
                };
                self.quiet_sides.get_or_init(|| [first, second]).clone()
            }
        };
        let wandered = self.wandered.still();
        Ok(Self { is_dense: readout::is_dense(&device), device, sides, wandered, ..self.clone() })
    }

    /// Pattern `k` alone, by itself worth what it is among all.
    fn alone(&self, k: usize) -> Self {
        let pick = |matrix: &DMatrix<T>| matrix.columns(k, 1).into_owned();
        let shown = Patterns {
            readers: pick(&self.shown.readers),
            writers: self.shown.writers.as_ref().map(pick),
            weights: DMatrix::from_element(
                1,
                1,
                self.shown.weights[k] * self.shown.inverse_count(),
            ),
            same_nodes: self.shown.same_nodes,
        };
        Self {
            device: self.device.clone(),
            latent: shown.clone(),
            self_coupling: shown.diagonal(),
            shown,
            sides: self.sides.clone(),
            quiet_sides: self.quiet_sides.clone(),
            is_dense: self.is_dense,
            products: OnceLock::new(),
            camera: Tally::default(),
            chip: self.chip,
            wandered: self.wandered.clone(),
            bench: None,
        }
    }

    /// The sum of `signal`, wanted ports x samples, times what `read` gives.
    fn heard(&self, read: &Read<T>, signal: &View<T>) -> Result<T> {
        let mut currents = DMatrix::zeros(signal.nrows(), signal.ncols());
        let again = Read::new(read.port, read.values, read.wanted.clone(), read.streams);
        self.read(&again.with_gain(read.gain), currents.as_view_mut(), &mut Vec::new())?;
        Ok(currents.dot(signal))
    }

    /// The same where forces are products with the patterns.
    pub(super) fn add_product(
        &self,
        read: &Read<T>,
        signal: &View<T>,
        gradient: &mut [DMatrix<T>],
    ) {
        let (_, reached) = self.shown.driven(read.port);
        let mut d = DMatrix::zeros(reached.nrows(), signal.ncols());
        let mut wanted = d.rows_mut(read.wanted.start, read.wanted.len());
        wanted.copy_from(signal);
        if let Some(gain) = &read.gain {
            wanted.component_mul_assign(gain);
        }
        let (d, v) = match read.port {
            Port::Forward => (d.as_view(), read.values),
            Port::Reversed => (read.values, d.as_view()),
        };
        self.shown.local_product(d, v, self.device.couplings(), gradient);
    }

    /// Adds the derivatives of -[`heard`](Self::heard) by everything that is programmed to
    /// `gradient`, for a machine without noise. A value at an end of its range is moved inwards
    /// alone; a sign is flipped, as its training does, and half of what that changes counts.
    pub(super) fn add_slopes(
        &self,
        read: &Read<T>,
        signal: &View<T>,
        gradient: &mut [DMatrix<T>],
    ) -> Result<()> {
        let step = T::of(T::default_epsilon().f64().cbrt());
        let signs = self.device.patterns.are_signs();
        let slopes_of = |k: usize| -> Result<(Vec<Vec<T>>, T)> {
            let mut one = self.alone(k);
            let sets = if one.shown.writers.is_some() { 2 } else { 1 };
            let mut slopes = Vec::new();
            for set in 0..sets {
                let rows = one.shown.set(set).nrows();
                let slope = |row: usize| {
                    let at = one.shown.set(set)[row];
                    let ends = if signs {
                        [T::one(), -T::one()]
                    } else {
                        [(at + step).min(T::one()), (at - step).max(-T::one())]
                    };
                    let mut heard = [T::zero(); 2];
                    for (heard, end) in heard.iter_mut().zip(ends) {
                        one.shown.set(set)[row] = end;
                        one.self_coupling = one.shown.diagonal();
                        *heard = one.heard(read, signal)?;
                    }
                    one.shown.set(set)[row] = at;
                    one.self_coupling = one.shown.diagonal();
                    Ok((heard[0] - heard[1]) / (ends[0] - ends[1]))
                };
                slopes.push((0..rows).map(slope).collect::<Result<Vec<T>>>()?);
            }
            one.shown.weights[0] = self.shown.inverse_count();
            one.self_coupling = one.shown.diagonal();
            Ok((slopes, one.heard(read, signal)?))
        };
        let all: Vec<_> = (0..self.shown.count()).into_par_iter().map(slopes_of).collect();
        let last = gradient.len() - 1;
        for (k, slopes) in all.into_iter().enumerate() {
            let (patterns, weight) = slopes?;
            for (set, slopes) in patterns.iter().enumerate() {
                let sums = gradient[set].column_mut(k);
                sums.into_iter().zip(slopes).for_each(|(sum, slope)| *sum -= *slope);
            }
            gradient[last][k] -= weight;
        }
        Ok(())
    }
}
