//! Crossbars beside what they should be: exact matrices, formulas.

use super::*;
use crate::coupler::quantiser::Quantiser;
use crate::coupler::{Exact, Span, Streams};

fn matrix(rows: usize, columns: usize) -> DMatrix<f64> {
    DMatrix::from_fn(rows, columns, |i, j| ((i * 5 + j * 3) % 11) as f64 / 11.0 - 0.45)
}

fn currents(
    coupler: &dyn Coupler<f64>,
    port: Port,
    values: &DMatrix<f64>,
    step: u64,
) -> DMatrix<f64> {
    let ports = if port == Port::Forward { coupler.shape().0 } else { coupler.shape().1 };
    let samples: Vec<usize> = (0..values.ncols()).collect();
    let streams = Streams { key: Key::new(1, "test"), samples: &samples, step };
    let mut out = DMatrix::zeros(ports, values.ncols());
    let read = Read::new(port, values.as_view(), 0..ports, streams);
    coupler.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out
}

#[test]
fn an_ideal_array_is_the_exact_matrix_both_ways() {
    let weights = matrix(4, 6);
    let crossbar =
        Crossbar::new(CrossbarDevice::default(), weights.clone(), Key::new(1, "test")).unwrap();
    let exact = Exact::new(weights);
    for (port, ports) in [(Port::Forward, 6), (Port::Reversed, 4)] {
        let values = matrix(ports, 3);
        assert!(
            (currents(&crossbar, port, &values, 0) - currents(&exact, port, &values, 0))
                .abs()
                .max()
                < 1e-15
        );
    }
}

#[test]
fn read_noise_has_the_variance_of_the_sum_over_cells() {
    let mut device = CrossbarDevice::default();
    device.read_noise.sd_us = 0.5;
    let deviation = 2f64.sqrt() * 0.5 * device.cells.weight_per_us();
    let weights = matrix(40, 6);
    let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test")).unwrap();
    let values = matrix(6, 50);
    let clean = &weights * &values;
    let (mut squares, mut count) = (0.0, 0.0);
    for step in 0..50 {
        let error = currents(&crossbar, Port::Forward, &values, step) - &clean;
        for (column, v) in error.column_iter().zip(values.column_iter()) {
            squares += column.norm_squared() / (deviation * v.norm()).powi(2);
            count += 40.0;
        }
    }
    // The standard error of a variance over n deviates is sqrt(2 / n).
    assert!(
        (squares / count - 1.0f64).abs() < 5.0 * (2.0f64 / count).sqrt(),
        "{}",
        squares / count
    );
}

#[test]
fn converters_round_both_ends() {
    let mut device = CrossbarDevice::default();
    device.dac.bits = 4;
    (device.adc.bits, device.adc.range) = (5, 2.0);
    let (dac, adc) = (Quantiser::new(4, 1.0), Quantiser::new(5, 2.0));
    let weights = matrix(4, 6);
    let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test")).unwrap();
    let values = matrix(6, 3);
    let expected = (weights * values.map(|v| dac.apply(v))).map(|current| adc.apply(current));
    assert!((currents(&crossbar, Port::Forward, &values, 0) - expected).abs().max() < 1e-15);
}

#[test]
fn every_noise_counts_in_what_a_read_resolves() {
    let (weights, values) = (matrix(20, 30), matrix(30, 40));
    let typical = (values.norm_squared() / values.len() as f64).sqrt();
    for table in CrossbarDevice::EFFECTS {
        let mut device = CrossbarDevice::default();
        let noisy = match *table {
            "read_noise" => {
                device.read_noise.sd_us = 0.5;
                true
            }
            "flicker_noise" => {
                device.flicker_noise.q = vec![0.0088, 0.65, 0.2];
                device.age.at_s = 100.0;
                true
            }
            "output_noise" => {
                device.output_noise.sd = 0.1;
                true
            }
            // What stands still, or moves from write to write, is no noise of a read.
            "levels" | "stuck" | "programming" | "map" | "pulses" | "drift" | "dac" | "current"
            | "selector" | "wires" | "amplifiers" | "reverse_amplifiers" | "adc" => false,
            _ => panic!("{table}: is it a noise of a read? Then it counts in what a read resolves"),
        };
        let of_cells = *table != "output_noise";
        let crossbar = Crossbar::new(device, weights.clone(), Key::new(1, "test")).unwrap();
        let draws: Vec<_> =
            (0..40).map(|step| currents(&crossbar, Port::Forward, &values, step)).collect();
        let mean = draws.iter().sum::<DMatrix<f64>>() / draws.len() as f64;
        let squares: f64 = draws.iter().map(|force| (force - &mean).norm_squared()).sum();
        let spread = (squares / (mean.len() * (draws.len() - 1)) as f64).sqrt();
        // What a read resolves is told of inputs at 1.
        let expected = crossbar.resolution(Span::default()) * if of_cells { typical } else { 1.0 };
        if !noisy {
            assert!(spread < 1e-12 && expected == 0.0, "{table}: {spread} {expected}");
            continue;
        }
        assert!((0.8..1.25).contains(&(spread / expected)), "{table}: {spread} {expected}");
    }
}
