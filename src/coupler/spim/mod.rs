//! Spatial photonic Ising machines: a phase modulator carries states and couplings, a camera reads
//! energies.
//!
//! Node i is a macro-pixel. K patterns xi^k are shown one after another, multiplied with the node
//! values v; the intensity of the zero order is I_k = (sum_i xi^k_i v_i)^2, a Mattis energy
//! (Pierangeli, Marcucci & Conti 2019, doi:10.1103/PhysRevLett.122.213902; gauge encoding: Fang,
//! Huang & Ruan 2021, doi:10.1103/PhysRevLett.127.043902). Weighted by lambda_k of either sign and
//! summed, the frames stand for the couplings
//!
//! ```text
//! W = (1/K) sum_k lambda_k u^k (v^k)^T
//!
//! readers v and writers u the same patterns in a reciprocal machine
//! ```
//!
//! With readers and writers of their own, couplings need not be reciprocal, nor join the same
//! nodes: one mask a pair of layers. The overlap v^k . s is then read by homodyne, or optically as
//! a cross term, |v.s + u.t|^2 - |v.s - u.t|^2 = 4 (v.s)(u.t); reversed ports swap the two sets.
//!
//! [`readout`] says how forces are had from intensities and what that costs in frames, [`Optic`] how
//! effects meet the light, [`Tier`] how much of the light path ([`optics`]) is followed on the way.
//!
//! # Adding to it
//! An effect is a struct in a file of `optics/` (its table, its title, its off-switch, the hooks of
//! [`Optic`] at which it acts) and a line in the list of [`SpimDevice`]; a readout is a struct in a
//! file of `readout/` and a line in the list there.
pub mod bench;
mod canvas;
mod device;
mod instrument;
pub mod optics;
mod patterns;
mod picture;
mod products;
pub mod readout;
mod remote;
mod side;
mod wandered;
mod yardstick;

use std::sync::{Arc, OnceLock};

use nalgebra::DMatrix;

use self::products::Products;
use self::remote::Bench;
use self::side::Side;
use self::wandered::Wandered;
use super::{
    Coupler, Expense, Family, Parameter, Picture, Port, Quantity, Read, Saturation, Span, Tally,
};
use crate::arithmetic::random::Key;
use crate::arithmetic::{Real, View, ViewMut};
use crate::state::State;
use crate::wire::Laboratory;
use crate::{Error, Result};

pub use device::{
    FrameWait, Frames, InitialWeights, LearningRule, Multiplexing, Panel, PatternSettings,
    PatternValues, SelfCoupling, SpimDevice, Tier, UpdateRounding,
};
pub use instrument::SimulatedFrames;
pub use optics::camera::CameraExposure;
pub use optics::{Optic, Path, Shot, Sight};
pub use patterns::Patterns;
pub use readout::{Readout, ReadoutChoice, Shares};

/// Names the streams that round updates.
const ROUNDING: u64 = u64::MAX;

/// One mask of K rank-1 patterns, outputs x inputs.
#[derive(Clone, Debug)]
pub struct Spim<T: Real> {
    device: SpimDevice,
    /// The values that are trained.
    latent: Patterns<T>,
    /// What the modulator is asked to show of them.
    shown: Patterns<T>,
    /// Driven forward, driven reversed.
    sides: [Arc<Side>; 2],
    /// The same without noise and rounding, once they are asked for.
    quiet_sides: OnceLock<[Arc<Side>; 2]>,
    /// Whether forces are products with the patterns.
    is_dense: bool,
    /// The patterns as they are shown, once products with them are asked for.
    products: OnceLock<Products<T>>,
    /// Names what is fixed in its hardware.
    chip: Key,
    /// What wanders.
    wandered: Wandered,
    /// The diagonal of W, known from what was programmed; empty where inputs and outputs are
    /// different nodes.
    self_coupling: Vec<T>,
    /// Frames of a camera that has a limit.
    camera: Tally,
    /// The laboratory's modulator and camera in place of simulated light.
    bench: Option<Arc<Bench>>,
}

impl<T: Real> Spim<T> {
    /// The machine `device` showing `patterns`, on the first chip of seed 0.
    ///
    /// # Errors
    /// Those of [`on_chip`](Self::on_chip).
    pub fn new(device: SpimDevice, patterns: Patterns<T>) -> Result<Self> {
        Self::on_chip(device, patterns, SpimDevice::chip(0, 0, 0))
    }

    /// The machine `device` showing `patterns`; `chip` names what is fixed in its hardware
    /// ([`SpimDevice::chip`]).
    ///
    /// # Errors
    /// When the device is not what it should be, the nodes do not fit the panel, a file that the
    /// device names is not what it should be, or the readout cannot measure couplings that are not
    /// reciprocal.
    pub fn on_chip(device: SpimDevice, patterns: Patterns<T>, chip: Key) -> Result<Self> {
        let checked = device.check().and_then(|()| device.check_site(patterns.writers.is_none()));
        checked.map_err(|message| Error::input(format!("device.spim.{message}")))?;
        let apertures = device.apertures(patterns.readers.nrows(), patterns.writers().nrows());
        let forward = Arc::new(Side::new(&device, apertures[0], chip)?);
        let reversed = if apertures[0] == apertures[1] {
            forward.clone()
        } else {
            Arc::new(Side::new(&device, apertures[1], chip)?)
        };
        let shown = patterns.shown(device.patterns.bits);
        Ok(Self {
            sides: [forward, reversed],
            quiet_sides: OnceLock::new(),
            is_dense: readout::is_dense(&device),
            products: OnceLock::new(),
            chip,
            wandered: Wandered::new(&device),
            self_coupling: shown.diagonal(),
            camera: Tally::default(),
            latent: patterns,
            shown,
            device,
            bench: None,
        })
    }

    /// The machine `device` showing `patterns` on the panel of a `laboratory`, as the array `index`
    /// of its machine: nothing of its light is simulated, and of the device only what a laboratory
    /// knows is believed.
    ///
    /// # Errors
    /// Those of [`on_chip`](Self::on_chip), and when the laboratory is of another kind, or its panel
    /// or camera is not that of the device.
    pub fn in_laboratory(
        device: SpimDevice,
        patterns: Patterns<T>,
        laboratory: Arc<Laboratory>,
        index: u64,
    ) -> Result<Self> {
        let chip = SpimDevice::chip(0, 0, index);
        let mut spim = Self::on_chip(device, patterns, chip)?;
        let nodes = spim.sides.each_ref().map(|side| side.nodes);
        let (bench, known) = Bench::new(laboratory, &spim.device, nodes, index)?;
        let first = Arc::new(Side::believed(&known, nodes[0], chip)?);
        let second = match nodes[0] == nodes[1] {
            true => first.clone(),
            false => Arc::new(Side::believed(&known, nodes[1], chip)?),
        };
        spim.sides = [first, second];
        (spim.is_dense, spim.bench) = (false, Some(Arc::new(bench)));
        Ok(spim)
    }

    /// The patterns as the modulator is asked to show them.
    pub fn shown(&self) -> &Patterns<T> {
        &self.shown
    }

    /// What frames have in common when the port of side `side` is driven.
    fn sight(&self, side: usize) -> Sight<'_> {
        let side = &self.sides[side];
        Sight {
            device: &self.device,
            path: self.device.tier().path(),
            detector: &side.detector,
            nodes: side.nodes,
            light: self.device.field_in_phase(side.nodes),
            power: side.light.power(),
        }
    }
}

impl<T: Real> Coupler<T> for Spim<T> {
    fn shape(&self) -> (usize, usize) {
        (self.latent.writers().nrows(), self.latent.readers.nrows())
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) -> Result<()> {
        readout::read(self, read, currents, scratch)?;
        let pairs = self.device.readout.get().pairs(read.wanted.len());
        let (samples, frames) = (read.values.ncols() as u64, self.device.frames_per_energy());
        self.wandered.pass(samples * 2 * pairs * frames, samples * self.device.waits(pairs));
        Ok(())
    }

    /// Straight through the rounding of latent patterns: the gradient by what is shown.
    fn add_local_product(&self, d: View<T>, v: View<T>, gradient: &mut [DMatrix<T>]) {
        let shares = match self.device.learning_rule {
            LearningRule::Exact => self.device.couplings(),
            LearningRule::Approximate => Shares::ALL,
        };
        self.shown.local_product(d, v, shares, gradient);
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        self.latent.parameters(&self.device.patterns)
    }

    fn program(&mut self, values: &mut [DMatrix<T>], key: Key) -> Result<()> {
        self.latent.program(values);
        self.latent.round_update(&self.device.patterns, key.with(ROUNDING));
        if self.device.patterns.rounding != UpdateRounding::None {
            self.latent.write_to(values);
        }
        self.shown = self.latent.shown(self.device.patterns.bits);
        self.self_coupling = self.shown.diagonal();
        if let Some(products) = self.products.get_mut() {
            products.set(&self.shown);
        }
        self.wandered.write(&self.device, key);
        if let Some(bench) = &self.bench {
            bench.updated();
        }
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        let Shares { others, own } = self.device.couplings();
        let mut matrix = self.shown.matrix() * T::of(others);
        for (node, coupling) in self.self_coupling.iter().enumerate() {
            matrix[(node, node)] = T::of(own) * *coupling;
        }
        matrix
    }

    fn noiseless(&self) -> Option<Box<dyn Coupler<T>>> {
        // Nobody has a laboratory without noise.
        if self.bench.is_some() {
            return None;
        }
        self.without_noise().ok().map(|quiet| Box::new(quiet) as Box<dyn Coupler<T>>)
    }

    /// By patterns as they are shown.
    fn add_derivative(
        &self,
        read: &Read<T>,
        signal: View<T>,
        gradient: &mut [DMatrix<T>],
    ) -> Result<bool> {
        let quiet = self.without_noise()?;
        if !quiet.is_dense {
            quiet.add_slopes(read, &signal, gradient)?;
        } else if self.device.learning_rule == LearningRule::Approximate {
            quiet.add_product(read, &signal, gradient);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn derivative_by(&self) -> String {
        let signs = self.device.patterns.are_signs();
        if signs { "flips of patterns" } else { "patterns as they are shown" }.into()
    }

    /// Frames have noise of their own: a step of a relaxation is an update, however long it lasts.
    fn resolution(&self, _: Span) -> f64 {
        readout::resolution(self)
    }

    fn read_expense(&self, _: Port, wanted: usize, _: Span) -> Expense {
        // A laboratory counts what it shows.
        if self.bench.is_some() {
            return Expense::default();
        }
        let pairs = self.device.readout.get().pairs(wanted);
        let frames = 2 * pairs * self.device.frames_per_energy();
        let timing = &self.device.frames;
        let waits = self.device.waits(pairs) as f64;
        let seconds = frames as f64 / timing.rate_hz + waits * timing.settling_ms * 1e-3;
        Expense { frames, seconds, ..Expense::default() }
    }

    fn expense(&self) -> Expense {
        let Some(bench) = &self.bench else { return Expense::default() };
        let (frames, seconds) = bench.frames();
        Expense { frames, seconds, retries: bench.retries(), ..Expense::default() }
    }

    fn is_in_a_laboratory(&self) -> bool {
        self.bench.is_some()
    }

    fn saturation(&self) -> Vec<Saturation> {
        if self.bench.is_some() {
            return vec![self.camera.of("laboratory's camera", "laboratory.exposure")];
        }
        let limited = self.sides[0].detector.limit().is_some();
        let counted = || self.camera.of("camera", "device.spim.camera.full_scale");
        limited.then(counted).into_iter().collect()
    }

    fn quantities(&self) -> Vec<Quantity> {
        picture::quantities(&self.device, &self.shown)
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        picture::pictures(&self.device, &self.shown, self.chip)
    }

    fn state(&self) -> State<T> {
        let mut state = State::default();
        match &self.bench {
            Some(bench) => bench.save(&mut state),
            None => self.wandered.save(&self.device, &mut state),
        }
        state
    }

    fn restore(&mut self, state: &State<T>) -> Result<()> {
        match &self.bench {
            Some(bench) => bench.restore(state),
            // What was trained in a laboratory stands on an aligned bench.
            None if state.text("session").is_ok() => Ok(()),
            None => self.wandered.restore(&self.device, state),
        }
    }
}

#[cfg(test)]
mod tests;
