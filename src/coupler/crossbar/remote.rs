//! A laboratory's array of cells in place of a simulated one.
//!
//! Output i is the difference of two rows of the instrument, 2i with the conductances G+ and 2i + 1
//! with G-, as the experiment's `cells` map weights. Arrays of one machine lie on the instrument
//! one after the other, corner to corner: no two share a row or a column, and lines that are not
//! driven are at 0 V.
//!
//! Of a pulsed weight only G+ is pulsed; G- stays in the middle of the range, where it was written.
//! After the pulses the cells are read back, one column driven at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nalgebra::DMatrix;

use super::effects::{CrossbarDevice, Direction};
use super::hook::Path;
use super::instrument::ONLY_UP;
use super::settings::Mapping;
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View, ViewMut};
use crate::coupler::{
    Coupler, Domain, Effect, Expense, Parameter, Port, Read, Span, add_plain_product,
};
use crate::state::State;
use crate::wire::{Array, ArrayKind, Kind, Laboratory, Message, Question};
use crate::{Error, Result};

/// An array of pairs of cells on the instrument of a laboratory, outputs x inputs.
#[derive(Debug)]
pub struct RemoteArray<T: Real> {
    device: CrossbarDevice,
    laboratory: Arc<Laboratory>,
    kind: ArrayKind,
    weights: DMatrix<T>,
    /// Whether the instrument holds them.
    programmed: bool,
    /// The first row and the first column on the instrument.
    corner: [usize; 2],
    is_first: bool,
    samples: AtomicU64,
    conversions: AtomicU64,
    pulses: u64,
}

impl<T: Real> RemoteArray<T> {
    /// The array of `weights` (outputs x inputs) on the instrument of `laboratory`, as the array
    /// `index` of its machine. It is programmed before the first read.
    ///
    /// # Errors
    /// When the laboratory is of another kind, its cells have less range than those of `device`, or
    /// its array is too small.
    pub fn new(
        device: CrossbarDevice,
        weights: DMatrix<T>,
        laboratory: Arc<Laboratory>,
        index: u64,
    ) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{}: {message}", laboratory.name()));
        let Kind::Array(kind) = laboratory.hello().kind.clone() else {
            let found = laboratory.hello().kind.name();
            return Err(wrong(format!(
                "kind = \"{found}\": an experiment of [device.crossbar] expected \"array\""
            )));
        };
        let cells = &device.cells;
        if kind.g_min_us > cells.g_min_us || kind.g_max_us < cells.g_max_us {
            return Err(wrong(format!(
                "its cells have {} to {} uS: the experiment's device.crossbar.cells expected {} to \
                 {} uS",
                kind.g_min_us, kind.g_max_us, cells.g_min_us, cells.g_max_us
            )));
        }
        if !device.pulses.is_off() {
            if !device.follows(Path::StraightCurrents) {
                return Err(Error::input(
                    "device.crossbar.pulses: what pulsed cells hold is read back from their currents at one \
                     voltage; expected cells that are linear: no device.crossbar.current and no selector",
                ));
            }
            if device.pulses.direction == Direction::Up {
                return Err(Error::input(ONLY_UP));
            }
            if cells.mapping != Mapping::Offset {
                return Err(Error::input(
                    "device.crossbar.cells.mapping: of a pulsed weight in a laboratory one cell is \
                     pulsed, the other stays in the middle of the range; expected \"offset\"",
                ));
            }
        }
        let (outputs, inputs) = weights.shape();
        let corner = laboratory.claim([2 * outputs, inputs], [kind.rows, kind.columns]);
        let corner = corner.ok_or_else(|| {
            wrong(format!(
                "its array has {} rows and {} columns: there is no room for {} rows and {inputs} \
                 columns beside the arrays before it",
                kind.rows,
                kind.columns,
                2 * outputs
            ))
        })?;
        let (samples, conversions, pulses) = Default::default();
        let (is_first, programmed) = (index == 0, false);
        let weights = held(&device, &weights);
        Ok(Self {
            device,
            laboratory,
            kind,
            weights,
            programmed,
            corner,
            is_first,
            samples,
            conversions,
            pulses,
        })
    }

    /// Writes the targets of all arrays to the instrument.
    fn write(&self) -> Result<()> {
        let [row, column] = self.corner;
        let cells = &self.device.cells;
        let (bound, columns) = (cells.weight_max, self.kind.columns);
        let low = cells.g_min_us.max(self.kind.g_min_us);
        let (revision, targets) =
            self.laboratory.revise(self.kind.rows * columns, low, |targets| {
                for ((output, input), weight) in enumerated(&self.weights) {
                    let pair = cells.conductances(weight.f64().clamp(-bound, bound));
                    for (side, conductance) in pair.into_iter().enumerate() {
                        targets[(row + 2 * output + side) * columns + column + input] = conductance;
                    }
                }
            });
        let shape = [self.kind.rows, columns];
        let values = Array::of_numbers("values", &shape, targets);
        let request = Message::request("program").with("revision", revision).with_array(values);
        let what = format!("program revision {revision}");
        self.laboratory.program(&Arc::new(request), revision, &what)
    }

    /// Pulses the cells from what was read back of them towards `wanted`, and reads them back.
    fn pulse(&mut self, wanted: &DMatrix<T>, key: Key) -> Result<()> {
        let [row, column] = self.corner;
        let (pulses, bound) = (&self.device.pulses, self.device.cells.weight_max);
        let (mut stream, columns) = (key.stream(), self.kind.columns);
        let mut counts = vec![0.0; self.kind.rows * columns];
        let mut expected = self.weights.clone();
        for ((output, input), weight) in enumerated(wanted) {
            let own = &mut expected[(output, input)];
            let count = pulses.count((weight.f64() - own.f64()) / bound, &mut stream);
            counts[(row + 2 * output) * columns + column + input] = count as f64;
            *own += T::of(count as f64 * pulses.step * bound);
            self.pulses += count.unsigned_abs();
        }
        self.laboratory.pulse(Array::of_numbers("counts", &[self.kind.rows, columns], counts))?;
        // A cell that cannot be read is where its pulses should have taken it.
        let found = self.read_back()?;
        let known =
            |found: f64, expected: T| if found.is_finite() { T::of(found) } else { expected };
        self.weights = found.zip_map(&expected, known);
        Ok(())
    }

    /// The weights that the cells hold, one column driven at a time.
    fn read_back(&self) -> Result<DMatrix<f64>> {
        let ([row, column], (outputs, inputs)) = (self.corner, self.weights.shape());
        let (volts, ports) = (self.device.drive.voltage_v, self.kind.columns);
        let mut values = vec![0.0; inputs * ports];
        for (input, values) in values.chunks_exact_mut(ports).enumerate() {
            values[column + input] = volts;
        }
        let wanted = [row, row + 2 * outputs];
        let currents = self.currents(Port::Forward, &values, ports, wanted)?;
        let scale = self.device.cells.weight_per_us() / volts;
        Ok(DMatrix::from_fn(outputs, inputs, |output, input| {
            let at = 2 * (input * outputs + output);
            scale * (currents[at] - currents[at + 1])
        }))
    }

    /// The currents of rows or columns `wanted`, samples x wanted, microampere, that `values`
    /// (volt, samples x ports) drive through `port`.
    fn currents(
        &self,
        port: Port,
        values: &[f64],
        ports: usize,
        wanted: [usize; 2],
    ) -> Result<Vec<f64>> {
        let (name, most) = match port {
            Port::Forward => ("forward", self.kind.max_samples),
            Port::Reversed => ("reversed", self.kind.max_samples),
        };
        let count = wanted[1] - wanted[0];
        let mut currents = Vec::with_capacity(values.len() / ports.max(1) * count);
        for values in values.chunks(most * ports.max(1)) {
            let samples = values.len() / ports.max(1);
            let array = Array::of_numbers("values", &[samples, ports], values.iter().copied());
            let request =
                Message::request("read").with("port", name).with("wanted", wanted.to_vec());
            let question = Question {
                what: format!("read {samples} samples"),
                seconds: samples as f64 / self.kind.reads_per_second,
                answer_bytes: samples.saturating_mul(8 * count).saturating_add(1024),
                again: true,
            };
            let request = Arc::new(request.with_array(array));
            self.samples.fetch_add(samples as u64, Ordering::Relaxed);
            self.conversions.fetch_add((samples * (ports + count)) as u64, Ordering::Relaxed);
            let Ok(answer) = self.laboratory.ask_unless(&["saturated"], &request, &question)?
            else {
                currents.resize(currents.len() + samples * count, f64::NAN);
                continue;
            };
            let found = answer.numbers("currents", &[samples, count]);
            let wrong = |problem: String| self.laboratory.wrong(&question.what, &problem);
            currents.extend(found.map_err(wrong)?);
        }
        Ok(currents)
    }
}

/// What cells hold of `weights`: pulsed ones know no other memory.
fn held<T: Real>(device: &CrossbarDevice, weights: &DMatrix<T>) -> DMatrix<T> {
    let bound = T::of(device.cells.weight_max);
    match device.pulses.is_off() {
        true => weights.clone(),
        false => weights.map(|weight| weight.max(-bound).min(bound)),
    }
}

/// The entries of a matrix with their places.
fn enumerated<T: Real>(matrix: &DMatrix<T>) -> impl Iterator<Item = ((usize, usize), T)> + '_ {
    let rows = matrix.nrows().max(1);
    matrix.iter().enumerate().map(move |(at, value)| ((at % rows, at / rows), *value))
}

impl<T: Real> Coupler<T> for RemoteArray<T> {
    fn shape(&self) -> (usize, usize) {
        self.weights.shape()
    }

    fn read(&self, read: &Read<T>, mut currents: ViewMut<T>, _: &mut Vec<T>) -> Result<()> {
        if !self.programmed {
            return Err(Error::Machine("the array of the laboratory is not programmed".into()));
        }
        let [row, column] = self.corner;
        let volts = self.device.drive.volts_per_value();
        let forward = read.port == Port::Forward;
        let ports = if forward { self.kind.columns } else { self.kind.rows };
        let samples = read.values.ncols();
        let mut values = vec![0.0; samples * ports];
        let mut lost = vec![false; samples];
        for (sample, (own, driven)) in
            values.chunks_exact_mut(ports).zip(read.values.column_iter()).enumerate()
        {
            // A sample whose readings have failed has no steady state any more.
            lost[sample] = driven.iter().any(|value| !value.f64().is_finite());
            for (at, value) in driven.iter().enumerate().filter(|_| !lost[sample]) {
                let value = volts * value.f64();
                if forward {
                    own[column + at] = value;
                } else {
                    (own[row + 2 * at], own[row + 2 * at + 1]) = (value, -value);
                }
            }
        }
        let (first, end) = (read.wanted.start, read.wanted.end);
        let wanted = match forward {
            true => [row + 2 * first, row + 2 * end],
            false => [column + first, column + end],
        };
        let measured = self.currents(read.port, &values, ports, wanted)?;
        let scale = self.device.cells.weight_per_us() / volts;
        let of_a_sample = measured.chunks_exact((wanted[1] - wanted[0]).max(1));
        for (sample, measured) in of_a_sample.enumerate() {
            for (at, current) in currents.column_mut(sample).iter_mut().enumerate() {
                let found = match forward {
                    true => measured[2 * at] - measured[2 * at + 1],
                    false => measured[at],
                };
                let usable = found.is_finite() && !lost[sample];
                let gain = read.gain.as_ref().map_or(T::one(), |gain| gain[(at, sample)]);
                let found = if usable { T::of(scale * found) } else { T::of(f64::NAN) };
                *current += gain * found;
            }
        }
        Ok(())
    }

    fn is_plain_matrix(&self) -> bool {
        true
    }

    fn add_local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
        add_plain_product(d, v, gradient);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let bound = T::of(self.device.cells.weight_max);
        let domain = match self.device.pulses.is_off() {
            true => Domain::Interval(-bound, bound),
            // Each cell has bounds of its own.
            false => Domain::Real,
        };
        vec![Parameter::new("weights", self.weights.clone(), domain)]
    }

    /// They are written before the next read; cells that hold something and can be pulsed are pulsed.
    fn program(&mut self, values: &mut [DMatrix<T>], key: Key) -> Result<()> {
        if self.programmed && !self.device.pulses.is_off() {
            self.pulse(&values[0], key)?;
        } else {
            self.weights = held(&self.device, &values[0]);
            self.programmed = false;
        }
        values[0].copy_from(&self.weights);
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        if !self.programmed {
            self.write()?;
            self.programmed = true;
        }
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        self.weights.clone()
    }

    fn noiseless(&self) -> Option<Box<dyn Coupler<T>>> {
        None
    }

    fn resolution(&self, _: Span) -> f64 {
        0.0
    }

    fn read_expense(&self, _: Port, _: usize, _: Span) -> Expense {
        Expense::default()
    }

    fn expense(&self) -> Expense {
        let samples = self.samples.load(Ordering::Relaxed);
        Expense {
            seconds: samples as f64 / self.kind.reads_per_second,
            conversions: self.conversions.load(Ordering::Relaxed),
            pulses: self.pulses,
            retries: if self.is_first { self.laboratory.spent().retries } else { 0 },
            ..Expense::default()
        }
    }

    fn is_in_a_laboratory(&self) -> bool {
        true
    }

    fn state(&self) -> State<T> {
        let (revision, exchanges) = (self.laboratory.revision(), self.laboratory.exchanges());
        State::default()
            .with("laboratory", vec![revision, exchanges, u64::from(self.programmed)])
            .with(
                "reads",
                vec![
                    self.samples.load(Ordering::Relaxed),
                    self.conversions.load(Ordering::Relaxed),
                    self.pulses,
                ],
            )
            .with("session", self.laboratory.hello().session.clone())
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        // A machine that was trained in simulation knows of no laboratory.
        let Ok(session) = state.text("session") else { return Ok(()) };
        let &[revision, exchanges, programmed] = state.counts("laboratory", 3)? else {
            return Ok(());
        };
        let reads = state.counts("reads", 3)?;
        self.samples.store(reads[0], Ordering::Relaxed);
        self.conversions.store(reads[1], Ordering::Relaxed);
        self.pulses = reads[2];
        self.laboratory.go_on_from(revision);
        self.laboratory.seek(exchanges)?;
        self.programmed = programmed == 1 && self.laboratory.holds(session, revision)?;
        Ok(())
    }
}
