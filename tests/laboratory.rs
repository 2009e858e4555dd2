//! A rule sees measurements only: training through a machine whose model cannot be asked for.

use std::ops::Range;

use equilux::coupler::{Expense, Parameter};
use equilux::data::{Dataset, Parts};
use equilux::experiment::Experiment;
use equilux::learning::{Adjoint, Batch, Rule};
use equilux::state::State;
use equilux::system::{Cost, HeldCurrent, LocalProduct, Measurement, Phase, System};
use equilux::training::Trainer;
use equilux::{Error, Result};
use nalgebra::DMatrix;

/// A machine behind its instruments: it has no model.
struct Laboratory(Box<dyn System<f64>>);

impl System<f64> for Laboratory {
    fn describe(&self) -> String {
        "a bench".into()
    }
    fn inputs(&self) -> usize {
        self.0.inputs()
    }
    fn outputs(&self) -> Range<usize> {
        self.0.outputs()
    }
    fn parameters(&self) -> Vec<Parameter<f64>> {
        self.0.parameters()
    }
    fn program(&mut self, values: &mut [DMatrix<f64>]) -> Result<()> {
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
        d: DMatrix<f64>,
        at: DMatrix<f64>,
    ) -> LocalProduct<'a, f64> {
        self.0.local_product(inputs, d, at)
    }
    fn expense(&self) -> Expense {
        self.0.expense()
    }
    fn state(&self) -> State<f64> {
        self.0.state()
    }
    fn restore(&mut self, state: &State<f64>) -> Result<()> {
        self.0.restore(state)
    }
}

fn experiment(settings: &[&str]) -> Experiment {
    let text = r#"
        precision = "f64"
        [data]
        set = "wine"
        [network]
        layers = [13, 6, 3]
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

fn trainer(experiment: &Experiment, system: Box<dyn System<f64>>) -> Trainer<f64> {
    let (rule, optimiser) =
        (experiment.learning.rule(1), experiment.training.optimiser.optimiser());
    Trainer::new(system, rule, optimiser, parts(experiment), experiment.plan()).unwrap()
}

#[test]
fn every_laboratory_rule_trains_without_a_model() {
    type Machine = Box<dyn System<f64>>;
    let cost = |rule: &str, topology: &str, machine: fn(Machine) -> Machine| {
        let experiment = experiment(&[
            &format!("learning.rule={rule}"),
            &format!("network.topology={topology}"),
            "relaxation.tolerance=1e-12",
            "relaxation.max_steps=2000",
            "learning.beta=1e-3",
            "network.initial_gain=0.5",
            "training.epochs=3",
        ]);
        let machine = machine(experiment.machine().unwrap());
        let mut trainer = trainer(&experiment, machine);
        while !trainer.is_finished() {
            assert_eq!(trainer.epoch(&mut |_| {}).unwrap().unsettled, 0, "{rule}");
        }
        trainer.metrics().last().unwrap().train_cost
    };
    for (rule, topology) in [
        ("ep", "reciprocal"),
        ("vector-field", "reciprocal"),
        ("asym-ep", "one-way"),
        ("dyadic-ep", "one-way"),
    ] {
        let found = cost(rule, topology, |machine| Box::new(Laboratory(machine)));
        // The yardstick, on a machine that has a model: a centred nudge errs by beta^2 = 1e-6.
        let exact = cost("adjoint", topology, |machine| machine);
        assert!((found / exact - 1.0).abs() < 1e-5, "{rule}: {found} {exact}");
    }
}

#[test]
fn spsa_estimates_the_gradient_without_a_model() {
    let experiment = experiment(&[
        "learning.rule.spsa.perturbation=1e-3",
        "learning.rule.spsa.perturbations=2000",
    ]);
    let mut laboratory = Laboratory(experiment.machine().unwrap());
    let parts = parts(&experiment);
    let (inputs, labels) = parts.train.batch(&[0, 1, 2, 3]);
    let targets = experiment.learning.objective().targets(&labels, &parts.outputs);
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let before: Vec<_> = laboratory.parameters().into_iter().map(|p| p.values).collect();
    let found = experiment.learning.rule::<f64>(1).gradient(&mut laboratory, &batch).unwrap();
    let after: Vec<_> = laboratory.parameters().into_iter().map(|p| p.values).collect();
    assert_eq!(before, after, "the machine is programmed as it was");
    let mut machine = experiment.machine::<f64>().unwrap();
    let exact = Adjoint::default().gradient(machine.as_mut(), &batch).unwrap();
    // P = 111 parameters and n = 2000 perturbations: |g|^2 (P - 1) / n of noise, give or take
    // sqrt(2 / P) of it; four deviations.
    let cosine = equilux::learning::fidelity(&found, &exact).cosine;
    let noise = 110.0_f64 / 2000.0;
    let expected = |deviations: f64| {
        1.0 / (1.0 + noise * (1.0 + deviations * (2.0_f64 / 111.0).sqrt())).sqrt()
    };
    assert!(expected(4.0) < cosine && cosine < expected(-4.0), "{cosine}");
}

#[test]
fn the_adjoint_says_that_it_needs_a_model() {
    let mut experiment = experiment(&[]);
    experiment.learning.rule = Adjoint::default().into();
    let laboratory = Laboratory(experiment.machine().unwrap());
    let mut trainer = trainer(&experiment, Box::new(laboratory));
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
    let mut trainer = trainer(&hasty, hasty.machine().unwrap());
    let error = trainer.epoch(&mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("samples settled in every phase")
            && error.contains("none of the first")
            && error.contains("relaxation.max_steps = 1"),
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
    let estimate = |machine: &mut dyn System<f64>, samples: &[usize]| {
        let (inputs, labels) = parts.train.batch(samples);
        let targets = experiment.learning.objective().targets(&labels, &parts.outputs);
        let batch =
            Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
        let estimate = rule.estimate(machine, &batch).unwrap();
        (estimate.gradient.whole(), estimate.unsettled)
    };
    let all: Vec<usize> = (0..64).collect();
    let (mixed, unsettled) = estimate(machine.as_mut(), &all);
    let settled: Vec<usize> = all
        .iter()
        .copied()
        .filter(|sample| estimate(machine.as_mut(), &[*sample]).1 == 0)
        .collect();
    assert!(unsettled > 0 && unsettled < 64, "{} unsettled: choose another limit", unsettled);
    assert_eq!(settled.len(), 64 - unsettled);
    let (alone, _) = estimate(machine.as_mut(), &settled);
    for (mixed, alone) in mixed.iter().zip(&alone) {
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
    // ln(|W - B^T| / |W + B^T|) is -2 sum w b over the sum of squares, which is 603 here: 200 from
    // each of both arrays between the hidden layers, 200 and 3 from those to the outputs and back.
    // The sum over w b has the deviation sqrt(2), one from either pair of arrays. Five deviations.
    assert!(independent.ln().abs() < 5.0 * 2.0 * 2.0_f64.sqrt() / 603.0, "{independent}");
    let square = of(&["network.topology=all-to-all", "network.layers=[13, 100, 3]"]);
    // Here N (N - 1) / 2 = 5253 independent pairs: one over the root of their number.
    assert!(square.ln().abs() < 5.0 / 5253.0_f64.sqrt(), "{square}");
    let masks = of(&["network.topology=all-to-all", "device.spim.patterns.count=8"]);
    assert!(masks < 1e-12, "{masks}");
}

#[test]
fn transposed_feedback_parts_from_reciprocity_as_it_learns() {
    let settings = ["network.topology=independent-feedback", "network.feedback_asymmetry=0"];
    let experiment = experiment(&settings);
    let mut trainer = trainer(&experiment, experiment.machine().unwrap());
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
    // Of n normal deviates the root mean square is known to 1 / sqrt(2 n); four deviations.
    let known = 1.0 / (2.0 * 200.0 * still.nrows() as f64).sqrt();
    assert!((deviation / 0.01 - 1.0).abs() < 4.0 * known, "{deviation}");
}
