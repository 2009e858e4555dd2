//! An optimiser of one's own: Lion (Chen et al. 2023, arXiv 2302.06675) trains Wine on exact arrays.
//!
//! `cargo run --release --example own_optimiser`

use equilux::Result;
use equilux::data::{DataConfig, Dataset, Parts};
use equilux::experiment::Experiment;
use equilux::training::Trainer;
use equilux::training::optimiser::{Chunk, Optimiser, Step};

/// theta <- theta - rate sign(b1 m + (1 - b1) g),  m <- b2 m + (1 - b2) g.
pub struct Lion {
    /// Learning rate.
    pub rate: f64,
}

const BETA: [f64; 2] = [0.9, 0.99];

impl Optimiser<f64> for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn moments(&self) -> &'static [&'static str] {
        &["momentum"]
    }

    fn step(&self, step: &Step, chunk: &mut Chunk<f64>, scratch: &mut Vec<f64>) {
        let rate = self.rate * step.rate_factor;
        let slopes = chunk.gradient.values(scratch);
        let numbers = chunk.values.iter_mut().zip(&mut *chunk.moments[0]);
        for ((value, momentum), slope) in numbers.zip(slopes) {
            *value -= rate * (BETA[0] * *momentum + (1.0 - BETA[0]) * slope).signum();
            *momentum = BETA[1] * *momentum + (1.0 - BETA[1]) * slope;
        }
    }
}

fn main() -> Result<()> {
    let experiment = Experiment::parse("network.layers = [13, 8, 3]", "own_optimiser", &[])?;
    let config = DataConfig::default();
    let data = Parts::prepare(Dataset::load(&config)?, &config, experiment.seed)?;
    let rule = experiment.learning.rule(experiment.seed);
    let lion = Box::new(Lion { rate: 0.01 });
    let mut trainer = Trainer::new(experiment.machine()?, rule, lion, data, experiment.plan())?;
    trainer.train()?;
    println!("test accuracy {:.1} %", 100.0 * trainer.evaluate_test()?.score().value());
    Ok(())
}
