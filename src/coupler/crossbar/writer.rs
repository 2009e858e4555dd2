//! One write: from the weights that are wanted to what the cells become, by way of the effects that
//! writes meet.

use nalgebra::DMatrix;

use super::effects::CrossbarDevice;
use super::hook::{ArrayEffect, Path, Write};
use super::settings::Mapping;
use crate::arithmetic::random::{Key, Stream};
use crate::arithmetic::real::Real;

/// Pairs that share a random stream.
pub(super) const PART: usize = 4096;

/// A device with those of its effects that writes meet.
pub(super) struct Writer<'a, T: Real> {
    device: &'a CrossbarDevice,
    pub effects: Vec<&'a dyn ArrayEffect<T>>,
    /// Those for which cells keep a number.
    pub keepers: Vec<&'a dyn ArrayEffect<T>>,
}

impl<'a, T: Real> Writer<'a, T> {
    pub fn new(device: &'a CrossbarDevice) -> Self {
        let effects: Vec<_> =
            device.active().filter(|effect| !effect.follows(Path::ExactWrites, device)).collect();
        let keepers = effects.iter().copied().filter(|effect| effect.kept().is_some()).collect();
        Self { device, effects, keepers }
    }

    /// The nearest weight that the range and the levels can stand for.
    fn target(&self, weight: f64) -> f64 {
        let bound = self.device.cells.weight_max;
        let wanted = weight.clamp(-bound, bound);
        self.effects.iter().fold(wanted, |weight, effect| effect.target(weight, self.device))
    }

    /// What a cell that holds `held` becomes when `target` is asked of it.
    fn write<'s>(&self, target: f64, held: f64, deviate: f64, stream: &'s mut Stream) -> Write<'s> {
        let mut write = Write { target, held, cell: target, pulses: 1, deviate, stream };
        self.effects.iter().for_each(|effect| effect.write(&mut write, self.device));
        write
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

/// Neighbouring pairs that are written together.
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
        let (mut stream, mut written) = (key.with(0).stream(), 0);
        let pairs = &writer.device.cells;
        let scale = pairs.weight_per_us();
        for (index, wanted) in self.wanted.iter().enumerate() {
            let wanted = writer.target(wanted.f64());
            if self.targets[index] == T::of(wanted) {
                continue;
            }
            self.targets[index] = T::of(wanted);
            let asked = pairs.conductances(wanted);
            let mut became = asked;
            for side in 0..2 {
                let held = self.programmed[side][index].f64();
                let fixed = self.fixed[side].get(index).filter(|cell| !cell.is_nan());
                let deviate = deviates[2 * index + side].f64();
                // The reference of the offset mapping is trimmed once and for all.
                let reference = pairs.mapping == Mapping::Offset && side == 1;
                let (target, stream) = (asked[side], &mut stream);
                let unmoved = if reference { Some(&target) } else { fixed };
                let mut write = match unmoved {
                    Some(&cell) => Write { target, held, cell, pulses: 0, deviate, stream },
                    None => writer.write(target, held, deviate, stream),
                };
                written += write.pulses;
                became[side] = write.cell;
                if write.cell != held {
                    for (keeper, kept) in writer.keepers.iter().zip(&mut self.kept) {
                        kept[side][index] = T::of(keeper.keep(&mut write, writer.device));
                    }
                }
                self.programmed[side][index] = T::of(became[side]);
            }
            self.weights[index] = if became == asked {
                self.targets[index]
            } else {
                T::of((became[0] - became[1]) * scale)
            };
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
    let mut kept = vec![targets_us.clone(); writer.keepers.len()];
    for (index, cell) in cells.iter_mut().enumerate() {
        if let Some(fixed) = fixed.get(index).filter(|cell| !cell.is_nan()) {
            *cell = *fixed;
            kept.iter_mut().for_each(|kept| kept[index] = 0.0);
            continue;
        }
        let first = f64::normal(&mut stream);
        let mut write = writer.write(*cell, f64::NAN, first, &mut stream);
        *cell = write.cell;
        if device.age.ln() > 0.0 {
            for (keeper, kept) in writer.keepers.iter().zip(&mut kept) {
                kept[index] = keeper.keep(&mut write, device);
            }
        }
    }
    let mut kept = kept.iter();
    for effect in &writer.effects {
        let own = effect.kept().and_then(|_| kept.next());
        effect.age(&mut cells, own, device);
    }
    cells
}
