//! The hardware of every array: the table `[device]`.

use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::crossbar::CrossbarDevice;
use crate::coupler::spim::SpimDevice;
use crate::coupler::{Coupler, ExactTable, Family, Site};
use crate::quantity::choice::choices;

choices! {
    /// The hardware of every array: `device = "exact"`, or the table of a family of devices.
    pub enum Device {
        /// Plain matrices.
        "exact" => Exact(ExactTable),
        /// Spatial photonic Ising machines.
        "spim" => Spim(Box<SpimDevice>),
        /// Resistive crossbars.
        "crossbar" => Crossbar(Box<CrossbarDevice>),
    }
    forward {
        /// The device in words.
        pub fn describe(&self) -> String;
        /// Everything that decides what its arrays hold beyond their parameters.
        pub(super) fn holds(&self) -> String;
        /// The datasheet under its numbers.
        pub fn sheet(&self) -> Option<&str>;
        /// Checks what no single number can tell.
        pub(super) fn check(&self) -> Result<(), String>;
        /// Checks that this hardware can join the same nodes, or different ones.
        pub(super) fn check_site(&self, same_nodes: bool) -> Result<(), String>;
        /// The array of one site.
        pub(super) fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>>;
    }
}

impl Device {
    /// The paths of all files that it is made of, each with the table that names it.
    pub fn files(&mut self) -> Vec<(&'static str, &mut String)> {
        match self {
            Self::Exact(_) => Vec::new(),
            Self::Spim(device) => device.files(),
            Self::Crossbar(device) => device.files(),
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::Exact(ExactTable::default())
    }
}
