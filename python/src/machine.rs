//! Machines: what settles, learns and is programmed.

use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Instant;

use equilux::coupler::Domain;
use equilux::experiment::Precision;
use equilux::learning::{Batch, Rule};
use equilux::state::State;
use equilux::system::{Correction, Cost, HeldCurrent, Nudge, Phase, System};
use equilux::training::{Checkpoint, Progress, predict};
use equilux::{Error, Result};
use nalgebra::DMatrix;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::arrays::{batch, matrix, of_batch, of_matrix};
use crate::calls::{call, exception};
use crate::experiment::Experiment;
use crate::measurement::Measurement;
use crate::number::Number;
use crate::open::PythonRule;

/// A system, of one's own or somebody else's for a while.
pub enum Hold<T: Number> {
    /// One's own.
    Own(Box<dyn System<T>>),
    /// A trainer's, while its rule is at work.
    Lent(Lent<T>),
    /// One that has been given back.
    Returned,
}

/// Somebody else's system.
pub struct Lent<T: Number>(NonNull<dyn System<T>>);

// SAFETY: systems may go from thread to thread, and this is used by the one that holds the lock.
unsafe impl<T: Number> Send for Lent<T> {}

impl<T: Number> Hold<T> {
    fn get(&mut self) -> Result<&mut dyn System<T>> {
        match self {
            Self::Own(system) => Ok(system.as_mut()),
            // SAFETY: `Machine::lend` takes it back before the borrow that it was made of ends, and
            // whoever is here holds the lock that taking it back needs.
            Self::Lent(system) => Ok(unsafe { system.0.as_mut() }),
            Self::Returned => Err(Error::Machine(
                "this machine was lent to a rule for one estimate, which is over".into(),
            )),
        }
    }
}

/// A system in either precision.
pub enum Held {
    F32(Hold<f32>),
    F64(Hold<f64>),
}

/// A machine that relaxes, seen through its instruments.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Machine {
    precision: Precision,
    /// Inputs, and where outputs begin and end.
    shape: (usize, usize, usize),
    held: Mutex<Held>,
}

/// Calls a generic method in the precision of a machine.
macro_rules! in_precision {
    ($machine:expr, $method:ident($($argument:expr),* $(,)?)) => {
        match $machine.precision {
            Precision::F32 => $machine.$method::<f32>($($argument),*),
            Precision::F64 => $machine.$method::<f64>($($argument),*),
        }
    };
}

/// The cost of a name.
fn cost_named(name: &str) -> PyResult<Cost> {
    serde_json::from_value(name.into()).map_err(|_| {
        PyValueError::new_err(format!(
            "cost = {name:?}: expected \"squared-error\" or \"cross-entropy\""
        ))
    })
}

/// The name of a cost.
pub fn cost_name(cost: Cost) -> String {
    serde_json::to_value(cost)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// dC/dv of outputs against targets, both samples x outputs.
#[pyfunction]
pub fn cost_slopes(
    py: Python,
    cost: &str,
    outputs: &Bound<PyAny>,
    targets: &Bound<PyAny>,
) -> PyResult<Py<PyAny>> {
    let cost = cost_named(cost)?;
    let outputs = batch::<f64>(outputs, "outputs", "outputs", None)?;
    let targets = batch::<f64>(targets, "targets", "outputs", Some(outputs.nrows()))?;
    same_samples(outputs.ncols(), "targets", targets.ncols())?;
    let mut slopes = outputs.clone();
    for (sample, (v, y)) in outputs.column_iter().zip(targets.column_iter()).enumerate() {
        cost.for_each_slope(v.as_slice(), y.as_slice(), |i, slope| slopes[(i, sample)] = slope);
    }
    of_batch(py, slopes)
}

/// Checks that an argument has as many samples as X.
pub fn same_samples(samples: usize, name: &str, found: usize) -> PyResult<()> {
    if samples == found {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{name}: {found} samples, X has {samples}: expected as many of both"
    )))
}

/// What a nudged or dyadic phase is asked for with.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Learning<'py> {
    dyadic: bool,
    beta: f64,
    cost: String,
    targets: Bound<'py, PyAny>,
    free: Py<Measurement>,
    correction: Option<Bound<'py, PyAny>>,
    release: bool,
}

impl Machine {
    pub fn new(mut held: Held) -> Self {
        fn shape<T: Number>(hold: &mut Hold<T>) -> (usize, usize, usize) {
            hold.get().map_or((0, 0, 0), |system| {
                let outputs = system.outputs();
                (system.inputs(), outputs.start, outputs.end)
            })
        }
        let (precision, shape) = match &mut held {
            Held::F32(hold) => (Precision::F32, shape(hold)),
            Held::F64(hold) => (Precision::F64, shape(hold)),
        };
        Self { precision, shape, held: Mutex::new(held) }
    }

    /// Lends `system` to Python code `with` it, and takes it back however that ends.
    pub fn lend<T: Number, R>(
        py: Python,
        system: &mut dyn System<T>,
        with: impl FnOnce(&Bound<Self>) -> PyResult<R>,
    ) -> PyResult<R> {
        struct Return<'a>(&'a Machine);
        impl Drop for Return<'_> {
            fn drop(&mut self) {
                // Whoever is still at work with it holds the lock.
                let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = match *held {
                    Held::F32(_) => Held::F32(Hold::Returned),
                    Held::F64(_) => Held::F64(Hold::Returned),
                };
            }
        }
        let lent: NonNull<dyn System<T> + '_> = NonNull::from(system);
        // SAFETY: only the lifetime is forgotten, and `Return` ends every use before it does.
        let lent: NonNull<dyn System<T>> = unsafe { std::mem::transmute(lent) };
        let machine = Bound::new(py, Self::new(T::held(Hold::Lent(Lent(lent)))))?;
        let _return = Return(machine.get());
        with(&machine)
    }

    /// Does `work` with the system on the library's threads.
    fn with<T: Number, R: Send>(
        &self,
        py: Python,
        work: impl FnOnce(&mut dyn System<T>) -> Result<R> + Send,
    ) -> PyResult<R> {
        call(py, || {
            let mut held = match self.held.try_lock() {
                Ok(held) => held,
                Err(TryLockError::Poisoned(held)) => held.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Machine(
                        "this machine is at work for another call: one at a time".into(),
                    ));
                }
            };
            let hold = T::of_held(&mut held).expect("of this precision");
            work(hold.get()?)
        })
    }

    fn inputs_of<T: Number>(&self, x: &Bound<PyAny>) -> PyResult<DMatrix<T>> {
        batch(x, "X", "inputs", Some(self.shape.0))
    }

    fn targets_of<T: Number>(
        &self,
        targets: &Bound<PyAny>,
        samples: usize,
    ) -> PyResult<DMatrix<T>> {
        let (_, start, end) = self.shape;
        let targets = batch::<T>(targets, "targets", "outputs", Some(end - start))?;
        same_samples(samples, "targets", targets.ncols())?;
        Ok(targets)
    }

    fn parameters_in<T: Number>(&self, py: Python) -> PyResult<Py<PyAny>> {
        let parameters = self.with::<T, _>(py, |system| Ok(system.parameters()))?;
        let list = PyList::empty(py);
        for parameter in parameters {
            let domain = match parameter.domain {
                Domain::Real => "real".to_owned(),
                Domain::Binary => "-1 or 1".to_owned(),
                Domain::Fixed => "fixed".to_owned(),
                Domain::Interval(low, high) => format!("{low} to {high}"),
            };
            list.append((parameter.name, of_matrix(py, parameter.values)?, domain))?;
        }
        Ok(list.into_any().unbind())
    }

    fn program_in<T: Number>(&self, py: Python, values: Vec<Bound<PyAny>>) -> PyResult<()> {
        let parameters = self.with::<T, _>(py, |system| Ok(system.parameters()))?;
        if parameters.len() != values.len() {
            let (expected, found) = (parameters.len(), values.len());
            return Err(PyValueError::new_err(format!("{found} parameters: expected {expected}")));
        }
        let values = parameters.iter().zip(values);
        let values = values.map(|(p, value)| matrix::<T>(&value, &p.name, Some(p.values.shape())));
        let mut values = values.collect::<PyResult<Vec<_>>>()?;
        self.with::<T, _>(py, |system| system.program(&mut values))
    }

    fn settle_in<T: Number>(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        learning: Option<Learning>,
    ) -> PyResult<Measurement> {
        let inputs = self.inputs_of::<T>(x)?;
        let Some(learning) = learning else {
            let measured = self.with::<T, _>(py, |system| system.settle(&inputs, &Phase::Free))?;
            return Ok(self.measured(measured));
        };
        let targets = self.targets_of::<T>(&learning.targets, inputs.ncols())?;
        let free = learning.free.get().of::<T>()?;
        same_samples(inputs.ncols(), "free", free.settled.len())?;
        let nudge = Nudge {
            beta: T::of(learning.beta),
            cost: cost_named(&learning.cost)?,
            targets: &targets,
            release: learning.release,
        };
        let held = match &learning.correction {
            Some(held) if !held.is_instance_of::<pyo3::types::PyString>() => {
                let nodes = free.values.nrows();
                let held = batch::<T>(held, "correction", "nodes", Some(nodes))?;
                same_samples(inputs.ncols(), "correction", held.ncols())?;
                Some(HeldCurrent(held))
            }
            _ => None,
        };
        let correction = match (&learning.correction, &held) {
            (_, Some(held)) => Correction::PortReversal(held),
            (None, _) => Correction::None,
            (Some(name), _) if name.extract::<String>()? == "digital-model" => {
                Correction::DigitalModel
            }
            (Some(name), _) => {
                return Err(PyValueError::new_err(format!(
                    "correction = {name}: expected None, \"digital-model\", or the current of \
                     held_current"
                )));
            }
        };
        let phase = match learning.dyadic {
            true => Phase::Dyadic { nudge, free },
            false => Phase::Nudged { nudge, correction, free },
        };
        let measured = self.with::<T, _>(py, |system| system.settle(&inputs, &phase))?;
        Ok(self.measured(measured))
    }

    fn measured<T: Number>(&self, measured: equilux::system::Measurement<T>) -> Measurement {
        let (_, start, end) = self.shape;
        Measurement::new(measured, start..end)
    }

    fn held_current_in<T: Number>(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        free: &Measurement,
    ) -> PyResult<Py<PyAny>> {
        let (inputs, free) = (self.inputs_of::<T>(x)?, free.of::<T>()?);
        same_samples(inputs.ncols(), "free", free.settled.len())?;
        let held = self.with::<T, _>(py, |system| system.held_current(&inputs, free))?;
        of_batch(py, held.0)
    }

    fn local_product_in<T: Number>(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        d: &Bound<PyAny>,
        at: &Bound<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let inputs = self.inputs_of::<T>(x)?;
        let at = batch::<T>(at, "at", "nodes", None)?;
        let d = batch::<T>(d, "d", "nodes", Some(at.nrows()))?;
        same_samples(inputs.ncols(), "d", d.ncols())?;
        same_samples(inputs.ncols(), "at", at.ncols())?;
        let product = |system: &mut dyn System<T>| Ok(system.local_product(&inputs, d, at).whole());
        gradient(py, self.with::<T, _>(py, product)?)
    }

    fn estimate_in<T: Number>(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        targets: &Bound<PyAny>,
        experiment: &Experiment,
        rule: Option<Py<PyAny>>,
        update: u64,
    ) -> PyResult<(Py<PyAny>, Measurement, [usize; 3])> {
        let inputs = self.inputs_of::<T>(x)?;
        let targets = self.targets_of::<T>(targets, inputs.ncols())?;
        let experiment = &experiment.content;
        let learning = &experiment.learning;
        let moves = rule.is_none() && learning.rule.traits().moves_parameters;
        let rule: Box<dyn Rule<T>> = match rule {
            Some(own) => Box::new(PythonRule::new(py, own)?),
            None => learning.rule(experiment.seed),
        };
        let batch = Batch { inputs: &inputs, targets: &targets, cost: learning.cost, update };
        let (gradient_found, free, counts) = self.with::<T, _>(py, |system| {
            let before = moves.then(|| (system.parameters(), system.state()));
            let estimate = rule.estimate(system, &batch);
            // What moves parameters leaves the machine as it was.
            if let Some((parameters, state)) = before {
                let mut values: Vec<_> = parameters.into_iter().map(|p| p.values).collect();
                system.program(&mut values)?;
                system.restore(&state)?;
            }
            let estimate = estimate?;
            let counts = [estimate.unsettled, estimate.left, estimate.truncated];
            Ok((estimate.gradient.whole(), estimate.free, counts))
        })?;
        Ok((gradient(py, gradient_found)?, self.measured(free), counts))
    }

    fn predict_in<T: Number>(&self, py: Python, x: &Bound<PyAny>) -> PyResult<Vec<usize>> {
        let inputs = self.inputs_of::<T>(x)?;
        let labels = vec![0; inputs.ncols()].into();
        let examples = equilux::data::Examples { inputs, labels };
        self.with::<T, _>(py, |system| predict(system, &examples))
    }

    fn class_targets_in<T: Number>(
        &self,
        py: Python,
        experiment: &Experiment,
        labels: Vec<usize>,
    ) -> PyResult<Py<PyAny>> {
        let (_, start, end) = self.shape;
        if let Some(label) = labels.iter().find(|label| **label >= end - start) {
            let classes = end - start;
            return Err(PyValueError::new_err(format!(
                "y: class {label}: the machine has {classes} outputs, expected 0 to {}",
                classes - 1
            )));
        }
        of_batch(
            py,
            experiment.content.learning.objective().class_targets::<T>(&labels, end - start),
        )
    }

    fn bytes_in<T: Number>(&self, py: Python) -> PyResult<Vec<u8>> {
        let (parameters, machine, spent) = self.with::<T, _>(py, |system| {
            Ok((system.parameters(), system.state(), system.expense()))
        })?;
        let checkpoint = Checkpoint {
            parameters: parameters.into_iter().map(|p| (p.name, p.values)).collect(),
            machine,
            optimiser: State::default(),
            progress: Progress {
                precision: T::NAME.into(),
                updates: 0,
                spent,
                metrics: Vec::new(),
                begun: None,
            },
            origin: String::new(),
        };
        checkpoint.bytes(Path::new("machine")).map_err(exception)
    }

    fn restore_in<T: Number>(&self, py: Python, bytes: &[u8], same_hardware: bool) -> PyResult<()> {
        self.with::<T, _>(py, |system| {
            let path = Path::new("machine");
            Checkpoint::<T>::parse(bytes, path)?.program(system, same_hardware, path)
        })
    }

    fn seconds_in<T: Number>(&self, py: Python, x: &Bound<PyAny>, times: u32) -> PyResult<f64> {
        let inputs = self.inputs_of::<T>(x)?;
        let begin = Instant::now();
        for _ in 0..times {
            self.with::<T, _>(py, |system| system.settle(&inputs, &Phase::Free).map(drop))?;
        }
        Ok(begin.elapsed().as_secs_f64() / f64::from(times.max(1)))
    }

    fn facts_in<T: Number>(&self, py: Python) -> PyResult<String> {
        self.with::<T, _>(py, |system| {
            let expense = system.expense();
            let facts = serde_json::json!({
                "description": system.describe(),
                "expense": expense,
                "saturation": system.saturation(),
                "non_reciprocity": system.non_reciprocity(),
                "resolution": system.resolution().map(|r| serde_json::json!({
                    "tolerance": r.tolerance, "noise": r.noise,
                })),
                "derivative_by": system.derivative_by(),
            });
            Ok(facts.to_string())
        })
    }
}

/// A gradient as a list of arrays.
pub fn gradient<T: Number>(py: Python, gradient: Vec<DMatrix<T>>) -> PyResult<Py<PyAny>> {
    let list = PyList::empty(py);
    for matrix in gradient {
        list.append(of_matrix(py, matrix)?)?;
    }
    Ok(list.into_any().unbind())
}

#[pymethods]
impl Machine {
    /// The untrained machine of an experiment.
    #[staticmethod]
    fn build(py: Python, experiment: &Experiment) -> PyResult<Self> {
        let experiment = &experiment.content;
        let held = call(py, || {
            Ok(match experiment.precision {
                Precision::F32 => Held::F32(Hold::Own(experiment.machine()?)),
                Precision::F64 => Held::F64(Hold::Own(experiment.machine()?)),
            })
        })?;
        Ok(Self::new(held))
    }

    #[getter]
    fn precision(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "float32",
            Precision::F64 => "float64",
        }
    }

    /// Inputs, and where outputs begin and end.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        self.shape
    }

    fn parameters(&self, py: Python) -> PyResult<Py<PyAny>> {
        in_precision!(self, parameters_in(py))
    }

    fn program(&self, py: Python, values: Vec<Bound<PyAny>>) -> PyResult<()> {
        in_precision!(self, program_in(py, values))
    }

    #[pyo3(signature = (x, learning=None))]
    fn settle(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        learning: Option<Learning>,
    ) -> PyResult<Measurement> {
        in_precision!(self, settle_in(py, x, learning))
    }

    fn held_current(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        free: &Bound<Measurement>,
    ) -> PyResult<Py<PyAny>> {
        in_precision!(self, held_current_in(py, x, free.get()))
    }

    fn local_product(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        d: &Bound<PyAny>,
        at: &Bound<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        in_precision!(self, local_product_in(py, x, d, at))
    }

    #[pyo3(signature = (x, targets, experiment, rule=None, update=0))]
    fn estimate(
        &self,
        py: Python,
        x: &Bound<PyAny>,
        targets: &Bound<PyAny>,
        experiment: &Experiment,
        rule: Option<Py<PyAny>>,
        update: u64,
    ) -> PyResult<(Py<PyAny>, Measurement, [usize; 3])> {
        in_precision!(self, estimate_in(py, x, targets, experiment, rule, update))
    }

    fn predict(&self, py: Python, x: &Bound<PyAny>) -> PyResult<Vec<usize>> {
        in_precision!(self, predict_in(py, x))
    }

    fn class_targets(
        &self,
        py: Python,
        experiment: &Experiment,
        labels: Vec<usize>,
    ) -> PyResult<Py<PyAny>> {
        in_precision!(self, class_targets_in(py, experiment, labels))
    }

    /// Parameters and state, as a checkpoint.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &in_precision!(self, bytes_in(py))?))
    }

    /// Puts back what `to_bytes` gave, or the parameters of it alone.
    fn restore(&self, py: Python, bytes: &[u8], same_hardware: bool) -> PyResult<()> {
        in_precision!(self, restore_in(py, bytes, same_hardware))
    }

    /// Seconds of one settling, as the library takes them when a thread of its own calls it, for
    /// `benches/python.py`.
    fn seconds_of_settling(&self, py: Python, x: &Bound<PyAny>, times: u32) -> PyResult<f64> {
        in_precision!(self, seconds_in(py, x, times))
    }

    fn facts(&self, py: Python) -> PyResult<String> {
        in_precision!(self, facts_in(py))
    }
}

/// Cosine and relative error of an estimate against an exact gradient, both lists of arrays.
#[pyfunction]
pub fn fidelity(estimate: Vec<Bound<PyAny>>, exact: Vec<Bound<PyAny>>) -> PyResult<(f64, f64)> {
    let read = |arrays: &[Bound<PyAny>]| -> PyResult<Vec<DMatrix<f64>>> {
        arrays.iter().map(|array| matrix(array, "gradient", None)).collect()
    };
    let (estimate, exact) = (read(&estimate)?, read(&exact)?);
    let same = estimate.len() == exact.len()
        && estimate.iter().zip(&exact).all(|(a, b)| a.shape() == b.shape());
    if !same {
        return Err(PyValueError::new_err(
            "gradients of other shapes: expected the same machine's",
        ));
    }
    let found = equilux::learning::fidelity(&estimate, &exact);
    Ok((found.cosine, found.relative_error))
}
