//! Digits on phase-change cells an hour after they were written: trained in the loop, against weights that were trained on an ideal array
//! and then programmed.
//!
//! `cargo run --release --example in_the_loop [SEEDS]`

use std::path::Path;

use equilux::Result;
use equilux::config::Experiment;
use equilux::data::{Dataset, Parts};
use equilux::system::System;
use equilux::training::{Trainer, evaluate};

fn trained(experiment: &Experiment) -> Result<Trainer<f32>> {
    let parts = Parts::prepare(Dataset::load(&experiment.data)?, &experiment.data, experiment.seed)?;
    let mut trainer = Trainer::new(experiment.clone(), Box::new(experiment.machine::<f32>()?), parts)?;
    while !trainer.is_finished() {
        trainer.epoch(&mut |_| ())?;
    }
    Ok(trainer)
}

fn main() -> Result<()> {
    let seeds: u64 = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(5);
    println!("seed   in the loop   transferred   ideal");
    let mut sums = [0.0; 3];
    for seed in 1..=seeds {
        let device = Experiment::load(Path::new("configs/digits-pcm.toml"), &[format!("seed={seed}")])?;
        let settings = [format!("seed={seed}"), "device.crossbar.weight_max=1".into(), "device.crossbar.sheet=ideal-crossbar".into()];
        let mut ideal = Experiment::load(Path::new("configs/digits-pcm.toml"), &settings)?;
        if let equilux::config::Device::Crossbar(crossbar) = &mut ideal.device {
            **crossbar = equilux::coupler::crossbar::CrossbarDevice {
                weight_max: 1.0,
                dac_range: crossbar.dac_range,
                ..equilux::coupler::crossbar::CrossbarDevice::ideal()
            };
        }
        let mut in_loop = trained(&device)?;
        let mut on_ideal = trained(&ideal)?;
        let mut other = device.machine::<f32>()?;
        other.program(on_ideal.values())?;
        let transferred = evaluate(&mut other, &on_ideal.parts().test, &device.learning)?;
        let row = [in_loop.evaluate_test()?.0.accuracy(), transferred.accuracy(), on_ideal.evaluate_test()?.0.accuracy()];
        println!("{seed:4} {:12.2} % {:11.2} % {:6.2} %", 100.0 * row[0], 100.0 * row[1], 100.0 * row[2]);
        sums.iter_mut().zip(row).for_each(|(sum, accuracy)| *sum += 100.0 * accuracy / seeds as f64);
    }
    println!("mean {:12.2} % {:11.2} % {:6.2} %", sums[0], sums[1], sums[2]);
    Ok(())
}
