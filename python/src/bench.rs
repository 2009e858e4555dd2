//! Instruments on the bench: one resistive array, one modulator and its focal plane.

use std::path::PathBuf;

use equilux::coupler::Port;
use equilux::coupler::crossbar::{BenchArray, BenchOptions, CellUnit};
use equilux::coupler::spim::bench::{self, BenchChip, Look};
use equilux::coupler::spim::optics::agreement::agreement;
use equilux::coupler::spim::optics::mask::{Drive, Mask};
use equilux::coupler::spim::{SpimDevice, Tier};
use equilux::experiment::Sheet;
use equilux::quantity::duration;
use equilux::{Error, Result};
use nalgebra::{DMatrix, DVector};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{matrix, of_list, of_matrix};
use crate::calls::{call, exception};

/// A list of numbers.
fn vector(value: &Bound<PyAny>, name: &str) -> PyResult<DVector<f64>> {
    let row = value.py().import("numpy")?.call_method1("atleast_2d", (value,))?;
    let row = matrix::<f64>(&row, name, None)?;
    match row.shape() {
        (1, _) | (_, 1) => Ok(DVector::from_column_slice(row.as_slice())),
        (rows, columns) => Err(PyValueError::new_err(format!(
            "{name}: an array of {rows} x {columns}: expected a vector"
        ))),
    }
}

/// An array on the bench.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Array<'py> {
    cells: Bound<'py, PyAny>,
    unit: String,
    r_word: Option<f64>,
    r_bit: Option<f64>,
    device: Option<String>,
    at: Option<String>,
    seed: u64,
}

/// What makes it, once Python's part is done.
struct Made {
    cells: DMatrix<f64>,
    device: Option<String>,
    at: Option<String>,
    options: BenchOptions<'static>,
}

impl Array<'_> {
    fn read(self) -> PyResult<Made> {
        let unit = CellUnit::named(&self.unit)
            .map_err(|e| PyValueError::new_err(format!("unit = {:?}: {e}", self.unit)))?;
        let cells = matrix::<f64>(&self.cells, "cells", None)?;
        let cells = unit.conductances("cells", cells).map_err(exception)?;
        let Self { r_word, r_bit, seed, .. } = self;
        let options =
            BenchOptions { seed, r_word_ohm: r_word, r_bit_ohm: r_bit, ..Default::default() };
        Ok(Made { cells, device: self.device, at: self.at, options })
    }
}

impl Made {
    fn array(self) -> Result<BenchArray> {
        let device = self.device.as_deref().map(Sheet::crossbar).transpose()?;
        let at = self
            .at
            .map(|at| duration::parse(&at).map_err(|e| Error::input(format!("at = {at:?}: {e}"))));
        let options =
            BenchOptions { device: device.as_ref(), at_s: at.transpose()?, ..self.options };
        BenchArray::new("cells", self.cells, &options)
    }
}

/// Currents, and the voltages of the word and bit lines' nodes.
type Solved = (Py<PyAny>, Option<(Py<PyAny>, Py<PyAny>)>);

/// Currents of an array behind its wires, and the voltages of its nodes if they are asked for.
#[pyfunction]
pub fn solve(
    py: Python,
    array: Array,
    volts: &Bound<PyAny>,
    reversed: bool,
    voltages: bool,
) -> PyResult<Solved> {
    let (made, volts) = (array.read()?, vector(volts, "volts")?);
    let port = if reversed { Port::Reversed } else { Port::Forward };
    let (currents, nodes) = call(py, || made.array()?.solve("volts", &volts, port, voltages))?;
    let nodes = nodes.map(|n| Ok::<_, PyErr>((of_matrix(py, n.word)?, of_matrix(py, n.bit)?)));
    Ok((of_list(py, currents.as_slice().to_vec()), nodes.transpose()?))
}

/// The effective conductances of an array behind its wires, and the share of the current that they
/// cost.
#[pyfunction]
pub fn compile(py: Python, array: Array) -> PyResult<(Py<PyAny>, f64)> {
    let made = array.read()?;
    let (matrix, lost) = call(py, || made.array()?.compile())?;
    Ok((of_matrix(py, matrix)?, lost))
}

/// A modulator on the bench.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Modulator {
    device: String,
    settings: Vec<String>,
    seed: u64,
    chip: u64,
}

impl Modulator {
    fn open(&self) -> Result<(SpimDevice, BenchChip)> {
        let chip = BenchChip { seed: self.seed, chip: self.chip };
        Ok((Sheet::spim(&self.device, &self.settings)?, chip))
    }
}

/// Masks that show values through patterns: a list of arrays of levels, and their bits.
#[pyfunction]
pub fn encode(
    py: Python,
    modulator: Modulator,
    values: &Bound<PyAny>,
    patterns: Option<&Bound<PyAny>>,
    reference_pi: bool,
) -> PyResult<(Py<PyAny>, u32)> {
    let values = vector(values, "values")?;
    let patterns = match patterns {
        Some(patterns) => matrix::<f64>(patterns, "patterns", None)?,
        None => DMatrix::from_element(values.len(), 1, 1.0),
    };
    let names = ["values", "patterns"];
    let encoded = call(py, || {
        let (device, chip) = modulator.open()?;
        bench::encode(device, chip, values.as_slice(), &patterns, reference_pi, names)
    })?;
    let list = PyList::empty(py);
    for mask in encoded.masks {
        let Drive::Levels(levels) = mask.drive else { continue };
        let array = PyArray1::from_vec(py, levels).reshape([mask.height, mask.width])?;
        list.append(array)?;
    }
    Ok((list.into_any().unbind(), encoded.optics.levels.bits()))
}

/// A mask in the focal plane.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Sight {
    tier: String,
    points: Vec<(f64, f64)>,
    nodes: Option<usize>,
    image: bool,
}

/// A mask that is shown: the path of a file, or levels with their bits.
#[derive(FromPyObject)]
pub enum Shown<'py> {
    File(PathBuf),
    Levels((Bound<'py, PyAny>, u32)),
}

type Seen = (f64, f64, Vec<(f64, f64, f64)>, Option<Py<PyAny>>, Option<Py<PyAny>>);

/// Zero order, the camera's reading of it, intensities at points, and the image without and with the
/// camera's noise.
#[pyfunction]
pub fn frame(py: Python, modulator: Modulator, mask: Shown, sight: Sight) -> PyResult<Seen> {
    let tier = match sight.tier.as_str() {
        "wave" => None,
        "analytic" => Some(Tier::Analytic),
        "effective" => Some(Tier::Effective),
        other => {
            return Err(PyValueError::new_err(format!(
                "tier = {other:?}: expected \"wave\", \"effective\" or \"analytic\""
            )));
        }
    };
    let look = Look { tier, points: sight.points, nodes: sight.nodes, image: sight.image };
    let shown = match mask {
        Shown::File(path) => Err(path),
        Shown::Levels((levels, bits)) => Ok((matrix::<f64>(&levels, "mask", None)?, bits)),
    };
    let (mut seen, photograph) = call(py, || {
        let (device, chip) = modulator.open()?;
        let name = match &shown {
            Err(path) => path.display().to_string(),
            Ok(_) => "mask".into(),
        };
        let read = |bits, size| match &shown {
            Err(path) => Mask::read(path, bits, size),
            Ok((levels, own)) => mask_of(levels, *own, bits, size),
        };
        let mut seen = bench::frame(device, chip, &name, read, &look)?;
        let photograph = seen.photograph();
        Ok((seen, photograph))
    })?;
    let image = seen.image.take().map(|image| of_matrix(py, image)).transpose()?;
    let photograph = photograph.map(|image| of_matrix(py, image)).transpose()?;
    let points = seen.intensities.iter().map(|((fy, fx), value)| (*fy, *fx, *value)).collect();
    Ok((seen.zero_order, seen.camera, points, image, photograph))
}

/// A mask of `levels` of `own` bits, for a device of `bits` (0: any) on a panel of `size`.
fn mask_of(
    levels: &DMatrix<f64>,
    own: u32,
    bits: u32,
    size: Option<(usize, usize)>,
) -> Result<Mask> {
    let (height, width) = levels.shape();
    if let Some((rows, columns)) = size.filter(|size| *size != (height, width)) {
        return Err(Error::input(format!(
            "mask: expected {columns} x {rows} pixels, as the panel has, found {width} x {height}"
        )));
    }
    let level = |level: &f64| {
        let whole = *level >= 0.0 && level.fract() == 0.0 && *level <= f64::from(u16::MAX);
        whole.then_some(*level as u16).ok_or_else(|| {
            Error::input(format!("mask: level {level}: expected a whole number of at least 0"))
        })
    };
    let levels = levels.transpose().iter().map(level).collect::<Result<_>>()?;
    let bits = if bits == 0 { own } else { bits };
    Mask::from_levels(height, width, bits, levels).map_err(|e| Error::input(format!("mask: {e}")))
}

/// How far the tiers part on a device: (effect, analytic, effective), all together last.
#[pyfunction]
pub fn agree(
    py: Python,
    modulator: Modulator,
    nodes: Option<usize>,
    samples: usize,
) -> PyResult<Vec<(String, f64, f64)>> {
    let found = call(py, || {
        let (device, _) = modulator.open()?;
        let room = device.panel.room(device.regions()).unwrap_or(usize::MAX);
        let nodes = nodes.unwrap_or(room.clamp(1, 64));
        agreement(&device, nodes, samples, modulator.seed)
    })?;
    let alone = found.alone.iter().map(|(name, d)| (name.to_string(), d.analytic, d.effective));
    let all = ("all".to_owned(), found.all.analytic, found.all.effective);
    Ok(alone.chain([all]).collect())
}
