//! How much of the gradient survives as couplings become non-reciprocal: plain EP's phases against
//! AsymEP by port reversal.
//!
//! `cargo run --release --example port_reversal`

use equilux::Result;
use equilux::arithmetic::Real;
use equilux::arithmetic::random::Key;
use equilux::coupler::Exact;
use equilux::learning::{
    Adjoint, AsymEp, Batch, CorrectionMethod, Nudges, Nudging, Rule, VectorField, fidelity,
};
use equilux::system::{
    Activation, AnalogNetwork, Cost, Coupling, CouplingKind, Dynamics, Instruments, Layer,
    NetworkDescription, Relaxation,
};
use nalgebra::DMatrix;

const NODES: usize = 12;
const OUTPUTS: usize = 3;

/// A machine of tanh nodes whose couplings are S + share A, S symmetric and A antisymmetric, of
/// equal size.
fn machine(share: f64) -> Result<AnalogNetwork<f64>> {
    let mut stream = Key::new(1, "weights").stream();
    let mut random = |rows, columns| {
        DMatrix::from_fn(rows, columns, |_, _| f64::normal(&mut stream) / (NODES as f64).sqrt())
    };
    let (s, a, drive) = (random(NODES, NODES), random(NODES, NODES), random(NODES, 2));
    let weights = (&s + s.transpose()) * 0.25 + (&a - a.transpose()) * (0.25 * share);
    let array = |name: &str, from, weights| Coupling {
        name: name.into(),
        from,
        to: 2..2 + NODES,
        kind: CouplingKind::OneWay,
        coupler: Box::new(Exact::new(weights)),
    };
    let layer = |nodes| Layer { nodes, activation: Activation::Tanh };
    AnalogNetwork::new(NetworkDescription {
        inputs: 2,
        layers: vec![layer(NODES - OUTPUTS), layer(OUTPUTS)],
        dynamics: Dynamics::Additive,
        couplings: vec![array("nodes", 2..2 + NODES, weights), array("inputs", 0..2, drive * 3.0)],
        bias: DMatrix::zeros(NODES, 1),
        train_bias: false,
        relaxation: Relaxation {
            step: 0.2,
            tolerance: 1e-13,
            max_steps: 10_000,
            ..Relaxation::default()
        },
        instruments: Instruments::default(),
        seed: 1,
        chip: 0,
        title: "twelve nodes".into(),
    })
}

fn main() -> Result<()> {
    let inputs = DMatrix::from_fn(2, 50, |i, sample| (0.3 * sample as f64 + i as f64).sin());
    let targets = DMatrix::from_fn(OUTPUTS, 50, |i, sample| {
        0.8 * (0.3 * sample as f64 + 2.0 * i as f64).cos()
    });
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let nudges = Nudges::new(0.01, Nudging::Centred);
    println!("non-reciprocity   cosine with the exact gradient");
    println!("|A| / |S|         vector field      AsymEP");
    for share in [0.0, 0.25, 0.5, 1.0, 2.0, 4.0] {
        let mut machine = machine(share)?;
        let asym = AsymEp { nudges, correction: CorrectionMethod::PortReversal };
        let exact = Adjoint::default().gradient(&mut machine, &batch)?;
        let plain = VectorField(nudges).gradient(&mut machine, &batch)?;
        let asym = asym.gradient(&mut machine, &batch)?;
        println!(
            "{share:9.2}         {:12.6}  {:10.6}",
            fidelity(&plain, &exact).cosine,
            fidelity(&asym, &exact).cosine
        );
    }
    Ok(())
}
