//! What a mask holds and shows, for reports.

use nalgebra::DMatrix;

use super::optics::Optics;
use super::optics::mask::{Drive, Mask};
use super::optics::wave::{Moment, Wave, focal_plane};
use super::{Multiplexing, Patterns, SpimDevice};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::{Picture, Quantity};

/// Decades of intensity from black to white.
const DECADES: f64 = 4.0;

/// Pixels of the focal plane that are shown along a side, about the zero order.
const SHOWN: usize = 256;

/// The values of all patterns as they are shown, where that is not as they are trained.
pub(super) fn quantities<T: Real>(device: &SpimDevice, patterns: &Patterns<T>) -> Vec<Quantity> {
    if device.patterns.bits == 0 {
        return Vec::new();
    }
    let both = std::iter::once(&patterns.readers).chain(&patterns.writers);
    let values = both.flat_map(|values| values.iter().map(|value| value.f64())).collect();
    vec![Quantity { name: "pattern values as shown".into(), unit: "1", values }]
}

/// The mask of the first pattern with all node values at 1, and its focal plane before the camera.
///
/// # Errors
/// Those of [`Optics::on_chip`].
pub(super) fn pictures<T: Real>(
    device: &SpimDevice,
    patterns: &Patterns<T>,
    chip: Key,
) -> Result<Vec<Picture>> {
    let pattern: Vec<f64> = patterns.readers.column(0).iter().map(|value| value.f64()).collect();
    let device = device.clone().with(|device| {
        device.frames.multiplexing = Multiplexing::Time;
        if device.quantisation.bits == 0 {
            device.quantisation.bits = 8;
        }
    });
    let optics = Optics::on_chip(&device, pattern.len(), chip)?;
    let mask = Mask::encode(&optics.layout, &[&pattern], &optics.levels);
    Ok(vec![of_mask(&mask), of_focal_plane(&optics, &mask)?])
}

fn of_mask(mask: &Mask) -> Picture {
    let most = f64::from((1u32 << mask.bits) - 1);
    let brightness: Vec<f64> = match &mask.drive {
        Drive::Levels(levels) => levels.iter().map(|level| f64::from(*level) / most).collect(),
        Drive::Phases(phases) => phases.iter().map(|phase| phase / std::f64::consts::TAU).collect(),
    };
    Picture {
        name: "mask",
        title: format!(
            "The modulator shows pattern 1 with all node values at 1: {} x {} pixels, grey from \
             level 0 to {most}",
            mask.width, mask.height
        ),
        brightness: DMatrix::from_row_iterator(mask.height, mask.width, brightness),
    }
}

fn of_focal_plane(optics: &Optics, mask: &Mask) -> Result<Picture> {
    let mut wave = Wave::new(optics);
    let near = wave.near_field(mask, Moment::default())?;
    let image = focal_plane(&optics.layout, wave.far_field(near));
    let (height, width) = (image.nrows().min(SHOWN), image.ncols().min(SHOWN));
    // The zero order is at the pixel half the size down and across.
    let first = (image.nrows() / 2 - height / 2, image.ncols() / 2 - width / 2);
    let mut stream = Key::new(1, "photograph").stream();
    let seen = image
        .view(first, (height, width))
        .map(|intensity| optics.detector.pixel(intensity, &mut stream).max(0.0));
    let brightest = seen.max().max(f64::MIN_POSITIVE);
    let (across, down) = (width as f64 / mask.width as f64, height as f64 / mask.height as f64);
    Ok(Picture {
        name: "focal-plane",
        title: format!(
            "Its focal plane as the camera sees it, {across:.3} x {down:.3} cycles a pixel about \
             the zero order, grey over {DECADES} decades of intensity"
        ),
        brightness: seen.map(|intensity| {
            (1.0 + (intensity / brightest).max(1e-300).log10() / DECADES).clamp(0.0, 1.0)
        }),
    })
}
