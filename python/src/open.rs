//! What is open: a rule and a machine written in Python.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use equilux::coupler::{Domain, Expense, Parameter};
use equilux::learning::{Batch, Estimate, Rule, Signal};
use equilux::state::State;
use equilux::system::{
    Correction, Cost, HeldCurrent, LocalProduct, Measurement as Measured, Nudge, Phase, System,
};
use equilux::{Error, Result};
use nalgebra::DMatrix;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{batch, flags, matrix, of_batch, of_matrix};
use crate::calls::{carried, thrown};
use crate::machine::{Machine, cost_name, same_samples};
use crate::measurement::{Measurement, measured};
use crate::number::Number;

/// `name` for as long as the program runs, each once.
fn lasting(name: String) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    match names.get(name.as_str()) {
        Some(known) => known,
        None => {
            let name: &'static str = Box::leak(name.into_boxed_str());
            names.insert(name);
            name
        }
    }
}

/// A rule written in Python.
pub struct PythonRule {
    object: Py<PyAny>,
    name: &'static str,
    nudge: Option<f64>,
}

impl PythonRule {
    pub fn new(py: Python, object: Py<PyAny>) -> PyResult<Self> {
        let name: String = object.getattr(py, "name")?.extract(py)?;
        let nudge = object.getattr(py, "nudge")?.extract(py)?;
        Ok(Self { name: lasting(name), nudge, object })
    }
}

impl<T: Number> Rule<T> for PythonRule {
    fn name(&self) -> &'static str {
        self.name
    }

    fn nudge(&self) -> Option<f64> {
        self.nudge
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let found = Python::attach(|py| {
            let inputs = of_batch(py, batch.inputs.clone())?;
            let targets = of_batch(py, batch.targets.clone())?;
            let cost = cost_name(batch.cost);
            Machine::lend(py, system, |machine| {
                let arguments = (machine, inputs, targets, cost, batch.update);
                let found = self.object.bind(py).call_method1("_estimate", arguments)?;
                Found::read(py, &found, batch)
            })
        });
        let Found { free, used, content } = found.map_err(carried)?;
        Ok(match content {
            Content::Signal(signal) => Estimate::of_signal(system, batch, free, &used, signal),
            Content::Gradient(values) => {
                let parameters = system.parameters();
                let shapes = parameters.iter().map(|parameter| parameter.values.shape());
                if !shapes.eq(values.iter().map(DMatrix::shape)) {
                    return Err(Error::input(format!(
                        "{}: a gradient of other shapes than the parameters",
                        self.name
                    )));
                }
                Estimate::of_gradient(values, free, &used)
            }
        })
    }
}

/// What a rule in Python hands back.
struct Found<T: Number> {
    free: Measured<T>,
    used: Vec<bool>,
    content: Content<T>,
}

enum Content<T: Number> {
    Signal(Signal<T>),
    Gradient(Vec<DMatrix<T>>),
}

impl<T: Number> Found<T> {
    /// Reads (free, used, d, at, None) or (free, used, None, None, gradient).
    fn read(py: Python, found: &Bound<PyAny>, of: &Batch<T>) -> PyResult<Self> {
        type Parts<'py> = (
            Py<Measurement>,
            Bound<'py, PyAny>,
            Option<Bound<'py, PyAny>>,
            Option<Bound<'py, PyAny>>,
            Option<Vec<Bound<'py, PyAny>>>,
        );
        let (free, used, d, at, gradient): Parts = found.extract()?;
        let free = free.bind(py).get().of::<T>()?.clone();
        let samples = of.inputs.ncols();
        same_samples(samples, "free", free.settled.len())?;
        let used = flags(&used, "used", samples)?;
        let content = match (d, at, gradient) {
            (Some(d), Some(at), _) => {
                let nodes = free.values.nrows();
                let d = batch::<T>(&d, "d", "nodes", Some(nodes))?;
                let at = batch::<T>(&at, "at", "nodes", Some(nodes))?;
                same_samples(samples, "d", d.ncols())?;
                same_samples(samples, "at", at.ncols())?;
                Content::Signal(Signal { d, at })
            }
            (_, _, Some(gradient)) => {
                let each = gradient.iter().map(|array| matrix(array, "gradient", None));
                Content::Gradient(each.collect::<PyResult<_>>()?)
            }
            _ => return Err(PyValueError::new_err("a rule: expected a Signal or a gradient")),
        };
        Ok(Self { free, used, content })
    }
}

/// A machine written in Python. It has no state of its own for checkpoints.
pub struct PythonSystem<T: Number> {
    object: Py<PyAny>,
    description: String,
    inputs: usize,
    outputs: Range<usize>,
    parameters: Vec<Parameter<T>>,
    number: PhantomData<T>,
}

impl<T: Number> PythonSystem<T> {
    pub fn new(py: Python, object: Py<PyAny>) -> PyResult<Self> {
        type Facts<'py> =
            (String, usize, (usize, usize), Vec<(String, Bound<'py, PyAny>, Bound<'py, PyAny>)>);
        let facts = object.bind(py).call_method0("_facts")?;
        let (description, inputs, (start, end), listed): Facts = facts.extract()?;
        let mut parameters = Vec::new();
        for (name, values, domain) in listed {
            let values = matrix::<T>(&values, &name, None)?;
            let domain = match domain.extract::<(f64, f64)>() {
                Ok((low, high)) => Domain::Interval(T::of(low), T::of(high)),
                Err(_) => match domain.extract::<String>()?.as_str() {
                    "real" => Domain::Real,
                    "binary" => Domain::Binary,
                    "fixed" => Domain::Fixed,
                    other => {
                        return Err(PyValueError::new_err(format!(
                            "domains[{name:?}] = {other:?}: expected \"real\", \"binary\", \
                             \"fixed\" or (low, high)"
                        )));
                    }
                },
            };
            parameters.push(Parameter::new(name, values, domain));
        }
        let outputs = start..end;
        Ok(Self { object, description, inputs, outputs, parameters, number: PhantomData })
    }

    /// Parameters by name, as a dictionary of arrays.
    fn named<'py>(&self, py: Python<'py>, values: &[DMatrix<T>]) -> PyResult<Bound<'py, PyDict>> {
        let named = PyDict::new(py);
        for (parameter, values) in self.parameters.iter().zip(values) {
            named.set_item(&parameter.name, of_matrix(py, values.clone())?)?;
        }
        Ok(named)
    }

    /// Arrays by name, in the order and shapes of the parameters.
    fn in_order(&self, named: &Bound<PyAny>, what: &str) -> PyResult<Vec<DMatrix<T>>> {
        let each = self.parameters.iter().map(|parameter| {
            let name = &parameter.name;
            let values = named.get_item(name).map_err(|_| {
                PyValueError::new_err(format!("{what}: nothing for the parameter {name}"))
            })?;
            matrix(&values, &format!("{what}[{name:?}]"), Some(parameter.values.shape()))
        });
        each.collect()
    }

    fn settled(&self, py: Python, inputs: &DMatrix<T>, phase: &Phase<T>) -> PyResult<Measured<T>> {
        let object = self.object.bind(py);
        let x = of_batch(py, inputs.clone())?;
        let asked = PyDict::new(py);
        let nudged = |nudge: &Nudge<T>, free: &Measured<T>| -> PyResult<()> {
            asked.set_item("beta", nudge.beta.f64())?;
            asked.set_item("cost", cost_name(nudge.cost))?;
            asked.set_item("targets", of_batch(py, nudge.targets.clone())?)?;
            asked.set_item("free", of_batch(py, free.values.clone())?)
        };
        let nodes = match phase {
            Phase::Nudged { nudge, correction, free } => {
                asked.set_item("name", "nudged")?;
                nudged(nudge, free)?;
                match correction {
                    Correction::PortReversal(held) => {
                        asked.set_item("correction", "port-reversal")?;
                        asked.set_item("held", of_batch(py, held.0.clone())?)?;
                    }
                    Correction::DigitalModel => asked.set_item("correction", "digital-model")?,
                    _ => {}
                }
                Some(free.values.nrows())
            }
            Phase::Dyadic { nudge, free } => {
                asked.set_item("name", "dyadic")?;
                nudged(nudge, free)?;
                Some(free.values.nrows())
            }
            _ => {
                asked.set_item("name", "free")?;
                None
            }
        };
        type Parts<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);
        let found = object.call_method1("_settle", (x, asked))?;
        let (values, settled, difference): Parts = found.extract()?;
        let shape = (nodes, inputs.ncols());
        measured(&values, shape, settled.as_ref(), difference.as_ref())
    }
}

impl<T: Number> System<T> for PythonSystem<T> {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> Range<usize> {
        self.outputs.clone()
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        self.parameters.clone()
    }

    fn program(&mut self, values: &mut [DMatrix<T>]) -> Result<()> {
        let held = Python::attach(|py| {
            let named = self.named(py, values)?;
            let held = self.object.bind(py).call_method1("program", (named,))?;
            if held.is_none() { Ok(None) } else { self.in_order(&held, "program").map(Some) }
        });
        if let Some(held) = held.map_err(carried)? {
            values.clone_from_slice(&held);
        }
        let parameters = self.parameters.iter_mut().zip(values.iter());
        parameters.for_each(|(parameter, values)| parameter.values.copy_from(values));
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measured<T>> {
        Python::attach(|py| self.settled(py, inputs, phase)).map_err(carried)
    }

    fn held_current(&mut self, inputs: &DMatrix<T>, free: &Measured<T>) -> Result<HeldCurrent<T>> {
        let held = Python::attach(|py| {
            let arguments = (of_batch(py, inputs.clone())?, of_batch(py, free.values.clone())?);
            let held = self.object.bind(py).call_method1("held_current", arguments)?;
            batch(&held, "held_current", "nodes", Some(free.values.nrows()))
        });
        Ok(HeldCurrent(held.map_err(carried)?))
    }

    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: DMatrix<T>,
        at: DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        let product = Python::attach(|py| {
            let arguments = (of_batch(py, inputs.clone())?, of_batch(py, d)?, of_batch(py, at)?);
            let named = self.object.bind(py).call_method1("local_product", arguments)?;
            self.in_order(&named, "local_product")
        });
        match product {
            Ok(gradient) => gradient.into(),
            Err(raised) => thrown(raised),
        }
    }

    fn expense(&self) -> Expense {
        let seconds = Python::attach(|py| {
            self.object.bind(py).call_method0("expense").and_then(|seconds| seconds.extract())
        });
        let seconds = seconds.unwrap_or_else(|raised: PyErr| thrown(raised));
        Expense { seconds, ..Expense::default() }
    }

    fn state(&self) -> State<T> {
        State::default()
    }

    fn restore(&mut self, _: &State<T>) -> Result<()> {
        Ok(())
    }

    fn adjoint(
        &self,
        inputs: &DMatrix<T>,
        cost: Cost,
        targets: &DMatrix<T>,
    ) -> Result<Option<(Measured<T>, DMatrix<T>)>> {
        let found = Python::attach(|py| {
            let (x, targets) = (of_batch(py, inputs.clone())?, of_batch(py, targets.clone())?);
            let arguments = (x, cost_name(cost), targets);
            let found = self.object.bind(py).call_method1("adjoint", arguments)?;
            if found.is_none() {
                return Ok(None);
            }
            let (values, a): (Bound<PyAny>, Bound<PyAny>) = found.extract()?;
            let free = measured::<T>(&values, (None, inputs.ncols()), None, None)?;
            let a = batch(&a, "adjoint: a", "nodes", Some(free.values.nrows()))?;
            Ok(Some((free, a)))
        });
        found.map_err(carried)
    }
}
