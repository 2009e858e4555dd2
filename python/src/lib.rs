//! The compiled part of the Python package `equilux`: the library, called from Python.
//!
//! Nothing is worked out here. Arguments become the library's types, its results arrays and JSON;
//! `python/equilux` makes of them what a user meets.

mod arrays;
mod bench;
mod calls;
mod experiment;
mod home;
mod lab;
mod machine;
mod measurement;
mod number;
mod open;
mod run;
mod targets;

use pyo3::prelude::*;

/// The compiled part of equilux.
#[pymodule]
mod _lib {
    #[pymodule_export]
    use crate::bench::{agree, compile, encode, frame, solve};
    #[pymodule_export]
    use crate::calls::{panic_for_a_test, set_threads};
    #[pymodule_export]
    use crate::experiment::Experiment;
    #[pymodule_export]
    use crate::home::{
        device, devices, export, main, read_study, read_tensor, report, sweep, verify, write_run,
    };
    #[pymodule_export]
    use crate::lab::{Server, SimulatedFrames};
    #[pymodule_export]
    use crate::machine::{Machine, cost_slopes, fidelity};
    #[pymodule_export]
    use crate::measurement::Measurement;
    #[pymodule_export]
    use crate::run::{Facts, Run, Scaler, load_data, reopen};
    #[pymodule_export]
    use crate::targets::Targets;

    use super::*;

    /// The version of the program.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
