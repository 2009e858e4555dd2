//! Cells on the bench: one side of an array, programmed as the machine would program it.

use nalgebra::DMatrix;

use super::chip::ChipCells;
use super::effects::CrossbarDevice;
use super::hook::Making;
use super::settings::Mapping;
use super::written::Cells;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::{Error, Result};

/// The conductances, microsiemens, of cells that are asked to be `targets_us` once, at the device's
/// time: one side of an array whose chip `key` names. The same key is the same cells, whatever the
/// time and whatever they are read with.
///
/// # Errors
/// When the device's cells are pulsed: they have no targets.
pub fn program_once(
    device: &CrossbarDevice,
    targets_us: &DMatrix<f64>,
    key: Key,
) -> Result<DMatrix<f64>> {
    if !device.pulses.is_off() {
        let model = device.pulses.model;
        return Err(Error::input(format!(
            "pulses.model = {model:?}: pulsed cells are not written to targets; expected a device \
             with pulses.model = \"none\""
        )));
    }
    let mut device = device.clone();
    device.cells.mapping = Mapping::Differential;
    let (outputs, inputs) = targets_us.shape();
    let pairs = &device.cells;
    let weights = targets_us.map(|g| (g - pairs.g_min_us) * pairs.weight_per_us());
    let chip = ChipCells::<f64>::new(&Making { device: &device, outputs, inputs, key });
    let mut cells = Cells::new(&device, (outputs, inputs));
    cells.write(&device, &chip, &weights, key);
    let [plus, _] = chip.age(&device, cells.programmed(&device), &cells.asked(&device));
    Ok(plus)
}
