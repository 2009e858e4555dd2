//! How far the tiers part, and which effect is to blame.
//!
//! Random values in [-1, 1] are shown by all nodes; the zero-order intensities of the analytic and
//! the effective tier are held against those of the wave tier, first with every effect of the
//! device, then with each effect alone. Noise is left out, and what flickers is held at its crest;
//! an effect that is then seen by no tier is not listed.

use rand::RngExt;

use super::Optics;
use super::exposure::Exposure;
use super::mask::Mask;
use super::wave::{Moment, Wave};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::coupler::spim::optics::light::Light;
use crate::coupler::spim::{Multiplexing, ReadoutChoice, SpimDevice, Tier};

/// How far two tiers are from the wave tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// rms of the analytic tier's error, relative to the rms intensity.
    pub analytic: f64,
    /// rms of the effective tier's error, relative to the rms intensity.
    pub effective: f64,
}

/// How far the tiers part on one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// With every effect.
    pub all: Deviation,
    /// With one effect at a time, for those that the device has.
    pub alone: Vec<(&'static str, Deviation)>,
}

/// Compares the tiers on `device` with `nodes` nodes over `samples` sets of values; `seed` names them
/// and what is fixed in the hardware.
///
/// # Errors
/// Those of [`Optics::on_chip`].
pub fn agreement(
    device: &SpimDevice,
    nodes: usize,
    samples: usize,
    seed: u64,
) -> Result<Agreement> {
    let device = device.clone().with(|device| {
        device.readout = ReadoutChoice::default();
        device.frames.multiplexing = Multiplexing::Time;
    });
    let bare = device.without_effects();
    let seen = |device: &SpimDevice| intensities(device, nodes, samples, seed);
    let unseen = seen(&bare)?;
    let mut alone = Vec::new();
    for (table, effect) in device.effects() {
        if effect.is_off() {
            continue;
        }
        let with = |tables: &mut dyn Iterator<Item = &&'static str>| {
            bare.clone().with(|one| {
                tables.for_each(|table| {
                    one.give(table, &device);
                });
            })
        };
        let needs = effect.needs();
        let found = seen(&with(&mut needs.iter().chain([&table])))?;
        let without = match needs {
            [] => unseen.clone(),
            needs => seen(&with(&mut needs.iter()))?,
        };
        if found != without {
            alone.push((effect.title(), deviation(&found)));
        }
    }
    Ok(Agreement { all: deviation(&seen(&device)?), alone })
}

/// The zero-order intensities of each set of values in the analytic, the effective and the wave
/// tier, relative to all nodes in phase.
fn intensities(
    device: &SpimDevice,
    nodes: usize,
    samples: usize,
    seed: u64,
) -> Result<Vec<[f64; 3]>> {
    let optics = Optics::on_chip(device, nodes, SpimDevice::chip(seed, 0, 0))?;
    let wave = Wave::new(&optics);
    let mut exposures = [Tier::Analytic, Tier::Effective].map(|tier| {
        let light = Light::new(&optics, tier);
        let sight = optics.sight(tier.path(), nodes as f64, light.power());
        (light, Exposure::new(sight, 1.0))
    });
    exposures.iter_mut().for_each(|(_, exposure)| exposure.hold_crest());
    let flicker = exposures[1].1.phase_change();
    let mut stream = Key::new(seed, "agreement of tiers").stream();
    let sample = |_| {
        let values: Vec<f64> = (0..nodes).map(|_| 2.0 * stream.random::<f64>() - 1.0).collect();
        let mask = Mask::encode(&optics.layout, &[&values], &optics.levels);
        let near = wave.near_field(&mask, Moment { flicker, pixel_key: None })?;
        let [analytic, effective] = exposures
            .each_ref()
            .map(|(light, exposure)| exposure.intensity(light.zero_order(&values, &[])));
        Ok([analytic, effective, wave.frame(&near, 0, [0.0; 2], None)])
    };
    (0..samples).map(sample).collect()
}

fn deviation(intensities: &[[f64; 3]]) -> Deviation {
    let sum = |of: fn(&[f64; 3]) -> f64| intensities.iter().map(|i| of(i).powi(2)).sum::<f64>();
    let squares = sum(|i| i[2]);
    Deviation {
        analytic: (sum(|i| i[0] - i[2]) / squares).sqrt(),
        effective: (sum(|i| i[1] - i[2]) / squares).sqrt(),
    }
}
