//! Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors
//! file.
//!
//! Tensors are row-major, as PyTorch and numpy read them: `parameters/NAME`, `moments1/NAME`,
//! `moments2/NAME` and `machine/NAME`. Counters and metrics are JSON under the metadata key
//! `equilux`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use nalgebra::DMatrix;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::EpochMetrics;
use crate::arithmetic::real::Real;
use crate::coupler::{Expense, Parameter};
use crate::file::write_whole;
use crate::{Error, Result};

/// The metadata key of [`Progress`].
const METADATA: &str = "equilux";

/// Counters of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// `f32` or `f64`.
    pub precision: String,
    /// Updates made.
    pub updates: u64,
    /// Steps of the optimiser.
    pub optimiser_steps: u64,
    /// The machine's counters.
    pub machine_counters: Vec<u64>,
    /// What training has cost a laboratory.
    pub spent: Expense,
    /// One entry an epoch.
    pub metrics: Vec<EpochMetrics>,
}

/// The content of a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint<T: Real> {
    /// Named matrices.
    pub tensors: BTreeMap<String, DMatrix<T>>,
    /// Counters.
    pub progress: Progress,
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
        let rows_first = |matrix: &DMatrix<T>| {
            matrix.transpose().iter().flat_map(|value| value.bytes()).collect::<Vec<u8>>()
        };
        let bytes: Vec<(&String, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, matrix)| (name, vec![matrix.nrows(), matrix.ncols()], rows_first(matrix)))
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            (
                name,
                TensorView::new(dtype::<T>(), shape.clone(), bytes)
                    .expect("as many bytes as the shape says"),
            )
        });
        let progress = serde_json::to_string(&self.progress).expect("counters and finite numbers");
        let metadata = HashMap::from([(METADATA.to_string(), progress)]);
        let file = safetensors::serialize(views, Some(metadata))
            .expect("tensors of one type with distinct names");
        write_whole(path, |writer| writer.write_all(&file))
    }

    /// Reads a file written by [`write`](Self::write).
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, comes from elsewhere or has another precision.
    pub fn read(path: &Path) -> Result<Self> {
        let damaged = |what: &str| {
            Error::input(format!("{}: not a whole checkpoint of equilux: {what}", path.display()))
        };
        let bytes = std::fs::read(path).map_err(Error::reading(path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e.to_string()))?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e.to_string()))?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
        let json = json.ok_or_else(|| damaged("its metadata has no entry `equilux`"))?;
        let progress: Progress = serde_json::from_str(json).map_err(|e| damaged(&e.to_string()))?;
        if progress.precision != T::NAME {
            let (found, expected) = (&progress.precision, T::NAME);
            return Err(Error::input(format!(
                "{}: a checkpoint in {found}, expected network.precision {expected}",
                path.display()
            )));
        }
        let size = size_of::<T>();
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let &[rows, columns] = view.shape() else {
                return Err(damaged(&format!("{name} is not a matrix")));
            };
            if view.dtype() != dtype::<T>() {
                return Err(damaged(&format!("{name} is of type {:?}", view.dtype())));
            }
            tensors.insert(
                name.to_string(),
                DMatrix::from_row_iterator(
                    rows,
                    columns,
                    view.data().chunks_exact(size).map(T::from_bytes),
                ),
            );
        }
        Ok(Self { tensors, progress })
    }

    /// The values of `parameters` in this checkpoint.
    ///
    /// # Errors
    /// When one is absent or has another shape: the checkpoint belongs to another machine. `path`
    /// names the file.
    pub fn parameters(&self, parameters: &[Parameter<T>], path: &Path) -> Result<Vec<DMatrix<T>>> {
        parameters
            .iter()
            .map(|parameter| {
                self.matrix("parameters", &parameter.name, parameter.values.shape(), path)
            })
            .collect()
    }

    /// The matrix `group/name`, of `shape`.
    pub(super) fn matrix(
        &self,
        group: &str,
        name: &str,
        shape: (usize, usize),
        path: &Path,
    ) -> Result<DMatrix<T>> {
        let foreign = |what: String| {
            Error::input(format!(
                "{}: a checkpoint of another machine: {group}/{name}: expected {} x {}, {what}",
                path.display(),
                shape.0,
                shape.1
            ))
        };
        let matrix = self
            .tensors
            .get(&format!("{group}/{name}"))
            .ok_or_else(|| foreign("there is none".into()))?;
        if matrix.shape() == shape {
            Ok(matrix.clone())
        } else {
            Err(foreign(format!("found {} x {}", matrix.nrows(), matrix.ncols())))
        }
    }
}
