//! `equilux laboratory`: a bench looked at, and measured.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use nalgebra::DMatrix;
use toml::Value;

use super::print;
use crate::Result;
use crate::experiment::{Beside, Number, Sheet};
use crate::laboratory::{Calibration, Check, calibrate, check};
use crate::report::format::percent;
use crate::wire::{Laboratory, LaboratoryTable, stop_with};

/// Look at the instruments of a laboratory, and measure them
#[derive(Debug, Subcommand)]
pub enum LaboratoryCommand {
    Check(CheckCommand),
    Calibrate(CalibrateCommand),
}

/// Ask a modulator and a camera what one asks of a bench before an experiment
///
/// Latency, frame rate, darkness, linearity in exposure, repeatability, drift, the sign and the
/// orientation of the panel, the light that nothing modulates: a page to keep.
#[derive(Debug, Args)]
pub struct CheckCommand {
    /// Its address HOST:PORT, or the command that talks to it on its standard input and output
    laboratory: String,
    /// Seconds for which drift is watched
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    drift: f64,
}

/// Measure a modulator and a camera, and write their datasheet
///
/// Phase response, illumination, crosstalk, fill factor, unmodulated light, noise, flicker and
/// drift, from the intensities of a few thousand masks. Every number's source says how it was
/// measured.
#[derive(Debug, Args)]
pub struct CalibrateCommand {
    /// Its address HOST:PORT, or the command that talks to it on its standard input and output
    laboratory: String,
    /// The datasheet to write; a response that no formula describes goes into a file beside it
    #[arg(long, value_name = "SHEET")]
    out: PathBuf,
}

pub(super) fn run(command: &LaboratoryCommand, json: bool) -> Result<()> {
    stop_with(super::stop_on_signals());
    match command {
        LaboratoryCommand::Check(command) => {
            let found = check(&reach(&command.laboratory)?, command.drift)?;
            match json {
                true => print(&serde_json::to_string(&found).expect("names and numbers")),
                false => print(&page(&found)),
            }
        }
        LaboratoryCommand::Calibrate(command) => {
            let laboratory = reach(&command.laboratory)?;
            let found = calibrate(&laboratory, &mut |what| super::tell(&format!("{what}...")))?;
            write(&found, &command.out)?;
            if json {
                return print(&serde_json::to_string(&found).expect("names and numbers"));
            }
            let mut lines = format!("{}: {} frames\n", found.name, found.frames);
            for (key, number) in &found.numbers {
                let _ = writeln!(lines, "{key:24} {:12.6} {}", number.value, number.unit);
            }
            for (what, [change, error]) in
                [("light", found.drift.light), ("phases", found.drift.phase)]
            {
                let (seconds, change, error) =
                    (found.drift.seconds, percent(change), percent(error));
                let _ = writeln!(lines, "drift of {what} {change} +- {error} in {seconds:.0} s");
            }
            print(&format!("{lines}written to {}", command.out.display()))
        }
    }
}

fn reach(place: &str) -> Result<Arc<Laboratory>> {
    Laboratory::connect(&LaboratoryTable::default().at(place)?)
}

/// A page one can keep.
fn page(found: &Check) -> String {
    let [width, height, bits] = found.panel;
    let mut lines = vec![
        format!(
            "laboratory       {}{}",
            found.name,
            found.serial.as_ref().map_or(String::new(), |s| format!(", serial number {s}"))
        ),
        format!("panel            {width} x {height} pixels, {bits} bits"),
        format!("latency          {:.3} ms", 1e3 * found.latency_s),
        format!(
            "frames a second  {:.1}, it says {:.1}",
            found.frames_per_second[0], found.frames_per_second[1]
        ),
        format!(
            "exposure         {:.4} for all pixels in phase at 0.7 of the full scale",
            found.exposure
        ),
        format!(
            "darkness         {} of all in phase, by a checkerboard of 0 and pi",
            percent(found.darkness)
        ),
        format!(
            "linearity        {} of the full scale off a straight line in exposure",
            percent(found.non_linearity)
        ),
        format!("repeatability    {} rms of one mask", percent(found.repeatability)),
        format!("drift            {} in {:.0} s", percent(found.drift[1]), found.drift[0]),
        format!("zero order       {} of it is not modulated", percent(found.zero_order)),
    ];
    lines.push(match found.orientation {
        None => "orientation      cannot be told: it reads no order but the zero".into(),
        Some(ratios) => {
            let right = ratios.iter().all(|ratio| *ratio > 2.0);
            let told = ratios.map(|ratio| format!("{ratio:.1}")).join(", ");
            let verdict = if right {
                "as it should be"
            } else {
                "WRONG: mirrored, turned or of the other sign"
            };
            format!(
                "orientation      {verdict} (down, up, right, left: {told} times the other side)"
            )
        }
    });
    lines.push(format!("frames           {}", found.frames));
    lines.join("\n")
}

/// Writes the datasheet, and its response beside it where it needs one.
fn write(found: &Calibration, path: &Path) -> Result<()> {
    let title = format!("{}, as measured", found.name);
    let mut sheet = Sheet { kind: "spim".into(), title, numbers: BTreeMap::new() };
    for (key, measured) in &found.numbers {
        let whole = ["quantisation.bits", "camera.bits", "panel.width_px", "panel.height_px"];
        let value = match whole.contains(key) {
            true => Value::Integer(measured.value.round() as i64),
            false => Value::Float(measured.value),
        };
        let (unit, source) = (measured.unit.to_owned(), measured.source.clone());
        sheet.numbers.insert((*key).to_owned(), Number { value, unit, source });
    }
    let source = "measured: two parts of the panel at four reference levels";
    let response = found.formula.is_none().then(|| Beside {
        key: "response.table",
        values: DMatrix::from_column_slice(found.phases.len(), 1, &found.phases),
        unit: "rad",
        source: source.into(),
    });
    sheet.write(path, response.as_slice())
}
