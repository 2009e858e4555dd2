//! The axes of a study as plots need them: what their values are called and where they lie.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::axis::Axis;
use super::quantity::digits;
use crate::quantity::duration;
use crate::study::{Point, Study, Table};

/// From this ratio of the largest to the smallest number on, zero among them, numbers are put at
/// equal distances.
const EQUAL_DISTANCES_FROM: f64 = 30.0;

/// One axis of a study, with those of its values that the table has.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// What it is called, with its unit.
    pub label: String,
    /// What its values are called, in order.
    pub names: Vec<String>,
    /// The values as numbers, ascending, where all are.
    pub numbers: Option<Vec<f64>>,
    /// Whether the numbers are seconds, which read better by their names.
    durations: bool,
    /// The columns among those of all axes.
    columns: Range<usize>,
    /// Where each of the values is.
    places: HashMap<Vec<String>, usize>,
}

impl Dimension {
    /// The axes of `study`, in order.
    pub fn all(study: &Study, table: &Table) -> Vec<Self> {
        let mut start = 0;
        let of = |axis: &crate::study::Axis| {
            let keys = axis.keys();
            let columns = start..start + keys.len();
            start = columns.end;
            let mut values: Vec<Vec<String>> = Vec::new();
            let mut seen = HashSet::new();
            for row in &table.rows {
                let value = &row.values[columns.clone()];
                if seen.insert(value) {
                    values.push(value.to_vec());
                }
            }
            let named = axis.named();
            let mut names: Vec<String> = values
                .iter()
                .map(|value| named.get(value).cloned().unwrap_or_else(|| plain(value)))
                .collect();
            let number =
                |name: &String| name.parse::<f64>().ok().filter(|number| number.is_finite());
            let seconds = |name: &String| duration::parse(name).ok();
            let all = |of: &dyn Fn(&String) -> Option<f64>| {
                names.iter().map(of).collect::<Option<Vec<f64>>>()
            };
            let numbers = all(&number);
            let durations = numbers.is_none();
            let numbers = numbers.or_else(|| all(&seconds));
            if let Some(numbers) = &numbers {
                let mut order: Vec<usize> = (0..values.len()).collect();
                order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
                names = order.iter().map(|index| names[*index].clone()).collect();
                values = order.into_iter().map(|index| values[index].clone()).collect();
            }
            let numbers = numbers.map(|mut numbers| {
                numbers.sort_by(f64::total_cmp);
                numbers
            });
            let label = axis.label.clone().unwrap_or_else(|| {
                keys.iter().map(|key| short(key)).collect::<Vec<_>>().join(", ")
            });
            let places =
                values.iter().enumerate().map(|(place, value)| (value.clone(), place)).collect();
            Self { label, names, numbers, durations, columns, places }
        };
        study.axis.iter().map(of).collect()
    }

    /// Which of its values a point with the values `point` of all axes has.
    pub fn place(&self, point: &[String]) -> Option<usize> {
        self.places.get(&point[self.columns.clone()]).copied()
    }

    /// What the value of a point is called.
    pub fn name(&self, point: &Point) -> String {
        self.place(&point.values).map_or_else(String::new, |place| self.names[place].clone())
    }

    /// Whether a plot shows it as a quantity.
    pub fn is_numeric(&self) -> bool {
        self.numbers.is_some()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Where its values lie on [`axis`](Self::axis).
    pub fn positions(&self) -> Vec<f64> {
        match &self.numbers {
            Some(numbers) if !self.at_equal_distances() => numbers.clone(),
            Some(_) => (0..self.len()).map(|place| place as f64).collect(),
            // Names stand one below the other, the first on top.
            None => (0..self.len()).rev().map(|place| place as f64).collect(),
        }
    }

    /// The axis of a plot.
    pub fn axis(&self) -> Axis {
        match &self.numbers {
            Some(numbers) if !self.at_equal_distances() => {
                Axis::spanning(&self.label, numbers.iter().copied())
            }
            Some(_) => Axis::ordinal(&self.label, &self.names),
            None => {
                let upwards: Vec<String> = self.names.iter().rev().cloned().collect();
                Axis::ordinal(&self.label, &upwards)
            }
        }
    }

    /// Names have no distances; and neither a linear nor a logarithmic axis shows zero and what
    /// spans decades.
    fn at_equal_distances(&self) -> bool {
        let Some(numbers) = &self.numbers else { return true };
        if self.durations {
            return true;
        }
        let sizes = || numbers.iter().map(|number| number.abs()).filter(|size| *size > 0.0);
        let wide = sizes().fold(0.0, f64::max)
            > EQUAL_DISTANCES_FROM * sizes().fold(f64::INFINITY, f64::min);
        numbers.iter().any(|number| *number <= 0.0) && wide
    }
}

/// Values as a reader writes them: 1, not 1.0, and no more digits than anybody reads.
fn plain(value: &[String]) -> String {
    let number = |text: &String| match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number.to_string().len() < 9 => number.to_string(),
        Ok(number) if number.is_finite() => digits(number),
        _ => text.clone(),
    };
    value.iter().map(number).collect::<Vec<_>>().join(", ")
}

/// The last part of a key.
fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
