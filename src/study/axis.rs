//! One axis of a study: the keys it changes together, and the values they take.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::{Error, Result};

/// One `[[axis]]`: `key` with `values`, `linear` or `logarithmic`, or several `keys` whose values
/// change together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// The key of the experiment that it changes, such as `device.crossbar.adc.bits`; `procedure`
    /// changes what a run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Several keys that change together; each of `values` is then a list with one value a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What it is called on plots, with its unit; the key, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What its values are called on plots, in their order; the values themselves, if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// A list of values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
    /// Values at equal distances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Range>,
    /// Values at equal ratios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logarithmic: Option<Range>,
}

/// From one number to another, both included. Where both ends are whole numbers, so are the values
/// that come out whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The first value.
    pub from: Value,
    /// The last value.
    pub to: Value,
    /// How many values; without it a draw takes any number between, and a grid is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<i64>,
}

impl Axis {
    /// That of one `key`, called `label`, over `values`.
    pub(super) fn of(key: &str, label: &str, values: Vec<Value>) -> Self {
        Self {
            key: Some(key.to_owned()),
            keys: Vec::new(),
            label: Some(label.to_owned()),
            names: Vec::new(),
            values: Some(values),
            linear: None,
            logarithmic: None,
        }
    }

    /// The keys it changes.
    pub fn keys(&self) -> Vec<&str> {
        self.key.iter().chain(&self.keys).map(String::as_str).collect()
    }

    /// What it is called in errors: its keys.
    pub(super) fn name(&self) -> String {
        format!("axis `{}`", self.keys().join(", "))
    }

    /// Checks it by itself.
    pub(super) fn check(&self, drawn: bool) -> Result<()> {
        let wrong = |message: String| Err(Error::input(format!("{}: {message}", self.name())));
        match (&self.key, self.keys.len()) {
            (Some(_), 0) | (None, 1..) => {}
            (Some(_), _) => {
                return wrong("it has both `key` and `keys`: expected one of them".into());
            }
            (None, 0) => {
                return wrong(
                    "it has no `key`: expected a key of the experiment, such as learning.rule"
                        .into(),
                );
            }
        }
        if [self.values.is_some(), self.linear.is_some(), self.logarithmic.is_some()]
            .iter()
            .filter(|present| **present)
            .count()
            != 1
        {
            return wrong("expected one of `values`, `linear` and `logarithmic`".into());
        }
        if let Some(range) = self.linear.as_ref().or(self.logarithmic.as_ref()) {
            if self.key.is_none() {
                return wrong("several keys change together only through `values`".into());
            }
            range.check(self.logarithmic.is_some(), drawn).or_else(wrong)?;
        }
        let Some(points) = self.points() else { return Ok(()) };
        if points.is_empty() {
            return wrong("it has no values: expected at least one".into());
        }
        let mut seen = HashSet::new();
        for (index, point) in points.iter().enumerate() {
            if point.len() != self.keys().len() {
                return wrong(format!(
                    "value {}: expected a list of {} values, one a key",
                    index + 1,
                    self.keys().len()
                ));
            }
            if !seen.insert(Value::Array(point.clone()).to_string()) {
                return wrong(format!("the value {} is there twice", show(point)));
            }
        }
        if !self.names.is_empty() && self.names.len() != points.len() {
            return wrong(format!("it has {} names for {} values", self.names.len(), points.len()));
        }
        Ok(())
    }

    /// What values, as tables show them, are called; nothing where they have no names.
    pub(crate) fn named(&self) -> HashMap<Vec<String>, String> {
        if self.names.is_empty() {
            return HashMap::new();
        }
        let values = self.points().unwrap_or_default();
        let shown = values.iter().map(|point| point.iter().map(text).collect());
        shown.zip(self.names.iter().cloned()).collect()
    }

    /// How many values it has, as it says, before any is made; 0 for a range without steps.
    pub(super) fn length(&self) -> usize {
        match &self.values {
            Some(values) => values.len(),
            None => self.range().and_then(|(_, steps)| steps).unwrap_or(0),
        }
    }

    /// Its values, each with one entry a key; none for a range without steps.
    pub(super) fn points(&self) -> Option<Vec<Vec<Value>>> {
        if let Some(values) = &self.values {
            let together = |value: &Value| match value {
                Value::Array(values) if self.key.is_none() => values.clone(),
                value => vec![value.clone()],
            };
            return Some(values.iter().map(together).collect());
        }
        let (range, steps) = self.range()?;
        let steps = steps?;
        let place = |step: usize| step_place(step, steps);
        Some(
            (0..steps)
                .map(|step| vec![range.at(place(step), self.logarithmic.is_some())])
                .collect(),
        )
    }

    /// The value at `place`, from 0 to below 1, of what the axis covers: how a draw chooses.
    pub(super) fn at(&self, place: f64) -> Vec<Value> {
        let nth = |length: usize| ((place * length as f64) as usize).min(length.saturating_sub(1));
        let logarithmic = self.logarithmic.is_some();
        match (&self.values, self.range()) {
            (Some(values), _) => match &values[nth(values.len())] {
                Value::Array(values) if self.key.is_none() => values.clone(),
                value => vec![value.clone()],
            },
            (None, Some((range, Some(steps)))) => {
                vec![range.at(step_place(nth(steps), steps), logarithmic)]
            }
            (None, Some((range, None))) => vec![range.at(place, logarithmic)],
            (None, None) => Vec::new(),
        }
    }

    fn range(&self) -> Option<(&Range, Option<usize>)> {
        let range = self.linear.as_ref().or(self.logarithmic.as_ref())?;
        Some((range, range.steps.map(|steps| steps.max(0) as usize)))
    }
}

/// Where a step of so many lies between the ends of a range.
fn step_place(step: usize, steps: usize) -> f64 {
    if steps == 1 { 0.0 } else { step as f64 / (steps - 1) as f64 }
}

impl Range {
    fn check(&self, logarithmic: bool, drawn: bool) -> Result<(), String> {
        for (name, value) in [("from", &self.from), ("to", &self.to)] {
            match number(value) {
                Some(number) if number.is_finite() && (!logarithmic || number > 0.0) => {}
                _ if logarithmic => {
                    return Err(format!("{name} = {value}: expected a number above 0"));
                }
                _ => return Err(format!("{name} = {value}: expected a number")),
            }
        }
        match self.steps {
            None if !drawn => {
                Err("it has no `steps`: expected how many values (a [draw] can do without)".into())
            }
            Some(steps) if !(1..=100_000).contains(&steps) => {
                Err(format!("steps = {steps}: expected a whole number from 1 to 100000"))
            }
            _ => Ok(()),
        }
    }

    /// The value at the fraction `place` of the way. Of steps as many digits are kept as a reader
    /// needs: three more than tell neighbours apart.
    fn at(&self, place: f64, logarithmic: bool) -> Value {
        let (from, to) = (number(&self.from).unwrap_or(0.0), number(&self.to).unwrap_or(0.0));
        let whole = self.from.is_integer() && self.to.is_integer();
        let value =
            if logarithmic { from * (to / from).powf(place) } else { from + (to - from) * place };
        // The ends exactly as they were written, and no noise of the last digit between.
        let value = match self.steps {
            _ if place == 0.0 => from,
            _ if place == 1.0 => to,
            Some(steps) if steps > 2 => {
                let apart = if logarithmic {
                    value.abs() * (to / from).ln().abs() / (steps - 1) as f64
                } else {
                    (to - from).abs() / (steps - 1) as f64
                };
                rounded(value, (value.abs() / apart).log10().floor().clamp(0.0, 8.0) as i32 + 4)
            }
            _ => rounded(value, 12),
        };
        if whole && (self.steps.is_none() || value.fract() == 0.0) {
            Value::Integer(value.round() as i64)
        } else {
            Value::Float(value)
        }
    }
}

/// `value` to so many significant digits, twelve at most: 0.3, not 0.30000000000000004.
fn rounded(value: f64, digits: i32) -> f64 {
    format!("{value:.*e}", digits.clamp(4, 12) as usize - 1).parse().unwrap_or(value)
}

/// A number of any kind.
fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64))
}

/// A value as tables show it: a string without its quotes, everything else as TOML.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Values of an axis as errors show them.
pub(super) fn show(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Axis {
        toml::from_str(text).unwrap()
    }

    fn values(text: &str) -> String {
        let axis = axis(text);
        axis.check(false).unwrap();
        axis.points().unwrap().iter().map(|point| show(point)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_and_ranges() {
        assert_eq!(values("key = 'a'\nvalues = [1, 2.5, 'x']"), "1 2.5 \"x\"");
        assert_eq!(
            values("key = 'a'\nlinear = { from = 0.0, to = 1.0, steps = 11 }"),
            "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"
        );
        assert_eq!(values("key = 'a'\nlinear = { from = 2, to = 8, steps = 4 }"), "2 4 6 8");
        assert_eq!(
            values("key = 'a'\nlogarithmic = { from = 0.01, to = 10.0, steps = 4 }"),
            "0.01 0.1 1.0 10.0"
        );
        assert_eq!(
            values("key = 'a'\nlogarithmic = { from = 0.003, to = 0.3, steps = 5 }"),
            "0.003 0.009487 0.03 0.09487 0.3"
        );
        assert_eq!(
            values("key = 'a'\nlogarithmic = { from = 1.0, to = 1.0003, steps = 4 }"),
            "1.0 1.0001 1.0002 1.0003"
        );
        assert_eq!(
            values("key = 'a'\nlinear = { from = 0.0, to = 1.0, steps = 7 }"),
            "0.0 0.1667 0.3333 0.5 0.6667 0.8333 1.0"
        );
        assert_eq!(values("keys = ['a', 'b']\nvalues = [[1, 2], [3, 4]]"), "1, 2 3, 4");
    }

    #[test]
    fn a_draw_covers_all_of_it() {
        let range = axis("key = 'a'\nlinear = { from = 2, to = 4 }");
        range.check(true).unwrap();
        assert_eq!([0.0, 0.3, 0.99].map(|place| show(&range.at(place))), ["2", "3", "4"]);
        let list = axis("key = 'a'\nvalues = ['x', 'y']");
        assert_eq!(
            [0.0, 0.49, 0.5, 0.999].map(|place| show(&list.at(place))),
            ["\"x\"", "\"x\"", "\"y\"", "\"y\""]
        );
    }

    #[test]
    fn what_is_no_axis() {
        for (text, expected) in [
            ("key = 'a'\nvalues = []", "axis `a`: it has no values"),
            ("values = [1]", "it has no `key`"),
            ("key = 'a'", "expected one of `values`, `linear` and `logarithmic`"),
            (
                "key = 'a'\nvalues = [1]\nlinear = { from = 1, to = 2, steps = 2 }",
                "expected one of `values`",
            ),
            ("key = 'a'\nvalues = [1, 2, 1]", "the value 1 is there twice"),
            ("keys = ['a', 'b']\nvalues = [[1, 2], [3]]", "value 2: expected a list of 2 values"),
            (
                "key = 'a'\nlogarithmic = { from = 0, to = 1, steps = 3 }",
                "from = 0: expected a number above 0",
            ),
            ("key = 'a'\nlinear = { from = 'x', to = 1, steps = 3 }", "expected a number"),
            ("key = 'a'\nlinear = { from = 0, to = 1, steps = 0 }", "steps = 0"),
            ("key = 'a'\nlinear = { from = 0, to = 1 }", "it has no `steps`"),
            ("key = 'a'\nvalues = [1, 2]\nnames = ['one']", "1 names for 2 values"),
        ] {
            let error = axis(text).check(false).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
