//! A rule sees measurements only: training through a machine whose model cannot be asked for.

use std::ops::Range;

use equilux::coupler::{Expense, Parameter};
use equilux::data::{Dataset, Parts};
use equilux::experiment::{Experiment, RuleName};
use equilux::learning::Batch;
use equilux::system::{AnalogNetwork, Cost, HeldCurrent, LocalProduct, Measurement, Phase, System};
use equilux::training::{Trainer, class_targets};
use equilux::{Error, Result};
use nalgebra::DMatrix;

/// A machine behind its instruments: it has no twin.
struct Laboratory(AnalogNetwork<f64>);

impl System<f64> for Laboratory {
    fn inputs(&self) -> usize {
        System::inputs(&self.0)
    }
    fn outputs(&self) -> Range<usize> {
        self.0.outputs()
    }
    fn parameters(&self) -> Vec<Parameter<f64>> {
        self.0.parameters()
    }
    fn program(&mut self, values: &[DMatrix<f64>]) -> Result<()> {
        self.0.program(values)
    }
    fn settle(&mut self, inputs: &DMatrix<f64>, phase: &Phase<f64>) -> Result<Measurement<f64>> {
        self.0.settle(inputs, phase)
    }
    fn held_current(
        &mut self,
        inputs: &DMatrix<f64>,
        free: &Measurement<f64>,
    ) -> Result<HeldCurrent<f64>> {
        self.0.held_current(inputs, free)
    }
    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<f64>,
        d: &'a DMatrix<f64>,
        at: &'a DMatrix<f64>,
    ) -> LocalProduct<'a, f64> {
        self.0.local_product(inputs, d, at)
    }
    fn expense(&self) -> Expense {
        self.0.expense()
    }
}

fn experiment(settings: &[&str]) -> Experiment {
    let text = r#"
        [data]
        set = "wine"
        [network]
        layers = [13, 6, 3]
        precision = "f64"
        [relaxation]
        step = 0.5
        tolerance = 1e-6
        [training]
        epochs = 8
        batch = 16
        optimiser.sgd.rate = 0.2
    "#;
    let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
    Experiment::parse(text, "test", &settings).unwrap()
}

fn parts(experiment: &Experiment) -> Parts<f64> {
    Parts::prepare(Dataset::load(&experiment.data).unwrap(), &experiment.data, experiment.seed)
        .unwrap()
}

#[test]
fn every_laboratory_rule_trains_without_a_model() {
    for (rule, topology) in [
        ("ep", "reciprocal"),
        ("vector-field", "reciprocal"),
        ("asym-ep", "one-way"),
        ("dyadic-ep", "one-way"),
    ] {
        let experiment = experiment(&[
            &format!("learning.rule={rule}"),
            &format!("network.topology={topology}"),
        ]);
        let laboratory = Laboratory(experiment.machine().unwrap());
        let mut trainer =
            Trainer::new(experiment.clone(), Box::new(laboratory), parts(&experiment)).unwrap();
        while !trainer.is_finished() {
            trainer.epoch(&mut |_| {}).unwrap();
        }
        let accuracy = trainer.metrics().last().unwrap().train_accuracy;
        assert!(accuracy > 0.9, "{rule}: {accuracy}");
    }
}

#[test]
fn spsa_estimates_the_gradient_without_a_model() {
    let experiment = experiment(&[
        "learning.rule=spsa",
        "learning.perturbation=1e-3",
        "learning.perturbations=2000",
    ]);
    let mut laboratory = Laboratory(experiment.machine().unwrap());
    let parts = parts(&experiment);
    let (inputs, labels) = parts.train.batch(&[0, 1, 2, 3]);
    let targets = class_targets(&experiment.learning, &labels, 3);
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let before: Vec<_> = laboratory.parameters().into_iter().map(|p| p.values).collect();
    let estimate = experiment.learning.rule::<f64>(1).gradient(&mut laboratory, &batch).unwrap();
    let after: Vec<_> = laboratory.parameters().into_iter().map(|p| p.values).collect();
    assert_eq!(before, after, "the machine is programmed as it was");
    let mut machine = experiment.machine::<f64>().unwrap();
    let exact = equilux::learning::Adjoint;
    let exact = equilux::learning::Rule::gradient(&exact, &mut machine, &batch).unwrap();
    // P = 111 parameters and n = 2000 perturbations: cosine about 1 / sqrt(1 + P/n) = 0.97.
    let cosine = equilux::learning::fidelity(&estimate.gradient, &exact.gradient).cosine;
    assert!(cosine > 0.95, "{cosine}");
}

#[test]
fn the_adjoint_says_that_it_needs_a_model() {
    let mut experiment = experiment(&[]);
    experiment.learning.rule = RuleName::Adjoint;
    let laboratory = Laboratory(experiment.machine().unwrap());
    let mut trainer =
        Trainer::new(experiment.clone(), Box::new(laboratory), parts(&experiment)).unwrap();
    let error = trainer.epoch(&mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, Error::Input(message) if message.contains("needs a model")),
        "{error}"
    );
}

#[test]
fn samples_that_do_not_settle_are_counted_and_not_used() {
    // One step is too few for any sample to be at rest.
    let hasty = experiment(&["relaxation.max_steps=1"]);
    let mut trainer =
        Trainer::new(hasty.clone(), Box::new(hasty.machine::<f64>().unwrap()), parts(&hasty))
            .unwrap();
    let error = trainer.epoch(&mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("none of 142 samples settled") && error.contains("relaxation.max_steps = 1"),
        "{error}"
    );

    // Some samples settle and some do not: the gradient is that of those that do.
    let experiment = experiment(&[
        "network.topology=reciprocal",
        "relaxation.max_steps=21",
        "relaxation.tolerance=1e-4",
    ]);
    let parts = parts(&experiment);
    let mut machine = experiment.machine::<f64>().unwrap();
    let rule = experiment.learning.rule::<f64>(1);
    let gradient = |machine: &mut AnalogNetwork<f64>, samples: &[usize]| {
        let (inputs, labels) = parts.train.batch(samples);
        let targets = class_targets(&experiment.learning, &labels, 3);
        let batch =
            Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
        rule.gradient(machine, &batch).unwrap()
    };
    let all: Vec<usize> = (0..64).collect();
    let mixed = gradient(&mut machine, &all);
    let settled: Vec<usize> = all
        .iter()
        .copied()
        .filter(|sample| gradient(&mut machine, &[*sample]).unsettled == 0)
        .collect();
    assert!(
        mixed.unsettled > 0 && mixed.unsettled < 64,
        "{} unsettled: choose another limit",
        mixed.unsettled
    );
    assert_eq!(settled.len(), 64 - mixed.unsettled);
    let alone = gradient(&mut machine, &settled);
    for (mixed, alone) in mixed.gradient.iter().zip(&alone.gradient) {
        assert!((mixed - alone).norm() <= 1e-12 * (1.0 + alone.norm()));
    }
}

#[test]
fn non_reciprocity_is_that_of_the_couplings_between_nodes() {
    let of = |settings: &[&str]| {
        experiment(settings).machine::<f64>().unwrap().non_reciprocity().unwrap()
    };
    assert_eq!(of(&[]), 1.0);
    assert_eq!(of(&["network.topology=reciprocal"]), 0.0);
    assert_eq!(of(&["network.topology=independent-feedback", "network.feedback_asymmetry=0"]), 0.0);
    // Two matrices of independent deviates: |W - B^T| and |W + B^T| have the same mean.
    let independent =
        of(&["network.topology=independent-feedback", "network.layers=[13, 200, 200, 3]"]);
    assert!((independent - 1.0).abs() < 0.05, "{independent}");
    let square = of(&["network.topology=all-to-all", "network.layers=[13, 100, 3]"]);
    assert!((square - 1.0).abs() < 0.1, "{square}");
    let masks = of(&["network.topology=all-to-all", "device.spim.patterns.count=8"]);
    assert!(masks < 1e-12, "{masks}");
}

#[test]
fn transposed_feedback_parts_from_reciprocity_as_it_learns() {
    let settings = ["network.topology=independent-feedback", "network.feedback_asymmetry=0"];
    let experiment = experiment(&settings);
    let parts =
        Parts::prepare(Dataset::load(&experiment.data).unwrap(), &experiment.data, experiment.seed)
            .unwrap();
    let machine = experiment.machine::<f64>().unwrap();
    let mut trainer = Trainer::new(experiment, Box::new(machine), parts).unwrap();
    let first = trainer.epoch(&mut |_| ()).unwrap().non_reciprocity.unwrap();
    let second = trainer.epoch(&mut |_| ()).unwrap().non_reciprocity.unwrap();
    assert!(0.0 < first && first < second && second < 1.0, "{first} {second}");
}

#[test]
fn drift_is_an_offset_of_each_node_in_each_phase() {
    let inputs =
        DMatrix::from_fn(13, 300, |i, sample| ((i * 31 + sample * 17) % 23) as f64 / 23.0 - 0.5);
    let still =
        experiment(&[]).machine::<f64>().unwrap().settle(&inputs, &Phase::Free).unwrap().values;
    let mut drifting = experiment(&["measurement.drift=0.01"]).machine::<f64>().unwrap();
    let mut squares = 0.0;
    let mut before = DMatrix::zeros(still.nrows(), 1);
    for _ in 0..200 {
        let offsets = drifting.settle(&inputs, &Phase::Free).unwrap().values - &still;
        // The same for all 300 samples, in lanes apart; another in each phase and each node.
        assert!(offsets.column_iter().all(|column| (column - offsets.column(0)).amax() < 1e-12));
        assert!((offsets.column(0) - &before).amin() != 0.0 && offsets[(0, 0)] != offsets[(1, 0)]);
        before = offsets.columns(0, 1).into_owned();
        squares += before.norm_squared();
    }
    let deviation = (squares / (200 * still.nrows()) as f64).sqrt();
    assert!((deviation / 0.01 - 1.0).abs() < 0.06, "{deviation}");
}
