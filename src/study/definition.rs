//! What a study is: an experiment, axes over its keys, seeds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::measure::{MEASURES, Measure};
use super::{Axis, Draw, GradientConfig};
use crate::data::Task;
use crate::error::did_you_mean;
use crate::experiment::{
    Experiment, from_here, from_there, leaves, located, rename_files, rename_value, set_value,
};
use crate::file::{limits, read_text};
use crate::quantity::range;
use crate::{Error, Result};

/// Chips of a yield that does not say how many.
const YIELD_CHIPS: usize = 50;

/// A study, as its TOML file states it. Every key but the base (or the experiment) and one axis has
/// a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The file, as errors call it.
    #[serde(skip)]
    file: String,
    /// The question that it answers.
    #[serde(default)]
    pub title: String,
    /// The file of the experiment, relative to the study's own; gone once the study is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<PathBuf>,
    /// What a run does, unless an axis `procedure` says.
    #[serde(default)]
    pub procedure: Procedure,
    /// The seeds of every point.
    #[serde(default)]
    pub seeds: Seeds,
    /// Pieces of hardware of every point and seed, those after the experiment's own `chip`.
    #[serde(
        default,
        deserialize_with = "range::optional_positive_integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub chips: Option<usize>,
    /// The result that plots show and the point that is called best: the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The test accuracy whose cost in epochs, frames and laboratory seconds is reported, 0 to 1.
    #[serde(
        default,
        deserialize_with = "range::optional_positive",
        skip_serializing_if = "Option::is_none"
    )]
    pub target_accuracy: Option<f64>,
    /// The same of a regression: the test R2.
    #[serde(
        default,
        deserialize_with = "range::optional_positive",
        skip_serializing_if = "Option::is_none"
    )]
    pub target_r2: Option<f64>,
    /// Whether every run leaves a directory of its own, with checkpoint and report, in `runs/`.
    #[serde(default)]
    pub keep: bool,
    /// Random points in place of a grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
    /// How gradients are judged.
    #[serde(default)]
    pub gradient: GradientConfig,
    /// The axes.
    #[serde(default)]
    pub axis: Vec<Axis>,
    /// Changes to the base, in the form of an experiment; gone once the study is loaded.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    set: Table,
    /// The experiment, in place of a base.
    #[serde(default)]
    pub(super) experiment: Table,
}

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Procedure {
    /// Trains on the device itself.
    #[default]
    InLoop,
    /// Trains on exact arrays, then programs the device with what was learnt.
    Transfer,
    /// Trains on the study's own chip, then programs another with what was learnt.
    Copied,
    /// Judges the gradient of the untrained machine.
    Gradient,
    /// Of a study, not of a run: how many of its `chips` are good enough, by each procedure that trains.
    Yield,
}

impl Procedure {
    /// Those of a run.
    const ALL: [Self; 4] = [Self::InLoop, Self::Transfer, Self::Copied, Self::Gradient];
    /// Those that train.
    const TRAIN: [Self; 3] = [Self::Transfer, Self::Copied, Self::InLoop];

    /// The name in studies.
    pub fn name(self) -> &'static str {
        match self {
            Self::InLoop => "in-loop",
            Self::Transfer => "transfer",
            Self::Copied => "copied",
            Self::Gradient => "gradient",
            Self::Yield => "yield",
        }
    }

    pub(super) fn named(value: &Value) -> Result<Self> {
        let name = value.as_str().unwrap_or_default();
        Self::ALL.into_iter().find(|procedure| procedure.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            Error::input(format!(
                "procedure = {value}: expected one of {}{}",
                names.join(", "),
                did_you_mean(name, names)
            ))
        })
    }

    /// The result that tells how good a run was that learns `task`.
    pub fn metric(self, task: Task) -> &'static str {
        match (self, task) {
            (Self::Gradient, _) => "cosine",
            (_, Task::Classification) => "test_accuracy",
            (_, Task::Regression) => "test_r2",
        }
    }
}

/// The seeds of every point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seeds {
    /// This many, counted from the experiment's own.
    Count(i64),
    /// These.
    List(Vec<u64>),
}

impl Default for Seeds {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl Seeds {
    /// The seeds, for an experiment whose own is `first`.
    pub(super) fn list(&self, first: u64) -> Vec<u64> {
        match self {
            Self::Count(count) => (0..*count).map(|index| first + index as u64).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count as usize,
            Self::List(seeds) => seeds.len(),
        }
    }

    fn check(&self) -> Result<()> {
        let duplicate = |seeds: &[u64]| {
            let mut seen = HashSet::new();
            !seeds.iter().all(|seed| seen.insert(seed))
        };
        match self {
            Self::Count(count) if !(1..=1_000_000).contains(count) => Err(Error::input(format!(
                "seeds = {count}: expected a whole number of at least 1, or a list of seeds"
            ))),
            Self::List(seeds) if seeds.is_empty() || duplicate(seeds) => Err(Error::input(
                format!("seeds = {seeds:?}: expected at least one seed, none of them twice"),
            )),
            _ => Ok(()),
        }
    }
}

impl Study {
    /// The study of the TOML file `path`, its base read and its own changes applied.
    ///
    /// # Errors
    /// When a file cannot be read; when a key is unknown (with the nearest known one) or a value is
    /// wrong, with line and column; when an axis has no values or seeds are none.
    pub fn load(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let name = path.display().to_string();
        let mut study: Self = toml::from_str(&text).map_err(|e| match text.parse::<Table>() {
            Ok(table) if table.contains_key("network") || table.contains_key("data") => {
                Error::input(format!(
                    "{name}: an experiment, which has no axes: equilux train {name} runs it, and \
                         a study names it, base = \"FILE.toml\""
                ))
            }
            _ => located(&name, &e),
        })?;
        let based = study.base.take();
        if let Some(base) = &based {
            if !study.experiment.is_empty() {
                return Err(Error::input(format!(
                    "{name}: it has both `base` and [experiment]: expected one of them"
                )));
            }
            let base = path.parent().unwrap_or(Path::new("")).join(base);
            // By itself first: its errors have lines and columns.
            Experiment::load(&base, &[])?;
            study.experiment = toml::from_str(&read_text(&base)?)
                .map_err(|e| located(&base.display().to_string(), &e))?;
            let directory = base.parent().unwrap_or(Path::new(""));
            rename_files(&mut study.experiment, &mut |file| Ok(from_here(directory, file)))?;
        } else if study.experiment.is_empty() {
            return Err(Error::input(format!(
                "{name}: it has no experiment: expected base = \"FILE.toml\", or the table [experiment]"
            )));
        }
        // What a file names is seen from where it stands.
        let own = path.parent().unwrap_or(Path::new("")).to_owned();
        rename_files(&mut study.set, &mut |file| Ok(from_here(&own, file)))?;
        if based.is_none() {
            rename_files(&mut study.experiment, &mut |file| Ok(from_here(&own, file)))?;
        }
        study.rename_values(&mut |file| Ok(from_here(&own, file)))?;
        for (path, value) in leaves(&std::mem::take(&mut study.set), "") {
            set_value(&mut study.experiment, &path, value)
                .ok_or_else(|| Error::input(format!("{name}: [set] {path}: no such key")))?;
        }
        if study.procedure == Procedure::Yield {
            study.expand_yield().map_err(|e| Error::input(format!("{name}: {e}")))?;
        }
        Experiment::resolve(study.experiment.clone(), &format!("{name}: the experiment"), "")?;
        study.check().map_err(|e| Error::input(format!("{name}: {e}")))?;
        study.file = name;
        Ok(study)
    }

    /// Makes the procedures of a yield an axis.
    fn expand_yield(&mut self) -> Result<()> {
        if self.target().is_none() {
            return Err(Error::input(
                "procedure = \"yield\": of which chips? expected target_accuracy (or target_r2)",
            ));
        }
        if self.keys().iter().any(|key| key == "procedure") {
            return Err(Error::input(
                "procedure = \"yield\" is an axis `procedure` of its own: expected no other",
            ));
        }
        let values = Procedure::TRAIN.map(|procedure| Value::from(procedure.name()));
        self.axis.push(Axis::of("procedure", "Weights", values.to_vec()));
        self.procedure = Procedure::InLoop;
        self.chips.get_or_insert(YIELD_CHIPS);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.seeds.check()?;
        if self.chips.is_some() {
            let what = match self.keys().iter().any(|key| key == "chip") {
                true => "an axis `chip` has them already",
                false if self.draw.is_some() => "every point of a draw has a chip of its own",
                false => "",
            };
            if !what.is_empty() {
                return Err(Error::input(format!("chips: {what}: expected one of them")));
            }
        }
        if self.axis.is_empty() {
            return Err(Error::input(
                "it has no [[axis]]: expected at least one, with a key and its values",
            ));
        }
        let (classes, values) = ("target_accuracy", "target_r2");
        for (key, target, other, task) in [
            (classes, self.target_accuracy, values, Task::Classification),
            (values, self.target_r2, classes, Task::Regression),
        ] {
            let Some(target) = target else { continue };
            if target > 1.0 {
                return Err(Error::input(format!(
                    "{key} = {target}: expected a number above 0 and at most 1"
                )));
            }
            if self.task() != task {
                let learnt = self.task().outputs();
                return Err(Error::input(format!(
                    "{key} = {target}: the experiment learns {learnt}: expected {other}"
                )));
            }
        }
        if let Some(metric) = self.metric.as_ref().filter(|metric| Measure::named(metric).is_none())
        {
            let names = MEASURES.map(|measure| measure.name);
            let suggestion = did_you_mean(metric, names);
            return Err(Error::input(format!(
                "metric = {metric:?}: expected one of {}{suggestion}",
                names.join(", ")
            )));
        }
        let keys = self.keys();
        for (index, key) in keys.iter().enumerate() {
            if key == "seed" {
                return Err(Error::input(
                    "axis `seed`: seeds are not an axis; expected seeds = 5, or a list",
                ));
            }
            if keys[..index].contains(key) {
                return Err(Error::input(format!(
                    "axis `{key}`: another axis has this key already"
                )));
            }
        }
        // Before any of the values is made.
        self.check_size()?;
        self.axis.iter().try_for_each(|axis| axis.check(self.draw.is_some()))
    }

    /// Checks that it has not more runs than a study may have.
    fn check_size(&self) -> Result<()> {
        let mut lengths: Vec<usize> = match self.draw {
            Some(draw) => vec![draw.points],
            None => self.axis.iter().map(Axis::length).collect(),
        };
        lengths.push(self.seeds.count());
        lengths.extend(self.chips);
        limits::RUNS.product(&lengths).map(drop).map_err(Error::input)?;
        // An axis of a draw may be as long, and is made too.
        let longest = self.axis.iter().map(Axis::length).max().unwrap_or(0);
        limits::RUNS.product(&[longest]).map(drop).map_err(Error::input)
    }

    /// The experiment, before any axis changes it.
    ///
    /// # Errors
    /// When a datasheet that it names is gone.
    pub fn base(&self) -> Result<Experiment> {
        Experiment::resolve(self.experiment.clone(), "the study's experiment", "")
    }

    /// How many runs it has.
    pub fn size(&self) -> usize {
        let grid = || self.axis.iter().map(Axis::length).product::<usize>();
        match self.draw {
            Some(draw) if draw.one_seed_each => draw.points,
            Some(draw) => draw.points * self.seeds.count(),
            None => grid() * self.seeds.count() * self.chips.unwrap_or(1),
        }
    }

    /// The name of the result that plots and tables show.
    pub fn metric(&self) -> String {
        self.metric.clone().unwrap_or_else(|| self.procedure.metric(self.task()).to_owned())
    }

    /// What its experiment learns.
    fn task(&self) -> Task {
        let task = self.experiment.get("data").and_then(|data| data.get("task"));
        task.and_then(|task| task.clone().try_into().ok()).unwrap_or_default()
    }

    /// The test accuracy, or R2, whose cost is reported.
    pub fn target(&self) -> Option<f64> {
        self.target_accuracy.or(self.target_r2)
    }

    /// All keys of all axes.
    pub fn keys(&self) -> Vec<String> {
        self.axis.iter().flat_map(|axis| axis.keys()).map(String::from).collect()
    }

    /// `error`, with the study's file before it.
    pub(super) fn located(&self, error: Error) -> Error {
        Error::input(format!("{}: {error}", self.file))
    }

    /// Changes the names of files among the values of its axes.
    fn rename_values(&mut self, change: &mut dyn FnMut(&str) -> Result<String>) -> Result<()> {
        for axis in &mut self.axis {
            let keys: Vec<String> = axis.keys().into_iter().map(String::from).collect();
            for value in axis.values.iter_mut().flatten() {
                match value {
                    Value::Array(values) if axis.key.is_none() => {
                        for (key, value) in keys.iter().zip(values) {
                            rename_value(key, value, change)?;
                        }
                    }
                    value => {
                        if let Some(key) = keys.first() {
                            rename_value(key, value, change)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// [`to_toml`](Self::to_toml) for a file in `directory`: files are called as they are seen from
    /// there.
    ///
    /// # Errors
    /// When it cannot be told where this program is.
    pub(super) fn to_toml_in(&self, directory: &Path) -> Result<String> {
        let mut study = self.clone();
        let mut change = |file: &str| from_there(directory, file);
        rename_files(&mut study.experiment, &mut change)?;
        study.rename_values(&mut change)?;
        Ok(study.to_toml())
    }

    /// The study as TOML, its experiment within: it runs as it stands.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a study is made of tables, strings and numbers")
    }
}
