//! The programmable part: K rank-1 patterns and their weights.
//!
//! ```text
//! W = (1/K) sum_k lambda_k u^k (v^k)^T
//! ```
//!
//! *Readers* v (inputs x K) and *writers* u (outputs x K) are one and the same set of patterns in a
//! reciprocal machine. Used backwards, the two swap.

use std::iter;

use nalgebra::DMatrix;
use rand::RngExt;

use super::{InitialWeights, PatternSettings, PatternValues, Shares, UpdateRounding};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Factor, Real, View, add_product};
use crate::coupler::quantiser::Quantiser;
use crate::coupler::{Domain, Parameter, Port};

/// Rounds `values` to `bits` bits.
fn show<T: Real>(values: &mut [T], bits: u32) {
    match bits {
        0 => (),
        1 => values
            .iter_mut()
            .for_each(|value| *value = if *value < T::zero() { -T::one() } else { T::one() }),
        _ => Quantiser::new(bits, 1.0).apply_all(values),
    }
}

/// Patterns and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Patterns<T: Real> {
    /// Inputs x K, values in [-1, 1]; all patterns of a reciprocal machine.
    pub readers: DMatrix<T>,
    /// Outputs x K, values in [-1, 1]; absent in a reciprocal machine.
    pub writers: Option<DMatrix<T>>,
    /// K x 1.
    pub weights: DMatrix<T>,
    /// Whether inputs and outputs are the same nodes: then W has a diagonal of self-couplings.
    pub same_nodes: bool,
}

impl<T: Real> Patterns<T> {
    /// A reciprocal machine of N nodes: `patterns` is N x K, `weights` K x 1.
    pub fn reciprocal(patterns: DMatrix<T>, weights: DMatrix<T>) -> Self {
        Self { readers: patterns, writers: None, weights, same_nodes: true }
    }

    /// Patterns as they are before training, of `inputs` and `outputs` nodes; `key` names the
    /// draw.
    pub fn random(
        settings: &PatternSettings,
        (inputs, outputs): (usize, usize),
        same_nodes: bool,
        key: Key,
    ) -> Self {
        let mut stream = key.stream();
        let mut random = |nodes: usize| {
            DMatrix::from_fn(nodes, settings.count, |_, _| {
                let within = settings.uniform_within;
                match settings.values {
                    PatternValues::Binary => T::normal(&mut stream).signum(),
                    PatternValues::Continuous if within > 0.0 => {
                        T::of(within * (2.0 * stream.random::<f64>() - 1.0))
                    }
                    PatternValues::Continuous => T::normal(&mut stream).tanh(),
                }
            })
        };
        let readers = random(inputs);
        let writers = (settings.non_reciprocal || !same_nodes).then(|| random(outputs));
        let mut unit = |k: usize| match settings.initial_weights {
            InitialWeights::Alternating if k.is_multiple_of(2) => T::one(),
            InitialWeights::Alternating => -T::one(),
            InitialWeights::Normal => T::normal(&mut stream),
        };
        let weights = DMatrix::from_fn(settings.count, 1, |k, _| unit(k) * T::of(settings.weight));
        Self { readers, writers, weights, same_nodes }
    }

    /// Writers, or what stands for them.
    pub fn writers(&self) -> &DMatrix<T> {
        self.writers.as_ref().unwrap_or(&self.readers)
    }

    /// The patterns of the nodes that drive when `port` is driven, and of those that are reached.
    pub(super) fn driven(&self, port: Port) -> (&DMatrix<T>, &DMatrix<T>) {
        match port {
            Port::Forward => (&self.readers, self.writers()),
            Port::Reversed => (self.writers(), &self.readers),
        }
    }

    /// K.
    pub fn count(&self) -> usize {
        self.readers.ncols()
    }

    pub(super) fn inverse_count(&self) -> T {
        T::one() / T::of(self.count() as f64)
    }

    /// The patterns as the modulator is asked to show them: latent values rounded to `bits` bits, 0
    /// for no rounding.
    pub fn shown(&self, bits: u32) -> Self {
        let mut shown = self.clone();
        shown.values_mut().for_each(|matrix| show(matrix.as_mut_slice(), bits));
        shown
    }

    /// Rounds latent values to what can be shown, if the device keeps no other copy of them.
    pub(super) fn round_update(&mut self, settings: &PatternSettings, key: Key) {
        let bits = settings.bits;
        if bits == 0 || settings.rounding == UpdateRounding::None {
            return;
        }
        if settings.rounding == UpdateRounding::Stochastic {
            // Rounding to the nearest value rounds at random once a random part of a step is added,
            // less than would move a value that can be shown as it is.
            let step = if bits == 1 { 2.0 } else { Quantiser::new(bits, 1.0).step() };
            let step = step - 8.0 * T::default_epsilon().f64();
            for (index, matrix) in self.values_mut().enumerate() {
                let mut stream = key.with(index as u64).stream();
                for value in matrix.iter_mut() {
                    *value += T::of(step * (stream.random::<f64>() - 0.5));
                }
            }
        }
        self.values_mut().for_each(|matrix| show(matrix.as_mut_slice(), bits));
    }

    /// Readers (0) or writers (1).
    ///
    /// # Panics
    /// When there are no writers of their own.
    pub(super) fn set(&mut self, index: usize) -> &mut DMatrix<T> {
        self.values_mut().nth(index).expect("one of as many sets as there are")
    }

    /// Readers and writers.
    fn values_mut(&mut self) -> impl Iterator<Item = &mut DMatrix<T>> {
        iter::once(&mut self.readers).chain(&mut self.writers)
    }

    /// The diagonal of (1/K) sum_k lambda_k u^k (v^k)^T; empty where inputs and outputs are
    /// different nodes.
    pub(super) fn diagonal(&self) -> Vec<T> {
        let term = |row: usize| {
            let pairs = self
                .readers
                .row(row)
                .iter()
                .zip(self.writers().row(row).iter())
                .zip(&self.weights)
                .fold(T::zero(), |sum, ((v, u), l)| sum + *l * *v * *u);
            pairs * self.inverse_count()
        };
        if self.same_nodes { (0..self.readers.nrows()).map(term).collect() } else { Vec::new() }
    }

    /// W, outputs x inputs, with its diagonal.
    pub fn matrix(&self) -> DMatrix<T> {
        let mut weighted = self.writers().clone();
        for (mut column, weight) in weighted.column_iter_mut().zip(&self.weights) {
            column.scale_mut(*weight * self.inverse_count());
        }
        let mut matrix = DMatrix::zeros(weighted.nrows(), self.readers.nrows());
        add_product(
            matrix.as_view_mut(),
            T::one(),
            Factor::Plain(weighted.as_view()),
            Factor::Transposed(self.readers.as_view()),
        );
        matrix
    }

    /// The parameters in their order: readers and writers, or patterns; then weights.
    pub(super) fn parameters(&self, settings: &PatternSettings) -> Vec<Parameter<T>> {
        let domain = match settings.values {
            PatternValues::Binary => Domain::Binary,
            PatternValues::Continuous => Domain::Interval(-T::one(), T::one()),
        };
        let weights_domain = if settings.train_weights { Domain::Real } else { Domain::Fixed };
        let parameter = |name: &str, values: &DMatrix<T>, domain| Parameter {
            name: name.into(),
            values: values.clone(),
            domain,
        };
        let mut parameters = match &self.writers {
            None => vec![parameter("patterns", &self.readers, domain)],
            Some(writers) => vec![
                parameter("readers", &self.readers, domain),
                parameter("writers", writers, domain),
            ],
        };
        parameters.push(parameter("pattern_weights", &self.weights, weights_domain));
        parameters
    }

    /// Takes over new values, in the order of [`parameters`](Self::parameters).
    pub(super) fn program(&mut self, values: &[DMatrix<T>]) {
        self.readers.copy_from(&values[0]);
        if let Some(writers) = &mut self.writers {
            writers.copy_from(&values[1]);
        }
        self.weights.copy_from(&values[values.len() - 1]);
    }

    /// Writes the values out, in the order of [`parameters`](Self::parameters).
    pub(super) fn write_to(&self, values: &mut [DMatrix<T>]) {
        values[0].copy_from(&self.readers);
        if let Some(writers) = &self.writers {
            values[1].copy_from(writers);
        }
    }

    /// Adds the gradient of -d^T W v. With overlaps D = U^T d and V = V^T v: -(1/K) D_k V_k for
    /// lambda_k, -(1/K) d (lambda V)^T for the writers and -(1/K) v (lambda D)^T for the readers,
    /// of the couplings the `shares` that act. W is never formed.
    pub(super) fn local_product(
        &self,
        d: View<T>,
        v: View<T>,
        shares: Shares,
        gradient: &mut [DMatrix<T>],
    ) {
        let minus_inverse = -self.inverse_count() * T::of(shares.others);
        let overlap = |patterns: &DMatrix<T>, signal: &View<T>| {
            let mut overlap = DMatrix::zeros(self.count(), signal.ncols());
            let patterns = Factor::Transposed(patterns.as_view());
            add_product(overlap.as_view_mut(), T::one(), patterns, Factor::Plain(signal.as_view()));
            overlap
        };
        let (mut written, mut read) = (overlap(self.writers(), &d), overlap(&self.readers, &v));
        let products = written.component_mul(&read).column_sum();
        let (patterns, weights) = gradient.split_at_mut(gradient.len() - 1);
        for (k, weight) in self.weights.iter().enumerate() {
            weights[0][k] += minus_inverse * products[k];
            written.row_mut(k).scale_mut(*weight);
            read.row_mut(k).scale_mut(*weight);
        }
        let last = patterns.len() - 1;
        add_product(
            patterns[last].as_view_mut(),
            minus_inverse,
            Factor::Plain(d.as_view()),
            Factor::Transposed(read.as_view()),
        );
        add_product(
            patterns[0].as_view_mut(),
            minus_inverse,
            Factor::Plain(v.as_view()),
            Factor::Transposed(written.as_view()),
        );
        if !self.same_nodes || shares.own == shares.others {
            return;
        }
        let beyond = self.inverse_count() * T::of(shares.others - shares.own);
        for node in 0..self.readers.nrows() {
            let diagonal = beyond * d.row(node).dot(&v.row(node));
            for (k, weight) in self.weights.iter().enumerate() {
                let (reader, writer) = (self.readers[(node, k)], self.writers()[(node, k)]);
                patterns[0][(node, k)] += diagonal * *weight * writer;
                patterns[last][(node, k)] += diagonal * *weight * reader;
                weights[0][k] += diagonal * reader * writer;
            }
        }
    }
}
