//! Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors
//! file.
//!
//! Tensors are row-major, as PyTorch and numpy read them: `parameters/NAME`, `optimiser/NAME` and
//! `machine/NAME`. Counters, other values of the states and metrics are JSON under the metadata key
//! `equilux`, with a seal, the check sum of the whole file, and the origin, that of the experiment.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use nalgebra::DMatrix;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{EpochMetrics, Evaluation};
use crate::arithmetic::Real;
use crate::coupler::Expense;
use crate::file::matrix::row_by_row;
use crate::file::{read_bytes, seal, write_whole};
use crate::state::{Entry, State};
use crate::system::System;
use crate::{Error, Result};

/// The metadata key of everything that is no tensor.
const METADATA: &str = "equilux";

/// Counters of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// `f32` or `f64`.
    pub precision: String,
    /// Updates made.
    pub updates: u64,
    /// What training has cost a laboratory.
    pub spent: Expense,
    /// One entry an epoch.
    pub metrics: Vec<EpochMetrics>,
    /// The part of an epoch that was done when training was asked to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// An epoch that was stopped between two mini-batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// Its free phases.
    pub seen: Evaluation,
    /// Samples that did not settle and took no part in the gradient.
    pub unsettled: usize,
    /// Samples among them that left the basin of their free steady state.
    pub left: usize,
    /// Samples that took part though a phase was over before they had settled.
    pub truncated: usize,
    /// What the machine had cost when the epoch began.
    pub before: Expense,
}

/// The content of a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint<T: Real> {
    /// Parameters by name.
    pub parameters: BTreeMap<String, DMatrix<T>>,
    /// The machine's state beyond them.
    pub machine: State<T>,
    /// The optimiser's state.
    pub optimiser: State<T>,
    /// Counters.
    pub progress: Progress,
    /// What was trained: the check sum of its experiment in a run's directory, whatever a program
    /// wants to find again elsewhere.
    pub origin: String,
}

/// What a file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Metadata {
    /// The SHA-256 of the whole file, with zeros here.
    seal: String,
    origin: String,
    #[serde(flatten)]
    progress: Progress,
    /// The values of a state that are no matrices, by `machine/NAME` and `optimiser/NAME`.
    values: BTreeMap<String, Plain>,
}

/// A value of a state that is no matrix.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Plain {
    Numbers(Vec<f64>),
    Counts(Vec<u64>),
    Text(String),
}

fn dtype<T: Real>() -> Dtype {
    if T::NAME == "f32" { Dtype::F32 } else { Dtype::F64 }
}

impl<T: Real> Checkpoint<T> {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let file = self.bytes(path)?;
        write_whole(path, |writer| writer.write_all(&file))
    }

    /// What [`write`](Self::write) writes; errors call it `path`.
    ///
    /// # Errors
    /// When a counter or a state is beyond double precision.
    pub fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let parameters = self.parameters.iter();
        let mut tensors: Vec<(String, &DMatrix<T>)> =
            parameters.map(|(name, matrix)| (format!("parameters/{name}"), matrix)).collect();
        let mut values = BTreeMap::new();
        for (group, state) in [("machine", &self.machine), ("optimiser", &self.optimiser)] {
            for (name, entry) in state.entries() {
                let name = format!("{group}/{name}");
                let plain = match entry {
                    Entry::Matrix(matrix) => {
                        tensors.push((name, matrix));
                        continue;
                    }
                    Entry::Numbers(numbers) => Plain::Numbers(numbers.clone()),
                    Entry::Counts(counts) => Plain::Counts(counts.clone()),
                    Entry::Text(text) => Plain::Text(text.clone()),
                };
                values.insert(name, plain);
            }
        }
        let (seal, origin) = (seal::blank(), self.origin.clone());
        let metadata = Metadata { seal, origin, progress: self.progress.clone(), values };
        let metadata = serde_json::to_string(&metadata).expect("counters and numbers");
        // JSON has no infinity: what cannot be read again is not written.
        if let Err(error) = serde_json::from_str::<Metadata>(&metadata) {
            return Err(Error::Machine(format!(
                "{}: a counter or a state is beyond double precision: {error}",
                path.display()
            )));
        }
        let rows_first = |matrix: &DMatrix<T>| {
            matrix.transpose().iter().flat_map(|value| value.bytes()).collect::<Vec<u8>>()
        };
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .into_iter()
            .map(|(name, matrix)| (name, vec![matrix.nrows(), matrix.ncols()], rows_first(matrix)))
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(dtype::<T>(), shape.clone(), bytes);
            (name, view.expect("as many bytes as the shape says"))
        });
        let metadata = HashMap::from([(METADATA.to_string(), metadata)]);
        let file = safetensors::serialize(views, Some(metadata));
        let mut file = file.expect("tensors of one type with distinct names");
        seal::seal(&mut file);
        Ok(file)
    }

    /// Reads a file written by [`write`](Self::write), in this precision or in another.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged or comes from elsewhere.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read_bytes(path)?, path)
    }

    /// [`read`](Self::read) of the `bytes` of a file that errors call `path`.
    ///
    /// # Errors
    /// When they are damaged or come from elsewhere.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |what: String| {
            Error::input(format!("{}: not a whole checkpoint of equilux: {what}", path.display()))
        };
        let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
        let json = json.ok_or_else(|| damaged("its metadata has no entry `equilux`".into()))?;
        if let Some(problem) = seal::broken(bytes) {
            return Err(damaged(problem));
        }
        let Metadata { progress, values, origin, .. } =
            serde_json::from_str(json).map_err(|e| damaged(e.to_string()))?;
        let mut checkpoint = Self {
            parameters: BTreeMap::new(),
            machine: State::default(),
            optimiser: State::default(),
            progress,
            origin,
        };
        for (name, view) in file.iter() {
            let matrix = matrix(&view).map_err(|what| damaged(format!("{name} {what}")))?;
            checkpoint.place(name, matrix.into()).map_err(damaged)?;
        }
        for (name, value) in values {
            let entry = match value {
                Plain::Numbers(numbers) => numbers.into(),
                Plain::Counts(counts) => counts.into(),
                Plain::Text(text) => text.into(),
            };
            checkpoint.place(&name, entry).map_err(damaged)?;
        }
        Ok(checkpoint)
    }

    /// Puts an entry where its name says that it belongs.
    fn place(&mut self, name: &str, entry: Entry<T>) -> Result<(), String> {
        match (name.split_once('/'), entry) {
            (Some(("parameters", own)), Entry::Matrix(matrix)) => {
                self.parameters.insert(own.into(), matrix);
            }
            (Some(("machine", own)), entry) => self.machine.insert(own, entry),
            (Some(("optimiser", own)), entry) => self.optimiser.insert(own, entry),
            _ => return Err(format!("{name} is of no known group")),
        }
        Ok(())
    }

    /// Programs `system` with the parameters; with `same_hardware` also restores what its devices
    /// really hold, and its counters.
    ///
    /// # Errors
    /// When the checkpoint belongs to another machine; `path` names the file.
    pub fn program(
        &self,
        system: &mut dyn System<T>,
        same_hardware: bool,
        path: &Path,
    ) -> Result<()> {
        let foreign = |what: String| {
            Error::input(format!("{}: a checkpoint of another machine: {what}", path.display()))
        };
        let value = |parameter: crate::coupler::Parameter<T>| {
            let (name, (rows, columns)) = (&parameter.name, parameter.values.shape());
            let expected = format!("parameters/{name}: expected {rows} x {columns}");
            match self.parameters.get(name) {
                Some(matrix) if matrix.shape() == (rows, columns) => Ok(matrix.clone()),
                Some(found) => {
                    let (rows, columns) = found.shape();
                    Err(foreign(format!("{expected}, found {rows} x {columns}")))
                }
                None => Err(foreign(format!("{expected}, there is none"))),
            }
        };
        let values = system.parameters().into_iter().map(value).collect::<Result<Vec<_>>>();
        system.program(&mut values?)?;
        if same_hardware {
            system.restore(&self.machine).map_err(|e| foreign(e.to_string()))?;
        }
        Ok(())
    }
}

/// The matrix of a tensor, in whatever precision it is.
fn matrix<T: Real>(view: &TensorView) -> Result<DMatrix<T>, String> {
    let &[rows, columns] = view.shape() else { return Err("is not a matrix".into()) };
    let bytes = view.data();
    let values: Vec<T> = match view.dtype() {
        own if own == dtype::<T>() => {
            bytes.chunks_exact(size_of::<T>()).map(T::from_bytes).collect()
        }
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|bytes| T::of(f32::from_bytes(bytes).into())).collect()
        }
        Dtype::F64 => bytes.chunks_exact(8).map(|bytes| T::of(f64::from_bytes(bytes))).collect(),
        other => return Err(format!("is of type {other:?}")),
    };
    row_by_row(rows, columns, values)
}
