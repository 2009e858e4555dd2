//! How an array meets the effects of its device.
//!
//! An effect is one file in `effects/` and one line in the list of `device.rs`. Of the hooks below
//! it overrides those that it acts through; the array calls every hook of every effect that is on,
//! in the order of the list. A short cut is taken only where every effect of the list says that it
//! follows: an effect that says nothing takes the long way and is never lost.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::{CellLaw, CrossbarDevice};
use crate::arithmetic::Real;
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::{Effect, Port, Saturation, Streams};

/// Ways to work out an array that are not open to every effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Cells become exactly their targets, and nothing but the targets is kept.
    ExactWrites,
    /// Cells are pulsed from what they hold. An effect that does not follow is refused with them.
    Pulses,
    /// A read is a product with one matrix and nothing else.
    Product,
    /// A read is such a product, with one normal deviate a current for all noise.
    NoisyProduct,
    /// All cells have the same read noise, so that its variance is that of a cell times |v|^2.
    EvenNoise,
    /// Cells' currents are straight lines. Where an effect does not follow, reads behind resistive
    /// wires are solutions of the circuit.
    StraightCurrents,
    /// What reads meet are the weights as they were written.
    WeightsAsWritten,
}

impl Path {
    /// Whether this is a way to write cells: an effect of reads follows these.
    pub fn is_of_writes(self) -> bool {
        matches!(self, Self::ExactWrites | Self::Pulses)
    }

    /// Whether this is a way to work out what reads ask of cells: an effect of writes, and one at
    /// the lines, follows these.
    pub fn is_of_cells(self) -> bool {
        matches!(self, Self::EvenNoise | Self::StraightCurrents | Self::WeightsAsWritten)
    }

    /// Whether this is a way to work out a read from the matrix that it meets: an effect that is in
    /// this matrix follows these.
    pub fn is_of_products(self) -> bool {
        matches!(self, Self::Product | Self::NoisyProduct)
    }
}

/// One cell in the course of a write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Write {
    /// The conductance that it is asked to have, microsiemens.
    pub target: f64,
    /// The conductance that it had, microsiemens; not-a-number for a cell never written.
    pub held: f64,
    /// The conductance that it has become, microsiemens: at first the target.
    pub cell: f64,
    /// Write pulses that it took: at first one.
    pub pulses: u64,
    /// A standard normal deviate of this cell's own.
    pub deviate: f64,
    /// The conductance of a cell that no write moves; not-a-number for others.
    pub fixed: f64,
    /// The standard deviation of what writes leave it at, where it was measured, microsiemens.
    pub error: f64,
    /// Whether write-and-verify gave up on it.
    pub given_up: bool,
}

/// An array in the making.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// What it is made of.
    pub device: &'a CrossbarDevice,
    /// Its bit lines.
    pub outputs: usize,
    /// Its word lines.
    pub inputs: usize,
    /// Names the random streams of what is fixed in this array: `key.with(n)` with an `n` of the
    /// effect's own (0 pulses, 1 stuck cells, 2 amplifiers, 3 deviates of cells).
    pub key: Key,
}

/// Values or currents on the lines of one read.
#[derive(Debug)]
pub struct Lines<'a, T> {
    /// The side that is driven.
    pub port: Port,
    /// Which of that side's lines, or of the other's where currents are read, these are.
    pub lines: Range<usize>,
    /// Values, or currents in weight times value, lines x samples, column by column.
    pub values: &'a mut [T],
}

impl<T> Lines<'_, T> {
    /// The values of each sample.
    pub fn columns(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.values.chunks_exact_mut(self.lines.len().max(1))
    }
}

/// What stands at the lines of a finished array: a converter, amplifiers.
pub trait Stage<T: Real>: Debug + Send + Sync {
    /// Changes what passes through it. `noise` names the random streams of this read.
    fn pass(&self, lines: &mut Lines<T>, streams: &Streams);

    /// Whether all it does to currents read while `port` is driven is to add constants.
    fn only_adds(&self, port: Port) -> bool {
        let _ = port;
        false
    }

    /// What has passed so far, and how much of it was at the limit; absent where there is none.
    fn saturation(&self) -> Option<Saturation> {
        None
    }
}

/// What an array's currents are like, to tell what an error at its lines does to them.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Norm of the weights of a typical output.
    pub weights: f64,
    /// Conversions that add up to one current.
    pub conversions: f64,
}

/// Conversions of one read, and the energy of each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conversions {
    /// How many.
    pub count: usize,
    /// Energy of one, picojoule; 0 where nobody stated it.
    pub picojoule_each: f64,
}

/// An effect as an array of numbers `T` meets it. No hook is called of an effect that is off.
pub trait ArrayEffect<T: Real>: Effect {
    /// Whether what is worked out on `path` shows this effect.
    fn follows(&self, path: Path, device: &CrossbarDevice) -> bool {
        let _ = (path, device);
        false
    }

    /// Changes wanted `weights` to those that cells can be asked for.
    fn round(&self, weights: &mut [f64], device: &CrossbarDevice) {
        let _ = (weights, device);
    }

    /// Puts into `cells`, all cells of one side, the conductances (microsiemens) of those that no
    /// write moves. `stream` goes on from one side to the next.
    fn fix(&self, cells: &mut [f64], stream: &mut Stream, device: &CrossbarDevice) {
        let _ = (cells, stream, device);
    }

    /// Changes what cells become, and the pulses that takes.
    fn write(&self, writes: &mut [Write], stream: &mut Stream, device: &CrossbarDevice) {
        let _ = (writes, stream, device);
    }

    /// Whether [`write`](Self::write) draws from the stream. Cells are then written one by one, so
    /// that each draw has its place; else many at a time.
    fn draws(&self) -> bool {
        true
    }

    /// Whether every cell has a standard normal deviate of its own for this effect, fixed in the
    /// chip: what [`age`](Self::age) is handed.
    fn varies(&self) -> bool {
        false
    }

    /// Changes the conductances `cells` of one side from those right after programming to those at
    /// the time of the reads. `written` are those that the cells were asked to have, all in
    /// microsiemens; `own` has each cell's own deviate, or nothing. Asked of effects that do not
    /// follow [`Path::WeightsAsWritten`].
    fn age(&self, cells: &mut [f64], written: &[f64], own: &[T], device: &CrossbarDevice) {
        let _ = (cells, written, own, device);
    }

    /// What outputs are scaled by to make up for this effect. `lost` measures all conductance right
    /// after programming over that at the time of the reads.
    fn compensation(&self, lost: &dyn Fn() -> f64, device: &CrossbarDevice) -> f64 {
        let _ = (lost, device);
        1.0
    }

    /// Changes what a cell carries at a voltage. Effects that follow [`Path::StraightCurrents`] change
    /// nothing.
    fn carry(&self, law: CellLaw) -> CellLaw {
        law
    }

    /// Adds to `deviations`, as independent errors add, the standard deviations from read to read of
    /// cells of the conductances `cells`, which were asked to be `written`; all in microsiemens.
    fn add_cell_noise(
        &self,
        cells: &[f64],
        written: &[f64],
        deviations: &mut [f64],
        device: &CrossbarDevice,
    ) {
        let _ = (cells, written, deviations, device);
    }

    /// Standard deviation of an output from read to read, weight times value.
    fn output_noise(&self) -> f64 {
        0.0
    }

    /// Gains of the outputs, the same in both directions; empty where all are 1.
    fn gains(&self, making: &Making) -> Vec<T> {
        let _ = making;
        Vec::new()
    }

    /// What the values that drive the lines pass through.
    fn at_drive(&self, making: &Making) -> Option<Arc<dyn Stage<T>>> {
        let _ = making;
        None
    }

    /// What the currents that are read pass through, after all noise.
    fn at_output(&self, making: &Making) -> Option<Arc<dyn Stage<T>>> {
        let _ = making;
        None
    }

    /// What it adds to the smallest difference in a current that a single read resolves, beyond
    /// noise: a standard deviation, weight times value.
    fn resolution(&self, load: &Load, device: &CrossbarDevice) -> f64 {
        let _ = (load, device);
        0.0
    }

    /// Its conversions in a read that drives `driven` lines and converts currents `read` times.
    fn conversions(&self, driven: usize, read: usize) -> Conversions {
        let _ = (driven, read);
        Conversions::default()
    }
}
