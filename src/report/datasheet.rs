//! The device on a page: its numbers, their units and their sources.

use toml::{Table, Value};

use super::html::{escaped, table};
use crate::Result;
use crate::experiment::{Device, Experiment, Sheet};

/// The section of the device of `experiment`; empty for exact arrays. Of the keys `varied`, which a
/// study's axes change, it says so in place of a value.
///
/// # Errors
/// When the datasheet cannot be read any more.
pub fn datasheet(experiment: &Experiment, varied: &[String]) -> Result<String> {
    let (kind, name) = (experiment.device.name(), experiment.device.sheet());
    let Ok(Value::Table(mut device)) = Value::try_from(&experiment.device) else {
        return Ok(String::new());
    };
    let Some(Value::Table(numbers)) = device.remove(kind) else { return Ok(String::new()) };
    let sheet = name.map(Sheet::find).transpose()?;
    let title = match (&sheet, name) {
        (Some(sheet), Some(name)) => format!("{} (datasheet {name})", sheet.title),
        _ => experiment.describe(),
    };
    let heads = ["Number", "Value", "Unit", "Source"].map(String::from);
    let table_key = format!("device.{kind}.");
    let varied: Vec<&str> = varied.iter().filter_map(|key| key.strip_prefix(&table_key)).collect();
    let title = match varied.contains(&"sheet") {
        true => format!("Each of several datasheets; the numbers are those of {title}"),
        false => title,
    };
    let rows = rows(&flat(numbers), &flat(without_effect(kind)), sheet.as_ref(), &varied);
    Ok(format!(
        "<section class=\"device\">\n<h2>Device</h2>\n<p>{}</p>\n<details open>\n<summary>{} numbers</summary>\n{}</details>\n</section>\n",
        escaped(&title),
        rows.len(),
        table("Numbers of the device", &heads, rows.into_iter())
    ))
}

/// The numbers of a device of this kind that nobody has described.
fn without_effect(kind: &str) -> Table {
    let empty = Value::Table(Table::from_iter([(kind.to_owned(), Value::Table(Table::new()))]));
    match empty.try_into::<Device>().ok().and_then(|device| Value::try_from(device).ok()) {
        Some(Value::Table(mut device)) => {
            device.remove(kind).and_then(|numbers| numbers.as_table().cloned()).unwrap_or_default()
        }
        _ => Table::new(),
    }
}

/// The numbers of nested tables under keys such as `camera.bits`.
fn flat(table: Table) -> Table {
    let mut all = Table::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                all.extend(flat(inner).into_iter().map(|(name, v)| (format!("{key}.{name}"), v)));
            }
            value => {
                all.insert(key, value);
            }
        }
    }
    all
}

/// One row a number: those of the datasheet first, then the experiment's own that differ from the
/// `usual` ones.
fn rows(
    numbers: &Table,
    usual: &Table,
    sheet: Option<&Sheet>,
    varied: &[&str],
) -> Vec<Vec<String>> {
    let known = |key: &String| sheet.and_then(|sheet| sheet.numbers.get(key));
    let row = |(key, value): (&String, &Value)| {
        // An axis may choose among tables, such as those of readouts.
        let changes = |axis: &&str| {
            key.strip_prefix(*axis).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if varied.iter().any(changes) {
            let unit = known(key).map_or(String::new(), |number| number.unit.clone());
            return vec![key.clone(), "varied".into(), unit, "an axis of this study".into()];
        }
        let (unit, source) = match known(key) {
            Some(number) if same(&number.value, value) => {
                (number.unit.clone(), number.source.clone())
            }
            Some(number) => (
                number.unit.clone(),
                format!("set by the experiment; the datasheet has {}", number.value),
            ),
            None => (String::new(), "set by the experiment".to_owned()),
        };
        vec![key.clone(), value.to_string(), unit, source]
    };
    let (stated, others): (Vec<_>, Vec<_>) = numbers
        .iter()
        .filter(|(key, _)| *key != "sheet")
        .partition(|(key, _)| known(key).is_some());
    let own = others.into_iter().filter(|(key, value)| usual.get(*key) != Some(value));
    stated.into_iter().chain(own).map(row).collect()
}

fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| {
        value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64))
    };
    a == b || number(a).is_some_and(|a| number(b) == Some(a))
}
