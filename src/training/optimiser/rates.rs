//! Factors on the learning rates of parameters: the table `[training.rates]`.
//!
//! ```toml
//! [training.rates]
//! weights = 0.5           # of all that are called so: 0-1.weights, 1-2.weights
//! 1-2.weights = 4         # this one twice as fast as without the table
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Factors, above 0, by the names of parameters (`0-1.weights`) or the last parts of these
/// (`weights`, `bias`, `pattern_weights`); a parameter with several has their product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct Rates(BTreeMap<String, f64>);

impl Rates {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The factors by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, factor)| (name.as_str(), *factor))
    }

    fn add(&mut self, prefix: &str, table: &Table) -> Result<(), String> {
        for (part, value) in table {
            let name = format!("{prefix}{part}");
            let factor = match value {
                Value::Table(table) => {
                    self.add(&format!("{name}."), table)?;
                    continue;
                }
                Value::Integer(factor) => *factor as f64,
                Value::Float(factor) => *factor,
                other => return Err(format!("{name} = {other}: expected a number above 0")),
            };
            // Of a size that does not over- or underflow.
            if !(1e-100..=1e100).contains(&factor) {
                return Err(format!("{name} = {value}: expected a number above 0"));
            }
            self.0.insert(name, factor);
        }
        Ok(())
    }
}

impl TryFrom<Table> for Rates {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let mut rates = Self::default();
        rates.add("", &table)?;
        Ok(rates)
    }
}

impl From<Rates> for Table {
    /// Parts of names are tables, as in the paths of `--set` and of studies.
    fn from(rates: Rates) -> Self {
        let mut all = Self::new();
        for (name, factor) in rates.0 {
            let mut parts: Vec<&str> = name.split('.').collect();
            let last = parts.pop().unwrap_or_default();
            let place = parts.iter().try_fold(&mut all, |place, part| {
                let inner = place.entry(*part).or_insert_with(|| Value::Table(Self::new()));
                inner.as_table_mut()
            });
            if let Some(place) = place {
                place.insert(last.into(), Value::Float(factor));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Training {
        rates: Rates,
    }

    #[test]
    fn parts_of_names_are_tables_and_come_back() {
        let text = "rates = { weights = 2, 0-1.weights = 0.5, \"all.patterns\" = 3 }";
        let read: Training = toml::from_str(text).unwrap();
        let all: Vec<_> = read.rates.iter().collect();
        assert_eq!(all, [("0-1.weights", 0.5), ("all.patterns", 3.0), ("weights", 2.0)]);
        assert_eq!(toml::from_str::<Training>(&toml::to_string(&read).unwrap()).unwrap(), read);
        for wrong in ["weights = -1", "a.b = 0", "weights = nan", "weights = 'fast'"] {
            let error = toml::from_str::<Training>(&format!("rates = {{ {wrong} }}")).unwrap_err();
            assert!(error.message().contains("expected a number above 0"), "{error}");
        }
    }
}
