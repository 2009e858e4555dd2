//! The exact matrix: no physics, the reference of every device.

use nalgebra::{DMatrix, Dyn};
use rayon::prelude::*;

use super::{Coupler, Domain, Parameter, Port, Read};
use crate::Result;
use crate::random::Key;
use crate::real::{Factor, Real, View, ViewMut, add_product};

/// A matrix of weights, outputs x inputs, read without error.
#[derive(Clone, Debug)]
pub struct Exact<T: Real> {
    weights: DMatrix<T>,
}

impl<T: Real> Exact<T> {
    /// The matrix `weights`, outputs x inputs.
    pub fn new(weights: DMatrix<T>) -> Self {
        Self { weights }
    }
}

/// Adds `gain * (W v)` of the wanted ports to `currents` for a plain matrix `weights`, outputs x inputs.
pub(super) fn read_matrix<T: Real>(weights: &DMatrix<T>, read: &Read<T>, mut currents: ViewMut<T>, scratch: &mut Vec<T>) {
    let wanted = (read.wanted.start, read.wanted.len());
    let matrix = match read.port {
        Port::Forward => Factor::Plain(weights.view((wanted.0, 0), (wanted.1, weights.ncols()))),
        Port::Reversed => Factor::Transposed(weights.view((0, wanted.0), (weights.nrows(), wanted.1))),
    };
    let values = Factor::Plain(read.values.as_view());
    let Some(gain) = &read.gain else {
        return add_product(currents, T::one(), matrix, values);
    };
    let (rows, columns) = currents.shape();
    scratch.clear();
    scratch.resize(rows * columns, T::zero());
    let mut product = ViewMut::from_slice_generic(scratch, nalgebra::Dyn(rows), nalgebra::Dyn(columns));
    add_product(product.as_view_mut(), T::one(), matrix, values);
    currents.zip_zip_apply(&product, gain, |current, product, gain| *current += product * gain);
}

/// Inputs whose weights' gradients are worked out together.
const BLOCK: usize = 128;

/// Adds -d v^T to `gradient`: the local product of a plain matrix, blocks of inputs in parallel.
pub(super) fn outer_product<T: Real>(d: View<T>, v: View<T>, gradient: &mut DMatrix<T>) {
    let outputs = gradient.nrows();
    if outputs == 0 {
        return;
    }
    gradient.as_mut_slice().par_chunks_mut(outputs * BLOCK).enumerate().for_each(|(index, block)| {
        let inputs = block.len() / outputs;
        let v = v.rows(index * BLOCK, inputs);
        let block = ViewMut::from_slice_generic(block, Dyn(outputs), Dyn(inputs));
        add_product(block, -T::one(), Factor::Plain(d.as_view()), Factor::Transposed(v));
    });
}

impl<T: Real> Coupler<T> for Exact<T> {
    fn shape(&self) -> (usize, usize) {
        self.weights.shape()
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) {
        read_matrix(&self.weights, read, currents, scratch);
    }

    fn local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
        outer_product(d, v, &mut gradient[0]);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        vec![Parameter { name: "weights".into(), values: self.weights.clone(), domain: Domain::Real }]
    }

    fn program(&mut self, values: &[DMatrix<T>], _: Key) -> Result<()> {
        self.weights.as_mut_slice().copy_from_slice(values[0].as_slice());
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        self.weights.clone()
    }

    fn effective(&self) -> DMatrix<T> {
        self.weights.clone()
    }
}
