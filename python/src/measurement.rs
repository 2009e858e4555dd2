//! Measurements: what instruments say of a batch at the end of a phase.

use std::ops::Range;

use equilux::system;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::arrays::{batch, flags, of_batch, of_list};
use crate::number::Number;

/// A measurement in either precision.
pub enum Measured {
    F32(system::Measurement<f32>),
    F64(system::Measurement<f64>),
}

/// Does the same with a measurement in either precision.
macro_rules! either {
    ($measured:expr, $name:ident => $do:expr) => {
        match $measured {
            Measured::F32($name) => $do,
            Measured::F64($name) => $do,
        }
    };
}

/// What instruments say of a batch at the end of a phase.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Measurement {
    measured: Measured,
    outputs: Range<usize>,
    values: PyOnceLock<Py<PyAny>>,
}

impl Measurement {
    pub fn new<T: Number>(measured: system::Measurement<T>, outputs: Range<usize>) -> Self {
        Self { measured: T::measured(measured), outputs, values: PyOnceLock::new() }
    }

    /// The measurement in the precision of the machine that asks.
    pub fn of<T: Number>(&self) -> PyResult<&system::Measurement<T>> {
        T::of_measured(&self.measured).ok_or_else(|| {
            PyValueError::new_err(format!(
                "free: a measurement of another precision: expected one of a machine in {}",
                T::NAME
            ))
        })
    }
}

/// A measurement of `values`, samples x nodes, that a machine of one's own made.
pub fn measured<T: Number>(
    values: &Bound<PyAny>,
    (nodes, samples): (Option<usize>, usize),
    settled: Option<&Bound<PyAny>>,
    difference: Option<&Bound<PyAny>>,
) -> PyResult<system::Measurement<T>> {
    let values = batch::<T>(values, "settle: values", "nodes", nodes)?;
    if values.ncols() != samples {
        let found = values.ncols();
        return Err(PyValueError::new_err(format!(
            "settle: values of {found} samples: expected {samples}, as many as X has"
        )));
    }
    let nodes = values.nrows();
    let mut measured = system::Measurement::settled(values);
    if let Some(settled) = settled {
        measured.settled = flags(settled, "settle: settled", samples)?;
    }
    if let Some(difference) = difference {
        measured.difference = Some(batch(difference, "settle: difference", "nodes", Some(nodes))?);
    }
    Ok(measured)
}

#[pymethods]
impl Measurement {
    /// Node values, samples x nodes.
    #[getter]
    fn values(&self, py: Python) -> PyResult<Py<PyAny>> {
        let values = self.values.get_or_try_init(
            py,
            || either!(&self.measured, measured => of_batch(py, measured.values.clone())),
        )?;
        Ok(values.clone_ref(py))
    }

    /// Differences of the two copies of the dyadic phase, samples x nodes.
    #[getter]
    fn difference(&self, py: Python) -> PyResult<Option<Py<PyAny>>> {
        either!(&self.measured, measured => {
            measured.difference.clone().map(|difference| of_batch(py, difference)).transpose()
        })
    }

    /// Values of the output nodes, samples x outputs.
    #[getter]
    fn outputs(&self, py: Python) -> PyResult<Py<PyAny>> {
        either!(&self.measured, measured => {
            of_batch(py, measured.values.rows_range(self.outputs.clone()).clone_owned())
        })
    }

    #[getter]
    fn settled(&self, py: Python) -> Py<PyAny> {
        of_list(py, either!(&self.measured, measured => measured.settled.clone()))
    }

    #[getter]
    fn used(&self, py: Python) -> Py<PyAny> {
        of_list(py, either!(&self.measured, measured => measured.used()))
    }

    #[getter]
    fn left(&self, py: Python) -> Py<PyAny> {
        of_list(
            py,
            either!(&self.measured, measured => {
                let samples = measured.settled.len();
                if measured.left.is_empty() { vec![false; samples] } else { measured.left.clone() }
            }),
        )
    }

    #[getter]
    fn steps(&self, py: Python) -> Py<PyAny> {
        let steps = either!(&self.measured, measured => measured.steps.clone());
        of_list(py, steps.into_iter().map(|steps| steps as i64).collect::<Vec<i64>>())
    }
}
