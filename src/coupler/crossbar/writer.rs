//! One write: from the weights that are wanted to what the cells become, by way of the effects that
//! writes meet.

use nalgebra::DMatrix;

use super::effects::CrossbarDevice;
use super::hook::{ArrayEffect, Path, Write};
use super::settings::Mapping;
use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};

/// Pairs that share a random stream.
pub(super) const PART: usize = 4096;

/// Pairs that are written together.
const BLOCK: usize = 64;

/// A device with those of its effects that writes meet.
pub(super) struct Writer<'a, T: Real> {
    device: &'a CrossbarDevice,
    pub effects: Vec<&'a dyn ArrayEffect<T>>,
    /// Those for which cells keep a number.
    pub keepers: Vec<&'a dyn ArrayEffect<T>>,
    draws: bool,
}

impl<'a, T: Real> Writer<'a, T> {
    pub fn new(device: &'a CrossbarDevice) -> Self {
        let effects: Vec<_> =
            device.active().filter(|effect| !effect.follows(Path::ExactWrites, device)).collect();
        let keepers = effects.iter().copied().filter(|effect| effect.kept().is_some()).collect();
        let draws = effects.iter().any(|effect| effect.draws());
        Self { device, effects, keepers, draws }
    }

    /// The nearest weights that the range and the levels can stand for.
    fn round<'w>(&self, wanted: impl Iterator<Item = f64> + 'w) -> Vec<f64> {
        let bound = self.device.cells.weight_max;
        let mut weights: Vec<f64> = wanted.map(|weight| weight.clamp(-bound, bound)).collect();
        self.effects.iter().for_each(|effect| effect.round(&mut weights, self.device));
        weights
    }

    /// Works out what the cells of `writes` become, one by one where an effect draws from `stream`;
    /// calls `then` with the place of each.
    fn write(
        &self,
        writes: &mut [Write],
        stream: &mut Stream,
        mut then: impl FnMut(usize, &Write, &mut Stream),
    ) {
        let together = if self.draws { 1 } else { writes.len().max(1) };
        for (chunk, writes) in writes.chunks_mut(together).enumerate() {
            if writes.iter().any(|write| write.fixed.is_nan()) {
                self.effects.iter().for_each(|effect| effect.write(writes, stream, self.device));
            }
            for (index, write) in writes.iter_mut().enumerate() {
                if !write.fixed.is_nan() {
                    (write.cell, write.pulses) = (write.fixed, 0);
                }
                then(chunk * together + index, write, stream);
            }
        }
    }

    /// The conductances of those of `cells` cells of each of `N` sides that no write moves,
    /// not-a-number for others; empty where all move. `stream` picks them.
    pub fn fixed<const N: usize>(&self, cells: usize, stream: &mut Stream) -> [Vec<f64>; N] {
        std::array::from_fn(|_| {
            let mut fixed = vec![f64::NAN; cells];
            self.effects.iter().for_each(|effect| effect.fix(&mut fixed, stream, self.device));
            if fixed.iter().all(|cell| cell.is_nan()) { Vec::new() } else { fixed }
        })
    }
}

/// Neighbouring pairs that share a random stream.
pub(super) struct Part<'a, T> {
    pub wanted: &'a [T],
    pub targets: &'a mut [T],
    pub weights: &'a mut [T],
    pub programmed: [&'a mut [T]; 2],
    /// One for each keeper.
    pub kept: Vec<[&'a mut [T]; 2]>,
    pub fixed: [&'a [f64]; 2],
}

impl<T: Real> Part<'_, T> {
    /// Writes what has changed; says how many writes it took.
    pub fn write(&mut self, writer: &Writer<T>, key: Key) -> u64 {
        let mut deviates = vec![T::zero(); 2 * self.wanted.len()];
        key.add_normals(&mut deviates, T::one());
        let mut stream = key.with(0).stream();
        let wanted = writer.round(self.wanted.iter().map(|weight| weight.f64()));
        let (pairs, mut written) = (writer.device.cells.clone(), 0);
        let mut writes = [Write::default(); 2 * BLOCK];
        let (mut places, offset) = ([0; BLOCK], pairs.mapping == Mapping::Offset);
        for (block, wanted) in wanted.chunks(BLOCK).enumerate() {
            let mut changed = 0;
            for (index, wanted) in wanted.iter().enumerate() {
                let index = block * BLOCK + index;
                if self.targets[index] == T::of(*wanted) {
                    continue;
                }
                self.targets[index] = T::of(*wanted);
                places[changed] = index;
                let asked = pairs.conductances(*wanted);
                for side in 0..2 {
                    let write = &mut writes[2 * changed + side];
                    write.target = asked[side];
                    write.held = self.programmed[side][index].f64();
                    write.cell = asked[side];
                    write.pulses = 1;
                    write.deviate = deviates[2 * index + side].f64();
                    write.fixed = self.fixed[side].get(index).copied().unwrap_or(f64::NAN);
                }
                if offset {
                    // The reference is trimmed once and for all.
                    writes[2 * changed + 1].fixed = asked[1];
                }
                changed += 1;
            }
            let (places, writes) = (&places[..changed], &mut writes[..2 * changed]);
            written += self.write_block(writer, places, writes, &mut stream);
        }
        written
    }

    /// Writes the pairs in `places`.
    fn write_block(
        &mut self,
        writer: &Writer<T>,
        places: &[usize],
        writes: &mut [Write],
        stream: &mut Stream,
    ) -> u64 {
        writer.write(writes, stream, |index, write, stream| {
            if write.cell != write.held {
                for (keeper, kept) in writer.keepers.iter().zip(&mut self.kept) {
                    let number = keeper.keep(write, stream, writer.device);
                    kept[index % 2][places[index / 2]] = T::of(number);
                }
            }
        });
        let scale = writer.device.cells.weight_per_us();
        let mut written = 0;
        for (index, pair) in places.iter().zip(writes.as_chunks::<2>().0) {
            let [plus, minus] = pair;
            written += plus.pulses + minus.pulses;
            self.programmed[0][*index] = T::of(plus.cell);
            self.programmed[1][*index] = T::of(minus.cell);
            let exact = plus.cell == plus.target && minus.cell == minus.target;
            self.weights[*index] =
                if exact { self.targets[*index] } else { T::of((plus.cell - minus.cell) * scale) };
        }
        written
    }
}

/// The conductances, microsiemens, of cells that are asked to be `targets_us` once, at the device's
/// time.
pub fn program_once(device: &CrossbarDevice, targets_us: &DMatrix<f64>, key: Key) -> DMatrix<f64> {
    let writer = Writer::<f64>::new(device);
    let [fixed] = writer.fixed(targets_us.len(), &mut key.with(1).stream());
    let mut stream = key.stream();
    let mut cells = targets_us.clone();
    let mut kept = vec![DMatrix::zeros(cells.nrows(), cells.ncols()); writer.keepers.len()];
    for (index, cell) in cells.iter_mut().enumerate() {
        let (target, fixed) = (*cell, fixed.get(index).copied().unwrap_or(f64::NAN));
        let deviate = if fixed.is_nan() { f64::normal(&mut stream) } else { 0.0 };
        let mut write = [Write { target, held: f64::NAN, cell: target, pulses: 1, deviate, fixed }];
        writer.write(&mut write, &mut stream, |_, write, stream| {
            if fixed.is_nan() && device.age.ln() > 0.0 {
                for (keeper, kept) in writer.keepers.iter().zip(&mut kept) {
                    kept[index] = keeper.keep(write, stream, device);
                }
            }
        });
        *cell = write[0].cell;
    }
    let mut kept = kept.iter();
    for effect in &writer.effects {
        let own = effect.kept().and_then(|_| kept.next());
        effect.age(&mut cells, own, device);
    }
    cells
}
