//! Hardware of one's own: an array whose weights saturate, W = w_max tanh(theta), read with noise.
//!
//! `cargo run --release --example own_coupler`

use equilux::Result;
use equilux::arithmetic::random::Key;
use equilux::arithmetic::{View, ViewMut};
use equilux::coupler::{Coupler, Domain, Expense, Parameter, Port, Read, Span, add_plain_product};
use equilux::data::{DataConfig, Dataset, Parts};
use equilux::experiment::Experiment;
use equilux::state::State;
use equilux::system::{
    Activation, AnalogNetwork, Coupling, CouplingKind, Dynamics, Instruments, Layer,
    NetworkDescription, Relaxation,
};
use equilux::training::Trainer;
use nalgebra::DMatrix;

/// An array of weights that saturate.
#[derive(Clone)]
pub struct Saturating {
    theta: DMatrix<f64>,
    w_max: f64,
    /// Standard deviation of a current from read to read.
    noise: f64,
    writes: u64,
}

impl Saturating {
    fn weights(&self) -> DMatrix<f64> {
        self.theta.map(|theta| self.w_max * theta.tanh())
    }
}

impl Coupler<f64> for Saturating {
    fn shape(&self) -> (usize, usize) {
        self.theta.shape()
    }

    fn read(&self, read: &Read<f64>, mut currents: ViewMut<f64>, _: &mut Vec<f64>) -> Result<()> {
        let weights = match read.port {
            Port::Forward => self.weights(),
            Port::Reversed => self.weights().transpose(),
        };
        let mut found = weights.rows_range(read.wanted.clone()) * read.values;
        for (column, mut found) in found.column_iter_mut().enumerate() {
            read.streams.key(column).add_normals(found.as_mut_slice(), self.noise);
        }
        if let Some(gain) = &read.gain {
            found.component_mul_assign(gain);
        }
        currents += found;
        Ok(())
    }

    fn add_local_product(&self, d: View<f64>, v: View<f64>, gradient: &mut [DMatrix<f64>]) {
        let mut by_weight = [DMatrix::zeros(self.theta.nrows(), self.theta.ncols())];
        add_plain_product(d, v, &mut by_weight);
        let slope = self.theta.map(|theta| self.w_max * (1.0 - theta.tanh().powi(2)));
        gradient[0] += by_weight[0].component_mul(&slope);
    }

    fn parameters(&self) -> Vec<Parameter<f64>> {
        vec![Parameter::new("theta", self.theta.clone(), Domain::Real)]
    }

    fn program(&mut self, values: &mut [DMatrix<f64>], _: Key) -> Result<()> {
        self.theta.copy_from(&values[0]);
        self.writes += 1;
        Ok(())
    }

    fn intended(&self) -> DMatrix<f64> {
        self.weights()
    }

    fn noiseless(&self) -> Option<Box<dyn Coupler<f64>>> {
        Some(Box::new(Self { noise: 0.0, ..self.clone() }))
    }

    fn linear(&self, port: Port) -> Option<DMatrix<f64>> {
        let weights = self.weights();
        Some(if port == Port::Forward { weights } else { weights.transpose() })
    }

    fn resolution(&self, _: Span) -> f64 {
        self.noise
    }

    fn read_expense(&self, _: Port, wanted: usize, _: Span) -> Expense {
        Expense { conversions: wanted as u64, seconds: 1e-6, ..Expense::default() }
    }

    fn expense(&self) -> Expense {
        Expense { seconds: 1e-3 * self.writes as f64, ..Expense::default() }
    }

    fn state(&self) -> State<f64> {
        State::default().with("writes", vec![self.writes])
    }

    fn restore(&mut self, state: &State<f64>) -> Result<()> {
        self.writes = state.counts("writes", 1)?[0];
        Ok(())
    }
}

/// A network of 13 inputs, 8 hidden and 3 output nodes on such arrays.
pub fn machine() -> Result<AnalogNetwork<f64>> {
    let array = |name: &str, from: std::ops::Range<usize>, to: std::ops::Range<usize>| {
        let key = Key::new(1, name);
        let mut theta = DMatrix::zeros(to.len(), from.len());
        key.add_normals(theta.as_mut_slice(), 0.3);
        let coupler = Box::new(Saturating { theta, w_max: 2.0, noise: 0.01, writes: 0 });
        Coupling { name: name.into(), from, to, kind: CouplingKind::OneWay, coupler }
    };
    let layer = |nodes| Layer { nodes, activation: Activation::Tanh };
    AnalogNetwork::new(NetworkDescription {
        inputs: 13,
        layers: vec![layer(8), layer(3)],
        dynamics: Dynamics::Additive,
        couplings: vec![array("0-1", 0..13, 13..21), array("1-2", 13..21, 21..24)],
        bias: DMatrix::zeros(11, 1),
        train_bias: true,
        relaxation: Relaxation { step: 1.0, max_steps: 10, ..Relaxation::default() },
        instruments: Instruments::default(),
        seed: 1,
        chip: 0,
        title: "arrays of saturating weights".into(),
    })
}

fn main() -> Result<()> {
    let experiment =
        Experiment::parse("network.layers = [13, 8, 3]\nlearning.beta = 0.5", "own_coupler", &[])?;
    let config = DataConfig::default();
    let data = Parts::prepare(Dataset::load(&config)?, &config, experiment.seed)?;
    let rule = experiment.learning.rule(experiment.seed);
    let optimiser = experiment.training.optimiser.optimiser();
    let machine = Box::new(machine()?);
    let mut trainer = Trainer::new(machine, rule, optimiser, data, experiment.plan())?;
    trainer.train()?;
    println!("test accuracy {:.1} %", 100.0 * trainer.evaluate_test()?.score().value());
    Ok(())
}
