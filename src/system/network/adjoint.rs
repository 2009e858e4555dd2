//! The exact model of a network, and the adjoint a of J^T a = dC/dv from it: the yardstick, never a
//! laboratory's method.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::machine::AnalogNetwork;
use super::reads::{Driven, ReadContext};
use super::relaxation::layer_by_layer::{self, LayerByLayer};
use super::relaxation::time_steps::TimeSteps;
use super::{Coupling, CouplingKind, Instruments, Network, NetworkDescription, Relaxation};
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Exact, Port};
use crate::system::{Cost, Measurement, Start};
use crate::{Error, Result};

impl<T: Real> Network<T> {
    /// The same machine with the weights its devices really have, read without noise or rounding,
    /// relaxed to rounding; none where an array's weights cannot be known.
    pub fn exact_twin(&self) -> Option<AnalogNetwork<T>> {
        let exact = |coupling: &Coupling<T>| {
            Some(Coupling {
                name: coupling.name.clone(),
                from: coupling.from.clone(),
                to: coupling.to.clone(),
                kind: coupling.kind,
                coupler: Box::new(Exact::new(coupling.coupler.effective()?)),
            })
        };
        let made_of = &self.made_of;
        let method = match layer_by_layer::order(made_of) {
            Ok(_) => LayerByLayer::default().into(),
            Err(_) => TimeSteps::default().into(),
        };
        let relaxation = Relaxation {
            method,
            step: made_of.relaxation.step,
            time_constant_us: made_of.relaxation.time_constant_us,
            tolerance: 500.0 * T::default_epsilon().f64(),
            max_steps: made_of.relaxation.max_steps.max(20_000),
        };
        let description = NetworkDescription {
            inputs: made_of.inputs,
            layers: made_of.layers.clone(),
            dynamics: made_of.dynamics,
            couplings: self.couplings().iter().map(exact).collect::<Option<_>>()?,
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

    /// All couplings as one dense matrix, nodes x (inputs + nodes).
    fn dense(&self) -> DMatrix<T> {
        let rows = self.inputs() + self.nodes;
        let mut dense = DMatrix::zeros(rows, rows);
        for Coupling { from, to, kind, coupler, .. } in self.couplings() {
            let weights = coupler.intended();
            let mut block = dense.view_mut((to.start, from.start), (to.len(), from.len()));
            block += &weights;
            if *kind == CouplingKind::Reciprocal {
                let mut back = dense.view_mut((from.start, to.start), (from.len(), to.len()));
                back += weights.transpose();
            }
        }
        dense.rows(self.inputs(), self.nodes).into_owned()
    }

    /// Solves J^T a = dC/dv at the steady state `free` of this exact model: layer by layer, from
    /// the outputs back, where there is no loop, which is backpropagation; else by a dense
    /// factorisation a sample.
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
            Ok(order) => self.backpropagate(&order, free, start, cost, targets),
            Err(_) => self.factorise(inputs, free, start, cost, targets),
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
    ) -> Result<DMatrix<T>> {
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
        let all: Vec<usize> = (0..samples).collect();
        let (mut scratch, mut counts) = (Vec::new(), vec![[0; 4]; self.couplings().len()]);
        for rows in order.iter().rev() {
            let (scratch, counts) = (&mut scratch, &mut counts[..]);
            let key = Key::new(0, "none");
            let context =
                ReadContext { order: &all, key, time: 0, relaxing: false, scratch, counts };
            let layer = inputs + rows.start..inputs + rows.end;
            let into_this = |_: &Range<usize>, reached: &Range<usize>| *reached == layer;
            let values = adjoint.as_view();
            let driven = Driven {
                port: Port::Reversed,
                first_row: inputs,
                values,
                gain: None,
                foreground: None,
            };
            self.read_selected(&driven, &mut currents.as_view_mut(), context, into_this)?;
            for (node, activation) in self.activations().filter(|(node, _)| rows.contains(node)) {
                for sample in 0..samples {
                    adjoint[(node, sample)] =
                        activation.slope(start.state[(node, sample)]) * currents[(node, sample)];
                }
            }
        }
        Ok(adjoint)
    }

    /// Solves J^T a = dC/dv by a dense factorisation a sample: slow and obviously right.
    ///
    /// In node coordinates J = W - diag(1/f') for additive nodes; multiplied by f' it has no pole
    /// where a node is on a rail and its a is 0. For gradient nodes J = -leak + diag(f'' I) +
    /// diag(f') W diag(f').
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
        let (driven, nodes) = (self.inputs(), self.nodes);
        let dense = self.dense();
        let transposed = dense.columns(driven, nodes).transpose();
        let outputs = self.output_rows();
        let mut adjoint = DMatrix::zeros(nodes, targets.ncols());
        for sample in 0..targets.ncols() {
            let state = start.state.column(sample);
            let mut right = DVector::zeros(nodes);
            let values: Vec<T> =
                free.values.column(sample).rows_range(outputs.clone()).iter().copied().collect();
            cost.for_each_slope(&values, targets.column(sample).as_slice(), |i, slope| {
                right[outputs.start + i] = slope
            });
            let slopes = DVector::from_iterator(
                nodes,
                self.activations().map(|(node, f)| f.slope(state[node])),
            );
            let matrix = if self.dynamics().is_gradient() {
                let nodes_show = self.activations().map(|(node, f)| f.value(state[node]));
                let inputs = inputs.column(sample);
                let shown = inputs.iter().copied().chain(nodes_show);
                let current = &dense * DVector::from_iterator(driven + nodes, shown)
                    + self.made_of.bias.column(0);
                let mut matrix =
                    DMatrix::from_diagonal(&slopes) * &transposed * DMatrix::from_diagonal(&slopes);
                for (node, f) in self.activations() {
                    matrix[(node, node)] +=
                        f.curvature(state[node]) * current[node] - self.dynamics().leak::<T>();
                }
                matrix
            } else {
                right.component_mul_assign(&slopes);
                let mut matrix = DMatrix::from_diagonal(&slopes) * &transposed;
                (0..nodes).for_each(|node| matrix[(node, node)] -= T::one());
                matrix
            };
            let solution = matrix.lu().solve(&right);
            let solution = solution.ok_or_else(|| {
                Error::Machine("the Jacobian at the steady state is singular".into())
            })?;
            adjoint.set_column(sample, &solution);
        }
        Ok(adjoint)
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
                let mut twin = machine.network().exact_twin().unwrap();
                let inputs = DMatrix::from_fn(13, 6, |i, j| ((2 * i + 5 * j) as f64).sin());
                let targets = DMatrix::from_fn(3, 6, |i, j| f64::from(u8::from(j % 3 == i)));
                let free = twin.settle(&inputs, &Phase::Free).unwrap();
                let (network, start) = (twin.network(), free.start.as_ref().unwrap());
                let order = layer_by_layer::order(&network.made_of).unwrap();
                let fast = network.backpropagate(&order, &free, start, cost, &targets).unwrap();
                let slow = network.factorise(&inputs, &free, start, cost, &targets).unwrap();
                assert!((fast - &slow).norm() < 1e-13 * slow.norm(), "{activation:?} {cost:?}");
            }
        }
    }
}
