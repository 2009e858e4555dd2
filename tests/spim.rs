//! The light path of a spatial photonic Ising machine against independent sums, closed forms and
//! itself in three tiers.

use std::f64::consts::TAU;

use equilux::arithmetic::random::Key;
use equilux::coupler::spim::optics::Optics;
use equilux::coupler::spim::optics::effective::Effective;
use equilux::coupler::spim::optics::fourier::sinc;
use equilux::coupler::spim::optics::levels::Levels;
use equilux::coupler::spim::optics::mask::{Drive, Mask};
use equilux::coupler::spim::optics::quantisation::Gauge;
use equilux::coupler::spim::optics::wave::{Moment, Wave};
use equilux::coupler::spim::readout::Spsa;
use equilux::coupler::spim::{PatternValues, Patterns, ReadoutChoice, Spim, SpimDevice, Tier};
use equilux::coupler::{Coupler, Family, Port, Read, Span, Streams};
use equilux::experiment::{Device, Sheet};
use equilux::file::matrix::write_matrix;
use nalgebra::DMatrix;
use num_complex::Complex;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
    cross_term: Cross,
    blazed_grating: Grating,
}

#[derive(Deserialize)]
struct Case {
    bits: u32,
    grid: (usize, usize),
    macro_pixel: usize,
    pattern: Vec<f64>,
    state: Vec<f64>,
    levels: Vec<Vec<u16>>,
    fill: f64,
    gaps: String,
    illumination: String,
    intensity: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    fy: f64,
    fx: f64,
    value: f64,
}

#[derive(Deserialize)]
struct Cross {
    u: Vec<f64>,
    v: Vec<f64>,
    t: Vec<f64>,
    s: Vec<f64>,
    value: f64,
}

#[derive(Deserialize)]
struct Grating {
    values: Vec<Efficiency>,
}

#[derive(Deserialize)]
struct Efficiency {
    bits: u32,
    first_order_efficiency: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/spim.json")).unwrap()
}

/// Relative agreement of intensities to 1e-9, or 1e-12 absolute.
#[track_caller]
fn agrees(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-12 + 1e-9 * expected.abs(),
        "{found} against {expected}"
    );
}

fn optics(device: &SpimDevice, nodes: usize) -> Optics {
    Optics::new(device, nodes).unwrap()
}

fn uniforms(count: usize, name: u64) -> Vec<f64> {
    use rand::RngExt;
    let mut stream = Key::new(name, "values").stream();
    (0..count).map(|_| 2.0 * stream.random::<f64>() - 1.0).collect()
}

#[test]
fn intensities_agree_with_the_direct_sums() {
    let directory = tempfile::tempdir().unwrap();
    let beam = directory.path().join("beam.csv");
    // Intensities of the amplitude exp(-((y - 3.5)^2 + (x - 5.5)^2) / 25).
    let gauss = DMatrix::from_fn(8, 12, |y, x| {
        (-2.0 * ((y as f64 - 3.5).powi(2) + (x as f64 - 5.5).powi(2)) / 25.0).exp()
    });
    write_matrix(&beam, &gauss).unwrap();
    let mut points = 0;
    for case in reference().cases {
        let device = SpimDevice::default().with(|device| {
            device.quantisation.bits = case.bits;
            device.panel.width_px = case.grid.1 * case.macro_pixel;
            device.panel.height_px = case.grid.0 * case.macro_pixel;
            device.panel.macro_pixel_px = case.macro_pixel;
            device.dead_zone.fill_factor = case.fill;
            device.dead_zone.reflectivity = if case.gaps == "reflecting" { 1.0 } else { 0.0 };
            device.illumination.image =
                case.illumination.starts_with("gaussian").then(|| beam.display().to_string());
            device.tier = Some(Tier::Effective);
        });
        let optics = optics(&device, case.state.len());
        let values: Vec<f64> = case.pattern.iter().zip(&case.state).map(|(xi, s)| xi * s).collect();
        let mask = Mask::encode(&optics.layout, &[&values], &Levels::even(case.bits));
        assert_eq!(mask.drive, Drive::Levels(case.levels.concat()), "levels at {} bits", case.bits);
        let mut wave = Wave::new(&optics);
        let near = wave.near_field(&mask, Moment::default()).unwrap();
        for Point { fy, fx, value } in &case.intensity {
            agrees(wave.at(&near, *fy, *fx).norm_sqr(), *value);
            points += 1;
        }
        let effective =
            Effective::new(&optics, 0).zero_order(&values, &[]).0 / case.state.len() as f64;
        agrees(effective.norm_sqr(), case.intensity[0].value);
        // The transform holds the zero and the Nyquist order too.
        let far = wave.far_field(near);
        agrees(far[0].norm_sqr(), case.intensity[0].value);
        let nyquist = far[case.grid.1 * case.macro_pixel / 2 * 8 + 4].norm_sqr();
        let expected =
            case.intensity.iter().find(|point| point.fy == 0.5 && point.fx == 0.5).unwrap();
        agrees(nyquist, expected.value);
    }
    assert_eq!(points, 48);
}

#[test]
fn the_cross_term_is_that_of_the_polarisation_identity() {
    let cross = reference().cross_term;
    let device = SpimDevice::default().with(|device| {
        device.panel.macro_pixel_px = 2;
    });
    let optics = optics(&device, 48);
    let products = |a: &[f64], b: &[f64], sign: f64| {
        a.iter().zip(b).map(|(a, b)| sign * a * b).collect::<Vec<_>>()
    };
    let frame = |sign: f64| {
        let values =
            [products(&cross.v, &cross.s, 1.0), products(&cross.u, &cross.t, sign)].concat();
        let wave = Wave::new(&optics);
        let mask = Mask::encode(&optics.layout, &[&values], &optics.levels);
        let near = wave.near_field(&mask, Moment::default()).unwrap();
        // Per node of the aperture, whatever the panel around it.
        let scale = optics.light() / optics.light_on_nodes(0);
        let effective =
            Effective::new(&optics, 0).zero_order(&values, &[]).0.norm_sqr() / 48f64.powi(2);
        let intensity = (wave.at(&near, 0.0, 0.0) * scale).norm_sqr();
        agrees(effective, intensity);
        intensity
    };
    agrees(frame(1.0) - frame(-1.0), cross.value);
}

/// The far field's efficiency at (fy, fx) = (0, order / period) of a panel whose rows show
/// `levels`.
fn efficiency(levels: &[u16], bits: u32, order: f64) -> f64 {
    let (width, height) = (levels.len() * 8, 8);
    let device = SpimDevice::default().with(|device| {
        device.quantisation.bits = bits;
        device.panel.macro_pixel_px = 8;
        device.panel.width_px = width;
        device.panel.height_px = height;
    });
    let optics = optics(&device, width / 8);
    let row: Vec<u16> = (0..width).map(|x| levels[x % levels.len()]).collect();
    let mask = Mask::from_levels(height, width, bits, row.repeat(height)).unwrap();
    let wave = Wave::new(&optics);
    let near = wave.near_field(&mask, Moment::default()).unwrap();
    wave.at(&near, 0.0, order / levels.len() as f64).norm_sqr()
}

#[test]
fn gratings_have_their_efficiencies() {
    for Efficiency { bits, first_order_efficiency } in reference().blazed_grating.values {
        let levels: Vec<u16> = (0..1 << bits).collect();
        agrees(efficiency(&levels, bits, 1.0), first_order_efficiency);
    }
    // A binary grating of phase step delta: order m odd has (2 / pi m)^2 sin^2(delta / 2).
    for step in [32u16, 64, 128] {
        let levels = [[0u16; 16], [step; 16]].concat();
        for m in [1.0, 3.0, 5.0] {
            let expected = (2.0 / (std::f64::consts::PI * m)).powi(2)
                * (TAU * f64::from(step) / 256.0 / 2.0).sin().powi(2);
            let pixelated = expected * (sinc(m / 32.0) / sinc(0.0)).powi(2);
            // 16 pixels stand for a continuous half period: sum of e^(i k) over pixels, times the
            // pixel's own envelope.
            let exact = efficiency(&levels, 8, m);
            assert!(
                (exact - expected).abs() < 1e-9 + 1e-9 * expected,
                "order {m}: {exact} against {expected} ({pixelated})"
            );
        }
    }
}

#[test]
fn one_macro_pixel_sends_its_value_to_the_zero_order_and_the_rest_to_nyquist() {
    let optics = optics(&SpimDevice::default(), 1);
    let wave = Wave::new(&optics);
    for value in [-1.0, -0.3, 0.0, 0.6, 1.0] {
        let near = wave
            .near_field(
                &Mask::encode(&optics.layout, &[&[value]], &optics.levels),
                Moment::default(),
            )
            .unwrap();
        agrees(wave.at(&near, 0.0, 0.0).norm_sqr(), value * value);
        let nyquist = wave.at(&near, 0.5, 0.5).norm_sqr() / sinc(0.5).powi(4);
        agrees(nyquist, 1.0 - value * value);
    }
}

/// Every effect of the light path, short of the borders of fringing fields.
fn every_effect(phase_bits: u32) -> SpimDevice {
    SpimDevice::default().with(|device| {
        device.quantisation.bits = phase_bits;
        device.tier = Some(Tier::Effective);
        device.panel.width_px = 150;
        device.panel.height_px = 130;
        device.panel.macro_pixel_px = 16;
        device.panel.checker_px = 2;
        device.response.scale = 1.1;
        device.response.gamma = 1.05;
        device.dead_zone.fill_factor = 0.9;
        device.dead_zone.reflectivity = 0.6;
        device.dead_zone.phase_rad = 0.4;
        device.illumination.radius = 1.2;
        device.aberration.waves = vec![0.05, 0.02, -0.03, 0.01];
        device.aberration.correction = 0.2;
    })
}

/// The zero orders of the effective and the wave tier, per node.
fn both(device: &SpimDevice, values: &[f64]) -> (Complex<f64>, Complex<f64>) {
    let optics = optics(device, values.len());
    let wave = Wave::new(&optics);
    let mask = Mask::encode(&optics.layout, &[values], &optics.levels);
    let near = wave.near_field(&mask, Moment::default()).unwrap();
    let scale = optics.light() / optics.light_on_nodes(0);
    (
        Effective::new(&optics, 0).zero_order(values, &[]).0 / values.len() as f64,
        wave.at(&near, 0.0, 0.0) * scale,
    )
}

#[test]
fn effective_and_wave_agree_to_rounding_without_fringing() {
    for bits in [0, 4, 8, 10] {
        let (effective, wave) = both(&every_effect(bits), &uniforms(50, 1));
        assert!((effective - wave).norm() < 1e-12, "{bits} bits: {effective} {wave}");
    }
}

#[test]
fn effective_follows_fringing_fields_and_their_borders() {
    for checker_px in [1, 2, 4, 8] {
        let device = every_effect(8).with(|device| {
            device.panel.checker_px = checker_px;
            device.fringing.sigma = 2.03;
        });
        let interior = device.clone().with(|device| {
            device.fringing.sigma = 0.0;
        });
        let (mut squares, mut ignored, mut largest) = (0.0, 0.0, 0.0);
        for sample in 0..6 {
            let values = uniforms(49, sample);
            let (effective, wave) = both(&device, &values);
            squares += (effective - wave).norm_sqr();
            ignored += (both(&interior, &values).0 - wave).norm_sqr();
            largest += wave.norm_sqr();
        }
        // What is left out, corners and the rim, is of the order of the kernel's reach over a
        // macro-pixel, squared.
        let (error, without) = ((squares / largest).sqrt(), (ignored / largest).sqrt());
        println!("{checker_px} {error} {without}");
        assert!(error < 0.05, "checker {checker_px}: {error}");
        assert!(
            error < 0.2 * without,
            "checker {checker_px}: {error} against {without} without fringing"
        );
    }
}

#[test]
fn analytic_and_wave_agree_to_rounding_with_quantisation_alone() {
    for bits in [0, 3, 8] {
        let values = uniforms(30, 2);
        let device = SpimDevice::default().with(|device| {
            device.quantisation.bits = bits;
            device.panel.macro_pixel_px = 4;
        });
        let gauge = Gauge::new(bits);
        let analytic = values.iter().map(|value| gauge.field(*value)).sum::<f64>() / 30.0;
        assert!((both(&device, &values).1 - analytic).norm() < 1e-13);
    }
}

#[test]
fn regions_send_their_light_to_their_own_orders() {
    use equilux::coupler::spim::Multiplexing;
    let device = SpimDevice::default().with(|device| {
        device.patterns.count = 4;
        device.frames.multiplexing = Multiplexing::FocalPlane;
        device.panel.width_px = 640;
        device.panel.height_px = 512;
        device.panel.macro_pixel_px = 8;
    });
    let optics = optics(&device, 100);
    let values: Vec<Vec<f64>> =
        (0..4).map(|region| uniforms(100, region).iter().map(|v| v.abs()).collect()).collect();
    let mask = Mask::encode(
        &optics.layout,
        &values.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        &optics.levels,
    );
    let wave = Wave::new(&optics);
    let near = wave.near_field(&mask, Moment::default()).unwrap();
    for (region, values) in values.iter().enumerate() {
        let expected = (values.iter().sum::<f64>() / 100.0).powi(2);
        let found = wave.frame(&near, region, [0.0; 2], None);
        // The other regions' light at this order: side lobes of their own, below a percent in
        // amplitude each.
        let envelope = (sinc(optics.layout.regions[region].carrier.0)
            * sinc(optics.layout.regions[region].carrier.1))
        .powi(2);
        assert!(
            (found / envelope - expected).abs() < 0.05 * expected,
            "region {region}: {} against {expected}",
            found / envelope
        );
    }
}

#[test]
fn pixel_flicker_of_a_whole_panel_has_the_mean_of_the_formula() {
    let device = SpimDevice::default().with(|device| {
        device.pixel_flicker.sd_rad = 0.5;
        device.panel.macro_pixel_px = 4;
        device.tier = Some(Tier::Effective);
    });
    let values = uniforms(9, 4);
    let optics = optics(&device, 9);
    let wave = Wave::new(&optics);
    let mask = Mask::encode(&optics.layout, &[&values], &optics.levels);
    let draws = 2000;
    let mean = (0..draws)
        .map(|draw| {
            let moment =
                Moment { flicker: 0.0, pixel_key: Some(Key::new(1, "flicker").with(draw)) };
            let near = wave.near_field(&mask, moment).unwrap();
            wave.at(&near, 0.0, 0.0).norm_sqr()
        })
        .sum::<f64>()
        / draws as f64;
    let (fade, pixels, field) = ((-0.25f64).exp(), 144.0, values.iter().sum::<f64>() / 9.0);
    let expected = fade * field * field + (1.0 - fade) / pixels;
    let spread = (1.0 - fade) / pixels;
    let error =
        5.0 * ((2.0 * fade * field * field * spread + spread * spread) / draws as f64).sqrt();
    assert!((mean - expected).abs() < error, "{mean} {expected}");
    // The effective tier keeps the same account of its pixels.
    assert!((Effective::new(&optics, 0).power() / 81.0 - 1.0 / pixels).abs() < 1e-15);
}

/// The forces on `wanted` nodes of each column of `states`; `step` names their noise.
fn forces(
    spim: &Spim<f64>,
    states: &DMatrix<f64>,
    wanted: std::ops::Range<usize>,
    step: u64,
) -> DMatrix<f64> {
    let samples: Vec<usize> = (0..states.ncols()).collect();
    let mut forces = DMatrix::zeros(wanted.len(), states.ncols());
    let streams = Streams { key: Key::new(1, "test"), samples: &samples, step };
    let read = Read::new(Port::Forward, states.as_view(), wanted, streams);
    spim.read(&read, forces.as_view_mut(), &mut Vec::new()).unwrap();
    forces
}

/// One pattern of weight `weight` on a panel, read by parameter shift through a camera of 14 bits.
fn one_pattern(pattern: Vec<f64>, weight: f64) -> Spim<f64> {
    let device = SpimDevice::default().with(|device| {
        device.patterns.values = PatternValues::Continuous;
        device.camera.bits = 14;
    });
    let patterns = DMatrix::from_vec(pattern.len(), 1, pattern);
    let weights = DMatrix::from_element(1, 1, weight);
    Spim::new(device, Patterns::reciprocal(patterns, weights)).unwrap()
}

#[test]
fn mattis_ground_state_is_the_pattern() {
    // E = -1/2 sum_{i != j} xi_i xi_j s_i s_j. A spin against its force is flipped until there is
    // none: with one pattern no other state than the two ground states is stable.
    use rand::RngExt;
    let pattern = uniforms(40, 9);
    let nodes = pattern.len();
    let spim = one_pattern(pattern.clone(), 1.0);
    let total: f64 = pattern.iter().map(|xi| xi.abs()).sum();
    let squares: f64 = pattern.iter().map(|xi| xi * xi).sum();
    let ground = -0.5 * (total * total - squares);
    // The energy is half the sum of 40 forces, each off by the machine's own resolution.
    let error = 5.0 * 0.5 * (nodes as f64).sqrt() * spim.resolution(Span::default());
    assert!(error < 0.01 * ground.abs(), "the camera tells the ground state: {error}");
    for start in 0..20 {
        let mut stream = Key::new(start, "start").stream();
        let mut state =
            DMatrix::from_fn(nodes, 1, |_, _| if stream.random::<bool>() { 1.0 } else { -1.0 });
        let first = forces(&spim, &state, 0..nodes, 0);
        for sweep in 0..10 {
            for node in 0..nodes {
                let step = 1 + (sweep * nodes + node) as u64;
                let force = forces(&spim, &state, node..node + 1, step)[0];
                state[node] = if force < 0.0 { -1.0 } else { 1.0 };
            }
        }
        let energy = |forces: &DMatrix<f64>, state: &DMatrix<f64>| -0.5 * forces.dot(state);
        let found = energy(&forces(&spim, &state, 0..nodes, 1000), &state);
        assert!((found - ground).abs() < error, "start {start}: {found} against {ground}");
        assert!(first.amax() > 0.0 && found < 0.0);
        // A spin of a pattern value below the error of its force may point either way.
        let sign = state[0] * pattern[0].signum();
        let strong = pattern.iter().zip(&state).filter(|(xi, _)| xi.abs() > 0.01);
        assert!(strong.clone().all(|(xi, s)| s * xi * sign > 0.0), "start {start}: {state}");
    }
}

/// The mean |magnetisation| of 100 spins, H = -M^2 / 200, at `temperature`, and its standard error:
/// Glauber dynamics by forces from frames, independent chains side by side.
fn magnetisation(temperature: f64) -> (f64, f64) {
    use rand::RngExt;
    let (nodes, chains, burnt, sweeps) = (100, 64, 100, 200);
    let spim = one_pattern(vec![1.0; nodes], 1.0 / nodes as f64);
    let mut stream = Key::new(1, "Glauber").stream();
    let mut states = DMatrix::from_element(nodes, chains, 1.0);
    let mut means = vec![0.0; chains];
    for sweep in 0..burnt + sweeps {
        for node in 0..nodes {
            let step = (sweep * nodes + node) as u64;
            let forces = forces(&spim, &states, node..node + 1, step);
            for chain in 0..chains {
                let up = 1.0 / (1.0 + (-2.0 * forces[chain] / temperature).exp());
                states[(node, chain)] = if stream.random::<f64>() < up { 1.0 } else { -1.0 };
            }
        }
        if sweep >= burnt {
            for (mean, state) in means.iter_mut().zip(states.column_iter()) {
                *mean += state.sum().abs() / (nodes * sweeps) as f64;
            }
        }
    }
    let mean = means.iter().sum::<f64>() / chains as f64;
    let squares = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>();
    (mean, (squares / (chains * (chains - 1)) as f64).sqrt())
}

#[test]
fn curie_weiss_magnetises_as_it_should() {
    // Exact means for N = 100, from the binomial weights of M.
    for (temperature, exact) in [(0.5, 0.9551), (1.0, 0.2868)] {
        let (mean, error) = magnetisation(temperature);
        assert!(error < 0.015, "T = {temperature}: {error}");
        assert!(
            (mean - exact).abs() < 5.0 * error + 5e-5,
            "T = {temperature}: {mean} +- {error} against {exact}"
        );
    }
}

/// The rms error of energies (sum xi s)^2 of 100 spins, relative to their rms, xi uniform in [-1,
/// 1].
fn gauge_energy_error(bits: u32) -> f64 {
    let gauge = Gauge::new(bits);
    let (mut error, mut power) = (0.0, 0.0);
    for sample in 0..4000 {
        let values = uniforms(100, sample);
        let exact = values.iter().sum::<f64>().powi(2);
        error +=
            (values.iter().map(|value| gauge.field(*value)).sum::<f64>().powi(2) - exact).powi(2);
        power += exact * exact;
    }
    (error / power).sqrt()
}

#[test]
fn energy_error_falls_with_the_bits_as_rounding_noise_does() {
    // A phase error of variance step^2 / 12 moves a field by sin phi; E sin^2 = 2/3. The energy o^2
    // moves by 2 o delta: rms 2 sqrt(N 2/3 step^2 / 12) sqrt(N / 3) over sqrt(3) N / 3, whatever N.
    for bits in [8, 6] {
        let step = TAU / 2f64.powi(bits as i32);
        let expected = 2.0 * (2.0 / 3.0 * step * step / 12.0f64).sqrt();
        let found = gauge_energy_error(bits);
        assert!((found / expected - 1.0).abs() < 0.1, "{bits} bits: {found} against {expected}");
    }
    for (bits, published) in [(8, 0.013), (4, 0.16), (3, 0.34)] {
        let found = gauge_energy_error(bits);
        assert!((found / published - 1.0).abs() < 0.15, "{bits} bits: {found} against {published}");
    }
}

#[test]
fn unit_normals_are_what_the_camera_adds() {
    // A camera of 1 % noise and no rounding: the wave tier's counts scatter by it.
    let device = SpimDevice::default().with(|device| {
        device.camera.noise = 0.01;
        device.panel.macro_pixel_px = 2;
    });
    let optics = optics(&device, 4);
    let wave = Wave::new(&optics);
    let near = wave
        .near_field(&Mask::encode(&optics.layout, &[&[0.5; 4]], &optics.levels), Moment::default())
        .unwrap();
    let mut stream = Key::new(1, "frames").stream();
    let frames: Vec<f64> =
        (0..2000).map(|_| wave.frame(&near, 0, [0.0; 2], Some(&mut stream)) - 0.25).collect();
    let deviation = (frames.iter().map(|frame| frame * frame).sum::<f64>() / 2000.0).sqrt();
    assert!((deviation / 0.01 - 1.0).abs() < 5.0 / 4000f64.sqrt(), "{deviation}");
}

/// A laboratory that has every effect there is.
fn everything() -> SpimDevice {
    let laboratory = Sheet::spim("spim-laboratory", &[]).unwrap();
    laboratory.with(|device| {
        device.response.scale = 256.0 / 218.0;
        device.drift.step_px = 0.5;
        // Of the few pixels of a region hardly one is hot.
        device.hot_pixels.fraction = 1.0;
        // What walks in time does so by more in the few frames of a test.
        (device.phase_drift.in_an_hour, device.power_drift.in_an_hour) = (0.5, 0.5);
    })
}

#[test]
fn every_effect_alone_is_seen() {
    let everything = everything();
    let bare = SpimDevice::default().with(|device| device.panel.macro_pixel_px = 16);
    let values = uniforms(12, 5);
    let forces_on = |device: &SpimDevice| {
        let pattern = DMatrix::from_vec(12, 1, uniforms(12, 6));
        let device = device.clone().with(|device| {
            device.patterns.values = PatternValues::Continuous;
        });
        let patterns = Patterns::reciprocal(pattern, DMatrix::from_element(1, 1, 1.0));
        let mut spim = Spim::<f64>::new(device, patterns).unwrap();
        let mut held: Vec<_> = spim.parameters().into_iter().map(|held| held.values).collect();
        // What wanders does so from write to write.
        spim.program(&mut held, Key::new(1, "write")).unwrap();
        forces(&spim, &DMatrix::from_column_slice(12, 1, &values), 0..12, 0)
    };
    let frame = |device: &SpimDevice| {
        let optics = optics(device, 12);
        let mask = Mask::encode(&optics.layout, &[&values], &optics.levels);
        let wave = Wave::new(&optics);
        let near = wave.near_field(&mask, Moment::default()).unwrap();
        wave.frame(&near, 0, [0.0; 2], Some(&mut Key::new(1, "frame").stream()))
    };
    let (still, dark) = (forces_on(&bare), frame(&bare));
    for (table, effect) in everything.effects() {
        assert!(!effect.is_off(), "{table}: give it to the laboratory of this test");
        let alone = bare.clone().with(|alone| assert!(alone.give(table, &everything)));
        assert_eq!(alone.effects_on().len(), 1, "{table}");
        assert!(alone.check().is_ok(), "{table}: the tier is chosen by itself");
        let seen = forces_on(&alone) != still || frame(&alone) != dark;
        assert!(seen, "{table} ({}) changes nothing", effect.title());
    }
}

#[test]
fn a_tier_that_loses_an_effect_is_refused() {
    let everything = everything();
    for (table, effect) in everything.effects() {
        let device = SpimDevice::default().with(|device| {
            device.tier = Some(Tier::Analytic);
            device.give(table, &everything);
        });
        let followed = effect.followed_by(Tier::Analytic.path(), &device);
        match device.check() {
            Ok(()) => assert!(followed, "{table}"),
            Err(refused) => {
                assert!(!followed && refused.contains(table), "{refused}");
                assert!(refused.contains("expected \"effective\""), "{refused}");
            }
        }
    }
    assert_eq!(SpimDevice::default().tier(), Tier::Analytic);
    assert_eq!(everything.with(|device| device.tier = None).tier(), Tier::Effective);
}

/// Pixels that modulate over half of their area and a narrow beam, without a word of a tier: they
/// are followed, and the device says so.
#[test]
fn effects_choose_their_tier() {
    let bare = SpimDevice::default();
    assert_eq!(bare.tier(), Tier::Analytic);
    assert!(!bare.describe().contains("tier"));
    let values = uniforms(12, 5);
    let forces_on = |device: &SpimDevice| {
        let pattern =
            DMatrix::from_vec(12, 1, uniforms(12, 6).iter().map(|x| x.signum()).collect());
        let patterns = Patterns::reciprocal(pattern, DMatrix::from_element(1, 1, 1.0));
        let spim = Spim::<f64>::new(device.clone(), patterns).unwrap();
        forces(&spim, &DMatrix::from_column_slice(12, 1, &values), 0..12, 0)
    };
    let still = forces_on(&bare);
    let changes: [fn(&mut SpimDevice); 2] =
        [|device| device.dead_zone.fill_factor = 0.5, |device| device.illumination.radius = 0.3];
    for change in changes {
        let device = bare.clone().with(change);
        assert_eq!(device.tier(), Tier::Effective);
        assert!(device.describe().contains("effective tier"), "{}", device.describe());
        let relative = (forces_on(&device) - &still).norm() / still.norm();
        assert!(relative > 0.1, "{relative}");
    }
}

#[test]
fn every_sheet_of_a_modulator_builds() {
    let mut found = 0;
    for name in Sheet::names() {
        let sheet = Sheet::find(name).unwrap();
        let Device::Spim(device) = sheet.device().unwrap() else { continue };
        let count = device.patterns.count;
        let patterns = DMatrix::from_element(9, count, 1.0);
        let patterns = Patterns::reciprocal(patterns, DMatrix::from_element(count, 1, 1.0));
        let spim = Spim::<f64>::new((*device).clone(), patterns).unwrap();
        assert!(spim.resolution(Span::default()).is_finite(), "{name}");
        found += 1;
    }
    assert!(found >= 9, "{found}");
}

#[test]
fn devices_come_back_from_their_tables() {
    for readout in ReadoutChoice::all() {
        let device = everything().with(|device| device.readout = readout.clone());
        let text = toml::to_string(&device).unwrap();
        assert_eq!(toml::from_str::<SpimDevice>(&text).unwrap(), device, "{text}");
        let named = format!("readout = \"{}\"", readout.name());
        assert_eq!(toml::from_str::<SpimDevice>(&named).unwrap().readout, readout);
    }
    let spsa = toml::from_str::<SpimDevice>("[readout.spsa]\ndirections = 3\n").unwrap();
    assert_eq!(spsa.readout, Spsa { directions: 3, ..Spsa::default() }.into());
    let refused = |text: &str| toml::from_str::<SpimDevice>(text).unwrap_err().to_string();
    assert!(refused("readout = \"homodine\"").contains("unknown variant `homodine`"));
    assert!(refused("[readout.spsa]\nstep = 2.0\n").contains("above 0 and at most 1"));
    assert!(refused("[readout.spsa]\nsteps = 1.0\n").contains("unknown field `steps`"));
    assert!(refused("[readout]\n").contains("expected one of parameter-shift"));
}
