//! A simulated array of cells behind the protocol of laboratories: the kind `array`.
//!
//! Cells are single ones, each beside a reference in the middle of the range, as
//! `cells.mapping = "offset"` has them: a row's current is what the array reads of the differences,
//! and the reference's share, which is exact,
//!
//! ```text
//! I_r = sum_c (G_rc - G_mid) v_c + G_mid sum_c v_c
//! ```
//!
//! of cells that are not linear the sum of what a cell of G_mid carries at each v_c.
//!
//! Pulsed cells are pulsed as often as they are asked to; a write to targets sets them, as far as
//! each goes. All cells of the instrument live through each request to pulse: what leaks, leaks.

use std::collections::BTreeSet;

use nalgebra::{DMatrix, DMatrixView};
use serde_json::{Map, Value, json};

use super::effects::{CrossbarDevice, Direction};
use super::settings::Mapping;
use super::{Crossbar, Memory};
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::{Coupler, Port, Read, Streams};
use crate::wire::{self, Array, Instrument, Message, Refusal};
use crate::{Error, Result};

/// Samples of a read.
const MOST_SAMPLES: usize = 4096;

/// Samples that are read in a second where the device does not say.
const READS_PER_SECOND: f64 = 1e4;

/// Pulses of one cell in a request.
const MOST_PULSES: f64 = 1e6;

/// Why cells that only step up are nobody's who talks over the wire.
pub(super) const ONLY_UP: &str = "device.crossbar.pulses.direction = \"up\": pairs of cells that only step up are refreshed, for \
     which the protocol of laboratories has no word; expected \"both\"";

/// A simulated array.
#[derive(Debug)]
pub struct SimulatedArray {
    device: CrossbarDevice,
    array: Crossbar<f64>,
    session: String,
    key: Key,
    revision: u64,
    reads: u64,
    /// What pulses were done, by their nonces.
    pulsed: BTreeSet<String>,
}

impl SimulatedArray {
    /// An array of `rows` x `columns` cells of `device`, at their lowest conductance. `chip` names
    /// what is fixed in it, `key` its noise, `session` what is told as such.
    ///
    /// # Errors
    /// Those of [`Crossbar::new`]; when cells only step up.
    pub fn new(
        device: &CrossbarDevice,
        [rows, columns]: [usize; 2],
        [chip, key]: [Key; 2],
        session: String,
    ) -> Result<Self> {
        if !device.pulses.is_off() && device.pulses.direction == Direction::Up {
            return Err(Error::input(ONLY_UP));
        }
        let mut device = device.clone();
        device.cells.mapping = Mapping::Offset;
        let lowest = DMatrix::from_element(rows, columns, -device.cells.weight_max);
        let array = Crossbar::new(device.clone(), lowest, chip)?;
        let (revision, reads, pulsed) = Default::default();
        Ok(Self { device, array, session, key, revision, reads, pulsed })
    }

    fn middle(&self) -> f64 {
        0.5 * (self.device.cells.g_min_us + self.device.cells.g_max_us)
    }

    fn program(&mut self, request: &Message) -> Result<Message, Refusal> {
        let (rows, columns) = self.array.shape();
        let targets = numbers(request, "values", &[rows, columns])?;
        let cells = &self.device.cells;
        let slack = 1e-9 * cells.g_max_us;
        let within = cells.g_min_us - slack..=cells.g_max_us + slack;
        if let Some(beyond) = targets.iter().find(|g| !within.contains(*g)) {
            let (low, high) = (cells.g_min_us, cells.g_max_us);
            return Err(Refusal::range(format!("{beyond} uS: expected {low} to {high}")));
        }
        let (middle, scale) = (self.middle(), cells.weight_per_us());
        let weights = DMatrix::from_row_slice(rows, columns, &targets);
        let mut weights = [weights.map(|g| (g - middle) * scale)];
        let key = self.next(request);
        match &mut self.array.memory {
            Memory::Written(_) => self.array.program(&mut weights, key)?,
            Memory::Pulsed(cells) => {
                cells.set(&self.device, &weights[0]);
                self.array.read_cells()?;
            }
        }
        Ok(self.written())
    }

    fn pulse(&mut self, request: &Message) -> Result<Message, Refusal> {
        let nonce = request.text("nonce");
        let nonce = nonce.ok_or_else(|| Refusal::range("nonce: expected one, as text"))?.to_owned();
        if self.pulsed.contains(&nonce) {
            return Ok(self.written().with("done", true));
        }
        let (rows, columns) = self.array.shape();
        let counts = numbers(request, "counts", &[rows, columns])?;
        if let Some(bad) = counts.iter().find(|n| n.fract() != 0.0 || n.abs() > MOST_PULSES) {
            return Err(Refusal::range(format!(
                "counts: {bad}: expected whole numbers of at most {MOST_PULSES:.0} either way"
            )));
        }
        if !matches!(self.array.memory, Memory::Pulsed(_)) {
            return Err(Refusal::unsupported(
                "pulse: these cells take targets; expected device.crossbar.pulses.model",
            ));
        }
        let key = self.next(request);
        if let Memory::Pulsed(cells) = &mut self.array.memory {
            // Cells are held column by column.
            let of = |index: usize| counts[index % rows * columns + index / rows] as i64;
            cells.pulse(&self.device, key, |index, _, _| of(index));
        }
        self.array.read_cells()?;
        self.pulsed.insert(nonce);
        Ok(self.written().with("done", true))
    }

    /// Numbers the write of `request`, and names its random streams.
    fn next(&mut self, request: &Message) -> Key {
        let revision = request.field("revision").and_then(Value::as_u64);
        self.revision = revision.unwrap_or(self.revision + 1);
        self.key.with(u64::MAX).with(self.revision)
    }

    /// The answer to a write.
    fn written(&self) -> Message {
        let expense = json!({ "pulses": self.array.expense().pulses });
        Message::ok().with("revision", self.revision).with("expense", expense)
    }

    fn read(&mut self, request: &Message) -> Result<Message, Refusal> {
        let (rows, columns) = self.array.shape();
        let (port, driven, read) = match request.text("port") {
            Some("forward") => (Port::Forward, columns, rows),
            Some("reversed") => (Port::Reversed, rows, columns),
            other => {
                let other = other.unwrap_or("none");
                return Err(Refusal::range(format!(
                    "port {other}: expected \"forward\" or \"reversed\""
                )));
            }
        };
        let samples = wire::samples(request, "values", MOST_SAMPLES)?;
        let volts = numbers(request, "values", &[samples, driven])?;
        let wanted = match request
            .field("wanted")
            .map(|value| serde_json::from_value(value.clone()))
        {
            None => [0, read],
            Some(Ok::<[usize; 2], _>([first, end])) if first <= end && end <= read => [first, end],
            Some(_) => {
                return Err(Refusal::range(format!(
                    "wanted: expected the first port and the one after the last, of {read}"
                )));
            }
        };
        let per_volt = 1.0 / self.device.drive.volts_per_value();
        let values: Vec<f64> = volts.iter().map(|volts| volts * per_volt).collect();
        let values = DMatrixView::from_slice(&values, driven, samples);
        let order: Vec<usize> = (0..samples).collect();
        let streams = Streams { key: self.key.with(self.reads), samples: &order, step: 0 };
        self.reads += 1;
        let mut currents = DMatrix::zeros(wanted[1] - wanted[0], samples);
        let whole = Read::new(port, values, wanted[0]..wanted[1], streams);
        self.array.read(&whole, currents.as_view_mut(), &mut Vec::new())?;
        let scale = 1.0 / (self.device.cells.weight_per_us() * per_volt);
        let middle = self.device.law()(1e-6 * self.middle());
        // From the other side a cell's voltage has the other sign, and so has its current.
        let sign = if port == Port::Forward { 1.0 } else { -1.0 };
        let carried = |volts: f64| 1e6 * sign * middle.current(sign * volts);
        for (mut currents, volts) in currents.column_iter_mut().zip(volts.chunks_exact(driven)) {
            let reference: f64 = volts.iter().map(|volts| carried(*volts)).sum();
            currents.iter_mut().for_each(|current| *current = *current * scale + reference);
        }
        let shape = [samples, wanted[1] - wanted[0]];
        let currents = Array::of_numbers("currents", &shape, currents.iter().copied());
        Ok(Message::ok().with_array(currents))
    }
}

/// The finite numbers of the array `name`.
fn numbers(request: &Message, name: &str, shape: &[usize]) -> Result<Vec<f64>, Refusal> {
    let numbers = request.numbers(name, shape).map_err(Refusal::fatal)?;
    match numbers.iter().all(|number| number.is_finite()) {
        true => Ok(numbers),
        false => Err(Refusal::range(format!("{name}: expected finite numbers"))),
    }
}

impl Instrument for SimulatedArray {
    fn hello(&self) -> Map<String, Value> {
        let (rows, columns) = self.array.shape();
        let cells = &self.device.cells;
        let reads = match self.device.cost.read_time_us {
            time if time > 0.0 => 1e6 / time,
            _ => READS_PER_SECOND,
        };
        let hello = json!({
            "kind": "array", "name": format!("simulated array of {rows} x {columns} cells"),
            "session": self.session, "rows": rows, "columns": columns,
            "g_min_uS": cells.g_min_us, "g_max_uS": cells.g_max_us, "max_samples": MOST_SAMPLES,
            "reads_per_second": reads,
        });
        hello.as_object().cloned().unwrap_or_default()
    }

    fn state(&self) -> Map<String, Value> {
        wire::state(
            &self.session,
            self.revision,
            json!({ "reads": self.reads, "pulses": self.array.expense().pulses }),
        )
    }

    fn answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        match request.text("do").unwrap_or_default() {
            "program" => self.program(request),
            "pulse" => self.pulse(request),
            "read" => self.read(request),
            other => Err(Refusal::unsupported(format!(
                "{other}: this array can program, pulse and read"
            ))),
        }
    }
}
