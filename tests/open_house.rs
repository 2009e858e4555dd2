//! What a stranger brings: the examples' own rule, array, machine and optimiser go through the
//! trainer, are saved, stopped and resumed to the same bits, and are called by their own names.

#[allow(dead_code)]
#[path = "../examples/own_coupler.rs"]
mod own_coupler;
#[allow(dead_code)]
#[path = "../examples/own_optimiser.rs"]
mod own_optimiser;
#[allow(dead_code)]
#[path = "../examples/own_rule.rs"]
mod own_rule;
#[allow(dead_code)]
#[path = "../examples/own_system.rs"]
mod own_system;

use std::path::Path;

use equilux::data::{DataConfig, Dataset, Outputs, Parts};
use equilux::experiment::Experiment;
use equilux::learning::{
    Adjoint, AsymEp, Batch, CorrectionMethod, DyadicEp, Nudges, Nudging, Rule,
};
use equilux::learning::{EquilibriumPropagation, fidelity};
use equilux::report::{Paper, write_run};
use equilux::system::{Cost, Phase, System};
use equilux::training::Trainer;
use equilux::training::optimiser::{Optimiser, Sgd};
use nalgebra::DMatrix;
use own_system::Rectifier;

/// Wine on a network of 13-8-3 nodes on exact arrays, with somebody's parts in place of ours.
fn wine(
    system: Option<Box<dyn System<f64>>>,
    rule: Option<Box<dyn Rule<f64>>>,
    optimiser: Box<dyn Optimiser<f64>>,
) -> Trainer<f64> {
    let text = "precision = 'f64'\nnetwork.layers = [13, 8, 3]\nlearning.beta = 0.5\n\
                training.epochs = 4\n";
    let experiment = Experiment::parse(text, "open house", &[]).unwrap();
    let config = DataConfig::default();
    let data = Parts::prepare(Dataset::load(&config).unwrap(), &config, 1).unwrap();
    let system = system.unwrap_or_else(|| experiment.machine().unwrap());
    let rule = rule.unwrap_or_else(|| experiment.learning.rule(1));
    Trainer::new(system, rule, optimiser, data, experiment.plan()).unwrap()
}

/// Trains in one go, and again with a stop after half of the epochs: a new trainer goes on from the
/// file. Both end with the same bytes, and a report that has all `names` in it.
fn trained_stopped_and_resumed(mut make: impl FnMut() -> Trainer<f64>, names: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let (whole, resumed) = (directory.path().join("whole"), directory.path().join("resumed"));
    let mut trainer = make();
    trainer.train().unwrap();
    trainer.save(&whole).unwrap();
    let epochs = trainer.metrics().len();

    let mut stopped = make();
    for _ in 0..epochs / 2 {
        stopped.epoch(&mut |_| ()).unwrap();
    }
    stopped.save(&resumed).unwrap();
    // What happens after the last checkpoint is lost, as if the process had been killed.
    stopped.epoch(&mut |_| ()).unwrap();
    drop(stopped);
    let mut going_on = make();
    going_on.resume(&resumed).unwrap();
    assert_eq!(going_on.metrics().len(), epochs / 2);
    going_on.train().unwrap();
    going_on.save(&resumed).unwrap();
    assert!(bytes(&whole) == bytes(&resumed), "a resumed run ends elsewhere");

    let summary = going_on.summary("a run".into()).unwrap();
    let system = Some(going_on.system());
    write_run(directory.path(), &summary, going_on.metrics(), system, None, Paper::default())
        .unwrap();
    let report = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    for name in names {
        assert!(report.contains(name), "the report does not speak of {name}");
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_rule_of_ones_own_trains() {
    let rule = || Some(Box::new(own_rule::SixthOrder { beta: 0.1 }) as Box<dyn Rule<f64>>);
    trained_stopped_and_resumed(|| wine(None, rule(), Box::new(Sgd::default())), &["sixth-order"]);
}

#[test]
fn an_optimiser_of_ones_own_trains_and_is_remembered() {
    let lion = || Box::new(own_optimiser::Lion { rate: 0.01 });
    trained_stopped_and_resumed(|| wine(None, None, lion()), &["asym-ep"]);
    // A checkpoint of another optimiser is refused with the name of what is missing.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    wine(None, None, Box::new(Sgd::default())).save(&path).unwrap();
    let refused = wine(None, None, lion()).resume(&path).unwrap_err().to_string();
    assert!(refused.contains("0-1.weights/momentum"), "{refused}");
}

#[test]
fn an_array_of_ones_own_trains() {
    let make = || {
        let machine: Box<dyn System<f64>> = Box::new(own_coupler::machine().unwrap());
        wine(Some(machine), None, Box::new(Sgd { rate: 0.3, ..Sgd::default() }))
    };
    trained_stopped_and_resumed(make, &["arrays of saturating weights", "Theta"]);
    let mut trainer = make();
    let before = trainer.evaluate_test().unwrap().mean_cost();
    trainer.train().unwrap();
    let after = trainer.evaluate_test().unwrap().mean_cost();
    assert!(after < 0.5 * before, "cost {before} before, {after} after");
    assert!(trainer.spent().conversions > 0 && trainer.spent().seconds > 0.0);
}

#[test]
fn a_machine_of_ones_own_trains() {
    let make = || own_system::trainer(Rectifier::new(), 4).unwrap();
    trained_stopped_and_resumed(make, &["a diode and two conductances", "Conductances"]);
    let mut trainer = own_system::trainer(Rectifier::new(), 10).unwrap();
    let before = trainer.evaluate_test().unwrap().mean_cost();
    trainer.train().unwrap();
    let after = trainer.evaluate_test().unwrap();
    assert!(after.mean_cost() < before, "cost {before} before, {} after", after.mean_cost());
}

/// The machine's own gradient by differences of its own cost.
fn differences(machine: &mut Rectifier, batch: &Batch<f64>) -> Vec<DMatrix<f64>> {
    let start = machine.parameters()[0].values.clone();
    let mut cost = |moved: DMatrix<f64>| {
        machine.program(&mut [moved]).unwrap();
        let free = machine.settle(batch.inputs, &Phase::Free).unwrap();
        (free.values - batch.targets).norm_squared() / (2.0 * batch.inputs.ncols() as f64)
    };
    let h = 1e-5;
    let slope = |k: usize| {
        let step = DMatrix::from_fn(2, 1, |i, _| if i == k { h } else { 0.0 });
        (cost(&start + &step) - cost(&start - &step)) / (2.0 * h)
    };
    let slopes: Vec<f64> = (0..2).map(slope).collect();
    machine.program(&mut [start]).unwrap();
    vec![DMatrix::from_vec(2, 1, slopes)]
}

#[test]
fn rules_find_the_gradient_of_a_foreign_machine() {
    let data = own_system::data();
    let (inputs, _) = data.train.batch(&(0..20).collect::<Vec<_>>());
    let targets = inputs.map(|x| 0.3 * x);
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let mut machine = Rectifier::new();
    let truth = differences(&mut machine, &batch);
    // Differences of 1e-5 are wrong by 1e-10 relatively.
    let adjoint = Adjoint::default().gradient(&mut machine, &batch).unwrap();
    assert!(fidelity(&adjoint, &truth).relative_error < 1e-8);
    // A centred nudge of 1e-3 has a bias of order 1e-6.
    let nudges = Nudges::new(1e-3, Nudging::Centred);
    let found = EquilibriumPropagation(nudges).gradient(&mut machine, &batch).unwrap();
    assert!(fidelity(&found, &adjoint).relative_error < 1e-5);
}

#[test]
fn what_a_machine_cannot_do_is_said_by_its_name() {
    let (inputs, targets) = (DMatrix::zeros(2, 1), DMatrix::zeros(2, 1));
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let nudges = Nudges::new(0.1, Nudging::Centred);
    let asym = AsymEp { nudges, correction: CorrectionMethod::PortReversal };
    let model = AsymEp { nudges, correction: CorrectionMethod::DigitalModel };
    for rule in [&asym as &dyn Rule<f64>, &model, &DyadicEp { beta: 0.1 }] {
        let refused = rule.estimate(&mut Rectifier::new(), &batch).unwrap_err();
        let words = "this machine (a diode and two conductances) cannot";
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(refused.exit_status(), 2);
    }
}

#[test]
fn data_that_do_not_fit_a_foreign_machine_are_refused() {
    let (machine, mut data) = (Box::new(Rectifier::new()), own_system::data());
    let Outputs::Classes(classes) = &mut data.outputs else { unreachable!() };
    classes.push("third".into());
    let plan = own_system::trainer(Rectifier::new(), 1).unwrap().plan().clone();
    let nudges = Nudges::new(0.1, Nudging::Centred);
    let rule = Box::new(EquilibriumPropagation(nudges));
    let refused = Trainer::new(machine, rule, Box::new(Sgd::default()), data, plan).err().unwrap();
    let words = "the machine has 2 outputs, the data set points of a plane has 3 classes";
    assert!(refused.to_string().contains(words), "{refused}");
}
