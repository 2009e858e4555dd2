//! The runs of a study: every point of its axes with every seed, resolved and checked.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::axis::{show, text};
use super::{Procedure, Study};
use crate::experiment::{Experiment, NamedFiles, set_value};
use crate::file::hexadecimal;
use crate::{Error, Result};

/// Digits of a run's identity.
pub(super) const IDENTITY: usize = 16;

/// One run of a study.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its place in the study, from 1.
    pub number: usize,
    /// A hash of all that decides its results.
    pub id: String,
    /// The values of the axes, as tables show them.
    pub values: Vec<String>,
    /// What it does.
    pub procedure: Procedure,
    /// The experiment.
    pub experiment: Experiment,
}

impl Study {
    /// Every run, in order: the first axis slowest, seeds fastest.
    ///
    /// # Errors
    /// When an axis names no key of the experiment (with the nearest one), a value is none that its
    /// key takes, or values do not fit each other.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        let (mut known, deals) = (HashMap::new(), self.deals_chips());
        for (number, point) in self.points().into_iter().enumerate() {
            let (procedure, mut experiment) =
                self.resolve(&point).map_err(|error| self.located(error))?;
            let countable = |key: &str, first: u64, more: usize| {
                match first.checked_add(more as u64) {
                Some(last) if i64::try_from(last).is_ok() => Ok(()),
                _ => Err(self.located(Error::input(format!(
                    "{key} = {first}: {more} more are counted from it: expected less than 2^63 in all"
                )))),
            }
            };
            countable("seed", experiment.seed, self.seeds.count())?;
            if deals {
                countable("chip", experiment.chip, number)?;
                experiment.chip += number as u64;
            }
            let files = NamedFiles::of(&experiment, &mut known)?;
            let mut chips = vec![experiment.chip];
            if let Some(count) = self.chips {
                countable("chip", experiment.chip, count)?;
                chips = (1..=count as u64).map(|chip| experiment.chip + chip).collect();
            }
            let mut seeds = self.seeds.list(experiment.seed);
            if self.draw.is_some_and(|draw| draw.one_seed_each) {
                seeds = vec![seeds[number % seeds.len()]];
            }
            let seeds_and_chips =
                seeds.iter().flat_map(|seed| chips.iter().map(move |chip| (*seed, *chip)));
            for (seed, chip) in seeds_and_chips {
                let experiment = Experiment { seed, chip, ..experiment.clone() };
                let id = self.identity(procedure, &experiment, &files);
                runs.push(Run {
                    number: runs.len() + 1,
                    id,
                    values: point.iter().map(text).collect(),
                    procedure,
                    experiment,
                });
            }
        }
        Ok(runs)
    }

    /// The chip of the experiment, before any axis changes it.
    pub(super) fn own_chip(&self) -> u64 {
        self.experiment.get("chip").and_then(Value::as_integer).map_or(0, |chip| chip as u64)
    }

    /// Whether every point has a chip of its own: where points are drawn at random, hardware is
    /// too.
    fn deals_chips(&self) -> bool {
        self.draw.is_some() && !self.keys().iter().any(|key| key == "chip")
    }

    /// The values of all axes, point by point.
    fn points(&self) -> Vec<Vec<Value>> {
        if let Some(draw) = &self.draw {
            return draw.points(&self.axis);
        }
        self.axis.iter().fold(vec![Vec::new()], |points, axis| {
            let values = axis.points().unwrap_or_default();
            points
                .iter()
                .flat_map(|point| {
                    values.iter().map(move |value| [point.as_slice(), value].concat())
                })
                .collect()
        })
    }

    /// What a run at `point` does, and with which experiment.
    fn resolve(&self, point: &[Value]) -> Result<(Procedure, Experiment)> {
        let keys = self.keys();
        let changes: Vec<(&str, &Value)> = keys.iter().map(String::as_str).zip(point).collect();
        self.changed(&changes, &keys.join(", ")).map_err(|error| {
            // Where one axis by itself is wrong already, the others are only in the way of seeing
            // it.
            let mut start = 0;
            for axis in &self.axis {
                let end = start + axis.keys().len();
                if let Err(error) = self.changed(&changes[start..end], &axis.keys().join(", ")) {
                    return error;
                }
                start = end;
            }
            error
        })
    }

    /// The base with `changes`; `keys` is what they are called in errors.
    fn changed(&self, changes: &[(&str, &Value)], keys: &str) -> Result<(Procedure, Experiment)> {
        let values: Vec<Value> = changes.iter().map(|(_, value)| (*value).clone()).collect();
        let place = format!("axis `{keys}` = {}", show(&values));
        let mut table: Table = self.experiment.clone();
        let mut procedure = self.procedure;
        for (key, value) in changes {
            if *key == "procedure" {
                procedure = Procedure::named(value)?;
            } else {
                set_value(&mut table, key, (*value).clone()).ok_or_else(|| {
                    Error::input(format!(
                        "axis `{key}`: expected a key of the experiment, such as learning.rule"
                    ))
                })?;
            }
        }
        Ok((procedure, Experiment::resolve(table, "the study's experiment", &place)?))
    }

    /// A hash of all that decides a run's results.
    fn identity(
        &self,
        procedure: Procedure,
        experiment: &Experiment,
        files: &NamedFiles,
    ) -> String {
        let mut hash = Sha256::new();
        hash.update(procedure.name());
        match procedure {
            Procedure::Gradient => hash.update(format!("{:?}", self.gradient)),
            _ => hash.update(format!("{:?} {}", self.target(), self.keep)),
        }
        if procedure == Procedure::Copied {
            hash.update(self.own_chip().to_string());
        }
        hash.update(experiment.to_toml_anywhere());
        hash.update(files.text());
        hexadecimal(&hash.finalize())[..IDENTITY].to_owned()
    }
}
