//! One read: what stands at the lines, and noise, around the product.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn, U1};

use super::Crossbar;
use super::hook::Lines;
use super::tile::Tile;
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd::{self, vectorised};
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::{Effect, Port, Read, Streams};

vectorised! {
    /// x <- x + sqrt(variance + constant) z.
    fn add_spread<T: Real>(x: &mut [T], variances: &[T], constant: T, z: &[T]) {
        for ((x, variance), z) in x.iter_mut().zip(variances).zip(z) {
            *x += (*variance + constant).sqrt() * *z;
        }
    }
}

/// The memory of one read, cut from the caller's.
struct Buffers<'a, T> {
    /// The values on the driven lines, driven x samples, and powers of them.
    voltages: &'a mut [T],
    powers: &'a mut [T],
    /// Currents of a tile, its variances and deviates, and of all tiles, wanted x samples.
    part: &'a mut [T],
    variances: &'a mut [T],
    deviates: &'a mut [T],
    total: &'a mut [T],
}

impl<'a, T: Real> Buffers<'a, T> {
    /// Zeros for `driven` and `wanted` values, `powers` and `variances` only where they are needed.
    fn new(
        scratch: &'a mut Vec<T>,
        driven: usize,
        wanted: usize,
        powers: bool,
        variances: bool,
    ) -> Self {
        let powered = if powers || variances { driven } else { 0 };
        let spread = if variances { wanted } else { 0 };
        scratch.clear();
        scratch.resize(driven + powered + 2 * (wanted + spread), T::zero());
        let (voltages, rest) = scratch.split_at_mut(driven);
        let (powers, rest) = rest.split_at_mut(powered);
        let (part, rest) = rest.split_at_mut(wanted);
        let (total, rest) = rest.split_at_mut(wanted);
        let (variances, deviates) = rest.split_at_mut(spread);
        Self { voltages, powers, part, variances, deviates, total }
    }
}

/// A tile's part in a read.
struct Part<'a, T: Real> {
    tile: &'a Tile<T>,
    port: Port,
    samples: usize,
    /// What the read lasts.
    seconds: f64,
    /// Its lines that are wanted, counted in the array and in the tile.
    lines: Range<usize>,
    local: Range<usize>,
}

impl<'a, T: Real> Part<'a, T> {
    /// Nothing where no line of the tile is wanted.
    fn new(tile: &'a Tile<T>, read: &Read<T>, seconds: f64) -> Option<Self> {
        let own = tile.driven(read.port.other());
        let lines = read.wanted.start.max(own.start)..read.wanted.end.min(own.end);
        let local = lines.start.checked_sub(own.start)?..lines.end.checked_sub(own.start)?;
        let samples = read.values.ncols();
        (!lines.is_empty()).then_some(Self {
            tile,
            port: read.port,
            samples,
            seconds,
            lines,
            local,
        })
    }

    /// The tile's own of `values`, which are driven x samples.
    fn driving<'v>(&self, values: &'v [T]) -> View<'v, T> {
        let all = values.len() / self.samples.max(1);
        let driven = self.tile.driven(self.port);
        let (values, size) = (&values[driven.start.min(values.len())..], Dyn(driven.len()));
        View::from_slice_with_strides_generic(values, size, Dyn(self.samples), U1, Dyn(all))
    }

    /// `currents` as a matrix.
    fn matrix<'c>(&self, currents: &'c mut [T]) -> ViewMut<'c, T> {
        ViewMut::from_slice_generic(currents, Dyn(self.lines.len()), Dyn(self.samples))
    }

    /// Adds the currents of the values.
    fn add_linear(&self, voltages: &[T], currents: &mut [T]) {
        let values = self.driving(voltages);
        self.tile.linear.add_product(self.port, &self.local, values, self.matrix(currents));
    }

    /// Adds the currents of the values' squares and cubes.
    fn add_powers(&self, voltages: &[T], powered: &mut [T], currents: &mut [T]) {
        let Some([square, cube]) = &self.tile.powers else { return };
        // Driven from the other side, a cell's voltage has the other sign, and so has its current.
        let sign = if self.port == Port::Forward { T::one() } else { -T::one() };
        for (powered, v) in powered.iter_mut().zip(voltages) {
            *powered = sign * *v * *v;
        }
        square.add_product(self.port, &self.local, self.driving(powered), self.matrix(currents));
        for (powered, v) in powered.iter_mut().zip(voltages) {
            *powered = *v * *v * *v;
        }
        cube.add_product(self.port, &self.local, self.driving(powered), self.matrix(currents));
    }
}

impl<T: Real> Crossbar<T> {
    /// A read of an array that passes currents on, with noise that is the same for all cells:
    /// straight into `currents`.
    pub(super) fn read_straight(&self, read: &Read<T>, mut currents: ViewMut<T>) {
        let linear = &self.array.tiles[0].linear;
        linear.add_currents(read, currents.as_view_mut());
        let noise = &self.device.noise;
        let (streams, share) =
            (noise.streams(read.streams, read.span), T::of(noise.share(read.span)));
        for (column, mut currents) in currents.column_iter_mut().enumerate() {
            let deviation = self.periphery.noise_of(read.values.column(column).as_slice()) * share;
            if deviation > T::zero() {
                streams.key(column).add_normals(currents.as_mut_slice(), deviation);
            }
        }
    }

    /// A read through everything that there is.
    pub(super) fn read_through(
        &self,
        read: &Read<T>,
        mut currents: ViewMut<T>,
        scratch: &mut Vec<T>,
    ) -> Result<()> {
        let (driven, samples) = read.values.shape();
        let wanted = read.wanted.len();
        let tiles = &self.array.tiles;
        let powers = tiles.iter().any(|tile| tile.powers.is_some());
        let variances = tiles.iter().any(|tile| tile.variances.is_some());
        let (inner, outer) = (driven * samples, wanted * samples);
        let mut buffers = Buffers::new(scratch, inner, outer, powers, variances);
        for (column, voltages) in buffers.voltages.chunks_exact_mut(driven.max(1)).enumerate() {
            voltages.copy_from_slice(read.values.column(column).as_slice());
        }
        let values = &mut *buffers.voltages;
        let mut lines = Lines { port: read.port, lines: 0..driven, values };
        self.periphery.drive(&mut lines, &read.streams);
        let (drive, seconds) = (&self.device.drive, self.device.seconds_of(read.span));
        let each = (drive.volts_per_value(), seconds);
        // What drives selectors, which circuits have in them, and what they leave to cells.
        let straight = self.array.selector.is_off() && self.array.circuits.is_empty();
        let at_lines = if straight { Vec::new() } else { buffers.voltages.to_vec() };
        self.leave_to_cells(buffers.voltages);
        let left = &*buffers.voltages;
        let at_drivers = if straight { left } else { &at_lines };
        self.array.heating.count(read.port, [at_drivers, left], driven, each, &self.heat);
        let noise = &self.device.noise;
        let (streams, share) =
            (noise.streams(read.streams, read.span), T::of(noise.share(read.span)));
        for (index, tile) in tiles.iter().enumerate() {
            let Some(part) = Part::new(tile, read, seconds) else { continue };
            self.read_tile(&part, index, &streams, share, &at_lines, &mut buffers)?;
            let (lines, first) = (part.lines.len(), part.lines.start - read.wanted.start);
            let totals = buffers.total.chunks_exact_mut(wanted);
            for (total, part) in totals.zip(buffers.part.chunks_exact(lines)) {
                simd::add(&mut total[first..first + lines], part);
            }
        }
        for (column, total) in buffers.total.chunks_exact_mut(wanted.max(1)).enumerate() {
            if let Some(gain) = &read.gain {
                simd::multiply(total, gain.column(column).as_slice());
            }
            simd::add(currents.column_mut(column).as_mut_slice(), total);
        }
        Ok(())
    }

    /// What selectors leave to cells of values at the lines.
    fn leave_to_cells(&self, values: &mut [T]) {
        let (selector, volts) = (self.array.selector, self.device.drive.volts_per_value());
        if selector.is_off() {
            return;
        }
        for value in values {
            *value = T::of(selector.leaves(value.f64() * volts) / volts);
        }
    }

    /// The same of a batch.
    pub(super) fn left_to_cells(&self, values: &View<T>) -> DMatrix<T> {
        let mut left = values.clone_owned();
        self.leave_to_cells(left.as_mut_slice());
        left
    }

    /// Adds the currents of a tile whose circuits are solved, driven with the values `at_lines`.
    fn add_circuits(&self, part: &Part<T>, at_lines: &[T], currents: &mut [T]) -> Result<()> {
        let (port, array) = (part.port, &self.array);
        let (volts, all) =
            (self.device.drive.volts_per_value(), at_lines.len() / part.samples.max(1));
        let gain = |output: usize| array.gains.get(output).map_or(1.0, |gain| gain.f64());
        let own = |range: &Range<usize>, of: &Range<usize>| {
            of.start <= range.start && range.end <= of.end
        };
        for circuit in &array.circuits {
            let inside = own(&circuit.inputs, &part.tile.inputs)
                && own(&circuit.outputs, &part.tile.outputs);
            let (driven, read) = (circuit.driven(port), circuit.driven(port.other()));
            let lines = read.start.max(part.lines.start)..read.end.min(part.lines.end);
            if !inside || lines.is_empty() {
                continue;
            }
            let drive = DMatrix::from_fn(driven.len(), part.samples, |line, sample| {
                let line = driven.start + line;
                let value = at_lines[sample * all + line].f64() * volts;
                if port == Port::Reversed { value * gain(line) } else { value }
            });
            for (side, sign) in circuit.sides.iter().zip([1.0, -1.0]) {
                let seen = side.read(&drive, port)?;
                if self.device.cost.counts_heat() {
                    seen.watts.iter().for_each(|watts| self.heat.add(watts * part.seconds));
                }
                let columns = currents.chunks_exact_mut(part.lines.len());
                for (currents, seen) in columns.zip(seen.currents.column_iter()) {
                    for line in lines.clone() {
                        let current = sign * array.per_ampere * seen[line - read.start];
                        let current =
                            if port == Port::Forward { current * gain(line) } else { current };
                        currents[line - part.lines.start] += T::of(current);
                    }
                }
            }
        }
        Ok(())
    }

    /// The currents of tile number `index` as they leave it, into `buffers.part`.
    fn read_tile(
        &self,
        part: &Part<T>,
        index: usize,
        streams: &Streams,
        share: T,
        at_lines: &[T],
        buffers: &mut Buffers<T>,
    ) -> Result<()> {
        let length = part.lines.len() * part.samples;
        if index > 0 {
            buffers.part[..length].fill(T::zero());
        }
        if self.array.circuits.is_empty() {
            part.add_linear(buffers.voltages, &mut buffers.part[..length]);
            part.add_powers(buffers.voltages, buffers.powers, &mut buffers.part[..length]);
        } else {
            self.add_circuits(part, at_lines, &mut buffers.part[..length])?;
        }
        let key = |column| match index {
            0 => streams.key(column),
            index => streams.key(column).with(index as u64),
        };
        self.add_noise(part, key, share, buffers);
        let values = &mut buffers.part[..length];
        let mut lines = Lines { port: part.port, lines: part.lines.clone(), values };
        self.periphery.output(&mut lines, streams);
        Ok(())
    }

    /// Adds the noise of the cells and of the outputs, one deviate for both, `share` times as large
    /// as that of a read by itself; `key` names the stream of each sample.
    fn add_noise(
        &self,
        part: &Part<T>,
        key: impl Fn(usize) -> Key,
        share: T,
        buffers: &mut Buffers<T>,
    ) {
        let (lines, length) = (part.lines.len(), part.lines.len() * part.samples);
        let currents = &mut buffers.part[..length];
        let Some(variances) = &part.tile.variances else {
            let (driven, all) =
                (part.tile.driven(part.port), buffers.voltages.len() / part.samples.max(1));
            for (column, currents) in currents.chunks_exact_mut(lines).enumerate() {
                let values = &buffers.voltages[column * all..][driven.clone()];
                let deviation = self.periphery.noise_of(values) * share;
                if deviation > T::zero() {
                    key(column).add_normals(currents, deviation);
                }
            }
            return;
        };
        for (square, voltage) in buffers.powers.iter_mut().zip(&*buffers.voltages) {
            *square = *voltage * *voltage;
        }
        let (spread, deviates) =
            (&mut buffers.variances[..length], &mut buffers.deviates[..length]);
        spread.fill(T::zero());
        deviates.fill(T::zero());
        let squares = part.driving(buffers.powers);
        variances.add_product(part.port, &part.local, squares, part.matrix(spread));
        for (column, deviates) in deviates.chunks_exact_mut(lines).enumerate() {
            key(column).add_normals(deviates, share);
        }
        let output = T::of(self.periphery.output_noise);
        add_spread(currents, spread, output * output, deviates);
    }
}
