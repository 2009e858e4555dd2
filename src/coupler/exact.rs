//! The exact matrix: no physics, the reference of every device.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::matrix::TwoWayMatrix;
use super::{
    Coupler, Domain, Expense, Family, Parameter, Port, Read, Site, Span, add_plain_product,
};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View, ViewMut};
use crate::state::State;

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

/// Exact arrays, as an experiment names them: `device = "exact"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExactTable {}

impl Family for ExactTable {
    fn describe(&self) -> String {
        "exact arrays".into()
    }

    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>> {
        Ok(Box::new(Exact::new((site.weights)())))
    }
}

impl<T: Real> Coupler<T> for Exact<T> {
    fn shape(&self) -> (usize, usize) {
        self.matrix.shape()
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) -> Result<()> {
        self.matrix.read(read, currents, scratch);
        Ok(())
    }

    fn is_plain_matrix(&self) -> bool {
        true
    }

    fn add_local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
        add_plain_product(d, v, gradient);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        vec![Parameter::new("weights", self.intended(), Domain::Real)]
    }

    fn program(&mut self, values: &mut [DMatrix<T>], _: Key) -> Result<()> {
        self.matrix.set(values[0].as_view());
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        self.matrix.weights()
    }

    fn noiseless(&self) -> Option<Box<dyn Coupler<T>>> {
        Some(Box::new(self.clone()))
    }

    fn linear(&self, port: Port) -> Option<DMatrix<T>> {
        let weights = self.intended();
        Some(if port == Port::Forward { weights } else { weights.transpose() })
    }

    fn derivative_by(&self) -> String {
        "its weights".into()
    }

    fn resolution(&self, _: Span) -> f64 {
        0.0
    }

    fn read_expense(&self, _: Port, _: usize, _: Span) -> Expense {
        Expense::default()
    }

    fn expense(&self) -> Expense {
        Expense::default()
    }

    fn state(&self) -> State<T> {
        State::default()
    }

    fn restore(&mut self, _: &State<T>) -> Result<()> {
        Ok(())
    }
}
