//! The analog network behind its instruments: programming, settling, measuring.

use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::network::{AnalogNetwork, Reads};
use super::relaxation::{LANE, Lane, Task};
use super::{Gradient, HeldCurrent, MachineState, Measurement, Phase, Rest, System};
use crate::coupler::{Domain, Expense, Parameter, Port};
use crate::random::Key;
use crate::real::{Factor, Real, add_product};
use crate::{Error, Result};

impl<T: Real> AnalogNetwork<T> {
    fn check(&self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<()> {
        let expect = |what: &str, found: (usize, usize), expected: (usize, usize)| {
            let message = format!("{what}: expected {} x {} (rows x samples), found {} x {}", expected.0, expected.1, found.0, found.1);
            if found == expected { Ok(()) } else { Err(Error::input(message)) }
        };
        let samples = inputs.ncols();
        expect("inputs", inputs.shape(), (self.input_count(), samples))?;
        let (Phase::Nudged { nudge, free, .. } | Phase::Dyadic { nudge, free }) = phase else { return Ok(()) };
        expect("targets", nudge.targets.shape(), (self.output_rows().len(), samples))?;
        expect("free steady state", free.rest.state.shape(), (self.nodes, samples))
    }

    /// Gives every lane its samples and lets `work` loose on all lanes in parallel; counts reads.
    fn on_lanes<R: Send>(&mut self, samples: usize, work: impl Fn(&Self, &mut Lane<T>, Range<usize>) -> R + Sync) -> Vec<R> {
        let mut lanes = std::mem::take(&mut self.lanes);
        let count = samples.div_ceil(LANE);
        if lanes.len() < count {
            lanes.resize_with(count, Lane::default);
        }
        let this = &*self;
        let results: Vec<R> = lanes[..count]
            .par_iter_mut()
            .enumerate()
            .map(|(index, lane)| work(this, lane, index * LANE..samples.min((index + 1) * LANE)))
            .collect();
        for lane in &lanes[..count] {
            for (total, reads) in self.reads.iter_mut().zip(&lane.reads) {
                total[0] += reads[0];
                total[1] += reads[1];
            }
        }
        self.lanes = lanes;
        results
    }

    fn next_key(&mut self, purpose: &str) -> Key {
        self.settlings += 1;
        Key::new(self.made_of.seed, purpose).with(self.settlings)
    }
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
            let named = |parameter: Parameter<T>| Parameter { name: format!("{}.{}", coupling.name, parameter.name), ..parameter };
            coupling.coupler.parameters().into_iter().map(named)
        });
        let domain = if self.made_of.train_bias { Domain::Real } else { Domain::Fixed };
        let bias = Parameter { name: "bias".into(), values: self.made_of.bias.clone(), domain };
        arrays.chain([bias]).collect()
    }

    fn program(&mut self, values: &[DMatrix<T>]) -> Result<()> {
        let expected = self.parameters();
        if expected.len() != values.len() {
            return Err(Error::input(format!("expected {} parameters, found {}", expected.len(), values.len())));
        }
        for (parameter, values) in expected.iter().zip(values) {
            let (rows, columns) = parameter.values.shape();
            if values.shape() != (rows, columns) {
                let (found_rows, found_columns) = values.shape();
                let name = &parameter.name;
                return Err(Error::input(format!("{name}: expected {rows} x {columns}, found {found_rows} x {found_columns}")));
            }
            if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::Machine(format!("{}: cannot program {bad}: training has diverged", parameter.name)));
            }
        }
        self.programmings += 1;
        let key = Key::new(self.made_of.seed, "programming").with(self.programmings);
        let mut rest = values;
        for (index, coupling) in self.made_of.couplings.iter_mut().enumerate() {
            let (own, others) = rest.split_at(coupling.coupler.parameters().len());
            coupling.coupler.program(own, key.with(index as u64))?;
            rest = others;
        }
        self.made_of.bias.copy_from(&rest[0]);
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>> {
        self.check(inputs, phase)?;
        let key = self.next_key("settling");
        let task = Task::new(self, phase, key);
        let samples = inputs.ncols();
        let readings = self.on_lanes(samples, |network, lane, range| {
            lane.load(network, inputs, &task, range);
            network.relax(lane, &task)
        });
        let blank = || DMatrix::zeros(self.nodes, samples);
        let mut whole = Measurement {
            values: blank(),
            difference: matches!(phase, Phase::Dyadic { .. }).then(blank),
            settled: Vec::with_capacity(samples),
            steps: Vec::with_capacity(samples),
            rest: Rest { state: blank(), held: blank() },
        };
        for (index, reading) in readings.into_iter().enumerate() {
            let (start, count) = (index * LANE, reading.values.ncols());
            whole.values.columns_mut(start, count).copy_from(&reading.values);
            whole.rest.state.columns_mut(start, count).copy_from(&reading.state);
            whole.rest.held.columns_mut(start, count).copy_from(&reading.held);
            if let (Some(all), Some(part)) = (&mut whole.difference, &reading.difference) {
                all.columns_mut(start, count).copy_from(part);
            }
            whole.settled.extend(reading.settled);
            whole.steps.extend(reading.steps);
        }
        Ok(whole)
    }

    fn held_current(&mut self, inputs: &DMatrix<T>, free: &Measurement<T>) -> Result<HeldCurrent<T>> {
        let key = self.next_key("held current");
        let samples = inputs.ncols();
        let phase = Phase::Free;
        self.check(inputs, &phase)?;
        let parts = self.on_lanes(samples, |network, lane, range| {
            lane.rest_at(network, inputs, &free.rest.state, range);
            let reads = network.instruments().samples as u64;
            let mut held = DMatrix::zeros(network.nodes, lane.active);
            for (port, sign) in [(Port::Forward, T::one()), (Port::Reversed, -T::one())] {
                held.scale_mut(sign);
                for time in 0..reads {
                    let (scratch, counts) = (&mut lane.scratch, &mut lane.reads[..]);
                    let context = Reads { order: &lane.order, key, time, scratch, counts };
                    network.read_couplings(port, lane.coupled.as_view(), None, &mut held.as_view_mut(), context);
                }
                held.scale_mut(sign);
            }
            held / T::of(reads as f64)
        });
        let mut held = DMatrix::zeros(self.nodes, samples);
        for (index, part) in parts.iter().enumerate() {
            held.columns_mut(index * LANE, part.ncols()).copy_from(part);
        }
        Ok(HeldCurrent(held))
    }

    fn local_product(&self, inputs: &DMatrix<T>, d: &DMatrix<T>, at: &DMatrix<T>) -> Gradient<T> {
        let (driven, samples) = (self.input_count(), inputs.ncols());
        let mut coupled = DMatrix::zeros(driven + self.nodes, samples);
        coupled.rows_mut(0, driven).copy_from(inputs);
        coupled.rows_mut(driven, self.nodes).copy_from(at);
        let mut signal = DMatrix::zeros(driven + self.nodes, samples);
        signal.rows_mut(driven, self.nodes).copy_from(d);
        if self.dynamics().is_gradient() {
            for (node, activation) in self.activations() {
                for column in 0..samples {
                    let state = at[(node, column)];
                    coupled[(driven + node, column)] = activation.value(state);
                    signal[(driven + node, column)] *= activation.slope(state);
                }
            }
        }
        let mut gradient: Gradient<T> =
            self.parameters().iter().map(|parameter| DMatrix::zeros(parameter.values.nrows(), parameter.values.ncols())).collect();
        let mut rest = &mut gradient[..];
        for coupling in self.couplings() {
            let (own, others) = rest.split_at_mut(coupling.coupler.parameters().len());
            for (side, driving, reached) in Self::uses(coupling, Port::Forward) {
                let (post, pre) = (signal.rows(reached.start, reached.len()), coupled.rows(driving.start, driving.len()));
                // Used backwards, the array's own outputs are driven and its inputs receive: the roles swap.
                let (d, v) = if side == Port::Forward { (post, pre) } else { (pre, post) };
                coupling.coupler.local_product(d, v, own);
            }
            rest = others;
        }
        if self.made_of.train_bias {
            let ones = DMatrix::from_element(samples, 1, T::one());
            let signal = Factor::Plain(signal.rows(driven, self.nodes));
            add_product(rest[0].as_view_mut(), -T::one(), signal, Factor::Plain(ones.as_view()));
        }
        gradient
    }

    fn expense(&self) -> Expense {
        let mut total = Expense::default();
        let mut writing = 0.0;
        for (coupling, reads) in self.couplings().iter().zip(&self.reads) {
            let mut seconds = 0.0;
            for (port, reached) in [(Port::Forward, &coupling.to), (Port::Reversed, &coupling.from)] {
                let cost = coupling.coupler.read_expense(port, self.wanted(reached).0.len());
                let count = reads[port as usize];
                total.frames += count * cost.frames;
                total.conversions += count * cost.conversions;
                seconds += count as f64 * cost.seconds;
            }
            // Arrays work side by side: the slowest sets the time.
            total.seconds = total.seconds.max(seconds);
            writing += coupling.coupler.write_expense().seconds;
        }
        total.seconds += writing;
        total
    }

    fn state(&self) -> MachineState<T> {
        let tensors = self.couplings().iter().flat_map(|coupling| {
            let named = |(name, values)| (format!("{}.{name}", coupling.name), values);
            coupling.coupler.hardware_state().into_iter().map(named)
        });
        let counters = [self.settlings, self.programmings].into_iter().chain(self.reads.iter().flatten().copied());
        MachineState { tensors: tensors.collect(), counters: counters.collect() }
    }

    fn restore(&mut self, state: &MachineState<T>) -> Result<()> {
        let foreign = || Error::input("the saved state belongs to another machine");
        let own = self.state();
        let shapes = |state: &MachineState<T>| state.tensors.iter().map(|(name, m)| (name.clone(), m.shape())).collect::<Vec<_>>();
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
        Ok(())
    }

    fn twin(&self) -> Option<AnalogNetwork<T>> {
        Some(self.exact_twin())
    }
}
