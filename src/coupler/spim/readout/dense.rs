//! Forces without forming a frame: two dense products with the patterns, O(N K) a sample.
//!
//! Exact where what the camera reports is what arrives, plus a normal deviate: the weighted sum of
//! many independent normal deviates is one, with the variances added. Overlaps that are read
//! against a reference pass through the camera one by one, whatever it is.

use nalgebra::Dyn;

use super::{Wanted, missing_share};
use crate::arithmetic::random::Key;
use crate::arithmetic::simd::{self, vectorised};
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::spim::Spim;
use crate::coupler::spim::optics::display::reference_wanted;
use crate::coupler::spim::optics::light::Light;
use crate::coupler::spim::products::Products;
use crate::coupler::{Port, Read};

pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    mut currents: ViewMut<T>,
    scratch: &mut Vec<T>,
) {
    let Light::Analytic(gauge) = &spim.sides[0].light else { return };
    let (shown, readout) = (&spim.shown, spim.device.readout.get());
    let products = spim.products.get_or_init(|| Products::new(shown));
    let (nodes, count) = shown.driven(read.port).0.shape();
    let (samples, wanted) = (read.values.ncols(), read.wanted.len());
    scratch.clear();
    scratch.resize((nodes + count + wanted) * samples + 2 * count + wanted, T::zero());
    let (fields, rest) = scratch.split_at_mut(nodes * samples);
    let (overlaps, rest) = rest.split_at_mut(count * samples);
    let (forces, rest) = rest.split_at_mut(wanted * samples);
    let (frames, errors) = rest.split_at_mut(2 * count);
    let mut overlaps = ViewMut::from_slice_generic(overlaps, Dyn(count), Dyn(samples));
    let mut forces = ViewMut::from_slice_generic(forces, Dyn(wanted), Dyn(samples));

    let dimming = readout.dimming();
    for (fields, values) in fields.chunks_exact_mut(nodes.max(1)).zip(read.values.column_iter()) {
        if gauge.is_exact() && dimming == 1.0 {
            fields.copy_from_slice(values.as_slice());
            simd::clamp(fields, -T::one(), T::one());
        } else {
            let shown = |value: &T| T::of(gauge.field(value.f64() * dimming));
            fields.iter_mut().zip(values.as_slice()).for_each(|(to, from)| *to = shown(from));
        }
    }
    let fields = View::from_slice_generic(fields, Dyn(nodes), Dyn(samples));
    products.add_overlaps(read, fields, overlaps.as_view_mut());
    let by_overlap = readout.reads_overlaps();
    let noise = pair_noise(spim, read.port);
    let weights: Vec<T> =
        shown.weights.iter().map(|lambda| *lambda * shown.inverse_count()).collect();
    for (column, mut sample) in overlaps.column_iter_mut().enumerate() {
        if by_overlap && !spim.sides[0].detector.is_linear() {
            see_overlaps(
                spim,
                read.port,
                nodes,
                read.streams.key(column),
                sample.as_mut_slice(),
                frames,
            );
        } else if by_overlap && noise > 0.0 {
            read.streams
                .key(column)
                .add_normals(sample.as_mut_slice(), T::of(noise / reference_wanted(nodes as f64)));
        }
        simd::multiply(sample.as_mut_slice(), &weights);
    }
    products.add_forces(read.port, &read.wanted, overlaps.as_view(), forces.as_view_mut());

    let deviation = noise * (shown.weights.norm() * shown.inverse_count()).f64();
    let field = |value: f64| T::of(gauge.field(value));
    let errors = if by_overlap || noise == 0.0 { &mut [] } else { errors };
    let (missing, two) = (missing_share(spim), T::of(2.0));
    // A writer beside the readers starts from nothing.
    let at_rest = !readout.shows_writers() && !spim.self_coupling.is_empty();
    let closed = (errors.is_empty() && gauge.is_exact() && readout.stays_in_range())
        .then(|| Closed::new(spim, at_rest));
    let (mut asked, mut pairs) = (Vec::with_capacity(wanted), Vec::with_capacity(wanted));
    for column in 0..samples {
        if !errors.is_empty() {
            errors.fill(T::zero());
            read.streams.key(column).add_normals(errors, T::of(deviation));
        }
        let gains = read.gain.as_ref().map(|gain| gain.column(column));
        let values = read.values.column(column);
        if let (Some(closed), Some(gains)) = (&closed, &gains)
            && simd::all_within(values.as_slice(), -T::one(), T::one())
            && simd::all_within(gains.as_slice(), T::zero(), T::one())
        {
            let own = read.wanted.clone();
            let coupling = closed.of_own.get(own.clone()).unwrap_or(&[]);
            let own = if coupling.is_empty() { &[] } else { &values.as_slice()[own] };
            let forces = forces.column(column);
            let mut currents = currents.column_mut(column);
            let measured = Measured { forces: forces.as_slice(), gains: gains.as_slice() };
            add_measured(currents.as_mut_slice(), &measured, closed.of_others, coupling, own);
            continue;
        }
        let gain = |row: usize| gains.as_ref().map_or(T::one(), |gains| gains[row]);
        asked.clear();
        asked.extend(read.wanted.clone().enumerate().map(|(row, node)| {
            let value = if at_rest { values[node].f64() } else { 0.0 };
            Wanted { node, value, gain: gain(row).f64() }
        }));
        readout.pair_of_each(&asked, &mut pairs);
        let (fields, forces) = (fields.column(column), forces.column(column));
        let mut currents = currents.column_mut(column);
        let currents = currents.as_mut_slice().iter_mut().zip(forces.as_slice());
        for (row, (current, force)) in currents.enumerate() {
            let node = read.wanted.start + row;
            let own =
                missing.map_or(T::zero(), |share| share * spim.self_coupling[node] * values[node]);
            let Some(pair) = pairs.get(row) else {
                *current += gain(row) * (*force + own);
                continue;
            };
            let (up, down, scale) = (field(pair.up), field(pair.down), T::of(pair.scale));
            let difference = if at_rest {
                let coupling = spim.self_coupling[node];
                let others = *force - coupling * fields[node];
                two * (up - down) * others + coupling * (up * up - down * down)
            } else {
                two * (up - down) * *force
            };
            *current += scale * difference + gain(row) * own;
            if let Some(error) = errors.get(row) {
                *current += T::of(4.0) * scale * *error;
            }
        }
    }
}

/// What a readout makes of products where all that it shows can be shown: with the force f on a node
/// and its coupling W to itself,
///
/// ```text
/// gain (others (f - W v) + own W v),      own the share that is read and what is missing of it
/// ```
struct Closed<T> {
    /// The factor on f.
    of_others: T,
    /// The factor on v, by node; empty where nothing is added of a node itself.
    of_own: Vec<T>,
}

impl<T: Real> Closed<T> {
    fn new(spim: &Spim<T>, at_rest: bool) -> Self {
        let readout = spim.device.readout.get();
        let (shares, dimming) = (readout.shares(), T::of(readout.dimming()));
        let missing = missing_share(spim).unwrap_or(T::zero());
        let shown = if at_rest { shares.own - shares.others } else { 0.0 };
        let own = T::of(shown) + missing;
        let of_own = spim.self_coupling.iter().map(|coupling| own * *coupling);
        let of_own = if own == T::zero() { Vec::new() } else { of_own.collect() };
        Self { of_others: T::of(shares.others) / dimming, of_own }
    }
}

/// Products with the patterns of the wanted nodes of one sample, and their gains.
struct Measured<'a, T> {
    forces: &'a [T],
    gains: &'a [T],
}

vectorised! {
    /// Adds what is read of one sample to the `currents` of the wanted nodes; `coupling` and `values`
    /// of those themselves are empty where they add nothing.
    fn add_measured<T: Real>(currents: &mut [T], measured: &Measured<T>, of_others: T, coupling: &[T], values: &[T]) {
        let both = currents.iter_mut().zip(measured.forces).zip(measured.gains);
        if coupling.is_empty() {
            for ((current, force), gain) in both {
                *current += *gain * of_others * *force;
            }
            return;
        }
        for (((current, force), gain), (coupling, value)) in both.zip(coupling.iter().zip(values)) {
            *current += *gain * (of_others * *force + *coupling * *value);
        }
    }
}

/// Replaces overlaps of `nodes` macro-pixels by what the camera makes of them: two `frames` each,
/// with the reference at phase 0 and pi.
fn see_overlaps<T: Real>(
    spim: &Spim<T>,
    port: Port,
    nodes: usize,
    key: Key,
    overlaps: &mut [T],
    frames: &mut [T],
) {
    let (reference, total) =
        (T::of(reference_wanted(nodes as f64)), spim.device.field_in_phase(nodes));
    let per_square = T::of(1.0 / (total * total));
    let (up, down) = frames.split_at_mut(overlaps.len());
    for ((up, down), overlap) in up.iter_mut().zip(down).zip(&*overlaps) {
        *up = (*overlap + reference) * (*overlap + reference) * per_square;
        *down = (*overlap - reference) * (*overlap - reference) * per_square;
    }
    let at_limit = spim.sides[port.index()].detector.take_all(frames, key);
    spim.camera.add(frames.len() as u64, at_limit);
    let (up, down) = frames.split_at(overlaps.len());
    let scale = T::of(total * total / 4.0) / reference;
    for ((overlap, up), down) in overlaps.iter_mut().zip(up).zip(down) {
        *overlap = scale * (*up - *down);
    }
}

/// The standard deviation of a quarter of the difference of two frames, in units of a product of
/// two node fields.
fn pair_noise<T: Real>(spim: &Spim<T>, port: Port) -> f64 {
    let side = &spim.sides[port.index()];
    let total = spim.device.field_in_phase(side.nodes);
    side.detector.deviation() * 2f64.sqrt() * total * total / 4.0
}
