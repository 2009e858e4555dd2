//! Instruments at their limits: counted as they are, and said.

mod common;

use common::Place;
use equilux::arithmetic::Real;
use equilux::arithmetic::random::Key;
use equilux::coupler::crossbar::{Crossbar, CrossbarDevice};
use equilux::coupler::spim::readout::Homodyne;
use equilux::coupler::spim::{Patterns, Spim, SpimDevice};
use equilux::coupler::{Coupler, Exact, Port, Read, Streams};
use nalgebra::DMatrix;

fn read(coupler: &dyn Coupler<f64>, values: &DMatrix<f64>) -> DMatrix<f64> {
    let samples: Vec<usize> = (0..values.ncols()).collect();
    let streams = Streams { key: Key::new(1, "reads"), samples: &samples, step: 0 };
    let mut out = DMatrix::zeros(coupler.shape().0, values.ncols());
    let read = Read::new(Port::Forward, values.as_view(), 0..out.nrows(), streams);
    coupler.read(&read, out.as_view_mut(), &mut Vec::new()).unwrap();
    out
}

fn normal(rows: usize, columns: usize, draw: u64) -> DMatrix<f64> {
    let mut stream = Key::new(draw, "numbers").stream();
    DMatrix::from_fn(rows, columns, |_, _| f64::normal(&mut stream))
}

#[test]
fn converters_count_what_is_beyond_their_range() {
    let weights = normal(7, 5, 1).map(|weight| 0.3 * weight.clamp(-2.0, 2.0));
    let values = normal(5, 40, 2);
    let driven = values.map(|value| value.clamp(-1.5, 1.5));
    let exact = read(&Exact::new(weights.clone()), &driven);
    let mut device = CrossbarDevice::default();
    (device.adc.bits, device.adc.range) = (8, 0.7);
    (device.dac.bits, device.drive.range) = (12, 1.5);
    let crossbar = Crossbar::<f64>::new(device, weights, Key::new(1, "cells")).unwrap();
    read(&crossbar, &values);
    let counted = crossbar.saturation();
    assert_eq!(counted.len(), 2);
    assert_eq!(counted[0].limit, "device.crossbar.drive.range");
    let beyond = |matrix: &DMatrix<f64>, range: f64| {
        matrix.iter().filter(|value| value.abs() > range).count() as u64
    };
    assert_eq!((counted[0].readings, counted[0].at_limit), (200, beyond(&values, 1.5)));
    assert_eq!((counted[1].readings, counted[1].at_limit), (280, beyond(&exact, 0.7)));
}

/// Through the products and frame by frame: overlaps against a reference of sqrt N.
#[test]
fn a_camera_counts_its_brightest_code() {
    let (nodes, count) = (16, 12);
    let patterns = normal(nodes, count, 3).map(f64::signum);
    let values = normal(nodes, 30, 4).map(f64::tanh);
    let reference = (nodes as f64).sqrt();
    let full = nodes as f64 + reference;
    // The camera's full scale at a quarter of what all light in phase would be.
    let limit = 0.05 * (254.5 / 255.0);
    let overlaps = patterns.transpose() * &values;
    let expected = overlaps
        .iter()
        .flat_map(|overlap| [overlap + reference, overlap - reference])
        .filter(|field| (field / full).powi(2) >= limit)
        .count() as u64;
    assert!(expected > 100, "{expected}");
    for separate in [false, true] {
        let device = SpimDevice::default().with(|device| {
            device.readout = Homodyne {}.into();
            device.patterns.count = count;
            device.camera.bits = 8;
            device.camera.full_scale = 0.05;
            device.frames.separate_noise = separate;
        });
        let weights = DMatrix::from_element(count, 1, 1.0);
        let spim =
            Spim::<f64>::new(device, Patterns::reciprocal(patterns.clone(), weights)).unwrap();
        read(&spim, &values);
        let counted = spim.saturation().remove(0);
        assert_eq!(counted.readings, 2 * 12 * 30);
        assert_eq!(counted.at_limit, expected, "frame by frame: {separate}");
    }
}

const SMALL: &str = "[data]\nset = 'wine'\nscaling = 'unit-range'\nclip = 1.0\n[relaxation]\nstep = 0.3\n\
                     tolerance = 1e-1\nmax_steps = 20\n[learning]\nrule = 'ep'\nbeta = 0.5\n[training]\n\
                     epochs = 1\n";

#[test]
fn saturation_is_said_wherever_accuracies_are() {
    for (device, set, instrument, limit) in [
        (
            "[network]\nlayers = [13, 5, 3]\ntopology = 'all-to-all'\n[device.spim]\n\
             readout = 'homodyne'\npatterns.count = 4\ncamera.bits = 8\n",
            "device.spim.camera.full_scale=1e-6",
            "camera",
            "device.spim.camera.full_scale",
        ),
        (
            "[network]\nlayers = [13, 5, 3]\n[device.crossbar]\nadc.bits = 8\n",
            "device.crossbar.adc.range=1e-3",
            "converters that read",
            "device.crossbar.adc.range",
        ),
    ] {
        let place = Place::new();
        place.file("x.toml", format!("{SMALL}{device}"));
        let printed = place.printed(&["train", "x.toml", "--out", "run", "--set", set]);
        let words = format!("% of the readings of the {instrument} were saturated");
        assert!(printed.contains(&words) && printed.contains(limit), "{printed}");
        let summary = std::fs::read_to_string(place.path("run/summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        let counted = &summary["saturation"][0];
        let number = |key: &str| counted[key].as_f64().unwrap();
        assert!(number("at_limit") > 0.3 * number("readings"), "{counted}");
        let report = std::fs::read_to_string(place.path("run/report.html")).unwrap();
        assert!(report.contains(&words));
        let fine = place.json(&["evaluate", "run", "--set", &format!("{limit}=1e6")]);
        assert_eq!(fine["saturation"], serde_json::json!([]));
    }
}
