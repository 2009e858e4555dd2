//! What parts a crossbar from an ideal one, an effect a file.

mod adc;
mod amplifiers;
mod converter;
mod current;
mod dac;
mod drift;
mod flicker_noise;
mod levels;
mod output_noise;
mod programming;
mod pulses;
mod read_noise;
mod reverse_amplifiers;
mod stuck;
mod wires;

pub use adc::Adc;
pub use amplifiers::Amplifiers;
pub use current::CellCurrent;
pub use dac::Dac;
pub use drift::Drift;
pub use flicker_noise::FlickerNoise;
pub use levels::Levels;
pub use output_noise::OutputNoise;
pub use programming::Programming;
pub use pulses::{Pulses, Rounding, StepModel, StepNoise, Steps};
pub use read_noise::ReadNoise;
pub use reverse_amplifiers::ReverseAmplifiers;
pub use stuck::StuckCells;
pub use wires::Wires;

/// Checks a list of numbers in `key`: all finite, and `length` of them or none, where that is set.
fn check_list(key: &str, list: &[f64], length: Option<usize>) -> Result<(), String> {
    if let Some(number) = list.iter().find(|number| !number.is_finite()) {
        return Err(format!("{key}: expected finite numbers, found {number}"));
    }
    match length {
        Some(length) if !list.is_empty() && list.len() != length => {
            Err(format!("{key}: expected {length} numbers or none, found {}", list.len()))
        }
        _ => Ok(()),
    }
}
