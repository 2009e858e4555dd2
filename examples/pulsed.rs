//! In-situ training by pulses: digits on every pulsed preset beside arrays that are written to
//! their targets.
//!
//! The cells are the only memory: gradients become numbers of pulses. `cargo run --release
//! --example pulsed [SEEDS]`

use std::path::Path;

use equilux::Result;
use equilux::arithmetic::{Span, Statistics};
use equilux::experiment::{Experiment, Session};

const PRESETS: [&str; 7] = [
    "ideal-crossbar",
    "idealized-pulses",
    "gokmen-vlasov",
    "capacitor",
    "ecram",
    "reram-sb",
    "reram-es",
];

fn main() -> Result<()> {
    let seeds: u64 = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    println!("{:20} {:>16} {:>18}", "preset", "test accuracy", "pulses a weight");
    for preset in PRESETS {
        let (mut accuracies, mut pulses) = (Vec::new(), 0.0);
        for seed in 1..=seeds {
            let settings = [format!("seed={seed}"), format!("device.crossbar.sheet={preset}")];
            let experiment = Experiment::load(Path::new("configs/digits-pulsed.toml"), &settings)?;
            let Session { experiment, mut trainer, .. } = Session::<f32>::new(experiment)?;
            trainer.train()?;
            let weights: usize =
                experiment.network.layers.windows(2).map(|pair| pair[0] * pair[1]).sum();
            pulses += trainer.spent().pulses as f64 / (weights as f64 * seeds as f64);
            accuracies.push(100.0 * trainer.evaluate_test()?.score().value());
        }
        let Some(found) = Statistics::of(&accuracies, Span::Between(0.0, 100.0)) else { continue };
        // Of one seed there is no deviation.
        let spread = found.deviation.map_or(String::new(), |sd| format!("+- {sd:.2} "));
        println!("{preset:20} {:8.2} {spread:8}% {pulses:16.0}", found.mean);
    }
    Ok(())
}
