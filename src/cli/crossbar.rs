//! `equilux crossbar`: one array on the bench.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nalgebra::DMatrix;
use serde_json::json;

use super::print;
use crate::coupler::Port;
use crate::coupler::crossbar::{BenchArray, BenchOptions, CellUnit};
use crate::experiment::Sheet;
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
    #[arg(long, value_name = "UNIT", value_parser = CellUnit::named)]
    unit: CellUnit,
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

impl ArrayOptions {
    fn bench(&self) -> Result<BenchArray> {
        let name = self.cells.display().to_string();
        let cells = self.unit.conductances(&name, read_matrix(&self.cells)?)?;
        let device = self.device.as_deref().map(Sheet::crossbar).transpose()?;
        let at = self.at.as_deref().map(|at| {
            crate::quantity::duration::parse(at)
                .map_err(|e| Error::input(format!("--at {at}: {e}")))
        });
        let options = BenchOptions {
            device: device.as_ref(),
            at_s: at.transpose()?,
            seed: self.seed,
            r_word_ohm: self.r_word,
            r_bit_ohm: self.r_bit,
        };
        BenchArray::new(&name, cells, &options)
    }
}

pub(super) fn run(command: &CrossbarCommand, json: bool) -> Result<()> {
    match command {
        CrossbarCommand::Solve(command) => command.run(json),
        CrossbarCommand::Compile(command) => command.run(json),
    }
}

impl SolveCommand {
    fn run(&self, json: bool) -> Result<()> {
        let array = self.array.bench()?;
        let volts = read_vector(&self.volts)?;
        let port = if self.reversed { Port::Reversed } else { Port::Forward };
        let name = self.volts.display().to_string();
        let (currents, nodes) = array.solve(&name, &volts, port, self.voltages)?;
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
        let array = self.array.bench()?;
        let start = std::time::Instant::now();
        let (matrix, loss) = array.compile()?;
        let seconds = start.elapsed().as_secs_f64();
        write_matrix(&self.out, &matrix)?;
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
