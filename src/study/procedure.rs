//! What one run does.

use std::collections::HashMap;

use super::gradient::judge_experiment;
use super::{Outcome, Procedure, Run, Study, StudyDirectory};
use crate::arithmetic::real::Real;
use crate::data::{Dataset, Parts};
use crate::experiment::{Device, Experiment, in_precision};
use crate::report;
use crate::system::System;
use crate::training::{EpochMetrics, RunDirectory, Summary, Trainer, check_classes, evaluate};
use crate::{Error, Result};

/// The names of all results; those of single arrays have the array's name behind a slash.
pub(super) const RESULTS: [&str; 23] = [
    "test_accuracy",
    "validation_accuracy",
    "train_accuracy",
    "test_unsettled",
    "train_unsettled",
    "lab_seconds",
    "frames",
    "conversions",
    "pulses",
    "joules",
    "lab_seconds_per_inference",
    "frames_per_inference",
    "joules_per_inference",
    "epochs_to_target",
    "lab_seconds_to_target",
    "frames_to_target",
    "ideal_test_accuracy",
    "ideal_train_accuracy",
    "cosine",
    "relative_error",
    "bias",
    "noise",
    "unsettled",
];

/// Named results.
type Results = Vec<(String, Option<f64>)>;

/// Every data set of a study, read once.
pub(super) struct Datasets(HashMap<(String, String), Dataset>);

impl Datasets {
    /// Reads the sets of `runs` and checks that they fit the networks.
    ///
    /// # Errors
    /// When a set cannot be read or does not fit.
    pub fn load(runs: &[Run]) -> Result<Self> {
        let mut sets = HashMap::new();
        for Run { experiment, .. } in runs {
            let key = (experiment.data.set.clone(), experiment.data.label.clone());
            if !sets.contains_key(&key) {
                sets.insert(key.clone(), Dataset::load(&experiment.data)?);
            }
            let size = sets[&key].size();
            check_classes(experiment, size.features, size.classes)?;
        }
        Ok(Self(sets))
    }

    fn of(&self, experiment: &Experiment) -> Result<&Dataset> {
        let data = &experiment.data;
        self.0
            .get(&(data.set.clone(), data.label.clone()))
            .ok_or_else(|| Error::input(format!("data.set = {}: not read", data.set)))
    }
}

/// Does `run`; a failure is an outcome like any other.
pub(super) fn execute(
    study: &Study,
    run: &Run,
    datasets: &Datasets,
    directory: &StudyDirectory,
) -> Outcome {
    let experiment = &run.experiment;
    let results = datasets.of(experiment).and_then(|dataset| match run.procedure {
        Procedure::InLoop => in_precision!(experiment, in_loop(study, run, dataset, directory)),
        Procedure::Transfer => in_precision!(experiment, transfer(experiment, dataset)),
        Procedure::Gradient => gradient(study, run, dataset),
    });
    match results {
        Ok(results) => Outcome::Results(
            results
                .into_iter()
                .map(|(name, value)| (name, value.filter(|value| value.is_finite())))
                .collect(),
        ),
        Err(error) => Outcome::Error(error.to_string()),
    }
}

fn trained<T: Real>(experiment: &Experiment, dataset: &Dataset) -> Result<Trainer<T>> {
    let parts = Parts::prepare(dataset.clone(), &experiment.data, experiment.seed)?;
    let mut trainer =
        Trainer::new(experiment.clone(), Box::new(experiment.machine::<T>()?), parts)?;
    while !trainer.is_finished() {
        trainer.epoch(&mut |_| {})?;
    }
    Ok(trainer)
}

fn in_loop<T: Real>(
    study: &Study,
    run: &Run,
    dataset: &Dataset,
    directory: &StudyDirectory,
) -> Result<Results> {
    let mut trainer = trained::<T>(&run.experiment, dataset)?;
    let kept = directory.run(run);
    let summary = trainer.summary(kept.display().to_string())?;
    if study.keep {
        keep(&kept, &run.experiment, &trainer, &summary)?;
    }
    let mut results = accuracies(&summary);
    if let Some(target) = study.target_accuracy {
        results.extend(to_target(trainer.metrics(), target));
    }
    Ok(results)
}

/// Writes the directory of a run, in place of what an interruption may have left of it.
fn keep<T: Real>(
    path: &std::path::Path,
    experiment: &Experiment,
    trainer: &Trainer<T>,
    summary: &Summary,
) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(Error::writing(path))?;
    }
    let directory = RunDirectory::create(path, experiment)?;
    directory.write_metrics(trainer.metrics())?;
    trainer.save(&directory.checkpoint())?;
    directory.write_summary(summary)?;
    report::write_run(path, summary, trainer.metrics(), experiment)
}

fn named<const N: usize>(results: [(&str, f64); N]) -> Results {
    results.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect()
}

/// What a laboratory would want to know of a run; nothing here depends on the computer.
fn accuracies(summary: &Summary) -> Results {
    let lab = &summary.lab;
    let mut results = named([
        ("test_accuracy", summary.test_accuracy),
        ("train_accuracy", summary.train_accuracy),
        ("test_unsettled", summary.test_unsettled as f64 / summary.test_samples.max(1) as f64),
        ("train_unsettled", summary.train_unsettled),
        ("lab_seconds", lab.seconds),
        ("frames", lab.frames as f64),
        ("conversions", lab.conversions as f64),
        ("pulses", lab.pulses as f64),
        ("joules", lab.joules),
        ("lab_seconds_per_inference", lab.seconds_per_inference),
        ("frames_per_inference", lab.frames_per_inference),
        ("joules_per_inference", lab.joules_per_inference),
    ]);
    if let Some(accuracy) = summary.validation_accuracy {
        results.insert(1, ("validation_accuracy".into(), Some(accuracy)));
    }
    results
}

/// What it took until the test accuracy first was `target`; nothing where it never was.
fn to_target(metrics: &[EpochMetrics], target: f64) -> Results {
    let there = metrics.iter().find(|row| row.test_accuracy >= target);
    let result = |name: &str, value: fn(&EpochMetrics) -> f64| (name.to_owned(), there.map(value));
    vec![
        result("epochs_to_target", |row| row.epoch as f64),
        result("lab_seconds_to_target", |row| row.lab_seconds),
        result("frames_to_target", |row| row.frames as f64),
    ]
}

fn transfer<T: Real>(experiment: &Experiment, dataset: &Dataset) -> Result<Results> {
    let ideal = Experiment { device: Device::Exact, ..experiment.clone() };
    let mut trainer = trained::<T>(&ideal, dataset)?;
    let before = trainer.summary(String::new())?;
    let mut machine = experiment.machine::<T>()?;
    machine.program(trainer.values())?;
    let test = evaluate(&mut machine, &trainer.parts().test, &experiment.learning)?;
    let train = evaluate(&mut machine, &trainer.parts().train, &experiment.learning)?;
    Ok(named([
        ("test_accuracy", test.accuracy()),
        ("train_accuracy", train.accuracy()),
        ("test_unsettled", test.unsettled as f64 / test.samples.max(1) as f64),
        ("ideal_test_accuracy", before.test_accuracy),
        ("ideal_train_accuracy", before.train_accuracy),
    ]))
}

fn gradient(study: &Study, run: &Run, dataset: &Dataset) -> Result<Results> {
    let judged = judge_experiment(&run.experiment, study.gradient, dataset)?;
    let quality = |name: &str, q: &super::Quality| {
        // Where nothing settled there is no gradient, and so no bias of one.
        let q = if q.cosine.is_finite() {
            *q
        } else {
            super::Quality {
                cosine: f64::NAN,
                relative_error: f64::NAN,
                bias: f64::NAN,
                noise: f64::NAN,
            }
        };
        let named = [
            ("cosine", q.cosine),
            ("relative_error", q.relative_error),
            ("bias", q.bias),
            ("noise", q.noise),
        ];
        named.map(|(result, value)| {
            (
                if name.is_empty() { result.to_owned() } else { format!("{result}/{name}") },
                Some(value),
            )
        })
    };
    let mut results: Results = quality("", &judged.whole).into();
    results.push(("unsettled".into(), Some(judged.unsettled)));
    results.extend(judged.arrays.iter().flat_map(|(name, q)| quality(name, q)));
    Ok(results)
}
