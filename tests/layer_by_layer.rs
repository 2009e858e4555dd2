//! Steady states found layer by layer are those of time stepping, and are refused where there are
//! none.

use equilux::experiment::Experiment;
use equilux::learning::{Batch, fidelity};
use nalgebra::DMatrix;

const EXPERIMENT: &str = r#"
    precision = "f64"
    [data]
    set = "digits"
    [network]
    layers = [64, 20, 12, 10]
    [relaxation]
    step = 0.5
    tolerance = 1e-13
    max_steps = 2000
    [learning]
    beta = 0.3
"#;

fn experiment(settings: &[&str]) -> Experiment {
    let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
    Experiment::parse(EXPERIMENT, "test", &settings).unwrap()
}

#[test]
fn every_rule_finds_the_gradient_of_time_stepping() {
    for rule in ["ep", "vector-field", "asym-ep", "dyadic-ep"] {
        for cost in ["squared-error", "cross-entropy"] {
            let (rule, cost) = (format!("learning.rule={rule}"), format!("learning.cost={cost}"));
            let estimate = |method: &str| {
                let experiment = experiment(&[&rule, &cost, method]);
                let mut machine = experiment.machine::<f64>().unwrap();
                // More than one lane of samples.
                let inputs = DMatrix::from_fn(64, 70, |i, j| ((i * 3 + j * 7) as f64).sin());
                let labels: Vec<usize> = (0..70).map(|sample| sample % 10).collect();
                let targets = experiment.learning.objective().class_targets(&labels, 10);
                let batch = Batch {
                    inputs: &inputs,
                    targets: &targets,
                    cost: experiment.learning.cost,
                    update: 0,
                };
                let estimate =
                    experiment.learning.rule(1).estimate(machine.as_mut(), &batch).unwrap();
                (estimate.gradient.whole(), estimate.free, estimate.unsettled)
            };
            let (stepped, solved) = (
                estimate("relaxation.method=time-steps"),
                estimate("relaxation.method=layer-by-layer"),
            );
            assert_eq!((stepped.2, solved.2), (0, 0), "{rule} {cost}");
            assert!((&stepped.1.values - &solved.1.values).abs().max() < 1e-12);
            // Both contrasts carry rounding and tolerance over 2 beta.
            let agreement = fidelity(&solved.0, &stepped.0);
            assert!(
                agreement.relative_error < 1e-11,
                "{rule} {cost}: {}",
                agreement.relative_error
            );
            assert!(solved.1.steps.iter().all(|steps| *steps == 3));
        }
    }
}

#[test]
fn machines_with_loops_curvature_or_noise_are_refused() {
    for (setting, why) in [
        ("network.topology=reciprocal", "used both ways"),
        ("network.topology=independent-feedback", "close a loop"),
        ("network.topology=all-to-all", "spans layers"),
        ("network.dynamics={gradient={leak=1.0}}", "gradient dynamics"),
        ("device.crossbar.read_noise.sd_uS=0.1", "noise or converters"),
    ] {
        let experiment = experiment(&[setting, "relaxation.method=layer-by-layer"]);
        let refused =
            experiment.machine::<f64>().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            refused.contains("relaxation.method") && refused.contains(why),
            "{setting}: {refused}"
        );
    }
}
