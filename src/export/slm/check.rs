//! What a machine does beside its patterns, worked out anew from its device, against what the files
//! of an export say.

use std::path::Path;

use num_complex::Complex;
use rayon::prelude::*;

use super::layout::MaskLayout;
use super::translation::Translation;
use super::{MaskFile, Masks, Modulator, checked_layout, numbers, shown, signed};
use crate::Result;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::display::Display;
use crate::coupler::spim::optics::exposure::Exposure;
use crate::coupler::spim::optics::wave::{Moment, Wave};
use crate::coupler::spim::optics::{Optics, Path as LightPath};
use crate::file::matrix::read_matrix;

/// How far two numbers that were worked out in the same way may part, relative to the larger.
const SAME: f64 = 1e-9;

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// The light path of the modulator that `held` is for.
fn optics_of(modulator: Modulator, held: &Masks) -> Result<Optics> {
    checked_layout(held)?;
    let own = modulator.device.quantisation.bits;
    modulator.light_path(if own == 0 { held.bits } else { own }, held.layout.nodes)
}

/// The intensity in the order of each region of each mask in `directory`, over that of all light of
/// the panel in phase, as `modulator` shows it: the wave tier, without noise.
///
/// # Errors
/// When a mask or the device cannot be read.
pub(in crate::export) fn orders(
    directory: &Path,
    modulator: Modulator,
    held: &Masks,
) -> Result<Vec<Vec<f64>>> {
    orders_of(optics_of(modulator, held)?, modulator.device, held, &shown(directory, held)?)
}

/// [`orders`] of masks that show the values `shown`, on the light path `optics`.
fn orders_of(
    mut optics: Optics,
    device: &SpimDevice,
    held: &Masks,
    shown: &[Vec<f64>],
) -> Result<Vec<Vec<f64>>> {
    optics.layout = held.layout.layout()?;
    let plain = Translation::new(optics.layout.clone(), optics.levels.clone(), 1, None)?;
    let columns: Vec<&[f64]> = shown.iter().map(Vec::as_slice).collect();
    let wave = Wave::new(&optics);
    let of_mask = |values: &&[&[f64]]| {
        let near = wave.near_field(&plain.plain_mask(values), Moment::default())?;
        let order = |region: usize| {
            let (fy, fx) = optics.layout.regions[region].carrier;
            let field = (wave.at(&near, fy, fx), Complex::default());
            // What no pixel modulates is told by the light on the nodes.
            let nodes = optics.light_on_nodes(region) / optics.light();
            let exposure = Exposure::new(optics.sight(LightPath::Wave, nodes, 0.0), 1.0);
            exposure.intensity(field) * nodes * nodes
        };
        Ok((0..optics.layout.regions.len()).map(order).collect())
    };
    device.masks(&columns).par_iter().map(of_mask).collect()
}

/// What the files in `directory` say of `held` that the machine on `modulator` does not do, or does
/// not say that it does.
///
/// # Errors
/// When a file or the device cannot be read.
pub(in crate::export) fn problems(
    directory: &Path,
    modulator: Modulator,
    held: &Masks,
) -> Result<Vec<String>> {
    let (device, optics) = (modulator.device, optics_of(modulator, held)?);
    let display = Display::new(&optics);
    let name = &held.parameter;
    let mut problems = Vec::new();
    let mut differs = |key: &str, found: String, expected: String| {
        problems.push(format!(
            "manifest.json: {name}: {key} = {found}: the machine of the configuration has {expected}"
        ));
    };
    if held.bits != optics.levels.bits() {
        differs("bits", held.bits.to_string(), optics.levels.bits().to_string());
    }
    let expected = MaskLayout::of(&optics.layout);
    if held.layout.without_carriers() != expected.without_carriers() {
        differs("layout", format!("{:?}", held.layout), format!("{expected:?}"));
    }
    if !same(held.brightening, display.brightening()) {
        differs("brightening", held.brightening.to_string(), display.brightening().to_string());
    }
    if !same(held.reference_amplitude, display.amplitude()) {
        let (found, expected) = (held.reference_amplitude, display.amplitude());
        differs("reference_amplitude", found.to_string(), expected.to_string());
    }
    let panel = &device.panel;
    for (key, found, expected) in [
        ("pitch_um", held.pitch_um, panel.pitch_um),
        ("wavelength_nm", held.wavelength_nm, panel.wavelength_nm),
    ] {
        if found != expected {
            differs(key, found.to_string(), expected.to_string());
        }
    }
    if held.level_2pi != optics.levels.full_turn() {
        let (found, expected) = (held.level_2pi, optics.levels.full_turn());
        differs("level_2pi", format!("{found:?}"), format!("{expected:?}"));
    }
    let mut file = |key: &str, file: Option<&String>, expected: Option<&[f64]>| -> Result<()> {
        let found = match (file, expected) {
            (None, None) => return Ok(()),
            (None, Some(_)) => "none".into(),
            (Some(file), None) => file.clone(),
            (Some(file), Some(expected)) => {
                let found = numbers(directory, file, expected.len(), "numbers")?;
                if found.iter().zip(expected).all(|(a, b)| same(*a, *b)) {
                    return Ok(());
                }
                file.clone()
            }
        };
        let expected = if expected.is_some() { "other numbers" } else { "none" };
        differs(key, found, expected.into());
        Ok(())
    };
    let response = Some(optics.levels.phases()).filter(|_| !optics.levels.are_even());
    file("response", held.response.as_ref(), response)?;
    file("compensation", held.compensation.as_ref(), display.compensation())?;
    let shown = match shown(directory, held) {
        Ok(shown) => shown,
        Err(error) => {
            problems.push(error.to_string());
            return Ok(problems);
        }
    };
    let wrong = wrong_values(directory, &optics, &display, held, &shown);
    problems.extend(wrong.unwrap_or_else(|error| vec![error.to_string()]));
    let wrong = orders_of(optics, device, held, &shown).map(|found| wrong_orders(held, &found));
    problems.extend(wrong.unwrap_or_else(|error| vec![error.to_string()]));
    Ok(problems)
}

/// Masks whose macro-pixels do not show what the phases say, or whose reference is not there.
fn wrong_values(
    directory: &Path,
    optics: &Optics,
    display: &Display,
    held: &Masks,
    shown: &[Vec<f64>],
) -> Result<Vec<String>> {
    let phases = read_matrix(&directory.join(&held.phases))?;
    let macro_pixels = optics.layout.macro_pixels();
    if phases.shape() != (shown.len(), macro_pixels)
        || shown.iter().any(|values| values.len() != macro_pixels)
    {
        let (rows, columns) = phases.shape();
        return Ok(vec![format!(
            "{}: expected {} x {macro_pixels} phases, patterns x macro-pixels, found {rows} x {columns}",
            held.phases,
            shown.len()
        )]);
    }
    // Half a level of phase, a whole one where carrier or correction move phases between levels.
    let slack = signed(optics, held.sign).coarseness() + 1e-6;
    let mut wrong = Vec::new();
    for (pattern, values) in shown.iter().enumerate() {
        let mask = &held.masks[pattern.min(held.masks.len() - 1)].file;
        let off = values.iter().enumerate().position(|(at, value)| {
            (value.clamp(-1.0, 1.0).acos() - phases[(pattern, at)]).abs() > slack
        });
        if let Some(at) = off {
            wrong.push(format!(
                "{mask}: macro-pixel {} shows {}, {} says {}",
                at + 1,
                values[at],
                held.phases,
                phases[(pattern, at)].cos()
            ));
            continue;
        }
        let reference = values[optics.layout.nodes..].iter().zip(display.reference());
        let angle = |value: f64| value.clamp(-1.0, 1.0).acos();
        let dark = |(a, b): (&f64, &f64)| (angle(*a) - angle(*b)).abs() > slack;
        if reference.into_iter().any(dark) {
            wrong.push(format!("{mask}: the macro-pixels of the reference do not show phase 0"));
        }
    }
    Ok(wrong)
}

/// Masks that do not send into their orders what is said of them, but what was `found`.
fn wrong_orders(held: &Masks, found: &[Vec<f64>]) -> Vec<String> {
    let wrong = |(MaskFile { file, orders, .. }, found): (&MaskFile, &Vec<f64>)| {
        let off =
            orders.len() != found.len() || !orders.iter().zip(found).all(|(a, b)| same(*a, *b));
        off.then(|| {
            format!(
                "{file}: it sends {found:?} of the light into its orders, the manifest says {orders:?}"
            )
        })
    };
    held.masks.iter().zip(found).filter_map(wrong).collect()
}
