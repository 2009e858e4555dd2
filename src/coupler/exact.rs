//! The exact matrix: no physics, the reference of every device.

use nalgebra::DMatrix;

use super::matrix::TwoWayMatrix;
use super::{Coupler, Domain, Parameter, Read};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::{Real, ViewMut};

/// A matrix of weights, outputs x inputs, read without error.
#[derive(Clone, Debug)]
pub struct Exact<T: Real> {
    matrix: TwoWayMatrix<T>,
}

impl<T: Real> Exact<T> {
    /// The matrix `weights`, outputs x inputs.
    pub fn new(weights: DMatrix<T>) -> Self {
        Self { matrix: TwoWayMatrix::new(weights.as_view()) }
    }
}

impl<T: Real> Coupler<T> for Exact<T> {
    fn shape(&self) -> (usize, usize) {
        self.matrix.shape()
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) {
        self.matrix.read(read, currents, scratch);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        vec![Parameter { name: "weights".into(), values: self.intended(), domain: Domain::Real }]
    }

    fn program(&mut self, values: &[DMatrix<T>], _: Key) -> Result<()> {
        self.matrix.set(values[0].as_view());
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        self.matrix.weights()
    }

    fn effective(&self) -> DMatrix<T> {
        self.intended()
    }
}
