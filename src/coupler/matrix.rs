//! A matrix of weights that is read from both sides, many times between two writes.

use std::ops::Range;
use std::sync::OnceLock;

use nalgebra::{DMatrix, Dyn};

use super::{Port, Read};
use crate::arithmetic::simd;
use crate::arithmetic::{Factor, Packed, Real, View, ViewMut};

/// Weights, outputs x inputs, laid out for products with W and, once they are asked for, with W^T.
#[derive(Clone, Debug, Default)]
pub struct TwoWayMatrix<T: Real> {
    forward: Packed<T>,
    reversed: OnceLock<Packed<T>>,
}

impl<T: Real> TwoWayMatrix<T> {
    /// The matrix `weights`, outputs x inputs.
    pub fn new(weights: View<T>) -> Self {
        Self { forward: Packed::new(&Factor::Plain(weights)), reversed: OnceLock::new() }
    }

    /// The same, laid out on this thread alone: [`Packed::on_this_thread`].
    pub fn on_this_thread(weights: View<T>) -> Self {
        let forward = Packed::on_this_thread(&Factor::Plain(weights));
        Self { forward, reversed: OnceLock::new() }
    }

    /// Outputs and inputs.
    pub fn shape(&self) -> (usize, usize) {
        self.forward.shape()
    }

    /// The weights, outputs x inputs.
    pub fn weights(&self) -> DMatrix<T> {
        self.forward.unpack()
    }

    /// Replaces the weights.
    pub fn set(&mut self, weights: View<T>) {
        self.forward.pack(&Factor::Plain(weights.as_view()));
        if let Some(reversed) = self.reversed.get_mut() {
            reversed.pack(&Factor::Transposed(weights));
        }
    }

    fn packed(&self, port: Port) -> &Packed<T> {
        match port {
            Port::Forward => &self.forward,
            Port::Reversed => self.reversed.get_or_init(|| {
                Packed::on_this_thread(&Factor::Transposed(self.weights().as_view()))
            }),
        }
    }

    /// Adds W v, or W^T v at reversed ports, of the `wanted` ports to `currents`, wanted ports x
    /// samples.
    pub fn add_product(
        &self,
        port: Port,
        wanted: &Range<usize>,
        values: View<T>,
        currents: ViewMut<T>,
    ) {
        self.packed(port).multiply(wanted, &Factor::Plain(values), T::one(), T::one(), currents);
    }

    /// The same of what these `ports` alone are driven with, ports x samples.
    pub fn add_part(
        &self,
        port: Port,
        ports: &Range<usize>,
        values: View<T>,
        currents: ViewMut<T>,
    ) {
        let (packed, all) = (self.packed(port), 0..currents.nrows());
        packed.multiply_part(&all, ports, &Factor::Plain(values), T::one(), T::one(), currents);
    }

    /// Adds what the values of `read` drive, whatever it multiplies its currents by.
    pub fn add_currents(&self, read: &Read<T>, mut currents: ViewMut<T>) {
        let Some([rest, background]) = &read.foreground else {
            return self.add_product(read.port, &read.wanted, read.values.as_view(), currents);
        };
        let (packed, mut common) = (self.packed(read.port), vec![T::zero(); read.wanted.len()]);
        let column = ViewMut::from_slice_generic(&mut common, Dyn(read.wanted.len()), Dyn(1));
        packed.multiply(
            &read.wanted,
            &Factor::Plain(background.as_view()),
            T::one(),
            T::zero(),
            column,
        );
        packed.multiply_sparse(
            &read.wanted,
            &Factor::Plain(rest.as_view()),
            T::one(),
            T::one(),
            currents.as_view_mut(),
        );
        currents
            .column_iter_mut()
            .for_each(|mut currents| simd::add(currents.as_mut_slice(), &common));
    }

    /// Adds `gain * (W v)` of the wanted ports to `currents`: a read without an error.
    pub fn read(&self, read: &Read<T>, mut currents: ViewMut<T>, scratch: &mut Vec<T>) {
        let Some(gain) = &read.gain else {
            return self.add_currents(read, currents);
        };
        let (rows, columns) = currents.shape();
        scratch.clear();
        scratch.resize(rows * columns, T::zero());
        let product = ViewMut::from_slice_generic(scratch, Dyn(rows), Dyn(columns));
        self.add_currents(read, product);
        for (column, product) in scratch.chunks_exact_mut(rows.max(1)).enumerate() {
            simd::multiply(product, gain.column(column).as_slice());
            simd::add(currents.column_mut(column).as_mut_slice(), product);
        }
    }
}
