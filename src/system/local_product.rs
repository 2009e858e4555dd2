//! Local products, worked out part by part.
//!
//! The gradient of a plain matrix of weights is -d v^T summed over samples: many more numbers than
//! its factors d and v. Whoever needs it, needs it once and in any order, so it is never whole in
//! memory: the optimiser takes a few columns, uses them, and takes the next.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::{DMatrix, Dyn};

use super::Gradient;
use crate::arithmetic::simd;
use crate::arithmetic::{Factor, Foreground, Packed, Real, View, ViewMut};

/// Columns of values that drive arrays, inputs and nodes apart.
#[derive(Debug)]
pub(super) struct Rows<'a, T: Real> {
    /// What inputs put there; absent for signals, which do not reach inputs.
    pub inputs: Option<&'a DMatrix<T>>,
    pub nodes: DMatrix<T>,
    /// Both together, if an array is shared by inputs and nodes.
    pub together: Option<DMatrix<T>>,
    /// The inputs taken apart, if they are mostly background.
    pub foreground: Option<Foreground<T>>,
    pub input_count: usize,
}

impl<T: Real> Rows<'_, T> {
    pub fn rows(&self, range: &Range<usize>) -> View<'_, T> {
        match (&self.together, self.inputs) {
            (Some(together), _) => together.rows(range.start, range.len()),
            (None, Some(inputs)) if range.end <= self.input_count => {
                inputs.rows(range.start, range.len())
            }
            (None, _) => self.nodes.rows(range.start - self.input_count, range.len()),
        }
    }

    /// The foreground of these rows if they are inputs and have one.
    pub fn foreground(&self, range: &Range<usize>) -> Option<View<'_, T>> {
        let inputs = self.foreground.as_ref().filter(|_| range.end <= self.input_count)?;
        Some(inputs.parts().rows(range.start, range.len()))
    }
}

/// The factors of one use of an array: -d v^T.
#[derive(Debug)]
pub(super) struct Factors<'a, T: Real> {
    pub d: Packed<T>,
    pub v: Arc<Rows<'a, T>>,
    pub rows: Range<usize>,
}

impl<'a, T: Real> Factors<'a, T> {
    /// The factors `d`, outputs x samples, and some rows of `v`. Where v has a foreground, d gets
    /// its sum over samples for the background.
    pub fn new(d: View<T>, v: &Arc<Rows<'a, T>>, rows: &Range<usize>) -> Self {
        let d = match v.foreground(rows) {
            None => Packed::new(&Factor::Plain(d)),
            Some(_) => {
                let (mut with_sum, mut sum) =
                    (Vec::with_capacity(d.len() + d.nrows()), vec![T::zero(); d.nrows()]);
                for column in d.column_iter() {
                    with_sum.extend_from_slice(column.as_slice());
                    simd::add(&mut sum, column.as_slice());
                }
                with_sum.append(&mut sum);
                Packed::new(&Factor::Plain(View::from_slice_generic(
                    &with_sum,
                    Dyn(d.nrows()),
                    Dyn(d.ncols() + 1),
                )))
            }
        };
        Self { d, v: Arc::clone(v), rows: rows.clone() }
    }
}

/// The gradient of one parameter.
#[derive(Debug)]
pub(super) enum Slope<'a, T: Real> {
    Whole(DMatrix<T>),
    /// The sum over the uses of an array, outputs x inputs.
    Outer(Vec<Factors<'a, T>>, (usize, usize)),
}

/// A gradient, one part a parameter in the order of
/// [`System::parameters`](super::System::parameters), as it is or by its factors.
#[derive(Debug)]
pub struct LocalProduct<'a, T: Real>(pub(super) Vec<Slope<'a, T>>);

impl<T: Real> From<Gradient<T>> for LocalProduct<'_, T> {
    /// A gradient that is at hand.
    fn from(gradient: Gradient<T>) -> Self {
        Self(gradient.into_iter().map(Slope::Whole).collect())
    }
}

impl<T: Real> LocalProduct<'_, T> {
    /// The gradient of some `columns` of a parameter, column by column; worked out in `scratch`
    /// unless it is at hand.
    ///
    /// # Panics
    /// When there is no such parameter or column.
    pub fn columns<'s>(
        &'s self,
        parameter: usize,
        columns: Range<usize>,
        scratch: &'s mut Vec<T>,
    ) -> &'s [T] {
        match &self.0[parameter] {
            Slope::Whole(gradient) => slice(gradient, columns),
            Slope::Outer(uses, (rows, _)) => {
                scratch.resize(rows * columns.len(), T::zero());
                add_outer(uses, columns, -T::one(), T::zero(), *rows, scratch);
                scratch
            }
        }
    }

    /// Adds the gradient of some `columns` of a parameter, times `scale`, to `sum`, column by
    /// column.
    ///
    /// # Panics
    /// When there is no such parameter or column, or `sum` is of another size.
    pub fn add_columns(&self, parameter: usize, columns: Range<usize>, scale: T, sum: &mut [T]) {
        match &self.0[parameter] {
            Slope::Whole(gradient) => simd::add_scaled(sum, scale, slice(gradient, columns)),
            Slope::Outer(uses, (rows, _)) => add_outer(uses, columns, -scale, T::one(), *rows, sum),
        }
    }

    /// All of it, worked out.
    pub fn whole(&self) -> Gradient<T> {
        let whole = |(parameter, slope): (usize, &Slope<T>)| match slope {
            Slope::Whole(gradient) => gradient.clone(),
            Slope::Outer(_, (rows, columns)) => {
                let mut gradient = Vec::new();
                self.columns(parameter, 0..*columns, &mut gradient);
                DMatrix::from_vec(*rows, *columns, gradient)
            }
        };
        self.0.iter().enumerate().map(whole).collect()
    }
}

/// The gradient of some columns of one parameter: what an optimiser sees of it.
pub struct GradientPart<'a, T: Real> {
    /// The gradient of all parameters.
    pub(crate) gradient: &'a LocalProduct<'a, T>,
    /// The parameter.
    pub(crate) parameter: usize,
    /// Its columns.
    pub(crate) columns: Range<usize>,
}

impl<T: Real> GradientPart<'_, T> {
    /// The numbers, column by column; worked out in `scratch` unless they are at hand.
    pub fn values<'s>(&'s self, scratch: &'s mut Vec<T>) -> &'s [T] {
        self.gradient.columns(self.parameter, self.columns.clone(), scratch)
    }

    /// Adds `scale` times the numbers to `sum`: at the cost of one pass less.
    pub fn add_to(&self, sum: &mut [T], scale: T) {
        self.gradient.add_columns(self.parameter, self.columns.clone(), scale, sum);
    }
}

fn slice<T: Real>(matrix: &DMatrix<T>, columns: Range<usize>) -> &[T] {
    &matrix.as_slice()[columns.start * matrix.nrows()..columns.end * matrix.nrows()]
}

/// sum <- keep sum + scale d v^T over all uses of an array with `rows` outputs, some `columns` of
/// it.
fn add_outer<T: Real>(
    uses: &[Factors<T>],
    columns: Range<usize>,
    scale: T,
    mut keep: T,
    rows: usize,
    sum: &mut [T],
) {
    if uses.is_empty() && keep == T::zero() {
        sum.fill(T::zero());
    }
    for Factors { d, v, rows: driving } in uses {
        let driving = driving.start + columns.start..driving.start + columns.end;
        let sum = ViewMut::from_slice_generic(sum, Dyn(rows), Dyn(columns.len()));
        match v.foreground(&driving) {
            Some(parts) => {
                d.multiply_sparse(&(0..rows), &Factor::Transposed(parts), scale, keep, sum)
            }
            None => d.multiply(&(0..rows), &Factor::Transposed(v.rows(&driving)), scale, keep, sum),
        }
        keep = T::one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_columns_are_those_of_the_whole_and_add_up() {
        let d = DMatrix::from_fn(3, 12, |i, j| (i as f64 + 1.0) * 0.25 - 0.125 * (j % 5) as f64);
        let inputs =
            DMatrix::from_fn(6, 12, |i, j| if (i + j) % 4 == 0 { 0.5 * j as f64 } else { -1.0 });
        let nodes = DMatrix::from_fn(4, 12, |i, j| 0.25 * (i * j % 7) as f64 - 0.5);
        let foreground = Foreground::of(&inputs);
        assert!(foreground.is_some());
        let v = Arc::new(Rows {
            inputs: Some(&inputs),
            nodes: nodes.clone(),
            together: None,
            foreground,
            input_count: 6,
        });
        let factors = |rows: Range<usize>| Factors::new(d.as_view(), &v, &rows);
        let at_hand = DMatrix::from_fn(3, 5, |i, j| (i * 3 + j) as f64);
        let product = LocalProduct(vec![
            Slope::Outer(vec![factors(0..6)], (3, 6)),
            Slope::Outer(vec![factors(6..10), factors(6..10)], (3, 4)),
            Slope::Outer(Vec::new(), (3, 2)),
            Slope::Whole(at_hand.clone()),
        ]);
        let expected = [
            -&d * inputs.transpose(),
            -2.0 * &d * nodes.transpose(),
            DMatrix::zeros(3, 2),
            at_hand.clone(),
        ];
        for ((parameter, expected), found) in expected.iter().enumerate().zip(product.whole()) {
            assert!((&found - expected).amax() < 1e-13, "parameter {parameter}");
            let columns = 1..expected.ncols();
            let part = expected.columns_range(columns.clone());
            assert_eq!(
                product.columns(parameter, columns.clone(), &mut vec![7.0; 3]),
                found.columns_range(columns.clone()).into_owned().as_slice()
            );
            let mut sum = DMatrix::from_element(3, columns.len(), 1.0);
            product.add_columns(parameter, columns, -0.5, sum.as_mut_slice());
            assert!(
                (sum - part.map(|slope| 1.0 - 0.5 * slope)).amax() < 1e-13,
                "parameter {parameter}"
            );
        }
    }
}
