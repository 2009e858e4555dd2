//! One read: converters, noise and amplifiers around the product.

use std::ops::Range;
use std::sync::atomic::Ordering;

use nalgebra::Dyn;

use super::Crossbar;
use super::tile::Tile;
use crate::arithmetic::real::{Real, View, ViewMut};
use crate::arithmetic::simd::{self, vectorised};
use crate::coupler::quantiser::Quantiser;
use crate::coupler::{Port, Read};

/// Takes the first `length` of what is left.
fn take<'a, T>(rest: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (taken, left) = std::mem::take(rest).split_at_mut(length);
    *rest = left;
    taken
}

/// A matrix of columns of `rows` in a slice.
fn matrix<T: Real>(values: &[T], rows: usize, columns: usize) -> View<'_, T> {
    View::from_slice_generic(values, Dyn(rows), Dyn(columns))
}

vectorised! {
    /// x <- x + sqrt(variance + constant) z.
    fn add_spread<T: Real>(x: &mut [T], variances: &[T], constant: T, z: &[T]) {
        for ((x, variance), z) in x.iter_mut().zip(variances).zip(z) {
            *x += (*variance + constant).sqrt() * *z;
        }
    }

    /// The sum of squares of `x`, each times its `weight`.
    fn weighted_squares<T: Real>(x: &[T], weights: &[T]) -> T {
        let mut sums = [T::zero(); 16];
        let (x_chunks, weight_chunks) = (x.chunks_exact(16), weights.chunks_exact(16));
        let rest = x_chunks.remainder().iter().zip(weight_chunks.remainder()).fold(T::zero(), |sum, (x, weight)| sum + *x * *x * *weight);
        for (x, weights) in x_chunks.zip(weight_chunks) {
            for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weights) {
                *sum += *x * *x * *weight;
            }
        }
        sums.into_iter().fold(rest, |sum, part| sum + part)
    }
}

impl<T: Real> Crossbar<T> {
    /// Whether currents pass on as they are, but for noise that is the same for all cells.
    pub(super) fn passes_currents_on(&self) -> bool {
        let bare = self.array.tiles.len() == 1
            && self
                .array
                .tiles
                .iter()
                .all(|tile| tile.powers.is_none() && tile.variances.is_none());
        bare && self.dac.is_none()
            && self.adc.is_none()
            && self.amplifiers.are_perfect()
            && self.device.read_time_us == 0.0
    }

    /// A read of such an array, straight into `currents`.
    pub(super) fn read_straight(&self, read: &Read<T>, mut currents: ViewMut<T>) {
        let linear = &self.array.tiles[0].linear;
        linear.add_currents(read, currents.as_view_mut());
        for (column, mut currents) in currents.column_iter_mut().enumerate() {
            let deviation = self.noise_of(read.values.column(column).as_slice());
            if deviation > T::zero() {
                read.noise.key(column).add_normals(currents.as_mut_slice(), deviation);
            }
        }
    }

    /// Standard deviation of a current that `values` drive: the cells' noise, the same for all, and
    /// the amplifiers'.
    fn noise_of(&self, values: &[T]) -> T {
        let output = T::of(self.device.output_noise);
        if self.pair_noise == T::zero() {
            return output;
        }
        let squares = self.pair_noise * self.pair_noise * simd::sum_of_squares(values);
        (squares + output * output).sqrt()
    }

    pub(super) fn read_through_converters(
        &self,
        read: &Read<T>,
        mut currents: ViewMut<T>,
        scratch: &mut Vec<T>,
    ) {
        let (driven, samples) = read.values.shape();
        let wanted = read.wanted.len();
        let (powers, variances) = self
            .array
            .tiles
            .first()
            .map_or((false, false), |tile| (tile.powers.is_some(), tile.variances.is_some()));
        let (inner, outer) = (driven * samples, wanted * samples);
        let extra = inner * usize::from(powers || variances);
        scratch.clear();
        scratch.resize(inner + extra + outer * (2 + 2 * usize::from(variances)), T::zero());
        let mut rest = &mut scratch[..];
        let (voltages, powered) = (take(&mut rest, inner), take(&mut rest, extra));
        let (partial, total) = (take(&mut rest, outer), take(&mut rest, outer));
        for (column, voltages) in voltages.chunks_exact_mut(driven.max(1)).enumerate() {
            voltages.copy_from_slice(read.values.column(column).as_slice());
        }
        if let Some(dac) = &self.dac {
            self.convert(dac, voltages, driven);
        }
        self.count_heat(read.port, voltages, driven);
        for (index, tile) in self.array.tiles.iter().enumerate() {
            let (driving, reading) = match read.port {
                Port::Forward => (&tile.inputs, &tile.outputs),
                Port::Reversed => (&tile.outputs, &tile.inputs),
            };
            let ports = read.wanted.start.max(reading.start)..read.wanted.end.min(reading.end);
            if ports.is_empty() {
                continue;
            }
            let part = &mut partial[..ports.len() * samples];
            if index > 0 {
                part.fill(T::zero());
            }
            let local = ports.start - reading.start..ports.end - reading.start;
            let values = matrix(voltages, driven, samples);
            let values = values.rows(driving.start, driving.len());
            tile.linear.add_product(
                read.port,
                &local,
                values.as_view(),
                ViewMut::from_slice_generic(part, Dyn(ports.len()), Dyn(samples)),
            );
            if powers {
                add_powers(tile, read.port, &local, voltages, powered, driving, part, samples);
            }
            self.add_noise(tile, read, (index, &local, driving), (voltages, powered), part, rest);
            self.amplify(read.port, &ports, part);
            if let Some(adc) = &self.adc {
                self.convert(adc, part, ports.len());
            }
            let first = ports.start - read.wanted.start;
            for (total, part) in total.chunks_exact_mut(wanted).zip(part.chunks_exact(ports.len()))
            {
                simd::add(&mut total[first..first + ports.len()], part);
            }
        }
        for (column, total) in total.chunks_exact_mut(wanted.max(1)).enumerate() {
            if let Some(gain) = &read.gain {
                simd::multiply(total, gain.column(column).as_slice());
            }
            simd::add(currents.column_mut(column).as_mut_slice(), total);
        }
    }

    /// Converts columns of `rows` values.
    fn convert(&self, quantiser: &Quantiser<T>, values: &mut [T], rows: usize) {
        if !self.device.auto_range {
            return quantiser.apply_all(values);
        }
        for column in values.chunks_exact_mut(rows.max(1)) {
            let range = simd::largest(column);
            if range > T::zero() && range.is_finite() {
                quantiser.ranged(range).apply_all(column);
            }
        }
    }

    /// Adds the read noise of the cells and the amplifiers' noise, one deviate for both.
    fn add_noise(
        &self,
        tile: &Tile<T>,
        read: &Read<T>,
        (index, local, driving): (usize, &Range<usize>, &Range<usize>),
        (voltages, squares): (&[T], &mut [T]),
        part: &mut [T],
        rest: &mut [T],
    ) {
        let samples = read.values.ncols();
        let driven = read.values.nrows();
        let key = |column| {
            if index == 0 {
                read.noise.key(column)
            } else {
                read.noise.key(column).with(index as u64)
            }
        };
        let Some(variances) = &tile.variances else {
            for (column, currents) in part.chunks_exact_mut(local.len()).enumerate() {
                let deviation = self.noise_of(&voltages[column * driven..][driving.clone()]);
                if deviation > T::zero() {
                    key(column).add_normals(currents, deviation);
                }
            }
            return;
        };
        let output = T::of(self.device.output_noise);
        for (square, voltage) in squares.iter_mut().zip(voltages) {
            *square = *voltage * *voltage;
        }
        let (spread, deviates) = rest.split_at_mut(rest.len() / 2);
        let (spread, deviates) = (&mut spread[..part.len()], &mut deviates[..part.len()]);
        spread.fill(T::zero());
        deviates.fill(T::zero());
        let squares = matrix(squares, driven, samples);
        let whole = ViewMut::from_slice_generic(spread, Dyn(local.len()), Dyn(samples));
        variances.add_product(read.port, local, squares.rows(driving.start, driving.len()), whole);
        for (column, deviates) in deviates.chunks_exact_mut(local.len()).enumerate() {
            key(column).add_normals(deviates, T::one());
        }
        add_spread(part, spread, output * output, deviates);
    }

    /// Offsets, and the gains of reads at the inputs.
    fn amplify(&self, port: Port, ports: &Range<usize>, part: &mut [T]) {
        let offsets = &self.amplifiers.offsets[port as usize];
        let gains = &self.amplifiers.reverse_gains;
        for column in part.chunks_exact_mut(ports.len()) {
            if port == Port::Reversed && !gains.is_empty() {
                simd::multiply(column, &gains[ports.clone()]);
            }
            if !offsets.is_empty() {
                simd::add(column, &offsets[ports.clone()]);
            }
        }
    }

    /// Adds V^2 G t of all cells of these reads, to the attojoule.
    fn count_heat(&self, port: Port, voltages: &[T], driven: usize) {
        let conductances = &self.array.conductances[port as usize];
        if conductances.is_empty() || driven == 0 {
            return;
        }
        let device = &self.device;
        let volts_per_value = device.read_voltage_v / device.dac_range;
        let attojoule =
            volts_per_value * volts_per_value * 1e-6 * device.read_time_us * 1e-6 * 1e18;
        let heat: u64 = voltages
            .chunks_exact(driven)
            .map(|column| (weighted_squares(column, conductances).f64() * attojoule) as u64)
            .sum();
        self.heat.0.fetch_add(heat, Ordering::Relaxed);
    }
}

/// Adds the currents of the values' squares and cubes.
#[allow(clippy::too_many_arguments)]
fn add_powers<T: Real>(
    tile: &Tile<T>,
    port: Port,
    local: &Range<usize>,
    voltages: &[T],
    powered: &mut [T],
    driving: &Range<usize>,
    part: &mut [T],
    samples: usize,
) {
    let Some(powers) = &tile.powers else { return };
    let driven = voltages.len() / samples.max(1);
    // Driven from the other side, a cell's voltage has the other sign, and so has its current.
    let sign = if port == Port::Forward { T::one() } else { -T::one() };
    for (power, matrix_of) in powers.iter().enumerate() {
        for (powered, v) in powered.iter_mut().zip(voltages) {
            *powered = if power == 0 { sign * *v * *v } else { *v * *v * *v };
        }
        let values = matrix(powered, driven, samples);
        let whole = ViewMut::from_slice_generic(part, Dyn(local.len()), Dyn(samples));
        matrix_of.add_product(port, local, values.rows(driving.start, driving.len()), whole);
    }
}
