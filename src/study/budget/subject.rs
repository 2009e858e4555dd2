//! Machines whose imperfections can be set one by one.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::data::{Dataset, Task};
use crate::experiment::{EffectOn, Experiment, NamedFiles, in_precision};
use crate::file::hexadecimal;
use crate::stop::Stop;
use crate::study::gradient::judge_experiment;
use crate::study::procedure::{Results, train};
use crate::study::{GradientConfig, Procedure, run};
use crate::{Error, Result};

/// An imperfection of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imperfection {
    /// Its name, that of its table in a device.
    pub name: String,
    /// What it is called in reports.
    pub title: String,
    /// The places, in [`Subject::effects`], of those without which it makes no sense.
    pub needs: Vec<usize>,
}

/// A machine whose imperfections can be set one by one, and what a run of it gives.
pub trait Subject: Sync {
    /// The imperfections that it has.
    fn effects(&self) -> Vec<Imperfection>;

    /// A name of all that decides what [`run`](Self::run) gives with effects `factors` times as
    /// large (0 without, 1 as is) on seed number `replicate`, from 0.
    ///
    /// # Errors
    /// Why there is no such machine.
    fn identity(&self, factors: &[f64], replicate: u64) -> Result<String>;

    /// Which of the results of a run is counted; a point is a hundredth of it.
    fn metric(&self) -> &'static str {
        Procedure::InLoop.metric(Task::Classification)
    }

    /// Named results of such a run, that of [`metric`](Self::metric) among them. It says the same whenever
    /// it is asked.
    ///
    /// # Errors
    /// When the run fails.
    fn run(&self, factors: &[f64], replicate: u64) -> Result<Vec<(String, Option<f64>)>>;

    /// The numbers of an effect that is `factor` times as large, by their keys.
    fn values(&self, effect: usize, factor: f64) -> Vec<(String, String)>;
}

/// The machine of an experiment, with the effects of its device that are on. Replicate k has the
/// experiment's seed plus k: another split, another start and, the seed being part of a chip's name,
/// another chip.
pub struct ExperimentSubject {
    experiment: Experiment,
    effects: Vec<EffectOn>,
    gradient: Option<GradientConfig>,
    dataset: Dataset,
    files: NamedFiles,
    stop: Stop,
}

impl ExperimentSubject {
    /// The machine of `experiment`; `gradient` is how its gradient is judged, if it is.
    ///
    /// # Errors
    /// When its device has no effect that is on, its data cannot be had or do not fit, or a file
    /// that it names cannot be read.
    pub fn new(experiment: Experiment, gradient: Option<GradientConfig>) -> Result<Self> {
        let mut experiment = experiment;
        let effects = experiment.device.effects_on();
        if effects.is_empty() {
            return Err(Error::input(format!(
                "device: {} has no imperfection that is on; expected a device with at least one, \
                 such as device.crossbar.sheet = \"crossbar-generic\"",
                experiment.device.describe()
            )));
        }
        let files = NamedFiles::of(&experiment, &mut HashMap::new())?;
        experiment.device.forget_sheet();
        let dataset = Dataset::load(&experiment.data)?;
        let size = dataset.size();
        experiment.check_data(size.features, size.outputs)?;
        let stop = Stop::default();
        Ok(Self { experiment, effects, gradient, dataset, files, stop })
    }

    /// The same, stopped between two mini-batches when `stop` asks for it.
    #[must_use]
    pub fn stopping_with(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// The experiment with effects `factors` times as large.
    ///
    /// # Errors
    /// When an effect cannot be scaled, or what comes of it is out of range.
    pub fn at(&self, factors: &[f64], replicate: u64) -> Result<Experiment> {
        let mut experiment = self.experiment.clone();
        let seed =
            experiment.seed.checked_add(replicate).filter(|seed| i64::try_from(*seed).is_ok());
        experiment.seed = seed.ok_or_else(|| {
            Error::input(format!(
                "seed = {}: expected room for {replicate} more seeds behind it",
                self.experiment.seed
            ))
        })?;
        for (effect, factor) in self.effects.iter().zip(factors) {
            if !experiment.device.scale(effect.table, *factor) {
                let title = effect.title;
                return Err(Error::input(format!("{title}: it cannot be scaled by {factor}")));
            }
        }
        let table: Table = experiment.to_toml().parse().map_err(|e| {
            Error::input(format!("the scaled experiment is no experiment any more: {e}"))
        })?;
        Experiment::resolve(table, "the scaled experiment", "")
    }

    /// The numbers of the table of `effect` when it is `factor` times as large.
    fn table(&self, effect: usize, factor: f64) -> Option<Table> {
        let mut device = self.experiment.device.clone();
        let table = self.effects[effect].table;
        if !device.scale(table, factor) {
            return None;
        }
        let Value::Table(mut device) = Value::try_from(&device).ok()? else { return None };
        device.iter_mut().next()?.1.as_table_mut()?.remove(table)?.as_table().cloned()
    }
}

impl Subject for ExperimentSubject {
    fn effects(&self) -> Vec<Imperfection> {
        let place = |table: &&str| self.effects.iter().position(|other| other.table == *table);
        let entry = |effect: &EffectOn| Imperfection {
            name: effect.table.to_owned(),
            title: effect.title.to_owned(),
            needs: effect.needs.iter().filter_map(place).collect(),
        };
        self.effects.iter().map(entry).collect()
    }

    fn identity(&self, factors: &[f64], replicate: u64) -> Result<String> {
        let experiment = self.at(factors, replicate)?;
        let mut hash = Sha256::new();
        hash.update("budget");
        hash.update(format!("{:?}", self.gradient));
        hash.update(experiment.to_toml_anywhere());
        hash.update(self.files.text());
        Ok(hexadecimal(&hash.finalize())[..run::IDENTITY].to_owned())
    }

    fn metric(&self) -> &'static str {
        Procedure::InLoop.metric(self.experiment.data.task)
    }

    fn run(&self, factors: &[f64], replicate: u64) -> Result<Results> {
        self.stop.check()?;
        let experiment = self.at(factors, replicate)?;
        let mut results = in_precision!(experiment, train(&experiment, &self.dataset, &self.stop))?;
        if let Some(config) = self.gradient {
            // A machine whose gradient cannot be judged still has a score.
            let judged = judge_experiment(&experiment, config, &self.dataset).ok();
            results.push(("cosine".into(), judged.map(|judged| judged.whole.cosine)));
        }
        Ok(results)
    }

    fn values(&self, effect: usize, factor: f64) -> Vec<(String, String)> {
        let at = |factor: f64| self.table(effect, factor);
        let (Some(asked), Some(whole)) = (at(factor), at(1.0)) else { return Vec::new() };
        // What scaling moves, seen at a factor that moves it.
        let Some(moved) = at(0.25).or_else(|| at(4.0)) else { return Vec::new() };
        let table = self.effects[effect].table;
        let numbers = asked.iter().filter(|(key, _)| moved.get(*key) != whole.get(*key));
        numbers.map(|(key, value)| (format!("{table}.{key}"), shown(value))).collect()
    }
}

/// A number to four digits, or a list of such.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(value) => format!("{}", format!("{value:.3e}").parse().unwrap_or(*value)),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
