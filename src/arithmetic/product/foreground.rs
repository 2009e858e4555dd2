//! Values that are mostly background: images on black, pulses on silence.
//!
//! With a background b of each row, A B = A (B - b 1^T) + (A b) 1^T, and most of B - b 1^T is zero.
//! Eight columns at a time leave out the rows in which they have nothing else: of the images of
//! MNIST half in a drive, three fifths in a local product.

use std::ops::Range;

use nalgebra::DMatrix;

use super::Factor;
use crate::arithmetic::simd::vectorised;
use crate::arithmetic::{Real, View};

/// Columns that leave out rows together.
pub(super) const WIDTH: usize = 8;
/// Fewer columns have no background.
const FEWEST: usize = 8;

/// A matrix taken apart: values = background 1^T + rest.
#[derive(Clone, Debug)]
pub struct Foreground<T: Real> {
    /// The rest, mostly zeros, with the background as one more column.
    parts: DMatrix<T>,
}

impl<T: Real> Foreground<T> {
    /// The foreground of `values`, or nothing if less than half of them are background: the least
    /// value of a row if at least a quarter of the row is that, so that subtracting it costs no
    /// digits, and zero for other rows.
    pub fn of(values: &DMatrix<T>) -> Option<Self> {
        let (rows, columns) = values.shape();
        if columns < FEWEST {
            return None;
        }
        let (mut background, mut counts) =
            (values.column(0).as_slice().to_vec(), vec![T::zero(); rows]);
        values
            .column_iter()
            .for_each(|column| meet(&mut background, &mut counts, column.as_slice()));
        let mut total = 0.0;
        for (background, count) in background.iter_mut().zip(&counts) {
            let count = count.f64();
            if count < 0.25 * columns as f64 {
                *background = T::zero();
            } else {
                total += count;
            }
        }
        if total < 0.5 * values.len() as f64 {
            return None;
        }
        let mut parts = Vec::with_capacity(rows * (columns + 1));
        for column in values.column_iter() {
            parts.extend(
                column
                    .as_slice()
                    .iter()
                    .zip(&background)
                    .map(|(value, background)| *value - *background),
            );
        }
        parts.append(&mut background);
        Some(Self { parts: DMatrix::from_vec(rows, columns + 1, parts) })
    }

    /// Some columns of the rest, which is shaped as the values.
    pub fn rest(&self, columns: Range<usize>) -> View<'_, T> {
        assert!(columns.end < self.parts.ncols(), "columns of a foreground");
        self.parts.columns(columns.start, columns.len())
    }

    /// The background of each row.
    pub fn background(&self) -> View<'_, T> {
        self.parts.columns(self.parts.ncols() - 1, 1)
    }

    /// The rest, and the background as one more column.
    pub fn parts(&self) -> &DMatrix<T> {
        &self.parts
    }
}

vectorised! {
    /// Keeps the `least` values met, and `counts` how often.
    fn meet<T: Real>(least: &mut [T], counts: &mut [T], values: &[T]) {
        for ((least, count), value) in least.iter_mut().zip(counts).zip(values) {
            let again = if *value == *least { *count + T::one() } else { *count };
            *count = if *value < *least { T::one() } else { again };
            *least = if *value < *least { *value } else { *least };
        }
    }
}

/// The rows of a few columns of a matrix that are not all zero.
#[derive(Debug, Default)]
pub struct Kept<T> {
    /// Their numbers.
    pub(super) rows: Vec<u32>,
    /// Their entries, zero beyond the last column.
    pub(super) values: Vec<[T; WIDTH]>,
}

impl<T: Real> Kept<T> {
    /// Keeps rows of the columns of `factor` from `first` on, `WIDTH` of them or as many as there
    /// are; rows are counted from the first of `depths`.
    pub(super) fn gather(&mut self, factor: &Factor<T>, depths: &Range<usize>, first: usize) {
        self.rows.resize(depths.len(), 0);
        self.values.resize(depths.len(), [T::zero(); WIDTH]);
        let count = match factor {
            Factor::Plain(view) => {
                // Beyond the last column stands the last one again: it keeps no row that it would
                // not keep itself.
                let columns: [_; WIDTH] =
                    std::array::from_fn(|j| view.column((first + j).min(view.ncols() - 1)));
                keep_rows(self, columns.each_ref().map(|column| &column.as_slice()[depths.clone()]))
            }
            Factor::Transposed(view) => {
                let columns = first..view.nrows().min(first + WIDTH);
                keep_columns(
                    self,
                    &view.view((columns.start, depths.start), (columns.len(), depths.len())),
                )
            }
        };
        self.rows.truncate(count);
        self.values.truncate(count);
    }

    /// Writes a row behind the first `count`; says how many there are if those of zeros do not
    /// count.
    #[inline(always)]
    fn put(&mut self, count: usize, row: usize, values: [T; WIDTH]) -> usize {
        self.rows[count] = row as u32;
        self.values[count] = values;
        count + usize::from(values.iter().fold(false, |any, value| any | (*value != T::zero())))
    }
}

vectorised! {
    fn keep_rows<T: Real>(kept: &mut Kept<T>, columns: [&[T]; WIDTH]) -> usize {
        let (mut count, length) = (0, columns[0].len());
        let whole = length - length % WIDTH;
        for first in (0..whole).step_by(WIDTH) {
            let square: [[T; WIDTH]; WIDTH] = std::array::from_fn(|j| std::array::from_fn(|i| columns[j][first..first + WIDTH][i]));
            let transposed: [[T; WIDTH]; WIDTH] = std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]));
            for (i, values) in transposed.into_iter().enumerate() {
                count = kept.put(count, first + i, values);
            }
        }
        (whole..length).for_each(|row| count = kept.put(count, row, columns.map(|column| column[row])));
        count
    }

    fn keep_columns<T: Real>(kept: &mut Kept<T>, columns: &View<T>) -> usize {
        let mut count = 0;
        for (row, column) in columns.column_iter().enumerate() {
            let values = match <[T; WIDTH]>::try_from(column.as_slice()) {
                Ok(values) => values,
                Err(_) => std::array::from_fn(|j| column.get(j).copied().unwrap_or(T::zero())),
            };
            count = kept.put(count, row, values);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::{Packed, ViewMut};

    /// Rows with their backgrounds, of which every third number differs, and a dense one among
    /// them.
    fn image<T: Real>(rows: usize, columns: usize) -> DMatrix<T> {
        DMatrix::from_fn(rows, columns, |i, j| {
            let background = -0.5 - (i % 3) as f64;
            let differs = (i + j / 4) % 3 == 0 || i == 4;
            T::of(if differs {
                background + 0.1 * ((i * 7 + j * 5) % 13) as f64 + 0.01
            } else {
                background
            })
        })
    }

    fn agrees<T: Real>(m: usize, k: usize, n: usize) {
        let foreground = Foreground::of(&image::<T>(k + 2, n + 1)).unwrap();
        let rest = foreground.rest(0..n + 1);
        let stored = rest.view((1, 1), (k, n));
        let left = |depth: usize| {
            DMatrix::from_fn(m, depth, |i, j| T::of(((i * 5 + j * 3) % 11) as f64 / 11.0 - 0.4))
        };
        for rows in [0..m, m / 3..m - m / 4] {
            for (a, b) in [(left(k), Factor::Plain(stored)), (left(n), Factor::Transposed(stored))]
            {
                let packed = Packed::new(&Factor::Plain(a.as_view()));
                let mut expected = DMatrix::from_element(rows.len(), b.shape().1, T::one());
                let mut found = expected.clone();
                for keep in [T::of(0.5), T::zero()] {
                    let multiply = |sparse: bool, c: ViewMut<T>| match sparse {
                        true => packed.multiply_sparse(&rows, &b, T::of(-2.0), keep, c),
                        false => packed.multiply(&rows, &b, T::of(-2.0), keep, c),
                    };
                    multiply(false, expected.as_view_mut());
                    multiply(true, found.as_view_mut());
                    assert_eq!(expected, found, "{m} x {k} x {n}");
                }
            }
        }
    }

    #[test]
    fn leaving_zeros_out_changes_no_bit() {
        for (m, k, n) in
            [(1, 5, 8), (10, 30, 9), (48, 16, 16), (130, 40, 33), (70, 1030, 21), (5, 0, 9)]
        {
            agrees::<f32>(m, k, n);
            agrees::<f64>(m, k, n);
        }
    }

    #[test]
    fn background_and_rest_are_the_values() {
        let values = image::<f64>(9, 20);
        let foreground = Foreground::of(&values).unwrap();
        let (background, rest) = (foreground.background(), foreground.rest(0..20));
        for ((i, j), value) in
            (0..9).flat_map(|i| (0..20).map(move |j| (i, j))).map(|place| (place, values[place]))
        {
            assert!((background[i] + rest[(i, j)] - value).abs() < 1e-15);
            assert_eq!(rest[(i, j)] == 0.0, value == background[i]);
        }
        assert!(rest.iter().filter(|x| **x == 0.0).count() > 90);
    }

    #[test]
    fn what_few_values_share_is_no_background() {
        let mut values = DMatrix::from_fn(3, 12, |_, j| if j < 9 { 0.25 } else { 1.0 });
        assert_eq!(
            Foreground::of(&values).unwrap().background().iter().copied().collect::<Vec<_>>(),
            [0.25; 3]
        );
        // An outlier below all others would cost their digits.
        values[(1, 4)] = -1e9;
        assert_eq!(
            Foreground::of(&values).unwrap().background().iter().copied().collect::<Vec<_>>(),
            [0.25, 0.0, 0.25]
        );
        assert!(Foreground::of(&DMatrix::from_fn(3, 12, |i, j| (i * 12 + j) as f64)).is_none());
        assert!(Foreground::of(&DMatrix::from_element(3, 7, 0.5)).is_none());
    }
}
