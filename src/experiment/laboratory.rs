//! The laboratory in which an experiment's instruments stand: the table `[laboratory]`.

use std::sync::Arc;

use super::{Device, Experiment, Machine};
use crate::wire::Laboratory;
use crate::{Error, Result};

impl Experiment {
    /// The same in the laboratory that a command line names: an address `HOST:PORT`, or a command.
    ///
    /// # Errors
    /// When it is neither.
    pub fn in_laboratory(&self, place: &str) -> Result<Self> {
        let table = self.laboratory.clone().unwrap_or_default().at(place)?;
        Ok(Self { laboratory: Some(table), ..self.clone() })
    }

    /// Checks that there is one way to the laboratory, if there is one, and an instrument for it.
    ///
    /// # Errors
    /// Naming the key that is in the way.
    pub fn check_laboratory(&self) -> Result<()> {
        let Some(laboratory) = &self.laboratory else { return Ok(()) };
        laboratory.check()?;
        let exact = matches!(self.device, Device::Exact(_));
        match (&self.machine, exact) {
            (Machine::Network(_), true) => Err(Error::input(
                "[laboratory]: device = \"exact\" is no instrument; expected [device.spim], \
                 [device.crossbar], or machine = \"laboratory\"",
            )),
            _ => Ok(()),
        }
    }

    /// The laboratory, if there is one: it is reached.
    ///
    /// # Errors
    /// When it cannot be reached, or is none.
    pub(super) fn reach_laboratory(&self) -> Result<Option<Arc<Laboratory>>> {
        self.laboratory.as_ref().map(Laboratory::connect).transpose()
    }
}
