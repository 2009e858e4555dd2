//! Noise has a bandwidth: what a continuous machine shows does not depend on the steps in which it
//! is simulated, and n independent reads are worth sqrt(n).

use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice};
use equilux::coupler::{Coupler, Exact};
use equilux::experiment::{Experiment, Session};
use equilux::system::{
    Activation, AnalogNetwork, Coupling, CouplingKind, Dynamics, Instruments, Layer,
    NetworkDescription, Phase, Relaxation, System,
};
use nalgebra::DMatrix;

const OUTPUT_NOISE: f64 = 0.1;
const TIME_CONSTANT_US: f64 = 2.0;
const SAMPLES: usize = 8000;

/// One node drives another through a crossbar whose output is noisy: the values of the second at
/// rest, one a sample.
fn values(bandwidth_hz: f64, step: f64, reads: usize) -> Vec<f64> {
    let device = CrossbarDevice::default().with(|device| {
        device.output_noise.sd = OUTPUT_NOISE;
        device.noise.bandwidth_hz = bandwidth_hz;
    });
    let weight = DMatrix::from_element(1, 1, 0.5);
    let noisy = Crossbar::new(device, weight.clone(), Key::new(1, "test")).unwrap();
    let coupling = |row: usize, coupler: Box<dyn Coupler<f64>>| Coupling {
        name: format!("{row}-{}", row + 1),
        from: row..row + 1,
        to: row + 1..row + 2,
        kind: CouplingKind::OneWay,
        coupler,
    };
    let layer = Layer { nodes: 1, activation: Activation::Identity };
    let mut machine = AnalogNetwork::new(NetworkDescription {
        inputs: 1,
        layers: vec![layer; 2],
        dynamics: Dynamics::Additive,
        couplings: vec![coupling(0, Box::new(Exact::new(weight))), coupling(1, Box::new(noisy))],
        bias: DMatrix::zeros(2, 1),
        train_bias: false,
        relaxation: Relaxation {
            step,
            time_constant_us: TIME_CONSTANT_US,
            max_steps: (12.0 / step) as usize,
            ..Relaxation::default()
        },
        instruments: Instruments { samples: reads, ..Instruments::default() },
        seed: 1,
        chip: 0,
        title: "two nodes".into(),
    })
    .unwrap();
    let inputs = DMatrix::from_element(1, SAMPLES, 1.0);
    let settled = machine.settle(&inputs, &Phase::Free).unwrap();
    assert!(settled.settled.iter().all(|settled| *settled), "step {step}");
    settled.values.row(1).iter().copied().collect()
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// Five standard errors of a deviation, relative.
fn error() -> f64 {
    5.0 / (2.0 * SAMPLES as f64).sqrt()
}

#[test]
fn halving_the_step_does_not_change_the_stationary_variance() {
    // Noise of one-sided density sd^2 / B through a pole of time constant t: S / 4t.
    let bandwidth_hz = 5e6;
    let expected = OUTPUT_NOISE / (4.0 * bandwidth_hz * TIME_CONSTANT_US * 1e-6).sqrt();
    for step in [1.0, 0.5, 0.25, 0.125, 0.0625] {
        let ratio = deviation(&values(bandwidth_hz, step, 1)) / expected;
        assert!((ratio - 1.0).abs() < error(), "step {step}: {ratio}");
    }
    // Steps shorter than the noise's own time share its values: of noise as slow as this, a node
    // shows a bit less than of white noise, in all steps alike.
    let slow: Vec<f64> = [0.25, 0.125, 0.0625].map(|step| deviation(&values(1e6, step, 1))).into();
    assert!((slow[0] / slow[2] - 1.0).abs() < 0.1, "{slow:?}");
    assert!((slow[1] / slow[2] - 1.0).abs() < 0.05, "{slow:?}");
}

#[test]
fn a_clocked_array_has_noise_of_its_own_in_every_read() {
    // x <- (1 - h) x + h sd z.
    for step in [1.0f64, 0.5] {
        let expected = OUTPUT_NOISE * (step / (2.0 - step)).sqrt();
        let ratio = deviation(&values(0.0, step, 1)) / expected;
        assert!((ratio - 1.0).abs() < error(), "step {step}: {ratio}");
    }
}

#[test]
fn reads_that_are_averaged_are_independent() {
    for (bandwidth_hz, step) in [(0.0, 0.2), (0.0, 1.0), (5e6, 0.2)] {
        let [one, many] = [1, 16].map(|reads| deviation(&values(bandwidth_hz, step, reads)));
        let ratio = many / one * 4.0;
        // Two reads in a row keep a correlation of 2 %.
        assert!((ratio - 1.0).abs() < 0.02 + 1.5 * error(), "step {step}: {ratio}");
    }
}

#[test]
fn halving_the_step_does_not_change_what_is_learnt() {
    let accuracy = |step: f64| {
        let text = include_str!("../configs/digits-crossbar.toml");
        let settings = [
            "device.crossbar.read_noise.sd_uS=2".to_owned(),
            "training.epochs=3".into(),
            "data.train_limit=700".into(),
            format!("relaxation.step={step}"),
            format!("relaxation.max_steps={}", (12.0 / step) as usize),
        ];
        let experiment = Experiment::parse(text, "digits-crossbar.toml", &settings).unwrap();
        let mut session = Session::<f32>::new(experiment).unwrap();
        session.trainer.train().unwrap();
        session.trainer.metrics().last().unwrap().test.value()
    };
    let [one, half, quarter] = [1.0, 0.5, 0.25].map(accuracy);
    // 359 test samples of which 93 % are right: four standard errors of a difference.
    let error = 4.0 * (2.0 * 0.93 * 0.07 / 359.0f64).sqrt();
    assert!((one - half).abs() < error && (half - quarter).abs() < error, "{one} {half} {quarter}");
}
