//! Forces without forming a frame: two dense products with the patterns, O(N K) a sample.
//!
//! Exact where what the camera reports is what arrives, plus a normal deviate: the weighted sum of
//! many independent normal deviates is one, with the variances added. Overlaps that are read
//! against a reference pass through the camera one by one, whatever it is.

use nalgebra::Dyn;

use super::{Wanted, own_current};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Factor, Real, ViewMut, add_product};
use crate::coupler::spim::Spim;
use crate::coupler::spim::optics::display::reference_wanted;
use crate::coupler::spim::optics::light::Light;
use crate::coupler::{Port, Read};

pub(super) fn read<T: Real>(
    spim: &Spim<T>,
    read: &Read<T>,
    mut currents: ViewMut<T>,
    scratch: &mut Vec<T>,
) {
    let Light::Analytic(gauge) = &spim.sides[0].light else { return };
    let (shown, readout) = (&spim.shown, spim.device.readout.get());
    let (readers, writers) = shown.driven(read.port);
    let (nodes, count) = readers.shape();
    let (samples, wanted) = (read.values.ncols(), read.wanted.len());
    scratch.clear();
    scratch.resize((nodes + count + wanted) * samples + 2 * count + wanted, T::zero());
    let (fields, rest) = scratch.split_at_mut(nodes * samples);
    let (overlaps, rest) = rest.split_at_mut(count * samples);
    let (forces, rest) = rest.split_at_mut(wanted * samples);
    let (frames, errors) = rest.split_at_mut(2 * count);
    let mut fields = ViewMut::from_slice_generic(fields, Dyn(nodes), Dyn(samples));
    let mut overlaps = ViewMut::from_slice_generic(overlaps, Dyn(count), Dyn(samples));
    let mut forces = ViewMut::from_slice_generic(forces, Dyn(wanted), Dyn(samples));

    let dimming = readout.dimming();
    fields
        .zip_apply(&read.values, |field, value| *field = T::of(gauge.field(value.f64() * dimming)));
    add_product(
        overlaps.as_view_mut(),
        T::one(),
        Factor::Transposed(readers.as_view()),
        Factor::Plain(fields.as_view()),
    );
    let by_overlap = readout.reads_overlaps();
    let noise = pair_noise(spim, read.port);
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
        sample.zip_apply(&shown.weights.column(0), |overlap, lambda| {
            *overlap *= lambda * shown.inverse_count()
        });
    }
    let writers = writers.view((read.wanted.start, 0), (wanted, count));
    add_product(
        forces.as_view_mut(),
        T::one(),
        Factor::Plain(writers),
        Factor::Plain(overlaps.as_view()),
    );

    let deviation = noise * (shown.weights.norm() * shown.inverse_count()).f64();
    let field = |value: f64| T::of(gauge.field(value));
    let errors = if by_overlap || noise == 0.0 { &mut [] } else { errors };
    for column in 0..samples {
        if !errors.is_empty() {
            errors.fill(T::zero());
            read.streams.key(column).add_normals(errors, T::of(deviation));
        }
        for (row, node) in read.wanted.clone().enumerate() {
            let gain = read.gain.as_ref().map_or(T::one(), |gain| gain[(row, column)]);
            let own = own_current(spim, node, |node| read.values[(node, column)]);
            let force = forces[(row, column)];
            // A writer beside the readers starts from nothing.
            let at_rest = spim.self_coupling.get(node).filter(|_| !readout.shows_writers());
            let value = at_rest.map_or(0.0, |_| read.values[(node, column)].f64());
            let Some(pair) = readout.pair(&Wanted { node, value, gain: gain.f64() }) else {
                currents[(row, column)] += gain * (force + own);
                continue;
            };
            let (up, down, scale) = (field(pair.up), field(pair.down), T::of(pair.scale));
            let difference = match at_rest {
                None => T::of(2.0) * (up - down) * force,
                Some(own) => {
                    let others = force - *own * fields[(node, column)];
                    T::of(2.0) * (up - down) * others + *own * (up * up - down * down)
                }
            };
            currents[(row, column)] += scale * difference + gain * own;
            if let Some(error) = errors.get(row) {
                currents[(row, column)] += T::of(4.0) * scale * *error;
            }
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
