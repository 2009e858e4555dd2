//! The list of a crossbar's effects: each is seen where it alone is on, goes where it is taken
//! away, and is refused where it could not be shown. Properties of tiles, converters and mappings.

use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice, Mapping, Pairs, TileSum, Tiles};
use equilux::coupler::quantiser::Quantiser;
use equilux::coupler::{Coupler, Expense, Family, Port, Read, Span, Streams};
use equilux::experiment::{Device, Sheet};
use nalgebra::DMatrix;
use proptest::prelude::*;

/// One example of every effect, with the settings that it needs to be seen.
const EXAMPLES: [(&str, &str); CrossbarDevice::EFFECTS.len()] = [
    ("levels", "levels.count = 4"),
    ("stuck", "stuck.at_max = 0.2"),
    ("programming", "programming.error_uS = 0.5"),
    ("map", "map.file = 'tests/reference/cells.npz'"),
    ("pulses", "pulses = { model = 'constant', step = 0.07, rounding = 'deterministic' }"),
    ("drift", "age.at = '1 h'\ndrift.nu = [0.0, 0.05, 0.0, 0.1]"),
    ("dac", "dac.bits = 4"),
    ("current", "current.cube = [1e-4]"),
    ("selector", "selector.threshold_V = 0.05"),
    ("wires", "wires.r_word_ohm = 2000.0"),
    ("read_noise", "read_noise.sd_uS = 0.5"),
    ("flicker_noise", "flicker_noise.q = [0.01, 0.6, 0.2]"),
    ("output_noise", "output_noise.sd = 0.1"),
    ("amplifiers", "amplifiers.gain_sd = 0.1"),
    ("reverse_amplifiers", "reverse_amplifiers.offset_sd = 0.1"),
    ("adc", "adc = { bits = 12, range = 2.0 }"),
];

fn example(table: &str) -> &'static str {
    EXAMPLES.iter().find(|(name, _)| *name == table).unwrap().1
}

fn device(text: &str) -> CrossbarDevice {
    let device: CrossbarDevice = toml::from_str(text).unwrap();
    device.check().unwrap();
    device
}

fn some(rows: usize, columns: usize, shift: usize) -> DMatrix<f64> {
    DMatrix::from_fn(rows, columns, |i, j| ((i * 5 + j * 3 + shift) % 11) as f64 / 11.0 - 0.45)
}

/// All that is seen of an array from outside: reads by both ports, what they cost, and what a write
/// costs.
#[derive(Debug, PartialEq)]
struct Seen {
    currents: [DMatrix<f64>; 2],
    costs: [Expense; 2],
}

fn seen(device: &CrossbarDevice) -> Seen {
    let (outputs, inputs) = (5, 7);
    let (weights, key) = (some(outputs, inputs, 0), Key::new(1, "cells"));
    let measured = device.map.read(&["0-1".into()], 0, weights.shape()).unwrap();
    let mut crossbar = Crossbar::of_cells(device.clone(), weights, key, measured).unwrap();
    crossbar.program(&mut [some(outputs, inputs, 4)], Key::new(2, "cells")).unwrap();
    let read = |port: Port| {
        let (driven, wanted) = match port {
            Port::Forward => (inputs, outputs),
            Port::Reversed => (outputs, inputs),
        };
        let values = some(driven, 3, 1);
        let mut currents = DMatrix::zeros(wanted, 3);
        let streams = Streams { key: Key::new(1, "read"), samples: &[0, 1, 2], step: 0 };
        let read = Read::new(port, values.as_view(), 0..wanted, streams);
        crossbar.read(&read, currents.as_view_mut(), &mut Vec::new()).unwrap();
        currents
    };
    let currents = [read(Port::Forward), read(Port::Reversed)];
    let costs =
        [crossbar.read_expense(Port::Forward, outputs, Span::default()), crossbar.expense()];
    Seen { currents, costs }
}

#[test]
fn every_effect_alone_is_seen_and_goes_when_it_is_taken_away() {
    let listed: Vec<&str> = EXAMPLES.iter().map(|(table, _)| *table).collect();
    assert_eq!(listed, CrossbarDevice::EFFECTS, "an example of every effect, in the list's order");
    for (table, example) in EXAMPLES {
        let mut device = device(example);
        for (other, effect) in device.effects() {
            assert_eq!(effect.is_off(), other != table, "{other} in the example of {table}");
            assert!(!effect.title().is_empty());
        }
        let ideal = device.without_effects();
        assert_ne!(seen(&device), seen(&ideal), "{table} alone is not seen");
        assert!(device.take_away(table) && device == ideal, "{table}");
        assert!(device.give(table, &self::device(example)) && device != ideal, "{table}");
    }
}

#[test]
fn every_effect_is_seen_among_all_others() {
    let others = |without: &[&str]| {
        let examples = EXAMPLES.iter().filter(|(table, _)| !without.contains(table));
        device(&examples.map(|(_, example)| *example).collect::<Vec<_>>().join("\n"))
    };
    // Pulses exclude other writes.
    let all = seen(&others(&["pulses"]));
    for (table, _) in EXAMPLES.into_iter().filter(|(table, _)| *table != "pulses") {
        assert_ne!(seen(&others(&["pulses", table])), all, "{table} is not seen among others");
    }
}

#[test]
fn what_could_not_be_shown_is_refused() {
    let refused = |tables: [&str; 2]| {
        let text = tables.map(example).join("\n");
        toml::from_str::<CrossbarDevice>(&text).unwrap().check().unwrap_err()
    };
    for table in ["levels", "programming"] {
        let message = refused([table, "pulses"]);
        assert!(message.starts_with(table) && message.contains("pulsed cells"), "{message}");
    }
    let pair: CrossbarDevice = toml::from_str(
        "cells.mapping = 'balanced'\npulses = { model = 'constant', direction = 'up' }",
    )
    .unwrap();
    let message = pair.check().unwrap_err();
    assert!(message.starts_with("pulses.direction") && message.contains("differential"));
    let often = format!("{}\n{}\nwires.refresh = 4", example("current"), example("wires"));
    let message = toml::from_str::<CrossbarDevice>(&often).unwrap().check().unwrap_err();
    assert!(
        message.starts_with("wires.refresh = 4") && message.contains("expected 1"),
        "{message}"
    );
}

#[test]
fn pulsed_cells_show_all_that_is_not_refused() {
    let pulsed = device(example("pulses"));
    for (table, own) in EXAMPLES {
        let text = format!("{}\n{own}", example("pulses"));
        let both: Result<CrossbarDevice, _> = toml::from_str(&text);
        let Some(both) = both.ok().filter(|both| both.check().is_ok()) else { continue };
        assert_ne!(seen(&both), seen(&pulsed), "{table} is not seen of pulsed cells");
    }
}

#[test]
fn every_shipped_crossbar_parses_and_reads() {
    let mut crossbars = 0;
    for name in Sheet::names() {
        let Device::Crossbar(device) = Sheet::find(name).unwrap().device().unwrap() else {
            continue;
        };
        let seen = seen(&device);
        assert!(seen.currents.iter().flatten().all(|current| current.is_finite()), "{name}");
        crossbars += 1;
    }
    assert_eq!(crossbars, 12);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tiles_cover_every_pair_once(
        (outputs, inputs) in (1usize..40, 1usize..40),
        (rows, columns) in (0usize..45, 0usize..45),
        digital in any::<bool>(),
    ) {
        let sum = if digital { TileSum::Digital } else { TileSum::Analog };
        let tiles = Tiles { rows, columns, sum };
        for parts in [tiles.of((outputs, inputs)), tiles.converting((outputs, inputs))] {
            let mut covered = DMatrix::<u32>::zeros(outputs, inputs);
            for (outputs, inputs) in parts {
                let limit = |length: usize, most: usize| most == 0 || length <= most || !digital;
                prop_assert!(limit(outputs.len(), columns) && limit(inputs.len(), rows));
                let size = (outputs.len(), inputs.len());
                covered.view_mut((outputs.start, inputs.start), size).add_scalar_mut(1);
            }
            prop_assert!(covered.iter().all(|times| *times == 1));
        }
    }

    #[test]
    fn a_code_stays_and_is_the_nearest(
        bits in 2u32..17,
        range in 0.01f64..100.0,
        x in -2.0f64..2.0,
    ) {
        let quantiser = Quantiser::new(bits, range);
        let code = quantiser.apply(x * range);
        // The outermost code is the range, or step times its number: a rounding apart.
        prop_assert!((quantiser.apply(code) - code).abs() <= 2.0 * f64::EPSILON * range);
        prop_assert_eq!(quantiser.apply(-x * range), -code);
        // Half a step, and the rounding of x / step times step.
        let nearest = (x * range).clamp(-range, range);
        prop_assert!((code - nearest).abs() <= 0.5 * quantiser.step() * (1.0 + 1e-9));
    }

    #[test]
    fn conductances_stand_for_their_weight_within_the_range(
        low in 0.0f64..50.0,
        width in 0.1f64..200.0,
        weight_max in 0.01f64..10.0,
        part in -1.0f64..1.0,
    ) {
        for mapping in [Mapping::Differential, Mapping::Balanced, Mapping::Offset] {
            let pairs = Pairs {
                g_min_us: low,
                g_max_us: low + width,
                weight_max,
                mapping,
                ..Pairs::default()
            };
            let conductances = pairs.conductances(part * weight_max);
            // A few roundings of a conductance, in weights.
            let rounding = 8.0 * f64::EPSILON * (low + width) * pairs.weight_per_us();
            prop_assert!((pairs.weight(conductances) - part * weight_max).abs() <= rounding);
            let range = low * (1.0 - 1e-12)..=(low + width) * (1.0 + 1e-12);
            prop_assert!(conductances.iter().all(|g| range.contains(g)));
        }
    }
}
