//! A simulated machine behind the protocol of laboratories: the kind `system`.

use nalgebra::DMatrix;
use serde_json::{Map, Value, json};

use super::{
    AnalogNetwork, Correction, Cost, CouplingKind, HeldCurrent, Measurement, Nudge, Phase, System,
};
use crate::coupler::{Domain, Parameter};
use crate::wire::{self, Array, Instrument, Message, Refusal};
use crate::{Error, Result};

/// Samples that settle together.
const MOST_SAMPLES: usize = 65_536;

/// A simulated machine.
pub struct SimulatedSystem {
    network: AnalogNetwork<f64>,
    session: String,
    revision: u64,
    /// The inputs of the last free phase, its steady state, and the current held there.
    free: Option<(DMatrix<f64>, Measurement<f64>)>,
    held: Option<HeldCurrent<f64>>,
}

impl SimulatedSystem {
    /// The machine `network`; `session` is what is told as such.
    ///
    /// # Errors
    /// When its parameters are no plain matrices: what is trained of them nobody else could know.
    pub fn new(network: AnalogNetwork<f64>, session: String) -> Result<Self> {
        let mut couplings = network.couplings().iter();
        if let Some(other) = couplings.find(|coupling| !coupling.coupler.is_plain_matrix()) {
            return Err(Error::input(format!(
                "array {}: its parameters are no matrix of weights, as those of a machine that \
                 relaxes by itself; expected --kind frames",
                other.name
            )));
        }
        Ok(Self { network, session, revision: 0, free: None, held: None })
    }

    fn program(&mut self, request: &Message) -> Result<Message, Refusal> {
        let value = |parameter: Parameter<f64>| {
            let (rows, columns) = parameter.values.shape();
            let values =
                request.numbers(&parameter.name, &[rows, columns]).map_err(Refusal::fatal)?;
            match values.iter().all(|value| value.is_finite()) {
                true => Ok(DMatrix::from_row_slice(rows, columns, &values)),
                false => Err(Refusal::range(format!("{}: not finite", parameter.name))),
            }
        };
        let values: Result<Vec<_>, Refusal> =
            self.network.parameters().into_iter().map(value).collect();
        self.network.program(&mut values?)?;
        (self.free, self.held) = (None, None);
        let revision = request.field("revision").and_then(Value::as_u64);
        self.revision = revision.unwrap_or(self.revision + 1);
        Ok(Message::ok().with("revision", self.revision))
    }

    fn settle(&mut self, request: &Message) -> Result<Message, Refusal> {
        let samples = wire::samples(request, "inputs", MOST_SAMPLES)?;
        let matrix = |name: &str, rows: usize| -> Result<DMatrix<f64>, Refusal> {
            let numbers = request.numbers(name, &[samples, rows]).map_err(Refusal::fatal)?;
            Ok(DMatrix::from_vec(rows, samples, numbers))
        };
        let inputs = matrix("inputs", self.network.inputs())?;
        let name = request.text("phase").unwrap_or_default();
        if name == "free" {
            let measured = self.network.settle(&inputs, &Phase::Free)?;
            let answer = answer(&measured);
            (self.free, self.held) = (Some((inputs, measured)), None);
            return Ok(answer);
        }
        let Some((own, free)) = self.free.as_ref().filter(|(own, _)| *own == inputs) else {
            return Err(Refusal::fatal(
                "a learning phase follows the free phase of the same inputs",
            ));
        };
        let targets = matrix("targets", self.network.outputs().len())?;
        let beta = request.field("beta").and_then(Value::as_f64).filter(|beta| beta.is_finite());
        let beta = beta.ok_or_else(|| Refusal::fatal("beta: expected a number"))?;
        let cost = request.field("cost").cloned().unwrap_or(Value::Null);
        let cost: Cost =
            serde_json::from_value(cost).map_err(|e| Refusal::fatal(format!("cost: {e}")))?;
        let nudge = Nudge { beta, cost, targets: &targets, release: false };
        if name == "reversed" && self.held.is_none() {
            self.held = Some(self.network.held_current(own, free)?);
        }
        let phase = match (name, &self.held) {
            ("nudged", _) => Phase::Nudged { nudge, correction: Correction::None, free },
            ("reversed", Some(held)) => {
                Phase::Nudged { nudge, correction: Correction::PortReversal(held), free }
            }
            ("dyadic", _) => Phase::Dyadic { nudge, free },
            _ => return Err(Refusal::unsupported(format!("phase \"{name}\""))),
        };
        Ok(answer(&self.network.settle(own, &phase)?))
    }
}

/// A measurement as it is sent.
fn answer(measured: &Measurement<f64>) -> Message {
    let (nodes, samples) = measured.values.shape();
    let matrix = |name: &str, matrix: &DMatrix<f64>| {
        Array::of_numbers(name, &[samples, nodes], matrix.iter().copied())
    };
    let settled = measured.used().into_iter().map(u8::from).collect();
    let steps = measured.steps.iter().map(|steps| *steps as f64);
    let mut answer = Message::ok().with_array(matrix("values", &measured.values));
    if let Some(difference) = &measured.difference {
        answer = answer.with_array(matrix("difference", difference));
    }
    answer
        .with_array(Array::of_bytes("settled", &[samples], settled))
        .with_array(Array::of_numbers("steps", &[samples], steps))
}

/// A domain as it is sent.
fn domain(domain: Domain<f64>) -> String {
    match domain {
        Domain::Real => "real".into(),
        Domain::Binary => "binary".into(),
        Domain::Fixed => "fixed".into(),
        Domain::Interval(low, high) => format!("[{low},{high}]"),
    }
}

impl Instrument for SimulatedSystem {
    fn hello(&self) -> Map<String, Value> {
        let (network, inputs) = (&self.network, self.network.inputs());
        let parameters = network.parameters();
        let nodes = network.outputs().end;
        let of = |(index, parameter): (usize, &Parameter<f64>)| {
            let (to, from, both_ways) = match network.couplings().get(index) {
                Some(each) => {
                    let both_ways = each.kind == CouplingKind::Reciprocal;
                    let reached = each.to.start.max(inputs)..each.to.end;
                    (
                        if reached == each.to { each.to.clone() } else { reached },
                        each.from.clone(),
                        both_ways,
                    )
                }
                None => (inputs..inputs + nodes, 0..0, false),
            };
            json!({
                "name": parameter.name, "shape": [parameter.values.nrows(), parameter.values.ncols()],
                "domain": domain(parameter.domain), "to": [to.start, to.end],
                "from": [from.start, from.end], "both_ways": both_ways,
            })
        };
        let parameters: Vec<Value> = parameters.iter().enumerate().map(of).collect();
        let outputs = network.outputs();
        let resolution = network.resolution().map_or(0.0, |resolution| resolution.tolerance);
        let hello = json!({
            "kind": "system", "name": network.describe(), "session": self.session,
            "inputs": inputs, "nodes": nodes, "outputs": [outputs.start, outputs.end],
            "parameters": parameters, "phases": ["free", "nudged", "reversed", "dyadic"],
            "resolution": resolution,
        });
        hello.as_object().cloned().unwrap_or_default()
    }

    fn state(&self) -> Map<String, Value> {
        wire::state(
            &self.session,
            self.revision,
            json!({ "seconds": self.network.expense().seconds }),
        )
    }

    fn answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        match request.text("do").unwrap_or_default() {
            "program" => self.program(request),
            "settle" => self.settle(request),
            other => Err(Refusal::unsupported(format!(
                "{other}: this machine can be programmed and settles"
            ))),
        }
    }
}
