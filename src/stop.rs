//! The wish to stop: a flag that a caller sets, and that long computations look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// A flag that asks a computation to stop at its next good place, from another thread or from the
/// handler of a signal. Clones are the same flag; once set it stays so.
///
/// [`Trainer::stop_with`](crate::training::Trainer::stop_with) stops training between two
/// mini-batches, from where it goes on to the same bits.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on, unless somebody has asked to stop.
    ///
    /// # Errors
    /// [`Error::Stopped`] when somebody has.
    pub fn check(&self) -> Result<()> {
        if self.asked() { Err(Error::Stopped("stopped, as asked".into())) } else { Ok(()) }
    }

    /// The flag itself, for what sets one: a signal's handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}
