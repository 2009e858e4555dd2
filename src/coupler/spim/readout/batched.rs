//! Forces frame by frame, all patterns of a node side by side.
//!
//! Taken where a node is moved between two values, where what its macro-pixel sends is known from
//! its value alone, and where a frame is an intensity on one camera pixel. The frames are those of
//! [`super::frames`], and without noise so are their readings; deviates of frames are drawn by node
//! and not one after another.

use super::frames::{Pair, Wanted, weights};
use super::{Readout, missing_share, signs};
use crate::arithmetic::simd::{self, vectorised};
use crate::arithmetic::{Real, ViewMut};
use crate::coupler::Read;
use crate::coupler::spim::Spim;
use crate::coupler::spim::optics::Path;
use crate::coupler::spim::optics::exposure::{Bare, Exposure};
use crate::coupler::spim::optics::fields::Fields;
use crate::coupler::spim::optics::light::{Light, Shown};

/// Reads as [`super::frames::read`] does, where that is possible; says whether it was.
pub(super) fn read<T: Real>(spim: &Spim<T>, read: &Read<T>, currents: &mut ViewMut<T>) -> bool {
    let (device, side) = (&spim.device, &spim.sides[read.port.index()]);
    let readout = device.readout.get();
    let standing = spim.wandered.standing(device, read.streams.key);
    let sight = spim.sight(read.port.index());
    let exposure = Exposure::new(sight, standing.gain).drifted(standing.phase_change);
    let moves_one = readout.pair(&Wanted::default()).is_some() && !readout.shows_writers();
    let possible = moves_one && spim.shown.writers.is_none() && device.follows(Path::Still);
    let Some((bare, shown)) = exposure.bare().zip(side.light.shown()).filter(|_| possible) else {
        return false;
    };
    if bare.arrives_at(&side.detector) && device.patterns.are_signs() {
        signs::read(spim, read, shown, bare, currents);
    } else {
        Batch::new(spim, read, shown, bare).read(readout, currents);
    }
    true
}

/// One read of all its samples.
struct Batch<'a, 'b, T: Real> {
    spim: &'a Spim<T>,
    read: &'a Read<'b, T>,
    light: &'a Light,
    /// Nodes x K by row.
    patterns: Vec<f64>,
    /// lambda_k / K, made up for the compensation of the light.
    weights: Vec<f64>,
    bare: Bare,
    shown: Shown,
    /// Whether patterns are +-1, and frames do not arrive as they are: those are read by `signs`.
    signs: bool,
    /// Whether opposite values send opposite fields.
    is_odd: bool,
}

/// A wanted node among all that is shown for one sample.
struct Moved<'a> {
    node: usize,
    pair: Pair,
    /// K of the patterns.
    patterns: &'a [f64],
    /// The zero orders of the patterns, real and imaginary parts.
    orders: [&'a [f64]; 2],
    /// What the node has in them, where patterns are not +-1.
    own: [&'a [f64]; 2],
    /// What it has in them through patterns of 1 and of -1, where they are: real parts, and imaginary
    /// ones.
    signs: Both,
}

/// Real and imaginary parts of the fields of a node through patterns of 1 and of -1.
type Both = [[f64; 2]; 2];

impl<'a, 'b, T: Real> Batch<'a, 'b, T> {
    fn new(spim: &'a Spim<T>, read: &'a Read<'b, T>, shown: Shown, bare: Bare) -> Self {
        Self {
            light: &spim.sides[read.port.index()].light,
            patterns: spim.shown.readers.transpose().iter().map(|value| value.f64()).collect(),
            weights: weights(spim, read.port),
            bare,
            shown,
            signs: spim.device.patterns.are_signs(),
            is_odd: spim.sides[read.port.index()].light.is_odd(),
            spim,
            read,
        }
    }

    fn read(&self, readout: &dyn Readout, currents: &mut ViewMut<T>) {
        let (spim, read) = (self.spim, self.read);
        let (count, nodes) = (self.weights.len(), read.values.nrows());
        let detector = &spim.sides[read.port.index()].detector;
        let as_it_arrives = self.bare.arrives_at(detector);
        let deviation = self.bare.deviation_once(detector.deviation(), &self.weights);
        let missing = missing_share(spim);
        let mut own = Fields::new(if self.signs { 0 } else { nodes * count });
        let mut signs = vec![Both::default(); if self.signs { nodes } else { 0 }];
        let mut orders = Fields::new(count);
        let mut frames = NodeFrames::new(count);
        let mut at_limit = 0;
        for column in 0..read.values.ncols() {
            let values = read.values.column(column);
            let values = values.as_slice();
            self.light.without_nodes(&mut orders.real, &mut orders.imaginary);
            if self.signs {
                self.show_signs(values, readout.dimming(), &mut signs, &mut orders);
            } else {
                self.show_all(
                    values,
                    readout.dimming(),
                    &mut own,
                    &mut orders,
                    &mut frames.entries,
                );
            }
            let mut stream = read.streams.stream(column);
            for (row, at) in read.wanted.clone().enumerate() {
                let gain = read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]);
                let wanted = Wanted { node: at, value: values[at].f64(), gain: gain.f64() };
                let of_node = at * count..(at + 1) * count;
                let moved = Moved {
                    node: at,
                    pair: readout.pair(&wanted).unwrap_or_default(),
                    patterns: &self.patterns[of_node.clone()],
                    orders: [&orders.real, &orders.imaginary],
                    own: [&own.real, &own.imaginary]
                        .map(|own| own.get(of_node.clone()).unwrap_or(&[])),
                    signs: signs.get(at).copied().unwrap_or_default(),
                };
                let mut difference = if as_it_arrives {
                    self.difference(&moved, &mut frames)
                } else {
                    self.intensities(&moved, &mut frames);
                    let key = read.streams.key(column).with(at as u64);
                    at_limit += detector.take_frames(&mut frames.real, key);
                    let (up, down) = frames.real.split_at(count);
                    weighted_difference(up, down, &self.weights)
                };
                if self.bare.once {
                    difference += deviation * f64::normal(&mut stream);
                }
                let own = missing.map_or(T::zero(), |share| {
                    share * spim.self_coupling[at] * read.values[(at, column)]
                });
                let force = moved.pair.scale * self.bare.square * difference;
                currents[(row, column)] += T::of(force) + gain * own;
            }
        }
        let forces = read.wanted.len() * read.values.ncols();
        spim.camera.add((forces * 2 * count) as u64, at_limit);
    }

    /// Finds the fields of all nodes that show `values`, and adds them through each pattern to
    /// `orders`.
    fn show_all(
        &self,
        values: &[T],
        dimming: f64,
        own: &mut Fields,
        orders: &mut Fields,
        entries: &mut [u32],
    ) {
        let count = self.weights.len();
        for (at, value) in values.iter().enumerate() {
            let of_node = at * count..(at + 1) * count;
            let shown = (&self.patterns[of_node.clone()], value.f64() * dimming);
            let real = &mut own.real[of_node.clone()];
            let imaginary = &mut own.imaginary[of_node];
            self.light.fields(at, shown, [real, imaginary], entries);
            simd::add(&mut orders.real, real);
            if self.shown == Shown::Complex {
                simd::add(&mut orders.imaginary, imaginary);
            }
        }
    }

    /// The same where patterns are +-1.
    fn show_signs(&self, values: &[T], dimming: f64, signs: &mut [Both], orders: &mut Fields) {
        let patterns = self.patterns.chunks_exact(self.weights.len());
        for (at, ((value, patterns), own)) in values.iter().zip(patterns).zip(signs).enumerate() {
            *own = self.both(at, value.f64() * dimming);
            add_chosen(&mut orders.real, patterns, own[0]);
            if self.shown == Shown::Complex {
                add_chosen(&mut orders.imaginary, patterns, own[1]);
            }
        }
    }

    /// The fields of node `at` showing `value` through patterns of +-1.
    fn both(&self, at: usize, value: f64) -> Both {
        let both = self.light.through_signs(at, value);
        [both.map(|field| field.re), both.map(|field| field.im)]
    }

    /// Makes the real parts of `frames` the intensities of all frames of a node.
    fn intensities(&self, moved: &Moved, frames: &mut NodeFrames) {
        let Moved { pair, patterns, orders, own, signs, .. } = *moved;
        let (count, scale) = (patterns.len(), self.bare.per_square);
        let complex = self.shown == Shown::Complex;
        if !self.signs {
            self.show_pair(moved, frames);
        }
        let NodeFrames { real, imaginary, .. } = frames;
        let sides = real.chunks_exact_mut(count).zip(imaginary.chunks_exact_mut(count));
        for ((real, imaginary), value) in sides.zip([pair.up, pair.down]) {
            if self.signs {
                let shown = self.both(moved.node, value);
                let more = |part: usize| [0, 1].map(|sign| shown[part][sign] - signs[part][sign]);
                intensities_of_signs(real, patterns, more(0), orders[0], scale);
                if complex {
                    intensities_of_signs(imaginary, patterns, more(1), orders[1], scale);
                }
            } else {
                intensities(real, orders[0], own[0], scale);
                if complex {
                    intensities(imaginary, orders[1], own[1], scale);
                }
            }
            if complex {
                simd::add(real, imaginary);
            }
        }
    }

    /// The weighted sum over patterns of the difference of a node's two frames, as they arrive.
    fn difference(&self, moved: &Moved, frames: &mut NodeFrames) -> f64 {
        self.show_pair(moved, frames);
        let parts = [&frames.real, &frames.imaginary].into_iter().zip(moved.orders).zip(moved.own);
        let parts = parts.take(if self.shown == Shown::Complex { 2 } else { 1 });
        let differences = parts.map(|((fields, orders), own)| {
            let (up, down) = fields.split_at(moved.patterns.len());
            difference_of_squares(up, down, orders, own, &self.weights)
        });
        self.bare.per_square * differences.sum::<f64>()
    }

    /// Fills `frames` with the fields of a node that is up, and down.
    fn show_pair(&self, moved: &Moved, frames: &mut NodeFrames) {
        let Moved { node, pair, patterns, .. } = *moved;
        let (up, down) = frames.real.split_at_mut(patterns.len());
        let (up_beside, down_beside) = frames.imaginary.split_at_mut(patterns.len());
        self.light.fields(node, (patterns, pair.up), [up, up_beside], &mut frames.entries);
        if pair.down == -pair.up && self.is_odd {
            opposite(down, up);
            if self.shown == Shown::Complex {
                opposite(down_beside, up_beside);
            }
        } else {
            let down = [down, down_beside];
            self.light.fields(node, (patterns, pair.down), down, &mut frames.entries);
        }
    }
}

/// The frames of one node: those of all patterns with it up, then those with it down.
struct NodeFrames {
    real: Vec<f64>,
    imaginary: Vec<f64>,
    entries: Vec<u32>,
}

impl NodeFrames {
    fn new(patterns: usize) -> Self {
        Self {
            real: vec![0.0; 2 * patterns],
            imaginary: vec![0.0; 2 * patterns],
            entries: vec![0; patterns],
        }
    }
}

vectorised! {
    /// Adds the first of `both` where patterns are positive and the second elsewhere.
    fn add_chosen(numbers: &mut [f64], patterns: &[f64], both: [f64; 2]) {
        for (number, xi) in numbers.iter_mut().zip(patterns) {
            *number += if *xi > 0.0 { both[0] } else { both[1] };
        }
    }

    fn opposite(numbers: &mut [f64], of: &[f64]) {
        for (number, of) in numbers.iter_mut().zip(of) {
            *number = -*of;
        }
    }

    /// Makes `fields` the intensities (order - own + field)^2 times `scale`.
    fn intensities(fields: &mut [f64], orders: &[f64], own: &[f64], scale: f64) {
        for ((field, order), own) in fields.iter_mut().zip(orders).zip(own) {
            let sum = *order - *own + *field;
            *field = sum * sum * scale;
        }
    }

    /// The same intensities where field - own is the first of `more` for positive patterns and the
    /// second for others.
    fn intensities_of_signs(out: &mut [f64], patterns: &[f64], more: [f64; 2], orders: &[f64], scale: f64) {
        for ((out, xi), order) in out.iter_mut().zip(patterns).zip(orders) {
            let sum = *order + if *xi > 0.0 { more[0] } else { more[1] };
            *out = sum * sum * scale;
        }
    }

    /// The sum of (up - down) times the weight of each pattern.
    fn weighted_difference(up: &[f64], down: &[f64], weights: &[f64]) -> f64 {
        summed([up, down, weights], |[up, down, weight]| weight * (up - down))
    }

    /// The sum of (order - own + up)^2 - (order - own + down)^2 times the weight of each pattern.
    fn difference_of_squares(up: &[f64], down: &[f64], orders: &[f64], own: &[f64], weights: &[f64]) -> f64 {
        summed([up, down, orders, own, weights], |[up, down, order, own, weight]| {
            let rest = order - own;
            weight * ((up - down) * (rest + rest + up + down))
        })
    }
}

/// The sum of the terms of so many `numbers`, `SIDE_BY_SIDE` chains of them.
#[inline(always)]
fn summed<const N: usize>(numbers: [&[f64]; N], term: impl Fn([f64; N]) -> f64) -> f64 {
    const SIDE_BY_SIDE: usize = 16;
    let mut chains = [0.0; SIDE_BY_SIDE];
    let numbers = numbers.map(<[f64]>::as_chunks::<SIDE_BY_SIDE>);
    let (full, rest) = numbers[0];
    for at in 0..full.len() {
        let chunks = numbers.map(|(chunks, _)| &chunks[at]);
        for (lane, chain) in chains.iter_mut().enumerate() {
            *chain += term(chunks.map(|chunk| chunk[lane]));
        }
    }
    let rest = (0..rest.len()).map(|at| term(numbers.map(|(_, rest)| rest[at])));
    chains.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use nalgebra::DMatrix;

    use super::super::{ReadoutChoice, frames};
    use super::*;
    use crate::arithmetic::random::Key;
    use crate::coupler::spim::{PatternValues, Patterns, SpimDevice, Tier};
    use crate::coupler::{Held, Port, Streams};

    const NODES: usize = 9;

    fn spim(device: &SpimDevice) -> Spim<f64> {
        let mut stream = Key::new(3, "patterns").stream();
        let mut value = |sign: bool| {
            let normal = f64::normal(&mut stream);
            // Some continuous ones are 1 and -1 too.
            if sign { normal.signum() } else { normal.clamp(-1.0, 1.0) }
        };
        let (signs, count) = (device.patterns.are_signs(), device.patterns.count);
        let patterns = DMatrix::from_fn(NODES, count, |_, _| value(signs));
        let weights = DMatrix::from_fn(count, 1, |_, _| value(false));
        Spim::new(device.clone(), Patterns::reciprocal(patterns, weights)).unwrap()
    }

    fn values(samples: usize) -> DMatrix<f64> {
        let wave = |i: usize, j: usize| 1.1 * (0.7 * i as f64 + 1.3 * (j % 5) as f64).sin();
        DMatrix::from_fn(NODES, samples, wave)
    }

    /// Forces on nodes 2 to 8, side by side or one after another.
    fn forces(device: &SpimDevice, samples: usize, batched: bool) -> DMatrix<f64> {
        let (spim, values) = (spim(device), values(samples));
        let gain = DMatrix::from_fn(7, samples, |i, j| 0.25 + 0.125 * ((i + j) % 7) as f64);
        let numbers: Vec<usize> = (0..samples).collect();
        let streams = Streams { key: Key::new(1, "test"), samples: &numbers, step: 0 };
        let read = Read::new(Port::Forward, values.as_view(), 2..9, streams)
            .with_gain(Some(gain.as_view()));
        let mut out = DMatrix::zeros(7, samples);
        if batched {
            assert!(super::read(&spim, &read, &mut out.as_view_mut()), "{device:?}");
        } else {
            frames::read(&spim, &read, out.as_view_mut()).unwrap();
        }
        out
    }

    fn devices(patterns: usize) -> Vec<SpimDevice> {
        let mut devices = Vec::new();
        let mut readouts = ReadoutChoice::all();
        readouts.retain(|readout| {
            let readout = readout.get();
            readout.pair(&Wanted::default()).is_some() && !readout.shows_writers()
        });
        for readout in readouts {
            for tier in [Tier::Analytic, Tier::Effective] {
                for values in [PatternValues::Binary, PatternValues::Continuous] {
                    for camera_bits in [0, 6] {
                        for bits in [1, 2, 7] {
                            devices.push(SpimDevice::default().with(|device| {
                                device.readout = readout.clone();
                                device.tier = Some(tier);
                                device.patterns.count = patterns;
                                device.patterns.values = values;
                                device.quantisation.bits = bits;
                                device.camera.bits = camera_bits;
                                if tier == Tier::Effective {
                                    device.dead_zone.fill_factor = 0.9;
                                    device.illumination.radius = 0.7;
                                    device.patterns.compensated = camera_bits == 0;
                                    device.response.scale =
                                        if camera_bits == 0 { 1.1 } else { 1.0 };
                                }
                            }));
                        }
                    }
                }
            }
        }
        assert_eq!(devices.len(), 4 * 2 * 2 * 2 * 3);
        devices
    }

    #[test]
    fn what_is_not_tabulated_is_read_one_after_another() {
        for bits in [0, 13, 16] {
            let spim = spim(&SpimDevice::default().with(|device| {
                device.tier = Some(Tier::Effective);
                device.quantisation.bits = bits;
                device.patterns.count = 5;
            }));
            let values = values(2);
            let streams = Streams { key: Key::new(1, "test"), samples: &[0, 1], step: 0 };
            let read = Read::new(Port::Forward, values.as_view(), 0..NODES, streams);
            let mut out = DMatrix::zeros(NODES, 2);
            assert!(!super::read(&spim, &read, &mut out.as_view_mut()), "{bits} bits");
            frames::read(&spim, &read, out.as_view_mut()).unwrap();
            assert!(out.iter().all(|force| force.is_finite()) && out.amax() > 0.0);
        }
    }

    #[test]
    fn side_by_side_is_one_after_another() {
        for device in [1, 2, 37].into_iter().flat_map(devices) {
            let [found, expected] = [true, false].map(|batched| forces(&device, 3, batched));
            // Where nothing is sent there are rounding errors only.
            let error = (&found - &expected).amax() / expected.amax().max(1e-2);
            assert!(error < 1e-12, "{error:e} {device:?}");
        }
    }

    #[test]
    fn what_is_found_of_held_nodes_is_what_they_send() {
        for device in devices(37) {
            let (spim, values) = (spim(&device), values(4));
            let found = Mutex::default();
            for (samples, step) in [(vec![5, 6, 7, 8], 0), (vec![6, 8], 1)] {
                let columns: Vec<usize> = samples.iter().map(|sample| sample - 5).collect();
                let values = values.select_columns(&columns);
                let streams = Streams { key: Key::new(1, "test"), samples: &samples, step };
                let held = Held { ports: 4, first_sample: 5, found: &found };
                let forces = [Some(held), None].map(|held| {
                    let read = Read::new(Port::Forward, values.as_view(), 4..9, streams);
                    let mut out = DMatrix::zeros(5, samples.len());
                    super::read(&spim, &Read { held, ..read }, &mut out.as_view_mut());
                    out
                });
                let error = (&forces[0] - &forces[1]).amax() / forces[1].amax().max(1e-2);
                assert!(error < 1e-12, "{error:e} {device:?}");
            }
        }
    }

    #[test]
    fn noise_has_the_moments_that_it_has_frame_by_frame() {
        for device in devices(37).into_iter().filter(|device| device.quantisation.bits == 7) {
            for separate_noise in [false, true] {
                let device = device.clone().with(|device| {
                    device.camera.noise = 0.02;
                    device.frames.separate_noise = separate_noise;
                });
                const SAMPLES: usize = 400;
                let moments = |batched| {
                    // Samples of the same values, every fifth, are draws of the same force.
                    let forces = forces(&device, 5 * SAMPLES, batched);
                    let row: Vec<f64> = forces.row(3).iter().step_by(5).copied().collect();
                    let mean = row.iter().sum::<f64>() / SAMPLES as f64;
                    let squares = row.iter().map(|force| (force - mean).powi(2));
                    (mean, squares.sum::<f64>() / SAMPLES as f64)
                };
                let ((mean, variance), (expected, its_variance)) = (moments(true), moments(false));
                let error = 5.0 * (2.0 * its_variance / SAMPLES as f64).sqrt();
                assert!((mean - expected).abs() < error, "{mean} {expected} {device:?}");
                let error = 5.0 * (4.0 / SAMPLES as f64).sqrt();
                assert!((variance / its_variance - 1.0).abs() < error, "{device:?}");
            }
        }
    }
}
