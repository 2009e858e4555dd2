//! Every rule against independent reference values: six small machines from reciprocal to
//! feedforward, additive and gradient nodes. The values were made by a numpy program; its equations
//! stand in `convention` of the file.

use std::path::Path;

use equilux::experiment::Case;
use equilux::learning::{
    Adjoint, AsymEp, Batch, CorrectionMethod, DyadicEp, EquilibriumPropagation, Nudges, Nudging,
    Rule, VectorField,
};
use equilux::system::{Cost, Gradient, Measurement, Phase, System};
use nalgebra::DMatrix;
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/gradients.json");

fn cases() -> Vec<(Case, Value)> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let expected = json["cases"].as_array().unwrap().clone();
    Case::read(Path::new(FILE)).unwrap().into_iter().zip(expected).collect()
}

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn vector(value: &Value) -> DMatrix<f64> {
    let values: Vec<f64> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_column_slice(values.len(), 1, &values)
}

/// The gradients of W, U and b by `rule`, and the free measurement.
fn gradient(case: &Case, rule: &dyn Rule<f64>) -> (Gradient<f64>, Measurement<f64>) {
    let mut machine = case.machine(0.2).unwrap();
    let (inputs, targets) = (case.inputs(), case.targets());
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let estimate = rule.estimate(&mut machine, &batch).unwrap();
    assert_eq!(estimate.unsettled, 0, "{}", case.name);
    (estimate.gradient.whole(), estimate.free)
}

fn centred(beta: f64) -> Nudges {
    Nudges::new(beta, Nudging::Centred)
}

fn asym(beta: f64, nudging: Nudging) -> AsymEp {
    AsymEp { nudges: Nudges::new(beta, nudging), correction: CorrectionMethod::PortReversal }
}

fn relative(found: &DMatrix<f64>, expected: &DMatrix<f64>) -> f64 {
    (found - expected).norm() / expected.norm()
}

/// The gradient of tied pairs W_ij = W_ji; diagonal entries count once.
fn tied(gradient: &DMatrix<f64>) -> DMatrix<f64> {
    let mut tied = gradient + gradient.transpose();
    (0..tied.nrows()).for_each(|i| tied[(i, i)] *= 0.5);
    tied
}

#[test]
fn steady_states_and_exact_gradients() {
    for (case, expected) in cases() {
        let (exact, free) = gradient(&case, &Adjoint::default());
        let state = expected.get("v0").unwrap_or(&expected["s0"]);
        assert!((&free.values - vector(state)).abs().max() < 1e-10, "{}: steady state", case.name);
        let outputs = free.values.rows(case.b.len() - case.target.len(), case.target.len());
        let cost = Cost::SquaredError.value(outputs.into_owned().as_slice(), &case.target);
        assert!((cost - expected["cost"].as_f64().unwrap()).abs() < 1e-10, "{}: cost", case.name);
        assert!(relative(&exact[0], &matrix(&expected["exact"]["dW"])) < 1e-9, "{}: dW", case.name);
        if expected["exact"].get("dU").is_some() {
            assert!(
                relative(&exact[1], &matrix(&expected["exact"]["dU"])) < 1e-9,
                "{}: dU",
                case.name
            );
            assert!(
                relative(&exact[2], &vector(&expected["exact"]["db"])) < 1e-9,
                "{}: db",
                case.name
            );
        }
    }
}

#[test]
fn every_rule_at_every_nudge() {
    let mut compared = 0;
    for (case, expected) in cases() {
        for row in expected["rules"].as_array().unwrap() {
            let beta = row["beta"].as_f64().unwrap();
            let (found, reference) = match row["rule"].as_str().unwrap() {
                "vector-field" => {
                    (gradient(&case, &VectorField(centred(beta))).0[0].clone(), &row["dW"])
                }
                "asym-ep" => {
                    (gradient(&case, &asym(beta, Nudging::Centred)).0[0].clone(), &row["dW"])
                }
                "ep" => (
                    tied(&gradient(&case, &EquilibriumPropagation(centred(beta))).0[0]),
                    &row["dW_tied"],
                ),
                other => panic!("a rule without a test: {other}"),
            };
            let error = relative(&found, &matrix(reference));
            assert!(error < 1e-7, "{} {} beta {beta}: {error:e}", case.name, row["rule"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 2 * 3 + 3, "rows of the reference file");
}

#[test]
fn the_digital_model_of_exact_arrays_is_port_reversal() {
    for (case, _) in cases() {
        let digital =
            AsymEp { correction: CorrectionMethod::DigitalModel, ..asym(0.1, Nudging::Centred) };
        let (digital, ports) =
            (gradient(&case, &digital).0, gradient(&case, &asym(0.1, Nudging::Centred)).0);
        // For gradient nodes both are exact as beta -> 0 and the phases are the same machine at any
        // beta.
        assert!(
            relative(&digital[0], &ports[0]) < 1e-9,
            "{}: {:e}",
            case.name,
            relative(&digital[0], &ports[0])
        );
    }
}

#[test]
fn asym_ep_is_the_vector_field_where_couplings_are_reciprocal() {
    for (case, _) in cases().into_iter().filter(|(case, _)| case.is_reciprocal()) {
        let (asym, plain) = (
            gradient(&case, &asym(0.1, Nudging::Centred)).0,
            gradient(&case, &VectorField(centred(0.1))).0,
        );
        assert!(relative(&asym[0], &plain[0]) < 1e-11, "{}", case.name);
    }
}

#[test]
fn dyadic_ep_is_exact_at_any_nudge() {
    for (case, _) in cases() {
        let exact = gradient(&case, &Adjoint::default()).0;
        for beta in [0.1, 1.0] {
            let dyadic = gradient(&case, &DyadicEp { beta }).0;
            for (dyadic, exact) in dyadic.iter().zip(&exact) {
                assert!(
                    relative(dyadic, exact) < 1e-8,
                    "{} beta {beta}: {:e}",
                    case.name,
                    relative(dyadic, exact)
                );
            }
        }
    }
}

/// Whether the error of AsymEP falls with the power `power` of the nudge: the slope of its
/// logarithm is that, up to the next term of the error, which is `next` powers of the nudge smaller
/// where a nudge is large against half a node's range.
#[track_caller]
fn falls_with(case: &Case, nudging: Nudging, beta: f64, power: i32, next: i32) {
    let exact = gradient(case, &Adjoint::default()).0;
    let error = |beta| relative(&gradient(case, &asym(beta, nudging)).0[0], &exact[0]);
    let slope = (error(beta) / error(beta / 2.0)).log2();
    let beyond = (slope - f64::from(power)).abs();
    assert!(beyond < (2.0 * beta.abs()).powi(next), "{} {nudging:?}: {slope}", case.name);
}

#[test]
fn the_error_of_asym_ep_falls_with_the_nudge() {
    for (case, _) in cases() {
        for sign in [1.0, -1.0] {
            falls_with(&case, Nudging::OneSided, sign * 0.004, 1, 1);
        }
        falls_with(&case, Nudging::Centred, 0.04, 2, 2);
        falls_with(&case, Nudging::FourPoint, 0.2, 4, 2);
    }
}

/// ds/dt = J s + theta with J = [[-2, 1], [0, -1]] and C = 1/2 |s - y|^2 + 0.1 |theta|^2:
/// everything is known in closed form.
#[test]
fn the_linear_machine() {
    let theta = [0.3, -0.2];
    let case: Case = serde_json::from_value(serde_json::json!({
        "W": [[-1.0, 1.0], [0.0, 0.0]], "U": [[0.0], [0.0]], "b": theta, "x": [0.0], "target": [-0.4, 0.7], "activation": "identity"
    }))
    .unwrap();
    let with_decay =
        |gradient: &DMatrix<f64>| [gradient[0] + 0.2 * theta[0], gradient[1] + 0.2 * theta[1]];
    let close = |found: [f64; 2], expected: [f64; 2]| {
        found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-10)
    };
    let mut machine = case.machine(0.2).unwrap();
    let free = machine.settle(&case.inputs(), &Phase::Free).unwrap();
    assert!(close([free.values[0], free.values[1]], [0.05, -0.2]), "{}", free.values);
    for rule in [
        &Adjoint::default() as &dyn Rule<f64>,
        &DyadicEp { beta: 0.7 },
        &asym(1e-3, Nudging::Centred),
    ] {
        let found = with_decay(&gradient(&case, rule).0[2]);
        // The nudge itself adds beta to the linear machine's J: the error of a centred nudge is of
        // order beta^2 = 1e-6.
        let tolerance = if rule.name() == "asym-ep" { 1e-5 } else { 1e-10 };
        assert!(
            (found[0] - 0.285).abs() < tolerance && (found[1] + 0.715).abs() < tolerance,
            "{}: {found:?}",
            rule.name()
        );
    }
    let uncorrected = with_decay(&gradient(&case, &VectorField(centred(1e-4))).0[2]);
    assert!(
        (uncorrected[0] + 0.165).abs() < 1e-6 && (uncorrected[1] + 0.94).abs() < 1e-6,
        "{uncorrected:?}"
    );
}
