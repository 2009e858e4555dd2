//! Forces from intensities.
//!
//! *Parameter shift* (arXiv 2606.13454): with overlap o_k = sum_{n != m} xi^k_n v_n of all nodes but m, and node m written as +-g,
//! the frames of pattern k differ by (o_k + xi^k_m g)^2 - (o_k - xi^k_m g)^2 = 4 xi^k_m g o_k. So the weighted sum of the
//! differences, over 4 K, is g (W v)_m without self-coupling: exact, and the gain g (a node's slope, or 1) costs nothing.
//! 2 K frames a wanted node.
//!
//! *Homodyne*: a reference macro-pixel of amplitude c at phase 0 and pi gives |c + o_k|^2 - |c - o_k|^2 = 4 c o_k, the signed
//! overlap of all nodes; the rest is digital. 2 K frames in all.

use nalgebra::Dyn;

use super::{Readout, SelfCoupling, Spim};
use crate::coupler::Read;
use crate::random::Stream;
use crate::real::{Factor, Real, ViewMut, add_product};

/// Adds `gain * (W v)` of the wanted nodes to `currents`.
pub(super) fn read<T: Real>(spim: &Spim<T>, read: &Read<T>, mut currents: ViewMut<T>, scratch: &mut Vec<T>) {
    if spim.camera.is_exact() && spim.patterns_commute_with_encoding() {
        return read_overlaps(spim, read, currents, scratch);
    }
    let count = spim.patterns.ncols();
    scratch.resize(count, T::zero());
    for column in 0..read.values.ncols() {
        let values = read.values.column(column);
        let mut frames = Frames { spim, stream: read.noise.stream(column) };
        let encoders: Vec<Encoder<T>> = values.iter().map(|value| Encoder::new(spim, *value)).collect();
        for (overlap, pattern) in scratch.iter_mut().zip(spim.patterns.column_iter()) {
            *overlap = pattern.iter().zip(&encoders).fold(T::zero(), |sum, (xi, encoder)| sum + encoder.field(*xi));
        }
        if spim.device.readout == Readout::Homodyne {
            scratch.iter_mut().for_each(|overlap| *overlap = frames.homodyne(*overlap));
        }
        for (row, node) in read.wanted.clone().enumerate() {
            let (value, gain) = (values[node], read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]));
            currents[(row, column)] += match spim.device.readout {
                Readout::ParameterShift => frames.parameter_shift(node, value, gain, scratch) + gain * kept(spim, node, value),
                Readout::Homodyne => gain * (frames.projection(node, scratch) - removed(spim, node, value)),
            };
        }
    }
}

/// The same through dense products, where every frame is exact: O(N K) a sample, no frame is formed.
fn read_overlaps<T: Real>(spim: &Spim<T>, read: &Read<T>, mut currents: ViewMut<T>, scratch: &mut Vec<T>) {
    let (nodes, count) = spim.patterns.shape();
    let (samples, wanted) = (read.values.ncols(), read.wanted.len());
    scratch.clear();
    scratch.resize((nodes + count + wanted) * samples, T::zero());
    let (fields, rest) = scratch.split_at_mut(nodes * samples);
    let (overlaps, forces) = rest.split_at_mut(count * samples);
    let mut fields = ViewMut::from_slice_generic(fields, Dyn(nodes), Dyn(samples));
    let mut overlaps = ViewMut::from_slice_generic(overlaps, Dyn(count), Dyn(samples));
    let mut forces = ViewMut::from_slice_generic(forces, Dyn(wanted), Dyn(samples));

    fields.zip_apply(&read.values, |field, value| *field = spim.gauge.field(value));
    let patterns = spim.patterns.as_view();
    add_product(overlaps.as_view_mut(), T::one(), Factor::Transposed(patterns), Factor::Plain(fields.as_view()));
    for mut sample in overlaps.column_iter_mut() {
        sample.zip_apply(&spim.pattern_weights.column(0), |overlap, lambda| *overlap *= lambda * spim.inverse_count());
    }
    let patterns = spim.patterns.view((read.wanted.start, 0), (wanted, count));
    add_product(forces.as_view_mut(), T::one(), Factor::Plain(patterns), Factor::Plain(overlaps.as_view()));

    for column in 0..samples {
        for (row, node) in read.wanted.clone().enumerate() {
            let (value, gain) = (read.values[(node, column)], read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]));
            let force = forces[(row, column)];
            currents[(row, column)] += match spim.device.readout {
                Readout::ParameterShift => {
                    let others = force - spim.self_coupling[node] * fields[(node, column)];
                    spim.gauge.field(gain) * others + gain * kept(spim, node, value)
                }
                Readout::Homodyne => gain * (force - removed(spim, node, value)),
            };
        }
    }
}

/// The current of a node's coupling to itself, added digitally where parameter shift leaves it out.
fn kept<T: Real>(spim: &Spim<T>, node: usize, value: T) -> T {
    match spim.device.self_coupling {
        SelfCoupling::Kept => spim.self_coupling[node] * value,
        SelfCoupling::Removed => T::zero(),
    }
}

/// The current of a node's coupling to itself, taken off digitally where homodyne leaves it in.
fn removed<T: Real>(spim: &Spim<T>, node: usize, value: T) -> T {
    match spim.device.self_coupling {
        SelfCoupling::Removed => spim.self_coupling[node] * value,
        SelfCoupling::Kept => T::zero(),
    }
}

/// A node's value on its macro-pixel, multiplied with one pattern after another.
struct Encoder<'a, T: Real> {
    spim: &'a Spim<T>,
    value: T,
    /// The field of the bare value, where a pattern value is but a sign on it.
    bare: Option<T>,
}

impl<'a, T: Real> Encoder<'a, T> {
    fn new(spim: &'a Spim<T>, value: T) -> Self {
        let bare = spim.patterns_commute_with_encoding().then(|| spim.gauge.field(value));
        Self { spim, value, bare }
    }

    /// The field of xi times the value.
    fn field(&self, xi: T) -> T {
        self.bare.map_or_else(|| self.spim.gauge.field(xi * self.value), |bare| xi * bare)
    }
}

/// One sample's camera frames, in the order in which they are taken.
struct Frames<'a, T: Real> {
    spim: &'a Spim<T>,
    stream: Stream,
}

impl<T: Real> Frames<'_, T> {
    /// The difference of the intensities of the fields a + b and a - b, as the camera sees them; `total` is the field of all light
    /// in phase.
    fn difference(&mut self, a: T, b: T, total: T) -> T {
        let (square, scale) = (total * total, T::one() / (total * total));
        let plus = self.spim.camera.frame((a + b) * (a + b) * scale, &mut self.stream);
        let minus = self.spim.camera.frame((a - b) * (a - b) * scale, &mut self.stream);
        (plus - minus) * square
    }

    /// The force on `node` at `value`, shifted to plus and minus `gain`, self-coupling left out.
    fn parameter_shift(&mut self, node: usize, value: T, gain: T, overlaps: &[T]) -> T {
        let spim = self.spim;
        let nodes = T::of(spim.nodes() as f64);
        let (value, shift) = (Encoder::new(spim, value), Encoder::new(spim, gain));
        let mut sum = T::zero();
        for (k, overlap) in overlaps.iter().enumerate() {
            let xi = spim.patterns[(node, k)];
            sum += spim.pattern_weights[k] * self.difference(*overlap - value.field(xi), shift.field(xi), nodes);
        }
        sum * spim.inverse_count() * T::of(0.25)
    }

    /// The signed overlap, read against the reference macro-pixel.
    fn homodyne(&mut self, overlap: T) -> T {
        let (reference, total) = reference(self.spim);
        self.difference(reference, overlap, total) / (T::of(4.0) * reference)
    }

    /// (1/K) sum_k lambda_k xi^k_node o_k, computed digitally.
    fn projection(&self, node: usize, overlaps: &[T]) -> T {
        let (row, weights) = (self.spim.patterns.row(node), &self.spim.pattern_weights);
        let terms = row.iter().zip(weights).zip(overlaps).map(|((xi, lambda), overlap)| *xi * *lambda * *overlap);
        terms.fold(T::zero(), |sum, term| sum + term) * self.spim.inverse_count()
    }
}

/// The reference macro-pixel's amplitude, sqrt(N): that of a typical overlap. Then the field of all light in phase with it.
fn reference<T: Real>(spim: &Spim<T>) -> (T, T) {
    let nodes = T::of(spim.nodes() as f64);
    (nodes.sqrt(), nodes + nodes.sqrt())
}

/// The standard deviation of a force's error at gain 1, from the camera and the rounding of phases.
pub(super) fn resolution<T: Real>(spim: &Spim<T>) -> f64 {
    let camera = spim.camera.resolution() * 2f64.sqrt() / 4.0;
    let nodes = spim.nodes() as f64;
    let (reference, total) = reference(spim);
    let overlap = match spim.device.readout {
        Readout::ParameterShift => camera * nodes * nodes,
        Readout::Homodyne => camera * total.f64() * total.f64() / reference.f64(),
    };
    let rounding = spim.gauge.rounding_error() * nodes.sqrt();
    overlap.hypot(rounding) * spim.pattern_weights.norm().f64() * spim.inverse_count().f64()
}
