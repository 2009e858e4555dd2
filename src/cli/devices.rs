//! `equilux devices`: datasheets, listed, shown and validated.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::print;
use crate::Result;
use crate::experiment::Sheet;

/// List the datasheets, or show and validate one
///
/// Every number of a datasheet has its unit and its source; numbers without a measurement behind
/// them say that they are assumed.
#[derive(Debug, Args)]
pub struct DevicesCommand {
    /// A datasheet's name, or the path of one of your own (ending in .toml)
    sheet: Option<String>,
}

pub(super) fn run(command: &DevicesCommand, json: bool) -> Result<()> {
    match &command.sheet {
        None => list(json),
        Some(name) => show(name, json),
    }
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
    if json {
        let number = |(key, number): (&String, &crate::experiment::Number)| json!({ "key": key, "value": number.value, "unit": number.unit, "source": number.source });
        let numbers: Vec<Value> = sheet.numbers.iter().map(number).collect();
        return print(&json!({ "name": name, "kind": sheet.kind, "title": sheet.title, "numbers": numbers, "valid": true }).to_string());
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
        format!("{place}; {} numbers, {assumed} of them assumed", rows.len()),
    ]);
    print(&lines.join("\n"))
}
