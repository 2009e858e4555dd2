//! Forces of binary patterns by products, where frames are squared fields and no camera rounds them.
//!
//! A node that is asked to show the value v sends, through a pattern of sigma = +-1, the field
//!
//! ```text
//! f(sigma v) = e(v) + sigma o(v),      e, o = (f(v) +- f(-v)) / 2
//! ```
//!
//! so the zero order through pattern k is T_k = c + X_k with X_k = sum_j sigma_jk o_j, and c the field
//! without nodes and all e_j. In a pair of frames node m sends u or d in place of f. With
//! a + sigma b = u - d and p + sigma q = u + d - 2 f the weighted difference of their intensities is
//!
//! ```text
//! sum_k lambda_k Re[(a + sigma b) (2 T_k + p + sigma q)*]
//!     = Re[2 a S* + 2 b S_m* + L (a p* + b q*) + L_m (a q* + b p*)]
//! S = c L + sum_k lambda_k X_k,      S_m = c L_m + sum_k sigma_mk lambda_k X_k
//! L = sum_k lambda_k,                L_m = sum_k sigma_mk lambda_k
//! ```
//!
//! Two products with the patterns, real and imaginary parts side by side.

use nalgebra::DMatrix;
use num_complex::Complex;

use super::frames::{Wanted, weights};
use super::missing_share;
use crate::arithmetic::{Real, ViewMut};
use crate::coupler::Read;
use crate::coupler::spim::Spim;
use crate::coupler::spim::optics::exposure::Bare;
use crate::coupler::spim::optics::light::{Light, Shown};
use crate::coupler::spim::products::Products;
use crate::coupler::spim::side::Side;

/// What a macro-pixel sends through patterns of +-1: f(sigma v) = even + sigma odd.
#[derive(Clone, Copy)]
struct Sent {
    even: Complex<f64>,
    odd: Complex<f64>,
}

impl Sent {
    fn by(light: &Light, node: usize, value: f64) -> Self {
        let [plus, minus] = light.through_signs(node, value);
        Self { even: (plus + minus) * 0.5, odd: (plus - minus) * 0.5 }
    }
}

/// Sums over patterns: of their weights, and of their zero orders times these.
struct Sum {
    weight: f64,
    field: Complex<f64>,
}

impl Sum {
    /// The weighted difference of intensities with a node `up` and `down` that has its `own` part in
    /// the zero orders; `of_node` are the sums with its signs.
    fn difference(&self, of_node: &Self, own: Sent, [up, down]: [Sent; 2]) -> f64 {
        let (a, b) = (up.even - down.even, up.odd - down.odd);
        let (p, q) = (up.even + down.even - own.even * 2.0, up.odd + down.odd - own.odd * 2.0);
        let of_orders = a * self.field.conj() + b * of_node.field.conj();
        let of_itself = (a * p.conj() + b * q.conj()) * self.weight
            + (a * q.conj() + b * p.conj()) * of_node.weight;
        2.0 * of_orders.re + of_itself.re
    }
}

/// Adds the currents of the wanted nodes.
pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    shown: Shown,
    bare: Bare,
    currents: &mut ViewMut<T>,
) {
    let Side { light, detector, .. } = &*spim.sides[read.port.index()];
    let readout = spim.device.readout.get();
    let weights = weights(spim, read.port);
    let (nodes, count) = spim.shown.readers.shape();
    let (samples, wanted) = (read.values.ncols(), read.wanted.len());
    let parts = if shown == Shown::Complex { 2 } else { 1 };

    let mut nothing = ([0.0], [0.0]);
    light.without_nodes(&mut nothing.0, &mut nothing.1);
    let nothing = Complex::new(nothing.0[0], nothing.1[0]);
    // The parts of one sample side by side, then the next sample's.
    let mut odd = DMatrix::zeros(nodes, samples * parts);
    let mut sent = Vec::with_capacity(nodes * samples);
    let mut common = vec![nothing; samples];
    for (column, values) in read.values.column_iter().enumerate() {
        for (node, value) in values.iter().enumerate() {
            let own = Sent::by(light, node, value.f64() * readout.dimming());
            common[column] += own.even;
            for (part, field) in [own.odd.re, own.odd.im][..parts].iter().enumerate() {
                odd[(node, column * parts + part)] = T::of(*field);
            }
            sent.push(own);
        }
    }

    // The weights themselves in the last column.
    let last = samples * parts;
    let mut overlaps = DMatrix::zeros(count, last + 1);
    let mut of_nodes = DMatrix::zeros(wanted, last + 1);
    let products = spim.products.get_or_init(|| Products::new(&spim.shown));
    products.add_overlaps(read, odd.as_view(), overlaps.columns_mut(0, last));
    overlaps.column_mut(last).fill(T::one());
    let mut of_all = vec![0.0; last + 1];
    for (mut overlaps, sum) in overlaps.column_iter_mut().zip(&mut of_all) {
        for (overlap, weight) in overlaps.iter_mut().zip(&weights) {
            *sum += overlap.f64() * weight;
            *overlap *= T::of(*weight);
        }
    }
    products.add_forces(read.port, &read.wanted, overlaps.as_view(), of_nodes.as_view_mut());

    let deviation = bare.deviation_once(detector.deviation(), &weights);
    let missing = missing_share(spim);
    for (column, common) in common.into_iter().enumerate() {
        let sum = |of_overlaps: &dyn Fn(usize) -> f64| {
            let part = |part| if part < parts { of_overlaps(column * parts + part) } else { 0.0 };
            let weight = of_overlaps(last);
            Sum { weight, field: common * weight + Complex::new(part(0), part(1)) }
        };
        let all = sum(&|at| of_all[at]);
        let mut stream = read.streams.stream(column);
        for (row, node) in read.wanted.clone().enumerate() {
            let gain = read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]);
            let value = read.values[(node, column)];
            let asked = Wanted { node, value: value.f64(), gain: gain.f64() };
            let pair = readout.pair(&asked).unwrap_or_default();
            let moved = [pair.up, pair.down].map(|value| Sent::by(light, node, value));
            let of_node = sum(&|at| of_nodes[(row, at)].f64());
            let mut difference =
                bare.per_square * all.difference(&of_node, sent[column * nodes + node], moved);
            if bare.once {
                difference += deviation * f64::normal(&mut stream);
            }
            let force = T::of(pair.scale * bare.square * difference);
            let own = missing.map_or(T::zero(), |share| share * spim.self_coupling[node] * value);
            currents[(row, column)] += force + gain * own;
        }
    }
    spim.camera.add((wanted * samples * 2 * count) as u64, 0);
}
