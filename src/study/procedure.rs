//! What one run does.

use std::collections::HashMap;
use std::path::Path;

use super::gradient::judge_experiment;
use super::learnt::{Learnt, LearntOnce};
use super::{Outcome, Procedure, Run, Study, StudyDirectory};
use crate::arithmetic::Real;
use crate::data::{Dataset, Parts};
use crate::experiment::{Device, Experiment, RunDirectory, Session, in_precision};
use crate::file::disk;
use crate::stop::Stop;
use crate::training::{EpochMetrics, Fit, Score, Summary};
use crate::{Error, Result};

/// What is done with the directory of a run that is kept.
type Kept<'a> = &'a (dyn Fn(&Path) -> Result<()> + Sync);

/// Named results.
pub(super) type Results = Vec<(String, Option<f64>)>;

/// Every data set of a study, read once.
pub(super) struct Datasets(HashMap<String, Dataset>);

impl Datasets {
    /// Reads the sets of `runs` and checks that they fit the networks.
    ///
    /// # Errors
    /// When a set cannot be read or does not fit.
    pub fn load(runs: &[Run]) -> Result<Self> {
        let mut sets = HashMap::new();
        for Run { experiment, .. } in runs {
            let key = experiment.data.content();
            if !sets.contains_key(&key) {
                sets.insert(key.clone(), Dataset::load(&experiment.data)?);
            }
            let size = sets[&key].size();
            experiment.check_data(size.features, size.outputs)?;
        }
        Ok(Self(sets))
    }

    fn of(&self, experiment: &Experiment) -> Result<&Dataset> {
        let data = &experiment.data;
        self.0
            .get(&data.content())
            .ok_or_else(|| Error::input(format!("data.set = {}: not read", data.set)))
    }
}

/// Does `run`; a failure is an outcome like any other.
///
/// # Errors
/// [`Error::Stopped`] when it was asked to stop, which is none.
pub(super) fn execute(
    study: &Study,
    run: &Run,
    datasets: &Datasets,
    directory: &StudyDirectory,
    (learnt, kept, stop): (&LearntOnce, Kept, &Stop),
) -> Result<Outcome> {
    stop.check()?;
    let experiment = &run.experiment;
    let transferred = |source: &Experiment, dataset: &Dataset| {
        in_precision!(experiment, transfer(source, experiment, dataset, (learnt, stop)))
    };
    let results = datasets.of(experiment).and_then(|dataset| match run.procedure {
        Procedure::InLoop => {
            in_precision!(experiment, in_loop(study, run, dataset, directory, (kept, stop)))
        }
        Procedure::Transfer => {
            let ideal = Experiment { device: Device::default(), chip: 0, ..experiment.clone() };
            transferred(&ideal, dataset)
        }
        Procedure::Copied => {
            let chip = study.own_chip();
            transferred(&Experiment { chip, ..experiment.clone() }, dataset)
        }
        Procedure::Gradient => gradient(study, run, dataset),
        Procedure::Yield => Err(Error::input("procedure = \"yield\": of a study, not of a run")),
    });
    let results = results.map(|results| at_target(results, study.target()));
    outcome(results)
}

/// Results as they are recorded: what is no number is none. To be stopped is no outcome.
pub(super) fn outcome(results: Result<Results>) -> Result<Outcome> {
    Ok(match results {
        Ok(results) => Outcome::Results(
            results
                .into_iter()
                .map(|(name, value)| (name, value.filter(|value| value.is_finite())))
                .collect(),
        ),
        Err(error @ Error::Stopped(_)) => return Err(error),
        Err(error) => Outcome::Error(error.to_string()),
    })
}

/// What training `experiment` gives.
pub(super) fn train<T: Real>(
    experiment: &Experiment,
    dataset: &Dataset,
    stop: &Stop,
) -> Result<Results> {
    let summary = trained::<T>(experiment, dataset, stop)?.trainer.summary(String::new())?;
    Ok(results(&summary))
}

fn trained<T: Real>(experiment: &Experiment, dataset: &Dataset, stop: &Stop) -> Result<Session<T>> {
    let mut session = Session::with_data(experiment.clone(), dataset.clone())?;
    session.trainer.stop_with(stop.clone());
    session.trainer.train()?;
    Ok(session)
}

fn in_loop<T: Real>(
    study: &Study,
    run: &Run,
    dataset: &Dataset,
    directory: &StudyDirectory,
    (kept, stop): (Kept, &Stop),
) -> Result<Results> {
    let mut session = trained::<T>(&run.experiment, dataset, stop)?;
    let path = directory.run(run);
    let summary = session.trainer.summary(path.display().to_string())?;
    if study.keep {
        keep(&path, &session, &summary)?;
        kept(&path)?;
    }
    let mut results = results(&summary);
    if let Some(target) = study.target() {
        results.extend(to_target(session.trainer.metrics(), target));
    }
    Ok(results)
}

/// Writes the directory of a run, in place of what an interruption may have left of it.
fn keep<T: Real>(path: &Path, session: &Session<T>, summary: &Summary) -> Result<()> {
    if path.exists() {
        disk::remove_directory(path).map_err(Error::writing(path))?;
    }
    let (directory, trainer) = (RunDirectory::create(path, &session.experiment)?, &session.trainer);
    directory.write_metrics(trainer.metrics())?;
    directory.save(trainer)?;
    directory.write_summary(summary)
}

fn named<const N: usize>(results: [(&str, f64); N]) -> Results {
    results.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect()
}

/// What a laboratory would want to know of a run; nothing here depends on the computer.
fn results(summary: &Summary) -> Results {
    let (lab, scores) = (&summary.lab, &summary.scores);
    let mut results = score("test", scores.test());
    results.extend(scores.validation().into_iter().flat_map(|of| score("validation", of)));
    results.extend(score("train", scores.train()));
    results.extend(named([
        ("test_unsettled", summary.test_unsettled as f64 / summary.test_samples.max(1) as f64),
        ("train_unsettled", summary.train_unsettled),
        ("test_truncated", summary.test_truncated as f64 / summary.test_samples.max(1) as f64),
        ("train_truncated", summary.train_truncated),
        ("inference_steps", summary.inference_steps),
        ("lab_seconds", lab.seconds),
        ("frames", lab.frames as f64),
        ("conversions", lab.conversions as f64),
        ("pulses", lab.pulses as f64),
        ("lab_seconds_per_inference", lab.seconds_per_inference),
        ("frames_per_inference", lab.frames_per_inference),
    ]));
    results.extend(
        [("joules", lab.joules), ("joules_per_inference", lab.joules_per_inference)]
            .map(|(name, joules)| (name.to_owned(), joules)),
    );
    results
}

/// The results that tell how well `part` does.
fn score(part: &str, score: Score) -> Results {
    let numbers = match score {
        Score::Accuracy(accuracy) => vec![("accuracy", accuracy)],
        Score::Fit(Fit { r2, rmse, mae }) => vec![("r2", r2), ("rmse", rmse), ("mae", mae)],
    };
    numbers.into_iter().map(|(name, value)| (format!("{part}_{name}"), Some(value))).collect()
}

/// What it took until the test accuracy (or R2) first was `target`; nothing where it never was.
fn to_target(metrics: &[EpochMetrics], target: f64) -> Results {
    let there = metrics.iter().find(|row| row.test.value() >= target);
    let result = |name: &str, value: fn(&EpochMetrics) -> f64| (name.to_owned(), there.map(value));
    vec![
        result("epochs_to_target", |row| row.epoch as f64),
        result("lab_seconds_to_target", |row| row.lab_seconds),
        result("frames_to_target", |row| row.frames as f64),
    ]
}

/// Whether the target is reached, beside the other results.
fn at_target(mut results: Results, target: Option<f64>) -> Results {
    let test = |name: &str| ["test_accuracy", "test_r2"].contains(&name);
    let found = results.iter().find(|(name, _)| test(name)).and_then(|(_, value)| *value);
    if let (Some(target), Some(found)) = (target, found) {
        results.push(("at_target".into(), Some(f64::from(u8::from(found >= target)))));
    }
    results
}

/// Programs the machine of `experiment` with what that of `source` learns, which differs from it in its
/// hardware alone.
fn transfer<T: Real>(
    source: &Experiment,
    experiment: &Experiment,
    dataset: &Dataset,
    (learnt, stop): (&LearntOnce, &Stop),
) -> Result<Results> {
    let learnt = learnt.get(&source.to_toml(), || {
        let mut trained = trained::<T>(source, dataset, stop)?.trainer;
        let scores = trained.summary(String::new())?.scores;
        let values = trained.values().iter().map(|values| values.map(T::f64)).collect();
        Ok(Learnt { values, scores })
    })?;
    let mut values: Vec<_> = learnt.values.iter().map(|values| values.map(T::of)).collect();
    let mut machine = experiment.machine::<T>()?;
    machine.program(&mut values)?;
    let objective = experiment.learning.objective();
    let data = Parts::<T>::prepare(dataset.clone(), &experiment.data, experiment.seed)?;
    let test = objective.evaluate(machine.as_mut(), &data.test, &data.outputs)?;
    let train = objective.evaluate(machine.as_mut(), &data.train, &data.outputs)?;
    let unsettled = test.unsettled as f64 / test.samples.max(1) as f64;
    let mut results = score("test", test.score());
    results.extend(score("train", train.score()));
    results.extend(named([("test_unsettled", unsettled)]));
    if matches!(source.device, Device::Exact(_)) {
        // Of an ideal machine the one number that tells how good it is.
        let ideal = |part: &str, of: Score| score(&format!("ideal_{part}"), of).into_iter().take(1);
        results.extend(ideal("test", learnt.scores.test()));
        results.extend(ideal("train", learnt.scores.train()));
    }
    Ok(results)
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
