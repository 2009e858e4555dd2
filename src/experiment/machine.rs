//! Kinds of machines: what an experiment builds.

use super::Experiment;
use super::laboratory_machine::LaboratoryMachine;
use super::network::NetworkMachine;
use crate::Result;
use crate::arithmetic::Real;
use crate::quantity::choice::choices;
use crate::system::System;

choices! {
    /// The kind of machine: `machine = "network"`, or the table of another kind.
    pub enum Machine {
        /// An analog network.
        "network" => Network(NetworkMachine),
        /// A machine of a laboratory that relaxes by itself.
        "laboratory" => Laboratory(LaboratoryMachine),
    }
    forward {
        /// The machine in words.
        pub(super) fn describe(&self, experiment: &Experiment) -> String;
        /// Checks what no single key can tell.
        pub(super) fn check(&self, experiment: &Experiment) -> Result<()>;
        /// Checks that a data set of so many features and classes, or targets, fits the machine.
        pub(super) fn check_data(
            &self,
            experiment: &Experiment,
            features: usize,
            outputs: usize,
        ) -> Result<()>;
        /// The untrained machine.
        pub(super) fn build<T: Real>(&self, experiment: &Experiment) -> Result<Box<dyn System<T>>>;
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::Network(NetworkMachine::default())
    }
}
