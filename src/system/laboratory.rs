//! The analog network behind its instruments: programming, settling, measuring.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use nalgebra::{DMatrix, Dyn};
use rayon::prelude::*;

use super::instruments::Reading;
use super::lane::{LANE, Lane};
use super::local_product::{Factors, Rows, Slope};
use super::network::{AnalogNetwork, Reads};
use super::relaxation::Task;
use super::{
    CouplingKind, HeldCurrent, LocalProduct, MachineState, Measurement, Phase, Rest, System,
};
use crate::arithmetic::random::Key;
use crate::arithmetic::real::{Foreground, Real, ViewMut};
use crate::arithmetic::simd;
use crate::coupler::{Domain, Expense, Parameter, Port};
use crate::{Error, Result};

impl<T: Real> AnalogNetwork<T> {
    fn check(&self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<()> {
        let expect = |what: &str, found: (usize, usize), expected: (usize, usize)| {
            let message = format!(
                "{what}: expected {} x {} (rows x samples), found {} x {}",
                expected.0, expected.1, found.0, found.1
            );
            if found == expected { Ok(()) } else { Err(Error::input(message)) }
        };
        let samples = inputs.ncols();
        expect("inputs", inputs.shape(), (self.input_count(), samples))?;
        let (Phase::Nudged { nudge, free, .. } | Phase::Dyadic { nudge, free }) = phase else {
            return Ok(());
        };
        expect("targets", nudge.targets.shape(), (self.output_rows().len(), samples))?;
        expect("free steady state", free.rest.state.shape(), (self.nodes, samples))
    }

    /// Lets `work` loose on all lanes of a batch in parallel, each with its samples and its part of
    /// what is to be filled; counts reads.
    fn on_lanes<P: Send>(
        &mut self,
        samples: usize,
        parts: impl IntoIterator<Item = P>,
        work: impl Fn(&Self, &mut Lane<T>, Range<usize>, P) + Sync,
    ) {
        let mut lanes = std::mem::take(&mut self.lanes);
        let count = samples.div_ceil(LANE);
        if lanes.len() < count {
            lanes.resize_with(count, Lane::default);
        }
        let this = &*self;
        let seats: Vec<(usize, &mut Lane<T>, P)> = lanes
            .iter_mut()
            .zip(parts)
            .enumerate()
            .map(|(i, (lane, part))| (i, lane, part))
            .collect();
        seats.into_par_iter().for_each(|(index, lane, part)| {
            work(this, lane, index * LANE..samples.min((index + 1) * LANE), part)
        });
        lanes[..count].iter().for_each(|lane| self.count(&lane.reads));
        self.lanes = lanes;
    }

    /// The constant currents of `inputs`, nodes x samples. Each thread drives as many samples at
    /// once as it can: an array is then read from memory only once.
    fn read_drives(&mut self, inputs: &DMatrix<T>, key: Key) -> DMatrix<T> {
        let (nodes, samples) = (self.nodes, inputs.ncols());
        let foreground = Foreground::of(inputs);
        let width = samples.div_ceil(rayon::current_num_threads()).next_multiple_of(LANE);
        let order: Vec<usize> = (0..samples).collect();
        let mut held = DMatrix::zeros(nodes, samples);
        let parts: Vec<&mut [T]> = held.as_mut_slice().chunks_mut((nodes * width).max(1)).collect();
        let this = &*self;
        let counts =
            parts.into_par_iter().enumerate().map_init(Vec::new, |scratch, (index, held)| {
                let order = &order[index * width..samples.min((index + 1) * width)];
                let mut counts = vec![[0, 0]; this.reads.len()];
                let columns = index * width..index * width + order.len();
                let foreground =
                    foreground.as_ref().map(|parts| [parts.rest(columns), parts.background()]);
                let reads = Reads {
                    first_row: 0,
                    order,
                    key,
                    time: 0,
                    foreground,
                    scratch,
                    counts: &mut counts,
                };
                let held = ViewMut::from_slice_generic(held, Dyn(nodes), Dyn(order.len()));
                this.read_drive(inputs.columns(index * width, order.len()), held, reads);
                counts
            });
        for counts in counts.collect::<Vec<_>>() {
            self.count(&counts);
        }
        held
    }

    /// Counts reads of the arrays.
    fn count(&mut self, reads: &[[u64; 2]]) {
        for (total, reads) in self.reads.iter_mut().zip(reads) {
            total[0] += reads[0];
            total[1] += reads[1];
        }
    }

    fn next_key(&mut self, purpose: &str) -> Key {
        self.settlings += 1;
        Key::new(self.made_of.seed, purpose).with(self.settlings)
    }
}

/// The lanes' parts of a measurement.
fn readings<T: Real>(whole: &mut Measurement<T>, nodes: usize) -> Vec<Reading<'_, T>> {
    let lane = (nodes * LANE).max(1);
    let mut states = whole.rest.state.as_mut_slice().chunks_mut(lane);
    let mut differences =
        whole.difference.as_mut().map(|difference| difference.as_mut_slice().chunks_mut(lane));
    let settled = whole.settled.chunks_mut(LANE).zip(whole.steps.chunks_mut(LANE));
    let values = whole.values.as_mut_slice().chunks_mut(lane);
    let reading = |(values, (settled, steps))| Reading {
        values,
        difference: differences.as_mut().and_then(Iterator::next).unwrap_or_default(),
        state: states.next().unwrap_or_default(),
        settled,
        steps,
    };
    values.zip(settled).map(reading).collect()
}

impl<T: Real> AnalogNetwork<T> {
    /// The shapes of all parameters.
    fn all_shapes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.shapes.iter().flatten().copied().chain([(self.nodes, 1)])
    }

    fn rows_of<'a>(
        &self,
        inputs: Option<&'a DMatrix<T>>,
        nodes: Cow<'a, DMatrix<T>>,
    ) -> Arc<Rows<'a, T>> {
        let together = (self.shared_inputs > 0).then(|| {
            let mut together = DMatrix::zeros(self.shared_inputs + self.nodes, nodes.ncols());
            if let Some(inputs) = inputs {
                together.rows_mut(0, self.shared_inputs).copy_from(inputs);
            }
            together.rows_mut(self.shared_inputs, self.nodes).copy_from(&nodes);
            together
        });
        let foreground = if together.is_none() { inputs.and_then(Foreground::of) } else { None };
        Arc::new(Rows { inputs, nodes, together, foreground, input_count: self.input_count() })
    }

    /// What reaches the nodes: d, times the slope of gradient nodes.
    fn signals<'a>(&self, d: &'a DMatrix<T>, at: &DMatrix<T>) -> Arc<Rows<'a, T>> {
        if !self.dynamics().is_gradient() {
            return self.rows_of(None, Cow::Borrowed(d));
        }
        let mut signals = d.clone();
        for (node, activation) in self.activations() {
            signals
                .row_mut(node)
                .zip_apply(&at.row(node), |signal, state| *signal *= activation.slope(state));
        }
        self.rows_of(None, Cow::Owned(signals))
    }

    /// What drives the couplings at node values `at`.
    fn drives<'a>(&self, inputs: &'a DMatrix<T>, at: &'a DMatrix<T>) -> Arc<Rows<'a, T>> {
        if !self.dynamics().is_gradient() {
            return self.rows_of(Some(inputs), Cow::Borrowed(at));
        }
        let mut values = at.clone();
        for (node, activation) in self.activations() {
            values.row_mut(node).apply(|value| *value = activation.value(*value));
        }
        self.rows_of(Some(inputs), Cow::Owned(values))
    }
}

/// A block of the nodes' W.
struct Block<T: Real> {
    from: Range<usize>,
    to: Range<usize>,
    kind: CouplingKind,
    weights: DMatrix<T>,
}

impl<T: Real> System<T> for AnalogNetwork<T> {
    fn inputs(&self) -> usize {
        self.input_count()
    }

    fn outputs(&self) -> Range<usize> {
        self.output_rows()
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let arrays = self.couplings().iter().flat_map(|coupling| {
            let named = |parameter: Parameter<T>| Parameter {
                name: format!("{}.{}", coupling.name, parameter.name),
                ..parameter
            };
            coupling.coupler.parameters().into_iter().map(named)
        });
        let domain = if self.made_of.train_bias { Domain::Real } else { Domain::Fixed };
        let bias = Parameter { name: "bias".into(), values: self.made_of.bias.clone(), domain };
        arrays.chain([bias]).collect()
    }

    fn program(&mut self, values: &[DMatrix<T>]) -> Result<()> {
        let shapes: Vec<(usize, usize)> = self.all_shapes().collect();
        if shapes.len() != values.len() {
            return Err(Error::input(format!(
                "expected {} parameters, found {}",
                shapes.len(),
                values.len()
            )));
        }
        for (index, (shape, values)) in shapes.into_iter().zip(values).enumerate() {
            let name = || self.parameters().swap_remove(index).name;
            if values.shape() != shape {
                let ((rows, columns), (found_rows, found_columns)) = (shape, values.shape());
                return Err(Error::input(format!(
                    "{}: expected {rows} x {columns}, found {found_rows} x {found_columns}",
                    name()
                )));
            }
        }
        self.programmings += 1;
        let key = Key::new(self.made_of.seed, "programming").with(self.programmings);
        let mut rest = values;
        for (index, coupling) in self.made_of.couplings.iter_mut().enumerate() {
            let (own, others) = rest.split_at(self.shapes[index].len());
            coupling.coupler.program(own, key.with(index as u64))?;
            rest = others;
        }
        self.made_of.bias.copy_from(&rest[0]);
        self.update_resolution();
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>> {
        self.check(inputs, phase)?;
        let key = self.next_key("settling");
        let task = Task::new(self, phase, key);
        let samples = inputs.ncols();
        let mut whole = Measurement {
            values: DMatrix::zeros(self.nodes, samples),
            difference: task.dyadic.then(|| DMatrix::zeros(self.nodes, samples)),
            settled: vec![false; samples],
            steps: vec![0; samples],
            rest: Rest::new(if task.free.is_none() { self.nodes } else { 0 }, samples),
        };
        let drive =
            if task.free.is_none() { self.read_drives(inputs, key) } else { DMatrix::zeros(0, 0) };
        self.on_lanes(
            samples,
            readings(&mut whole, self.nodes),
            |network, lane, range, reading| {
                lane.load(network, inputs, &drive, &task, range);
                let settled = network.relax(lane, &task);
                network.measure(lane, &task, &settled, reading);
            },
        );
        whole.rest.held = drive;
        Ok(whole)
    }

    fn held_current(
        &mut self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
    ) -> Result<HeldCurrent<T>> {
        let key = self.next_key("held current");
        let samples = inputs.ncols();
        let phase = Phase::Free;
        self.check(inputs, &phase)?;
        let mut held = DMatrix::zeros(self.nodes, samples);
        let (nodes, count) = (self.nodes, self.instruments().samples as u64);
        let parts: Vec<&mut [T]> = held.as_mut_slice().chunks_mut((nodes * LANE).max(1)).collect();
        self.on_lanes(samples, parts, |network, lane, range, part| {
            lane.rest_at(network, inputs, &free.rest.state, range);
            let mut current = ViewMut::from_slice_generic(part, Dyn(nodes), Dyn(lane.active));
            for (port, sign) in [(Port::Forward, T::one()), (Port::Reversed, -T::one())] {
                // Couplings add, so what is read with a minus sign is added to the negative.
                current.scale_mut(sign);
                for time in 0..count {
                    let (order, scratch, counts) =
                        (&lane.order[..], &mut lane.scratch, &mut lane.reads[..]);
                    let context =
                        Reads { first_row: 0, order, key, time, foreground: None, scratch, counts };
                    network.read_couplings(
                        port,
                        lane.coupled.as_view(),
                        None,
                        &mut current,
                        context,
                    );
                }
                current.scale_mut(sign);
            }
            if count > 1 {
                current.scale_mut(T::one() / T::of(count as f64));
            }
        });
        Ok(HeldCurrent(held))
    }

    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: &'a DMatrix<T>,
        at: &'a DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        let (post, pre) = (self.signals(d, at), self.drives(inputs, at));
        let mut slopes = Vec::new();
        for (coupling, shapes) in self.couplings().iter().zip(&self.shapes) {
            let reaches_nodes = |reached: &Range<usize>| reached.end > self.input_count();
            let uses = Self::uses(coupling, Port::Forward)
                .filter(|(_, _, reached)| reaches_nodes(reached));
            // Used backwards, the array's own outputs are driven and its inputs receive: the roles
            // swap.
            let uses = uses.map(|(side, driving, reached)| match side {
                Port::Forward => [(&post, reached), (&pre, driving)],
                Port::Reversed => [(&pre, driving), (&post, reached)],
            });
            if coupling.coupler.is_plain_matrix() {
                let factors =
                    uses.map(|[(d, d_rows), (v, v_rows)]| Factors::new(d.rows(d_rows), v, v_rows));
                slopes.push(Slope::Outer(factors.collect(), shapes[0]));
                continue;
            }
            let mut own: Vec<DMatrix<T>> =
                shapes.iter().map(|(rows, columns)| DMatrix::zeros(*rows, *columns)).collect();
            for [(d, d_rows), (v, v_rows)] in uses {
                coupling.coupler.add_local_product(d.rows(d_rows), v.rows(v_rows), &mut own);
            }
            slopes.extend(own.into_iter().map(|own| Slope::Whole(Cow::Owned(own))));
        }
        let mut bias = DMatrix::zeros(self.nodes, 1);
        if self.made_of.train_bias {
            let signals = post.rows(&(self.input_count()..self.input_count() + self.nodes));
            signals.column_iter().for_each(|column| {
                simd::add_scaled(bias.as_mut_slice(), -T::one(), column.as_slice())
            });
        }
        slopes.push(Slope::Whole(Cow::Owned(bias)));
        LocalProduct(slopes)
    }

    fn expense(&self) -> Expense {
        let mut total = Expense::default();
        let mut writing = 0.0;
        for (coupling, reads) in self.couplings().iter().zip(&self.reads) {
            let mut seconds = 0.0;
            for (port, reached) in [(Port::Forward, &coupling.to), (Port::Reversed, &coupling.from)]
            {
                let cost = coupling.coupler.read_expense(port, self.wanted(reached).0.len());
                let count = reads[port as usize];
                total.frames += count * cost.frames;
                total.conversions += count * cost.conversions;
                total.joules += count as f64 * cost.joules;
                seconds += count as f64 * cost.seconds;
            }
            // Arrays work side by side: the slowest sets the time.
            total.seconds = total.seconds.max(seconds);
            let written = coupling.coupler.write_expense();
            writing += written.seconds;
            total.pulses += written.pulses;
            total.joules += written.joules + coupling.coupler.heat();
        }
        total.seconds += writing;
        total
    }

    fn read_back(&self, values: &mut [DMatrix<T>]) {
        let mut rest = values;
        for (coupling, shapes) in self.couplings().iter().zip(&self.shapes) {
            let (own, others) = rest.split_at_mut(shapes.len());
            coupling.coupler.read_back(own);
            rest = others;
        }
    }

    fn staleness(&self) -> f64 {
        self.couplings().iter().map(|coupling| coupling.coupler.staleness()).fold(0.0, f64::max)
    }

    fn non_reciprocity(&self) -> Option<f64> {
        let clipped = |rows: &Range<usize>| rows.start.max(self.input_count())..rows.end;
        let between_nodes =
            self.couplings().iter().filter(|coupling| coupling.from.end > self.input_count());
        let mut rest: Vec<Block<T>> = between_nodes
            .map(|coupling| {
                let (from, to) = (clipped(&coupling.from), clipped(&coupling.to));
                let first = (to.start - coupling.to.start, from.start - coupling.from.start);
                let weights =
                    coupling.coupler.intended().view(first, (to.len(), from.len())).into_owned();
                Block { from, to, kind: coupling.kind, weights }
            })
            .collect();
        let (mut odd, mut even) = (0.0, 0.0);
        while let Some(Block { from, to, kind, weights: forward }) = rest.pop() {
            // The array the other way, if there is one: then two blocks of W meet, else a block
            // meets none.
            let back = rest.iter().position(|other| other.from == to && other.to == from);
            let back = match (kind, back) {
                (CouplingKind::Reciprocal, _) => forward.clone(),
                (CouplingKind::OneWay, _) if from == to => forward.transpose(),
                (CouplingKind::OneWay, Some(index)) => rest.swap_remove(index).weights.transpose(),
                (CouplingKind::OneWay, None) => forward.map(|_| T::zero()),
            };
            odd += (&forward - &back).norm_squared().f64();
            even += (&forward + &back).norm_squared().f64();
        }
        (even > 0.0).then(|| (odd / even).sqrt())
    }

    fn state(&self) -> MachineState<T> {
        let tensors = self.couplings().iter().flat_map(|coupling| {
            let named = |(name, values)| (format!("{}.{name}", coupling.name), values);
            coupling.coupler.hardware_state().into_iter().map(named)
        });
        let counters = [self.settlings, self.programmings]
            .into_iter()
            .chain(self.reads.iter().flatten().copied());
        MachineState { tensors: tensors.collect(), counters: counters.collect() }
    }

    fn restore(&mut self, state: &MachineState<T>) -> Result<()> {
        let foreign = || Error::input("the saved state belongs to another machine");
        let own = self.state();
        let shapes = |state: &MachineState<T>| {
            state.tensors.iter().map(|(name, m)| (name.clone(), m.shape())).collect::<Vec<_>>()
        };
        if shapes(&own) != shapes(state) || own.counters.len() != state.counters.len() {
            return Err(foreign());
        }
        let mut tensors: &[(String, DMatrix<T>)] = &state.tensors;
        for coupling in &mut self.made_of.couplings {
            let (own, others) = tensors.split_at(coupling.coupler.hardware_state().len());
            let own: Vec<_> = own.iter().map(|(_, values)| values.clone()).collect();
            if !own.is_empty() {
                coupling.coupler.restore_hardware_state(&own);
            }
            tensors = others;
        }
        let (clocks, reads) = state.counters.split_at(2);
        (self.settlings, self.programmings) = (clocks[0], clocks[1]);
        self.reads = reads.chunks(2).map(|pair| [pair[0], pair[1]]).collect();
        self.update_resolution();
        Ok(())
    }

    fn twin(&self) -> Option<AnalogNetwork<T>> {
        Some(self.exact_twin())
    }
}
