//! Couplers: hardware that turns node values into currents.
//!
//! A coupler has two sides of ports. Driven at its inputs with values v it delivers the currents W
//! v at its outputs ([`Port::Forward`]); driven at its outputs it delivers W^T v at its inputs
//! ([`Port::Reversed`]): a passive array is reciprocal. Training never asks for W. It needs only
//! the *local product*: given a measured post-synaptic signal d and the values v that drove the
//! coupler, the gradient of -d^T W v with respect to the coupler's own parameters. The two maps are
//! bilinear, so one definition serves both sides: used backwards, the roles of d and v swap.
//!
//! What a coupler hands back may be the current W v, or, for hardware that measures energies, the
//! whole force of a node, slope x current. [`Read::gain`] carries both: the coupler adds `gain * (W
//! v)`, by whatever means its hardware has.

pub mod crossbar;
mod effect;
mod energy;
mod exact;
mod family;
mod matrix;
pub mod quantiser;
mod saturation;
pub mod spim;

use std::ops::Range;
use std::sync::Mutex;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arithmetic::random::{Key, Stream};
use crate::arithmetic::{Factor, Real, View, ViewMut, add_product};
use crate::state::State;

pub use effect::Effect;
pub(crate) use effect::tables;
pub use energy::{Energy, Joules};
pub use exact::{Exact, ExactTable};
pub use family::{Family, Site};
pub use saturation::Saturation;
pub(crate) use saturation::Tally;

/// Which side of a coupler is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Inputs driven, outputs read: W v.
    Forward,
    /// Outputs driven, inputs read: W^T v.
    Reversed,
}

impl Port {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Forward => Self::Reversed,
            Self::Reversed => Self::Forward,
        }
    }

    /// Its place in what there is one of for each side: 0 forward, 1 reversed.
    pub fn index(self) -> usize {
        match self {
            Self::Forward => 0,
            Self::Reversed => 1,
        }
    }
}

/// The random streams of one read: one a sample, whatever the order or the thread in which samples
/// are visited.
#[derive(Clone, Copy)]
pub struct Streams<'a> {
    /// Names the array and the settling it takes part in.
    pub key: Key,
    /// The sample in each column.
    pub samples: &'a [usize],
    /// The relaxation step.
    pub step: u64,
}

impl Streams<'_> {
    /// The name of the stream of the sample in `column`.
    pub fn key(&self, column: usize) -> Key {
        self.key.with(self.samples[column] as u64).with(self.step)
    }

    /// The stream of the sample in `column`.
    pub fn stream(&self, column: usize) -> Stream {
        self.key(column).stream()
    }
}

/// For how long the currents of a read act in a machine that relaxes continuously; 0 where nobody
/// says. Clocked hardware takes its own time, and has noise of its own in every read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// Seconds until the next read.
    pub lasts_s: f64,
    /// Seconds over which white noise is averaged. A step of h time constants leaves a node 1 - h of
    /// what it was, and noise averaged over h / (1 - h / 2) of them gives it the variance that it
    /// has in continuous time, whatever h.
    pub averages_s: f64,
}

/// One read of a coupler: what drives it, and what is wanted of it.
#[non_exhaustive]
pub struct Read<'a, T: Real> {
    /// The side that is driven.
    pub port: Port,
    /// Values on the driven ports, ports x samples.
    pub values: View<'a, T>,
    /// What each current is multiplied by, wanted ports x samples; absent means one.
    pub gain: Option<View<'a, T>>,
    /// The values taken apart into rest, ports x samples, and background, ports x 1, where they are
    /// mostly background.
    pub foreground: Option<[View<'a, T>; 2]>,
    /// The ports whose currents are wanted. Reading fewer costs fewer measurements.
    pub wanted: Range<usize>,
    /// The random streams of this read.
    pub streams: Streams<'a>,
    /// For how long its currents act.
    pub span: Span,
    /// What is driven with the same values in every read of a settling, if anything is.
    pub held: Option<Held<'a, T>>,
}

/// The first ports of a coupler, driven with the same values from read to read, and what the coupler
/// found of them: it may look there in place of reading them again, where that is the same.
#[derive(Clone, Copy)]
pub struct Held<'a, T> {
    /// How many ports.
    pub ports: usize,
    /// The sample that is counted from in `found`.
    pub first_sample: usize,
    /// Empty in the first read, which is one of all samples; then whatever the coupler has written.
    pub found: &'a Mutex<Vec<T>>,
}

impl<'a, T: Real> Read<'a, T> {
    /// A read of the `wanted` ports that `values` (ports x samples) drive from the side `port`.
    pub fn new(
        port: Port,
        values: View<'a, T>,
        wanted: Range<usize>,
        streams: Streams<'a>,
    ) -> Self {
        let (gain, foreground, held, span) = (None, None, None, Span::default());
        Self { port, values, gain, foreground, wanted, streams, span, held }
    }

    /// The same with currents that act for a `span`.
    #[must_use]
    pub fn lasting(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// The same with each current multiplied by `gain`, wanted ports x samples.
    #[must_use]
    pub fn with_gain(self, gain: Option<View<'a, T>>) -> Self {
        Self { gain, ..self }
    }

    /// The same with values that are held from read to read.
    #[must_use]
    pub(crate) fn with_held(self, held: Option<Held<'a, T>>) -> Self {
        Self { held, ..self }
    }

    /// The same with its values taken apart.
    #[must_use]
    pub(crate) fn with_foreground(self, foreground: Option<[View<'a, T>; 2]>) -> Self {
        Self { foreground, ..self }
    }
}

/// What one read or one write costs a laboratory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expense {
    /// Camera frames.
    pub frames: u64,
    /// Analog-to-digital and digital-to-analog conversions.
    pub conversions: u64,
    /// Seconds.
    pub seconds: f64,
    /// Write pulses.
    #[serde(default)]
    pub pulses: u64,
    /// Writes that write-and-verify gave up.
    #[serde(default)]
    pub given_up: u64,
    /// Requests that a laboratory was asked again.
    #[serde(default)]
    pub retries: u64,
    /// Energy.
    #[serde(default)]
    pub energy: Energy,
}

impl Expense {
    /// Adds another expense that took its time after this one.
    pub fn add(&mut self, other: &Self) {
        *self = self.plus(other, &Self::default());
    }

    /// This plus what was spent between `before` and `after`.
    pub fn plus(&self, after: &Self, before: &Self) -> Self {
        // Counters that have reached their end stay there.
        let more =
            |own: u64, after: u64, before: u64| own.saturating_add(after.saturating_sub(before));
        Self {
            frames: more(self.frames, after.frames, before.frames),
            conversions: more(self.conversions, after.conversions, before.conversions),
            seconds: self.seconds + (after.seconds - before.seconds),
            pulses: more(self.pulses, after.pulses, before.pulses),
            given_up: more(self.given_up, after.given_up, before.given_up),
            retries: more(self.retries, after.retries, before.retries),
            energy: self.energy.plus(&after.energy.since(&before.energy)),
        }
    }
}

/// The values a parameter may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain<T> {
    /// Any real number.
    Real,
    /// Between two bounds; training clips to them.
    Interval(T, T),
    /// -1 or +1; trained by flips.
    Binary,
    /// Not trained.
    Fixed,
}

/// A named array of programmable numbers.
#[derive(Clone, Debug)]
pub struct Parameter<T: Real> {
    /// Unique within its machine.
    pub name: String,
    /// The values last programmed.
    pub values: DMatrix<T>,
    /// The values it may take.
    pub domain: Domain<T>,
}

impl<T: Real> Parameter<T> {
    /// The parameter `name`.
    pub fn new(name: impl Into<String>, values: DMatrix<T>, domain: Domain<T>) -> Self {
        Self { name: name.into(), values, domain }
    }
}

/// Numbers that say what hardware holds, for histograms and tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// What they are, for example "conductance of a cell".
    pub name: String,
    /// Their unit; `1` for pure numbers.
    pub unit: &'static str,
    /// The numbers.
    pub values: Vec<f64>,
}

/// A picture of what hardware shows, for reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// A name for its file.
    pub name: &'static str,
    /// What it is, in words.
    pub title: String,
    /// Brightness from 0 to 1, the first row at the top.
    pub brightness: DMatrix<f64>,
}

/// Hardware that turns node values into currents.
///
/// Nothing here has a default that could be wrong of somebody's hardware without a word; what may
/// be left out is only what nobody needs to be told.
pub trait Coupler<T: Real>: Send + Sync {
    /// Number of output ports and of input ports.
    fn shape(&self) -> (usize, usize);

    /// Adds `gain * (W v)` of the wanted ports to `currents`, wanted ports x samples. `scratch` is
    /// the caller's to reuse.
    ///
    /// # Errors
    /// When the instrument behind it fails.
    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) -> Result<()>;

    /// Whether the one parameter is W itself, so that the gradient of -d^T W v is -d v^T and need
    /// not be formed: a faster way to what [`add_local_product`](Self::add_local_product) gives.
    fn is_plain_matrix(&self) -> bool {
        false
    }

    /// Adds the gradient of -sum over samples of d^T W v with respect to every parameter, in the
    /// order of [`parameters`](Self::parameters), to `gradient`. `d` is outputs x samples, `v` is
    /// inputs x samples. Where the one parameter is W: [`add_plain_product`].
    fn add_local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]);

    /// What can be programmed, with the values last programmed.
    fn parameters(&self) -> Vec<Parameter<T>>;

    /// Programs new values, in the order and shapes of [`parameters`](Self::parameters). Where the
    /// hardware is the only memory of them (pulsed cells), it leaves in `values` what it holds now.
    /// `key` names the random streams of this write.
    ///
    /// # Errors
    /// When the hardware cannot take the values.
    fn program(&mut self, values: &mut [DMatrix<T>], key: Key) -> Result<()>;

    /// Makes an instrument ready that has not been programmed since it was reached: it gets the values
    /// that [`parameters`](Self::parameters) gives. Simulated hardware is born ready.
    ///
    /// # Errors
    /// When the instrument fails.
    fn begin(&mut self) -> Result<()> {
        Ok(())
    }

    /// The W that was asked for: a digital model of the device, blind to its imperfections. Outputs
    /// x inputs.
    fn intended(&self) -> DMatrix<T>;

    /// The same hardware, read without noise, rounding and clipping; none where nobody can know it.
    /// Only the adjoint yardstick asks, for this and the next three.
    fn noiseless(&self) -> Option<Box<dyn Coupler<T>>>;

    /// The matrix of its [`noiseless`](Self::noiseless) reads from `port`, wanted x driven, where
    /// they are this matrix times the values plus constants, whatever the values; none, as unless it
    /// says otherwise, where they are not. Reads are then differentiated by central differences.
    fn linear(&self, port: Port) -> Option<DMatrix<T>> {
        let _ = port;
        None
    }

    /// Adds the derivative of -sum over samples of `signal` . (noiseless read of what drives `read`)
    /// with respect to every parameter as it is programmed to `gradient`; `signal` is wanted ports x
    /// samples. False, and nothing added, for all reads alike, where that is what
    /// [`add_local_product`](Self::add_local_product) gives.
    ///
    /// # Errors
    /// When the instrument behind it fails.
    fn add_derivative(
        &self,
        read: &Read<T>,
        signal: View<T>,
        gradient: &mut [DMatrix<T>],
    ) -> Result<bool> {
        let _ = (read, signal, gradient);
        Ok(false)
    }

    /// What the yardstick's gradient is a derivative by, and what of the hardware it holds fixed, in
    /// words: "programmed weights".
    fn derivative_by(&self) -> String {
        "the parameters of its local product".into()
    }

    /// The smallest difference in a current that a single read resolves: noise and converter steps,
    /// as a standard deviation. `span` is that of [`Read::span`].
    fn resolution(&self, span: Span) -> f64;

    /// What driving `port` and reading `wanted` ports of one sample once costs; `span` is that of
    /// [`Read::span`].
    fn read_expense(&self, port: Port, wanted: usize, span: Span) -> Expense;

    /// What all writes so far have cost, and what reads have spent in the array itself by the
    /// values that really drove it.
    fn expense(&self) -> Expense;

    /// Whether an instrument that serves one read after another, and may be lost, does its work. Reads
    /// then come in the order of samples.
    fn is_in_a_laboratory(&self) -> bool {
        false
    }

    /// The largest relative difference between an effective matrix that reads met, or would meet
    /// now, and what it should be; 0 where every read meets what it should.
    fn staleness(&self) -> f64 {
        0.0
    }

    /// Readings so far of the instruments that have a limit, and how many were at it.
    fn saturation(&self) -> Vec<Saturation> {
        Vec::new()
    }

    /// What the hardware holds beyond its parameters, as numbers for histograms.
    fn quantities(&self) -> Vec<Quantity> {
        Vec::new()
    }

    /// What the hardware shows, as pictures for reports.
    ///
    /// # Errors
    /// When a picture cannot be worked out.
    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(Vec::new())
    }

    /// Physical state beyond the parameters (what was really written where), for checkpoints.
    fn state(&self) -> State<T>;

    /// Puts back what [`state`](Self::state) gave, after [`program`](Self::program) with the same
    /// parameters.
    ///
    /// # Errors
    /// When the state is that of other hardware.
    fn restore(&mut self, state: &State<T>) -> Result<()>;
}

/// The streams that serve `purpose` on one chip: what is fixed in hardware depends on the seed and
/// the chip, and on nothing else. Chip 0 is the one that a seed deals.
pub fn chip_key(seed: u64, chip: u64, purpose: &str) -> Key {
    let key = Key::new(seed, purpose);
    if chip == 0 { key } else { Key::new(chip, "chip").join(key) }
}

/// Adds -d v^T, the gradient of -d^T W v by W itself, to `gradient`.
pub fn add_plain_product<T: Real>(d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
    add_product(gradient[0].as_view_mut(), -T::one(), Factor::Plain(d), Factor::Transposed(v));
}
