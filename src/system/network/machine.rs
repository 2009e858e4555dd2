//! The analog network behind its instruments: programming, settling, measuring.

use std::ops::Range;

use nalgebra::{DMatrix, Dyn};
use rayon::prelude::*;

use super::instruments::{LanePart, measure};
use super::lane::{LANE, Lane};
use super::reads::{Driven, ReadContext, ReadCounts};
use super::relaxation::{Relaxer, rest};
use super::task::Task;
use super::{Coupling, Network, NetworkDescription};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Foreground, Real, ViewMut};
use crate::coupler::{Domain, Expense, Parameter, Picture, Port, Quantity, Saturation};
use crate::state::State;
use crate::system::{
    Cost, HeldCurrent, LocalProduct, Measurement, Phase, Resolution, Start, System,
};
use crate::{Error, Result};

/// A simulated machine of layers of nodes joined by couplings. Couplings that do not exist cost
/// nothing.
pub struct AnalogNetwork<T: Real> {
    network: Network<T>,
    relaxer: Box<dyn Relaxer<T>>,
    settlings: u64,
    programmings: u64,
    /// Sample-reads of each coupling.
    reads: Vec<ReadCounts>,
    lanes: Vec<Lane<T>>,
}

impl<T: Real> AnalogNetwork<T> {
    /// Builds the machine.
    ///
    /// # Errors
    /// When a coupling's array does not fit the rows it joins, the bias does not fit the nodes, or
    /// the network cannot be relaxed in the way that is asked for.
    pub fn new(description: NetworkDescription<T>) -> Result<Self> {
        let network = Network::new(description)?;
        Ok(Self {
            relaxer: network.relaxation().method.relaxer(&network)?,
            settlings: 0,
            programmings: 0,
            reads: vec![[0; 4]; network.couplings().len()],
            lanes: Vec::new(),
            network,
        })
    }

    /// The arrays of this machine.
    pub fn couplings(&self) -> &[Coupling<T>] {
        self.network.couplings()
    }

    #[cfg(test)]
    pub(super) fn network(&self) -> &Network<T> {
        &self.network
    }

    fn check(&self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<()> {
        let expect = |what: &str, found: (usize, usize), expected: (usize, usize)| {
            let ((rows, columns), (found_rows, found_columns)) = (expected, found);
            let message = format!(
                "{what}: expected {rows} x {columns} (rows x samples), found {found_rows} x \
                 {found_columns}"
            );
            if found == expected { Ok(()) } else { Err(Error::input(message)) }
        };
        let (network, samples) = (&self.network, inputs.ncols());
        expect("inputs", inputs.shape(), (network.inputs(), samples))?;
        let (Phase::Nudged { nudge, free, .. } | Phase::Dyadic { nudge, free }) = phase else {
            return Ok(());
        };
        let outputs = network.output_rows().len();
        expect("targets", nudge.targets.shape(), (outputs, samples))?;
        self.expect_start(free, samples).map(|_| ())
    }

    /// The free steady state in `free`, of so many samples.
    fn expect_start<'a>(&self, free: &'a Measurement<T>, samples: usize) -> Result<&'a Start<T>> {
        let nodes = self.network.nodes;
        let start = free.start.as_ref().filter(|start| start.state.shape() == (nodes, samples));
        start.ok_or_else(|| {
            Error::input(format!(
                "free steady state: expected the measurement of a free phase of this machine, \
                 {nodes} nodes x {samples} samples"
            ))
        })
    }

    /// Lets `work` loose on all lanes of a batch in parallel, each with its samples and its part of
    /// what is to be filled; counts reads.
    fn on_lanes<P: Send>(
        &mut self,
        samples: usize,
        parts: impl IntoIterator<Item = P>,
        work: impl Fn(&Self, &mut Lane<T>, Range<usize>, P) -> Result<()> + Sync,
    ) -> Result<()> {
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
            .map(|(index, (lane, part))| (index, lane, part))
            .collect();
        let each = |(index, lane, part): (usize, &mut Lane<T>, P)| {
            work(this, lane, index * LANE..samples.min((index + 1) * LANE), part)
        };
        let outcomes: Vec<Result<()>> = match self.is_in_a_laboratory() {
            false => seats.into_par_iter().map(each).collect(),
            // One instrument serves one lane after another, and after a failure none.
            true => vec![seats.into_iter().try_for_each(each)],
        };
        lanes[..count].iter().for_each(|lane| self.count(&lane.reads));
        self.lanes = lanes;
        outcomes.into_iter().collect()
    }

    /// The constant currents of `inputs`, nodes x samples. Each thread drives as many samples at
    /// once as it can: an array is then read from memory only once.
    fn read_drives(&mut self, inputs: &DMatrix<T>, key: Key) -> Result<DMatrix<T>> {
        let (nodes, samples) = (self.network.nodes, inputs.ncols());
        let foreground = Foreground::of(inputs);
        let drives = if self.is_in_a_laboratory() { 1 } else { rayon::current_num_threads() };
        let width = samples.div_ceil(drives).next_multiple_of(LANE);
        let order: Vec<usize> = (0..samples).collect();
        let mut constant = DMatrix::zeros(nodes, samples);
        let parts: Vec<&mut [T]> =
            constant.as_mut_slice().chunks_mut((nodes * width).max(1)).collect();
        let this = &*self;
        let read = |scratch: &mut Vec<T>, (index, constant): (usize, &mut [T])| {
            let order = &order[index * width..samples.min((index + 1) * width)];
            let mut counts = vec![[0; 4]; this.reads.len()];
            let columns = index * width..index * width + order.len();
            let driven = Driven {
                port: Port::Forward,
                first_row: 0,
                values: inputs.columns(columns.start, columns.len()),
                gain: None,
                foreground: foreground
                    .as_ref()
                    .map(|parts| [parts.rest(columns), parts.background()]),
            };
            let (time, relaxing) = (0, false);
            let context = ReadContext {
                order,
                key,
                time,
                relaxing,
                scratch,
                counts: &mut counts,
                held: None,
            };
            let constant = ViewMut::from_slice_generic(constant, Dyn(nodes), Dyn(order.len()));
            this.network.read_drive(&driven, constant, context).map(|()| counts)
        };
        let counts = parts.into_par_iter().enumerate().map_init(Vec::new, read);
        for counts in counts.collect::<Vec<_>>() {
            self.count(&counts?);
        }
        Ok(constant)
    }

    /// Counts reads of the arrays.
    fn count(&mut self, reads: &[ReadCounts]) {
        for (total, reads) in self.reads.iter_mut().zip(reads) {
            total.iter_mut().zip(reads).for_each(|(total, reads)| *total += reads);
        }
    }

    fn next_key(&mut self, purpose: &str) -> Key {
        self.settlings += 1;
        Key::new(self.network.made_of.seed, purpose).with(self.settlings)
    }
}

/// The lanes' parts of a measurement.
fn parts<T: Real>(whole: &mut Measurement<T>, nodes: usize) -> Vec<LanePart<'_, T>> {
    let lane = (nodes * LANE).max(1);
    let mut states = whole.start.as_mut().map(|start| start.state.as_mut_slice().chunks_mut(lane));
    let mut differences =
        whole.difference.as_mut().map(|difference| difference.as_mut_slice().chunks_mut(lane));
    let settled = whole.settled.chunks_mut(LANE).zip(whole.steps.chunks_mut(LANE));
    let mut left = whole.left.chunks_mut(LANE);
    let values = whole.values.as_mut_slice().chunks_mut(lane);
    let part = |(values, (settled, steps))| LanePart {
        values,
        difference: differences.as_mut().and_then(Iterator::next).unwrap_or_default(),
        state: states.as_mut().and_then(Iterator::next).unwrap_or_default(),
        settled,
        left: left.next().unwrap_or_default(),
        steps,
    };
    values.zip(settled).map(part).collect()
}

impl<T: Real> System<T> for AnalogNetwork<T> {
    fn describe(&self) -> String {
        self.network.made_of.title.clone()
    }

    fn inputs(&self) -> usize {
        self.network.inputs()
    }

    fn outputs(&self) -> Range<usize> {
        self.network.output_rows()
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let arrays = self.couplings().iter().flat_map(|coupling| {
            let named = |parameter: Parameter<T>| Parameter {
                name: format!("{}.{}", coupling.name, parameter.name),
                ..parameter
            };
            coupling.coupler.parameters().into_iter().map(named)
        });
        let made_of = &self.network.made_of;
        let domain = if made_of.train_bias { Domain::Real } else { Domain::Fixed };
        arrays.chain([Parameter::new("bias", made_of.bias.clone(), domain)]).collect()
    }

    fn program(&mut self, values: &mut [DMatrix<T>]) -> Result<()> {
        let shapes: Vec<(usize, usize)> = self.network.all_shapes().collect();
        if shapes.len() != values.len() {
            let (expected, found) = (shapes.len(), values.len());
            return Err(Error::input(format!("expected {expected} parameters, found {found}")));
        }
        for (index, (shape, values)) in shapes.into_iter().zip(&*values).enumerate() {
            if values.shape() != shape {
                let name = self.parameters().swap_remove(index).name;
                let ((rows, columns), (found_rows, found_columns)) = (shape, values.shape());
                return Err(Error::input(format!(
                    "{name}: expected {rows} x {columns}, found {found_rows} x {found_columns}"
                )));
            }
        }
        self.programmings += 1;
        let Network { made_of, shapes, .. } = &mut self.network;
        let key = made_of.chip_key("programming").with(self.programmings);
        let mut others = values;
        for (index, coupling) in made_of.couplings.iter_mut().enumerate() {
            let (own, rest) = others.split_at_mut(shapes[index].len());
            coupling.coupler.program(own, key.with(index as u64))?;
            others = rest;
        }
        made_of.bias.copy_from(&others[0]);
        self.network.update_resolution();
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>> {
        self.check(inputs, phase)?;
        self.network.made_of.couplings.iter_mut().try_for_each(|each| each.coupler.begin())?;
        let key = self.next_key("settling");
        let task = Task::new(&self.network, phase, key);
        let (nodes, samples) = (self.network.nodes, inputs.ncols());
        let is_free = task.start.is_none();
        // Without loops a steady state is the only one.
        let truncated = task.truncated_after(&self.network).is_some();
        let release = task.nudge.is_some_and(|nudge| nudge.release)
            && !task.dyadic
            && !truncated
            && self.network.has_loops;
        let zeros = || DMatrix::zeros(nodes, samples);
        let drive = if is_free { self.read_drives(inputs, key)? } else { DMatrix::zeros(0, 0) };
        let mut whole = Measurement {
            values: zeros(),
            difference: task.dyadic.then(zeros),
            settled: vec![false; samples],
            truncated,
            left: vec![false; if release { samples } else { 0 }],
            steps: vec![0; samples],
            start: is_free.then(|| Start { state: zeros(), constant: DMatrix::zeros(0, 0) }),
        };
        self.on_lanes(samples, parts(&mut whole, nodes), |this, lane, range, mut part| {
            let network = &this.network;
            lane.load(network.shape(), inputs, &drive, &task, &range);
            network.prepare(lane, &task);
            let settled = this.relaxer.settle(network, lane, &task)?;
            measure(network, lane, &task, &settled, &mut part)?;
            let LanePart { settled, left, .. } = part;
            let Some(start) = task.start.filter(|_| release) else { return Ok(()) };
            let away = rest::stay_away(network, &*this.relaxer, lane, &task, start)?;
            for (column, away) in away.into_iter().enumerate() {
                let at = lane.order[column] - lane.first;
                left[at] = away && settled[at];
                settled[at] &= !away;
            }
            Ok(())
        })?;
        if let Some(start) = &mut whole.start {
            start.constant = drive;
        }
        Ok(whole)
    }

    fn held_current(
        &mut self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
    ) -> Result<HeldCurrent<T>> {
        let key = self.next_key("held current");
        let samples = inputs.ncols();
        self.check(inputs, &Phase::Free)?;
        let start = self.expect_start(free, samples)?;
        let (nodes, count) = (self.network.nodes, self.network.instruments().samples as u64);
        let mut held = DMatrix::zeros(nodes, samples);
        let parts: Vec<&mut [T]> = held.as_mut_slice().chunks_mut((nodes * LANE).max(1)).collect();
        self.on_lanes(samples, parts, |this, lane, range, part| {
            let network = &this.network;
            lane.hold(network.shape(), inputs, &start.state, &range);
            network.express(lane, range.len());
            let mut current = ViewMut::from_slice_generic(part, Dyn(nodes), Dyn(lane.active));
            for (port, sign) in [(Port::Forward, T::one()), (Port::Reversed, -T::one())] {
                // Couplings add, so what is read with a minus sign is added to the negative.
                current.scale_mut(sign);
                let driven = network.coupled(port, lane.coupled.as_view(), None);
                for time in 0..count {
                    let order = &lane.order[..];
                    let (scratch, counts) = (&mut lane.scratch, &mut lane.reads[..]);
                    let context = ReadContext {
                        order,
                        key,
                        time,
                        relaxing: false,
                        scratch,
                        counts,
                        held: None,
                    };
                    network.read_couplings(&driven, &mut current, context)?;
                }
                current.scale_mut(sign);
            }
            if count > 1 {
                current.scale_mut(T::one() / T::of(count as f64));
            }
            Ok(())
        })?;
        Ok(HeldCurrent(held))
    }

    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: DMatrix<T>,
        at: DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        self.network.local_product(inputs, d, at)
    }

    fn expense(&self) -> Expense {
        let mut total = Expense::default();
        let mut writing = 0.0;
        for (coupling, reads) in self.couplings().iter().zip(&self.reads) {
            let mut seconds = 0.0;
            let sides = [(Port::Forward, &coupling.to), (Port::Reversed, &coupling.from)];
            for (port, reached) in sides {
                let wanted = self.network.wanted(reached).0.len();
                for relaxing in [false, true] {
                    let span = self.network.relaxation().span(relaxing);
                    let cost = coupling.coupler.read_expense(port, wanted, span);
                    let count = reads[2 * usize::from(relaxing) + port.index()];
                    // What an extreme device asks for may be more than there are numbers.
                    let add =
                        |total: u64, each: u64| total.saturating_add(count.saturating_mul(each));
                    total.frames = add(total.frames, cost.frames);
                    total.conversions = add(total.conversions, cost.conversions);
                    total.energy = total.energy.plus(&cost.energy.times(count as f64));
                    seconds += count as f64 * cost.seconds;
                }
            }
            // Arrays work side by side: the slowest sets the time.
            total.seconds = total.seconds.max(seconds);
            let own = coupling.coupler.expense();
            writing += own.seconds;
            total.frames = total.frames.saturating_add(own.frames);
            total.conversions = total.conversions.saturating_add(own.conversions);
            total.retries += own.retries;
            total.pulses += own.pulses;
            total.given_up += own.given_up;
            total.energy = total.energy.plus(&own.energy);
        }
        total.seconds += writing;
        total
    }

    fn state(&self) -> State<T> {
        let reads = self.reads.iter().flatten().copied().collect::<Vec<u64>>();
        let mut state = State::default()
            .with("settlings", vec![self.settlings])
            .with("programmings", vec![self.programmings])
            .with("reads", reads);
        for coupling in self.couplings() {
            state.nest(&coupling.name, coupling.coupler.state());
        }
        state
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        let reads = state.counts("reads", 4 * self.reads.len())?;
        self.reads = reads.chunks_exact(4).map(|r| [r[0], r[1], r[2], r[3]]).collect();
        self.settlings = state.counts("settlings", 1)?[0];
        self.programmings = state.counts("programmings", 1)?[0];
        for coupling in &mut self.network.made_of.couplings {
            coupling.coupler.restore(&state.part(&coupling.name))?;
        }
        self.network.update_resolution();
        Ok(())
    }

    fn adjoint(
        &self,
        inputs: &DMatrix<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<Option<(Measurement<T>, DMatrix<T>)>> {
        let Some(mut twin) = self.network.noiseless_twin() else { return Ok(None) };
        let free = twin.settle(inputs, &Phase::Free)?;
        let adjoint = twin.network.adjoint(inputs, &free, cost, targets)?;
        Ok(Some((free, adjoint)))
    }

    fn exact_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        a: DMatrix<T>,
        at: DMatrix<T>,
    ) -> Result<LocalProduct<'a, T>> {
        self.network.exact_product(inputs, a, at)
    }

    fn derivative_by(&self) -> String {
        self.network.derivative_by()
    }

    fn is_in_a_laboratory(&self) -> bool {
        self.couplings().iter().any(|coupling| coupling.coupler.is_in_a_laboratory())
    }

    fn staleness(&self) -> f64 {
        let each = self.couplings().iter().map(|coupling| coupling.coupler.staleness());
        each.fold(0.0, f64::max)
    }

    fn saturation(&self) -> Vec<Saturation> {
        Saturation::total(self.couplings().iter().flat_map(|each| each.coupler.saturation()))
    }

    fn non_reciprocity(&self) -> Option<f64> {
        self.network.non_reciprocity()
    }

    fn resolution(&self) -> Option<Resolution> {
        let samples = self.network.instruments().samples as f64;
        let tolerance = self.network.relaxation().tolerance;
        Some(Resolution { tolerance, noise: self.network.resolution / samples.sqrt() })
    }

    fn patience(&self) -> String {
        let relaxation = self.network.relaxation();
        format!(
            "within relaxation.max_steps = {} to relaxation.tolerance = {}: allow more steps, a \
             larger tolerance or a smaller relaxation.step",
            relaxation.max_steps, relaxation.tolerance
        )
    }

    fn quantities(&self) -> Vec<(String, Quantity)> {
        let of = |coupling: &Coupling<T>| {
            let name = coupling.name.clone();
            let own = coupling.coupler.quantities().into_iter();
            own.map(move |quantity| (name.clone(), quantity))
        };
        self.couplings().iter().flat_map(of).collect()
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        let mut pictures = Vec::new();
        for coupling in self.couplings() {
            let own = coupling.coupler.pictures()?.into_iter();
            pictures.extend(own.map(|picture| Picture {
                title: format!("{}: {}", coupling.name, picture.title),
                ..picture
            }));
        }
        Ok(pictures)
    }
}

impl<T: Real> NetworkDescription<T> {
    /// The streams that serve `purpose` on this chip.
    fn chip_key(&self, purpose: &str) -> Key {
        crate::coupler::chip_key(self.seed, self.chip, purpose)
    }
}

/// Small networks for tests of this folder.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::arithmetic::random::Key;
    use crate::coupler::Exact;
    use crate::system::Activation;
    use crate::system::network::{CouplingKind, Dynamics, Instruments, Layer, Relaxation};

    /// Exact arrays of random weights between `layers`, inputs first.
    pub fn network(
        layers: &[usize],
        activation: Activation,
        arrays: &[(usize, usize, CouplingKind)],
        change: impl FnOnce(&mut NetworkDescription<f64>),
    ) -> AnalogNetwork<f64> {
        let rows = |layer: usize| {
            let start: usize = layers[..layer].iter().sum();
            start..start + layers[layer]
        };
        let coupling = |(index, &(from, to, kind)): (usize, &(usize, usize, CouplingKind))| {
            let mut stream = Key::new(1, "weights").with(index as u64).stream();
            let deviation = 1.0 / (layers[from] as f64).sqrt();
            let weights = DMatrix::from_fn(layers[to], layers[from], |_, _| {
                deviation * f64::normal(&mut stream)
            });
            let coupler = Box::new(Exact::new(weights));
            Coupling { name: format!("{from}-{to}"), from: rows(from), to: rows(to), kind, coupler }
        };
        let nodes: usize = layers[1..].iter().sum();
        let mut description = NetworkDescription {
            inputs: layers[0],
            layers: layers[1..].iter().map(|&nodes| Layer { nodes, activation }).collect(),
            dynamics: Dynamics::Additive,
            couplings: arrays.iter().enumerate().map(coupling).collect(),
            bias: DMatrix::zeros(nodes, 1),
            train_bias: true,
            relaxation: Relaxation::default(),
            instruments: Instruments::default(),
            seed: 1,
            chip: 0,
            title: "a small network".into(),
        };
        change(&mut description);
        AnalogNetwork::new(description).unwrap()
    }
}
