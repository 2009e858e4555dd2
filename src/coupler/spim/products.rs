//! Shown patterns, laid out for products with them.

use std::ops::Range;
use std::sync::PoisonError;

use nalgebra::DMatrix;

use super::Patterns;
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::matrix::TwoWayMatrix;
use crate::coupler::{Held, Port, Read};

/// Readers and writers that are multiplied many times between two writes.
#[derive(Clone, Debug)]
pub struct Products<T: Real> {
    readers: TwoWayMatrix<T>,
    /// Absent where readers are writers too.
    writers: Option<TwoWayMatrix<T>>,
}

impl<T: Real> Products<T> {
    /// Lays out `shown`.
    pub fn new(shown: &Patterns<T>) -> Self {
        let laid_out = |matrix: &DMatrix<T>| TwoWayMatrix::on_this_thread(matrix.as_view());
        Self { readers: laid_out(&shown.readers), writers: shown.writers.as_ref().map(laid_out) }
    }

    /// Lays out other patterns of the same kind in the same place.
    pub fn set(&mut self, shown: &Patterns<T>) {
        self.readers.set(shown.readers.as_view());
        if let (Some(own), Some(writers)) = (&mut self.writers, &shown.writers) {
            own.set(writers.as_view());
        }
    }

    /// The patterns of the side numbered 0 (readers) or 1 (writers).
    fn side(&self, side: usize) -> &TwoWayMatrix<T> {
        self.writers.as_ref().filter(|_| side == 1).unwrap_or(&self.readers)
    }

    /// Adds the overlaps of each pattern with the `fields` of the nodes that are driven, nodes x
    /// samples, to `overlaps`, K x samples; or nodes x parts of samples, those of one side by side.
    ///
    /// Those of nodes that are held are found once a settling.
    pub fn add_overlaps(&self, read: &Read<T>, fields: View<T>, mut overlaps: ViewMut<T>) {
        let (driven, nodes) = (self.side(read.port.index()), fields.nrows());
        let add = |nodes: Range<usize>, overlaps: ViewMut<T>| {
            let fields = fields.rows_range(nodes.clone());
            driven.add_part(Port::Reversed, &nodes, fields, overlaps);
        };
        let Some(Held { ports, first_sample, found }) = read.held.filter(|held| held.ports > 0)
        else {
            return add(0..nodes, overlaps);
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, samples) = (overlaps.nrows(), read.streams.samples);
        let (first, parts) = (found.is_empty(), overlaps.ncols() / samples.len().max(1));
        if first {
            add(0..ports, overlaps.as_view_mut());
            found.resize(overlaps.len(), T::zero());
        }
        for (column, mut overlaps) in overlaps.column_iter_mut().enumerate() {
            let place = (samples[column / parts] - first_sample) * parts + column % parts;
            let found = &mut found[place * count..(place + 1) * count];
            if first {
                found.copy_from_slice(overlaps.as_slice());
            } else {
                overlaps.as_mut_slice().copy_from_slice(found);
            }
        }
        add(ports..nodes, overlaps);
    }

    /// Adds the sums of the patterns of the `wanted` nodes that are reached, weighted with
    /// `overlaps`, to `forces`.
    pub fn add_forces(
        &self,
        port: Port,
        wanted: &Range<usize>,
        overlaps: View<T>,
        forces: ViewMut<T>,
    ) {
        let reached = self.side(port.other().index());
        reached.add_product(Port::Forward, wanted, overlaps, forces);
    }
}
