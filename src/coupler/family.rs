//! Families of devices: what an experiment knows of the hardware of its arrays.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::Coupler;
use crate::Result;
use crate::arithmetic::Real;
use crate::wire::Laboratory;

/// Where an array stands, and what it starts with.
#[non_exhaustive]
pub struct Site<'a, T: Real> {
    /// The names of the machine's arrays.
    pub arrays: &'a [String],
    /// The number of this one among them.
    pub index: u64,
    /// Nodes and inputs that drive it.
    pub inputs: usize,
    /// Nodes that it reaches.
    pub outputs: usize,
    /// Whether both are the same nodes.
    pub same_nodes: bool,
    /// Names all random streams of the run.
    pub seed: u64,
    /// Names, beside the seed, what is fixed in hardware; see [`chip_key`](super::chip_key).
    pub chip: u64,
    /// The weights before training, outputs x inputs, for hardware that carries a matrix.
    pub weights: &'a dyn Fn() -> DMatrix<T>,
    /// The laboratory whose instrument it is, in place of simulated hardware.
    pub laboratory: Option<&'a Arc<Laboratory>>,
}

/// A family of devices: the table `[device.NAME]` of an experiment, and the numbers of datasheets
/// of that kind. Its default is a device without any imperfection.
pub trait Family: Debug {
    /// The device in words.
    fn describe(&self) -> String;

    /// Everything that decides what its arrays hold beyond their parameters, in words of no
    /// meaning. Devices that say the same hold the same on the same chip, whatever they are read
    /// with and when.
    fn holds(&self) -> String {
        format!("{self:?}")
    }

    /// The datasheet under its numbers.
    fn sheet(&self) -> Option<&str> {
        None
    }

    /// The datasheet in brackets, for the end of words; without the way to it.
    fn of_sheet(&self) -> String {
        let name = |sheet| Path::new(sheet).file_name().unwrap_or_default();
        self.sheet().map_or(String::new(), |sheet| format!(" ({})", name(sheet).to_string_lossy()))
    }

    /// Checks what no single number can tell.
    ///
    /// # Errors
    /// A message that begins with the key at fault within the device's table.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Checks that this hardware can join the same nodes, or different ones.
    ///
    /// # Errors
    /// A message that begins with the key at fault within the device's table.
    fn check_site(&self, same_nodes: bool) -> Result<(), String> {
        let _ = same_nodes;
        Ok(())
    }

    /// The array of one site.
    ///
    /// # Errors
    /// When nodes do not fit the hardware, or a file that the device names cannot be read or is not
    /// what it should be.
    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>>;
}
