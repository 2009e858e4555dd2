//! A machine of one's own that is no analog network: two floating nodes, a diode between them and
//! two trained conductances to the inputs. Kirchhoff's laws find the steady state.
//!
//! ```text
//! F1 = g1 (x1 - v1) - v1 - D(v1 - v2),      F2 = g2 (x2 - v2) - v2 + D(v1 - v2)
//! D(u) = I (e^(u / U) - 1)
//! ```
//!
//! `cargo run --release --example own_system`

use std::ops::Range;

use equilux::Result;
use equilux::coupler::{Domain, Expense, Parameter};
use equilux::data::{Examples, Labels, Outputs, Parts};
use equilux::learning::{EquilibriumPropagation, Nudges, Nudging};
use equilux::state::State;
use equilux::system::{Correction, Cost, LocalProduct, Measurement, Phase, System, no_such_phase};
use equilux::training::optimiser::{Rates, Sgd};
use equilux::training::{Objective, Plan, Schedule, Trainer};
use nalgebra::{DMatrix, Matrix2, Vector2};

const CURRENT: f64 = 0.05;
const VOLTAGE: f64 = 0.25;

/// Two nodes, a diode and two conductances.
#[derive(Default)]
pub struct Rectifier {
    conductances: Vector2<f64>,
    settlings: u64,
}

impl Rectifier {
    /// With conductances of one half.
    pub fn new() -> Self {
        Self { conductances: Vector2::repeat(0.5), settlings: 0 }
    }

    fn force(&self, x: &Vector2<f64>, v: &Vector2<f64>) -> Vector2<f64> {
        let diode = CURRENT * (((v[0] - v[1]) / VOLTAGE).exp() - 1.0);
        self.conductances.component_mul(&(x - v)) - v - Vector2::new(diode, -diode)
    }

    fn jacobian(&self, v: &Vector2<f64>) -> Matrix2<f64> {
        let slope = CURRENT / VOLTAGE * ((v[0] - v[1]) / VOLTAGE).exp();
        let load = self.conductances.map(|g| -g - 1.0);
        Matrix2::from_diagonal(&load) + Matrix2::new(-slope, slope, slope, -slope)
    }

    /// Newton's method under a `nudge`, of strength and target.
    fn rest(&self, x: Vector2<f64>, nudge: Option<(f64, Cost, [f64; 2])>) -> (Vector2<f64>, bool) {
        let (mut v, mut force) = (Vector2::zeros(), Vector2::zeros());
        for _ in 0..60 {
            force = self.force(&x, &v);
            let mut jacobian = self.jacobian(&v);
            if let Some((beta, cost, target)) = nudge {
                cost.for_each_slope(v.as_slice(), &target, |i, slope| force[i] -= beta * slope);
                jacobian -= Matrix2::identity() * beta;
            }
            let step = jacobian.lu().solve(&force).unwrap_or_else(Vector2::zeros);
            // The exponential is followed a few units of its voltage at a time.
            v -= step * (VOLTAGE / step.amax().max(VOLTAGE));
        }
        (v, force.amax() < 1e-9)
    }
}

fn column(matrix: &DMatrix<f64>, sample: usize) -> Vector2<f64> {
    Vector2::new(matrix[(0, sample)], matrix[(1, sample)])
}

impl System<f64> for Rectifier {
    fn describe(&self) -> String {
        "a diode and two conductances".into()
    }

    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> Range<usize> {
        0..2
    }

    fn parameters(&self) -> Vec<Parameter<f64>> {
        let values = DMatrix::from_column_slice(2, 1, self.conductances.as_slice());
        vec![Parameter::new("conductances", values, Domain::Interval(0.01, 10.0))]
    }

    fn program(&mut self, values: &mut [DMatrix<f64>]) -> Result<()> {
        self.conductances.copy_from_slice(values[0].as_slice());
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<f64>, phase: &Phase<f64>) -> Result<Measurement<f64>> {
        self.settlings += 1;
        let nudge = match phase {
            Phase::Free => None,
            Phase::Nudged { nudge, correction: Correction::None, .. } => Some(nudge),
            _ => return Err(no_such_phase(&self.describe(), "be corrected or coupled to a copy")),
        };
        let mut measured = Measurement::settled(DMatrix::zeros(2, inputs.ncols()));
        for sample in 0..inputs.ncols() {
            let nudge = nudge.map(|nudge| {
                let target = column(nudge.targets, sample);
                (nudge.beta, nudge.cost, [target[0], target[1]])
            });
            let (v, settled) = self.rest(column(inputs, sample), nudge);
            measured.values.set_column(sample, &v);
            measured.settled[sample] = settled;
        }
        Ok(measured)
    }

    /// -sum d_i (x_i - v_i): by the voltage across each conductance, not by a product of nodes.
    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<f64>,
        d: DMatrix<f64>,
        at: DMatrix<f64>,
    ) -> LocalProduct<'a, f64> {
        let gradient = -d.component_mul(&(inputs - at)).column_sum();
        vec![DMatrix::from_column_slice(2, 1, gradient.as_slice())].into()
    }

    fn expense(&self) -> Expense {
        Expense { seconds: 1e-6 * self.settlings as f64, ..Expense::default() }
    }

    fn state(&self) -> State<f64> {
        State::default().with("settlings", vec![self.settlings])
    }

    fn restore(&mut self, state: &State<f64>) -> Result<()> {
        self.settlings = state.counts("settlings", 1)?[0];
        Ok(())
    }

    fn adjoint(
        &self,
        inputs: &DMatrix<f64>,
        cost: Cost,
        targets: &DMatrix<f64>,
    ) -> Result<Option<(Measurement<f64>, DMatrix<f64>)>> {
        let mut free = Measurement::settled(DMatrix::zeros(2, inputs.ncols()));
        let mut adjoint = free.values.clone();
        for sample in 0..inputs.ncols() {
            let (v, settled) = self.rest(column(inputs, sample), None);
            let (mut slopes, target) = (Vector2::zeros(), column(targets, sample));
            cost.for_each_slope(v.as_slice(), target.as_slice(), |i, slope| slopes[i] = slope);
            let solved = self.jacobian(&v).transpose().lu().solve(&slopes);
            adjoint.set_column(sample, &solved.unwrap_or_else(Vector2::zeros));
            free.values.set_column(sample, &v);
            free.settled[sample] = settled;
        }
        Ok(Some((free, adjoint)))
    }
}

/// Points of a plane: the class is the larger of the first coordinate and a third of the second.
pub fn data() -> Parts<f64> {
    let points = |count: usize, shift: f64| {
        let wave = |i: usize, k: usize| (1.7 * k as f64 + 2.3 * i as f64 + shift).sin();
        let inputs = DMatrix::from_fn(2, count, wave);
        let labels = inputs.column_iter().map(|x| usize::from(x[1] > 3.0 * x[0]));
        let labels = Labels::Classes(labels.collect());
        Examples { inputs, labels }
    };
    Parts {
        name: "points of a plane".into(),
        train: points(120, 0.0),
        validation: None,
        test: points(60, 0.4),
        test_samples: (0..60).collect(),
        outputs: Outputs::Classes(vec!["first".into(), "second".into()]),
        inputs: 2,
    }
}

/// Plain EP: the machine is reciprocal.
pub fn trainer(machine: Rectifier, epochs: usize) -> Result<Trainer<f64>> {
    let objective = Objective { cost: Cost::SquaredError, target_off: -0.2, target_on: 0.2 };
    let schedule = Schedule::default();
    let plan = Plan { epochs, batch: 12, schedule, objective, rates: Rates::default(), seed: 1 };
    let rule = EquilibriumPropagation(Nudges::new(0.1, Nudging::Centred));
    let sgd = Sgd { rate: 0.5, ..Sgd::default() };
    Trainer::new(Box::new(machine), Box::new(rule), Box::new(sgd), data(), plan)
}

fn main() -> Result<()> {
    let mut trainer = trainer(Rectifier::new(), 10)?;
    println!("before: test accuracy {:.1} %", 100.0 * trainer.evaluate_test()?.score().value());
    trainer.train()?;
    println!("after:  test accuracy {:.1} %", 100.0 * trainer.evaluate_test()?.score().value());
    println!("conductances {:.3}", trainer.values()[0].transpose());
    Ok(())
}
