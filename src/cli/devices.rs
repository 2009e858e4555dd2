//! `equilux devices`: datasheets, listed, shown and validated.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::print;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::experiment::{Device, Key, KeyTable, Number, Sheet, keys};
use crate::report::aligned;
use crate::report::format::counted;
use crate::{Error, Result};

/// List the datasheets, or show and validate one
///
/// Every number of a datasheet has its unit and its source; numbers without a measurement behind
/// them say that they are assumed.
#[derive(Debug, Args)]
pub struct DevicesCommand {
    /// A datasheet's name, or the path of one of your own (ending in .toml)
    sheet: Option<String>,
    /// List every key that a datasheet of this kind may state: spim or crossbar
    #[arg(long, value_name = "KIND", conflicts_with = "sheet")]
    keys: Option<String>,
}

pub(super) fn run(command: &DevicesCommand, json: bool) -> Result<()> {
    match (&command.sheet, &command.keys) {
        (_, Some(kind)) => list_keys(kind, json),
        (None, None) => list(json),
        (Some(name), None) => show(name, json),
    }
}

/// Every key of a kind of device, table by table.
fn list_keys(kind: &str, json: bool) -> Result<()> {
    let tables = keys(kind)?;
    if json {
        let key = |key: &Key| json!({ "key": key.name, "default": key.default, "unit": key.unit, "meaning": key.meaning });
        let table = |table: &KeyTable| json!({ "table": table.name, "tier": table.tier, "meaning": table.meaning, "keys": table.keys.iter().map(key).collect::<Vec<_>>() });
        let tables: Vec<Value> = tables.iter().map(table).collect();
        return print(&json!({ "kind": kind, "tables": tables }).to_string());
    }
    let mut lines = Vec::new();
    for table in &tables {
        let name = [format!("device.{kind}"), table.name.clone()];
        let name = name.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        let tier =
            table.tier.map_or(String::new(), |tier| format!(" Followed from the {tier} tier on."));
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("[{name}]  {}{tier}", table.meaning));
        let row = |key: &Key| {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or("-".into());
            vec![key.name.clone(), or_dash(&key.default), or_dash(&key.unit), key.meaning.clone()]
        };
        let heads = ["key", "default", "unit", "meaning"].map(String::from).to_vec();
        let rows: Vec<_> = std::iter::once(heads).chain(table.keys.iter().map(row)).collect();
        lines.extend(aligned(&rows));
    }
    print(&lines.join("\n"))
}

/// Checks that what was measured is there, and fits the device.
fn check_files(name: &str, sheet: &Sheet) -> Result<()> {
    let wrong = |error: Error| Error::input(format!("datasheet {name}: {error}"));
    let mut device = sheet.device()?;
    for (table, file) in device.files() {
        if !Path::new(&*file).is_file() {
            return Err(wrong(Error::input(format!("{table}: {file}: there is no such file"))));
        }
    }
    match &device {
        Device::Spim(device) => {
            Optics::on_chip(device, 1, SpimDevice::chip(1, 0, 0)).map(drop).map_err(wrong)
        }
        _ => Ok(()),
    }
}

/// The keys of a sheet that change nothing: of effects that are off whatever these say. Zero says so
/// itself.
fn idle(sheet: &Sheet) -> Result<Vec<&str>> {
    let device = sheet.device()?;
    let (tables, on) = (device.effect_tables(), device.effects_on());
    let is_idle = |(key, number): &(&str, &Number)| {
        let table = key.split_once('.').map_or(*key, |(table, _)| table);
        let value = number.value.as_float().or(number.value.as_integer().map(|value| value as f64));
        let off = on.iter().all(|effect| effect.table != table);
        tables.contains(&table) && off && value != Some(0.0)
    };
    let numbers = sheet.numbers.iter().map(|(key, number)| (key.as_str(), number));
    Ok(numbers.filter(is_idle).map(|(key, _)| key).collect())
}

fn list(json: bool) -> Result<()> {
    let sheets =
        Sheet::names().map(|name| Ok((name, Sheet::find(name)?))).collect::<Result<Vec<_>>>()?;
    if json {
        let sheets: Vec<Value> = sheets
            .iter()
            .map(|(name, sheet)| json!({ "name": name, "kind": sheet.kind, "title": sheet.title }))
            .collect();
        return print(&json!({ "devices": sheets }).to_string());
    }
    let width = sheets.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut lines = vec![format!("{:width$}  {:8}  what it is", "name", "kind")];
    lines.extend(
        sheets
            .iter()
            .map(|(name, sheet)| format!("{name:width$}  {:8}  {}", sheet.kind, sheet.title)),
    );
    print(&lines.join("\n"))
}

fn show(name: &str, json: bool) -> Result<()> {
    let sheet = Sheet::find(name)?;
    check_files(name, &sheet)?;
    if json {
        let number = |(key, number): (&String, &Number)| json!({ "key": key, "value": number.value, "unit": number.unit, "source": number.source });
        let numbers: Vec<Value> = sheet.numbers.iter().map(number).collect();
        return print(&json!({ "name": name, "kind": sheet.kind, "title": sheet.title, "numbers": numbers, "idle": idle(&sheet)?, "valid": true }).to_string());
    }
    let rows: Vec<[String; 4]> = sheet
        .numbers
        .iter()
        .map(|(key, number)| {
            [key.clone(), number.value.to_string(), number.unit.clone(), number.source.clone()]
        })
        .collect();
    let head = ["key", "value", "unit"].map(String::from);
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].len())
            .chain([head[column].len()])
            .max()
            .unwrap_or_default()
    };
    let (key, value, unit) = (width(0), width(1), width(2));
    let mut lines = vec![
        format!("{} ({})", sheet.title, sheet.kind),
        String::new(),
        format!("{:key$}  {:>value$}  {:unit$}  source", head[0], head[1], head[2]),
    ];
    lines.extend(
        rows.iter().map(|[k, v, u, source]| format!("{k:key$}  {v:>value$}  {u:unit$}  {source}")),
    );
    let place = if Path::new(name).extension().is_some() {
        format!("{name}: valid")
    } else {
        "valid".into()
    };
    let assumed = rows.iter().filter(|row| row[3].starts_with("assumed")).count();
    lines.extend([
        String::new(),
        format!("{place}; {}, {assumed} of them assumed", counted(rows.len(), "number")),
    ]);
    let idle = idle(&sheet)?;
    if !idle.is_empty() {
        lines.push(format!(
            "without effect, as their tables are off with these values: {}",
            idle.join(", ")
        ));
    }
    print(&lines.join("\n"))
}
