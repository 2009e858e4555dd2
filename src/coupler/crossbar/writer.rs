//! One write: from the weights that are wanted to what the cells become, by way of the effects that
//! writes meet.

use std::ops::Add;

use super::effects::CrossbarDevice;
use super::hook::{ArrayEffect, Path, Write};
use super::settings::Mapping;
use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};

/// Pairs that share a random stream.
pub(super) const PART: usize = 4096;

/// Pairs that are written together.
const BLOCK: usize = 64;

/// What writes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WriteTally {
    /// Pulses.
    pub pulses: u64,
    /// Cells that write-and-verify left beyond its tolerance.
    pub given_up: u64,
}

impl Add for WriteTally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { pulses: self.pulses + other.pulses, given_up: self.given_up + other.given_up }
    }
}

/// A device with those of its effects that writes meet.
pub(super) struct Writer<'a, T: Real> {
    device: &'a CrossbarDevice,
    effects: Vec<&'a dyn ArrayEffect<T>>,
    draws: bool,
}

impl<'a, T: Real> Writer<'a, T> {
    pub fn new(device: &'a CrossbarDevice) -> Self {
        let effects: Vec<_> =
            device.active().filter(|effect| !effect.follows(Path::ExactWrites, device)).collect();
        let draws = effects.iter().any(|effect| effect.draws());
        Self { device, effects, draws }
    }

    /// The nearest weights that the range and the levels can stand for.
    fn round<'w>(&self, wanted: impl Iterator<Item = f64> + 'w) -> Vec<f64> {
        let bound = self.device.cells.weight_max;
        let mut weights: Vec<f64> = wanted.map(|weight| weight.clamp(-bound, bound)).collect();
        self.effects.iter().for_each(|effect| effect.round(&mut weights, self.device));
        weights
    }

    /// Works out what the cells of `writes` become, one by one where an effect draws from `stream`.
    fn write(&self, writes: &mut [Write], stream: &mut Stream) {
        let together = if self.draws { 1 } else { writes.len().max(1) };
        for writes in writes.chunks_mut(together) {
            if writes.iter().any(|write| !write.left) {
                self.effects.iter().for_each(|effect| effect.write(writes, stream, self.device));
            }
        }
        for write in writes {
            if write.left {
                let cell = if write.held.is_nan() { write.target } else { write.held };
                (write.cell, write.pulses, write.given_up) = (cell, 0, false);
            } else if !write.fixed.is_nan() {
                write.cell = write.fixed;
            }
        }
    }
}

/// Neighbouring pairs that share a random stream.
pub(super) struct Part<'a, T> {
    pub wanted: &'a [T],
    pub targets: &'a mut [T],
    pub weights: &'a mut [T],
    pub programmed: [&'a mut [T]; 2],
    pub stuck: [&'a [f64]; 2],
}

impl<T: Real> Part<'_, T> {
    /// Writes what has changed; says what it took.
    pub fn write(&mut self, writer: &Writer<T>, key: Key) -> WriteTally {
        let mut deviates = vec![T::zero(); 2 * self.wanted.len()];
        key.add_normals(&mut deviates, T::one());
        let mut stream = key.with(0).stream();
        let wanted = writer.round(self.wanted.iter().map(|weight| weight.f64()));
        let (pairs, mut tally) = (writer.device.cells.clone(), WriteTally::default());
        let mut writes = [Write::default(); 2 * BLOCK];
        let (mut places, offset) = ([0; BLOCK], pairs.mapping == Mapping::Offset);
        for (block, wanted) in wanted.chunks(BLOCK).enumerate() {
            let mut changed = 0;
            for (index, wanted) in wanted.iter().enumerate() {
                let index = block * BLOCK + index;
                let before = self.targets[index];
                if before == T::of(*wanted) {
                    continue;
                }
                self.targets[index] = T::of(*wanted);
                places[changed] = index;
                let (asked, before) =
                    (pairs.conductances(*wanted), pairs.conductances(before.f64()));
                for side in 0..2 {
                    let write = &mut writes[2 * changed + side];
                    write.target = asked[side];
                    write.held = self.programmed[side][index].f64();
                    write.cell = asked[side];
                    write.pulses = 1;
                    write.deviate = deviates[2 * index + side].f64();
                    write.fixed = self.stuck[side].get(index).copied().unwrap_or(f64::NAN);
                    write.given_up = false;
                    // The reference is trimmed once and for all.
                    let reference = offset && side == 1;
                    let unchanged = !write.held.is_nan() && asked[side] == before[side];
                    write.left = reference || unchanged;
                }
                changed += 1;
            }
            let (places, writes) = (&places[..changed], &mut writes[..2 * changed]);
            tally = tally + self.write_block(writer, places, writes, &mut stream);
        }
        tally
    }

    /// Writes the pairs in `places`.
    fn write_block(
        &mut self,
        writer: &Writer<T>,
        places: &[usize],
        writes: &mut [Write],
        stream: &mut Stream,
    ) -> WriteTally {
        writer.write(writes, stream);
        let scale = writer.device.cells.weight_per_us();
        let mut tally = WriteTally::default();
        for (index, pair) in places.iter().zip(writes.as_chunks::<2>().0) {
            let [plus, minus] = pair;
            tally.pulses += plus.pulses + minus.pulses;
            tally.given_up += u64::from(plus.given_up) + u64::from(minus.given_up);
            self.programmed[0][*index] = T::of(plus.cell);
            self.programmed[1][*index] = T::of(minus.cell);
            let exact = plus.cell == plus.target && minus.cell == minus.target;
            self.weights[*index] =
                if exact { self.targets[*index] } else { T::of((plus.cell - minus.cell) * scale) };
        }
        tally
    }
}
