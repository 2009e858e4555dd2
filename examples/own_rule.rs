//! A learning rule of one's own: nudges of three strengths on both sides, so that the bias is of
//! sixth order in the nudge.
//!
//! `cargo run --release --example own_rule`

use equilux::Result;
use equilux::arithmetic::Real;
use equilux::experiment::{Experiment, Session};
use equilux::learning::{Adjoint, Batch, Estimate, Nudges, Nudging, Rule, Signal, fidelity};
use equilux::system::{Correction, System};

/// d = (45 d1 - 9 d2 + d3) / 60 with dk = (v(k beta) - v(-k beta)) / beta: AsymEP's phases, nudged
/// with one, two and three times `beta`.
pub struct SixthOrder {
    /// The weakest nudge.
    pub beta: f64,
}

/// Multiples of the nudge, and the weight of the contrast that each makes.
const STENCIL: [(f64, f64); 3] = [(1.0, 3.0 / 2.0), (2.0, -3.0 / 5.0), (3.0, 1.0 / 10.0)];

impl<T: Real> Rule<T> for SixthOrder {
    fn name(&self) -> &'static str {
        "sixth-order"
    }

    fn estimate<'a>(
        &self,
        system: &mut dyn System<T>,
        batch: &Batch<'a, T>,
    ) -> Result<Estimate<'a, T>> {
        let free = batch.infer(system)?;
        let held = system.held_current(batch.inputs, &free)?;
        let correction = Correction::PortReversal(&held);
        let (mut d, mut used) = (free.values.map(|_| T::zero()), free.used());
        for (multiple, weight) in STENCIL {
            let nudges = Nudges::new(multiple * self.beta, Nudging::Centred);
            let contrast = nudges.contrast(system, batch, &free, correction)?;
            d += contrast.d * T::of(weight);
            used.iter_mut().zip(contrast.used).for_each(|(all, one)| *all &= one);
        }
        let signal = Signal { d, at: free.values.clone() };
        Ok(Estimate::of_signal(system, batch, free, &used, signal))
    }
}

fn main() -> Result<()> {
    let text = "precision = 'f64'\nnetwork.layers = [13, 8, 3]\nrelaxation.tolerance = 1e-13\n\
                relaxation.max_steps = 1000";
    let experiment = Experiment::parse(text, "own_rule", &[])?;
    let mut session = Session::<f64>::new(experiment)?;
    let (inputs, targets) = session.first_batch(32);
    let cost = session.experiment.learning.cost;
    let batch = Batch { inputs: &inputs, targets: &targets, cost, update: 0 };
    let machine = session.trainer.system_mut();
    let exact = Adjoint::default().gradient(machine, &batch)?;
    println!("beta   relative error");
    for beta in [0.2, 0.1, 0.05] {
        let found = SixthOrder { beta }.gradient(machine, &batch)?;
        println!("{beta:<6} {:.1e}", fidelity(&found, &exact).relative_error);
    }
    Ok(())
}
