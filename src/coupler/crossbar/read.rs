//! One read: what stands at the lines, and noise, around the product.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn, U1};

use super::Crossbar;
use super::chord::Seen;
use super::hook::Lines;
use super::tile::{Circuit, Tile};
use crate::arithmetic::random::Key;
use crate::arithmetic::simd::{self, vectorised};
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::{Port, Read, Streams};

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

    /// Adds the currents of the values' squares and cubes; `gains` are those of the driven lines, which
    /// the matrices have in them once, or nothing where they are 1.
    fn add_powers(&self, gains: &[T], voltages: &[T], powered: &mut [T], currents: &mut [T]) {
        let Some([square, cube]) = &self.tile.powers else { return };
        let amplify = |powered: &mut [T]| {
            let samples = powered.chunks_exact_mut(gains.len().max(1));
            samples.filter(|_| !gains.is_empty()).for_each(|sample| simd::multiply(sample, gains));
        };
        // Driven from the other side, a cell's voltage has the other sign, and so has its current.
        let sign = if self.port == Port::Forward { T::one() } else { -T::one() };
        for (powered, v) in powered.iter_mut().zip(voltages) {
            *powered = sign * *v * *v;
        }
        amplify(powered);
        square.add_product(self.port, &self.local, self.driving(powered), self.matrix(currents));
        for (powered, v) in powered.iter_mut().zip(voltages) {
            *powered = *v * *v * *v;
        }
        (0..2).for_each(|_| amplify(powered));
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
    ) {
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
        let straight = self.array.selector.is_none() && self.array.circuits.is_empty();
        let at_lines = if straight { Vec::new() } else { buffers.voltages.to_vec() };
        self.leave_to_cells(read.port, buffers.voltages, driven);
        let left = &*buffers.voltages;
        let at_drivers = if straight { left } else { &at_lines };
        self.array.heating.count(read.port, [at_drivers, left], driven, each, &self.heat);
        let noise = &self.device.noise;
        let (streams, share) =
            (noise.streams(read.streams, read.span), T::of(noise.share(read.span)));
        for (index, tile) in tiles.iter().enumerate() {
            let Some(part) = Part::new(tile, read, seconds) else { continue };
            self.read_tile(&part, index, &streams, share, &at_lines, &mut buffers);
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
        self.heat_others(read, seconds, &at_lines);
    }

    /// The gain of the amplifier of a driven line: outputs' amplifiers drive them where the array is
    /// driven reversed.
    pub(super) fn gain_of_driven(&self, port: Port, line: usize) -> T {
        match port {
            Port::Forward => T::one(),
            Port::Reversed => self.array.gains.get(line).copied().unwrap_or(T::one()),
        }
    }

    /// What selectors leave to cells of values at the lines, as many as are `driven` a sample.
    fn leave_to_cells(&self, port: Port, values: &mut [T], driven: usize) {
        let (selector, volts) = (self.array.selector, self.device.drive.volts_per_value());
        if selector.is_none() {
            return;
        }
        for values in values.chunks_exact_mut(driven.max(1)) {
            for (line, value) in values.iter_mut().enumerate() {
                // The array's matrices have the gain in them.
                let gain = self.gain_of_driven(port, line).f64();
                let left = selector.leaves(value.f64() * gain * volts) / volts;
                *value = T::of(if gain == 0.0 { 0.0 } else { left / gain });
            }
        }
    }

    /// The same of a batch.
    pub(super) fn left_to_cells(&self, port: Port, values: &View<T>) -> DMatrix<T> {
        let mut left = values.clone_owned();
        self.leave_to_cells(port, left.as_mut_slice(), values.nrows());
        left
    }

    /// Reads both sides of a circuit, driven with the values `at_lines` of all lines, and counts what
    /// that heats.
    fn read_circuit(
        &self,
        circuit: &Circuit,
        (port, samples, seconds): (Port, usize, f64),
        at_lines: &[T],
    ) -> [Seen; 2] {
        let (volts, all) = (self.device.drive.volts_per_value(), at_lines.len() / samples.max(1));
        let driven = circuit.driven(port);
        let drive = DMatrix::from_fn(driven.len(), samples, |line, sample| {
            let line = driven.start + line;
            (at_lines[sample * all + line] * self.gain_of_driven(port, line)).f64() * volts
        });
        let seen = circuit.sides.each_ref().map(|side| side.read(&drive, port));
        if self.device.cost.counts_heat() {
            let watts = seen.iter().flat_map(|seen| &seen.watts);
            watts.for_each(|watts| self.heat.add(watts * seconds));
        }
        seen
    }

    /// Counts the heat of circuits that a read drives without wanting any of their currents.
    fn heat_others(&self, read: &Read<T>, seconds: f64, at_lines: &[T]) {
        if !self.device.cost.counts_heat() {
            return;
        }
        for circuit in self.array.circuits.iter() {
            let lines = circuit.driven(read.port.other());
            if lines.end <= read.wanted.start || read.wanted.end <= lines.start {
                let how = (read.port, read.values.ncols(), seconds);
                self.read_circuit(circuit, how, at_lines);
            }
        }
    }

    /// Adds the currents of a tile whose circuits are solved, driven with the values `at_lines`.
    fn add_circuits(&self, part: &Part<T>, at_lines: &[T], currents: &mut [T]) {
        let (port, array) = (part.port, &self.array);
        let inside =
            |own: &Range<usize>, of: &Range<usize>| of.start <= own.start && own.end <= of.end;
        for circuit in array.circuits.iter() {
            let read = circuit.driven(port.other());
            let lines = read.start.max(part.lines.start)..read.end.min(part.lines.end);
            let own = inside(&circuit.inputs, &part.tile.inputs)
                && inside(&circuit.outputs, &part.tile.outputs);
            if !own || lines.is_empty() {
                continue;
            }
            let how = (port, part.samples, part.seconds);
            let [plus, minus] = self.read_circuit(circuit, how, at_lines);
            for (sample, currents) in currents.chunks_exact_mut(part.lines.len()).enumerate() {
                for line in lines.clone() {
                    let at = (line - read.start, sample);
                    let current =
                        T::of(array.per_ampere * (plus.currents[at] - minus.currents[at]));
                    // What is read at the outputs passes their amplifiers.
                    currents[line - part.lines.start] +=
                        current * self.gain_of_driven(port.other(), line);
                }
            }
        }
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
    ) {
        let length = part.lines.len() * part.samples;
        if index > 0 {
            buffers.part[..length].fill(T::zero());
        }
        if self.array.circuits.is_empty() {
            part.add_linear(buffers.voltages, &mut buffers.part[..length]);
            let gains = if part.port == Port::Forward { &[] } else { &self.array.gains[..] };
            part.add_powers(gains, buffers.voltages, buffers.powers, &mut buffers.part[..length]);
        } else {
            self.add_circuits(part, at_lines, &mut buffers.part[..length]);
        }
        let key = |column| match index {
            0 => streams.key(column),
            index => streams.key(column).with(index as u64),
        };
        self.add_noise(part, key, share, buffers);
        let values = &mut buffers.part[..length];
        let mut lines = Lines { port: part.port, lines: part.lines.clone(), values };
        self.periphery.output(&mut lines, streams);
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
