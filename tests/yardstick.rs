//! The yardstick is the machine's own gradient: finite differences of the simulated cost, which know
//! nothing of any model, judge the adjoint and the rules on machines with offsets, cells that are
//! not linear, wires, stuck cells and optics.

mod common;

use common::Place;
use equilux::experiment::Experiment;
use equilux::learning::{Adjoint, Batch, Fidelity, FiniteDifferences, Rule, RuleChoice, fidelity};
use equilux::system::{Cost, Gradient, System};
use nalgebra::DMatrix;

const MACHINE: &str = r#"
    seed = 3
    precision = "f64"
    [network]
    layers = [5, 4, 3]
    [relaxation]
    step = 0.3
    tolerance = 1e-11
    max_steps = 5000
    [learning]
    beta = 0.001
"#;

/// A machine, and one batch of four samples.
struct Bench {
    experiment: Experiment,
    machine: Box<dyn System<f64>>,
    inputs: DMatrix<f64>,
    targets: DMatrix<f64>,
}

impl Bench {
    fn new(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
        let experiment = Experiment::parse(MACHINE, "test", &settings).unwrap();
        Self {
            machine: experiment.machine::<f64>().unwrap(),
            inputs: DMatrix::from_fn(5, 4, |i, j| 0.9 * (1.3 * i as f64 + 0.7 * j as f64).sin()),
            targets: DMatrix::from_fn(3, 4, |i, j| 0.8 * (i as f64 - 0.9 * j as f64).cos()),
            experiment,
        }
    }

    fn gradient(&mut self, rule: &dyn Rule<f64>) -> Gradient<f64> {
        let (inputs, targets, cost) = (&self.inputs, &self.targets, Cost::SquaredError);
        let batch = Batch { inputs, targets, cost, update: 0 };
        let estimate = rule.estimate(self.machine.as_mut(), &batch).unwrap();
        assert_eq!(estimate.unsettled, 0, "{}", rule.name());
        estimate.gradient.whole()
    }

    /// Finite differences of the machine itself.
    fn truth(&mut self) -> Gradient<f64> {
        self.gradient(&FiniteDifferences::default())
    }

    /// How close the adjoint comes to `truth`.
    fn adjoint(&mut self, truth: &Gradient<f64>) -> Fidelity {
        fidelity(&self.gradient(&Adjoint::default()), truth)
    }

    fn rule(&mut self, name: &str, truth: &Gradient<f64>) -> Fidelity {
        let learning = self.experiment.learning.with_rule(RuleChoice::named(name).unwrap());
        fidelity(&self.gradient(learning.rule(1).as_ref()), truth)
    }
}

/// The error of a central difference of steps of 1e-3, and of a machine at rest within 1e-11.
const ERROR: f64 = 2e-5;

#[test]
fn of_exact_arrays_it_is_the_derivative_of_the_cost() {
    let gradient_nodes: &[&str] = &["network.dynamics.gradient.leak=2", "network.activation=sine"];
    for dynamics in [&[], gradient_nodes] {
        for topology in ["one-way", "reciprocal", "independent-feedback", "all-to-all"] {
            let topology = format!("network.topology={topology}");
            let mut bench = Bench::new(&[dynamics, &[topology.as_str()]].concat());
            let truth = bench.truth();
            let found = bench.adjoint(&truth);
            assert!(found.relative_error < ERROR, "{dynamics:?} {topology}: {found:?}");
        }
    }
}

/// Crossbars with one effect each, in both dynamics, used one way and both ways.
#[test]
fn of_crossbars_it_has_their_offsets_gains_cells_and_tiles() {
    let devices: [&[&str]; 7] = [
        &["device.crossbar.amplifiers.offset_sd=0.05"],
        &["device.crossbar.amplifiers.offset_sd=0.2", "device.crossbar.amplifiers.gain_sd=0.2"],
        &[
            "device.crossbar.reverse_amplifiers.offset_sd=0.2",
            "device.crossbar.reverse_amplifiers.gain_sd=0.3",
        ],
        &["device.crossbar.stuck.at_min=0.2", "device.crossbar.stuck.at_max=0.1"],
        &["device.crossbar.drift.nu=[-0.01, 0.03, 0.01, 0.1]", "device.crossbar.age.at=1 h"],
        &[
            "device.crossbar.amplifiers.offset_sd=0.1",
            "device.crossbar.tiles.rows=3",
            "device.crossbar.tiles.columns=2",
        ],
        &[
            "device.crossbar.sheet=rram-milo",
            "device.crossbar.programming.error_uS=0",
            "device.crossbar.programming.error_terms=[]",
            "device.crossbar.dac.bits=0",
            "device.crossbar.adc.bits=0",
        ],
    ];
    let gradient_nodes: &[&str] = &["network.dynamics.gradient.leak=2", "network.activation=sine"];
    for device in devices {
        for dynamics in [&[], gradient_nodes] {
            for topology in ["network.topology=one-way", "network.topology=reciprocal"] {
                let mut bench = Bench::new(&[device, dynamics, &[topology]].concat());
                let truth = bench.truth();
                let found = bench.adjoint(&truth);
                // A cell's law has a corner where its pair changes sides.
                let error = if device[0].contains("milo") { 5e-3 } else { ERROR };
                let at = format!("{device:?} {dynamics:?} {topology}");
                assert!(found.relative_error < error, "{at}: {found:?}");
            }
        }
    }
}

/// What a cell's neighbours lose more of when it conducts more is left out.
#[test]
fn behind_wires_only_the_change_of_losses_is_left_out() {
    let wires = ["device.crossbar.wires.r_word_ohm=20", "device.crossbar.wires.r_bit_ohm=20"];
    let mut bench = Bench::new(&wires);
    let truth = bench.truth();
    let found = bench.adjoint(&truth);
    assert!(found.cosine > 0.9999, "{found:?}");
}

/// All of a laboratory's optics without its noise; EP, whose laboratory sees the same light, does
/// worse because such a machine has no energy.
#[test]
fn of_optics_it_has_fringing_dead_zones_and_readouts() {
    const OPTICS: [&str; 15] = [
        "network.layers=[5,2,3]",
        "network.topology=all-to-all",
        "network.activation=sine",
        "network.dynamics.gradient.leak=2",
        "relaxation.tolerance=1e-9",
        "device.spim.tier=effective",
        "device.spim.patterns.count=3",
        "device.spim.patterns.values=continuous",
        "device.spim.patterns.train_weights=true",
        "device.spim.panel.width_px=80",
        "device.spim.panel.height_px=64",
        "device.spim.panel.macro_pixel_px=16",
        "device.spim.panel.checker_px=2",
        "device.spim.illumination.radius=1.5",
        "device.spim.patterns.compensated=true",
    ];
    let fringing: &[&str] = &["device.spim.fringing.sigma=2", "device.spim.fringing.order=1.2"];
    let dead_zone: &[&str] =
        &["device.spim.dead_zone.fill_factor=0.9", "device.spim.dead_zone.reflectivity=0.5"];
    let lagging: &[&str] = &["device.spim.settling.rise_ms=5", "device.spim.settling.fall_ms=5"];
    let bench: &[&str] = &[
        "device.spim.registration.camera_px=[0.1, 0.05]",
        "device.spim.registration.panel_px=[3.0, -2.0]",
        "device.spim.registration.rotation_mrad=20",
        "device.spim.region.spot_px=3",
        "device.spim.calibration.phase_rad=0.02",
        "device.spim.calibration.unit_of_light=0.05",
        "device.spim.varied_response.slope=[0.03, 0.02]",
        "device.spim.varied_response.map_sd=0.02",
        "device.spim.unmodulated.coherent=0.05",
        "device.spim.unmodulated.phase_rad=0.8",
        "device.spim.unmodulated.incoherent=0.01",
    ];
    let camera: &[&str] = &[
        "device.spim.camera.full_scale=0.4",
        "device.spim.non_linearity.bend=0.05",
        "device.spim.non_uniformity.sd=0.05",
        "device.spim.hot_pixels.fraction=0.5",
        "device.spim.dark_level.level=0.05",
        "device.spim.dark_level.residual=0.01",
    ];
    let rectangular: &[&str] = &["device.spim.patterns.non_reciprocal=true"];
    for (effects, readout) in [
        (dead_zone, "parameter-shift"),
        (fringing, "parameter-shift"),
        (fringing, "quarter-shift"),
        (fringing, "finite-difference"),
        (fringing, "homodyne"),
        (rectangular, "cross-term"),
        (rectangular, "homodyne"),
        (lagging, "parameter-shift"),
        (bench, "parameter-shift"),
        (bench, "homodyne"),
        (camera, "parameter-shift"),
        (camera, "homodyne"),
    ] {
        let readout = format!("device.spim.readout={readout}");
        let mut bench = Bench::new(&[&OPTICS[..], effects, &[&readout]].concat());
        let truth = bench.truth();
        let found = bench.adjoint(&truth);
        // What a lagging panel remembers of one pattern in the next is left out.
        let least = if effects == lagging { 0.999 } else { 0.9999 };
        assert!(found.cosine > least, "{effects:?} {readout}: {found:?}");
    }
}

/// Two copies on one array: its offsets are gone from their difference.
#[test]
fn dyadic_ep_does_not_see_offsets() {
    for topology in ["network.topology=one-way", "network.topology=reciprocal"] {
        let mut bench = Bench::new(&[
            topology,
            "device.crossbar.amplifiers.offset_sd=0.1",
            "device.crossbar.reverse_amplifiers.offset_sd=0.1",
        ]);
        let truth = bench.truth();
        let found = bench.rule("dyadic-ep", &truth);
        assert!(found.relative_error < ERROR, "{topology}: {found:?}");
    }
}

/// Its reads are three times the free phase's for as many steps: one forward, two reversed.
#[test]
fn dyadic_ep_pays_for_both_copies() {
    let mut bench = Bench::new(&[
        "device.crossbar.adc.bits=8",
        "device.crossbar.adc.range=8",
        "device.crossbar.noise.bandwidth_Hz=0",
        "relaxation.max_steps=10",
        "relaxation.tolerance=1e-30",
    ]);
    let (inputs, targets, cost) = (&bench.inputs, &bench.targets, Cost::SquaredError);
    let batch = Batch { inputs, targets, cost, update: 0 };
    let conversions = |machine: &dyn System<f64>| machine.expense().conversions;
    let start = conversions(bench.machine.as_ref());
    let free = batch.infer(bench.machine.as_mut()).unwrap();
    let after_free = conversions(bench.machine.as_ref());
    let nudge = batch.nudge(0.5);
    let phase = equilux::system::Phase::Dyadic { nudge, free: &free };
    bench.machine.settle(inputs, &phase).unwrap();
    let dyadic = conversions(bench.machine.as_ref()) - after_free;
    // Four samples, ten steps: 3 outputs forward, 4 hidden nodes in reverse, twice. The free phase
    // reads the drive of 4 hidden nodes once besides.
    assert_eq!(after_free - start, 4 * (4 + 10 * 3));
    assert_eq!(dyadic, 4 * 10 * (3 + 2 * 4));
}

#[test]
fn gradient_says_which_yardstick_it_used() {
    let place = Place::new();
    let machine = MACHINE.replace("[5, 4, 3]", "[13, 4, 3]");
    let file = place.file("offsets.toml", machine);
    let with = |settings: &[&'static str]| {
        let mut arguments = vec!["gradient", file, "--samples", "4", "--rule", "dyadic-ep,adjoint"];
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        arguments
    };
    let offsets = with(&["device.crossbar.amplifiers.offset_sd=0.2"]);
    let model = place.json(&offsets);
    let words = model["yardstick"].as_str().unwrap();
    assert!(words.contains("by programmed weights"), "{words}");
    let truth = place.json(&[&offsets[..], &["--truth"]].concat());
    assert!(truth["yardstick"].as_str().unwrap().contains("finite differences"));
    for row in truth["rules"].as_array().unwrap() {
        assert!(row["cosine"].as_f64().unwrap() > 0.999_999, "{row}");
    }
    let wires = place.json(&with(&["device.crossbar.wires.r_word_ohm=5"]));
    assert!(wires["yardstick"].as_str().unwrap().contains("the losses of wires held"));
}
