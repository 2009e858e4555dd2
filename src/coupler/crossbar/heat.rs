//! What reads heat: the power that the drivers deliver, V^T Y V with Y the admittances of the driven
//! ends of an array, the other ends at 0 V.
//!
//! With perfect wires every cell has the voltage of its driver, so that the sums of the cells'
//! coefficients on each line tell all, cells that are not linear included: u I(u) = G u^2 + a u^3 + b
//! u^4. Behind resistive wires Y comes with the effective matrix, of the same elimination.

use std::sync::atomic::{AtomicU64, Ordering};

use nalgebra::{DMatrix, Dyn, U1};

use super::tile::TileEnds;
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::Port;

/// A sum that all threads add to, in zeptojoule: whole numbers, so that their order does not matter,
/// of 128 bits, so that it ends nowhere.
#[derive(Debug, Default)]
pub(super) struct Counter {
    low: AtomicU64,
    high: AtomicU64,
}

/// Zeptojoule of one joule.
const ZEPTO: f64 = 1e21;

impl Counter {
    /// Adds an energy in joule.
    pub fn add(&self, joules: f64) {
        self.add_whole((joules * ZEPTO) as u128);
    }

    /// Adds whole zeptojoules.
    fn add_whole(&self, zeptojoules: u128) {
        let (low, high) = (zeptojoules as u64, (zeptojoules >> 64) as u64);
        let before = self.low.fetch_add(low, Ordering::Relaxed);
        let more = high.saturating_add(u64::from(before.checked_add(low).is_none()));
        if more > 0 {
            self.high.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// The sum, joule.
    pub fn joules(&self) -> f64 {
        let [low, high] = self.parts();
        (high as f64 * 2f64.powi(64) + low as f64) / ZEPTO
    }

    /// The sum for a checkpoint, low part first.
    pub fn parts(&self) -> [u64; 2] {
        [self.low.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed)]
    }

    /// Puts back [`parts`](Self::parts).
    pub fn set(&self, [low, high]: [u64; 2]) {
        self.low.store(low, Ordering::Relaxed);
        self.high.store(high, Ordering::Relaxed);
    }
}

impl Clone for Counter {
    fn clone(&self) -> Self {
        let counter = Self::default();
        counter.set(self.parts());
        counter
    }
}

/// What tells the power of a read.
#[derive(Clone, Debug, Default)]
pub(super) enum Heating<T: Real> {
    /// Nobody asks.
    #[default]
    Unknown,
    /// Perfect wires: for each line of the inputs' side and of the outputs' the sums of its cells'
    /// coefficients of u, in A/V, and of u^2 and u^3, in A/V^2 and A/V^3, where cells have any.
    Lines { linear: [Vec<T>; 2], beyond: Option<[[Vec<T>; 2]; 2]> },
    /// Resistive wires: the ends of each tile.
    Ends(Vec<TileEnds<T>>),
}

impl<T: Real> Heating<T> {
    /// Sums over the lines of an array of pairs of `cells`, outputs x inputs, microsiemens; `beyond`
    /// are their coefficients of u^2 and u^3 in a current in A, where they have any.
    pub fn lines(cells: &[DMatrix<f64>; 2], beyond: Option<[[DMatrix<f64>; 2]; 2]>) -> Self {
        let beyond = beyond.map(|terms| {
            let [[square_in, square_out], [cube_in, cube_out]] =
                terms.each_ref().map(|term| line_sums(term, 1.0));
            [[square_in, cube_in], [square_out, cube_out]]
        });
        Self::Lines { linear: line_sums(cells, 1e-6), beyond }
    }

    /// Adds the energy of reads of `seconds` at `port` to `counter`. `values`, driven x samples, are
    /// `volts` each; `left` is what selectors leave of them to cells that are not linear.
    pub fn count(
        &self,
        port: Port,
        [values, left]: [&[T]; 2],
        driven: usize,
        (volts, seconds): (f64, f64),
        counter: &Counter,
    ) {
        if driven == 0 {
            return;
        }
        match self {
            Self::Unknown => (),
            Self::Lines { linear, beyond } => {
                let linear = &linear[port.index()];
                // Driven from the other side a cell's voltage has the other sign.
                let sign = if port == Port::Forward { volts } else { -volts };
                let (b, c) = (T::of(sign), T::of(volts * volts));
                let sum_of = |column: &[T], left: &[T]| {
                    let Some(beyond) = beyond else { return weighted_squares(column, linear) };
                    let [square, cube] = &beyond[port.index()];
                    let coefficients = linear.iter().zip(square).zip(cube);
                    let terms = column.iter().zip(left).zip(coefficients);
                    terms.fold(T::zero(), |sum, ((v, w), ((g, square), cube))| {
                        sum + *v * *w * (*g + *w * (b * *square + *w * c * *cube))
                    })
                };
                // Whole numbers a sample, so that the sum is the same however samples are spread.
                let each = volts * volts * seconds * ZEPTO;
                let samples = values.chunks_exact(driven).zip(left.chunks_exact(driven));
                let of = |(column, left)| (sum_of(column, left).f64() * each) as u128;
                counter.add_whole(samples.map(of).fold(0, u128::saturating_add));
            }
            Self::Ends(tiles) => {
                let samples = values.len() / driven;
                let mut joules = vec![0.0; samples];
                for tile in tiles {
                    let lines = tile.lines(port);
                    let first = &values[lines.start.min(values.len())..];
                    let own = View::from_slice_with_strides_generic(
                        first,
                        Dyn(lines.len()),
                        Dyn(samples),
                        U1,
                        Dyn(driven),
                    );
                    let mut currents = vec![T::zero(); lines.len() * samples];
                    tile.admittance(port).add_product(
                        Port::Forward,
                        &(0..lines.len()),
                        own.as_view(),
                        ViewMut::from_slice_generic(&mut currents, Dyn(lines.len()), Dyn(samples)),
                    );
                    for (column, joules) in joules.iter_mut().enumerate() {
                        let (v, i) = (own.column(column), &currents[column * lines.len()..]);
                        let power = v.iter().zip(i).fold(T::zero(), |sum, (v, i)| sum + *v * *i);
                        *joules += power.f64() * volts * volts * seconds;
                    }
                }
                joules.into_iter().for_each(|joules| counter.add(joules));
            }
        }
    }
}

crate::arithmetic::simd::vectorised! {
    /// Adds both cells of each pair to its output; returns the sum of all.
    fn add_pairs(outputs: &mut [f64], plus: &[f64], minus: &[f64]) -> f64 {
        let mut sums = [0.0; 16];
        for (at, ((output, plus), minus)) in outputs.iter_mut().zip(plus).zip(minus).enumerate() {
            let pair = plus + minus;
            *output += pair;
            sums[at % 16] += pair;
        }
        sums.iter().sum()
    }

    /// The sum of squares of `x`, each times its `weight`.
    fn weighted_squares<T: Real>(x: &[T], weights: &[T]) -> T {
        let mut sums = [T::zero(); 16];
        let (x_chunks, weight_chunks) = (x.chunks_exact(16), weights.chunks_exact(16));
        let rest = x_chunks
            .remainder()
            .iter()
            .zip(weight_chunks.remainder())
            .fold(T::zero(), |sum, (x, weight)| sum + *x * *x * *weight);
        for (x, weights) in x_chunks.zip(weight_chunks) {
            for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weights) {
                *sum += *x * *x * *weight;
            }
        }
        sums.into_iter().fold(rest, |sum, part| sum + part)
    }
}

/// The sums over all cells of each input and of each output, times `unit`.
fn line_sums<T: Real>([plus, minus]: &[DMatrix<f64>; 2], unit: f64) -> [Vec<T>; 2] {
    let of = |sum: f64| T::of(sum * unit);
    let rows = plus.nrows().max(1);
    let mut outputs = vec![0.0; plus.nrows()];
    let pairs = plus.as_slice().chunks_exact(rows).zip(minus.as_slice().chunks_exact(rows));
    let inputs = pairs.map(|(plus, minus)| of(add_pairs(&mut outputs, plus, minus))).collect();
    [inputs, outputs.into_iter().map(of).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_goes_on_beyond_sixty_four_bits() {
        let counter = Counter::default();
        let reads = 3000;
        (0..reads).for_each(|_| counter.add(0.0125));
        let expected = 0.0125 * f64::from(reads);
        assert!((counter.joules() / expected - 1.0).abs() < 1e-12, "{}", counter.joules());
        assert!((counter.clone().joules() / expected - 1.0).abs() < 1e-12);
    }
}
