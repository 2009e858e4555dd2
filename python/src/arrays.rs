//! Arrays of numpy and matrices of the library.
//!
//! A batch is samples x rows in Python, row by row, and rows x samples here, column by column: the
//! same numbers in the same order.

use equilux::arithmetic::Real;
use nalgebra::DMatrix;
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::number::Number;

fn wrong(message: String) -> PyErr {
    PyValueError::new_err(message)
}

/// The numbers of `value`, row by row, and how many rows and columns there are. Errors call it
/// `name` and say that `expected` was.
fn numbers<T: Number>(
    value: &Bound<PyAny>,
    name: &str,
    expected: &str,
) -> PyResult<(Vec<T>, usize, usize)> {
    if let Some(plain) = plain::<T, T>(value, |number| number) {
        return Ok(plain);
    }
    if let Some(plain) = plain::<T, f64>(value, T::of) {
        return Ok(plain);
    }
    let py = value.py();
    let numpy = py.import("numpy")?;
    let array = numpy
        .call_method1("asarray", (value,))
        .map_err(|e| wrong(format!("{name}: expected an array of {expected}: {}", e.value(py))))?;
    let dtype = array.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    if !["f", "i", "u", "b"].contains(&kind.as_str()) {
        return Err(wrong(format!(
            "{name}: an array of dtype {dtype}: expected real numbers, {expected}"
        )));
    }
    let shape: Vec<usize> = array.getattr("shape")?.extract()?;
    let [rows, columns] = shape[..] else {
        let dimensions = shape.len();
        return Err(wrong(format!(
            "{name}: an array of {dimensions} dimensions: expected two, {expected}"
        )));
    };
    if let Some(plain) = plain::<T, T>(&array, |number| number) {
        return Ok(plain);
    }
    // By double precision, as the library makes its numbers of others.
    let options = PyDict::new(py);
    options.set_item("dtype", f64::get_dtype(py))?;
    let array = numpy.call_method("ascontiguousarray", (&array,), Some(&options))?;
    let plain = plain::<T, f64>(&array, T::of);
    Ok(plain.unwrap_or((Vec::new(), rows, columns)))
}

/// The numbers of an array of two dimensions that holds them row by row as `S`, and its rows and
/// columns; nothing of another.
fn plain<T, S: Element + Copy>(
    value: &Bound<PyAny>,
    number: impl Fn(S) -> T,
) -> Option<(Vec<T>, usize, usize)> {
    let array = value.cast::<PyArray2<S>>().ok().filter(|array| array.is_c_contiguous())?;
    let [rows, columns] = *array.shape() else { return None };
    let array = array.readonly();
    Some((array.as_slice().ok()?.iter().map(|value| number(*value)).collect(), rows, columns))
}

fn check_finite<T: Real>(numbers: &[T], columns: usize, name: &str) -> PyResult<()> {
    // Counted without a branch, many at a time.
    if numbers.iter().filter(|number| !number.is_finite()).count() == 0 {
        return Ok(());
    }
    let at = numbers.iter().position(|number| !number.is_finite()).expect("counted");
    Err(wrong(format!(
        "{name}: row {}, column {}: expected a finite number ({}), found {}",
        at / columns,
        at % columns,
        T::NAME,
        numbers[at]
    )))
}

/// A batch, samples x `rows`, as rows x samples; of any number of rows unless it is given. `what`
/// says what its columns are.
pub fn batch<T: Number>(
    value: &Bound<PyAny>,
    name: &str,
    what: &str,
    rows: Option<usize>,
) -> PyResult<DMatrix<T>> {
    let expected = match rows {
        Some(rows) => format!("samples x {rows} {what}"),
        None => format!("samples x {what}"),
    };
    let (numbers, samples, found) = numbers::<T>(value, name, &expected)?;
    if samples == 0 || found == 0 || rows.is_some_and(|rows| rows != found) {
        return Err(wrong(format!(
            "{name}: an array of {samples} x {found}: expected {expected}, at least one of each"
        )));
    }
    check_finite(&numbers, found, name)?;
    Ok(DMatrix::from_vec(found, samples, numbers))
}

/// A matrix of `shape`, rows x columns as they are; of any shape unless it is given.
pub fn matrix<T: Number>(
    value: &Bound<PyAny>,
    name: &str,
    shape: Option<(usize, usize)>,
) -> PyResult<DMatrix<T>> {
    let expected = match shape {
        Some((rows, columns)) => format!("{rows} x {columns}"),
        None => "rows x columns".into(),
    };
    let (numbers, rows, columns) = numbers::<T>(value, name, &expected)?;
    let found = (rows, columns);
    if found.0 * found.1 == 0 || shape.is_some_and(|shape| shape != found) {
        return Err(wrong(format!("{name}: an array of {rows} x {columns}: expected {expected}")));
    }
    check_finite(&numbers, columns, name)?;
    Ok(DMatrix::from_row_slice(rows, columns, &numbers))
}

/// A batch, rows x samples, as an array of samples x rows; nothing is copied.
pub fn of_batch<T: Number>(py: Python, batch: DMatrix<T>) -> PyResult<Py<PyAny>> {
    let (rows, samples) = batch.shape();
    let numbers: Vec<T> = batch.data.into();
    Ok(PyArray1::from_vec(py, numbers).reshape([samples, rows])?.into_any().unbind())
}

/// A matrix as an array of as many rows and columns, column by column; nothing is copied.
pub fn of_matrix<T: Number>(py: Python, matrix: DMatrix<T>) -> PyResult<Py<PyAny>> {
    Ok(of_batch(py, matrix)?.bind(py).getattr("T")?.unbind())
}

/// A list of numbers as an array.
pub fn of_list<T: Element>(py: Python, list: Vec<T>) -> Py<PyAny> {
    PyArray1::from_vec(py, list).into_any().unbind()
}

/// A list of `count` true and false.
pub fn flags(value: &Bound<PyAny>, name: &str, count: usize) -> PyResult<Vec<bool>> {
    let flags: Vec<bool> = value
        .call_method0("tolist")
        .and_then(|list| list.extract())
        .or_else(|_: PyErr| value.extract())
        .map_err(|_| wrong(format!("{name}: expected {count} of True and False")))?;
    if flags.len() == count {
        return Ok(flags);
    }
    Err(wrong(format!("{name}: {} of True and False: expected {count}", flags.len())))
}
