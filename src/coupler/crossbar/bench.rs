//! Cells on the bench: one side of an array, programmed as the machine would program it.

use nalgebra::{DMatrix, DVector};

use super::chip::ChipCells;
use super::circuit::{Solution, solve};
use super::dissection::effective;
use super::effects::{CrossbarDevice, MappedCells, Wires};
use super::hook::{Making, Path};
use super::settings::Mapping;
use super::written::Cells;
use crate::arithmetic::random::Key;
use crate::coupler::{Effect, Port};
use crate::quantity::unit;
use crate::{Error, Result};

/// The conductances, microsiemens, of cells that are asked to be `targets_us` once, at the device's
/// time: one side of an array whose chip `key` names. The same key is the same cells, whatever the
/// time and whatever they are read with.
///
/// # Errors
/// When the device's cells are pulsed: they have no targets.
pub fn program_once(
    device: &CrossbarDevice,
    targets_us: &DMatrix<f64>,
    key: Key,
) -> Result<DMatrix<f64>> {
    if !device.pulses.is_off() {
        let model = device.pulses.model;
        return Err(Error::input(format!(
            "pulses.model = {model:?}: pulsed cells are not written to targets; expected a device \
             with pulses.model = \"none\""
        )));
    }
    device.map.expect_none()?;
    let mut device = device.clone();
    device.cells.mapping = Mapping::Differential;
    let (outputs, inputs) = targets_us.shape();
    let pairs = &device.cells;
    let weights = targets_us.map(|g| (g - pairs.g_min_us) * pairs.weight_per_us());
    let making = Making { device: &device, outputs, inputs, key };
    let chip = ChipCells::<f64>::new(&making, MappedCells::default());
    let mut cells = Cells::new(&device, (outputs, inputs));
    cells.write(&device, &chip, &weights, key);
    let [plus, _] = chip.age(&device, cells.programmed(&device), &cells.asked(&device));
    Ok(plus)
}

/// An array on the bench, behind its wires.
#[derive(Clone, Debug)]
pub struct BenchArray {
    /// The cells' conductances, siemens, word lines x bit lines.
    cells: DMatrix<f64>,
    wires: Wires,
    /// Whose currents they carry.
    device: CrossbarDevice,
}

/// How an array on the bench is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct BenchOptions<'a> {
    /// The device that programs the cells: its levels, errors and stuck cells, its drift, its
    /// currents; none takes them as they are.
    pub device: Option<&'a CrossbarDevice>,
    /// Seconds after programming; the device's, if absent.
    pub at_s: Option<f64>,
    /// Names the chip and its programming: the same cells at every time.
    pub seed: u64,
    /// Resistance of a word line's segment, ohm; the device's, if absent, or 0.
    pub r_word_ohm: Option<f64>,
    /// Resistance of a bit line's segment, ohm; the device's, if absent, or 0.
    pub r_bit_ohm: Option<f64>,
}

impl BenchArray {
    /// The array of `cells` (siemens, word lines x bit lines), which errors call `name`.
    ///
    /// # Errors
    /// When a cell is none that the device can be asked for, the device has no cells that are
    /// written to targets, or a resistance is negative.
    pub fn new(name: &str, mut cells: DMatrix<f64>, options: &BenchOptions) -> Result<Self> {
        let &BenchOptions { device, at_s, seed, r_word_ohm, r_bit_ohm } = options;
        if let Some(device) = device {
            check_range(name, &cells, device)?;
            let mut device = device.clone();
            device.age.at_s = at_s.unwrap_or(device.age.at_s);
            let key = Key::new(seed, "bench");
            let programmed = program_once(&device, &cells.map(|g| g * 1e6), key)
                .map_err(|e| Error::input(format!("--device: {e}")))?;
            cells = programmed.map(|g_us| g_us * 1e-6);
        }
        let of_device = device.map_or(Wires::default(), |device| device.wires);
        let resistance = |name: &str, given: Option<f64>, usual: f64| match given {
            Some(r) if !r.is_finite() || r < 0.0 => {
                Err(Error::input(format!("{name} {r}: expected a resistance of at least 0 ohm")))
            }
            given => Ok(given.unwrap_or(usual)),
        };
        let wires = Wires {
            r_word_ohm: resistance("--r-word", r_word_ohm, of_device.r_word_ohm)?,
            r_bit_ohm: resistance("--r-bit", r_bit_ohm, of_device.r_bit_ohm)?,
            ..of_device
        };
        Ok(Self { cells, wires, device: device.cloned().unwrap_or_default() })
    }

    /// The currents (A) of the lines that are read while `volts`, which errors call `name`, drive
    /// the others: every bit line ends in a virtual ground, or, reversed, every word line. With
    /// `voltages`, or where cells are not linear, the voltages of all nodes too.
    ///
    /// # Errors
    /// When there is not a voltage for each driven line, or no solution is found.
    pub fn solve(
        &self,
        name: &str,
        volts: &DVector<f64>,
        port: Port,
        voltages: bool,
    ) -> Result<(DVector<f64>, Option<Solution>)> {
        let (driven, lines) = match port {
            Port::Forward => (self.cells.nrows(), "word"),
            Port::Reversed => (self.cells.ncols(), "bit"),
        };
        if volts.len() != driven {
            let found = volts.len();
            return Err(Error::input(format!(
                "{name}: expected {driven} voltages, one a {lines} line, found {found}"
            )));
        }
        let nodes = match voltages || !self.is_straight() {
            true => Some(solve(&self.cells, self.device.law(), self.wires, volts, port)?),
            false => None,
        };
        let currents = match &nodes {
            Some(solution) if !self.is_straight() => solution.currents.clone(),
            _ => {
                let matrix = effective(&self.cells, self.wires)?;
                match port {
                    Port::Forward => matrix.tr_mul(volts),
                    Port::Reversed => matrix * volts,
                }
            }
        };
        Ok((currents, nodes.filter(|_| voltages)))
    }

    /// Whether cells' currents are straight lines.
    fn is_straight(&self) -> bool {
        self.device.follows(Path::StraightCurrents)
    }

    /// The effective conductances E (siemens, word lines x bit lines): currents are E^T V, and
    /// reversed E V. Beside them the share of the current that wires cost.
    ///
    /// # Errors
    /// When the cells are not linear: no matrix describes the array.
    pub fn compile(&self) -> Result<(DMatrix<f64>, f64)> {
        if !self.is_straight() {
            return Err(Error::input(
                "--device: its cells are not linear, so no matrix describes the array; use `equilux crossbar solve`",
            ));
        }
        let matrix = effective(&self.cells, self.wires)?;
        let lost = 1.0 - matrix.sum() / self.cells.sum().max(f64::MIN_POSITIVE);
        Ok((matrix, lost))
    }
}

/// Checks that every cell is one that `device` can be asked for.
fn check_range(name: &str, cells: &DMatrix<f64>, device: &CrossbarDevice) -> Result<()> {
    let (low, high) = (device.cells.g_min_us, device.cells.g_max_us);
    let inside = |g: f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(&(g * 1e6));
    for (column, cells) in cells.column_iter().enumerate() {
        if let Some(row) = cells.iter().position(|g| !inside(*g)) {
            let (g_us, row) = (cells[row] * 1e6, row + 1);
            return Err(Error::input(format!(
                "{name}: row {row}, column {}: {g_us:.4} uS is out of the device's range of {low} to {high} uS",
                column + 1
            )));
        }
    }
    Ok(())
}

/// The unit of a cell's number: a conductance or a resistance.
#[derive(Clone, Copy, Debug)]
pub struct CellUnit {
    name: &'static str,
    /// Its size in siemens, or in ohm.
    size: f64,
    resistance: bool,
}

impl CellUnit {
    /// What there is.
    pub const NAMES: [&str; 7] = ["nS", "uS", "mS", "S", "ohm", "kohm", "Mohm"];

    /// The unit `name`.
    ///
    /// # Errors
    /// When it is none of [`NAMES`](Self::NAMES).
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|known| **known == name);
        let name = *found.ok_or_else(|| format!("expected one of {}", Self::NAMES.join(", ")))?;
        let resistance = name.ends_with("ohm");
        let base = if resistance { "cell_ohm" } else { "cell_S" };
        Ok(Self { name, size: unit::factor(base, name)?, resistance })
    }

    /// The `numbers` of cells in siemens; errors call them `what`.
    ///
    /// # Errors
    /// When a number is none of a cell.
    pub fn conductances(self, what: &str, numbers: DMatrix<f64>) -> Result<DMatrix<f64>> {
        let Self { name, size, resistance } = self;
        let ok = |value: f64| if resistance { value > 0.0 } else { value >= 0.0 };
        let expected = match resistance {
            true => format!("a resistance above 0 {name}"),
            false => format!("a conductance of at least 0 {name}"),
        };
        for (column, values) in numbers.column_iter().enumerate() {
            if let Some(row) = values.iter().position(|value| !ok(*value)) {
                let (value, row, column) = (values[row], row + 1, column + 1);
                return Err(Error::input(format!(
                    "{what}: row {row}, column {column}: expected {expected}, found {value}"
                )));
            }
        }
        Ok(numbers.map(|value| if resistance { 1.0 / (value * size) } else { value * size }))
    }
}
