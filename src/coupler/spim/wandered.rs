//! What wanders, from write to write and between the phases of one update.
//!
//! The clock is that of the laboratory: frames at their rate, and waits for the modulator. At a write
//! everything walks for the time since the write before. A phase stands where the last write left
//! everything, moved by a walk of its own over half of the time that passed between the last two
//! writes; two phases so differ by as much as a walk does from one write to the next. The first update
//! knows of no time between writes yet, and stands still.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SpimDevice;
use super::optics::Optic;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::state::State;

/// Names what wanders in time, beside what does from write to write.
const WALK: u64 = 1_000_003;
/// The state of the clock in checkpoints.
const CLOCK: &str = "clock";

/// Frames, and waits for the modulator.
type Ticks = [u64; 2];

/// What the light has become by all that wanders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// The part of the light that is left.
    pub gain: f64,
    /// The relative change of all phases.
    pub phase_change: f64,
}

/// Where everything that wanders stands.
#[derive(Debug)]
pub(super) struct Wandered {
    /// An entry an effect; empty where it does not wander.
    states: Vec<Vec<f64>>,
    /// Since the last write.
    ticks: [AtomicU64; 2],
    /// Between the last two writes.
    between: Ticks,
    /// Whether phases stand where the last write left everything.
    still: bool,
}

impl Clone for Wandered {
    fn clone(&self) -> Self {
        Self { states: self.states.clone(), ticks: self.since().map(AtomicU64::new), ..*self }
    }
}

impl Wandered {
    /// An aligned bench.
    pub fn new(device: &SpimDevice) -> Self {
        let aligned = |(_, effect): (_, &dyn Optic)| {
            effect.aligned().filter(|_| !effect.is_off()).map_or(Vec::new(), |(_, state)| state)
        };
        let states = device.effects().into_iter().map(aligned).collect();
        Self { states, ticks: Default::default(), between: [0; 2], still: false }
    }

    /// The same with all phases as the last write left them.
    pub fn still(&self) -> Self {
        Self { still: true, ..self.clone() }
    }

    fn is_empty(&self) -> bool {
        self.states.iter().all(Vec::is_empty)
    }

    /// The effects that wander, with their states.
    fn each<'a>(
        &'a self,
        device: &'a SpimDevice,
    ) -> impl Iterator<Item = (&'a dyn Optic, &'a Vec<f64>)> {
        let effects = device.effects().into_iter().zip(&self.states);
        effects.filter(|(_, state)| !state.is_empty()).map(|((_, effect), state)| (effect, state))
    }

    fn since(&self) -> Ticks {
        self.ticks.each_ref().map(|ticks| ticks.load(Ordering::Relaxed))
    }

    /// Lets so many frames and waits pass.
    pub fn pass(&self, frames: u64, waits: u64) {
        if !self.is_empty() {
            self.ticks[0].fetch_add(frames, Ordering::Relaxed);
            self.ticks[1].fetch_add(waits, Ordering::Relaxed);
        }
    }

    /// Hours of so many ticks on `device`.
    fn hours(device: &SpimDevice, [frames, waits]: Ticks) -> f64 {
        let timing = &device.frames;
        (frames as f64 / timing.rate_hz + waits as f64 * timing.settling_ms * 1e-3) / 3600.0
    }

    /// Lets everything wander to the write that `key` names.
    pub fn write(&mut self, device: &SpimDevice, key: Key) {
        self.between = self.since();
        self.ticks = Default::default();
        let hours = Self::hours(device, self.between);
        let effects = device.effects().into_iter().zip(&mut self.states);
        for (at, ((_, effect), state)) in effects.enumerate().filter(|(_, (_, s))| !s.is_empty()) {
            effect.wander(state, key);
            effect.walk(state, hours, key.with(WALK).with(at as u64));
        }
    }

    /// Lets everything wander for the time since it last did; `key` names the walk.
    pub fn walk(&mut self, device: &SpimDevice, key: Key) {
        let hours = Self::hours(device, self.since());
        self.ticks = Default::default();
        let effects = device.effects().into_iter().zip(&mut self.states);
        for (at, ((_, effect), state)) in effects.enumerate().filter(|(_, (_, s))| !s.is_empty()) {
            effect.walk(state, hours, key.with(WALK).with(at as u64));
        }
    }

    /// Where everything stands in the phase that `key` names.
    pub fn standing(&self, device: &SpimDevice, key: Key) -> Standing {
        let hours = if self.still { 0.0 } else { Self::hours(device, self.between) / 2.0 };
        let mut standing = Standing { gain: 1.0, phase_change: 0.0 };
        for (at, (effect, state)) in self.each(device).enumerate() {
            let mut state = state.clone();
            if hours > 0.0 {
                effect.walk(&mut state, hours, key.with(WALK).with(at as u64));
            }
            standing.gain *= effect.gain(&state, device);
            standing.phase_change += effect.drifted_phase(&state);
        }
        standing
    }

    /// Keeps everything in `state`.
    pub fn save<T: Real>(&self, device: &SpimDevice, state: &mut State<T>) {
        for (effect, wandered) in self.each(device) {
            if let Some((name, _)) = effect.aligned() {
                state.insert(name, wandered.clone());
            }
        }
        if !self.is_empty() {
            state.insert(CLOCK, [self.since(), self.between].concat());
        }
    }

    /// Puts back what [`save`](Self::save) kept.
    ///
    /// # Errors
    /// When the state is that of other hardware.
    pub fn restore<T: Real>(&mut self, device: &SpimDevice, state: &State<T>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        for ((_, effect), wandered) in device.effects().into_iter().zip(&mut self.states) {
            if let Some((name, _)) = effect.aligned().filter(|_| !wandered.is_empty()) {
                let saved = state.numbers(name, wandered.len())?;
                wandered.copy_from_slice(saved);
            }
        }
        let clock = state.counts(CLOCK, 4)?;
        self.ticks = [AtomicU64::new(clock[0]), AtomicU64::new(clock[1])];
        self.between = [clock[2], clock[3]];
        Ok(())
    }
}
