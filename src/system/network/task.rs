//! What a phase asks of every lane.

use nalgebra::DMatrix;

use super::Network;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Exact, Port};
use crate::system::{Correction, Nudge, Phase, Start};

/// Names the streams of a phase whose nudge is released.
const RELEASE: u64 = 1_000_003;

/// What a phase asks of every lane.
pub(super) struct Task<'a, T: Real> {
    /// The side of all arrays that is driven.
    pub port: Port,
    /// The force on outputs, or on the difference of two copies.
    pub nudge: Option<Nudge<'a, T>>,
    /// Where learning phases start.
    pub start: Option<&'a Start<T>>,
    /// The held current of port reversal.
    pub held: Option<&'a DMatrix<T>>,
    /// Digital models of all arrays, for the correction that is computed.
    pub model: Option<Vec<Exact<T>>>,
    /// Whether two copies are coupled.
    pub dyadic: bool,
    /// Names the settling.
    pub key: Key,
}

impl<'a, T: Real> Task<'a, T> {
    pub fn new(network: &Network<T>, phase: &Phase<'a, T>, key: Key) -> Self {
        let port = Port::Forward;
        let plain =
            Self { port, nudge: None, start: None, held: None, model: None, dyadic: false, key };
        match *phase {
            Phase::Free => plain,
            Phase::Nudged { nudge, correction, free } => {
                let task = Self { nudge: Some(nudge), start: free.start.as_ref(), ..plain };
                match correction {
                    Correction::None => task,
                    Correction::PortReversal(held) => {
                        Self { port: Port::Reversed, held: Some(&held.0), ..task }
                    }
                    Correction::DigitalModel => Self { model: Some(network.intended()), ..task },
                }
            }
            Phase::Dyadic { nudge, free } => {
                Self { nudge: Some(nudge), start: free.start.as_ref(), dyadic: true, ..plain }
            }
        }
    }

    /// The nudge of this task released: the free forces, from where the task ended.
    pub fn released(&self) -> Self {
        let key = self.key.with(RELEASE);
        let port = Port::Forward;
        Self { port, nudge: None, start: self.start, held: None, model: None, dyadic: false, key }
    }

    /// The steps after which it is over, settled or not; none if it waits until it has.
    pub fn truncated_after(&self, network: &Network<T>) -> Option<usize> {
        network.relaxation().truncated_after(self.start.is_some())
    }

    /// The most steps that it may take.
    pub fn most_steps(&self, network: &Network<T>) -> usize {
        self.truncated_after(network).unwrap_or(network.relaxation().max_steps)
    }

    /// The scale of the smallest thing that is measured: the difference of two copies is of order
    /// beta.
    pub fn smallest_signal(&self) -> f64 {
        let nudge = self.nudge.filter(|_| self.dyadic);
        nudge.map_or(1.0, |nudge| nudge.beta.f64().abs().min(1.0))
    }
}
