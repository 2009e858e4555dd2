//! `equilux fit`: a datasheet from measurements.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use toml::Value;

use super::print;
use crate::experiment::{Beside, Number, Sheet};
use crate::fit::{Fitted, fit};
use crate::report::write_fits;
use crate::{Error, Result};

/// Make a datasheet from tables of measurements
///
/// CSV files whose columns say what was measured: level, phase_rad (a phase response; with row and column of
/// a region of the panel, as it varies over it); target_uS, conductance_uS (programming); cell,
/// conductance_uS (reads); cell, time_s, conductance_uS (drift); cell, voltage_V, current_uA (currents of cells
/// and selectors); cell, pulse, conductance_uS (potentiation and depression, pulse = up or down, with cycle where there are
/// several). Every number's source says file, data and standard error; SHEET.html shows data and model over
/// each other.
#[derive(Debug, Args)]
pub struct FitCommand {
    /// Tables of measurements of one device
    #[arg(required = true)]
    measurements: Vec<PathBuf>,
    /// The datasheet to write, a .toml file; its page and tables of phases stand beside it
    #[arg(long, value_name = "SHEET")]
    out: PathBuf,
    /// What the device is called [default: the file's name]
    #[arg(long)]
    title: Option<String>,
}

pub(super) fn run(command: &FitCommand, json: bool) -> Result<()> {
    let out = &command.out;
    if out.extension().is_none_or(|extension| extension != "toml") {
        return Err(Error::input(format!(
            "--out {}: expected a file that ends in .toml",
            out.display()
        )));
    }
    let mut found: Vec<(String, Fitted)> = Vec::new();
    for path in &command.measurements {
        found.push((path.display().to_string(), fit(path)?));
    }
    let title = command.title.clone().unwrap_or_else(|| {
        format!("{}, as measured", out.file_stem().unwrap_or_default().to_string_lossy())
    });
    let mut sheet = joined(&found, &title)?;
    let page = out.with_extension("html");
    let beside: Vec<Beside> = found.iter().flat_map(|(_, fitted)| fitted.beside.clone()).collect();
    let files = beside.iter().map(|file| file.path(out)).chain([out.clone(), page.clone()]);
    if let Some(there) = files.into_iter().find(|path| path.exists()) {
        return Err(Error::input(format!("{}: exists: expected another name", there.display())));
    }
    sheet.write(out, &beside)?;
    write_fits(out, &title, &found)?;
    if json {
        let numbers: BTreeMap<&String, serde_json::Value> = sheet
            .numbers
            .iter()
            .map(|(key, number)| (key, json!({ "value": number.value, "source": number.source })))
            .collect();
        let object = json!({ "sheet": out.display().to_string(), "numbers": numbers });
        return print(&object.to_string());
    }
    let mut lines = Vec::new();
    for (file, fitted) in &found {
        lines.push(file.clone());
        lines.extend(fitted.lines.iter().map(|(name, value)| format!("  {name:22} {value}")));
    }
    lines.push(format!("written to {}, data and model in {}", out.display(), page.display()));
    print(&lines.join("\n"))
}

/// One sheet of all that was found.
fn joined(found: &[(String, Fitted)], title: &str) -> Result<Sheet> {
    let (first, fitted) = &found[0];
    let mut sheet =
        Sheet { kind: fitted.kind.into(), title: title.to_owned(), numbers: BTreeMap::new() };
    for (file, fitted) in found {
        if fitted.kind != sheet.kind {
            return Err(Error::input(format!(
                "{file}: measurements of a {}, {first} of a {}: expected those of one device",
                fitted.kind, sheet.kind
            )));
        }
        for (key, number) in &fitted.numbers {
            if sheet.numbers.insert(key.clone(), number.clone()).is_some() {
                return Err(Error::input(format!(
                    "{file}: {key} was found in another file already"
                )));
            }
        }
    }
    // Of reads by themselves more is known than of those between pulses.
    if sheet.numbers.contains_key("read_noise.sd_points_uS") {
        sheet.numbers.remove("read_noise.sd_uS");
    }
    for (file, fitted) in found {
        if let Some(own) = fitted.of_conductance_us {
            refer_to_g_max(&mut sheet, own, file);
        }
    }
    Ok(sheet)
}

/// Makes the drift of `sheet`, whose nu is a law of G / `own` (uS), one of G / g_max.
fn refer_to_g_max(sheet: &mut Sheet, own: f64, file: &str) {
    let Some(g_max) = sheet.numbers.get("cells.g_max_uS").and_then(|of| of.value.as_float()) else {
        let source = format!("the highest conductance that drift was measured of in {file}");
        let number = Number { value: own.into(), unit: "uS".into(), source };
        sheet.numbers.insert("cells.g_max_uS".into(), number);
        return;
    };
    let nu = sheet.numbers.get_mut("drift.nu").and_then(|number| number.value.as_array_mut());
    if let Some([Value::Float(slope), Value::Float(at), ..]) = nu.map(Vec::as_mut_slice) {
        *at += *slope * (g_max / own).ln();
    }
}
