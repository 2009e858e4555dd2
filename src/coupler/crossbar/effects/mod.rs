//! The crossbar as a list: what it is made of, and what parts it from an ideal one, an effect a
//! file.
//!
//! A new effect is a file that implements [`Effect`](crate::coupler::Effect) and [`ArrayEffect`],
//! its two lines here and its line in the list below.

mod adc;
mod amplifiers;
mod converter;
mod current;
mod curve;
mod dac;
mod drift;
mod flicker_noise;
mod levels;
mod map;
mod output_noise;
mod programming;
mod pulses;
mod read_noise;
mod reverse_amplifiers;
mod selector;
mod stuck;
mod wires;

pub use adc::Adc;
pub use amplifiers::Amplifiers;
pub use current::CellCurrent;
pub use dac::Dac;
pub use drift::Drift;
pub use flicker_noise::FlickerNoise;
pub use levels::Levels;
pub use map::{CellMap, MappedCells};
pub use output_noise::OutputNoise;
pub use programming::Programming;
pub use pulses::{Direction, Pulses, Rounding, StepModel, StepNoise, Steps};
pub use read_noise::ReadNoise;
pub use reverse_amplifiers::ReverseAmplifiers;
pub use selector::Selector;
pub use stuck::StuckCells;
pub use wires::Wires;

use super::hook::ArrayEffect;
use super::settings::{Age, Cost, Drive, Noise, Pairs, Tiles};
use crate::arithmetic::Real;
use crate::coupler::tables;

tables! {
    /// A crossbar of resistive cells with its converters: the table `[device.crossbar]`. Without
    /// effects, its default, an array is ideal.
    pub struct CrossbarDevice met as <T: Real> dyn ArrayEffect<T> {
        settings {
            /// The cells' range, and how a weight becomes a pair of them.
            cells: Pairs,
            /// How values become voltages.
            drive: Drive,
            /// When cells are read.
            age: Age,
            /// How fast noise is.
            noise: Noise,
            /// How a large array is divided.
            tiles: Tiles,
            /// What reads and writes cost.
            cost: Cost,
        }
        effects {
            /// Cells with a limited number of levels.
            levels: Levels,
            /// Cells that no write moves.
            stuck: StuckCells,
            /// Errors of writing.
            programming: Programming,
            /// Cells that were measured one by one.
            map: CellMap,
            /// Cells that are pulsed and are the only memory.
            pulses: Pulses,
            /// Conductances that fall with time.
            drift: Drift,
            /// Converters that drive the lines.
            dac: Dac,
            /// Cells whose current is no straight line.
            current: CellCurrent,
            /// Selectors in series with the cells.
            selector: Selector,
            /// Wires that resist.
            wires: Wires,
            /// White noise of the cells.
            read_noise: ReadNoise,
            /// 1/f noise of the cells.
            flicker_noise: FlickerNoise,
            /// Noise of the reading amplifiers.
            output_noise: OutputNoise,
            /// Mismatch of the outputs' amplifiers.
            amplifiers: Amplifiers,
            /// Mismatch of reads at the inputs.
            reverse_amplifiers: ReverseAmplifiers,
            /// Converters that read the lines.
            adc: Adc,
        }
    }
}

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
