//! Settings: one key of a table changed, `a.b=value`; and TOML errors in plain words.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Experiment;
use crate::error::did_you_mean;
use crate::{Error, Result};

/// Tables of which only one key may be present: choosing another replaces it.
const ONE_OF: [&str; 8] = [
    "device",
    "device.spim.readout",
    "learning.rule",
    "machine",
    "network.dynamics",
    "relaxation.method",
    "training.optimiser",
    "training.schedule",
];

/// Keys of a device's table of which one takes the place of the others: a sheet's are not laid under it.
const INSTEAD: [(&str, &[&str]); 4] = [
    ("device.spim.illumination", &["radius", "image"]),
    ("device.crossbar.levels", &["count", "values_uS"]),
    ("device.crossbar.programming", &["error_uS", "error_terms", "error_points_uS"]),
    ("device.crossbar.read_noise", &["sd_uS", "sd_points_uS"]),
];

/// A TOML error with its place, types in plain words and, for unknown names, the nearest known one.
pub(crate) fn located(name: &str, error: &toml::de::Error) -> Error {
    let message = error.message();
    let mut words = message.split('`').skip(1).step_by(2);
    let suggestion = match words.next() {
        Some(unknown) if message.starts_with("unknown") => {
            let (near, places) = (did_you_mean(unknown, words), places_of(unknown));
            if near.is_empty() && !places.is_empty() {
                format!("; there is `{}`", places.join("`, `"))
            } else {
                near
            }
        }
        _ => String::new(),
    };
    let mut text = error.to_string();
    for (rust, words) in
        [("i64", "a whole number"), ("u64", "a whole number of at least 0"), ("f64", "a number")]
    {
        text = text.replace(&format!(", expected {rust}\n"), &format!(", expected {words}\n"));
    }
    if let Some((before, after)) = text.split_once(", expected struct ") {
        let rest = after.trim_start_matches(|c: char| c.is_alphanumeric());
        text = format!("{before}, expected a table{rest}");
    }
    Error::input(format!("{name}: {}{suggestion}", text.trim_end()))
}

/// The keys of an experiment that are called `name` in their tables, in full.
fn places_of(name: &str) -> Vec<String> {
    fn collect(table: &Table, before: &str, name: &str, found: &mut Vec<String>) {
        for (key, value) in table {
            let full = format!("{before}{key}");
            match value {
                Value::Table(inner) => collect(inner, &format!("{full}."), name, found),
                _ if key == name && !before.is_empty() => found.push(full),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    let table = Table::try_from(Experiment::default()).unwrap_or_default();
    collect(&table, "", name, &mut found);
    found
}

/// Applies one `a.b=value`. The value is TOML; what is not, is a string.
pub(super) fn set(table: &mut Table, setting: &str) -> Result<()> {
    let expected = || {
        Error::input(format!("--set {setting}: expected key=value, for example training.epochs=5"))
    };
    let (path, value) = setting.split_once('=').ok_or_else(expected)?;
    let value = value.trim();
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if digits.len() > 18
        && digits.bytes().all(|b| b.is_ascii_digit())
        && value.parse::<i64>().is_err()
    {
        return Err(Error::input(format!(
            "--set {setting}: expected a whole number between -2^63 and 2^63"
        )));
    }
    let parsed = toml::from_str::<Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"));
    set_value(table, path.trim(), parsed.unwrap_or_else(|| value.into())).ok_or_else(expected)
}

/// The path of each value in `table` and its tables, after `prefix`.
pub(crate) fn leaves(table: &Table, prefix: &str) -> Vec<(String, Value)> {
    let below = |(key, value): (&String, &Value)| match value {
        Value::Table(table) => leaves(table, &format!("{prefix}{key}.")),
        value => vec![(format!("{prefix}{key}"), value.clone())],
    };
    table.iter().flat_map(below).collect()
}

/// What `table` has at the place `path`.
pub(super) fn value_at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { value_at(value.as_table()?, rest) }
}

/// Takes away what `table` has at the place `path`.
pub(super) fn remove_value(table: &mut Table, path: &str) {
    match path.split_once('.') {
        None => drop(table.remove(path)),
        Some((first, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(first) {
                remove_value(inner, rest);
            }
        }
    }
}

/// Puts `value` at the place `path`, such as `training.epochs`; nothing where that is no path.
pub(crate) fn set_value(table: &mut Table, path: &str, value: Value) -> Option<()> {
    let keys: Vec<&str> = path.split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return None;
    }
    let mut place = table;
    for (depth, key) in keys[..keys.len() - 1].iter().enumerate() {
        let next = place.entry(*key).or_insert_with(|| Value::Table(Table::new()));
        if !next.is_table() {
            *next = Value::Table(Table::new());
        }
        place = next.as_table_mut()?;
        if ONE_OF.contains(&keys[..=depth].join(".").as_str())
            && !place.contains_key(keys[depth + 1])
        {
            place.clear();
        }
    }
    place.insert(keys[keys.len() - 1].into(), value);
    Some(())
}

/// Fills what `table`, which stands at `path`, does not say, in itself or in a table of it, from
/// `under`. Where only one key may be present, that of `table` stays the one.
pub(super) fn lay_under(table: &mut Table, under: Table, path: &str) {
    let chosen = ONE_OF.contains(&path) && !table.is_empty();
    let instead =
        INSTEAD.iter().find(|(table, _)| *table == path).map_or(&[][..], |(_, keys)| keys);
    let said = instead.iter().any(|key| table.contains_key(*key));
    for (key, value) in under {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(own)), Value::Table(under)) => {
                lay_under(own, under, &format!("{path}.{key}"));
            }
            (None, value) if !(chosen || said && instead.contains(&&*key)) => {
                table.insert(key, value);
            }
            _ => {}
        }
    }
}

/// Adds the keys below `path` in which two tables differ.
pub(super) fn differing(own: &Table, others: &Table, path: &str, keys: &mut Vec<String>) {
    let names: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
    for name in names {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (own.get(name), others.get(name)) {
            (Some(Value::Table(own)), Some(Value::Table(others))) => {
                differing(own, others, &key, keys);
            }
            (own, others) if own != others => keys.push(key),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_not_chosen_twice() {
        let under = "[camera]\nbits = 8\nnoise = 0.1\n[readout.quarter-shift]\nstep = 1";
        for (own, expected) in [
            (
                "[camera]\nbits = 4",
                "[camera]\nbits = 4\nnoise = 0.1\n[readout.quarter-shift]\nstep = 1",
            ),
            (
                "[readout.spsa]\nstep = 3",
                "[camera]\nbits = 8\nnoise = 0.1\n[readout.spsa]\nstep = 3",
            ),
            ("readout = \"homodyne\"", "readout = \"homodyne\"\n[camera]\nbits = 8\nnoise = 0.1"),
        ] {
            let [mut own, under, expected] =
                [own, under, expected].map(|text| toml::from_str::<Table>(text).unwrap());
            lay_under(&mut own, under, "device.spim");
            assert_eq!(own, expected);
        }
    }

    #[test]
    fn what_is_said_in_another_way_is_not_said_twice() {
        let table = |text: &str| toml::from_str::<Table>(text).unwrap();
        let under = table("[read_noise]\nsd_points_uS = [[1, 2]]\n[levels]\ncount = 4");
        let mut own = table("[read_noise]\nsd_uS = 0");
        lay_under(&mut own, under.clone(), "device.crossbar");
        assert_eq!(own, table("[read_noise]\nsd_uS = 0\n[levels]\ncount = 4"));
        let mut own = table("levels.values_uS = [1, 2]");
        lay_under(&mut own, under, "device.crossbar");
        let expected = "levels.values_uS = [1, 2]\nread_noise.sd_points_uS = [[1, 2]]";
        assert_eq!(own, table(expected));
    }
}
