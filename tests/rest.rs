//! Settled means at rest, and stable: resting points that a machine would leave, cycles under noise,
//! and nudges that push a machine into another basin.

use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice};
use equilux::coupler::{Coupler, Exact};
use equilux::experiment::{Experiment, Session};
use equilux::learning::{Batch, Nudges, Nudging, Rule, VectorField};
use equilux::system::{
    Activation, AnalogNetwork, Cost, Coupling, CouplingKind, Dynamics, Instruments, Layer,
    NetworkDescription, Phase, Relaxation, System,
};
use nalgebra::DMatrix;

/// A layer coupled to itself by `weights`, each node driven by an input of its own.
fn machine(weights: DMatrix<f64>, noise: f64, relaxation: Relaxation) -> AnalogNetwork<f64> {
    let nodes = weights.nrows();
    let device = CrossbarDevice::default().with(|device| {
        device.output_noise.sd = noise;
        device.cells.weight_max = 5.0;
    });
    let coupling = |name: &str, from: usize, coupler: Box<dyn Coupler<f64>>| Coupling {
        name: name.into(),
        from: from..from + nodes,
        to: nodes..2 * nodes,
        kind: CouplingKind::OneWay,
        coupler,
    };
    let recurrent = Crossbar::new(device, weights, Key::new(1, "test")).unwrap();
    AnalogNetwork::new(NetworkDescription {
        inputs: nodes,
        layers: vec![Layer { nodes, activation: Activation::Tanh }],
        dynamics: Dynamics::Additive,
        couplings: vec![
            coupling("drive", 0, Box::new(Exact::new(DMatrix::identity(nodes, nodes)))),
            coupling("recurrent", nodes, Box::new(recurrent)),
        ],
        bias: DMatrix::zeros(nodes, 1),
        train_bias: false,
        relaxation,
        instruments: Instruments::default(),
        seed: 1,
        chip: 0,
        title: "a layer coupled to itself".into(),
    })
    .unwrap()
}

/// Two nodes that excite each other: 0 is an unstable resting point, and on either side is a stable
/// one.
fn bistable() -> DMatrix<f64> {
    DMatrix::from_row_slice(2, 2, &[0.0, 2.0, 2.0, 0.0])
}

fn relaxation(tolerance: f64, max_steps: usize) -> Relaxation {
    Relaxation { step: 0.5, tolerance, max_steps, ..Relaxation::default() }
}

#[test]
fn an_unstable_resting_point_is_not_a_steady_state() {
    // v = tanh 2v at the stable ones.
    let stable = 0.957_504;
    for drive in [5e-4, 1e-6, 0.0] {
        let mut machine = machine(bistable(), 0.0, relaxation(1e-3, 200));
        let inputs = DMatrix::from_element(2, 1, drive);
        let free = machine.settle(&inputs, &Phase::Free).unwrap();
        assert!(free.settled[0], "drive {drive}");
        for value in free.values.iter() {
            assert!((value.abs() - stable).abs() < 2e-3, "drive {drive}: {}", free.values);
        }
    }
    // Where there is no time to leave, the sample has not settled.
    let mut hasty = machine(bistable(), 0.0, relaxation(1e-3, 6));
    let free = hasty.settle(&DMatrix::from_element(2, 1, 5e-4), &Phase::Free).unwrap();
    assert!(!free.settled[0], "{}", free.values);
}

#[test]
fn a_stable_steady_state_is_what_it_is_without_the_second_look() {
    // A triangular loop that is none: the same weights, once with a coupling too weak to matter.
    let weights = |loops: f64| {
        DMatrix::from_row_slice(3, 3, &[0.0, 0.0, loops, 0.7, 0.0, 0.0, -0.4, 0.9, 0.0])
    };
    let inputs = DMatrix::from_row_slice(3, 2, &[0.3, -0.2, 0.1, 0.5, -0.6, 0.4]);
    let settle = |loops| {
        let mut machine = machine(weights(loops), 0.0, relaxation(1e-9, 400));
        machine.settle(&inputs, &Phase::Free).unwrap()
    };
    let found = settle(0.3);
    assert!(found.settled.iter().all(|settled| *settled));
    for sample in 0..2 {
        let v = found.values.column(sample).into_owned();
        let force = weights(0.3) * &v + inputs.column(sample) - v.map(f64::atanh);
        assert!(force.amax() < 1e-9, "{}", force.amax());
    }
}

#[test]
fn a_cycle_is_no_steady_state_however_loud_the_noise() {
    // Two nodes that turn: dv/dt has the eigenvalues 1 +- 2i at 0.
    let turning = DMatrix::from_row_slice(2, 2, &[2.0, -2.0, 2.0, 2.0]);
    let samples = 64;
    for noise in [0.0, 0.01, 0.1, 0.5, 2.0] {
        let relaxation = Relaxation { step: 0.1, ..relaxation(1e-3, 400) };
        let inputs = DMatrix::from_element(2, samples, 0.1);
        let settled = |weights: DMatrix<f64>| {
            let mut machine = machine(weights, noise, relaxation.clone());
            let free = machine.settle(&inputs, &Phase::Free).unwrap();
            free.settled.iter().filter(|settled| **settled).count()
        };
        assert!(settled(turning.clone()) <= samples / 50, "noise {noise}");
        // The same noise on a machine at rest.
        // The loudest throws nodes from one end of their range to the other.
        let quiet = if noise < 1.0 { samples } else { samples * 9 / 10 };
        assert!(settled(&turning * 0.2) >= quiet, "noise {noise}");
    }
}

#[test]
fn a_nudge_into_another_basin_is_found_by_releasing_it() {
    let inputs = DMatrix::from_row_slice(2, 3, &[0.05, -0.05, 0.05, 0.05, -0.05, 0.05]);
    // The first sample is to go to the other side; the others stay on theirs.
    let targets = DMatrix::from_row_slice(2, 3, &[-0.9, -0.9, 0.9, -0.9, -0.9, 0.9]);
    let estimate = |beta: f64, release_every: u64| {
        let mut machine = machine(bistable(), 0.0, relaxation(1e-6, 2000));
        let nudging = Nudging::OneSided;
        let rule = VectorField(Nudges { beta, nudging, release_every });
        let cost = Cost::SquaredError;
        let batch = Batch { inputs: &inputs, targets: &targets, cost, update: 0 };
        let estimate = rule.estimate(&mut machine, &batch).unwrap();
        (estimate.left, estimate.unsettled, estimate.gradient.whole().swap_remove(1))
    };
    let (left, unsettled, gradient) = estimate(1.0, 1);
    assert_eq!((left, unsettled), (1, 1));
    assert_eq!(estimate(1.0, 0).1, 0, "nobody looked");
    // What is left is the gradient of the other two.
    assert!(gradient.amax() < 0.2, "{gradient}");
    assert!(estimate(1.0, 0).2.amax() > 0.3, "with the one that left");
    let (left, unsettled, _) = estimate(0.01, 1);
    assert_eq!((left, unsettled), (0, 0), "a small nudge");
}

#[test]
fn a_phase_of_so_many_steps_is_read_where_it_is_and_counted_as_truncated() {
    // Uncoupled nodes: u = I (1 - (1 - h)^n) after n steps of h.
    let truncated = Relaxation {
        step: 0.05,
        free_steps: 10,
        nudged_steps: 5,
        tolerance: 1e-9,
        ..Relaxation::default()
    };
    let mut alone = machine(DMatrix::zeros(2, 2), 0.0, truncated.clone());
    let inputs = DMatrix::from_row_slice(2, 3, &[0.4, -0.7, 0.0, 0.1, 0.9, 0.0]);
    let free = alone.settle(&inputs, &Phase::Free).unwrap();
    let left = 0.95f64.powi(10);
    let expected = inputs.map(|current| (current * (1.0 - left)).tanh());
    assert!((&free.values - expected).amax() < 1e-14, "{}", free.values);
    // The last sample has nothing to do: it has settled.
    assert_eq!((&free.settled[..], free.truncated), (&[false, false, true][..], true));
    assert_eq!(free.used(), [true; 3]);
    assert_eq!(free.steps[..2], [10, 10]);

    // A pair under noise: nothing is watched, every sample takes part, and is counted.
    let targets = DMatrix::from_element(2, 3, 0.5);
    let cost = Cost::SquaredError;
    let batch = Batch { inputs: &inputs, targets: &targets, cost, update: 0 };
    let rule = VectorField(Nudges::new(0.9, Nudging::Centred));
    let mut pair = machine(bistable(), 0.01, truncated.clone());
    let estimate = rule.estimate(&mut pair, &batch).unwrap();
    assert_eq!((estimate.unsettled, estimate.truncated), (0, 3));

    // The yardstick is the steady state, whatever the phases are.
    let waiting = Relaxation { free_steps: 0, nudged_steps: 0, ..truncated };
    let exact = |relaxation: Relaxation| {
        let machine = machine(bistable() * 0.2, 0.0, relaxation);
        machine.adjoint(&inputs, cost, &targets).unwrap().unwrap().1
    };
    assert_eq!(exact(waiting.clone()), exact(Relaxation { free_steps: 10, ..waiting }));
}

#[test]
fn a_nudge_lost_in_tolerance_or_noise_is_told_before_the_first_update() {
    let doubt = |settings: &[&str]| {
        let text = "data.set = 'wine'\nnetwork.layers = [13, 8, 3]\ndevice.crossbar = {}\n\
                    relaxation.tolerance = 1e-3\n";
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        let experiment = Experiment::parse(text, "test", &settings).unwrap();
        let mut session = Session::<f64>::new(experiment).unwrap();
        let before = session.trainer.system().state();
        let doubt = session.trainer.doubts().unwrap().unwrap_or_default();
        assert_eq!(session.trainer.system().state(), before);
        doubt
    };
    assert_eq!(doubt(&["learning.beta=0.1"]), "");
    assert!(doubt(&["learning.beta=1e-3"]).contains("lost in relaxation.tolerance"));
    assert_eq!(doubt(&["learning.beta=1e-3", "relaxation.tolerance=1e-6"]), "");
    let noisy = ["learning.beta=0.01", "device.crossbar.read_noise.sd_uS=20"];
    assert!(doubt(&noisy).contains("mostly noise"), "{}", doubt(&noisy));
    assert_eq!(doubt(&["learning.rule=adjoint", "learning.beta=1e-6"]), "");
}
