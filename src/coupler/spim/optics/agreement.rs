//! How far the tiers part, and which effect is to blame.
//!
//! Random values in [-1, 1] are shown by all nodes; the zero-order intensities of the analytic and
//! the effective tier are held against those of the wave tier, first with every effect of the
//! device, then with each effect alone. Noise is left out, but for the common flicker, which is
//! held at its crest.

use rand::RngExt;

use super::Optics;
use super::effective::Effective;
use super::gauge::Gauge;
use super::mask::Mask;
use super::wave::{Moment, Wave};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::coupler::spim::{Multiplexing, SpimDevice, Tier};

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

/// An effect's name, whether a device has it, and how to give it to another.
type Effect = (&'static str, fn(&SpimDevice) -> bool, fn(&mut SpimDevice, &SpimDevice));

/// The effects on which the tiers may differ.
const EFFECTS: [Effect; 8] = [
    ("phase quantisation", |d| d.phase_bits > 0, |to, from| to.phase_bits = from.phase_bits),
    (
        "phase response",
        |d| d.phase_scale != 1.0 || d.phase_gamma != 1.0 || d.phase_table.is_some(),
        |to, from| {
            // A table has an entry a level.
            (to.phase_bits, to.phase_table) = (from.phase_bits, from.phase_table.clone());
            (to.phase_scale, to.phase_gamma) = (from.phase_scale, from.phase_gamma);
        },
    ),
    (
        "fringing fields",
        |d| d.crosstalk_sigma > 0.0 || d.crosstalk_kernel.is_some(),
        |to, from| {
            (to.crosstalk_sigma, to.crosstalk_order) = (from.crosstalk_sigma, from.crosstalk_order);
            to.crosstalk_kernel = from.crosstalk_kernel.clone();
        },
    ),
    (
        "fill factor, dead zone",
        |d| d.fill_factor < 1.0,
        |to, from| {
            to.fill_factor = from.fill_factor;
            (to.gap_reflectivity, to.gap_phase_rad) = (from.gap_reflectivity, from.gap_phase_rad);
        },
    ),
    ("common flicker", |d| d.flicker > 0.0, |to, from| to.flicker = from.flicker),
    (
        "illumination",
        |d| d.beam_radius > 0.0 || d.illumination.is_some(),
        |to, from| {
            (to.beam_radius, to.illumination) = (from.beam_radius, from.illumination.clone())
        },
    ),
    (
        "aberration",
        |d| d.zernike_waves.iter().any(|waves| *waves != 0.0),
        |to, from| {
            (to.zernike_waves, to.zernike_correction) =
                (from.zernike_waves.clone(), from.zernike_correction)
        },
    ),
    (
        "region of interest",
        |d| d.camera_region_px > 1,
        |to, from| {
            (to.camera_region_px, to.camera_spot_px) = (from.camera_region_px, from.camera_spot_px)
        },
    ),
];

/// Compares the tiers on `device` with `nodes` nodes over `samples` sets of values named by `seed`.
///
/// # Errors
/// Those of [`Optics::new`].
pub fn agreement(
    device: &SpimDevice,
    nodes: usize,
    samples: usize,
    seed: u64,
) -> Result<Agreement> {
    let device =
        SpimDevice { multiplexing: Multiplexing::Time, tier: Tier::Effective, ..device.clone() };
    let bare = SpimDevice {
        panel_width_px: device.panel_width_px,
        panel_height_px: device.panel_height_px,
        macro_pixel_px: device.macro_pixel_px,
        checker_px: device.checker_px,
        ..SpimDevice { tier: Tier::Effective, ..SpimDevice::ideal() }
    };
    let alone = EFFECTS.iter().filter(|(_, has, _)| has(&device)).map(|(name, _, give)| {
        let mut one = bare.clone();
        give(&mut one, &device);
        Ok((*name, deviation(&one, nodes, samples, seed)?))
    });
    Ok(Agreement {
        all: deviation(&device, nodes, samples, seed)?,
        alone: alone.collect::<Result<_>>()?,
    })
}

fn deviation(device: &SpimDevice, nodes: usize, samples: usize, seed: u64) -> Result<Deviation> {
    let optics = Optics::new(device, nodes)?;
    let (wave, effective, gauge) =
        (Wave::new(&optics), Effective::new(&optics, 0), Gauge::new(device.phase_bits));
    let mut stream = Key::new(seed, "agreement of tiers").stream();
    let (mut squares, mut analytic_errors, mut effective_errors) = (0.0, 0.0, 0.0);
    for _ in 0..samples {
        let values: Vec<f64> = (0..nodes).map(|_| 2.0 * stream.random::<f64>() - 1.0).collect();
        let mask = Mask::encode(&optics.layout, &[&values], device.phase_bits);
        let near = wave.near_field(&mask, Moment { flicker: device.flicker, pixel_key: None })?;
        let real = wave.frame(&near, 0, [0.0; 2], None);
        let square = (nodes * nodes) as f64;
        let analytic = values.iter().map(|value| gauge.field(*value)).sum::<f64>().powi(2) / square;
        let (field, slope) = effective.zero_order(&values);
        let tabulated = (field + slope * device.flicker).norm_sqr() / square;
        squares += real * real;
        analytic_errors += (analytic - real) * (analytic - real);
        effective_errors += (tabulated - real) * (tabulated - real);
    }
    Ok(Deviation {
        analytic: (analytic_errors / squares).sqrt(),
        effective: (effective_errors / squares).sqrt(),
    })
}
