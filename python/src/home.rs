//! What users take home: studies, exports, reports, datasheets; and the program itself.

use std::path::{Path, PathBuf};

use equilux::experiment::{RunDirectory, Sheet};
use equilux::export::{ExportOptions, MaskOptions, Target, read_tensor as tensor};
use equilux::report::{Paper, contact_sheet, rewrite_run, write_study};
use equilux::study::{Options, Progress, Shard, Study, StudyDirectory, Table, sweep as swept};
use equilux::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};

use crate::arrays::of_matrix;
use crate::calls::{call, exception, long_call};
use crate::experiment::Experiment;

/// The datasheets that come with the program: (name, kind, title).
#[pyfunction]
pub fn devices() -> PyResult<Vec<(String, String, String)>> {
    let row = |name| {
        let sheet = Sheet::find(name).map_err(exception)?;
        Ok((name.to_owned(), sheet.kind, sheet.title))
    };
    Sheet::names().map(row).collect()
}

/// A datasheet: its kind, its title, and its numbers as JSON.
#[pyfunction]
pub fn device(name: &str) -> PyResult<(String, String, String)> {
    let sheet = Sheet::find(name).map_err(exception)?;
    let numbers = serde_json::to_string(&sheet.numbers).expect("numbers and strings");
    Ok((sheet.kind, sheet.title, numbers))
}

/// Does the runs of a study; `listener` hears ("runs", JSON of runs, ended and failed). Returns its
/// directory.
#[pyfunction]
pub fn sweep(
    py: Python,
    study: PathBuf,
    out: PathBuf,
    jobs: Option<usize>,
    shard: Option<String>,
    retry_failed: bool,
    listener: Py<PyAny>,
) -> PyResult<(usize, usize)> {
    long_call(py, &listener, |teller| {
        let shard = shard.as_deref().map_or(Ok(Shard::ALL), str::parse)?;
        let study = Study::load(&study)?;
        let jobs = jobs.unwrap_or_else(rayon::current_num_threads);
        let stop = teller.stop();
        let kept = |path: &Path| rewrite_run(path, Paper::default());
        let options = Options { jobs, shard, retry_failed, kept: &kept, stop: &stop };
        let mut watch = |Progress { runs, ended, failed }| {
            let far = json!({ "runs": runs, "ended": ended, "failed": failed });
            teller.mention("runs", far.to_string());
        };
        let directory = || StudyDirectory::for_study(&out, &study);
        let done = swept(&study, directory, &options, &mut watch)?;
        Ok((done.runs, done.ran))
    })
}

/// A study that was swept: what it asks, and its runs, as JSON.
#[pyfunction]
pub fn read_study(py: Python, directory: PathBuf) -> PyResult<String> {
    call(py, || {
        let (directory, study) = StudyDirectory::open(&directory)?;
        let table = Table::read(&directory.results(), &study)?;
        let rows: Vec<Value> = table
            .rows
            .iter()
            .map(|row| {
                let (results, error) = match &row.outcome {
                    Ok(results) => (json!(results), Value::Null),
                    Err(error) => (Value::Null, json!(error)),
                };
                json!({ "run": row.number, "id": row.id, "seed": row.seed, "chip": row.chip, "values": row.values,
                        "results": results, "error": error })
            })
            .collect();
        let points: Vec<Value> = table
            .points()
            .iter()
            .map(|point| {
                let statistics: Vec<Value> = point
                    .statistics
                    .iter()
                    .map(|of| match of {
                        Some(of) => json!({ "n": of.n, "mean": of.mean, "deviation": of.deviation, "interval": of.interval }),
                        None => Value::Null,
                    })
                    .collect();
                json!({ "values": point.values, "done": point.done, "failed": point.failed,
                        "statistics": statistics })
            })
            .collect();
        Ok(json!({ "title": study.title, "metric": study.metric(), "runs": study.size(),
                   "keys": table.keys, "results": table.results, "rows": rows, "points": points })
        .to_string())
    })
}

/// What to export, and how.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ExportRequest {
    to: String,
    device: Option<String>,
    clip: bool,
    bits: Option<u32>,
    sign: String,
    correction: Option<PathBuf>,
    carrier: (f64, f64),
    phases: bool,
}

/// Writes a run for a device; returns its files and what is expected of it, as JSON.
#[pyfunction]
pub fn export(py: Python, run: PathBuf, out: PathBuf, request: ExportRequest) -> PyResult<String> {
    let target: Target = serde_json::from_value(request.to.as_str().into()).map_err(|_| {
        exception(Error::input(format!(
            "to = {:?}: expected one of crossbar, slm, safetensors, npz, aihwkit",
            request.to
        )))
    })?;
    let falling = match request.sign.as_str() {
        "plus" => false,
        "minus" => true,
        other => {
            let message = format!("sign = {other:?}: expected \"plus\" or \"minus\"");
            return Err(exception(Error::input(message)));
        }
    };
    let masks = MaskOptions {
        bits: request.bits,
        falling,
        correction: request.correction,
        carrier: request.carrier,
        phases: request.phases,
    };
    let options = ExportOptions {
        target,
        device: request.device,
        clip: request.clip,
        masks,
        contact_sheet: Some(contact_sheet),
    };
    call(py, || {
        let manifest = equilux::export::export(&run, &options, &out)?;
        let files = equilux::export::files(&out, &manifest);
        Ok(json!({ "files": files, "expected": manifest.expected }).to_string())
    })
}

/// Writes a run's directory with an experiment and a checkpoint, before any epoch.
#[pyfunction]
pub fn write_run(
    py: Python,
    directory: PathBuf,
    experiment: &Experiment,
    checkpoint: &Bound<PyBytes>,
) -> PyResult<()> {
    fn written<T: equilux::arithmetic::Real>(run: &RunDirectory, bytes: &[u8]) -> Result<()> {
        let path = run.checkpoint();
        let checkpoint = equilux::training::Checkpoint::<T>::parse(bytes, &path)?;
        let checkpoint = equilux::training::Checkpoint { origin: run.origin()?, ..checkpoint };
        checkpoint.write(&path)
    }
    let (experiment, bytes) = (&experiment.content, checkpoint.as_bytes());
    call(py, || {
        let run = RunDirectory::create(&directory, experiment)?;
        match experiment.precision {
            equilux::experiment::Precision::F32 => written::<f32>(&run, bytes),
            equilux::experiment::Precision::F64 => written::<f64>(&run, bytes),
        }
    })
}

/// Checks an export; what was found, as JSON.
#[pyfunction]
pub fn verify(py: Python, directory: PathBuf) -> PyResult<String> {
    let found = call(py, || equilux::export::verify(&directory))?;
    Ok(serde_json::to_string(&found).expect("names and numbers"))
}

/// Writes the report of a run or of a study anew; returns where it is.
#[pyfunction]
pub fn report(py: Python, directory: PathBuf) -> PyResult<PathBuf> {
    call(py, || {
        if StudyDirectory::is_one(&directory) {
            let (directory, study) = StudyDirectory::open(&directory)?;
            write_study(&directory, &study, Paper::default())?;
        } else {
            rewrite_run(&directory, Paper::default())?;
        }
        Ok(directory.join("report.html"))
    })
}

/// A tensor of a safetensors file, as a matrix.
#[pyfunction]
pub fn read_tensor(py: Python, path: PathBuf, name: &str) -> PyResult<Py<PyAny>> {
    of_matrix(py, call(py, || tensor(&path, name))?)
}

/// Runs the command line; returns the exit status.
#[pyfunction]
pub fn main(py: Python, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| equilux::cli::main_of(arguments))
}
