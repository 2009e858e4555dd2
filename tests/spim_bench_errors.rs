//! What a laboratory has and a data sheet has not (registration, calibration, unmodulated light, a
//! response that varies, drifts) by closed forms, by moments, and in both tiers that follow it.

mod common;

use std::f64::consts::TAU;

use common::{Place, bytes};
use equilux::arithmetic::random::Key;
use equilux::coupler::spim::optics::Optics;
use equilux::coupler::spim::optics::agreement::agreement;
use equilux::coupler::spim::optics::display::Display;
use equilux::coupler::spim::optics::effective::Effective;
use equilux::coupler::spim::optics::mask::Mask;
use equilux::coupler::spim::optics::wave::{Moment, Wave};
use equilux::coupler::spim::{PatternValues, Patterns, Spim, SpimDevice, Tier};
use equilux::coupler::{Coupler, Port, Read, Span, Streams};
use equilux::experiment::Sheet;
use equilux::file::matrix::write_matrix;
use nalgebra::DMatrix;
use serde_json::Value;

fn values(count: usize, name: u64) -> Vec<f64> {
    use rand::RngExt;
    let mut stream = Key::new(name, "values").stream();
    (0..count).map(|_| 1.8 * stream.random::<f64>() - 0.9).collect()
}

/// Sixteen macro-pixels of 8 x 8 pixels fill a panel of 32 x 32.
fn full_panel(change: impl FnOnce(&mut SpimDevice)) -> SpimDevice {
    SpimDevice::default().with(|device| {
        (device.panel.width_px, device.panel.height_px) = (32, 32);
        (device.panel.macro_pixel_px, device.panel.checker_px) = (8, 2);
        (device.patterns.values, device.patterns.count) = (PatternValues::Continuous, 3);
        change(device);
    })
}

const NODES: usize = 16;

/// The zero order of nodes that show `values`, by the effective tier and by waves, in units of all
/// nodes in phase.
fn zero_orders(optics: &Optics, values: &[f64], flicker: f64) -> [num_complex::Complex<f64>; 2] {
    let (field, slope) = Effective::new(optics, 0).zero_order(values, &[]);
    let mask = Mask::encode(&optics.layout, &[values], &optics.levels);
    let wave = Wave::new(optics);
    let near = wave.near_field(&mask, Moment { flicker, pixel_key: None }).unwrap();
    let share = optics.light_on_nodes(0) / optics.light();
    [(field + slope * flicker) / values.len() as f64, wave.at(&near, 0.0, 0.0) / share]
}

fn machine(device: SpimDevice, chip: Key) -> Spim<f64> {
    let patterns = DMatrix::from_fn(NODES, 3, |i, k| (1.7 * i as f64 + 2.9 * k as f64).sin());
    let weights = DMatrix::from_fn(3, 1, |k, _| [1.0, -0.7, 0.4][k]);
    Spim::on_chip(device, Patterns::reciprocal(patterns, weights), chip).unwrap()
}

/// The forces on all nodes that show `values`, in the phase `phase`.
fn forces(spim: &Spim<f64>, values: &[f64], phase: u64) -> DMatrix<f64> {
    let column = DMatrix::from_column_slice(NODES, 1, values);
    let streams = Streams { key: Key::new(phase, "phase"), samples: &[0], step: 0 };
    let mut out = DMatrix::zeros(NODES, 1);
    let read = Read::new(Port::Forward, column.as_view(), 0..NODES, streams);
    spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out
}

/// |E + C|^2: of parameter shift's two frames C adds 4 xi_m g Re C to the difference, and incoherent
/// light nothing.
#[test]
fn unmodulated_light_is_a_bias_of_every_force() {
    let shown = values(NODES, 1);
    for tier in [Tier::Analytic, Tier::Effective] {
        let device = full_panel(|device| {
            device.tier = Some(tier);
            device.camera.noise = 1e-15;
            device.frames.separate_noise = true;
        });
        let chip = SpimDevice::chip(1, 0, 0);
        let without = machine(device.clone(), chip);
        let with = machine(
            device.with(|device| {
                device.unmodulated.coherent = 0.2;
                device.unmodulated.phase_rad = 0.7;
                device.unmodulated.incoherent = 0.3;
            }),
            chip,
        );
        let constant = 0.2 * NODES as f64 * 0.7f64.cos();
        let patterns = with.shown();
        let bias = &patterns.readers * &patterns.weights * (constant / 3.0);
        let found = forces(&with, &shown, 1) - forces(&without, &shown, 1);
        assert!((&found - &bias).abs().max() < 1e-10, "{tier:?}: {found} {bias}");
    }
}

/// A region off the order sees what lies there in the focal plane.
#[test]
fn a_region_off_the_order_sees_the_focal_plane_there() {
    let straight = full_panel(|device| {
        device.region.spot_px = 3.0;
        device.illumination.radius = 1.2;
    });
    let shown = values(NODES, 2);
    let optics = Optics::new(&straight, NODES).unwrap();
    let wave = Wave::new(&optics);
    let mask = Mask::encode(&optics.layout, &[&shown], &optics.levels);
    let near = wave.near_field(&mask, Moment::default()).unwrap();
    for off in [[0.0, 0.25], [-1.0, 0.5], [2.0, 0.0]] {
        // The block of four macro-pixels along each side has its first dark line three pixels away.
        let [fy, fx] = off.map(|px| px / (32.0 * 3.0));
        let expected = wave.at(&near, fy, fx).norm();
        let moved = straight.clone().with(|device| device.registration.camera_px = off);
        let moved = Optics::new(&moved, NODES).unwrap();
        let [effective, waves] = zero_orders(&moved, &shown, 0.0);
        // A pixel's own envelope falls by (pi f)^2 / 6 of it, along either axis.
        let envelope = (TAU / 2.0).powi(2) * (fy * fy + fx * fx) / 6.0;
        assert!((waves.norm() / expected - 1.0).abs() < 1.1 * envelope + 1e-12, "{off:?}");
        assert!((effective - waves).norm() < 1e-12, "{off:?}: {effective} {waves}");
    }
    // All nodes in phase, straight light: sin(N x) / N sin(x), x = pi f, along the axis.
    let flat = full_panel(|device| {
        device.region.spot_px = 3.0;
        device.registration.camera_px = [1.0, 0.0];
    });
    let optics = Optics::new(&flat, NODES).unwrap();
    let x: f64 = TAU / 2.0 / 96.0;
    let [effective, _] = zero_orders(&optics, &[1.0; NODES], 0.0);
    assert!((effective.norm() - (32.0 * x).sin() / (32.0 * x.sin())).abs() < 1e-12);
}

/// The light is that of the beam elsewhere, the compensation that of the beam as it was.
#[test]
fn a_panel_that_moved_sees_other_light_and_the_laboratory_does_not_know() {
    let place = Place::new();
    let image = DMatrix::from_fn(32, 32, |row, column| 1.0 + (row * 32 + column) as f64 / 1024.0);
    let path = place.path("light.csv");
    write_matrix(&path, &image).unwrap();
    let quarter = full_panel(|device| {
        device.illumination.image = Some(path.display().to_string());
        device.registration.rotation_mrad = 1000.0 * TAU / 4.0;
        device.patterns.compensated = true;
    });
    let optics = Optics::new(&quarter, NODES).unwrap();
    let beam = optics.beam.as_ref().unwrap();
    for (row, column) in [(0, 0), (3, 20), (31, 7)] {
        // By a quarter turn (y, x) lies at (x, -y) from the middle.
        let expected = image[(column, 31 - row)].sqrt();
        assert!((beam[row * 32 + column].re - expected).abs() < 1e-12, "{row} {column}");
    }
    let straight = quarter.clone().with(|device| device.registration = Default::default());
    let known = Display::new(&Optics::new(&straight, NODES).unwrap());
    assert_eq!(Display::new(&optics).compensation(), known.compensation());

    let shifted = full_panel(|device| {
        device.illumination.radius = 0.9;
        device.registration.panel_px = [3.0, -2.0];
    });
    let optics = Optics::new(&shifted, NODES).unwrap();
    let beam = optics.beam.as_ref().unwrap();
    let waist = 0.9 * 16.0;
    for (row, column) in [(0, 0), (10, 30)] {
        let (y, x) = (row as f64 - 15.5 + 3.0, column as f64 - 15.5 - 2.0);
        let expected = (-(y * y + x * x) / (waist * waist)).exp();
        assert!((beam[row * 32 + column].re - expected).abs() < 1e-14);
    }
    let [effective, waves] = zero_orders(&optics, &values(NODES, 3), 0.0);
    assert!((effective - waves).norm() < 1e-12);
}

/// The effective tier takes the mean over a macro-pixel: what is left is of second order in how much
/// the response varies within it.
#[test]
fn a_varied_response_is_that_of_waves_to_second_order_within_a_node() {
    let straight = Optics::new(&full_panel(|_| ()), NODES).unwrap();
    let errors = |slope: f64| {
        let device = full_panel(|device| device.varied_response.slope = [slope, -0.6 * slope]);
        let optics = Optics::new(&device, NODES).unwrap();
        let mut squares = [0.0; 2];
        for state in 0..10 {
            let shown = values(NODES, 40 + state);
            let [effective, waves] = zero_orders(&optics, &shown, 0.0);
            let [blind, _] = zero_orders(&straight, &shown, 0.0);
            squares[0] += (effective - waves).norm_sqr();
            squares[1] += (blind - waves).norm_sqr();
        }
        squares.map(f64::sqrt)
    };
    let ([found, missed], [half_found, half_missed]) = (errors(0.02), errors(0.01));
    assert!((3.6..4.4).contains(&(found / half_found)), "{found} {half_found}");
    // Left out, the slope is missed in first order.
    assert!((1.8..2.2).contains(&(missed / half_missed)), "{missed} {half_missed}");
    assert!(found < missed / 4.0, "{found} {missed}");
    // One response for all of a macro-pixel: a panel of a single one, exact at any gain.
    let single = SpimDevice::default().with(|device| {
        device.panel.macro_pixel_px = 4;
        device.varied_response.map_sd = 0.2;
        device.varied_response.map_length = 1e12;
    });
    let optics = Optics::new(&single, 1).unwrap();
    let gain = optics.phase_gains.as_ref().unwrap()[0];
    let [effective, waves] = zero_orders(&optics, &[0.3], 0.0);
    let angle = 0.3f64.acos();
    let both = [angle, TAU - angle].map(|phase| num_complex::Complex::cis(phase * (1.0 + gain)));
    assert!((effective - (both[0] + both[1]) * 0.5).norm() < 1e-9, "{effective}");
    assert!((effective - waves).norm() < 1e-9);
}

#[test]
fn calibration_errors_are_those_of_the_phases_that_are_shown() {
    let device = full_panel(|device| {
        device.quantisation.bits = 12;
        device.calibration.phase_rad = 0.02;
    });
    let chips = 400;
    let (mut squares, mut count) = (0.0, 0);
    for chip in 0..chips {
        let optics = Optics::on_chip(&device, 1, SpimDevice::chip(1, chip, 0)).unwrap();
        // Between the first point and the last, where nothing is lost at the ends of the range.
        for at in 0..200 {
            let asked = TAU * (0.05 + 0.9 * f64::from(at) / 200.0);
            let shown = TAU * f64::from(optics.levels.level(asked)) / 4096.0;
            (squares, count) = (squares + (shown - asked).powi(2), count + 1);
        }
    }
    // Of two points at t and 1 - t an error keeps t^2 + (1 - t)^2 of its variance, 2/3 on average;
    // 16 independent points a chip.
    let ratio = squares / f64::from(count) / (0.02f64.powi(2) * 2.0 / 3.0);
    let error = 5.0 * (2.0 / (14.0 * chips as f64)).sqrt();
    assert!((ratio - 1.0).abs() < error, "{ratio} {error}");

    // Without levels the same errors are shown, the rounding apart.
    let smooth = device.clone().with(|device| device.quantisation.bits = 0);
    let [levels, phases] = [&device, &smooth]
        .map(|device| Optics::on_chip(device, NODES, SpimDevice::chip(1, 3, 0)).unwrap());
    for value in values(50, 5) {
        let [shown, exact] =
            [&levels, &phases].map(|optics| zero_orders(optics, &[value; NODES], 0.0));
        assert!((shown[0] - shown[1]).norm() < 1e-12 && (exact[0] - exact[1]).norm() < 1e-12);
        // Half a level, and a bit more where the error falls.
        assert!(
            (shown[0] - exact[0]).norm() < 1.3 * TAU / 8192.0,
            "{value}: {} {}",
            shown[0],
            exact[0]
        );
    }
}

#[test]
fn the_unit_of_light_is_a_factor_that_a_chip_keeps() {
    let shown = values(NODES, 6);
    let device = full_panel(|device| device.calibration.unit_of_light = 0.03);
    let ideal = forces(&machine(full_panel(|_| ()), SpimDevice::chip(1, 0, 0)), &shown, 1);
    let chips = 300;
    let mut squares = 0.0;
    for chip in 0..chips {
        let spim = machine(device.clone(), SpimDevice::chip(1, chip, 0));
        let ratio = forces(&spim, &shown, 1).component_div(&ideal);
        assert!(ratio.iter().all(|each| (each / ratio[0] - 1.0).abs() < 1e-9));
        assert_eq!(forces(&spim, &shown, 1), forces(&spim, &shown, 2));
        squares += (ratio[0] - 1.0).powi(2);
    }
    let ratio = squares / chips as f64 / 0.03f64.powi(2);
    assert!((ratio - 1.0).abs() < 5.0 * (2.0 / chips as f64).sqrt(), "{ratio}");
}

/// A walk of the variance r^2 t: from write to write over the time of all frames between, and from
/// a write to a phase over half of the time between the last two.
#[test]
fn power_walks_with_the_time_of_the_frames() {
    let shown = values(NODES, 7);
    let rate = 0.001;
    let device = full_panel(|device| {
        device.power_drift.in_an_hour = rate;
        device.frames.rate_hz = 1.0;
        device.frames.settling_ms = 3_600_000.0;
    });
    let ideal = forces(&machine(full_panel(|_| ()), SpimDevice::chip(1, 0, 0)), &shown, 1)[0];
    let mut spim = machine(device, SpimDevice::chip(1, 0, 0));
    // 2 N K frames of a second, and an hour of waiting.
    let hours = 1.0 + (2 * NODES * 3) as f64 / 3600.0;
    assert_eq!(spim.read_expense(Port::Forward, NODES, Span::default()).seconds, hours * 3600.0);
    let power = |spim: &Spim<f64>, phase: u64| forces(spim, &shown, phase)[0] / ideal - 1.0;
    assert!(power(&spim, 1).abs() < 1e-12, "no time has passed");
    let mut parameters: Vec<_> = spim.parameters().into_iter().map(|held| held.values).collect();
    let (writes, phases) = (1000u64, 8u64);
    let (mut steps, mut spread, mut before) = (0.0, 0.0, 0.0);
    let mut saved = spim.state();
    for write in 0..writes {
        // One phase has passed since the last write: the first read above, or the reads below.
        spim.program(&mut parameters, Key::new(write, "write")).unwrap();
        let quiet = spim.noiseless().unwrap();
        let column = DMatrix::from_column_slice(NODES, 1, &shown);
        let streams = Streams { key: Key::new(5, "phase"), samples: &[0], step: 0 };
        let mut out = DMatrix::zeros(NODES, 1);
        let read = Read::new(Port::Forward, column.as_view(), 0..NODES, streams);
        quiet.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
        let stands = out[0] / ideal - 1.0;
        let expected = if write == 0 { hours } else { phases as f64 * hours };
        steps += (stands - before).powi(2) / (rate * rate * expected);
        before = stands;
        for phase in 0..phases {
            let off = power(&spim, 100 * write + phase) - stands;
            spread += off * off / (rate * rate * expected / 2.0);
            // All reads of a phase meet the same.
            if phase == 0 && write == 3 {
                saved = spim.state();
            }
        }
    }
    let error = |count: u64| 5.0 * (2.0 / count as f64).sqrt();
    let (steps, spread) = (steps / writes as f64, spread / (writes * phases) as f64);
    assert!((steps - 1.0).abs() < error(writes), "{steps}");
    assert!((spread - 1.0).abs() < error(writes * phases), "{spread}");
    let mut other = machine(
        full_panel(|device| {
            device.power_drift.in_an_hour = rate;
            device.frames.rate_hz = 1.0;
            device.frames.settling_ms = 3_600_000.0;
        }),
        SpimDevice::chip(1, 0, 0),
    );
    other.restore(&saved).unwrap();
    let again = other.state();
    assert!(again.entries().eq(saved.entries()), "what is kept comes back");
}

/// A drift of the phases is met in the effective tier to first order.
#[test]
fn a_drift_of_phases_is_that_of_waves_to_second_order() {
    let optics = Optics::new(&full_panel(|_| ()), NODES).unwrap();
    let shown = values(NODES, 8);
    let error = |change: f64| {
        let [effective, waves] = zero_orders(&optics, &shown, change);
        (effective - waves).norm()
    };
    let ratio = error(0.01) / error(0.005);
    assert!((3.8..4.2).contains(&ratio), "{ratio}");
    // And a machine meets it: each phase by a walk of its own.
    let device = full_panel(|device| {
        device.phase_drift.in_an_hour = 0.01;
        device.frames.settling_ms = 3_600_000.0;
    });
    let mut spim = machine(device, SpimDevice::chip(1, 0, 0));
    let first = forces(&spim, &shown, 1);
    assert_eq!(first, forces(&spim, &shown, 2));
    let mut parameters: Vec<_> = spim.parameters().into_iter().map(|held| held.values).collect();
    spim.program(&mut parameters, Key::new(1, "write")).unwrap();
    let [second, third] = [2, 3].map(|phase| forces(&spim, &shown, phase));
    assert_eq!(second, forces(&spim, &shown, 2), "all reads of a phase meet the same");
    assert!(second != first && third != second);
}

/// A source that says "assumed" says from where to where its value may lie: "plausible LOW to HIGH".
#[test]
fn what_is_assumed_of_a_laboratory_has_a_range() {
    let [good, rough] = ["spim-laboratory", "spim-laboratory-rough"].map(|name| {
        let sheet = Sheet::find(name).unwrap();
        for (key, number) in &sheet.numbers {
            if !number.source.starts_with("assumed") {
                continue;
            }
            let range = number.source.split("plausible ").nth(1).unwrap_or_else(|| {
                panic!("{name}: {key}: {}", number.source);
            });
            let (low, high) = range.split_once(" to ").unwrap();
            let [low, high] = [low, high].map(|end| end.trim().parse::<f64>().unwrap());
            let inside = |value: &toml::Value| {
                let value = value.as_float().or(value.as_integer().map(|value| value as f64));
                value.is_some_and(|value| low <= value && value <= high)
            };
            let all = match &number.value {
                toml::Value::Array(values) => values.iter().all(inside),
                value => inside(value),
            };
            assert!(all, "{name}: {key} = {}: {}", number.value, number.source);
        }
        sheet.numbers.into_keys().collect::<Vec<_>>()
    });
    assert_eq!(good, rough, "the same numbers, better and worse");
}

/// Everything that stands still at once: the effective tier against waves.
#[test]
fn tiers_agree_on_a_laboratory_of_a_first_afternoon() {
    let device = full_panel(|device| {
        device.quantisation.bits = 8;
        device.calibration.phase_rad = 0.1;
        (device.varied_response.slope, device.varied_response.map_sd) = ([0.03, 0.03], 0.02);
        device.registration.camera_px = [1.0, 1.0];
        device.registration.panel_px = [1.0, 1.0];
        device.registration.rotation_mrad = 10.0;
        (device.region.side_px, device.region.spot_px) = (1, 24.0);
        (device.illumination.radius, device.patterns.compensated) = (1.0, true);
        (device.unmodulated.coherent, device.unmodulated.incoherent) = (0.1, 0.01);
    });
    let found = agreement(&device, NODES, 20, 3).unwrap();
    // Phases that vary within a macro-pixel by 2 pi 0.06 / 4 or so from edge to edge.
    assert!(found.all.effective < 0.02, "{found:?}");
    assert!(found.all.analytic > 0.1, "{found:?}");
    let names: Vec<&str> = found.alone.iter().map(|(name, _)| *name).collect();
    for name in ["calibration", "varied response", "misregistration", "unmodulated light"] {
        let effective =
            found.alone.iter().find(|(own, _)| *own == name).map(|(_, off)| off.effective);
        assert!(effective.is_some_and(|off| off < 0.02), "{name}: {names:?} {effective:?}");
    }
}

const EVERYTHING: &str = "\
    precision = 'f64'\nchip = 2\n[data]\nset = 'wine'\ntrain_limit = 24\nscaling = 'unit-range'\n\
    clip = 1.0\n[network]\nlayers = [13, 5, 3]\ntopology = 'all-to-all'\n[device.spim]\n\
    readout = 'homodyne'\npatterns.count = 3\npatterns.values = 'continuous'\n\
    patterns.compensated = true\npanel.macro_pixel_px = 8\npanel.checker_px = 2\n\
    quantisation.bits = 8\nfringing.sigma = 2.03\nfringing.order = 1.2\n\
    calibration.phase_rad = 0.05\ncalibration.unit_of_light = 0.01\nvaried_response.slope = [0.02, 0.01]\n\
    varied_response.map_sd = 0.01\nphase_drift.in_an_hour = 0.01\npower_drift.in_an_hour = 0.02\n\
    drift.in_an_hour_px = 0.3\nphase_drift.time_constant_h = 2.0\nregistration.camera_px = [0.2, 0.3]\n\
    registration.panel_px = [1.0, 2.0]\nregistration.rotation_mrad = 5\nillumination.radius = 1.5\n\
    unmodulated.coherent = 0.03\nunmodulated.phase_rad = 1.0\nunmodulated.incoherent = 0.002\n\
    laser_flicker.density = 0.001\nnon_uniformity.sd = 0.01\nhot_pixels.fraction = 0.1\n\
    non_linearity.bend = 0.01\ndark_level.level = 0.02\ndark_level.residual = 0.001\n\
    camera.bits = 12\ncamera.electrons = 10000\ncamera.noise = 0.0003\nregion.side_px = 2\n\
    region.spot_px = 12\n[relaxation]\nstep = 0.3\ntolerance = 1e-2\nmax_steps = 30\n[learning]\n\
    rule = 'ep'\nbeta = 0.5\n[training]\nbatch = 8\noptimiser.adam.rate = 0.02\n";

#[test]
fn a_run_with_everything_is_the_same_on_any_threads_and_when_it_is_resumed() {
    let place = Place::new();
    place.file("x.toml", EVERYTHING);
    let train = |run: &str, epochs: &str, more: &[&str]| {
        let epochs = format!("training.epochs={epochs}");
        let own = ["train", "x.toml", "--out", run, "--set", &epochs];
        place.printed(&[&own[..], more].concat());
    };
    train("one", "2", &["--threads", "1"]);
    train("two", "2", &["--threads", "2"]);
    train("stopped", "1", &[]);
    train("stopped", "2", &["--resume"]);
    let held = |run: &str| bytes(&place.path(run).join("checkpoint.safetensors"));
    assert!(held("one") == held("two"), "threads");
    assert!(held("one") == held("stopped"), "resumed");
    // Another chip is another machine.
    train("other", "2", &["--set", "chip=3"]);
    assert!(held("one") != held("other"));
}

/// Masks in the levels of a calibration that errs, and the light that this hardware sends.
#[test]
fn exports_know_the_chip() {
    let place = Place::new();
    place.file("x.toml", EVERYTHING);
    place.printed(&["train", "x.toml", "--out", "run", "--set", "training.epochs=1"]);
    place.printed(&["export", "run", "--to", "slm", "--out", "maps"]);
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
    let path = place.path("maps/manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("all.patterns.response"), "levels by a measured response");
    // The same files said to be of another chip: its levels and its light are others.
    std::fs::write(&path, text.replacen("chip = 2", "chip = 4", 1)).unwrap();
    let message = place.refused(2, &["verify", "maps"]);
    assert!(message.contains("response = "), "{message}");
    assert!(message.contains("of the light into its orders"), "{message}");
}
