//! A machine against its matrix, its readouts against one another, noise against its moments.

use std::ops::AddAssign;
use std::sync::Mutex;

use super::optics::light::Light;
use super::readout::{CrossTerm, Homodyne, Spsa, UnscaledShift};
use super::*;
use crate::arithmetic::Real;
use crate::coupler::{Held, Span, Streams};

const NODES: usize = 7;

/// Every readout without noise of its own, with a small step where it takes one.
fn readouts() -> Vec<ReadoutChoice> {
    let mut all = ReadoutChoice::all();
    all.retain(|readout| readout.name() != "spsa");
    for readout in &mut all {
        if let ReadoutChoice::FiniteDifference(difference) = readout {
            difference.step = 0.2;
        }
    }
    all
}

fn spim(device: SpimDevice) -> Spim<f64> {
    let mut stream = Key::new(3, "patterns").stream();
    let patterns = DMatrix::from_fn(NODES, 5, |_, _| match device.patterns.values {
        PatternValues::Binary => f64::normal(&mut stream).signum(),
        PatternValues::Continuous => f64::normal(&mut stream).tanh(),
    });
    let weights =
        DMatrix::from_fn(5, 1, |k, _| if k % 2 == 0 { 1.0 + 0.1 * k as f64 } else { -0.8 });
    Spim::new(device, Patterns::reciprocal(patterns, weights)).unwrap()
}

fn values(columns: usize) -> DMatrix<f64> {
    DMatrix::from_fn(NODES, columns, |i, j| 0.8 * (0.7 * (i + 1) as f64 + 1.3 * j as f64).sin())
}

fn force(
    spim: &Spim<f64>,
    values: &DMatrix<f64>,
    gain: Option<&DMatrix<f64>>,
    step: u64,
) -> DMatrix<f64> {
    let samples: Vec<usize> = (0..values.ncols()).collect();
    let streams = Streams { key: Key::new(1, "test"), samples: &samples, step };
    let mut out = DMatrix::zeros(5, values.ncols());
    let gain = gain.map(|gain| gain.view((2, 0), (5, values.ncols())));
    let read = Read::new(Port::Forward, values.as_view(), 2..7, streams).with_gain(gain);
    spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out
}

fn every_device() -> Vec<SpimDevice> {
    let mut devices = Vec::new();
    for readout in readouts() {
        for self_coupling in [SelfCoupling::Removed, SelfCoupling::Kept, SelfCoupling::Measured] {
            for pattern_values in [PatternValues::Binary, PatternValues::Continuous] {
                devices.push(SpimDevice::default().with(|device| {
                    device.readout = readout.clone();
                    device.patterns.self_coupling = self_coupling;
                    device.patterns.values = pattern_values;
                }));
            }
        }
    }
    devices
}

#[test]
fn every_exact_readout_of_an_ideal_machine_is_the_dense_product() {
    let (values, gain) = (values(4), values(4).map(|v| 0.3 + 0.5 * v.abs()));
    for device in every_device() {
        let spim = spim(device.clone());
        let currents = (spim.intended() * &values).rows(2, 5).into_owned();
        let forces = currents.component_mul(&gain.rows(2, 5));
        assert!((force(&spim, &values, None, 0) - &currents).abs().max() < 1e-13, "{device:?}");
        assert!(
            (force(&spim, &values, Some(&gain), 0) - &forces).abs().max() < 1e-13,
            "{device:?}"
        );
    }
}

#[test]
fn what_is_held_is_found_once_and_is_the_same() {
    for readout in readouts() {
        let spim = spim(SpimDevice::default().with(|device| device.readout = readout.clone()));
        let (found, gain) = (Mutex::new(Vec::new()), values(3).map(|v| 0.3 + 0.5 * v.abs()));
        // Samples in any order, fewer in the end.
        for (step, samples) in [vec![10, 11, 12], vec![12, 10, 11], vec![12]].iter().enumerate() {
            // The first two ports show the same in all steps.
            let moving = |i: usize| if i < 2 { 0.0 } else { step as f64 };
            let value = |i: usize, j: usize| (0.7 * i as f64 + samples[j] as f64 + moving(i)).sin();
            let values = DMatrix::from_fn(NODES, samples.len(), value);
            let streams = Streams { key: Key::new(1, "test"), samples, step: step as u64 };
            let gain = gain.view((2, 0), (5, samples.len()));
            let held = Held { ports: 2, first_sample: 10, found: &found };
            let [once, again] = [Some(held), None].map(|held| {
                let mut out = DMatrix::zeros(5, samples.len());
                let read = Read::new(Port::Forward, values.as_view(), 2..7, streams)
                    .with_gain(Some(gain.as_view()))
                    .with_held(held);
                spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
                out
            });
            assert!((once - again).amax() < 1e-14, "{readout:?}");
        }
        assert_eq!(found.lock().unwrap().len(), if spim.is_dense { 15 } else { 0 });
    }
}

#[test]
fn a_compensated_machine_has_the_forces_of_its_matrix_whatever_reads_them() {
    let values = values(3);
    for readout in readouts() {
        let device = SpimDevice::default().with(|device| {
            device.readout = readout.clone();
            device.patterns.values = PatternValues::Continuous;
            device.patterns.compensated = true;
            device.illumination.radius = 0.6;
            (device.panel.width_px, device.panel.height_px) = (48, 32);
            device.panel.macro_pixel_px = 8;
        });
        let spim = spim(device);
        let Light::Effective(_) = &spim.sides[0].light else { panic!("not followed") };
        assert!(spim.sides[0].light.brightening() > 1.1, "the light is even");
        let currents = (spim.intended() * &values).rows(2, 5).into_owned();
        let found = force(&spim, &values, None, 0);
        let error = (&found - &currents).norm() / currents.norm();
        // The colours of a macro-pixel are not lit quite alike: what is left of its field out of
        // phase counts in second order.
        assert!(error < 5e-5, "{readout:?}: {error}");
    }
}

#[test]
fn frame_by_frame_agrees_with_overlaps() {
    // A camera so fine that it changes nothing takes the frame-by-frame path.
    let (values, gain) = (values(3), values(3).map(|v| 0.3 + 0.5 * v.abs()));
    for device in every_device() {
        for phase_bits in [0, 6] {
            let device = device.clone().with(|device| {
                device.quantisation.bits = phase_bits;
            });
            let fine = device.clone().with(|device| {
                device.camera.noise = 1e-15;
                device.frames.separate_noise = true;
                device.camera.full_scale = 4.0;
            });
            let (overlaps, frames) = (spim(device.clone()), spim(fine));
            for gain in [None, Some(&gain)] {
                let difference =
                    force(&overlaps, &values, gain, 0) - force(&frames, &values, gain, 0);
                assert!(difference.abs().max() < 1e-11, "{device:?}: {}", difference.abs().max());
            }
        }
    }
}

#[test]
fn overlaps_seen_at_once_are_those_of_their_frames() {
    let rounding = SpimDevice::default().with(|device| {
        device.readout = Homodyne {}.into();
        device.camera.bits = 8;
        device.camera.full_scale = 4.0;
    });
    for device in [
        rounding.clone(),
        rounding.clone().with(|device| {
            device.patterns.values = PatternValues::Binary;
            device.quantisation.bits = 6;
        }),
    ] {
        let frames = device.clone().with(|device| {
            device.frames.separate_noise = true;
        });
        let difference =
            force(&spim(device), &values(9), None, 0) - force(&spim(frames), &values(9), None, 0);
        assert!(difference.abs().max() < 1e-12, "{}", difference.abs().max());
    }
    let noisy = rounding.with(|device| {
        device.camera.noise = 0.01;
    });
    let moments = |per_frame_noise| {
        let spim = spim(noisy.clone().with(|device| {
            device.frames.separate_noise = per_frame_noise;
        }));
        let values = DMatrix::from_fn(NODES, 5000, |i, _| 0.6 - 0.17 * i as f64);
        let forces = force(&spim, &values, None, 0);
        (forces.column_mean(), forces.column_variance())
    };
    let ((mean, variance), (frame_mean, frame_variance)) = (moments(false), moments(true));
    for i in 0..5 {
        assert!(
            (mean[i] - frame_mean[i]).abs() < 5.0 * (2.0 * frame_variance[i] / 5000.0).sqrt(),
            "mean of {i}"
        );
        assert!(
            (variance[i] / frame_variance[i] - 1.0).abs() < 5.0 * (4.0 / 5000f64).sqrt(),
            "variance of {i}"
        );
    }
}

#[test]
fn updates_without_a_latent_copy_end_on_what_can_be_shown() {
    let program = |update_rounding, value: f64, write: u64| {
        let mut spim = spim(SpimDevice::default().with(|device| {
            device.patterns.bits = 4;
            device.patterns.rounding = update_rounding;
        }));
        let mut values: Vec<_> =
            spim.parameters().into_iter().map(|parameter| parameter.values).collect();
        values[0].fill(value);
        spim.program(&mut values, Key::new(write, "test")).unwrap();
        values[0].clone()
    };
    let step = 1.0 / 7.0;
    // A quarter of a step above a level.
    let value = 2.25 * step;
    assert!(program(UpdateRounding::None, value, 0).iter().all(|held| *held == value));
    assert!(program(UpdateRounding::Nearest, value, 0).iter().all(|held| *held == 2.0 * step));
    let drawn: Vec<f64> = (0..200)
        .flat_map(|write| program(UpdateRounding::Stochastic, value, write).data.as_vec().clone())
        .collect();
    assert!(drawn.iter().all(|held| *held == 2.0 * step || *held == 3.0 * step));
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    assert!(
        (mean - value).abs() < 5.0 * step * (0.25 * 0.75 / drawn.len() as f64).sqrt(),
        "{mean} {value}"
    );
    // What can be shown stays: a resumed run goes on from the same values.
    for level in -7..=7 {
        let value = f64::from(level) * step;
        assert!((0..50).all(|write| {
            program(UpdateRounding::Stochastic, value, write).iter().all(|held| *held == value)
        }));
    }
}

#[test]
fn camera_noise_reaches_the_force_with_the_stated_resolution() {
    for (readout, per_frame_noise) in readouts()
        .into_iter()
        .flat_map(|readout: ReadoutChoice| [(readout.clone(), true), (readout, false)])
    {
        let device = SpimDevice::default().with(|device| {
            device.readout = readout.clone();
            device.frames.separate_noise = per_frame_noise;
            device.camera.noise = 0.001;
            device.camera.full_scale = 4.0;
        });
        let (noisy, clean) = (
            spim(device.clone()),
            spim(device.with(|device| {
                device.camera.noise = 0.0;
            })),
        );
        let values = values(40);
        let reference = force(&clean, &values, None, 0);
        let (mut squares, mut fourths, mut count) = (0.0, 0.0, 0.0);
        for step in 0..50 {
            let errors = force(&noisy, &values, None, step) - &reference;
            squares += errors.norm_squared();
            fourths += errors.iter().map(|error| error.powi(4)).sum::<f64>();
            count += reference.len() as f64;
        }
        // Homodyne noise is shared by the nodes of a pattern, so a fifth of the deviates are
        // independent.
        let error = 5.0 / (2.0 * count / 5.0).sqrt();
        let ratio = (squares / count).sqrt() / noisy.resolution(Span::default());
        // A shift by an eighth of a turn is attenuated where |v| + 1 does not fit the circle, and
        // amplified again.
        let quarter = ["quarter-shift", "unscaled-shift"].contains(&readout.name())
            && ratio > 1.0
            && ratio < 4.0;
        assert!(
            (ratio - 1.0).abs() < error || quarter,
            "{readout:?}, per frame {per_frame_noise}: {ratio}"
        );
        // Normal deviates have a fourth moment of three squared variances; mixed steps widen
        // that of the quarter shift.
        let kurtosis = fourths * count / (squares * squares);
        assert!(
            (kurtosis - 3.0).abs() < 12.0 * error || quarter,
            "{readout:?}, per frame {per_frame_noise}: {kurtosis}"
        );
    }
}

#[test]
fn noise_drawn_once_has_the_moments_of_noise_drawn_frame_by_frame() {
    for (readout, tier) in readouts().into_iter().flat_map(|readout: ReadoutChoice| {
        [(readout.clone(), Tier::Analytic), (readout, Tier::Effective)]
    }) {
        let device = SpimDevice::default().with(|device| {
            device.readout = readout.clone();
            device.tier = Some(tier);
            device.laser.noise = 0.02;
            device.camera.noise = 0.001;
        });
        let moments = |per_frame_noise| {
            let spim = spim(device.clone().with(|device| {
                device.frames.separate_noise = per_frame_noise;
            }));
            let values = DMatrix::from_fn(NODES, 400, |i, _| 0.6 - 0.17 * i as f64);
            let (mut sum, mut squares) = (DMatrix::zeros(5, 5), DMatrix::zeros(5, 5));
            for step in 0..10 {
                let forces = force(&spim, &values, None, step);
                for sample in forces.column_iter() {
                    sum.column_mut(0).add_assign(&sample);
                    squares += sample * sample.transpose();
                }
            }
            let mean = sum.column(0) / 4000.0;
            let covariance = squares / 4000.0 - &mean * mean.transpose();
            (mean, covariance)
        };
        let ((mean, covariance), (frame_mean, frame_covariance)) = (moments(false), moments(true));
        for i in 0..5 {
            // Two means of 4000 draws, five standard errors; so for variances and covariances.
            let error = 5.0 * (2.0 * frame_covariance[(i, i)] / 4000.0).sqrt();
            assert!((mean[i] - frame_mean[i]).abs() < error, "{readout:?} {tier:?} mean of {i}");
            for j in 0..5 {
                let scale = (frame_covariance[(i, i)] * frame_covariance[(j, j)]).sqrt();
                let error = 5.0 * scale * (4.0 / 4000f64).sqrt();
                assert!(
                    (covariance[(i, j)] - frame_covariance[(i, j)]).abs() < error,
                    "{readout:?} {tier:?} covariance {i} {j}"
                );
            }
        }
    }
}

#[test]
fn spsa_is_right_on_average() {
    let device = SpimDevice::default().with(|device| {
        device.readout = Spsa { step: 0.1, directions: 4000 }.into();
    });
    let spim = spim(device);
    let values = values(2);
    let currents = (spim.intended() * &values).rows(2, 5).into_owned();
    let found = force(&spim, &values, None, 0);
    // Each direction adds the currents of the other wanted nodes with random signs.
    let error = 5.0 * currents.norm() / 4000f64.sqrt();
    assert!((found - currents).abs().max() < error);
}

#[test]
fn ideal_optics_in_the_effective_tier_are_the_analytic_tier() {
    let (values, gain) = (values(3), values(3).map(|v| 0.3 + 0.5 * v.abs()));
    for device in every_device() {
        for phase_bits in [0, 6] {
            let analytic = device.clone().with(|device| {
                device.quantisation.bits = phase_bits;
                device.camera.noise = 1e-15;
                device.frames.separate_noise = true;
            });
            let effective = analytic.clone().with(|device| {
                device.tier = Some(Tier::Effective);
            });
            let difference = force(&spim(analytic), &values, Some(&gain), 0)
                - force(&spim(effective), &values, Some(&gain), 0);
            assert!(difference.abs().max() < 1e-11, "{device:?}: {}", difference.abs().max());
        }
    }
}

fn reader_writer(device: SpimDevice, inputs: usize, outputs: usize) -> Spim<f64> {
    let mut stream = Key::new(5, "patterns").stream();
    let mut random =
        |rows, columns| DMatrix::from_fn(rows, columns, |_, _| f64::normal(&mut stream).tanh());
    let (readers, writers, weights) = (random(inputs, 5), random(outputs, 5), random(5, 1));
    Spim::new(
        device,
        Patterns { readers, writers: Some(writers), weights, same_nodes: inputs == outputs },
    )
    .unwrap()
}

#[test]
fn a_typical_exposure_suits_both_sides_of_a_mask() {
    let (inputs, outputs) = (200, 8);
    let error = |camera_exposure, camera_full_scale, port| {
        let device = SpimDevice::default().with(|device| {
            device.readout = Homodyne {}.into();
            device.camera.bits = 12;
            device.camera.exposure = camera_exposure;
            device.camera.full_scale = camera_full_scale;
        });
        let spim = reader_writer(device, inputs, outputs);
        let (matrix, driven) = match port {
            Port::Forward => (spim.intended(), inputs),
            Port::Reversed => (spim.intended().transpose(), outputs),
        };
        let values = DMatrix::from_fn(driven, 3, |i, j| (0.4 * i as f64 - 0.9 * j as f64).cos());
        let streams = Streams { key: Key::new(1, "test"), samples: &[0, 1, 2], step: 0 };
        let mut out = DMatrix::zeros(matrix.nrows(), 3);
        let read = Read::new(port, values.as_view(), 0..matrix.nrows(), streams);
        spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
        let expected = matrix * values;
        (out - &expected).norm() / expected.norm()
    };
    for port in [Port::Forward, Port::Reversed] {
        let typical = error(CameraExposure::Typical, 6.0, port);
        assert!(typical < 0.02, "{port:?}: {typical}");
    }
    // One exposure for all that suits the inputs blinds the camera to the outputs.
    let in_phase = error(
        CameraExposure::InPhase,
        6.0 * 200.0 / (200.0 + 200f64.sqrt()).powi(2),
        Port::Reversed,
    );
    assert!(in_phase > 0.3, "{in_phase}");
}

#[test]
fn readers_and_writers_give_any_matrix_and_its_transpose() {
    for (readout, tier) in [Homodyne {}.into(), CrossTerm {}.into()]
        .into_iter()
        .flat_map(|r: ReadoutChoice| [(r.clone(), Tier::Analytic), (r, Tier::Effective)])
    {
        for (inputs, outputs) in [(NODES, NODES), (NODES, 4)] {
            let spim = reader_writer(
                SpimDevice::default().with(|device| {
                    device.readout = readout.clone();
                    device.tier = Some(tier);
                }),
                inputs,
                outputs,
            );
            assert_eq!(spim.shape(), (outputs, inputs));
            assert!(
                inputs != outputs
                    || (spim.intended() - spim.intended().transpose()).abs().max() > 0.1
            );
            for (port, driven, reached) in
                [(Port::Forward, inputs, outputs), (Port::Reversed, outputs, inputs)]
            {
                let matrix = if port == Port::Forward {
                    spim.intended()
                } else {
                    spim.intended().transpose()
                };
                let values =
                    DMatrix::from_fn(driven, 3, |i, j| (0.4 * i as f64 - 0.9 * j as f64).cos());
                let streams = Streams { key: Key::new(1, "test"), samples: &[0, 1, 2], step: 0 };
                let mut out = DMatrix::zeros(reached, 3);
                let read = Read::new(port, values.as_view(), 0..reached, streams);
                spim.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
                let error = (out - matrix * values).abs().max();
                assert!(
                    error < 1e-13,
                    "{readout:?} {tier:?} {port:?} {inputs} x {outputs}: {error:e}"
                );
            }
        }
    }
    let shift = SpimDevice::default();
    let patterns = Patterns {
        readers: DMatrix::zeros(3, 2),
        writers: Some(DMatrix::zeros(4, 2)),
        weights: DMatrix::zeros(2, 1),
        same_nodes: false,
    };
    assert!(
        Spim::<f64>::new(shift, patterns)
            .unwrap_err()
            .to_string()
            .contains("\"homodyne\" or \"cross-term\"")
    );
}

#[test]
fn frames_are_counted() {
    let spim = |readout: &ReadoutChoice, multiplexing| {
        spim(SpimDevice::default().with(|device| {
            device.readout = readout.clone();
            device.frames.multiplexing = multiplexing;
            device.patterns.count = 5;
        }))
    };
    let frames = |readout: &ReadoutChoice, multiplexing| {
        spim(readout, multiplexing).read_expense(Port::Forward, 4, Span::default()).frames
    };
    let spsa = Spsa { directions: 3, ..Spsa::default() };
    for (readout, pairs) in readouts().into_iter().zip([4, 4, 4, 4, 1, 4]).chain([(spsa.into(), 3)])
    {
        assert_eq!(frames(&readout, Multiplexing::Time), 2 * 5 * pairs, "{readout:?}");
        assert_eq!(frames(&readout, Multiplexing::Wavelength), 2 * pairs, "{readout:?}");
    }
}

#[test]
fn local_product_is_the_derivative_of_the_bilinear_form() {
    let (d, v) = (values(3), values(3).map(|v| v * v - 0.4));
    for device in every_device() {
        let spim = spim(device.clone());
        let form = |patterns: &DMatrix<f64>, weights: &DMatrix<f64>| {
            let patterns = Patterns::reciprocal(patterns.clone(), weights.clone());
            -(Spim::new(device.clone(), patterns).unwrap().intended() * &v).dot(&d)
        };
        let mut gradient = vec![DMatrix::zeros(NODES, 5), DMatrix::zeros(5, 1)];
        spim.add_local_product(d.as_view(), v.as_view(), &mut gradient);
        let h = 1e-5;
        for (index, slope) in gradient[0].iter().enumerate() {
            let (mut up, mut down) = (spim.latent.readers.clone(), spim.latent.readers.clone());
            up[index] += h;
            down[index] -= h;
            let difference =
                (form(&up, &spim.latent.weights) - form(&down, &spim.latent.weights)) / (2.0 * h);
            assert!(
                (slope - difference).abs() < 1e-9,
                "{device:?} pattern {index}: {slope} {difference}"
            );
        }
        for (index, slope) in gradient[1].iter().enumerate() {
            let (mut up, mut down) = (spim.latent.weights.clone(), spim.latent.weights.clone());
            up[index] += h;
            down[index] -= h;
            let difference =
                (form(&spim.latent.readers, &up) - form(&spim.latent.readers, &down)) / (2.0 * h);
            assert!((slope - difference).abs() < 1e-9, "{device:?} weight {index}");
        }
    }
}

#[test]
fn the_approximate_rule_takes_all_that_patterns_stand_for_and_the_yardstick_what_acts() {
    let (d, v) = (values(3), values(3).map(|v| v * v - 0.4));
    let all = 0..3;
    let samples: Vec<usize> = all.collect();
    let streams = Streams { key: Key::new(1, "test"), samples: &samples, step: 0 };
    let device = |learning_rule, readout: ReadoutChoice, self_coupling| {
        SpimDevice::default().with(|device| {
            device.learning_rule = learning_rule;
            device.readout = readout;
            device.patterns.self_coupling = self_coupling;
            device.patterns.values = PatternValues::Continuous;
        })
    };
    let unscaled = || ReadoutChoice::from(UnscaledShift {});
    let product = |device: SpimDevice, yardstick: bool| {
        let spim = spim(device);
        let mut gradient = vec![DMatrix::zeros(NODES, 5), DMatrix::zeros(5, 1)];
        if yardstick {
            let read = Read::new(Port::Forward, v.as_view(), 0..NODES, streams);
            assert!(spim.add_derivative(&read, d.as_view(), &mut gradient).unwrap());
        } else {
            spim.add_local_product(d.as_view(), v.as_view(), &mut gradient);
        }
        gradient
    };
    let approximate = device(LearningRule::Approximate, unscaled(), SelfCoupling::Measured);
    let whole = device(LearningRule::Exact, Homodyne {}.into(), SelfCoupling::Kept);
    assert_eq!(product(approximate.clone(), false), product(whole, false));
    let exact = device(LearningRule::Exact, unscaled(), SelfCoupling::Measured);
    assert_eq!(product(approximate, true), product(exact, false));
}

#[test]
fn a_measured_response_has_a_yardstick_the_mean_over_all_roundings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.csv");
    let phase = |level: usize| 7.0 * (level as f64 / 4096.0).powf(1.2);
    let table: String = (0..4096).map(|level| format!("{:.15}\n", phase(level))).collect();
    std::fs::write(&path, table).unwrap();
    let values = values(3);
    let ideal = SpimDevice::default().with(|device| {
        device.patterns.values = PatternValues::Continuous;
    });
    let reference = force(&spim(ideal.clone()), &values, None, 0);
    for calibrated in [true, false] {
        let machine = spim(ideal.clone().with(|device| {
            device.quantisation.bits = 12;
            device.response.table = Some(path.display().to_string());
            device.response.calibrated = Some(calibrated);
        }));
        let (rounded, quiet) =
            (force(&machine, &values, None, 0), machine.without_noise().unwrap());
        let quiet = force(&quiet, &values, None, 0);
        let error = (&rounded - &quiet).norm() / reference.norm();
        assert!(error > 0.0 && error < 5e-3, "calibrated {calibrated}: {error}");
        let off = (&quiet - &reference).norm() / reference.norm();
        assert!(if calibrated { off < 1e-12 } else { off > 0.1 }, "calibrated {calibrated}: {off}");
    }
    // A real modulator has levels.
    let unlevelled = ideal.with(|device| {
        device.response.table = Some(path.display().to_string());
    });
    let error = unlevelled.check().unwrap_err();
    assert!(error.contains("response.table") && error.contains("quantisation.bits"), "{error}");
}

/// A device with one effect on, continuous patterns; no effect of the list may be missing.
fn with_effect(table: &str) -> SpimDevice {
    SpimDevice::default().with(|device| {
        device.patterns.values = PatternValues::Continuous;
        match table {
            "flicker" => device.flicker.amplitude = 0.02,
            "pixel_flicker" => device.pixel_flicker.sd_rad = 0.1,
            "laser" => device.laser.noise = 0.01,
            "laser_flicker" => device.laser_flicker.density = 0.01,
            "camera" => device.camera.electrons = 1e4,
            // What stands still, or moves from write to write, is no noise of a read.
            "quantisation" | "response" | "fringing" | "dead_zone" | "illumination"
            | "aberration" | "region" | "settling" | "drift" | "calibration"
            | "varied_response" | "phase_drift" | "registration" | "unmodulated"
            | "power_drift" | "non_uniformity" | "hot_pixels" | "non_linearity" | "dark_level" => {}
            _ => panic!("{table}: is it a noise of a read? Then it counts in what a read resolves"),
        }
    })
}

#[test]
fn every_noise_counts_in_what_a_read_resolves() {
    let values = values(60);
    for table in SpimDevice::EFFECTS {
        for (rate_hz, readout) in
            [(60.0, "parameter-shift"), (60.0, "homodyne"), (50.0, "parameter-shift")]
        {
            let device = with_effect(table).with(|device| {
                device.readout = ReadoutChoice::named(readout).unwrap();
                device.flicker.rate_hz = rate_hz;
            });
            let noise = device.effects_on().iter().any(|effect| !effect.is_off());
            let noisy = spim(device);
            let draws: Vec<_> = (0..40).map(|step| force(&noisy, &values, None, step)).collect();
            let mean = draws.iter().sum::<DMatrix<f64>>() / draws.len() as f64;
            let squares: f64 = draws.iter().map(|force| (force - &mean).norm_squared()).sum();
            let spread = (squares / (mean.len() * (draws.len() - 1)) as f64).sqrt();
            let resolution = noisy.resolution(Span::default());
            if !noise {
                assert!(spread < 1e-12 && resolution == 0.0, "{table}: {spread} {resolution}");
                continue;
            }
            // A resolution is that of a typical state, this is that of some.
            let ratio = spread / resolution;
            assert!((0.4..2.5).contains(&ratio), "{table}, {readout}, {rate_hz}: {ratio}");
        }
    }
}
