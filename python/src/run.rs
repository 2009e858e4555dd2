//! Training runs: an experiment with its data, machine and rule, or those of Python.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use equilux::data::{Columns, Dataset, Labels, Task};
use equilux::experiment::{
    Experiment as Content, Given, Moment, Place, Precision, RunDirectory, Session, TrainingRun,
    outcome,
};
use equilux::report::write_training_run;
use equilux::training::{EpochMetrics, Summary};
use equilux::{Error, Result, data};
use nalgebra::DVector;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::{batch, of_batch, of_list};
use crate::calls::{call, exception, long_call};
use crate::experiment::Experiment;
use crate::machine::{Hold, Machine};
use crate::number::Number;
use crate::open::{PythonRule, PythonSystem};
use crate::targets::Targets;

/// How often Python hears how far an epoch is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// From features to a machine's inputs.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Scaler {
    scaler: data::Scaler,
    precision: Precision,
}

#[pymethods]
impl Scaler {
    #[new]
    fn new(offset: Vec<f64>, factor: Vec<f64>, clip: f64, precision: &str) -> PyResult<Self> {
        if offset.len() != factor.len() {
            return Err(PyValueError::new_err("expected an offset and a factor for each feature"));
        }
        let scaler = data::Scaler::new(DVector::from_vec(offset), DVector::from_vec(factor), clip);
        let precision = match precision {
            "float32" => Precision::F32,
            _ => Precision::F64,
        };
        Ok(Self { scaler, precision })
    }

    /// What makes the same one.
    fn parts(&self) -> (Vec<f64>, Vec<f64>, f64, &'static str) {
        let name = match self.precision {
            Precision::F32 => "float32",
            Precision::F64 => "float64",
        };
        let numbers = |vector: &DVector<f64>| vector.as_slice().to_vec();
        let Self { scaler, .. } = self;
        (numbers(scaler.offset()), numbers(scaler.factor()), scaler.clip(), name)
    }

    fn __call__(&self, py: Python, x: &Bound<PyAny>) -> PyResult<Py<PyAny>> {
        let features = batch::<f64>(x, "X", "features", Some(self.scaler.offset().len()))?;
        let all: Vec<usize> = (0..features.ncols()).collect();
        match self.precision {
            Precision::F32 => of_batch(py, self.scaler.inputs::<f32>(&features, &all)),
            Precision::F64 => of_batch(py, self.scaler.inputs::<f64>(&features, &all)),
        }
    }
}

/// A run in either precision.
enum Either {
    F32(TrainingRun<f32>),
    F64(TrainingRun<f64>),
}

/// Does the same with a run in either precision.
macro_rules! either {
    ($run:expr, $name:ident => $do:expr) => {
        match $run {
            Either::F32($name) => $do,
            Either::F64($name) => $do,
        }
    };
}

/// A training run.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Run {
    run: Mutex<Either>,
}

/// Features, samples x features, with a label each, or values, samples x targets, and the names of
/// these; the last so many samples are to test.
type DataOfPython<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Vec<String>, usize);

/// What Python gives in place of an experiment's own.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct OfPython<'py> {
    data: Option<DataOfPython<'py>>,
    system: Option<Py<PyAny>>,
    rule: Option<Py<PyAny>>,
}

fn given<T: Number>(py: Python, own: OfPython, task: Task) -> PyResult<Given<T>> {
    let mut given = Given::default();
    if let Some((x, y, names, test)) = own.data {
        let features = batch::<f64>(&x, "X", "features", None)?;
        let samples = features.ncols();
        let dataset = match task {
            Task::Classification => {
                Dataset::of_samples("data", features, &y.extract::<Vec<String>>()?)
            }
            Task::Regression => {
                let values = batch::<f64>(&y, "y", "targets", None)?;
                Dataset::of_values("data", features, names, values)
            }
        };
        let mut dataset = dataset.map_err(|error| {
            exception(Error::input(error.to_string().replacen("data: ", "y: ", 1)))
        })?;
        dataset.test_from = (test > 0).then(|| samples - test);
        given.data = Some(dataset);
    }
    if let Some(system) = own.system {
        given.system = Some(Box::new(PythonSystem::new(py, system)?));
    }
    if let Some(rule) = own.rule {
        given.rule = Some(Box::new(PythonRule::new(py, rule)?));
    }
    Ok(given)
}

fn opened<T: Number>(
    py: Python,
    experiment: Content,
    own: OfPython,
    name: &str,
    place: &Place,
) -> PyResult<TrainingRun<T>> {
    let given = given::<T>(py, own, experiment.data.task)?;
    call(py, || TrainingRun::open(experiment, given, name, place))
}

fn json(what: &impl serde::Serialize) -> String {
    serde_json::to_string(what).expect("names and numbers")
}

/// A machine like that of a session, as it is now; of one in a laboratory, the simulated one.
fn machine_of<T: Number>(session: &Session<T>) -> Result<Machine> {
    let path = Path::new("the run");
    let mut machine = session.experiment.simulated().machine::<T>()?;
    session.trainer.checkpoint(String::new()).program(machine.as_mut(), true, path)?;
    Ok(Machine::new(T::held(Hold::Own(machine))))
}

fn scaler_of<T: Number>(session: &Session<T>) -> Scaler {
    let precision = if T::NAME == "f32" { Precision::F32 } else { Precision::F64 };
    Scaler { scaler: session.scaler.clone(), precision }
}

impl Run {
    fn with<R: Send>(
        &self,
        py: Python,
        work: impl FnOnce(&mut Either) -> Result<R> + Send,
    ) -> PyResult<R> {
        call(py, || {
            let busy = |_| Error::Machine("this run is at work for another call".into());
            work(&mut *self.run.try_lock().map_err(busy)?)
        })
    }
}

#[pymethods]
impl Run {
    /// Opens an experiment, at a `place`: "memory", "new" or "resume", the latter in `out` or the
    /// usual directory.
    #[staticmethod]
    fn open(
        py: Python,
        experiment: &Experiment,
        name: &str,
        place: &str,
        out: Option<PathBuf>,
        own: OfPython,
    ) -> PyResult<Self> {
        let place = match place {
            "new" => Place::New(out),
            "resume" => Place::Resume(out),
            _ => Place::Memory,
        };
        let experiment = experiment.content.clone();
        let run = match experiment.precision {
            Precision::F32 => Either::F32(opened(py, experiment, own, name, &place)?),
            Precision::F64 => Either::F64(opened(py, experiment, own, name, &place)?),
        };
        Ok(Self { run: Mutex::new(run) })
    }

    /// What a user should know before the first update.
    fn warnings(&self, py: Python) -> PyResult<Vec<String>> {
        self.with(py, |run| either!(run, run => run.warnings()))
    }

    /// Trains; `listener` hears ("update", JSON of epoch and samples) and ("epoch", JSON of a row).
    fn train(&self, py: Python, listener: Py<PyAny>) -> PyResult<()> {
        let mut run = self
            .run
            .try_lock()
            .map_err(|_| PyRuntimeError::new_err("this run is at work for another call"))?;
        let run = &mut *run;
        long_call(py, &listener, |teller| {
            let mut told = Instant::now();
            let mut watch = |moment: Moment| match moment {
                Moment::Epoch(row) => teller.tell("epoch", json(row)),
                Moment::Update { epoch, samples } if told.elapsed() > TELL_EVERY => {
                    told = Instant::now();
                    let far = serde_json::json!({ "epoch": epoch, "samples": samples });
                    teller.mention("update", far.to_string());
                }
                Moment::Update { .. } => {}
            };
            either!(run, run => {
                run.session.trainer.stop_with(teller.stop());
                run.train(&mut watch)
            })
        })
    }

    /// Evaluates the machine as it is, writes summary and report; returns the summary as JSON.
    fn finish(&self, py: Python) -> PyResult<String> {
        self.with(py, |run| {
            either!(run, run => {
                let summary = run.finish()?;
                write_training_run(run, &summary)?;
                Ok(told(&summary))
            })
        })
    }

    /// The machine as it is now, one of its own; none where only a laboratory has it.
    fn machine(&self, py: Python) -> PyResult<Option<Machine>> {
        self.with(py, |run| {
            either!(run, run => match machine_of(&run.session) {
                Err(_) if run.session.trainer.system().is_in_a_laboratory() => Ok(None),
                made => made.map(Some),
            })
        })
    }

    /// Everything else that is to be kept of it.
    fn facts(&self, py: Python) -> PyResult<Facts> {
        self.with(py, |run| {
            either!(run, run => {
                let directory = run.directory.as_ref().map(|d| d.path().to_owned());
                Ok(Facts::of(&run.session, directory))
            })
        })
    }
}

/// A summary with its warnings, as JSON.
fn told(summary: &Summary) -> String {
    let mut told = serde_json::to_value(summary).expect("names and numbers");
    told["warnings"] = summary.warnings().into();
    told.to_string()
}

/// What is kept of a run.
#[pyclass(frozen, get_all, module = "equilux._lib")]
pub struct Facts {
    metrics: String,
    /// The classes by name, and none where outputs stand for targets.
    classes: Vec<String>,
    targets: Option<Py<Targets>>,
    directory: Option<PathBuf>,
    toml: String,
    scaler: Py<Scaler>,
    train_samples: usize,
}

impl Facts {
    fn of<T: Number>(session: &Session<T>, directory: Option<PathBuf>) -> Self {
        let data = session.trainer.data();
        let scaler = Python::attach(|py| Py::new(py, scaler_of(session)));
        let metrics: &[EpochMetrics] = session.trainer.metrics();
        let targets = Targets::of(&data.outputs, session.trainer.plan().objective);
        let classes = if targets.is_none() { data.outputs.names() } else { Vec::new() };
        let held = |targets| Python::attach(|py| Py::new(py, targets).expect("memory for names"));
        Self {
            metrics: json(&metrics),
            classes,
            targets: targets.map(held),
            directory,
            toml: session.experiment.to_toml(),
            scaler: scaler.expect("memory for a few numbers"),
            train_samples: data.train.len(),
        }
    }
}

/// Opens the run in a directory again, as `settings` change it, on another device and in a laboratory
/// if they are named; evaluates it if that is asked for. Nothing else needs the laboratory of a run.
#[pyfunction]
pub fn reopen(
    py: Python,
    directory: PathBuf,
    settings: Vec<String>,
    device: Option<String>,
    laboratory: Option<&str>,
    evaluate: bool,
) -> PyResult<(Facts, Machine, Option<String>)> {
    fn with<T: Number>(
        run: &RunDirectory,
        experiment: Content,
        evaluate: bool,
    ) -> Result<(Facts, Machine, Option<String>)> {
        let mut session = Session::<T>::reopen(run, experiment)?;
        let summary = match evaluate {
            true => Some(session.summary(run)?),
            false => outcome(run)?,
        };
        let machine = machine_of(&session)?;
        let facts = Facts::of(&session, Some(run.path().to_owned()));
        Ok((facts, machine, summary.as_ref().map(told)))
    }
    call(py, || {
        let run = RunDirectory::open(&directory)?;
        let experiment = run.experiment_on(device.as_deref(), &settings)?;
        let experiment = match laboratory {
            Some(place) => experiment.in_laboratory(place)?,
            None if evaluate => experiment,
            None => experiment.simulated(),
        };
        match experiment.precision {
            Precision::F32 => with::<f32>(&run, experiment, evaluate),
            Precision::F64 => with::<f64>(&run, experiment, evaluate),
        }
    })
}

/// A data set that an experiment may name: features (samples x features), and labels with their
/// classes, or values of targets (samples x targets) with their names.
#[pyfunction]
pub fn load_data(
    py: Python,
    name: &str,
    label: Vec<String>,
    regression: bool,
) -> PyResult<(Py<PyAny>, Py<PyAny>, Vec<String>)> {
    let task = if regression { Task::Regression } else { Task::Classification };
    let wrong = |message: String| exception(Error::input(format!("label: {message}")));
    let label = Columns::of(label).map_err(wrong)?;
    let config = data::DataConfig { set: name.into(), label, task, ..Default::default() };
    let dataset = call(py, || Dataset::load(&config))?;
    let labels = match dataset.labels {
        Labels::Classes(labels) => {
            of_list(py, labels.iter().map(|label| *label as i64).collect::<Vec<i64>>())
        }
        Labels::Values(values) => of_batch(py, values)?,
    };
    Ok((of_batch(py, dataset.features)?, labels, dataset.outputs))
}
