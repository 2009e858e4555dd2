//! Forces frame by frame: each frame's field in O(1) from the pattern's overlap and the one node
//! that differs.

use super::lag::Lag;
use super::missing_share;
use crate::Result;
use crate::arithmetic::random::Stream;
use crate::arithmetic::{Real, ViewMut};
use crate::coupler::spim::Spim;
use crate::coupler::spim::optics::exposure::{Exposure, Field};
use crate::coupler::spim::optics::light::{Light, minus, plus, real};
use crate::coupler::spim::remote::Roll;
use crate::coupler::{Port, Read};

/// A node whose force is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Its number.
    pub node: usize,
    /// The value that its macro-pixel shows.
    pub value: f64,
    /// What its current is multiplied by.
    pub gain: f64,
}

/// The values of one macro-pixel in two frames, and what their difference is multiplied by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pair {
    /// In the first frame.
    pub up: f64,
    /// In the second.
    pub down: f64,
    /// What makes the difference the force.
    pub scale: f64,
}

impl Pair {
    /// A node moved by an eighth of a turn either way, (v +- g) / sqrt 2; the difference times `scale`
    /// is the force where both values can be shown.
    pub(super) fn eighth_turn(&Wanted { value, gain, .. }: &Wanted, scale: f64) -> Self {
        // Both values must be on the circle: |v| + h <= sqrt 2.
        let h = gain.min(2f64.sqrt() - value.abs());
        let part = if h > 0.0 { gain / h } else { 1.0 };
        let [up, down] = [value + h, value - h].map(|value| value * 0.5f64.sqrt());
        Self { up, down, scale: part * scale }
    }
}

pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    mut currents: ViewMut<T>,
) -> Result<()> {
    let readout = spim.device.readout.get();
    let mut aperture = Aperture::new(spim, read.port);
    let standing = spim.wandered.standing(&spim.device, read.streams.key);
    let sight = spim.sight(read.port.index());
    let mut exposure = Exposure::new(sight, standing.gain).drifted(standing.phase_change);
    let mut lag = Lag::new(&spim.device, aperture.nodes).filter(|_| spim.bench.is_none());
    let reference: &[f64] =
        if readout.reads_overlaps() { aperture.light.reference_values() } else { &[] };
    let weights = weights(spim, read.port);
    let missing = missing_share(spim);
    let (mut wanted, mut forces) = (Vec::new(), Vec::new());
    // Adds the forces of one sample to its currents, where its frames are not only noted.
    let mut read_sample =
        |column: usize, roll: Option<&mut Roll>, currents: Option<&mut ViewMut<T>>| {
            let gain = |row: usize| read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]);
            aperture.show(spim, read.port, |node| read.values[(node, column)].f64());
            let mut stream = read.streams.stream(column);
            exposure.begin(&mut stream);
            if let Some(lag) = &mut lag {
                lag.begin(&aperture.values, reference);
            }
            let (aperture, weights, lag) = (&aperture, &weights[..], lag.as_mut());
            let moved = Vec::new();
            let exposure = &mut exposure;
            let mut frames = Frames { aperture, exposure, weights, stream, moved, lag, roll };
            wanted.clear();
            wanted.extend(read.wanted.clone().enumerate().map(|(row, node)| {
                // A writer beside the readers starts from nothing.
                let beside = readout.shows_writers();
                let own = read.values.get((node, column)).filter(|_| !beside);
                let value = own.map_or(0.0, |value| value.f64());
                Wanted { node, value, gain: gain(row).f64() }
            }));
            forces.clear();
            forces.resize(wanted.len(), 0.0);
            readout.add_forces(&mut frames, &wanted, &mut forces);
            let Some(currents) = currents else { return };
            for (row, (node, force)) in read.wanted.clone().zip(&forces).enumerate() {
                let own = missing.map_or(T::zero(), |share| {
                    share * spim.self_coupling[node] * read.values[(node, column)]
                });
                currents[(row, column)] += T::of(*force) + gain(row) * own;
            }
        };
    let columns = 0..read.values.ncols();
    let Some(bench) = &spim.bench else {
        columns.into_iter().for_each(|column| read_sample(column, None, Some(&mut currents)));
        let (frames, at_limit) = exposure.readings();
        spim.camera.add(frames, at_limit);
        return Ok(());
    };
    let mut roll = bench.roll(read.port.index())?;
    let mut noted = Vec::new();
    for column in columns.clone() {
        // A sample whose readings have failed has no steady state any more, and no mask.
        if read.values.column(column).iter().all(|value| value.f64().is_finite()) {
            read_sample(column, Some(&mut roll), None);
            noted.push(column);
        } else {
            currents.column_mut(column).fill(T::of(f64::NAN));
        }
        if roll.is_full() || column + 1 == columns.end {
            roll.develop()?;
            for column in noted.drain(..) {
                read_sample(column, Some(&mut roll), Some(&mut currents));
            }
            let (frames, at_limit) = roll.readings();
            spim.camera.add(frames, at_limit);
            roll.rewind();
        }
    }
    Ok(())
}

/// lambda_k / K, made up for the compensation of the light and in the unit of light as it was
/// measured.
pub(super) fn weights<T: Real>(spim: &Spim<T>, port: Port) -> Vec<f64> {
    let side = &spim.sides[port.index()];
    let weight = spim.shown.inverse_count().f64() * side.light.brightening() * side.unit;
    spim.shown.weights.iter().map(|lambda| lambda.f64() * weight).collect()
}

/// What the macro-pixels show of one sample, pattern by pattern.
struct Aperture<'a> {
    light: &'a Light,
    /// Whether patterns are +-1.
    signs: bool,
    /// Macro-pixels, and how many of them come before those of the writers and of the readers.
    nodes: usize,
    writer_offset: usize,
    reader_offset: usize,
    /// The pattern of each wanted node's macro-pixel: port-specific writers, wanted nodes x K, by
    /// column.
    writers: Vec<f64>,
    outputs: usize,
    /// Values shown, macro-pixels x K, by column.
    values: Vec<f64>,
    /// The zero order of each pattern.
    orders: Vec<Field>,
    /// A factor on everything shown.
    dimming: f64,
}

impl<'a> Aperture<'a> {
    fn new<T: Real>(spim: &'a Spim<T>, port: Port) -> Self {
        let (shown, device) = (&spim.shown, &spim.device);
        let (readers, writers) = shown.driven(port);
        let side = &spim.sides[port.index()];
        let (inputs, outputs) = (shown.readers.nrows(), shown.writers().nrows());
        let (reader_offset, writer_offset) = match (port, device.readout.get().shows_writers()) {
            (Port::Forward, true) => (0, inputs),
            (Port::Reversed, true) => (inputs, 0),
            (_, false) => (0, 0),
        };
        debug_assert!(side.nodes == readers.nrows() || side.nodes == inputs + outputs);
        Self {
            light: &side.light,
            signs: device.patterns.are_signs(),
            nodes: side.nodes,
            writer_offset,
            reader_offset,
            writers: writers.iter().map(|value| value.f64()).collect(),
            outputs: writers.nrows(),
            values: vec![0.0; side.nodes * shown.count()],
            orders: Vec::with_capacity(shown.count()),
            dimming: device.readout.get().dimming(),
        }
    }

    /// Shows the node values of one sample through every pattern.
    fn show<T: Real>(&mut self, spim: &Spim<T>, port: Port, value: impl Fn(usize) -> f64) {
        let (readers, _) = spim.shown.driven(port);
        self.orders.clear();
        if let (Light::Analytic(gauge), true) =
            (self.light, self.signs && self.nodes == readers.nrows())
        {
            // A sign passes through the encoding: one look-up a node serves all patterns.
            let shown: Vec<f64> = (0..self.nodes).map(|node| value(node) * self.dimming).collect();
            let fields: Vec<f64> = shown.iter().map(|value| gauge.field(*value)).collect();
            for (pattern, values) in
                readers.column_iter().zip(self.values.chunks_exact_mut(self.nodes))
            {
                let mut overlap = 0.0;
                for (((xi, to), shown), field) in
                    pattern.iter().zip(values).zip(&shown).zip(&fields)
                {
                    *to = xi.f64() * shown;
                    overlap += xi.f64() * field;
                }
                self.orders.push(real(overlap));
            }
            return;
        }
        for (k, pattern) in readers.column_iter().enumerate() {
            let values = &mut self.values[k * self.nodes..(k + 1) * self.nodes];
            for (node, xi) in pattern.iter().enumerate() {
                let at = self.reader_offset + node;
                values[at] = self.light.corrected(at, xi.f64() * value(node) * self.dimming);
            }
            self.orders.push(self.light.zero_order(values, &[]));
        }
    }

    fn values(&self, k: usize) -> &[f64] {
        &self.values[k * self.nodes..(k + 1) * self.nodes]
    }

    fn writer(&self, node: usize, k: usize) -> f64 {
        self.writers[k * self.outputs + node]
    }
}

/// One sample's camera frames, in the order in which they are taken.
pub struct Frames<'a, 'b, 'c> {
    aperture: &'a Aperture<'b>,
    exposure: &'a mut Exposure<'b>,
    /// lambda_k / K, made up for the compensation of the light.
    weights: &'a [f64],
    /// The stream of the sample.
    pub(super) stream: Stream,
    /// Values that differ from those of the pattern.
    moved: Vec<f64>,
    /// What the panel shows, where it lags behind what it is asked for.
    lag: Option<&'a mut Lag<'b>>,
    /// The frames of a laboratory, in place of simulated light.
    roll: Option<&'a mut Roll<'c>>,
}

impl Frames<'_, '_, '_> {
    /// K.
    pub(super) fn count(&self) -> usize {
        self.aperture.orders.len()
    }

    /// The noise of all frames since the last call, where it is drawn once.
    pub(super) fn drawn(&mut self) -> f64 {
        self.exposure.drawn(&mut self.stream)
    }

    fn difference(&mut self, pair: [Field; 2], weight: f64) -> f64 {
        self.exposure.difference(pair, weight, &mut self.stream)
    }

    /// The weighted sum over patterns of the difference of two frames, one macro-pixel at the two
    /// values of `pair`; `value` is what it shows otherwise.
    pub(super) fn shift(&mut self, Wanted { node, value, .. }: &Wanted, pair: Pair) -> f64 {
        let aperture = self.aperture;
        let (light, at, Pair { up, down, scale }) =
            (aperture.light, aperture.writer_offset + node, pair);
        let mut sum = 0.0;
        if let Some(roll) = &mut self.roll {
            for k in 0..aperture.orders.len() {
                let xi = aperture.writer(*node, k);
                let difference = roll.difference(k, aperture.values(k), |mask, sign| {
                    let value = if sign > 0.0 { up } else { down };
                    mask[at] = light.corrected(at, xi * value);
                });
                sum += self.weights[k] * scale * difference;
            }
            return sum;
        }
        if let (Light::Analytic(gauge), true) = (light, aperture.signs) {
            // A sign passes through the encoding: three look-ups serve all patterns.
            let [own, up, down] =
                [value * aperture.dimming, up, down].map(|value| gauge.field(value));
            for k in 0..aperture.orders.len() {
                let xi = aperture.writer(*node, k);
                let rest = aperture.orders[k].0.re - xi * own;
                let pair = [real(rest + xi * up), real(rest + xi * down)];
                sum += self.difference(pair, self.weights[k] * scale);
            }
            return sum + self.drawn();
        }
        for k in 0..aperture.orders.len() {
            let (xi, values) = (aperture.writer(*node, k), aperture.values(k));
            let rest = minus(aperture.orders[k], light.share(values, at, values[at]));
            let pair = [up, down]
                .map(|value| plus(rest, light.share(values, at, light.corrected(at, xi * value))));
            sum += self.difference(pair, self.weights[k] * scale);
        }
        sum + self.drawn()
    }

    /// The part of pattern `k` in [`shift`](Self::shift) on a panel that lags.
    fn lagging_shift(&mut self, k: usize, Wanted { node, .. }: &Wanted, pair: Pair) -> f64 {
        let Some(lag) = &mut self.lag else { return 0.0 };
        let (aperture, light) = (self.aperture, self.aperture.light);
        let (at, xi) = (aperture.writer_offset + node, aperture.writer(*node, k));
        let fields = [pair.up, pair.down]
            .map(|value| lag.frame(light, k, [(at, light.corrected(at, xi * value))]));
        self.difference(fields, self.weights[k] * pair.scale) + self.drawn()
    }

    /// The signed overlap of pattern `k` times lambda_k / K, against the reference at phase 0 and
    /// pi.
    pub(super) fn beside_reference(&mut self, k: usize) -> f64 {
        let (aperture, light) = (self.aperture, self.aperture.light);
        if let Some(roll) = &mut self.roll {
            let difference = roll.difference(k, aperture.values(k), |mask, sign| {
                mask[aperture.nodes..].iter_mut().for_each(|value| *value *= sign);
            });
            let amplitude = light.reference_amplitude(aperture.nodes);
            return self.weights[k] / (4.0 * amplitude) * difference;
        }
        let pair = [1.0, -1.0].map(|sign| match &mut self.lag {
            Some(lag) => {
                let reference = light.reference_values().iter().map(|value| sign * value);
                lag.frame(light, k, (aperture.nodes..).zip(reference))
            }
            None => plus(aperture.orders[k], light.reference(aperture.values(k), sign)),
        });
        let amplitude = light.reference_amplitude(aperture.nodes);
        self.difference(pair, self.weights[k] / (4.0 * amplitude))
    }

    /// The slope of pattern `k`'s energy along the `signs` of the wanted nodes, over a `step` up
    /// and down.
    pub(super) fn moved(&mut self, k: usize, wanted: &[Wanted], signs: &[f64], step: f64) -> f64 {
        let (aperture, moved) = (self.aperture, &mut self.moved);
        if let Some(roll) = &mut self.roll {
            let difference = roll.difference(k, aperture.values(k), |mask, side| {
                for (Wanted { node, .. }, sign) in wanted.iter().zip(signs) {
                    let value = aperture.writer(*node, k) * side * step * sign;
                    mask[*node] += aperture.light.corrected(*node, value);
                }
            });
            return self.weights[k] / (4.0 * step) * difference;
        }
        let pair = [1.0, -1.0].map(|side| {
            moved.clear();
            moved.extend_from_slice(aperture.values(k));
            for (Wanted { node, .. }, sign) in wanted.iter().zip(signs) {
                let value = aperture.writer(*node, k) * side * step * sign;
                moved[*node] += aperture.light.corrected(*node, value);
            }
            match &mut self.lag {
                Some(lag) => lag.frame(aperture.light, k, moved.iter().copied().enumerate()),
                None => aperture.light.zero_order(moved, &[]),
            }
        });
        self.difference(pair, self.weights[k] / (4.0 * step))
    }

    /// sum_k xi^k_node o_k of weighted overlaps, computed digitally.
    pub(super) fn project(&self, node: usize, overlaps: &[f64]) -> f64 {
        overlaps
            .iter()
            .enumerate()
            .map(|(k, overlap)| self.aperture.writer(node, k) * overlap)
            .sum()
    }
}

/// Reads every wanted node, each shown at the two values that `pair` gives. Where the order of the
/// frames matters the laboratory goes pattern by pattern, so that masks change as little as they
/// can.
pub(super) fn shift_each(
    frames: &mut Frames,
    wanted: &[Wanted],
    forces: &mut [f64],
    pair: impl Fn(&Wanted) -> Pair,
) {
    if frames.lag.is_none() {
        for (wanted, force) in wanted.iter().zip(forces) {
            *force += frames.shift(wanted, pair(wanted));
        }
        return;
    }
    for k in 0..frames.count() {
        for (wanted, force) in wanted.iter().zip(&mut *forces) {
            *force += frames.lagging_shift(k, wanted, pair(wanted));
        }
    }
}
