//! The derivative of an array's reads by its weights as they are programmed: the yardstick's.
//!
//! ```text
//! I_i = s_i sum_p M^p_ij v_j^p,      dI_i/dw_ij = s_i sum_p (dM^p_ij/dw_ij) v_j^p
//! ```
//!
//! A pair of cells makes the currents M^p of its weight w alone, p = 1 to 3, so that one central
//! difference of all cells gives all derivatives: stuck cells have none, drift and gains scale
//! them. The amplifiers' gain s_i is that of their side. Held fixed are the part of each cell's
//! current that is lost in wires, which depends a little on all other cells, and what makes up for
//! drift. Errors of programming have a mean of zero and count as errors, not as a map; levels are
//! passed straight through.

use nalgebra::DMatrix;

use super::array::current_of;
use super::hook::{Lines, Making, Path};
use super::periphery::Periphery;
use super::{Crossbar, Memory};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View};
use crate::coupler::{Effect, Port, Read, Streams};

impl<T: Real> Crossbar<T> {
    /// What stands around the cells, without noise.
    pub(super) fn quiet_periphery(&self) -> Periphery<T> {
        let device = self.device.without_noise();
        let (outputs, inputs) = self.weights.shape();
        Periphery::new(&Making { device: &device, outputs, inputs, key: self.key })
    }

    /// Whether a weight adds to currents as much as it is asked to, whichever side is driven.
    pub(super) fn reads_weights_as_asked(&self) -> bool {
        let paths = [Path::StraightCurrents, Path::WeightsAsWritten];
        let periphery = self.quiet_periphery();
        let all_move = !self.chip.has_stuck();
        all_move
            && self.array.gains.is_empty()
            && paths.into_iter().all(|path| self.device.follows(path))
            && [Port::Forward, Port::Reversed].into_iter().all(|port| periphery.only_adds(port))
    }

    /// Adds the derivative of -sum of `signal` (wanted x samples) times what `read` drives to
    /// `gradient`, outputs x inputs.
    pub(super) fn add_derivative_by_weights(
        &self,
        read: &Read<T>,
        signal: View<T>,
        gradient: &mut DMatrix<T>,
    ) {
        let (port, wanted) = (read.port, &read.wanted);
        let periphery = self.quiet_periphery();
        let pass = |value: T| {
            let mut values = vec![value; wanted.len()];
            let streams = Streams { key: Key::new(0, "none"), samples: &[0], step: 0 };
            let mut lines = Lines { port, lines: wanted.clone(), values: &mut values };
            periphery.output(&mut lines, &streams);
            values
        };
        let (above, below) = (pass(T::one()), pass(-T::one()));
        let mut signal = signal.into_owned();
        if let Some(gain) = &read.gain {
            signal.component_mul_assign(gain);
        }
        for (mut row, (above, below)) in signal.row_iter_mut().zip(above.iter().zip(&below)) {
            row *= (*above - *below) * T::of(0.5);
        }
        let sign = if port == Port::Forward { T::one() } else { -T::one() };
        let driven = self.left_to_cells(port, &read.values);
        let gains = DMatrix::from_fn(driven.nrows(), driven.ncols(), |line, _| {
            self.gain_of_driven(port, line)
        });
        for (power, slopes) in self.slopes().into_iter().enumerate() {
            // The slopes have the gain in them once.
            let values = driven.zip_map(&gains, |v, gain| match power {
                0 => v,
                1 => sign * gain * v * v,
                _ => gain * gain * v * v * v,
            });
            let (start, product) = match port {
                Port::Forward => ((wanted.start, 0), &signal * values.transpose()),
                Port::Reversed => ((0, wanted.start), values * signal.transpose()),
            };
            let slopes = slopes.view(start, product.shape());
            let mut part = gradient.view_mut(start, product.shape());
            part -= product.component_mul(&slopes);
        }
    }

    /// Derivatives of the currents of the values, their squares and their cubes by each weight,
    /// outputs x inputs; the first alone where cells are linear.
    fn slopes(&self) -> Vec<DMatrix<T>> {
        let device = &self.device;
        let by = device.cells.weight_max * T::default_epsilon().f64().cbrt();
        let compensation = self.memory.with_held(device, &self.chip, |held| held.compensation);
        let scale = device.cells.weight_per_us() * compensation;
        let currents = |by: f64| {
            let mut cells = self.memory.programmed(device, &self.chip);
            let mut asked = self.memory.asked(device, &self.chip);
            for side in 0..2 {
                let weights = self.weights.iter().map(|weight| weight.f64());
                let pairs = cells[side].iter_mut().zip(asked[side].iter_mut()).zip(weights);
                for ((cell, asked), weight) in pairs {
                    let of = |weight| device.cells.conductances(weight)[side];
                    let change = of(weight + by) - of(weight);
                    *cell += change;
                    *asked += change;
                }
            }
            let cells = self.chip.age(device, cells, &asked);
            let behind = |side: usize| match self.array.losses.get(side) {
                Some(losses) => cells[side].zip_map(losses, |g, loss| g * loss.f64()),
                None => cells[side].clone(),
            };
            let mut currents = vec![(behind(0) - behind(1)) * scale];
            if !device.follows(Path::StraightCurrents) {
                currents.extend([0, 1].map(|power| current_of(device, &cells, power, scale)));
            }
            currents
        };
        let slope = |(above, below): (DMatrix<f64>, DMatrix<f64>)| {
            let mut slopes = (above - below).map(|change| T::of(change / (2.0 * by)));
            for (mut row, gain) in slopes.row_iter_mut().zip(&self.array.gains) {
                row *= *gain;
            }
            slopes
        };
        currents(by).into_iter().zip(currents(-by)).map(slope).collect()
    }

    /// What the derivative is by, in words.
    pub(super) fn derivative_in_words(&self) -> String {
        let mut words = String::from(match self.memory {
            Memory::Written(_) => "programmed weights",
            Memory::Pulsed(_) => "what pulsed cells hold",
        });
        if !self.device.levels.is_off() {
            words += ", straight through their levels";
        }
        if !self.device.wires.is_off() {
            words += ", the losses of wires held";
            if !self.device.follows(Path::StraightCurrents) {
                words += ", those of linear cells; selectors and currents beyond straight ones as if wires \
                          were perfect";
            }
        }
        words
    }
}
