//! Calls from Python into the library: on its threads, without the interpreter's lock, and with
//! errors and panics as exceptions.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use equilux::stop::Stop;
use equilux::{Error, Result};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// How often a long call looks for signals, such as Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The threads, of this process: a process that was forked off has none of its parent's.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

fn pool() -> PyResult<Arc<ThreadPool>> {
    let own = std::process::id();
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    match &*pool {
        Some((process, pool)) if *process == own => Ok(Arc::clone(pool)),
        _ => {
            let made = Arc::new(of_threads(0)?);
            // One from before a fork cannot be dropped: its threads would be waited for.
            std::mem::forget(pool.replace((own, Arc::clone(&made))));
            Ok(made)
        }
    }
}

fn of_threads(threads: usize) -> PyResult<ThreadPool> {
    let made = ThreadPoolBuilder::new().num_threads(threads).build();
    made.map_err(|e| PyRuntimeError::new_err(format!("threads = {threads}: {e}")))
}

/// Computes with so many threads from now on; 0 is one a core. Results do not depend on it.
#[pyfunction]
pub fn set_threads(threads: usize) -> PyResult<()> {
    let made = Arc::new(of_threads(threads)?);
    *POOL.lock().unwrap_or_else(PoisonError::into_inner) = Some((std::process::id(), made));
    Ok(())
}

/// Does `work` on the library's threads.
pub fn call<R: Send>(py: Python, work: impl FnOnce() -> Result<R> + Send) -> PyResult<R> {
    let pool = pool()?;
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(|| pool.install(work))));
    outcome(done)
}

fn outcome<R>(done: std::result::Result<Result<R>, Box<dyn Any + Send>>) -> PyResult<R> {
    match done {
        Ok(done) => done.map_err(exception),
        Err(panic) => {
            let words = panic.downcast_ref::<&str>().copied();
            let words = words.or(panic.downcast_ref::<String>().map(String::as_str));
            let words = words.unwrap_or("it does not say what");
            if let Some(raised) = take_raised(words) {
                return Err(raised);
            }
            Err(PyRuntimeError::new_err(format!("a fault of equilux itself: {words}")))
        }
    }
}

/// Exceptions of Python code that the library calls, on their way through it.
static RAISED: Mutex<Option<HashMap<String, PyErr>>> = Mutex::new(None);

/// A Python exception as an error of the library, which finds its way back as it was.
pub fn carried(raised: PyErr) -> Error {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("Python exception {number}: {raised}");
    let mut all = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default().insert(name.clone(), raised);
    Error::Machine(name)
}

fn take_raised(name: &str) -> Option<PyErr> {
    let mut all = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
    all.as_mut()?.remove(name)
}

/// Throws a Python exception through code that can return none: whoever called from Python meets it
/// there.
pub fn thrown(raised: PyErr) -> ! {
    std::panic::resume_unwind(Box::new(carried(raised).to_string()))
}

/// An error of the library as an exception: `ValueError` for what the user gave, `OSError` for
/// files, `RuntimeError` for what a machine did; the message is that of the command line.
pub fn exception(error: Error) -> PyErr {
    let message = error.to_string();
    if let Error::Machine(name) = &error
        && let Some(raised) = take_raised(name)
    {
        return raised;
    }
    match error {
        Error::Input(_) => PyValueError::new_err(message),
        Error::Read { source, .. } | Error::Write { source, .. } => {
            std::io::Error::new(source.kind(), message).into()
        }
        _ => PyRuntimeError::new_err(message),
    }
}

/// What a long call tells the thread that it was called from: how far it is, or what it found.
struct Told {
    what: &'static str,
    /// JSON.
    content: String,
    /// Hears when Python has heard it.
    heard: Option<Sender<()>>,
}

/// The way from a long call back to Python.
pub struct Teller {
    sender: Sender<Told>,
    stop: Stop,
}

impl Teller {
    /// Tells Python, and waits until it has heard.
    pub fn tell(&self, what: &'static str, content: String) {
        let (heard, wait) = channel();
        if self.sender.send(Told { what, content, heard: Some(heard) }).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Tells Python without waiting.
    pub fn mention(&self, what: &'static str, content: String) {
        let _ = self.sender.send(Told { what, content, heard: None });
    }

    /// What an exception in Python asks to stop by.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// Does long `work` on the library's threads, while this one hears what it tells, calls `listener`
/// with it, and looks for signals. An exception here breaks the work off.
pub fn long_call<R: Send>(
    py: Python,
    listener: &Py<PyAny>,
    work: impl FnOnce(&Teller) -> Result<R> + Send,
) -> PyResult<R> {
    let pool = pool()?;
    let stop = Stop::default();
    let (done, raised) = py.detach(|| {
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let teller = Teller { sender, stop: stop.clone() };
            let worker = scope.spawn(move || {
                // Gone with the work, so that whoever listens knows that it is done.
                let teller = teller;
                catch_unwind(AssertUnwindSafe(|| pool.install(|| work(&teller))))
            });
            let mut raised: Option<PyErr> = None;
            let mut look = |told: Option<&Told>| {
                if raised.is_some() {
                    return;
                }
                let looked = Python::attach(|py| {
                    py.check_signals()?;
                    told.map_or(Ok(()), |told| {
                        listener.call1(py, (told.what, told.content.as_str())).map(drop)
                    })
                });
                if let Err(error) = looked {
                    raised = Some(error);
                    stop.ask();
                }
            };
            loop {
                match receiver.recv_timeout(LOOK_EVERY) {
                    Ok(told) => {
                        look(Some(&told));
                        if let Some(heard) = told.heard {
                            let _ = heard.send(());
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => look(None),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            (worker.join().unwrap_or_else(Err), raised)
        })
    });
    match raised {
        Some(raised) => Err(raised),
        None => outcome(done),
    }
}

/// Panics inside the library, for a test of what becomes of it.
#[pyfunction]
pub fn panic_for_a_test(py: Python) -> PyResult<()> {
    call(py, || panic!("asked for by a test"))
}
