//! `equilux crossbar`: one array on the bench.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nalgebra::{DMatrix, DVector};
use serde_json::json;

use super::print;
use crate::arithmetic::random::Key;
use crate::coupler::crossbar::{
    CellCurrent, CrossbarDevice, Wires, effective, program_once, solve,
};
use crate::coupler::{Effect, Port};
use crate::experiment::{Device, Sheet};
use crate::file::keep_inputs;
use crate::file::matrix::{read_matrix, read_vector, write_matrix};
use crate::{Error, Result};

/// Bench instruments for one resistive array
#[derive(Debug, Subcommand)]
pub enum CrossbarCommand {
    Solve(SolveCommand),
    Compile(CompileCommand),
}

/// The array on the bench.
#[derive(Debug, Args)]
struct ArrayOptions {
    /// The cells, one line a word line (.csv or .npy)
    #[arg(long, value_name = "FILE")]
    cells: PathBuf,
    /// The unit of the numbers in --cells: conductances (nS, uS, mS, S) or resistances (ohm, kohm,
    /// Mohm)
    #[arg(long, value_name = "UNIT", value_parser = unit_of_cells)]
    unit: Unit,
    /// Resistance of a word line's segment, ohm [default: the device's, or 0]
    #[arg(long, value_name = "OHM", allow_hyphen_values = true)]
    r_word: Option<f64>,
    /// Resistance of a bit line's segment, ohm [default: the device's, or 0]
    #[arg(long, value_name = "OHM", allow_hyphen_values = true)]
    r_bit: Option<f64>,
    /// Program the cells as this device does: its levels, errors and stuck cells, its drift, its
    /// currents (a datasheet's name or path)
    #[arg(long, value_name = "SHEET")]
    device: Option<String>,
    /// Time after programming, for example "1 h"; needs --device
    #[arg(long, value_name = "TIME", requires = "device")]
    at: Option<String>,
    /// Names the chip and its programming: the same cells at every time; needs --device
    #[arg(long, default_value_t = 1, requires = "device")]
    seed: u64,
}

/// The unit of the cells in a file.
#[derive(Clone, Copy, Debug)]
struct Unit {
    name: &'static str,
    /// Its size in siemens, or in ohm.
    size: f64,
    resistance: bool,
}

const UNITS: [&str; 7] = ["nS", "uS", "mS", "S", "ohm", "kohm", "Mohm"];

fn unit_of_cells(text: &str) -> std::result::Result<Unit, String> {
    let found = UNITS.iter().find(|name| **name == text);
    let name = *found.ok_or_else(|| format!("expected one of {}", UNITS.join(", ")))?;
    let resistance = name.ends_with("ohm");
    let base = if resistance { "cell_ohm" } else { "cell_S" };
    Ok(Unit { name, size: crate::quantity::unit::factor(base, name)?, resistance })
}

/// Currents, and node voltages, of an array behind its wires
///
/// Word lines are driven at their left ends and every bit line ends at the bottom in a virtual
/// ground; --reversed drives the bottom ends of the bit lines and reads the left ends of the word
/// lines.
#[derive(Debug, Args)]
pub struct SolveCommand {
    #[command(flatten)]
    array: ArrayOptions,
    /// Voltages of the driven lines, a vector (.csv or .npy)
    #[arg(long, value_name = "FILE")]
    volts: PathBuf,
    /// Drive the bit lines and read the word lines
    #[arg(long)]
    reversed: bool,
    /// Give the voltages of all nodes
    #[arg(long)]
    voltages: bool,
}

/// The effective conductance matrix of an array behind its wires
///
/// Written to --out in siemens, word lines x bit lines: currents are E^T V, and reversed E V.
#[derive(Debug, Args)]
pub struct CompileCommand {
    #[command(flatten)]
    array: ArrayOptions,
    /// Where the matrix is written (.npy or .csv)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// An array as it was read and programmed.
struct Bench {
    cells: DMatrix<f64>,
    wires: Wires,
    law: CellCurrent,
}

impl ArrayOptions {
    fn bench(&self) -> Result<Bench> {
        let mut cells = conductances(&self.cells, self.unit)?;
        let device = self.device.as_deref().map(crossbar_sheet).transpose()?;
        if let Some(device) = &device {
            let at = self.at.as_deref().map(|at| {
                crate::quantity::duration::parse(at)
                    .map_err(|e| Error::input(format!("--at {at}: {e}")))
            });
            check_range(&self.cells, &cells, device)?;
            let mut device = device.clone();
            device.age.at_s = at.transpose()?.unwrap_or(device.age.at_s);
            let key = Key::new(self.seed, "bench");
            let programmed = program_once(&device, &cells.map(|g| g * 1e6), key)
                .map_err(|e| Error::input(format!("--device: {e}")))?;
            cells = programmed.map(|g_us| g_us * 1e-6);
        }
        let of_device = device.as_ref().map_or(Wires::default(), |device| device.wires);
        let resistance = |name: &str, given: Option<f64>, usual: f64| match given {
            Some(r) if !r.is_finite() || r < 0.0 => {
                Err(Error::input(format!("{name} {r}: expected a resistance of at least 0 ohm")))
            }
            given => Ok(given.unwrap_or(usual)),
        };
        let wires = Wires {
            r_word_ohm: resistance("--r-word", self.r_word, of_device.r_word_ohm)?,
            r_bit_ohm: resistance("--r-bit", self.r_bit, of_device.r_bit_ohm)?,
            ..of_device
        };
        Ok(Bench { cells, wires, law: device.map(|device| device.current).unwrap_or_default() })
    }
}

/// The cells of a file in siemens.
fn conductances(path: &Path, unit: Unit) -> Result<DMatrix<f64>> {
    let values = read_matrix(path)?;
    let Unit { name, size, resistance } = unit;
    let ok = |value: f64| if resistance { value > 0.0 } else { value >= 0.0 };
    let expected = match resistance {
        true => format!("a resistance above 0 {name}"),
        false => format!("a conductance of at least 0 {name}"),
    };
    for (column, values) in values.column_iter().enumerate() {
        if let Some(row) = values.iter().position(|value| !ok(*value)) {
            let (value, path) = (values[row], path.display());
            return Err(Error::input(format!(
                "{path}: row {}, column {}: expected {expected}, found {value}",
                row + 1,
                column + 1
            )));
        }
    }
    Ok(values.map(|value| if resistance { 1.0 / (value * size) } else { value * size }))
}

fn crossbar_sheet(name: &str) -> Result<CrossbarDevice> {
    match Sheet::find(name)?.device()? {
        Device::Crossbar(device) => Ok(*device),
        _ => Err(Error::input(format!("--device {name}: that datasheet describes no crossbar"))),
    }
}

/// Checks that every cell is one that `device` can be asked for.
fn check_range(path: &Path, cells: &DMatrix<f64>, device: &CrossbarDevice) -> Result<()> {
    let (low, high) = (device.cells.g_min_us, device.cells.g_max_us);
    let inside = |g: f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(&(g * 1e6));
    for (column, cells) in cells.column_iter().enumerate() {
        if let Some(row) = cells.iter().position(|g| !inside(*g)) {
            let (g_us, path, row) = (cells[row] * 1e6, path.display(), row + 1);
            return Err(Error::input(format!(
                "{path}: row {row}, column {}: {g_us:.4} uS is out of the device's range of {low} to {high} uS",
                column + 1
            )));
        }
    }
    Ok(())
}

pub(super) fn run(command: &CrossbarCommand, json: bool) -> Result<()> {
    match command {
        CrossbarCommand::Solve(command) => command.run(json),
        CrossbarCommand::Compile(command) => command.run(json),
    }
}

impl SolveCommand {
    fn run(&self, json: bool) -> Result<()> {
        let Bench { cells, wires, law } = self.array.bench()?;
        let volts = read_vector(&self.volts)?;
        let port = if self.reversed { Port::Reversed } else { Port::Forward };
        let driven = if self.reversed { cells.ncols() } else { cells.nrows() };
        if volts.len() != driven {
            let (lines, path) = (if self.reversed { "bit" } else { "word" }, self.volts.display());
            return Err(Error::input(format!(
                "{path}: expected {driven} voltages, one a {lines} line, found {}",
                volts.len()
            )));
        }
        let nodes = if self.voltages || !law.is_off() {
            Some(solve(&cells, &law, wires, &volts, port)?)
        } else {
            None
        };
        let currents: DVector<f64> = match &nodes {
            Some(solution) if !law.is_off() => solution.currents.clone(),
            _ => {
                let matrix = effective(&cells, wires)?;
                if self.reversed { matrix * &volts } else { matrix.tr_mul(&volts) }
            }
        };
        let nodes = nodes.filter(|_| self.voltages);
        if json {
            let mut object = json!({ "currents_A": currents.as_slice() });
            if let Some(nodes) = &nodes {
                let rows = |m: &DMatrix<f64>| {
                    m.row_iter().map(|row| row.iter().copied().collect()).collect::<Vec<Vec<f64>>>()
                };
                object["word_V"] = json!(rows(&nodes.word));
                object["bit_V"] = json!(rows(&nodes.bit));
            }
            return print(&object.to_string());
        }
        let line = if self.reversed { "word" } else { "bit" };
        let mut lines = vec![format!("{line} line     current (A)")];
        lines.extend(
            currents
                .iter()
                .enumerate()
                .map(|(index, current)| format!("{:>8} {current:>15.8e}", index + 1)),
        );
        if let Some(nodes) = &nodes {
            for (name, voltages) in [("word", &nodes.word), ("bit", &nodes.bit)] {
                lines.push(format!("\nvoltages of the {name} lines' nodes (V)"));
                let row = |row: nalgebra::DMatrixView<f64>| {
                    row.iter().map(|v| format!("{v:>12.8}")).collect::<Vec<_>>().join(" ")
                };
                lines.extend((0..voltages.nrows()).map(|i| row(voltages.rows(i, 1))));
            }
        }
        print(&lines.join("\n"))
    }
}

impl CompileCommand {
    fn run(&self, json: bool) -> Result<()> {
        keep_inputs(&self.out, &[&self.array.cells])?;
        let Bench { cells, wires, law } = self.array.bench()?;
        if !law.is_off() {
            return Err(Error::input(
                "--device: its cells are not linear, so no matrix describes the array; use `equilux crossbar solve`",
            ));
        }
        let start = std::time::Instant::now();
        let matrix = effective(&cells, wires)?;
        let seconds = start.elapsed().as_secs_f64();
        write_matrix(&self.out, &matrix)?;
        let loss = 1.0 - matrix.sum() / cells.sum().max(f64::MIN_POSITIVE);
        let (rows, columns) = matrix.shape();
        if json {
            let object = json!({ "out": self.out, "rows": rows, "columns": columns, "lost_in_wires": loss, "seconds": seconds });
            return print(&object.to_string());
        }
        let out = self.out.display();
        print(&format!(
            "{rows} x {columns} effective conductances (S) in {out}: wires cost {:.3} % of the current",
            100.0 * loss
        ))
    }
}
