//! Targets of a regression: from what outputs show to values, and how close these are.

use equilux::data::{Labels, Outputs, Target};
use equilux::system::Cost;
use equilux::training::{Fit, Objective};
use nalgebra::DMatrix;
use pyo3::prelude::*;

use crate::arrays::{batch, of_batch};

/// What outputs stand for: targets with their ranges, and the ends of what an output shows of them.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Targets {
    meaning: Outputs,
    objective: Objective,
}

impl Targets {
    /// Those of a run; nothing where its outputs stand for classes.
    pub fn of(meaning: &Outputs, objective: Objective) -> Option<Self> {
        let meaning = meaning.clone();
        (!meaning.targets().is_empty()).then_some(Self { meaning, objective })
    }
}

#[pymethods]
impl Targets {
    #[new]
    fn new(targets: Vec<(String, f64, f64)>, off: f64, on: f64) -> Self {
        let target = |(name, low, high)| Target { name, low, high };
        let meaning = Outputs::Targets(targets.into_iter().map(target).collect());
        let cost = Cost::SquaredError;
        Self { meaning, objective: Objective { cost, target_off: off, target_on: on } }
    }

    /// What makes the same one.
    fn parts(&self) -> (Vec<(String, f64, f64)>, f64, f64) {
        let part = |target: &Target| (target.name.clone(), target.low, target.high);
        let targets = self.meaning.targets().iter().map(part).collect();
        (targets, self.objective.target_off, self.objective.target_on)
    }

    /// What they are called.
    fn names(&self) -> Vec<String> {
        self.meaning.names()
    }

    /// The values (samples x targets) that outputs tell (samples x outputs).
    fn __call__(&self, py: Python, outputs: &Bound<PyAny>) -> PyResult<Py<PyAny>> {
        let shown = batch::<f64>(outputs, "outputs", "outputs", Some(self.meaning.len()))?;
        match self.objective.labels(&shown, &self.meaning) {
            Labels::Values(values) => of_batch(py, values),
            Labels::Classes(_) => unreachable!("outputs stand for targets"),
        }
    }

    /// What outputs should show (samples x outputs) of values (samples x targets).
    fn shown(&self, py: Python, values: &Bound<PyAny>) -> PyResult<Py<PyAny>> {
        let values: DMatrix<f64> = batch(values, "y", "targets", Some(self.meaning.len()))?;
        of_batch::<f64>(py, self.objective.targets(&Labels::Values(values), &self.meaning))
    }

    /// R2, root mean square and mean absolute error of values (samples x targets) that were told of
    /// known ones: means of several targets.
    fn fit(&self, known: &Bound<PyAny>, told: &Bound<PyAny>) -> PyResult<(f64, f64, f64)> {
        let targets = Some(self.meaning.len());
        let known: DMatrix<f64> = batch(known, "y", "targets", targets)?;
        let told: DMatrix<f64> = batch(told, "told", "targets", targets)?;
        if known.ncols() != told.ncols() {
            let (found, expected) = (known.ncols(), told.ncols());
            return Err(pyo3::exceptions::PyValueError::new_err(format!(
                "y: targets of {found} samples, X has {expected} samples"
            )));
        }
        let Fit { r2, rmse, mae } = Fit::of(&told, &known).expect("at least one target");
        Ok((r2, rmse, mae))
    }
}
