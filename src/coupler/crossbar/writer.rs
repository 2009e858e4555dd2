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
            self.effects.iter().for_each(|effect| effect.write(writes, stream, self.device));
        }
        for write in writes.iter_mut().filter(|write| !write.fixed.is_nan()) {
            write.cell = write.fixed;
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
    pub error: [&'a [f64]; 2],
}

impl<T: Real> Part<'_, T> {
    /// Writes what has changed; says what it took.
    pub fn write(&mut self, writer: &Writer<T>, key: Key) -> WriteTally {
        let mut deviates = vec![T::zero(); 2 * self.wanted.len()];
        key.add_normals(&mut deviates, T::one());
        let mut stream = key.with(0).stream();
        let wanted = writer.round(self.wanted.iter().map(|weight| weight.f64()));
        let (pairs, mut tally) = (writer.device.cells.clone(), WriteTally::default());
        let mut block = Block::default();
        let offset = pairs.mapping == Mapping::Offset;
        for (first, wanted) in (0..).step_by(BLOCK).zip(wanted.chunks(BLOCK)) {
            (block.pairs, block.cells) = (0, 0);
            for (index, wanted) in (first..).zip(wanted) {
                let before = self.targets[index];
                if before == T::of(*wanted) {
                    continue;
                }
                self.targets[index] = T::of(*wanted);
                let (asked, before) =
                    (pairs.conductances(*wanted), pairs.conductances(before.f64()));
                let mut became = asked;
                for side in 0..2 {
                    let held = self.programmed[side][index].f64();
                    let blank = held.is_nan();
                    // The reference is trimmed once and for all.
                    let reference = offset && side == 1;
                    if reference || !blank && asked[side] == before[side] {
                        became[side] = if blank { asked[side] } else { held };
                        continue;
                    }
                    block.write(
                        side,
                        Write {
                            target: asked[side],
                            held,
                            cell: asked[side],
                            pulses: 1,
                            deviate: deviates[2 * index + side].f64(),
                            fixed: self.stuck[side].get(index).copied().unwrap_or(f64::NAN),
                            error: self.error[side].get(index).copied().unwrap_or(0.0),
                            given_up: false,
                        },
                    );
                }
                block.end_pair(Pair { index, asked, became });
            }
            tally = tally + self.write_block(writer, &mut block, &mut stream);
        }
        tally
    }

    /// Writes the cells of a block.
    fn write_block(
        &mut self,
        writer: &Writer<T>,
        block: &mut Block,
        stream: &mut Stream,
    ) -> WriteTally {
        let (pairs, writes) =
            (&mut block.of_pairs[..block.pairs], &mut block.writes[..block.cells]);
        writer.write(writes, stream);
        let mut tally = WriteTally::default();
        for (write, (pair, side)) in writes.iter().zip(&block.places) {
            pairs[*pair].became[*side] = write.cell;
            tally.pulses += write.pulses;
            tally.given_up += u64::from(write.given_up);
        }
        let scale = writer.device.cells.weight_per_us();
        for Pair { index, asked, became } in pairs {
            let [plus, minus] = *became;
            self.programmed[0][*index] = T::of(plus);
            self.programmed[1][*index] = T::of(minus);
            self.weights[*index] =
                if became == asked { self.targets[*index] } else { T::of((plus - minus) * scale) };
        }
        tally
    }
}

/// A pair of which a cell is written: its place, and conductances in microsiemens.
#[derive(Clone, Copy, Default)]
struct Pair {
    index: usize,
    asked: [f64; 2],
    became: [f64; 2],
}

/// Cells that are written together.
struct Block {
    pairs: usize,
    of_pairs: [Pair; BLOCK],
    cells: usize,
    writes: [Write; 2 * BLOCK],
    /// The pair and the side of each.
    places: [(usize, usize); 2 * BLOCK],
}

impl Default for Block {
    fn default() -> Self {
        Self {
            pairs: 0,
            of_pairs: [Pair::default(); BLOCK],
            cells: 0,
            writes: [Write::default(); 2 * BLOCK],
            places: [(0, 0); 2 * BLOCK],
        }
    }
}

impl Block {
    /// Adds a cell of the pair that is being put together.
    fn write(&mut self, side: usize, write: Write) {
        self.writes[self.cells] = write;
        self.places[self.cells] = (self.pairs, side);
        self.cells += 1;
    }

    /// Ends that pair.
    fn end_pair(&mut self, pair: Pair) {
        self.of_pairs[self.pairs] = pair;
        self.pairs += 1;
    }
}
