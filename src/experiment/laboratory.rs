//! The laboratory in which an experiment's instruments stand: the table `[laboratory]`.

use std::sync::Arc;

use super::{Device, Experiment, Machine, Sheet};
use crate::arithmetic::random::Key;
use crate::coupler::chip_key;
use crate::coupler::crossbar::SimulatedArray;
use crate::coupler::spim::{SimulatedFrames, SpimDevice, Tier};
use crate::system::SimulatedSystem;
use crate::wire::{Laboratory, fresh_name};
use crate::{Error, Result};

/// Nodes of a device that is served by itself, where its panel sets no limit.
const NODES: usize = 64;

impl Experiment {
    /// An experiment of the device of `sheet` alone, with `settings` (`key=value`): nodes that are
    /// all coupled, as many as fit its panel, at most 64.
    ///
    /// # Errors
    /// When there is no such sheet, or a setting is wrong.
    pub fn of_sheet(sheet: &str, settings: &[String]) -> Result<Self> {
        let kind = Sheet::find(sheet)?.kind;
        let of_nodes = |nodes: usize| {
            let inputs = nodes / 2;
            let text = format!(
                "[network]\nlayers = [{inputs}, {}]\ntopology = \"all-to-all\"\n\
                 [device.{kind}]\nsheet = {sheet:?}\n",
                nodes - inputs
            );
            Self::parse(&text, &format!("datasheet {sheet}"), settings)
        };
        let experiment = of_nodes(NODES)?;
        let room = match &experiment.device {
            Device::Spim(device) => device.panel.room(1),
            _ => None,
        };
        match room.filter(|room| *room < NODES) {
            Some(room) => of_nodes(room.max(2)),
            None => Ok(experiment),
        }
    }

    /// The same in the laboratory that a command line names: an address `HOST:PORT`, or a command;
    /// `none` simulates.
    ///
    /// # Errors
    /// When it is neither.
    pub fn in_laboratory(&self, place: &str) -> Result<Self> {
        if place == "none" {
            return Ok(self.simulated());
        }
        let table = self.laboratory.clone().unwrap_or_default().at(place)?;
        Ok(Self { laboratory: Some(table), ..self.clone() })
    }

    /// The same on simulated hardware: what is exported and reported of a run in a laboratory.
    #[must_use]
    pub fn simulated(&self) -> Self {
        Self { laboratory: None, ..self.clone() }
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

    /// The simulated modulator and camera of this experiment, by the wave tier or by `tier`, behind
    /// the protocol of laboratories.
    ///
    /// # Errors
    /// When the device is none, or nodes do not fit its panel.
    pub fn frames(&self, tier: Option<Tier>) -> Result<SimulatedFrames> {
        let Device::Spim(device) = &self.device else {
            let found = self.device.name();
            return Err(Error::input(format!(
                "device = \"{found}\": it shows no frames; expected [device.spim]"
            )));
        };
        let apertures = self.network.shapes().into_iter();
        let apertures = apertures.flat_map(|(outputs, inputs)| device.apertures(inputs, outputs));
        let nodes = apertures.max().unwrap_or(1);
        let chip = SpimDevice::chip(self.seed, self.chip, 0);
        let noise = Key::new(self.seed, "served frames");
        SimulatedFrames::new(device, nodes, tier, [chip, noise], fresh_name())
    }

    /// The simulated array of this experiment, large enough for all its arrays, behind the protocol
    /// of laboratories.
    ///
    /// # Errors
    /// When the device is none.
    pub fn array(&self) -> Result<SimulatedArray> {
        let Device::Crossbar(device) = &self.device else {
            let found = self.device.name();
            return Err(Error::input(format!(
                "device = \"{found}\": it has no array; expected [device.crossbar]"
            )));
        };
        let shapes = self.network.shapes().into_iter();
        let shape = shapes.fold([0, 0], |[rows, columns], (outputs, inputs)| {
            [rows + 2 * outputs, columns + inputs]
        });
        let chip = chip_key(self.seed, self.chip, "first programming").with(0);
        let noise = Key::new(self.seed, "served reads");
        SimulatedArray::new(device, shape, [chip, noise], fresh_name())
    }

    /// The simulated machine of this experiment behind the protocol of laboratories.
    ///
    /// # Errors
    /// When it is none, or its parameters are no plain matrices.
    pub fn relaxing_system(&self) -> Result<SimulatedSystem> {
        SimulatedSystem::new(self.analog_network()?, fresh_name())
    }

    /// The laboratory, if there is one: it is reached.
    ///
    /// # Errors
    /// When it cannot be reached, or is none.
    pub(super) fn reach_laboratory(&self) -> Result<Option<Arc<Laboratory>>> {
        self.laboratory.as_ref().map(Laboratory::connect).transpose()
    }
}
