//! A run whose data, machine or rule are given: what its directory keeps, and how it goes on.

mod common;

use common::bytes;
use equilux::data::{DataConfig, Dataset};
use equilux::experiment::{Experiment, Given, Moment, Place, RunDirectory, Session, TrainingRun};
use nalgebra::DMatrix;

const TEXT: &str = "data.set = 'wine'\nnetwork.layers = [13, 6, 3]\ntraining.epochs = 2\n";

fn experiment(settings: &[&str]) -> Experiment {
    let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
    Experiment::parse(TEXT, "x.toml", &settings).unwrap()
}

/// Wine under names of one's own, which sort in another order.
fn renamed() -> Dataset {
    let wine = Dataset::load(&DataConfig::default()).unwrap();
    let names = ["red", "white, sweet", "\"pink\""];
    let labels = wine.labels.classes().unwrap().iter();
    let labels: Vec<String> = labels.map(|label| names[*label].into()).collect();
    Dataset::of_samples("data", wine.features, &labels).unwrap()
}

fn given(data: Dataset) -> Given<f32> {
    Given { data: Some(data), ..Given::default() }
}

fn trained(data: Dataset, epochs: &str, place: &Place) -> TrainingRun<f32> {
    let mut run = TrainingRun::open(experiment(&[epochs]), given(data), "x", place).unwrap();
    run.train(&mut |_| ()).unwrap();
    run.finish().unwrap();
    run
}

#[test]
fn rates_are_refused_or_taken_however_a_machine_is_trained() {
    let session = |settings: &[&str]| Session::<f64>::new(experiment(settings)).unwrap();
    let error = session(&["training.rates.nobody=2"]).trainer.train().unwrap_err().to_string();
    assert!(error.contains("training.rates.nobody: no real parameter"), "{error}");
    let trained = |settings: &[&str]| {
        let mut session = session(settings);
        session.trainer.train().unwrap();
        session.trainer.values().to_vec()
    };
    let halves = ["training.rates.weights=0.5", "training.rates.bias=0.5"];
    let rate = ["training.optimiser.sgd.rate=0.5"];
    let half = ["training.optimiser.sgd.rate=0.25"];
    assert_eq!(trained(&[&halves[..], &rate].concat()), trained(&half));
    assert_ne!(trained(&rate), trained(&half));
}

#[test]
fn data_that_are_given_are_kept_and_the_directory_runs_as_it_stands() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let run = trained(renamed(), "training.epochs=2", &Place::New(Some(path.clone())));
    let in_memory = trained(renamed(), "training.epochs=2", &Place::Memory);
    assert_eq!(run.session.trainer.metrics(), in_memory.session.trainer.metrics());
    assert!(in_memory.directory.is_none());
    drop(run);
    let again = Experiment::load(&path.join("config.toml"), &[]).unwrap();
    let data = Dataset::load(&again.data).unwrap();
    assert_eq!((&data.features, &data.labels), (&renamed().features, &renamed().labels));
    assert_eq!(data.outputs, ["\"pink\"", "red", "white, sweet"]);
    let elsewhere = Place::New(Some(place.path().join("again")));
    let mut second = TrainingRun::<f32>::open(again, Given::default(), "x", &elsewhere).unwrap();
    second.train(&mut |_| ()).unwrap();
    for file in ["metrics.csv", "checkpoint.safetensors"] {
        assert!(bytes(&path.join(file)) == bytes(&place.path().join("again").join(file)), "{file}");
    }
    let directory = RunDirectory::open(&path).unwrap();
    let reopened = Session::<f32>::reopen(&directory, directory.experiment(&[]).unwrap()).unwrap();
    assert_eq!(reopened.trainer.metrics(), in_memory.session.trainer.metrics());
}

#[test]
fn a_run_goes_on_with_the_same_data_only() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let first = trained(renamed(), "training.epochs=2", &Place::New(Some(path.clone())));
    let before = first.session.trainer.metrics().to_vec();
    drop(first);
    let resume = Place::Resume(Some(path));
    let mut others = renamed();
    others.features[(0, 0)] += 1.0;
    let refused =
        TrainingRun::open(experiment(&["training.epochs=4"]), given(others), "x", &resume);
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("data.csv: other data than are given now"), "{refused}");
    let on = trained(renamed(), "training.epochs=4", &resume);
    assert_eq!(on.session.trainer.metrics()[..2], before);
    assert_eq!(on.session.trainer.metrics().len(), 4);
}

#[test]
fn moments_are_heard_in_order() {
    let mut run =
        TrainingRun::<f32>::open(experiment(&[]), Given::default(), "x", &Place::Memory).unwrap();
    let (mut epochs, mut last) = (Vec::new(), 0);
    run.train(&mut |moment| match moment {
        Moment::Update { epoch, samples } => {
            assert!(samples > last && epoch == epochs.len() + 1);
            last = samples;
        }
        Moment::Epoch(row) => {
            epochs.push(row.epoch);
            last = 0;
        }
    })
    .unwrap();
    assert_eq!(epochs, [1, 2]);
}

#[test]
fn samples_that_are_none_are_refused() {
    let features = |columns: usize| DMatrix::from_fn(2, columns, |i, j| (i + j) as f64);
    let refused = |features: DMatrix<f64>, labels: Vec<&str>| {
        let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
        Dataset::of_samples("x", features, &labels).unwrap_err().to_string()
    };
    let mut infinite = features(2);
    infinite[(1, 1)] = f64::INFINITY;
    for (features, labels, words) in [
        (DMatrix::zeros(0, 2), vec!["a", "b"], "x: 2 samples of 0 features"),
        (DMatrix::zeros(2, 0), vec![], "x: 0 samples of 2 features"),
        (features(3), vec!["a", "b"], "x: 2 labels of 3 samples"),
        (infinite, vec!["a", "b"], "x: sample 1, feature 1: expected a finite number, found inf"),
        (features(2), vec!["a", "a"], "x: every label is `a`"),
        (features(2), vec!["a", " b"], "x: label \" b\""),
        (features(2), vec!["a", ""], "x: label \"\""),
        (features(2), vec!["1", "1.0"], "are the same number"),
    ] {
        let refusal = refused(features, labels);
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn settings_stand_above_the_numbers_of_a_sheet() {
    let place = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(place.path(), &experiment(&[])).unwrap();
    let bits = |settings: &[String]| {
        let experiment = directory.experiment_on(Some("crossbar-generic"), settings).unwrap();
        let table: toml::Table = experiment.to_toml().parse().unwrap();
        table["device"]["crossbar"]["adc"]["bits"].as_integer().unwrap()
    };
    assert_eq!(bits(&[]), 8);
    assert_eq!(bits(&["device.crossbar.adc.bits=3".into()]), 3);
}
