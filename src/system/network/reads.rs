//! Reads of all arrays of a network, and what they add to the forces on its nodes.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::Network;
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd;
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::{Coupler, Exact, Held, Port, Read, Streams};

/// The context of one read of all arrays.
pub(super) struct ReadContext<'a, T> {
    /// The sample in each column.
    pub order: &'a [usize],
    /// Names the settling.
    pub key: Key,
    /// The relaxation step.
    pub time: u64,
    /// Whether it is one of the steps of a relaxation, and not a read by itself.
    pub relaxing: bool,
    /// For couplers to reuse.
    pub scratch: &'a mut Vec<T>,
    /// Sample-reads of each coupling.
    pub counts: &'a mut [ReadCounts],
    /// Of a lane whose inputs are held from read to read.
    pub held: Option<&'a HeldInputs<T>>,
}

/// What couplers found of the inputs of a lane, which do not change in a settling.
#[derive(Debug, Default)]
pub(super) struct HeldInputs<T> {
    /// The first sample of the lane.
    first_sample: usize,
    /// By coupling and side.
    found: Vec<[Mutex<Vec<T>>; 2]>,
}

impl<T> HeldInputs<T> {
    /// Forgets what was found, for `couplings` and a lane that begins with `first_sample`.
    pub fn clear(&mut self, couplings: usize, first_sample: usize) {
        self.first_sample = first_sample;
        self.found.resize_with(couplings, Default::default);
        for found in self.found.iter_mut().flatten() {
            found.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// Sample-reads of one coupling: driven forward and reversed in reads by themselves, then in steps
/// of a relaxation.
pub(super) type ReadCounts = [u64; 4];

/// What drives the arrays.
pub(super) struct Driven<'a, T: Real> {
    /// The side of all arrays that is driven.
    pub port: Port,
    /// The machine row that the first row of the values is.
    pub first_row: usize,
    /// Values, rows x samples.
    pub values: View<'a, T>,
    /// What each current is multiplied by, nodes x samples; absent means one.
    pub gain: Option<View<'a, T>>,
    /// The values taken apart, if they are mostly background.
    pub foreground: Option<[View<'a, T>; 2]>,
}

impl<T: Real> Network<T> {
    /// Nodes (and shared inputs) that drive the arrays between nodes with `coupled`, (shared inputs
    /// + nodes) x samples.
    pub fn coupled<'a>(
        &self,
        port: Port,
        coupled: View<'a, T>,
        gain: Option<View<'a, T>>,
    ) -> Driven<'a, T> {
        let first_row = self.inputs() - self.shared_inputs;
        Driven { port, first_row, values: coupled, gain, foreground: None }
    }

    /// Adds the currents of all couplings between nodes to `force`, nodes x samples.
    pub fn read_couplings(
        &self,
        driven: &Driven<T>,
        force: &mut ViewMut<T>,
        context: ReadContext<T>,
    ) -> Result<()> {
        self.read_selected(driven, force, context, |driving, _| !self.is_drive(driving))
    }

    /// Adds the currents of the couplings whose driving and reached rows are `selected`.
    pub fn read_selected(
        &self,
        driven: &Driven<T>,
        force: &mut ViewMut<T>,
        context: ReadContext<T>,
        selected: impl Fn(&Range<usize>, &Range<usize>) -> bool,
    ) -> Result<()> {
        let samples = driven.values.ncols();
        for (index, coupling) in self.couplings().iter().enumerate() {
            for (side, driving, reached) in Self::uses(coupling, driven.port) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() || !selected(driving, reached) {
                    continue;
                }
                let key = context.key.with(index as u64).with(side as u64);
                let streams = Streams { key, samples: context.order, step: context.time };
                let first = driving.start - driven.first_row;
                let values = driven.values.rows(first, driving.len());
                let gain = driven.gain.as_ref().map(|gain| gain.rows(rows.start, rows.len()));
                let foreground = driven
                    .foreground
                    .as_ref()
                    .map(|parts| parts.each_ref().map(|part| part.rows(first, driving.len())));
                let ports = self.inputs().saturating_sub(driving.start).min(driving.len());
                let held = context.held.map(|held| Held {
                    ports,
                    first_sample: held.first_sample,
                    found: &held.found[index][side.index()],
                });
                let read = Read::new(side, values, wanted, streams)
                    .with_held(held)
                    .lasting(self.relaxation().span(context.relaxing))
                    .with_gain(gain)
                    .with_foreground(foreground);
                let force = force.rows_mut(rows.start, rows.len());
                coupling.coupler.read(&read, force, context.scratch)?;
                context.counts[index][2 * usize::from(context.relaxing) + side.index()] +=
                    samples as u64;
            }
        }
        Ok(())
    }

    /// Reads the constant currents that `inputs` drive into `constant`, nodes x samples, averaged
    /// over as many reads as a measurement, and adds the biases.
    pub fn read_drive(
        &self,
        inputs: &Driven<T>,
        mut constant: ViewMut<T>,
        context: ReadContext<T>,
    ) -> Result<()> {
        let count = self.instruments().samples as u64;
        let ReadContext { order, key, relaxing, scratch, counts, .. } = context;
        constant.column_iter_mut().for_each(|mut column| column.as_mut_slice().fill(T::zero()));
        for read in 0..count {
            let time = u64::MAX - read;
            let context = ReadContext { order, key, time, relaxing, scratch, counts, held: None };
            let drives = |driving: &Range<usize>, _: &Range<usize>| self.is_drive(driving);
            self.read_selected(inputs, &mut constant, context, drives)?;
        }
        for mut column in constant.column_iter_mut() {
            if count > 1 {
                simd::scale(column.as_mut_slice(), T::one() / T::of(count as f64));
            }
            simd::add(column.as_mut_slice(), self.bias());
        }
        Ok(())
    }

    /// Adds `gain * W_m deviation`, or `gain * W_m^T deviation` at reversed ports, from digital
    /// models W_m of all arrays.
    pub fn read_model(
        &self,
        model: &[Exact<T>],
        deviation: &Driven<T>,
        force: &mut ViewMut<T>,
        scratch: &mut Vec<T>,
    ) -> Result<()> {
        for (coupling, model) in self.couplings().iter().zip(model) {
            for (side, driving, reached) in Self::uses(coupling, deviation.port) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() || self.is_drive(driving) {
                    continue;
                }
                let first = driving.start - deviation.first_row;
                let values = deviation.values.rows(first, driving.len());
                let gain = deviation.gain.as_ref().map(|gain| gain.rows(rows.start, rows.len()));
                let streams = Streams { key: Key::new(0, "none"), samples: &[], step: 0 };
                let read = Read::new(side, values, wanted, streams).with_gain(gain);
                model.read(&read, force.rows_mut(rows.start, rows.len()), scratch)?;
            }
        }
        Ok(())
    }
}
