//! A machine of a laboratory that relaxes by itself: the kind `system`.
//!
//! Equilux says what to program and how to nudge; the machine settles. Its parameters are plain:
//! each is a matrix of couplings into some nodes from inputs, nodes, or both, or a bias, so that
//! the gradient is -d v^T of measured numbers. A machine that can be driven backwards holds the
//! current
//! W v0 - W^T v0 by itself, and remembers its own free steady state.

use std::ops::Range;
use std::sync::Arc;

use nalgebra::DMatrix;
use serde_json::Value;

use super::{
    Correction, Cost, HeldCurrent, LocalProduct, Measurement, Nudge, Phase, Resolution, System,
    no_such_phase,
};
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Domain, Expense, Parameter};
use crate::state::State;
use crate::wire::{Array, Kind, Laboratory, Message, Question, SystemKind, SystemParameter};
use crate::{Error, Result};

/// A machine of a laboratory.
pub struct RemoteSystem<T: Real> {
    laboratory: Arc<Laboratory>,
    kind: SystemKind,
    parameters: Vec<Parameter<T>>,
    /// Which rows each parameter joins, of inputs and then nodes: to, from; a bias from none.
    joins: Vec<[Range<usize>; 2]>,
    /// Whether the machine holds the parameters.
    programmed: bool,
    samples: u64,
}

/// The name of a cost on the wire.
fn cost_name(cost: Cost) -> Value {
    serde_json::to_value(cost).unwrap_or(Value::Null)
}

/// The values that a parameter may take.
fn domain<T: Real>(domain: &Value) -> Result<Domain<T>, String> {
    let expected = || format!("domain {domain}: expected \"real\", \"binary\" or \"[-1,1]\"");
    let text = match domain {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    };
    match &*text {
        "real" => return Ok(Domain::Real),
        "binary" => return Ok(Domain::Binary),
        "fixed" => return Ok(Domain::Fixed),
        _ => {}
    }
    let [low, high]: [f64; 2] = serde_json::from_str(&text).map_err(|_| expected())?;
    if low < high { Ok(Domain::Interval(T::of(low), T::of(high))) } else { Err(expected()) }
}

impl SystemKind {
    /// Which rows a parameter joins, of inputs and then nodes: to, from.
    fn joins(&self, parameter: &SystemParameter) -> Result<[Range<usize>; 2], String> {
        let (inputs, all) = (self.inputs, self.inputs + self.nodes);
        let [rows, columns] = parameter.shape;
        let range = |stated: &Option<[usize; 2]>, usual: Option<Range<usize>>| match stated {
            Some([first, end]) if first <= end && *end <= all => Some(*first..*end),
            Some(_) => None,
            None => usual,
        };
        let usual_to = (rows == self.nodes).then_some(inputs..all);
        let usual_from = match columns {
            1 if self.inputs != 1 && self.nodes != 1 => Some(0..0),
            n if n == self.inputs && n != self.nodes => Some(0..inputs),
            n if n == self.nodes && n != self.inputs => Some(inputs..all),
            n if n == all => Some(0..all),
            _ => None,
        };
        let (to, from) = (range(&parameter.to, usual_to), range(&parameter.from, usual_from));
        let fits = |to: &Range<usize>, from: &Range<usize>| {
            to.start >= inputs
                && to.len() == rows
                && from.len() == if from.is_empty() { 0 } else { columns }
        };
        match (to, from) {
            (Some(to), Some(from)) if fits(&to, &from) => Ok([to, from]),
            _ => Err(format!(
                "parameter {} of {rows} x {columns}: expected {} rows, one a node, and {} columns \
                 (inputs), {} (nodes), {all} (both) or 1 (biases), or the rows that it joins as \
                 \"to\": [first, end], \"from\": [first, end] of inputs and then nodes",
                parameter.name, self.nodes, self.inputs, self.nodes
            )),
        }
    }
}

impl<T: Real> RemoteSystem<T> {
    /// The machine of `laboratory`, with weights to begin with: normal deviates of standard
    /// deviation `gain` / sqrt(columns) within each domain, signs where it is binary, 0 for
    /// biases; `seed` names their streams. It is programmed before it first settles.
    ///
    /// # Errors
    /// When the laboratory is of another kind, or a parameter is none that can be trained.
    pub fn new(laboratory: Arc<Laboratory>, gain: f64, seed: u64) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{}: {message}", laboratory.name()));
        let Kind::System(kind) = laboratory.hello().kind.clone() else {
            let found = laboratory.hello().kind.name();
            let message =
                format!("kind = \"{found}\": machine = \"laboratory\" expected \"system\"");
            return Err(wrong(message));
        };
        let (mut parameters, mut joins) = (Vec::new(), Vec::new());
        for (index, parameter) in kind.parameters.iter().enumerate() {
            let join = kind.joins(parameter).map_err(wrong)?;
            let domain = domain::<T>(&parameter.domain)
                .map_err(|e| wrong(format!("parameter {}: {e}", parameter.name)))?;
            let [rows, columns] = parameter.shape;
            let deviation = T::of(gain / (columns as f64).sqrt());
            let mut stream = Key::new(seed, "initial weights").with(index as u64).stream();
            let is_bias = join[1].is_empty();
            let values = DMatrix::from_fn(rows, columns, |_, _| {
                let value = deviation * T::normal(&mut stream);
                match domain {
                    Domain::Binary if value < T::zero() => -T::one(),
                    Domain::Binary => T::one(),
                    _ if is_bias => T::zero(),
                    Domain::Interval(low, high) if value < low => low.min(high),
                    Domain::Interval(_, high) if value > high => high,
                    _ => value,
                }
            });
            parameters.push(Parameter::new(parameter.name.clone(), values, domain));
            joins.push(join);
        }
        let (programmed, samples) = (false, 0);
        Ok(Self { laboratory, kind, parameters, joins, programmed, samples })
    }

    /// Checks that the machine has the `phases` that the rule `rule` asks for.
    ///
    /// # Errors
    /// When it has not.
    pub fn expect_phases(&self, rule: &str, phases: &[&str]) -> Result<()> {
        let own = &self.kind.phases;
        match phases.iter().find(|phase| !own.iter().any(|own| own == *phase)) {
            None => Ok(()),
            Some(phase) => Err(Error::input(format!(
                "{}: learning.rule = \"{rule}\" needs the phase \"{phase}\": it has {}",
                self.laboratory.name(),
                own.join(", ")
            ))),
        }
    }

    /// Programs the parameters, if the machine does not hold them.
    fn begin(&mut self) -> Result<()> {
        if self.programmed {
            return Ok(());
        }
        let (revision, _) = self.laboratory.revise(0, 0.0, |_| ());
        let mut request = Message::request("program").with("revision", revision);
        for Parameter { name, values, .. } in &self.parameters {
            request = request.with_array(by_rows(name, values));
        }
        let what = format!("program revision {revision}");
        self.laboratory.program(&Arc::new(request), revision, &what)?;
        self.programmed = true;
        Ok(())
    }

    /// The name of a phase, and its nudge.
    fn told<'a>(&self, phase: &Phase<'a, T>) -> Result<(&'static str, Option<Nudge<'a, T>>)> {
        let told = match phase {
            Phase::Free => ("free", None),
            Phase::Nudged { nudge, correction: Correction::None, .. } => ("nudged", Some(*nudge)),
            Phase::Nudged { nudge, correction: Correction::PortReversal(_), .. } => {
                ("reversed", Some(*nudge))
            }
            Phase::Dyadic { nudge, .. } => ("dyadic", Some(*nudge)),
            Phase::Nudged { .. } => {
                return Err(no_such_phase(&self.describe(), "be corrected by a digital model"));
            }
        };
        if !self.kind.phases.iter().any(|own| own == told.0) {
            let what = format!("settle in the phase \"{}\"", told.0);
            return Err(no_such_phase(&self.describe(), &what));
        }
        Ok(told)
    }
}

/// A matrix as an array, its columns first: samples x rows.
fn by_columns<T: Real>(name: &str, matrix: &DMatrix<T>) -> Array {
    let shape = [matrix.ncols(), matrix.nrows()];
    Array::of_numbers(name, &shape, matrix.iter().map(|value| value.f64()))
}

/// A matrix as an array, row by row.
fn by_rows<T: Real>(name: &str, matrix: &DMatrix<T>) -> Array {
    let shape = [matrix.nrows(), matrix.ncols()];
    Array::of_numbers(name, &shape, matrix.transpose().iter().map(|value| value.f64()))
}

impl<T: Real> System<T> for RemoteSystem<T> {
    fn describe(&self) -> String {
        format!("{} in a laboratory", self.laboratory.hello().name)
    }

    fn inputs(&self) -> usize {
        self.kind.inputs
    }

    fn outputs(&self) -> Range<usize> {
        self.kind.outputs[0]..self.kind.outputs[1]
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        self.parameters.clone()
    }

    /// They are programmed before the machine settles next.
    fn program(&mut self, values: &mut [DMatrix<T>]) -> Result<()> {
        if values.len() != self.parameters.len() {
            let (expected, found) = (self.parameters.len(), values.len());
            return Err(Error::input(format!("expected {expected} parameters, found {found}")));
        }
        for (parameter, values) in self.parameters.iter_mut().zip(values) {
            if parameter.values.shape() != values.shape() {
                let (name, (rows, columns)) = (&parameter.name, parameter.values.shape());
                let found = values.shape();
                return Err(Error::input(format!(
                    "{name}: expected {rows} x {columns}, found {} x {}",
                    found.0, found.1
                )));
            }
            parameter.values.copy_from(values);
        }
        self.programmed = false;
        Ok(())
    }

    fn settle(&mut self, inputs: &DMatrix<T>, phase: &Phase<T>) -> Result<Measurement<T>> {
        let (name, nudge) = self.told(phase)?;
        let (nodes, samples) = (self.kind.nodes, inputs.ncols());
        if inputs.nrows() != self.kind.inputs {
            let (expected, found) = (self.kind.inputs, inputs.nrows());
            return Err(Error::input(format!("inputs: expected {expected} rows, found {found}")));
        }
        self.begin()?;
        let request = Message::request("settle").with("phase", name);
        let mut request = request.with_array(by_columns("inputs", inputs));
        if let Some(nudge) = nudge {
            request = request.with("beta", nudge.beta.f64()).with("cost", cost_name(nudge.cost));
            request = request.with_array(by_columns("targets", nudge.targets));
        }
        let question = Question {
            what: format!("settle {samples} samples in the phase \"{name}\""),
            seconds: 0.0,
            answer_bytes: samples.saturating_mul(nodes + 4).saturating_mul(24).saturating_add(1024),
            again: true,
        };
        self.samples += samples as u64;
        let answer = self.laboratory.ask_unless(&["saturated"], &Arc::new(request), &question)?;
        let mut measured = Measurement::settled(DMatrix::zeros(nodes, samples));
        let Ok(answer) = answer else {
            measured.settled.fill(false);
            return Ok(measured);
        };
        let numbers = |name: &str, shape: &[usize]| {
            let found = answer.numbers(name, shape);
            found.map_err(|problem| self.laboratory.wrong(&question.what, &problem))
        };
        let matrix = |numbers: Vec<f64>| {
            DMatrix::from_iterator(nodes, samples, numbers.into_iter().map(T::of))
        };
        measured.values = matrix(numbers("values", &[samples, nodes])?);
        if name == "dyadic" {
            measured.difference = Some(matrix(numbers("difference", &[samples, nodes])?));
        }
        let settled = numbers("settled", &[samples])?;
        measured.steps =
            numbers("steps", &[samples])?.iter().map(|steps| *steps as usize).collect();
        for (sample, settled) in settled.iter().enumerate() {
            let finite = |matrix: &DMatrix<T>| {
                matrix.column(sample).iter().all(|value| value.f64().is_finite())
            };
            let read = finite(&measured.values) && measured.difference.iter().all(finite);
            measured.settled[sample] = *settled != 0.0 && read;
        }
        Ok(measured)
    }

    /// The machine measures and holds it by itself.
    fn held_current(&mut self, inputs: &DMatrix<T>, _: &Measurement<T>) -> Result<HeldCurrent<T>> {
        Ok(HeldCurrent(DMatrix::zeros(self.kind.nodes, inputs.ncols())))
    }

    /// -d v^T for each parameter; of one that acts both ways, also with the roles of d and v
    /// swapped.
    fn local_product<'a>(
        &self,
        inputs: &'a DMatrix<T>,
        d: DMatrix<T>,
        at: DMatrix<T>,
    ) -> LocalProduct<'a, T> {
        let (driven, samples) = (self.kind.inputs, inputs.ncols());
        let mut all = DMatrix::zeros(driven + self.kind.nodes, samples);
        all.rows_mut(0, driven).copy_from(inputs);
        all.rows_mut(driven, self.kind.nodes).copy_from(&at);
        let mut signal = DMatrix::zeros(driven + self.kind.nodes, samples);
        signal.rows_mut(driven, self.kind.nodes).copy_from(&d);
        let of = |([to, from], stated): (&[Range<usize>; 2], &SystemParameter)| {
            let rows = |matrix: &DMatrix<T>, rows: &Range<usize>| {
                matrix.rows(rows.start, rows.len()).into_owned()
            };
            if from.is_empty() {
                let sums = rows(&signal, to).column_sum();
                return -DMatrix::from_column_slice(to.len(), 1, sums.as_slice());
            }
            let mut gradient = -(rows(&signal, to) * rows(&all, from).transpose());
            if stated.both_ways {
                gradient -= rows(&all, to) * rows(&signal, from).transpose();
            }
            gradient
        };
        self.joins.iter().zip(&self.kind.parameters).map(of).collect::<Vec<_>>().into()
    }

    fn expense(&self) -> Expense {
        Expense { retries: self.laboratory.spent().retries, ..Expense::default() }
    }

    fn is_in_a_laboratory(&self) -> bool {
        true
    }

    fn resolution(&self) -> Option<Resolution> {
        Some(Resolution { tolerance: self.kind.resolution, noise: 0.0 })
    }

    fn state(&self) -> State<T> {
        let (revision, exchanges) = (self.laboratory.revision(), self.laboratory.exchanges());
        State::default()
            .with("laboratory", vec![revision, exchanges, u64::from(self.programmed)])
            .with("session", self.laboratory.hello().session.clone())
            .with("samples", vec![self.samples])
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        let session = state.text("session")?;
        let (counts, samples) = (state.counts("laboratory", 3)?, state.counts("samples", 1)?);
        self.samples = samples[0];
        self.laboratory.go_on_from(counts[0]);
        self.laboratory.seek(counts[1])?;
        self.programmed = counts[2] == 1 && self.laboratory.holds(session, counts[0])?;
        Ok(())
    }
}
