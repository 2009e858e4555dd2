//! The exact model of a machine, and the adjoint a of J^T a = dC/dv from it: the yardstick, never a
//! laboratory's method.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::layer_by_layer;
use super::network::{AnalogNetwork, Coupling, NetworkDescription, Reads};
use super::{Cost, CouplingKind, Instruments, Measurement, Relaxation, RelaxationMethod};
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::coupler::{Exact, Port};
use crate::{Error, Result};

impl<T: Real> AnalogNetwork<T> {
    /// The same machine with the weights its devices really have, read without noise or rounding,
    /// relaxed to rounding.
    pub(super) fn exact_twin(&self) -> Self {
        let exact = |coupling: &Coupling<T>| Coupling {
            name: coupling.name.clone(),
            from: coupling.from.clone(),
            to: coupling.to.clone(),
            kind: coupling.kind,
            coupler: Box::new(Exact::new(coupling.coupler.effective())),
        };
        let relaxation = self.relaxation();
        let epsilon = T::default_epsilon().f64();
        let method = match layer_by_layer::order(&self.made_of) {
            Ok(_) => RelaxationMethod::LayerByLayer,
            Err(_) => RelaxationMethod::TimeSteps,
        };
        let description = NetworkDescription {
            couplings: self.couplings().iter().map(exact).collect(),
            relaxation: Relaxation {
                method,
                tolerance: 500.0 * epsilon,
                max_steps: relaxation.max_steps.max(20_000),
                ..*relaxation
            },
            instruments: Instruments::default(),
            ..self.description_without_couplings()
        };
        Self::new(description).expect("a twin has the shapes of its original")
    }

    /// All couplings as one dense matrix, nodes x (inputs + nodes).
    fn dense(&self) -> DMatrix<T> {
        let rows = self.input_count() + self.node_count();
        let mut dense = DMatrix::zeros(rows, rows);
        for Coupling { from, to, kind, coupler, .. } in self.couplings() {
            let weights = coupler.effective();
            let mut block = dense.view_mut((to.start, from.start), (to.len(), from.len()));
            block += &weights;
            if *kind == CouplingKind::Reciprocal {
                let mut back = dense.view_mut((from.start, to.start), (from.len(), to.len()));
                back += weights.transpose();
            }
        }
        dense.rows(self.input_count(), self.node_count()).into_owned()
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
        match &self.order {
            Some(order) => Ok(self.backpropagate(order, free, cost, targets)),
            None => self.factorise(inputs, free, cost, targets),
        }
    }

    /// J^T a = dC/dv for additive nodes without a loop: a = f' (W^T a - dC/dv), a layer after all
    /// that it drives.
    fn backpropagate(
        &self,
        order: &[Range<usize>],
        free: &Measurement<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> DMatrix<T> {
        let samples = targets.ncols();
        let (outputs, inputs) = (self.output_rows(), self.input_count());
        let mut adjoint = DMatrix::zeros(self.node_count(), samples);
        let mut currents = DMatrix::zeros(self.node_count(), samples);
        for sample in 0..samples {
            let values = &free.values.as_slice()[sample * self.node_count()..][outputs.clone()];
            let mut column = currents.column_mut(sample);
            cost.for_each_slope(values, targets.column(sample).as_slice(), |i, slope| {
                column[outputs.start + i] = -slope
            });
        }
        let (all, mut scratch, mut counts) =
            ((0..samples).collect::<Vec<_>>(), Vec::new(), vec![[0, 0]; self.couplings().len()]);
        for rows in order.iter().rev() {
            let reads = Reads {
                first_row: inputs,
                order: &all,
                key: Key::new(0, "none"),
                time: 0,
                foreground: None,
                scratch: &mut scratch,
                counts: &mut counts,
            };
            let layer = inputs + rows.start..inputs + rows.end;
            let into_this = |_: &Range<usize>, reached: &Range<usize>| *reached == layer;
            self.read_selected(
                Port::Reversed,
                adjoint.as_view(),
                None,
                &mut currents.as_view_mut(),
                reads,
                into_this,
            );
            for (node, activation) in self.activations().filter(|(node, _)| rows.contains(node)) {
                for sample in 0..samples {
                    adjoint[(node, sample)] = activation.slope(free.rest.state[(node, sample)])
                        * currents[(node, sample)];
                }
            }
        }
        adjoint
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
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<DMatrix<T>> {
        let (driven, nodes) = (self.input_count(), self.node_count());
        let dense = self.dense();
        let transposed = dense.columns(driven, nodes).transpose();
        let outputs = self.output_rows();
        let mut adjoint = DMatrix::zeros(nodes, targets.ncols());
        for sample in 0..targets.ncols() {
            let state = free.rest.state.column(sample);
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
    use crate::experiment::Experiment;
    use crate::system::{Phase, System};

    #[test]
    fn backpropagation_solves_what_the_factorisation_solves() {
        for activation in ["tanh", "clip", "softplus"] {
            for cost in [Cost::SquaredError, Cost::CrossEntropy] {
                let text = format!(
                    "[network]\nlayers = [13, 7, 5, 3]\nprecision = 'f64'\nactivation = '{activation}'\n[relaxation]\nstep = 1.0"
                );
                let mut twin = Experiment::parse(&text, "test", &[])
                    .unwrap()
                    .machine::<f64>()
                    .unwrap()
                    .exact_twin();
                let inputs = DMatrix::from_fn(13, 6, |i, j| ((2 * i + 5 * j) as f64).sin());
                let targets = DMatrix::from_fn(3, 6, |i, j| f64::from(u8::from(j % 3 == i)));
                let free = twin.settle(&inputs, &Phase::Free).unwrap();
                assert!(twin.order.is_some());
                let fast = twin.adjoint(&inputs, &free, cost, &targets).unwrap();
                let slow = twin.factorise(&inputs, &free, cost, &targets).unwrap();
                assert!((fast - &slow).norm() < 1e-13 * slow.norm(), "{activation} {cost:?}");
            }
        }
    }
}
