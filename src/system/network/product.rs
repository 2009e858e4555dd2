//! Local products of an analog network: -d v^T for every array, from measured signals.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::{Coupling, Network};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::simd;
use crate::arithmetic::{Foreground, Real};
use crate::coupler::{Port, Read, Streams};
use crate::system::local_product::{Factors, LocalProduct, Rows, Slope};

impl<T: Real> Network<T> {
    /// The gradient that `d` makes at node values `at`, both nodes x samples.
    pub fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: DMatrix<T>,
        at: DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        let post = self.signals(d, &at);
        let mut bias = DMatrix::zeros(self.nodes, 1);
        if self.made_of.train_bias {
            let signals = post.rows(&(self.inputs()..self.inputs() + self.nodes));
            signals.column_iter().for_each(|column| {
                simd::add_scaled(bias.as_mut_slice(), -T::one(), column.as_slice());
            });
        }
        let pre = self.drives(inputs, at);
        let mut slopes = Vec::new();
        for (coupling, shapes) in self.couplings().iter().zip(&self.shapes) {
            self.add_slopes(coupling, shapes, &post, &pre, &mut slopes);
        }
        slopes.push(Slope::Whole(bias));
        LocalProduct(slopes)
    }

    /// The yardstick's gradient: the same from the adjoint `a`, through what stands between the
    /// parameters of an array and its currents.
    ///
    /// # Errors
    /// When an instrument fails.
    pub fn exact_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        a: DMatrix<T>,
        at: DMatrix<T>,
    ) -> Result<LocalProduct<'a, T>> {
        let (driven, samples) = (self.inputs(), a.ncols());
        let mut values = DMatrix::zeros(driven + self.nodes, samples);
        values.rows_mut(0, driven).copy_from(inputs);
        values.rows_mut(driven, self.nodes).copy_from(&at);
        let mut gain = self.dynamics().is_gradient().then(|| at.clone());
        if let Some(gain) = &mut gain {
            for (node, activation) in self.activations() {
                gain.row_mut(node).apply(|state| *state = activation.slope(*state));
                values.row_mut(driven + node).apply(|state| *state = activation.value(*state));
            }
        }
        let order: Vec<usize> = (0..samples).collect();
        let streams = Streams { key: Key::new(0, "none"), samples: &order, step: 0 };
        let mut product = self.local_product(inputs, a.clone(), at);
        let mut first = 0;
        for (coupling, shapes) in self.couplings().iter().zip(&self.shapes) {
            let mut own: Vec<DMatrix<T>> =
                shapes.iter().map(|(rows, columns)| DMatrix::zeros(*rows, *columns)).collect();
            let mut another = false;
            for (port, driving, reached) in Self::uses(coupling, Port::Forward) {
                let (wanted, rows) = self.wanted(reached);
                if wanted.is_empty() {
                    continue;
                }
                let gain = gain.as_ref().map(|gain| gain.rows(rows.start, rows.len()));
                let values = values.rows(driving.start, driving.len());
                let read = Read::new(port, values, wanted, streams).with_gain(gain);
                let signal = a.rows(rows.start, rows.len());
                another |= coupling.coupler.add_derivative(&read, signal, &mut own)?;
            }
            let slopes = first..first + shapes.len();
            first = slopes.end;
            if another {
                let own = own.into_iter().map(Slope::Whole);
                product.0.splice(slopes, own);
            }
        }
        Ok(product)
    }

    /// The slopes of one array's parameters.
    fn add_slopes<'a>(
        &self,
        coupling: &Coupling<T>,
        shapes: &[(usize, usize)],
        post: &Arc<Rows<'a, T>>,
        pre: &Arc<Rows<'a, T>>,
        slopes: &mut Vec<Slope<'a, T>>,
    ) {
        let reaches_nodes = |reached: &Range<usize>| reached.end > self.inputs();
        let uses = Self::uses(coupling, Port::Forward).filter(|(_, _, to)| reaches_nodes(to));
        // Used backwards, the array's own outputs are driven and its inputs receive: roles swap.
        let uses = uses.map(|(side, driving, reached)| match side {
            Port::Forward => [(post, reached), (pre, driving)],
            Port::Reversed => [(pre, driving), (post, reached)],
        });
        if coupling.coupler.is_plain_matrix() {
            let factors = uses
                .map(|[(d, d_rows), (v, v_rows)]| Factors::new(d.rows(d_rows), v, v_rows))
                .collect();
            slopes.push(Slope::Outer(factors, shapes[0]));
            return;
        }
        let mut own: Vec<DMatrix<T>> =
            shapes.iter().map(|(rows, columns)| DMatrix::zeros(*rows, *columns)).collect();
        for [(d, d_rows), (v, v_rows)] in uses {
            coupling.coupler.add_local_product(d.rows(d_rows), v.rows(v_rows), &mut own);
        }
        slopes.extend(own.into_iter().map(Slope::Whole));
    }

    fn rows_of<'a>(&self, inputs: Option<&'a DMatrix<T>>, nodes: DMatrix<T>) -> Arc<Rows<'a, T>> {
        let together = (self.shared_inputs > 0).then(|| {
            let mut together = DMatrix::zeros(self.shared_inputs + self.nodes, nodes.ncols());
            if let Some(inputs) = inputs {
                together.rows_mut(0, self.shared_inputs).copy_from(inputs);
            }
            together.rows_mut(self.shared_inputs, self.nodes).copy_from(&nodes);
            together
        });
        let foreground = if together.is_none() { inputs.and_then(Foreground::of) } else { None };
        Arc::new(Rows { inputs, nodes, together, foreground, input_count: self.inputs() })
    }

    /// What reaches the nodes: d, times the slope of gradient nodes.
    fn signals<'a>(&self, mut d: DMatrix<T>, at: &DMatrix<T>) -> Arc<Rows<'a, T>> {
        if self.dynamics().is_gradient() {
            for (node, activation) in self.activations() {
                let scale = |signal: &mut T, state: T| *signal *= activation.slope(state);
                d.row_mut(node).zip_apply(&at.row(node), scale);
            }
        }
        self.rows_of(None, d)
    }

    /// What drives the couplings at node values `at`.
    fn drives<'a>(&self, inputs: &'a DMatrix<T>, mut at: DMatrix<T>) -> Arc<Rows<'a, T>> {
        if self.dynamics().is_gradient() {
            for (node, activation) in self.activations() {
                at.row_mut(node).apply(|value| *value = activation.value(*value));
            }
        }
        self.rows_of(Some(inputs), at)
    }
}
