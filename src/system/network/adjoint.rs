//! The machine without noise, and the adjoint a of J^T a = dC/dv of it: the yardstick, never a
//! laboratory's method.
//!
//! The twin of a machine has the machine's own arrays (offsets, laws of cells, wires, optics), read
//! without noise, rounding and clipping. Where reads are linear its J is a matrix; else J is made of
//! central differences of all forces, 2 N evaluations of them a sample, good to 1e-9 in double
//! precision.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::lane::Lane;
use super::machine::AnalogNetwork;
use super::reads::ReadContext;
use super::relaxation::layer_by_layer::{self, LayerByLayer};
use super::relaxation::time_steps::TimeSteps;
use super::task::Task;
use super::{Coupling, Instruments, Network, NetworkDescription, Relaxation};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Factor, Real, add_product};
use crate::coupler::Port;
use crate::system::{Cost, Measurement, Phase, Start};
use crate::{Error, Result};

/// The rounding of forces that are no products, as a power of that of numbers: what a twin of such
/// arrays can settle to.
const ROUNDING_POWER: f64 = 0.65;

impl<T: Real> Network<T> {
    /// The same machine read without noise and relaxed to rounding; none where nobody can know an
    /// array.
    pub fn noiseless_twin(&self) -> Option<AnalogNetwork<T>> {
        let quiet = |coupling: &Coupling<T>| {
            Some(Coupling {
                name: coupling.name.clone(),
                from: coupling.from.clone(),
                to: coupling.to.clone(),
                kind: coupling.kind,
                coupler: coupling.coupler.noiseless()?,
            })
        };
        let made_of = &self.made_of;
        let method = match layer_by_layer::order(made_of) {
            Ok(_) => LayerByLayer::default().into(),
            Err(_) => TimeSteps::default().into(),
        };
        let rounding = T::default_epsilon().f64();
        let relaxation = Relaxation {
            method,
            step: made_of.relaxation.step,
            time_constant_us: made_of.relaxation.time_constant_us,
            tolerance: if self.is_linear() {
                500.0 * rounding
            } else {
                rounding.powf(ROUNDING_POWER)
            },
            max_steps: made_of.relaxation.max_steps.max(20_000),
            free_steps: 0,
            nudged_steps: 0,
        };
        let description = NetworkDescription {
            inputs: made_of.inputs,
            layers: made_of.layers.clone(),
            dynamics: made_of.dynamics,
            couplings: self.couplings().iter().map(quiet).collect::<Option<_>>()?,
            bias: made_of.bias.clone(),
            train_bias: made_of.train_bias,
            relaxation,
            instruments: Instruments::default(),
            seed: made_of.seed,
            chip: made_of.chip,
            title: made_of.title.clone(),
        };
        Some(AnalogNetwork::new(description).expect("a twin has the shapes of its original"))
    }

    /// What the yardstick's gradient is a derivative by, in words.
    pub fn derivative_by(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for coupling in self.couplings() {
            let own = coupling.coupler.derivative_by();
            if !words.contains(&own) {
                words.push(own);
            }
        }
        words.join(" and ")
    }

    /// The uses of couplings that nodes drive while the machine infers: port, matrix if it is one,
    /// driving rows, reached rows.
    fn between_nodes(
        &self,
    ) -> impl Iterator<Item = (Port, &Coupling<T>, &Range<usize>, &Range<usize>)> {
        let uses = self.couplings().iter().flat_map(|coupling| {
            let uses = Self::uses(coupling, Port::Forward);
            uses.map(move |(port, driving, reached)| (port, coupling, driving, reached))
        });
        uses.filter(|(_, _, driving, reached)| {
            !self.is_drive(driving) && !self.wanted(reached).0.is_empty()
        })
    }

    /// Whether the currents between nodes are products and constants.
    fn is_linear(&self) -> bool {
        self.between_nodes().all(|(port, coupling, ..)| coupling.coupler.linear(port).is_some())
    }

    /// The couplings between nodes as one dense matrix, nodes x nodes; none where currents are no
    /// products.
    fn dense(&self) -> Option<DMatrix<T>> {
        let rows = self.inputs() + self.nodes;
        let mut dense = DMatrix::zeros(rows, rows);
        for (port, coupling, driving, reached) in self.between_nodes() {
            let weights = coupling.coupler.linear(port)?;
            let size = (reached.len(), driving.len());
            let mut block = dense.view_mut((reached.start, driving.start), size);
            block += &weights;
        }
        let driven = self.inputs();
        Some(dense.view((driven, driven), (self.nodes, self.nodes)).into_owned())
    }

    /// Solves J^T a = dC/dv at the steady state `free` of this noiseless machine: layer by layer,
    /// from the outputs back, where there is no loop and currents are products, which is
    /// backpropagation; else by a dense factorisation a sample.
    ///
    /// # Errors
    /// When J is singular: the steady state is marginal and no gradient exists.
    pub fn adjoint(
        &self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<DMatrix<T>> {
        let start = free.start.as_ref();
        let start = start.ok_or_else(|| Error::input("expected a free steady state"))?;
        match layer_by_layer::order(&self.made_of) {
            Ok(order) if self.is_linear() => {
                Ok(self.backpropagate(&order, free, start, cost, targets))
            }
            _ => self.factorise(inputs, free, start, cost, targets),
        }
    }

    /// J^T a = dC/dv for additive nodes without a loop: a = f' (W^T a - dC/dv), a layer after all
    /// that it drives.
    fn backpropagate(
        &self,
        order: &[Range<usize>],
        free: &Measurement<T>,
        start: &Start<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> DMatrix<T> {
        let samples = targets.ncols();
        let (outputs, inputs) = (self.output_rows(), self.inputs());
        let mut adjoint = DMatrix::zeros(self.nodes, samples);
        let mut currents = DMatrix::zeros(self.nodes, samples);
        for sample in 0..samples {
            let values = &free.values.as_slice()[sample * self.nodes..][outputs.clone()];
            let mut column = currents.column_mut(sample);
            cost.for_each_slope(values, targets.column(sample).as_slice(), |i, slope| {
                column[outputs.start + i] = -slope
            });
        }
        for rows in order.iter().rev() {
            let layer = inputs + rows.start..inputs + rows.end;
            for (port, coupling, _, reached) in
                self.between_nodes().filter(|(_, _, driving, _)| **driving == layer)
            {
                let Some(weights) = coupling.coupler.linear(port) else { continue };
                add_product(
                    currents.rows_mut(rows.start, rows.len()),
                    T::one(),
                    Factor::Transposed(weights.as_view()),
                    Factor::Plain(adjoint.rows(reached.start - inputs, reached.len())),
                );
            }
            for (node, activation) in self.activations().filter(|(node, _)| rows.contains(node)) {
                for sample in 0..samples {
                    adjoint[(node, sample)] =
                        activation.slope(start.state[(node, sample)]) * currents[(node, sample)];
                }
            }
        }
        adjoint
    }

    /// Solves J^T a = dC/dv by a dense factorisation a sample, in the coordinates of the states:
    /// slow and obviously right.
    ///
    /// # Errors
    /// When J is singular: the steady state is marginal and no gradient exists.
    fn factorise(
        &self,
        inputs: &DMatrix<T>,
        free: &Measurement<T>,
        start: &Start<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<DMatrix<T>> {
        let nodes = self.nodes;
        let dense = self.dense();
        let currents = match &dense {
            Some(_) if self.dynamics().is_gradient() => self.currents(inputs, start)?,
            _ => DMatrix::zeros(0, 0),
        };
        let outputs = self.output_rows();
        let solve = |sample: usize| -> Result<DVector<T>> {
            let state = start.state.column(sample);
            let mut right = DVector::zeros(nodes);
            let values: Vec<T> =
                free.values.column(sample).rows_range(outputs.clone()).iter().copied().collect();
            cost.for_each_slope(&values, targets.column(sample).as_slice(), |i, slope| {
                right[outputs.start + i] = slope
            });
            if !self.dynamics().is_gradient() {
                // By the state: v = f(u).
                self.activations().for_each(|(node, f)| right[node] *= f.slope(state[node]));
            }
            let matrix = match &dense {
                Some(dense) => self.transposed_jacobian(dense, start, &currents, sample),
                None => self.differences(inputs, start, sample)?,
            };
            matrix.lu().solve(&right).ok_or_else(|| {
                Error::Machine("the Jacobian at the steady state is singular".into())
            })
        };
        let solutions: Vec<_> = (0..targets.ncols()).into_par_iter().map(solve).collect();
        let mut adjoint = DMatrix::zeros(nodes, targets.ncols());
        for (sample, solution) in solutions.into_iter().enumerate() {
            adjoint.set_column(sample, &solution?);
        }
        Ok(adjoint)
    }

    /// J^T from the matrix `dense` between nodes.
    ///
    /// For additive nodes J = W diag(f') - 1, which has no pole where a node is on a rail and its a
    /// is 0. For gradient nodes J = -leak + diag(f'' I) + diag(f') W diag(f'), I the bare
    /// `currents`.
    fn transposed_jacobian(
        &self,
        dense: &DMatrix<T>,
        start: &Start<T>,
        currents: &DMatrix<T>,
        sample: usize,
    ) -> DMatrix<T> {
        let state = start.state.column(sample);
        let slopes = DVector::from_iterator(
            self.nodes,
            self.activations().map(|(node, f)| f.slope(state[node])),
        );
        let mut matrix = DMatrix::from_diagonal(&slopes) * dense.transpose();
        if self.dynamics().is_gradient() {
            matrix *= DMatrix::from_diagonal(&slopes);
            for (node, f) in self.activations() {
                matrix[(node, node)] += f.curvature(state[node]) * currents[(node, sample)]
                    - self.dynamics().leak::<T>();
            }
        } else {
            (0..self.nodes).for_each(|node| matrix[(node, node)] -= T::one());
        }
        matrix
    }

    /// A lane that holds all samples of `start`.
    fn held(&self, inputs: &DMatrix<T>, start: &Start<T>) -> Lane<T> {
        let samples = start.state.ncols();
        let task = Task::new(self, &Phase::Free, Key::new(0, "none"));
        let mut lane = Lane::default();
        lane.load(self.shape(), inputs, &start.constant, &task, &(0..samples));
        lane.state.copy_from(&start.state);
        lane
    }

    /// The currents into all nodes at `start`, nodes x samples, not multiplied by any slope.
    fn currents(&self, inputs: &DMatrix<T>, start: &Start<T>) -> Result<DMatrix<T>> {
        let mut lane = self.held(inputs, start);
        self.express(&mut lane, start.state.ncols());
        let mut currents = start.constant.clone();
        let driven = self.coupled(Port::Forward, lane.coupled.as_view(), None);
        let (order, scratch, counts) = (&lane.order[..], &mut lane.scratch, &mut lane.reads[..]);
        let (key, time, relaxing) = (Key::new(0, "none"), 0, false);
        let context = ReadContext { order, key, time, relaxing, scratch, counts, held: None };
        self.read_couplings(&driven, &mut currents.as_view_mut(), context)?;
        Ok(currents)
    }

    /// J^T of one sample by central differences of all forces by every state.
    fn differences(
        &self,
        inputs: &DMatrix<T>,
        start: &Start<T>,
        sample: usize,
    ) -> Result<DMatrix<T>> {
        let (nodes, step) = (self.nodes, T::of(T::default_epsilon().f64().cbrt()));
        let repeated = |matrix: &DMatrix<T>| {
            let column = matrix.column(sample);
            DMatrix::from_fn(matrix.nrows(), 2 * nodes, |row, _| column[row])
        };
        let mut state = repeated(&start.state);
        for node in 0..nodes {
            state[(node, 2 * node)] += step;
            state[(node, 2 * node + 1)] -= step;
        }
        let around = Start { state, constant: repeated(&start.constant) };
        let mut lane = self.held(&repeated(inputs), &around);
        self.forces(&mut lane, &Task::new(self, &Phase::Free, Key::new(0, "none")), 0)?;
        Ok(DMatrix::from_fn(nodes, nodes, |by, node| {
            let [above, below] = [2 * by, 2 * by + 1];
            (lane.force[(node, above)] - lane.force[(node, below)])
                / (around.state[(by, above)] - around.state[(by, below)])
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::network::CouplingKind::OneWay;
    use crate::system::network::machine::testing::network;
    use crate::system::{Activation, Phase, System};

    #[test]
    fn backpropagation_solves_what_the_factorisation_solves() {
        let arrays = [(0, 1, OneWay), (1, 2, OneWay), (2, 3, OneWay)];
        for activation in [Activation::Tanh, Activation::Clip, Activation::Softplus] {
            for &cost in Cost::ALL {
                let machine = network(&[13, 7, 5, 3], activation, &arrays, |_| ());
                let mut twin = machine.network().noiseless_twin().unwrap();
                let inputs = DMatrix::from_fn(13, 6, |i, j| ((2 * i + 5 * j) as f64).sin());
                let targets = DMatrix::from_fn(3, 6, |i, j| f64::from(u8::from(j % 3 == i)));
                let free = twin.settle(&inputs, &Phase::Free).unwrap();
                let (network, start) = (twin.network(), free.start.as_ref().unwrap());
                let order = layer_by_layer::order(&network.made_of).unwrap();
                let fast = network.backpropagate(&order, &free, start, cost, &targets);
                let slow = network.factorise(&inputs, &free, start, cost, &targets).unwrap();
                assert!((fast - &slow).norm() < 1e-13 * slow.norm(), "{activation:?} {cost:?}");
            }
        }
    }
}
