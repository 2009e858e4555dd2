//! The watch: what the nodes of a noisy machine show in the last steps of a relaxation.

use crate::arithmetic::{Real, View};

/// The sums by which the samples of a lane are watched, nodes x samples by column: values when the
/// watch began, and sums of differences from them and of their squares.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch<T> {
    steps: usize,
    first: Vec<T>,
    sums: Vec<T>,
    squares: Vec<T>,
}

impl<T: Real> Watch<T> {
    /// Forgets everything; so many numbers are watched from now on.
    pub fn begin(&mut self, numbers: usize) {
        self.steps = 0;
        for sums in [&mut self.first, &mut self.sums, &mut self.squares] {
            sums.clear();
            sums.resize(numbers, T::zero());
        }
    }

    /// Notes what nodes show, nodes x samples.
    pub fn note(&mut self, shown: View<T>) {
        let nodes = shown.nrows();
        for (column, shown) in shown.column_iter().enumerate() {
            let own = column * nodes..(column + 1) * nodes;
            if self.steps == 0 {
                self.first[own].copy_from_slice(shown.as_slice());
                continue;
            }
            let sums = self.sums[own.clone()].iter_mut().zip(&mut self.squares[own.clone()]);
            for ((sum, square), (shown, first)) in sums.zip(shown.iter().zip(&self.first[own])) {
                let change = *shown - *first;
                *sum += change;
                *square += change * change;
            }
        }
        self.steps += 1;
    }

    /// The variance of number `at`.
    pub fn variance(&self, at: usize) -> f64 {
        let count = T::of(self.steps.max(1) as f64);
        let mean = self.sums[at] / count;
        (self.squares[at] / count - mean * mean).f64()
    }

    /// Lets the samples in two columns change places.
    pub fn swap(&mut self, nodes: usize, a: usize, b: usize) {
        for numbers in [&mut self.first, &mut self.sums, &mut self.squares] {
            if !numbers.is_empty() {
                (0..nodes).for_each(|node| numbers.swap(a * nodes + node, b * nodes + node));
            }
        }
    }
}
