//! The cells of a crossbar and what stands between them and a number: moments of every preset,
//! mappings, stuck cells, converters, amplifiers, and what cells that are not linear do to
//! learning.

use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice, Mapping, Wires, program_once};
use equilux::coupler::quantiser::Quantiser;
use equilux::coupler::{Coupler, Port, Read, Streams};
use equilux::experiment::{Device, Experiment};
use equilux::learning::{Batch, RuleChoice, fidelity};
use equilux::system::{Cost, Phase};
use nalgebra::DMatrix;

/// The device of the table `text`.
fn device(text: &str) -> CrossbarDevice {
    toml::from_str(text).unwrap()
}

/// The device of a datasheet with some settings.
fn preset(sheet: &str, settings: &[&str]) -> CrossbarDevice {
    let mut all = vec![format!("device.crossbar.sheet={sheet}")];
    all.extend(settings.iter().map(|setting| format!("device.crossbar.{setting}")));
    match Experiment::parse("[network]\nlayers = [2, 2]", "test", &all).unwrap().device {
        Device::Crossbar(device) => *device,
        other => panic!("{other:?} is no crossbar"),
    }
}

const DRAWS: usize = 1_000_000;

fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> [f64; 2] {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    [mean, (values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt()]
}

fn within_one_percent(found: f64, expected: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < 0.01, "{what}: {found}, expected {expected}");
}

#[test]
fn programming_errors_are_those_of_the_formulas() {
    // As the sources write them: Nandakumar with x = g / 25 uS, the others with g in uS. Far enough
    // from the range's ends to be unclipped.
    let nandakumar = |g: f64| 0.26348 + 1.9650 * (g / 25.0) - 1.1731 * (g / 25.0).powi(2);
    let joshi = |g: f64| -0.00178767 * g * g + 0.07585724 * g + 0.28638599;
    let wan = |g: f64| 1.536e-4 * g.powi(3) - 1.167e-2 * g * g + 2.374e-1 * g + 1.053;
    let milo = |g: f64| -0.009107 * g + 4.782321;
    type Deviation<'a> = &'a dyn Fn(f64) -> f64;
    let presets: [(&str, Deviation, [f64; 2]); 4] = [
        ("pcm-nandakumar", &nandakumar, [8.0, 18.0]),
        ("pcm-joshi", &joshi, [6.0, 18.0]),
        ("rram-wan", &wan, [16.0, 24.0]),
        ("rram-milo", &milo, [80.0, 190.0]),
    ];
    for (sheet, deviation, targets) in presets {
        let device = preset(sheet, &[]);
        for g in targets {
            let cells = program_once(
                &device,
                &DMatrix::from_element(1000, DRAWS / 1000, g),
                Key::new(1, sheet),
            );
            let [mean, found] = mean_and_deviation(cells.iter().copied());
            within_one_percent(mean, g, sheet);
            within_one_percent(found, deviation(g), sheet);
        }
    }
}

#[test]
fn drift_coefficients_are_those_of_the_formula() {
    let perfect = ["programming.error_uS=0", "programming.error_terms=[]", "age.at=\"1 h\""];
    let device = preset("pcm-nandakumar", &perfect);
    for x in [0.2f64, 0.5, 1.0] {
        let cells = program_once(
            &device,
            &DMatrix::from_element(1000, DRAWS / 1000, 25.0 * x),
            Key::new(1, "drift"),
        );
        let [mean, deviation] = mean_and_deviation(
            cells.iter().map(|g| -(g / (25.0 * x)).ln() / (3600.0f64 / 20.0).ln()),
        );
        within_one_percent(mean, (-0.0155 * x.ln() + 0.0244).clamp(0.049, 0.1), "mean of nu");
        within_one_percent(
            deviation,
            (-0.0125 * x.ln() - 0.0059).clamp(0.008, 0.045),
            "deviation of nu",
        );
    }
}

/// The currents of the outputs for the columns of `values`.
fn currents(coupler: &Crossbar<f64>, port: Port, values: &DMatrix<f64>, step: u64) -> DMatrix<f64> {
    let wanted = if port == Port::Forward { coupler.shape().0 } else { coupler.shape().1 };
    let samples: Vec<usize> = (0..values.ncols()).collect();
    let streams = Streams { key: Key::new(1, "read"), samples: &samples, step };
    let mut out = DMatrix::zeros(wanted, values.ncols());
    let read = Read::new(port, values.as_view(), 0..wanted, streams);
    coupler.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out
}

#[test]
fn read_noise_is_that_of_the_formula() {
    let quiet = [
        "programming.error_uS=0",
        "programming.error_terms=[]",
        "drift.nu=[]",
        "drift.nu_sd=[]",
        "dac.bits=0",
        "adc.bits=0",
    ];
    let device = preset(
        "pcm-nandakumar",
        &[
            &quiet[..],
            &["age.at=\"1 h\"", "cells.weight_max=25", "cost.read_time_us=0", "output_noise.sd=0"],
        ]
        .concat(),
    );
    // One weight unit is one microsiemens, and the other cell of the pair is at 0, without noise.
    for x in [0.01f64, 0.2, 1.0] {
        let g = 25.0 * x;
        let crossbar =
            Crossbar::new(device.clone(), DMatrix::from_element(1, 1, g), Key::new(1, "cells"))
                .unwrap();
        let drive = DMatrix::from_element(1, 10_000, 1.0);
        let reads: Vec<f64> = (0..DRAWS / 10_000)
            .flat_map(|step| {
                currents(&crossbar, Port::Forward, &drive, step as u64).data.as_vec().clone()
            })
            .collect();
        let [mean, deviation] = mean_and_deviation(reads.iter().copied());
        let q = (0.0088 / x.powf(0.65)).min(0.2);
        within_one_percent(mean, g, "mean of reads");
        within_one_percent(
            deviation,
            g * q * ((3600.0 + 250e-9) / (2.0 * 250e-9f64)).ln().sqrt(),
            "deviation of reads",
        );
    }
}

fn some_weights() -> DMatrix<f64> {
    DMatrix::from_fn(5, 7, |i, j| ((i * 5 + j * 3) % 11) as f64 / 11.0 - 0.45)
}

#[test]
fn every_mapping_holds_the_weights_and_puts_them_where_it_says() {
    let weights = some_weights();
    let range = device("cells = { g_min_uS = 2.0, g_max_uS = 22.0, weight_max = 0.5 }");
    for (mapping, at_half, at_nothing) in [
        (Mapping::Differential, [12.0, 2.0], [2.0, 2.0]),
        (Mapping::Balanced, [17.0, 7.0], [12.0, 12.0]),
        (Mapping::Offset, [17.0, 12.0], [12.0, 12.0]),
    ] {
        let mut device = range.clone();
        device.cells.mapping = mapping;
        assert_eq!(device.cells.conductances(0.25), at_half, "{mapping:?}");
        assert_eq!(device.cells.conductances(0.0), at_nothing, "{mapping:?}");
        let crossbar =
            Crossbar::new(device.clone(), weights.clone(), Key::new(1, "cells")).unwrap();
        assert!((crossbar.linear(Port::Forward).unwrap() - &weights).amax() < 1e-15, "{mapping:?}");
        // Behind wires the conductances themselves count: all mappings lose, and those that conduct
        // more lose more.
        device.wires = Wires { r_word_ohm: 5.0, r_bit_ohm: 5.0, ..Wires::default() };
        let behind = Crossbar::new(device, weights.clone(), Key::new(1, "cells")).unwrap();
        let loss = (behind.linear(Port::Forward).unwrap() - &weights).norm() / weights.norm();
        assert!(loss > 1e-4 && loss < 1e-2, "{mapping:?}: {loss}");
    }
    // Beyond the range a weight is clipped.
    let clipped =
        Crossbar::new(range, DMatrix::from_row_slice(1, 2, &[0.7, -9.0]), Key::new(1, "cells"))
            .unwrap();
    assert_eq!(clipped.linear(Port::Forward).unwrap().as_slice(), [0.5, -0.5]);
}

#[test]
fn stuck_cells_are_as_many_as_stated_and_never_move() {
    let device = device("cells.weight_max = 1.0\nstuck = { at_min = 0.1, at_max = 0.05 }");
    let shape = (500, 400);
    let cells = |weight: f64| {
        Crossbar::new(
            device.clone(),
            DMatrix::from_element(shape.0, shape.1, weight),
            Key::new(1, "cells"),
        )
        .unwrap()
    };
    let n = (shape.0 * shape.1) as f64;
    let fraction = |matrix: &DMatrix<f64>, value: f64| {
        matrix.iter().filter(|w| **w == value).count() as f64 / n
    };
    // Asked for 0.5: the cell that carries it, or the other at g_min, or both are stuck somewhere.
    let half = cells(0.5).linear(Port::Forward).unwrap();
    for (value, expected) in [
        (0.5, 0.85 * 0.95),
        (0.0, 0.1 * 0.95 + 0.05 * 0.05),
        (1.0, 0.05 * 0.95),
        (-0.5, 0.85 * 0.05),
        (-1.0, 0.1 * 0.05),
    ] {
        let tolerance = 5.0 * (expected * (1.0f64 - expected) / n).sqrt();
        assert!(
            (fraction(&half, value) - expected).abs() < tolerance,
            "{value}: {}, expected {expected}",
            fraction(&half, value)
        );
    }
    // Written to another target and back, the same cells are stuck.
    let mut crossbar = cells(0.5);
    for weight in [-0.25, 0.5] {
        crossbar
            .program(&mut [DMatrix::from_element(shape.0, shape.1, weight)], Key::new(2, "write"))
            .unwrap();
        assert_eq!(crossbar.linear(Port::Forward).unwrap() == half, weight == 0.5);
    }
}

#[test]
fn amplifiers_are_constant_in_time_and_only_their_reverse_breaks_reciprocity() {
    let weights = some_weights();
    let values = [
        DMatrix::from_fn(7, 3, |i, j| (i as f64 - j as f64) / 9.0),
        DMatrix::from_fn(5, 3, |i, j| (j as f64 - i as f64) / 9.0),
    ];
    let read = |device: CrossbarDevice, port: Port, step| {
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "cells")).unwrap();
        currents(&crossbar, port, &values[port.index()], step)
    };
    // The bilinear form d^T W v by both ports: equal where the array is reciprocal.
    let forms = |device: &CrossbarDevice| {
        let forward = read(device.clone(), Port::Forward, 0);
        let reversed = read(device.clone(), Port::Reversed, 0);
        [(values[1].transpose() * forward).trace(), (values[0].transpose() * reversed).trace()]
    };
    let mismatched = device("amplifiers.gain_sd = 0.1");
    assert_ne!(
        read(mismatched.clone(), Port::Forward, 0),
        read(CrossbarDevice::default(), Port::Forward, 0)
    );
    assert_eq!(
        read(mismatched.clone(), Port::Forward, 0),
        read(mismatched.clone(), Port::Forward, 9)
    );
    let [there, back] = forms(&mismatched);
    assert!((there - back).abs() < 1e-14, "gains: {there} {back}");
    let [there, back] = forms(&device("reverse_amplifiers.gain_sd = 0.1"));
    assert!((there - back).abs() > 1e-3, "gains of the reverse: {there} {back}");
    // Offsets are there without any drive, and are the stated ones for the port that is read.
    let offset = device("amplifiers.offset_sd = 0.2");
    let shift =
        read(offset.clone(), Port::Forward, 0) - read(CrossbarDevice::default(), Port::Forward, 0);
    assert!(shift.column(0).norm() > 0.0 && (shift.column(0) - shift.column(2)).norm() < 1e-14);
    assert_eq!(read(offset, Port::Reversed, 0), read(CrossbarDevice::default(), Port::Reversed, 0));
    let reverse = device("reverse_amplifiers.offset_sd = 0.2");
    assert_ne!(
        read(reverse.clone(), Port::Reversed, 0),
        read(CrossbarDevice::default(), Port::Reversed, 0)
    );
    assert_eq!(read(reverse, Port::Forward, 0), read(CrossbarDevice::default(), Port::Forward, 0));
}

#[test]
fn converters_follow_the_largest_value_of_a_read_if_asked() {
    let mut device = device(
        "dac = { bits = 6, auto_range = true }\nadc = { bits = 6, range = 2.0, auto_range = true }",
    );
    let weights = some_weights();
    // Far beyond one range, far below the other: as good as any, because the range follows.
    let values = DMatrix::from_fn(7, 2, |i, j| (i as f64 - 2.6) * [40.0, 1e-3][j]);
    let crossbar = Crossbar::new(device.clone(), weights.clone(), Key::new(1, "cells")).unwrap();
    let found = currents(&crossbar, Port::Forward, &values, 0);
    for (j, found) in found.column_iter().enumerate() {
        let dac = Quantiser::new(6, values.column(j).amax());
        let exact = &weights * values.column(j).map(|v| dac.apply(v));
        let adc = Quantiser::new(6, exact.amax());
        assert!((found - exact.map(|current| adc.apply(current))).amax() < 1e-12 * exact.amax());
    }
    // With fixed ranges the first clips.
    device.dac.auto_range = false;
    device.adc.auto_range = false;
    let fixed = Crossbar::new(device, weights, Key::new(1, "cells")).unwrap();
    assert!(currents(&fixed, Port::Forward, &values, 0).column(0).amax() <= 2.0);
}

const MACHINE: &str = r#"
    precision = "f64"
    [network]
    layers = [5, 4, 3, 2]
    initial_gain = 0.7
    [device.crossbar]
    sheet = "rram-milo"
    cells.weight_max = 2.0
    programming.error_uS = 0.0
    programming.error_terms = []
    dac.bits = 0
    adc.bits = 0
    [relaxation]
    step = 0.3
    tolerance = 1e-13
    max_steps = 5000
    [learning]
    beta = 0.001
"#;

/// The gradient of AsymEP against differences of the cost, on a feedforward machine of these cells.
fn asym_ep_against_differences(settings: &[&str]) -> equilux::learning::Fidelity {
    let settings: Vec<String> =
        settings.iter().map(|setting| format!("device.crossbar.{setting}")).collect();
    let experiment = Experiment::parse(MACHINE, "test", &settings).unwrap();
    let mut machine = experiment.machine::<f64>().unwrap();
    let inputs = DMatrix::from_fn(5, 7, |i, j| (1.3 * i as f64 + 0.7 * j as f64).sin());
    let targets = DMatrix::from_fn(2, 7, |i, j| 0.8 * (i as f64 - 0.9 * j as f64).cos());
    let batch = Batch { inputs: &inputs, targets: &targets, cost: Cost::SquaredError, update: 0 };
    let learning = experiment.learning.with_rule(RuleChoice::named("asym-ep").unwrap());
    let estimate = learning.rule::<f64>(1).estimate(machine.as_mut(), &batch).unwrap();
    assert_eq!(estimate.unsettled, 0);
    let gradient = estimate.gradient.whole();
    let values: Vec<DMatrix<f64>> =
        machine.parameters().into_iter().map(|parameter| parameter.values).collect();
    let outputs = machine.outputs();
    let mut cost = |values: &[DMatrix<f64>]| {
        machine.program(&mut values.to_vec()).unwrap();
        let free = machine.settle(&inputs, &Phase::Free).unwrap();
        let errors = free.values.rows_range(outputs.clone()) - &targets;
        0.5 * errors.norm_squared() / 7.0
    };
    let h = 1e-5;
    let mut exact = values.clone();
    for (index, k) in
        (0..values.len()).flat_map(|index| (0..values[index].len()).map(move |k| (index, k)))
    {
        let mut at = |step: f64| {
            let mut moved = values.clone();
            moved[index][k] += step;
            cost(&moved)
        };
        exact[index][k] = (at(h) - at(-h)) / (2.0 * h);
    }
    fidelity(&gradient, &exact)
}

#[test]
fn asym_ep_is_exact_on_linear_cells_and_biased_on_others() {
    let linear = asym_ep_against_differences(&["current.square=[]", "current.cube=[]"]);
    assert!(linear.relative_error < 1e-5, "{linear:?}");
    let milo = asym_ep_against_differences(&[]);
    println!("cells of rram-milo: {milo:?}");
    assert!(milo.relative_error > 1e-3, "{milo:?}");
    // At a tenth of the voltage the currents are all but straight lines.
    let low = asym_ep_against_differences(&["drive.voltage_V=0.05"]);
    println!("at a tenth of the voltage: {low:?}");
    assert!(low.relative_error < 0.2 * milo.relative_error, "{low:?}");
}
