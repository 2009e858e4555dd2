//! A modulator that lags, against the frames of a slow and obviously right simulation.

use std::f64::consts::TAU;

use equilux::arithmetic::Real;
use equilux::arithmetic::random::Key;
use equilux::coupler::spim::{
    FrameWait, Multiplexing, PatternValues, Patterns, ReadoutChoice, Spim, SpimDevice,
};
use equilux::coupler::{Coupler, Port, Read, Streams};
use nalgebra::DMatrix;
use num_complex::Complex;
use rand::RngExt;

const NODES: usize = 21;
const PATTERNS: usize = 32;

/// A machine of K = 32 random patterns, with weights of alternating signs.
fn spim(device: SpimDevice) -> Spim<f64> {
    drawn(device, 7)
}

fn drawn(device: SpimDevice, draw: u64) -> Spim<f64> {
    let mut stream = Key::new(draw, "patterns").stream();
    let patterns = DMatrix::from_fn(NODES, PATTERNS, |_, _| match device.patterns.values {
        PatternValues::Binary => f64::normal(&mut stream).signum(),
        PatternValues::Continuous => 2.0 * stream.random::<f64>() - 1.0,
    });
    let weights = DMatrix::from_fn(PATTERNS, 1, |k, _| if k % 2 == 0 { 1.0 } else { -1.0 });
    Spim::new(device, Patterns::reciprocal(patterns, weights)).unwrap()
}

fn device(rise_ms: f64, fall_ms: f64) -> SpimDevice {
    SpimDevice::default().with(|device| {
        device.patterns.count = PATTERNS;
        device.settling.rise_ms = rise_ms;
        device.settling.fall_ms = fall_ms;
    })
}

fn values(sample: u64) -> DMatrix<f64> {
    let mut stream = Key::new(sample, "values").stream();
    DMatrix::from_fn(NODES, 1, |_, _| 2.0 * stream.random::<f64>() - 1.0)
}

fn forces(spim: &Spim<f64>, values: &DMatrix<f64>) -> Vec<f64> {
    let streams = Streams { key: Key::new(1, "forces"), samples: &[0], step: 0 };
    let mut out = DMatrix::zeros(NODES, 1);
    let read = Read::new(Port::Forward, values.as_view(), 0..NODES, streams);
    spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out.as_slice().to_vec()
}

/// Parameter shift frame by frame: every pixel's phase moves towards what the mask asks for. `only`
/// the shifted node where it is true, as if all others were at rest.
fn slow(spim: &Spim<f64>, device: &SpimDevice, values: &DMatrix<f64>, only: bool) -> Vec<f64> {
    let patterns = spim.shown();
    let seconds = 1.0 / device.frames.rate_hz;
    let left = |tau_ms: f64| if tau_ms > 0.0 { (-seconds / tau_ms * 1e3).exp() } else { 0.0 };
    let (rise, fall) = (left(device.settling.rise_ms), left(device.settling.fall_ms));
    let angles = |k: usize, shifted: Option<(usize, f64)>| -> Vec<[f64; 2]> {
        let value = |node: usize| match shifted {
            Some((at, value)) if at == node => patterns.readers[(node, k)] * value,
            _ => patterns.readers[(node, k)] * values[node],
        };
        (0..NODES).map(|node| value(node).acos()).map(|angle| [angle, TAU - angle]).collect()
    };
    let mut shown = angles(PATTERNS - 1, None);
    let mut forces = vec![0.0; NODES];
    for k in 0..PATTERNS {
        for (node, force) in forces.iter_mut().enumerate() {
            if only {
                shown = angles(k, None);
            }
            let mut frame = |value: f64| {
                let asked = angles(k, Some((node, value)));
                for (shown, asked) in shown.iter_mut().flatten().zip(asked.iter().flatten()) {
                    let left = if asked > shown { rise } else { fall };
                    *shown = asked + (*shown - asked) * left;
                }
                let field: Complex<f64> =
                    shown.iter().flatten().map(|phase| Complex::cis(*phase) * 0.5).sum();
                field.norm_sqr()
            };
            let difference = frame(1.0) - frame(-1.0);
            *force += patterns.weights[k] / PATTERNS as f64 * difference / 4.0;
        }
    }
    forces
}

/// rms of the difference over the rms of `exact`, over 20 samples.
fn error(found: impl Fn(&DMatrix<f64>) -> Vec<f64>, exact: &Spim<f64>) -> f64 {
    let (mut missed, mut all) = (0.0f64, 0.0);
    for sample in 0..20 {
        let values = values(sample);
        for (a, b) in found(&values).iter().zip(forces(exact, &values)) {
            missed += (a - b) * (a - b);
            all += b * b;
        }
    }
    (missed / all).sqrt()
}

#[test]
fn frames_follow_one_another_as_they_are_shown() {
    for values_of in [PatternValues::Binary, PatternValues::Continuous] {
        for (rise, fall) in [(8.0, 8.0), (4.0, 12.0)] {
            let device = device(rise, fall).with(|device| device.patterns.values = values_of);
            let spim = spim(device.clone());
            let values = values(3);
            for (a, b) in forces(&spim, &values).iter().zip(slow(&spim, &device, &values, false)) {
                assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
    }
}

/// At 60 frames a second and a time constant of 8 ms: a simulation written in another language apart
/// from this program, over ten draws of patterns, has an error of 0.0947 (from 0.080 to 0.105) where
/// all macro-pixels lag, and of 0.0451 where only the shifted one does.
#[test]
fn the_whole_mask_lags_from_pattern_to_pattern() {
    let (mut all, mut alone) = (0.0, 0.0);
    for draw in 0..10 {
        let (lagging, still) = (drawn(device(8.0, 8.0), draw), drawn(device(0.0, 0.0), draw));
        all += error(|values| forces(&lagging, values), &still).powi(2);
        let only = |values: &DMatrix<f64>| slow(&lagging, &device(8.0, 8.0), values, true);
        alone += error(only, &still).powi(2);
    }
    let (all, alone) = ((all / 10.0f64).sqrt(), (alone / 10.0f64).sqrt());
    // Both scatter by 8 % from draw to draw.
    assert!((all / 0.0947 - 1.0).abs() < 0.1, "{all}");
    assert!((alone / 0.0451 - 1.0).abs() < 0.1, "{alone}");
}

#[test]
fn waits_are_charged_where_they_stand_and_help_there() {
    let mut errors = Vec::new();
    let exact = spim(device(0.0, 0.0));
    for (wait, waits) in [
        (FrameWait::Force, 1),
        (FrameWait::Pattern, PATTERNS),
        (FrameWait::Frame, 2 * NODES * PATTERNS),
    ] {
        let waiting = device(8.0, 8.0).with(|device| {
            device.frames.settling_ms = 150.0;
            device.frames.wait_before = wait;
        });
        let spim = spim(waiting);
        let expense = spim.read_expense(Port::Forward, NODES, equilux::coupler::Span::default());
        let frames = 2.0 * (NODES * PATTERNS) as f64;
        assert!((expense.seconds - frames / 60.0 - 0.15 * waits as f64).abs() < 1e-9);
        errors.push(error(|values| forces(&spim, values), &exact));
    }
    assert!(errors[1] < 0.95 * errors[0] && errors[2] < 1e-6, "{errors:?}");
}

/// Every readout agrees with the machine that does not lag, once its modulator is fast; patterns
/// that share a frame do not follow one another.
#[test]
fn every_readout_lags_less_the_faster_its_modulator() {
    for readout in ReadoutChoice::all().into_iter().filter(|readout| readout.name() != "spsa") {
        for multiplexing in [Multiplexing::Time, Multiplexing::Wavelength] {
            let device = |ms| {
                device(ms, ms).with(|device| {
                    device.readout = readout.clone();
                    device.frames.multiplexing = multiplexing;
                })
            };
            let exact = spim(device(0.0));
            let [slow, fast] = [8.0, 0.5].map(|ms| {
                let lagging = spim(device(ms));
                error(|values| forces(&lagging, values), &exact)
            });
            assert!(slow > 1e-3 && fast < 1e-12, "{readout:?} {multiplexing:?}: {slow} {fast}");
        }
    }
}
