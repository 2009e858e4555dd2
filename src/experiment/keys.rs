//! The keys of a device's table: what each is, in the words of the code.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Sheet;
use crate::coupler::crossbar::CrossbarDevice;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Path;
use crate::quantity::unit;
use crate::{Error, Result};

/// One table of a device's keys.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTable {
    /// Its name, such as `camera`; empty for the keys of the device itself.
    pub name: String,
    /// What it is.
    pub meaning: String,
    /// The cheapest tier of the optics that follows it; none where there are no tiers.
    pub tier: Option<&'static str>,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// One key.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its name within its table, such as `bits`.
    pub name: String,
    /// Its value where nobody states one; none of what is then absent.
    pub default: Option<String>,
    /// Its unit: that of its name, or of the datasheets that state it.
    pub unit: Option<String>,
    /// What it is, and what there is to choose from.
    pub meaning: String,
}

/// The tables of the device `kind`, `spim` or `crossbar`.
///
/// # Errors
/// When there is no such kind.
pub fn keys(kind: &str) -> Result<Vec<KeyTable>> {
    let generator = || {
        let inline = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
        SchemaSettings::draft2020_12().with(inline).into_generator()
    };
    let (schema, tiers) = match kind {
        "spim" => (generator().into_root_schema_for::<SpimDevice>(), tiers()),
        "crossbar" => (generator().into_root_schema_for::<CrossbarDevice>(), BTreeMap::new()),
        _ => {
            return Err(Error::input(format!("--keys {kind}: expected spim or crossbar")));
        }
    };
    let stated = stated_units(kind);
    let mut tables = Vec::new();
    collect("", schema.as_value(), &stated, &mut tables);
    for table in &mut tables {
        let first = table.name.split('.').next().unwrap_or_default();
        table.tier = tiers.get(first).copied();
    }
    tables.retain(|table| !table.keys.is_empty());
    Ok(tables)
}

/// Adds the table `name` that `schema` describes, and those in it.
fn collect(
    name: &str,
    schema: &Value,
    stated: &BTreeMap<String, String>,
    tables: &mut Vec<KeyTable>,
) {
    let place = tables.len();
    let meaning = words(schema);
    tables.push(KeyTable { name: name.to_owned(), meaning, tier: None, keys: Vec::new() });
    let Some(properties) = schema["properties"].as_object() else { return };
    for (key, schema) in properties {
        let full = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let is_choice = schema["enum"].is_array();
        if schema["properties"].is_object() {
            collect(&full, schema, stated, tables);
        }
        if is_choice || !schema["properties"].is_object() {
            let unit = unit::of(key).map(String::from).or_else(|| stated.get(&full).cloned());
            let default = shown(&schema["default"]);
            let meaning = [words(schema), choices(schema)];
            let meaning = meaning.into_iter().filter(|words| !words.is_empty());
            let meaning = meaning.collect::<Vec<_>>().join(" ");
            tables[place].keys.push(Key { name: key.clone(), default, unit, meaning });
        }
    }
}

/// What a schema says of itself, on one line and without the marks of links.
fn words(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("[`", "`").replace("`]", "`")
}

/// A default; nothing of what is absent, or a table of its own.
fn shown(default: &Value) -> Option<String> {
    match default {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// What there is to choose from, if it is a choice.
fn choices(schema: &Value) -> String {
    let named = |one: &Value| one["const"].as_str().map(String::from);
    let all = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|one| one.as_str().map(String::from).or_else(|| named(one))).collect()
    };
    let names = [all(&schema["enum"]), all(&schema["oneOf"])].concat();
    let optional = schema["anyOf"].as_array().into_iter().flatten();
    let names: Vec<String> = names
        .into_iter()
        .chain(optional.flat_map(|one| [all(&one["enum"]), all(&one["oneOf"])].concat()))
        .collect();
    if names.is_empty() { String::new() } else { format!("One of {}.", names.join(", ")) }
}

/// The units that shipped datasheets of this kind state, by key.
fn stated_units(kind: &str) -> BTreeMap<String, String> {
    let sheets = Sheet::names().filter_map(|name| Sheet::find(name).ok());
    let numbers = sheets.filter(|sheet| sheet.kind == kind).flat_map(|sheet| sheet.numbers);
    numbers.map(|(key, number)| (key, number.unit)).filter(|(_, unit)| unit != "1").collect()
}

/// The cheapest tier that follows each optical effect.
fn tiers() -> BTreeMap<&'static str, &'static str> {
    let device = SpimDevice::default();
    let tier = |(table, effect): (&'static str, &dyn crate::coupler::spim::optics::Optic)| {
        let tiers = [(Path::Analytic, "analytic"), (Path::Effective, "effective")];
        let first = tiers.into_iter().find(|(path, _)| effect.followed_by(*path, &device));
        (table, first.map_or("wave", |(_, name)| name))
    };
    device.effects().into_iter().map(tier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_every_sheet_is_there_with_words_of_its_own() {
        for kind in ["spim", "crossbar"] {
            let tables = keys(kind).unwrap();
            let named = |full: &str| {
                let (table, key) = full.rsplit_once('.').unwrap_or(("", full));
                let table = tables.iter().find(|known| known.name == table)?;
                table.keys.iter().find(|known| known.name == key)
            };
            for table in &tables {
                for key in &table.keys {
                    assert!(!key.meaning.is_empty(), "{kind}: {}.{}", table.name, key.name);
                }
            }
            for sheet in Sheet::names().map(|name| Sheet::find(name).unwrap()) {
                for key in sheet.numbers.keys().filter(|_| sheet.kind == kind) {
                    assert!(named(key).is_some(), "{kind}: {key}");
                }
            }
        }
        assert!(keys("exact").is_err());
    }
}
