//! The laboratory's end of the wire: instruments that are Python code, served; and simulated ones,
//! asked.

use std::io::{BufReader, BufWriter, ErrorKind};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use equilux::coupler::spim::Tier;
use equilux::experiment::Experiment as Content;
use equilux::wire::{Array, Dtype, Instrument, Message, PROTOCOL, Refusal, serve};
use equilux::{Error, Result};
use numpy::PyArray1;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Map, Value};

use crate::calls::{call, exception};

/// How often a server that waits for a client looks for signals, and whether it was closed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An array on its way: name, dtype as numpy writes it, shape, and its bytes.
type Told<'py> = (String, String, Vec<usize>, Bound<'py, PyBytes>);

/// A message of Python: fields as JSON, and arrays.
fn message(fields: &str, arrays: Vec<Told>) -> Result<Message> {
    let wrong = |what: String| Error::Machine(format!("an instrument in Python: {what}"));
    let fields: Map<String, Value> =
        serde_json::from_str(fields).map_err(|e| wrong(e.to_string()))?;
    let array = |(name, dtype, shape, bytes): Told| {
        let dtype = [Dtype::U1, Dtype::U2, Dtype::F4, Dtype::F8]
            .into_iter()
            .find(|known| known.name() == dtype)
            .ok_or_else(|| wrong(format!("{name}: dtype {dtype}")))?;
        Ok(Array { name, dtype, shape, bytes: bytes.as_bytes().to_vec() })
    };
    Ok(Message { fields, arrays: arrays.into_iter().map(array).collect::<Result<_>>()? })
}

/// Arrays as those of numpy, by name.
fn of_arrays<'py>(py: Python<'py>, arrays: &[Array]) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let array = |array: &Array| {
        let bytes = PyArray1::from_slice(py, &array.bytes);
        let typed = bytes.call_method1("view", (array.dtype.name(),))?;
        Ok((array.name.clone(), typed.call_method1("reshape", (array.shape.clone(),))?))
    };
    arrays.iter().map(array).collect()
}

/// An instrument whose methods are Python's.
struct PythonInstrument(Py<PyAny>);

impl PythonInstrument {
    fn told(&self, method: &str) -> Map<String, Value> {
        let text = Python::attach(|py| self.0.call_method0(py, method)?.extract::<String>(py));
        let fields = text.ok().and_then(|text| serde_json::from_str(&text).ok());
        fields.unwrap_or_default()
    }
}

/// What an exception says, as a refusal: its `code`, where that is one.
fn refusal(py: Python, raised: &PyErr) -> Refusal {
    let value = raised.value(py);
    let code = value.getattr("code").ok().and_then(|code| code.extract::<String>().ok());
    let codes = ["saturated", "busy", "range", "interlock", "unsupported", "fatal"];
    match codes.into_iter().find(|known| Some(*known) == code.as_deref()) {
        Some(code) => Refusal { code, message: value.to_string() },
        None => Refusal::fatal(raised.to_string()),
    }
}

impl Instrument for PythonInstrument {
    fn hello(&self) -> Map<String, Value> {
        self.told("_hello")
    }

    fn state(&self) -> Map<String, Value> {
        self.told("_state")
    }

    fn answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        let fields = Value::Object(request.fields.clone()).to_string();
        let asked = |py: Python| {
            let arrays = of_arrays(py, &request.arrays)?;
            let answer = self.0.call_method1(py, "_answer", (fields, arrays))?;
            let (fields, arrays) = answer.extract::<(String, Vec<Told>)>(py)?;
            message(&fields, arrays).map_err(exception)
        };
        Python::attach(|py| asked(py).map_err(|raised| refusal(py, &raised)))
    }
}

/// A TCP server of one instrument.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Server {
    listener: TcpListener,
    closed: AtomicBool,
    /// Where it listens, HOST:PORT.
    #[pyo3(get)]
    address: String,
}

#[pymethods]
impl Server {
    #[new]
    fn new(address: &str) -> PyResult<Self> {
        let wrong = |e: std::io::Error| {
            exception(Error::input(format!("address = {address:?}: {e}: expected HOST:PORT")))
        };
        let listener = TcpListener::bind(address).map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?.to_string();
        Ok(Self { listener, closed: AtomicBool::new(false), address })
    }

    /// Answers one client after another until it is closed; `tell` hears of clients that were lost.
    fn serve(&self, py: Python, instrument: Py<PyAny>, tell: Py<PyAny>) -> PyResult<()> {
        let mut instrument = PythonInstrument(instrument);
        while !self.closed.load(Ordering::Relaxed) {
            py.check_signals()?;
            let outcome = py.detach(|| match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    stream.set_nodelay(true)?;
                    let (from, to) = (stream.try_clone()?, stream);
                    let (mut from, mut to) = (BufReader::new(from), BufWriter::new(to));
                    Ok(serve(&mut instrument, &mut from, &mut to))
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    sleep(LOOK_EVERY);
                    Ok(Ok(()))
                }
                Err(error) => Err(error),
            });
            let lost = outcome.map_err(|e| PyRuntimeError::new_err(e.to_string()))?.err();
            if let Some(error) = lost {
                tell.call1(py, (format!("a client was lost: {error}"),))?;
            }
        }
        Ok(())
    }

    /// Ends it when the client that it serves has gone.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// The simulated modulator and camera of a datasheet or an experiment, asked without a wire.
#[pyclass(frozen, module = "equilux._lib")]
pub struct SimulatedFrames {
    instrument: Mutex<Box<dyn Instrument + Send>>,
}

#[pymethods]
impl SimulatedFrames {
    /// That of a datasheet, or of an experiment's TOML, by wave optics or else by the effective tier.
    #[new]
    fn new(
        py: Python,
        sheet: Option<&str>,
        toml: &str,
        settings: Vec<String>,
        wave: bool,
    ) -> PyResult<Self> {
        let made = call(py, || {
            let experiment = match sheet {
                Some(sheet) => Content::of_sheet(sheet, &settings)?,
                None => Content::parse(toml, "the experiment", &settings)?,
            };
            experiment.frames((!wave).then_some(Tier::Effective))
        })?;
        Ok(Self { instrument: Mutex::new(Box::new(made)) })
    }

    /// What it says of itself, as JSON.
    fn hello(&self, py: Python) -> PyResult<String> {
        self.with(py, |instrument| {
            let mut told = instrument.hello();
            told.insert("protocol".into(), PROTOCOL.into());
            Ok(Value::Object(told).to_string())
        })
    }

    /// The arrays of its answer to a request.
    fn ask<'py>(
        &self,
        py: Python<'py>,
        fields: &str,
        arrays: Vec<Told>,
    ) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        let request = message(fields, arrays).map_err(exception)?;
        let answer = self.with(py, |instrument| {
            let refused =
                |refusal: Refusal| Error::input(format!("{}: {}", refusal.code, refusal.message));
            instrument.answer(&request).map_err(refused)
        })?;
        of_arrays(py, &answer.arrays)
    }
}

impl SimulatedFrames {
    fn with<R: Send>(
        &self,
        py: Python,
        work: impl FnOnce(&mut dyn Instrument) -> Result<R> + Send,
    ) -> PyResult<R> {
        call(py, || {
            let busy = |_| Error::Machine("this instrument is at work for another call".into());
            work(self.instrument.try_lock().map_err(busy)?.as_mut())
        })
    }
}
