//! The energy of reads against nodal analysis, what of it is unknown, and how stale wires are.

use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice, solve};
use equilux::coupler::{Coupler, Port, Read, Span, Streams};
use nalgebra::{DMatrix, DVector};

fn device(text: &str) -> CrossbarDevice {
    toml::from_str(text).unwrap()
}

/// Weights, outputs x inputs; `step` makes them others.
fn weights(outputs: usize, inputs: usize, step: usize) -> DMatrix<f64> {
    DMatrix::from_fn(outputs, inputs, |i, j| ((i * 5 + j * 3 + step * 7) % 11) as f64 / 11.0 - 0.45)
}

fn values(lines: usize) -> DMatrix<f64> {
    DMatrix::from_fn(lines, 3, |i, j| ((i * 7 + j * 4) % 9) as f64 / 9.0 - 0.3)
}

/// The heat of one read of `values` at `port`, joule.
fn heat(crossbar: &Crossbar<f64>, port: Port, values: &DMatrix<f64>) -> f64 {
    let (outputs, inputs) = crossbar.shape();
    let wanted = if port == Port::Forward { outputs } else { inputs };
    let before = crossbar.expense().energy;
    let mut currents = DMatrix::zeros(wanted, values.ncols());
    let streams = Streams { key: Key::new(1, "read"), samples: &[0, 1, 2], step: 0 };
    let read = Read::new(port, values.as_view(), 0..wanted, streams);
    crossbar.read(&read, currents.as_view_mut(), &mut Vec::new()).unwrap();
    crossbar.expense().energy.since(&before).arrays.joules
}

/// The same by nodal analysis of both cells of every pair, tile by tile.
fn by_nodal_analysis(
    device: &CrossbarDevice,
    weights: &DMatrix<f64>,
    port: Port,
    values: &DMatrix<f64>,
) -> f64 {
    let mut watts = 0.0;
    for (side, (outputs, inputs)) in
        (0..2).flat_map(|side| device.tiles.of(weights.shape()).into_iter().map(move |t| (side, t)))
    {
        let tile = weights.view((outputs.start, inputs.start), (outputs.len(), inputs.len()));
        // Word lines x bit lines, siemens.
        let cells = tile.transpose().map(|w| device.cells.conductances(w)[side] * 1e-6);
        let lines = if port == Port::Forward { inputs } else { outputs };
        for column in values.column_iter() {
            let own = column.rows(lines.start, lines.len()) * device.drive.volts_per_value();
            let volts = DVector::from_column_slice(own.as_slice());
            let found = solve(&cells, device.law(), device.wires, &volts, port).unwrap();
            for ((i, j), g) in (0..cells.nrows())
                .flat_map(|i| (0..cells.ncols()).map(move |j| (i, j)))
                .map(|place| (place, cells[place]))
            {
                let u = found.word[(i, j)] - found.bit[(i, j)];
                let current = device.law()(g).current(u);
                // What the driver of the cell's line delivers.
                watts +=
                    if port == Port::Forward { volts[i] * current } else { -volts[j] * current };
            }
        }
    }
    watts * device.cost.read_time_us * 1e-6
}

#[test]
fn reads_heat_what_nodal_analysis_says() {
    let base = "cost.read_time_us = 0.1\ndrive.voltage_V = 0.4\ncells.g_max_uS = 200.0\n";
    for settings in [
        "",
        "wires = { r_word_ohm = 500.0, r_bit_ohm = 300.0 }",
        "wires = { r_word_ohm = 500.0 }",
        "wires = { r_bit_ohm = 700.0 }",
        "wires = { r_word_ohm = 500.0, r_bit_ohm = 300.0 }\ntiles = { rows = 4, columns = 3 }",
        "cells.g_min_uS = 20.0\ncurrent = { square = [1e-6, 2e-6], cube = [3e-5] }",
        "cells.g_min_uS = 20.0\ncurrent = { square = [1e-6, 2e-6], cube = [3e-5] }
         selector = { threshold_V = 0.05, leak = 0.1 }",
        "cells.g_min_uS = 20.0\ncurrent = { square = [1e-6, 2e-6], cube = [3e-5] }
         wires = { r_word_ohm = 500.0, r_bit_ohm = 300.0 }\ntiles = { rows = 4, columns = 3 }",
    ] {
        let device = device(&format!("{base}{settings}"));
        let weights = weights(5, 7, 0);
        let crossbar =
            Crossbar::new(device.clone(), weights.clone(), Key::new(1, "cells")).unwrap();
        for (port, lines) in [(Port::Forward, 7), (Port::Reversed, 5)] {
            let values = values(lines);
            let expected = by_nodal_analysis(&device, &weights, port, &values);
            let found = heat(&crossbar, port, &values);
            // Counted in whole zeptojoule: three samples, of cells that are not linear behind wires each
            // side of each tile by itself.
            let rounding = 24e-21 + 1e-9 * expected;
            assert!((found - expected).abs() < rounding, "{settings} {port:?}: {found} {expected}");
        }
    }
}

#[test]
fn what_has_no_price_is_said_to_be_unknown() {
    let of = |text: &str| {
        let crossbar = Crossbar::new(device(text), weights(5, 7, 0), Key::new(1, "cells")).unwrap();
        let (read, own) =
            (crossbar.read_expense(Port::Forward, 5, Span::default()), crossbar.expense());
        read.energy.plus(&own.energy)
    };
    assert_eq!(of("").unpriced(), ["arrays", "writes"]);
    assert_eq!(of("dac.bits = 8").unpriced(), ["arrays", "converters", "writes"]);
    let half = of("dac = { bits = 8, energy_pJ = 1.0 }\nadc.bits = 8\ncost.read_time_us = 1.0");
    assert_eq!(half.unpriced(), ["converters", "writes"]);
    assert!((half.converters.joules / 7e-12 - 1.0).abs() < 1e-12, "{half:?}");
    let all = of("dac = { bits = 8, energy_pJ = 1.0 }
                  adc = { bits = 8, energy_pJ = 2.0 }
                  cost = { read_time_us = 1.0, write_energy_pJ = 3.0 }");
    assert_eq!(all.unpriced(), [""; 0]);
    let expected = (7.0 * 1.0 + 5.0 * 2.0 + 70.0 * 3.0) * 1e-12;
    assert!((all.known() / expected - 1.0).abs() < 1e-12, "{all:?}");
}

#[test]
fn only_old_losses_are_stale() {
    let programmed = |refresh: usize, writes: usize| {
        let text =
            format!("wires = {{ r_word_ohm = 500.0, r_bit_ohm = 300.0, refresh = {refresh} }}");
        let mut crossbar =
            Crossbar::new(device(&text), weights(5, 7, 0), Key::new(1, "cells")).unwrap();
        for step in 1..=writes {
            crossbar.program(&mut [weights(5, 7, step)], Key::new(step as u64, "write")).unwrap();
        }
        crossbar
    };
    for writes in 0..4 {
        assert_eq!(programmed(1, writes).staleness(), 0.0, "worked out anew at each of {writes}");
    }
    let [fresh, stale] = [1, 9].map(|refresh| programmed(refresh, 3));
    let [right, used] = [&fresh, &stale].map(|crossbar| crossbar.linear(Port::Forward).unwrap());
    let expected = (used - &right).norm() / right.norm();
    assert!(expected > 1e-3 && (stale.staleness() / expected - 1.0).abs() < 1e-9, "{expected}");
    // Worked out anew at the third write: what the reads before it met is remembered.
    assert!(programmed(3, 3).staleness() > 1e-3);
}
