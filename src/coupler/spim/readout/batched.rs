//! Forces frame by frame, all patterns of a node side by side.
//!
//! Taken where a node is moved between two values, where what its macro-pixel sends is known from
//! its value alone, and where a frame is an intensity on one camera pixel. The frames are those of
//! [`super::frames`], and without noise so are their readings; deviates of frames are drawn by node
//! and not one after another.

use super::frames::{Wanted, weights};
use super::{Readout, missing_share};
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
    Batch::new(spim, read, shown, bare).read(readout, currents);
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
    /// Whether patterns are +-1.
    signs: bool,
}

impl<'a, 'b, T: Real> Batch<'a, 'b, T> {
    fn new(spim: &'a Spim<T>, read: &'a Read<'b, T>, shown: Shown, bare: Bare) -> Self {
        Self {
            light: &spim.sides[read.port.index()].light,
            patterns: spim.shown.readers.transpose().iter().map(|value| value.f64()).collect(),
            weights: weights(spim, read.port),
            bare,
            shown,
            signs: spim.device.patterns.are_signs(),
            spim,
            read,
        }
    }

    fn read(&self, readout: &dyn Readout, currents: &mut ViewMut<T>) {
        let (spim, read) = (self.spim, self.read);
        let count = self.weights.len();
        let (dimming, nodes) = (readout.dimming(), read.values.nrows());
        let missing = missing_share(spim);
        let mut own = Fields::new(nodes * count);
        let mut orders = Fields::new(count);
        let mut node = NodeFrames::new(count);
        let (mut frames, mut at_limit) = (0, 0);
        for column in 0..read.values.ncols() {
            let values = read.values.column(column);
            self.light.without_nodes(&mut orders.real, &mut orders.imaginary);
            for (at, (value, patterns)) in
                values.iter().zip(self.patterns.chunks_exact(count)).enumerate()
            {
                let of_node = at * count..(at + 1) * count;
                let fields = &mut own.real[of_node.clone()];
                let beside = &mut own.imaginary[of_node];
                let entries = &mut node.entries;
                self.show(at, value.f64() * dimming, patterns, [fields, beside], entries);
                simd::add(&mut orders.real, fields);
                if self.shown == Shown::Complex {
                    simd::add(&mut orders.imaginary, beside);
                }
            }
            let mut stream = read.streams.stream(column);
            for (row, at) in read.wanted.clone().enumerate() {
                let gain = read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]);
                let wanted = Wanted { node: at, value: values[at].f64(), gain: gain.f64() };
                let pair = readout.pair(&wanted).unwrap_or_default();
                let patterns = &self.patterns[at * count..(at + 1) * count];
                for (side, value) in [pair.up, pair.down].into_iter().enumerate() {
                    let frames = side * count..(side + 1) * count;
                    let fields = [&mut node.real[frames.clone()], &mut node.imaginary[frames]];
                    self.show(at, value, patterns, fields, &mut node.entries);
                }
                let rest = at * count..(at + 1) * count;
                let scale = self.bare.per_square;
                intensities(&mut node.real, &orders.real, &own.real[rest.clone()], scale);
                if self.shown == Shown::Complex {
                    let rest = &own.imaginary[rest];
                    intensities(&mut node.imaginary, &orders.imaginary, rest, scale);
                    simd::add(&mut node.real, &node.imaginary);
                }
                let detector = &spim.sides[read.port.index()].detector;
                if !detector.is_exact() && !self.bare.once {
                    let key = read.streams.key(column).with(at as u64);
                    at_limit += detector.take_frames(&mut node.real, &mut node.deviates, key);
                }
                frames += 2 * count as u64;
                let (up, down) = node.real.split_at(count);
                let mut force =
                    pair.scale * self.bare.square * weighted_difference(up, down, &self.weights);
                if self.bare.once {
                    let deviation = detector.deviation() * self.bare.square * pair.scale;
                    let squares = 2.0 * simd::sum_of_squares(&self.weights);
                    force += deviation * squares.sqrt() * f64::normal(&mut stream);
                }
                let own = missing.map_or(T::zero(), |share| {
                    share * spim.self_coupling[at] * read.values[(at, column)]
                });
                currents[(row, column)] += T::of(force) + gain * own;
            }
        }
        spim.camera.add(frames, at_limit);
    }
}

impl<T: Real> Batch<'_, '_, T> {
    /// The `fields` of node `at` that shows `value` through each of its `patterns`.
    fn show(
        &self,
        at: usize,
        value: f64,
        patterns: &[f64],
        [real, imaginary]: [&mut [f64]; 2],
        entries: &mut [u32],
    ) {
        if !self.signs {
            scaled(real, patterns, value, self.light.corrected(at, 1.0));
            return self.light.fields(at, real, imaginary, &mut entries[..patterns.len()]);
        }
        // All patterns show one of two values.
        let shown = [1.0, -1.0].map(|sign| self.light.corrected(at, sign * value));
        let (mut both, mut beside) = (shown, [0.0; 2]);
        self.light.fields(at, &mut both, &mut beside, &mut entries[..2]);
        chosen(real, patterns, both[0], both[1]);
        if self.shown == Shown::Complex {
            chosen(imaginary, patterns, beside[0], beside[1]);
        }
    }
}

/// The frames of one node: those of all patterns with it up, then those with it down.
struct NodeFrames {
    real: Vec<f64>,
    imaginary: Vec<f64>,
    entries: Vec<u32>,
    deviates: Vec<f32>,
}

impl NodeFrames {
    fn new(patterns: usize) -> Self {
        let frames = 2 * patterns;
        Self {
            real: vec![0.0; frames],
            imaginary: vec![0.0; frames],
            entries: vec![0; patterns.max(2)],
            deviates: vec![0.0; frames],
        }
    }
}

vectorised! {
    /// What `patterns` make of `value`, times `factor`.
    fn scaled(numbers: &mut [f64], patterns: &[f64], value: f64, factor: f64) {
        for (number, xi) in numbers.iter_mut().zip(patterns) {
            *number = *xi * value * factor;
        }
    }

    /// `one` where patterns are positive and `other` elsewhere.
    fn chosen(numbers: &mut [f64], patterns: &[f64], one: f64, other: f64) {
        for (number, xi) in numbers.iter_mut().zip(patterns) {
            *number = if *xi > 0.0 { one } else { other };
        }
    }

    /// Makes the intensities (order - own + field)^2 times `scale` of the `fields` of two frames of
    /// each pattern.
    fn intensities(fields: &mut [f64], orders: &[f64], own: &[f64], scale: f64) {
        for fields in fields.chunks_exact_mut(orders.len().max(1)) {
            for ((field, order), own) in fields.iter_mut().zip(orders).zip(own) {
                let sum = *order - *own + *field;
                *field = sum * sum * scale;
            }
        }
    }

    /// The sum of (up - down) times the weight of each pattern.
    fn weighted_difference(up: &[f64], down: &[f64], weights: &[f64]) -> f64 {
        const SIDE_BY_SIDE: usize = 16;
        let mut sums = [0.0; SIDE_BY_SIDE];
        let ((ups, last_up), (downs, last_down)) =
            (up.as_chunks::<SIDE_BY_SIDE>(), down.as_chunks::<SIDE_BY_SIDE>());
        let (all_weights, last_weights) = weights.as_chunks::<SIDE_BY_SIDE>();
        for ((up, down), weights) in ups.iter().zip(downs).zip(all_weights) {
            for i in 0..SIDE_BY_SIDE {
                sums[i] += weights[i] * (up[i] - down[i]);
            }
        }
        let rest = last_up.iter().zip(last_down).zip(last_weights);
        let rest = rest.fold(0.0, |sum, ((up, down), weight)| sum + weight * (up - down));
        sums.iter().fold(rest, |sum, part| sum + part)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::super::{ReadoutChoice, frames};
    use super::*;
    use crate::arithmetic::random::Key;
    use crate::coupler::spim::{PatternValues, Patterns, SpimDevice, Tier};
    use crate::coupler::{Port, Streams};

    const NODES: usize = 9;

    /// Forces on nodes 2 to 8, side by side or one after another.
    fn forces(device: &SpimDevice, samples: usize, batched: bool) -> DMatrix<f64> {
        let mut stream = Key::new(3, "patterns").stream();
        let mut value = |sign: bool| {
            let normal = f64::normal(&mut stream);
            if sign { normal.signum() } else { normal.tanh() }
        };
        let (signs, count) = (device.patterns.are_signs(), device.patterns.count);
        let patterns = DMatrix::from_fn(NODES, count, |_, _| value(signs));
        let weights = DMatrix::from_fn(count, 1, |_, _| value(false));
        let spim = Spim::new(device.clone(), Patterns::reciprocal(patterns, weights)).unwrap();
        let wave = |i: usize, j: usize| 1.1 * (0.7 * i as f64 + 1.3 * (j % 5) as f64).sin();
        let values = DMatrix::from_fn(NODES, samples, wave);
        let gain = DMatrix::from_fn(7, samples, |i, j| 0.2 + 0.1 * ((i + j) % 7) as f64);
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
                        devices.push(SpimDevice::default().with(|device| {
                            device.readout = readout.clone();
                            device.tier = Some(tier);
                            device.patterns.count = patterns;
                            device.patterns.values = values;
                            device.quantisation.bits = 7;
                            device.camera.bits = camera_bits;
                            if tier == Tier::Effective {
                                device.dead_zone.fill_factor = 0.9;
                                device.illumination.radius = 0.7;
                                device.patterns.compensated = camera_bits == 0;
                            }
                        }));
                    }
                }
            }
        }
        assert_eq!(devices.len(), 4 * 2 * 2 * 2);
        devices
    }

    #[test]
    fn side_by_side_is_one_after_another() {
        for device in [1, 2, 37].into_iter().flat_map(devices) {
            let [found, expected] = [true, false].map(|batched| forces(&device, 3, batched));
            let error = (&found - &expected).amax() / expected.amax();
            assert!(error < 1e-12, "{error:e} {device:?}");
        }
    }

    #[test]
    fn noise_has_the_moments_that_it_has_frame_by_frame() {
        for device in devices(37) {
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
