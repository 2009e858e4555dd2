//! Every way of coupling nodes, every ideal device, both dynamics and both precisions: the gradient
//! of the machine itself.

use equilux::arithmetic::Real;
use equilux::experiment::Experiment;
use equilux::learning::{Batch, Fidelity, RuleChoice, fidelity};
use equilux::system::Cost;
use nalgebra::DMatrix;

const MACHINE: &str = r#"
    precision = "f64"
    [network]
    layers = [5, 4, 3, 2]
    initial_gain = 0.7
    [relaxation]
    step = 0.3
    tolerance = 1e-13
    max_steps = 5000
    [learning]
    beta = 0.001
"#;

/// How close `rule` comes to the adjoint on the machine of `settings`, over every parameter.
fn judge<T: Real>(rule: &str, settings: &[&str]) -> Fidelity {
    let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
    let experiment = Experiment::parse(MACHINE, "test", &settings).unwrap();
    let mut machine = experiment.machine::<T>().unwrap();
    // Biases start at zero; give every parameter that is a real number a value of its own.
    let mut values: Vec<DMatrix<T>> = machine
        .parameters()
        .into_iter()
        .map(|p| {
            if p.name == "bias" {
                p.values.map_with_location(|i, _, _| T::of(0.1 * i as f64 - 0.3))
            } else {
                p.values
            }
        })
        .collect();
    machine.program(&mut values).unwrap();
    let inputs = DMatrix::from_fn(5, 7, |i, j| T::of((1.3 * i as f64 + 0.7 * j as f64).sin()));
    let targets = DMatrix::from_fn(2, 7, |i, j| T::of(0.8 * (i as f64 - 0.9 * j as f64).cos()));
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let mut gradient = |rule: &str| {
        let learning = experiment.learning.with_rule(RuleChoice::named(rule).unwrap());
        let estimate = learning.rule::<T>(1).estimate(machine.as_mut(), &batch).unwrap();
        assert_eq!(estimate.unsettled, 0, "{settings:?}");
        estimate.gradient.whole()
    };
    let exact = gradient("adjoint");
    fidelity(&gradient(rule), &exact)
}

const TOPOLOGIES: [&str; 4] = ["one-way", "reciprocal", "independent-feedback", "all-to-all"];
const DYNAMICS: [&[&str]; 2] =
    [&[], &["network.dynamics.gradient.leak=2", "network.activation=sine"]];
const DEVICES: [&str; 2] = ["device=exact", "device.crossbar.cells.weight_max=9"];

/// Every machine of layers and arrays, and every readout of a spatial photonic Ising machine.
fn machines() -> Vec<Vec<String>> {
    let mut machines = Vec::new();
    for dynamics in DYNAMICS {
        let with = |settings: &[String]| {
            settings
                .iter()
                .cloned()
                .chain(dynamics.iter().map(|s| s.to_string()))
                .collect::<Vec<_>>()
        };
        for topology in TOPOLOGIES {
            machines.extend(
                DEVICES
                    .map(|device| with(&[format!("network.topology={topology}"), device.into()])),
            );
        }
        for readout in ["parameter-shift", "unscaled-shift", "homodyne"] {
            for self_coupling in ["removed", "kept", "measured"] {
                machines.push(with(&[
                    "network.topology=all-to-all".into(),
                    "device.spim.patterns.values=continuous".into(),
                    "device.spim.patterns.train_weights=true".into(),
                    format!("device.spim.readout={readout}"),
                    format!("device.spim.patterns.self_coupling={self_coupling}"),
                ]));
            }
        }
    }
    machines
}

#[test]
fn asym_ep_and_dyadic_ep_are_exact_on_every_machine() {
    for machine in machines() {
        let settings: Vec<&str> = machine.iter().map(String::as_str).collect();
        // A centred nudge of 1e-3 has a bias of order 1e-6.
        let asym = judge::<f64>("asym-ep", &settings).relative_error;
        assert!(asym < 1e-5, "{machine:?}: {asym:e}");
        let four_point =
            judge::<f64>("asym-ep", &[&settings[..], &["learning.nudging=four-point"]].concat())
                .relative_error;
        assert!(four_point < 1e-7, "{machine:?}: {four_point:e}");
        let dyadic = judge::<f64>("dyadic-ep", &settings).relative_error;
        assert!(dyadic < 1e-9, "{machine:?}: {dyadic:e}");
    }
}

#[test]
fn ep_is_exact_on_reciprocal_machines_only() {
    for dynamics in DYNAMICS {
        let error =
            |topology| judge::<f64>("ep", &[&[topology][..], dynamics].concat()).relative_error;
        assert!(error("network.topology=reciprocal") < 1e-5);
        let four_point = ["network.topology=reciprocal", "learning.nudging=four-point"];
        assert!(judge::<f64>("ep", &[&four_point, dynamics].concat()).relative_error < 1e-7);
        // Without feedback the nudge stays at the outputs: the estimate is the gradient of their
        // arrays and nothing else of it, so that its error is what it lacks.
        let one_way = [&["network.topology=one-way"][..], dynamics].concat();
        let Fidelity { cosine, relative_error } = judge::<f64>("ep", &one_way);
        assert!((cosine.hypot(relative_error) - 1.0).abs() < 1e-5 && relative_error > 1e-2);
    }
}

#[test]
fn single_precision_agrees_within_its_rounding() {
    for topology in TOPOLOGIES {
        let settings = [
            &format!("network.topology={topology}"),
            "relaxation.tolerance=2e-6",
            "learning.beta=0.1",
            "precision=f32",
        ];
        let single = judge::<f32>("asym-ep", &settings).relative_error;
        let double = judge::<f64>("asym-ep", &settings[..3]).relative_error;
        // Samples are at rest when a step of 0.3 moves them by 2e-6: readings err by the ratio of
        // both, differences of them by as much over beta; signals are a tenth of a node's range.
        let rounding = 2e-6 / 0.3 / 0.1 / 0.1;
        assert!((single - double).abs() < rounding, "{topology}: {single:e} against {double:e}");
    }
}

#[test]
fn masks_with_readers_and_writers_are_exact_to_the_bias_of_the_nudge() {
    let mut machines = Vec::new();
    for dynamics in DYNAMICS {
        for readout in ["homodyne", "cross-term"] {
            for layout in [
                &["network.topology=all-to-all", "device.spim.patterns.non_reciprocal=true"][..],
                &["network.topology=one-way"],
                &["network.topology=reciprocal"],
            ] {
                let readout = format!("device.spim.readout={readout}");
                let common = [
                    "device.spim.patterns.values=continuous",
                    "device.spim.patterns.train_weights=true",
                    "device.spim.patterns.count=6",
                ];
                let settings = [layout, &common, dynamics, &[&readout]].concat();
                machines.push(settings.iter().map(|s| s.to_string()).collect::<Vec<_>>());
            }
        }
    }
    for machine in machines {
        let settings: Vec<&str> = machine.iter().map(String::as_str).collect();
        let asym = judge::<f64>("asym-ep", &settings).relative_error;
        assert!(asym < 1e-5, "{machine:?}: {asym:e}");
        let four_point =
            judge::<f64>("asym-ep", &[&settings[..], &["learning.nudging=four-point"]].concat())
                .relative_error;
        assert!(four_point < 1e-7, "{machine:?}: {four_point:e}");
        // Dyadic EP has no bias: at beta = 1e-3 what is left is rounding and the tolerance over
        // beta.
        let dyadic = judge::<f64>("dyadic-ep", &settings).relative_error;
        assert!(dyadic < 1e-7, "{machine:?}: {dyadic:e}");
        // The bias of a centred nudge falls with its square. What is left is what settling to 1e-13
        // by steps of 0.3 leaves in differences of readings over beta, 1e-9.
        let smaller = judge::<f64>("asym-ep", &[&settings[..], &["learning.beta=3e-4"]].concat())
            .relative_error;
        assert!(
            (smaller - 0.3_f64.powi(2) * asym).abs() < 2e-9,
            "{machine:?}: {asym:e} {smaller:e}"
        );
    }
}
