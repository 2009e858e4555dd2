//! The hardware of every array: the table `[device]`.

use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::crossbar::CrossbarDevice;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optic;
use crate::coupler::{Coupler, Effect, ExactTable, Family, Site};
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

/// An effect that a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectOn {
    /// Its table, such as `read_noise`.
    pub table: &'static str,
    /// What it is called, such as "read noise".
    pub title: &'static str,
    /// Tables without which it makes no sense.
    pub needs: &'static [&'static str],
}

impl Device {
    /// The effects that are on, in the order in which signals meet them.
    pub fn effects_on(&self) -> Vec<EffectOn> {
        match self {
            Self::Exact(_) => Vec::new(),
            Self::Spim(device) => {
                let on = device.effects().into_iter().filter(|(_, effect)| !effect.is_off());
                let entry = |(table, effect): (_, &dyn Optic)| EffectOn {
                    table,
                    title: effect.title(),
                    needs: effect.needs(),
                };
                on.map(entry).collect()
            }
            Self::Crossbar(device) => {
                let on = device.effects().into_iter().filter(|(_, effect)| !effect.is_off());
                let entry = |(table, effect): (_, &dyn Effect)| EffectOn {
                    table,
                    title: effect.title(),
                    needs: &[],
                };
                on.map(entry).collect()
            }
        }
    }

    /// The tables of all effects that a device of this family can have.
    pub fn effect_tables(&self) -> &'static [&'static str] {
        match self {
            Self::Exact(_) => &[],
            Self::Spim(_) => SpimDevice::EFFECTS,
            Self::Crossbar(_) => CrossbarDevice::EFFECTS,
        }
    }

    /// Makes the effect of one table `factor` times as large, 0 taking it away; says whether it can
    /// be.
    pub fn scale(&mut self, table: &str, factor: f64) -> bool {
        match self {
            Self::Exact(_) => false,
            Self::Spim(device) => device.scale(table, factor),
            Self::Crossbar(device) => device.scale(table, factor),
        }
    }

    /// Forgets the datasheet under its numbers, so that what is taken away is not filled in again.
    pub(crate) fn forget_sheet(&mut self) {
        match self {
            Self::Exact(_) => {}
            Self::Spim(device) => device.sheet = None,
            Self::Crossbar(device) => device.sheet = None,
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::Exact(ExactTable::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Sheet;

    #[test]
    fn effects_of_every_sheet_scale_exactly_at_0_and_1() {
        for name in Sheet::names() {
            let device = Sheet::find(name).unwrap().device().unwrap();
            for EffectOn { table, .. } in device.effects_on() {
                let scaled = |factor| {
                    let mut scaled = device.clone();
                    scaled.scale(table, factor).then_some(scaled)
                };
                assert_eq!(scaled(1.0).as_ref(), Some(&device), "{name}: {table}");
                let without = scaled(0.0).unwrap();
                assert!(without.effects_on().iter().all(|effect| effect.table != table), "{name}");
                let Some(double) = scaled(2.0) else {
                    assert_eq!(table, "pulses", "{name}: what is a law and no size");
                    continue;
                };
                assert_ne!(double, device, "{name}: {table}");
                assert!(double.effects_on().iter().any(|effect| effect.table == table), "{name}");
            }
        }
    }

    #[test]
    fn twice_an_effect_is_what_its_file_says() {
        let parsed = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        for (family, text, table, expected) in [
            ("crossbar", "adc.bits = 8", "adc", "adc.bits = 7"),
            ("crossbar", "levels.count = 17", "levels", "levels.count = 9"),
            (
                "crossbar",
                "drift.nu = [0.1, 0.2, 0.0, 0.5]",
                "drift",
                "drift.nu = [0.2, 0.4, 0.0, 1.0]",
            ),
            ("crossbar", "stuck.at_min = 0.125", "stuck", "stuck.at_min = 0.25"),
            (
                "crossbar",
                "flicker_noise.q = [0.5, 0.75, 0.25]",
                "flicker_noise",
                "flicker_noise.q = [1.0, 0.75, 0.5]",
            ),
            ("spim", "dead_zone.fill_factor = 0.75", "dead_zone", "dead_zone.fill_factor = 0.5"),
            ("spim", "fringing.sigma = 2.0", "fringing", "fringing.sigma = 1.0"),
            ("spim", "settling.rise_ms = 3.0", "settling", "settling.rise_ms = 6.0"),
            ("spim", "camera.electrons = 8000.0", "camera", "camera.electrons = 2000.0"),
            ("spim", "quantisation.bits = 10", "quantisation", "quantisation.bits = 9"),
        ] {
            let device = |text: &str| -> Device {
                let table = toml::Table::from_iter([(family.to_owned(), parsed(text).into())]);
                toml::Value::Table(table).try_into().unwrap()
            };
            let mut double = device(text);
            assert!(double.scale(table, 2.0));
            assert_eq!(double, device(expected), "{text}");
        }
        assert!(!Device::default().scale("adc", 2.0));
    }
}
