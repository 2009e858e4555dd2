//! Instruments on the bench: node values as masks, and a mask's focal plane.

use nalgebra::DMatrix;
use num_complex::Complex;

use super::optics::Optics;
use super::optics::display::Display;
use super::optics::exposure::{Exposure, Field};
use super::optics::light::Light;
use super::optics::mask::Mask;
use super::optics::wave::{Moment, Wave, focal_plane};
use super::{Multiplexing, Path, SpimDevice, Tier};
use crate::arithmetic::random::{Key, Stream};
use crate::{Error, Result};

/// Masks that show node values through patterns.
pub struct Encoded {
    /// The light path that they are made for.
    pub optics: Optics,
    /// One a pattern, or one for all in focal-plane division.
    pub masks: Vec<Mask>,
}

/// The hardware on the bench: that of the first array of an experiment of this seed and chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchChip {
    /// Names what is fixed in the hardware, and the noise of a frame.
    pub seed: u64,
    /// Names, beside the seed, what is fixed in the hardware.
    pub chip: u64,
}

impl BenchChip {
    /// The light path of `device` with `nodes` macro-pixels.
    fn optics(self, device: &SpimDevice, nodes: usize) -> Result<Optics> {
        Optics::on_chip(device, nodes, SpimDevice::chip(self.seed, self.chip, 0))
    }
}

/// The masks that show `values` (one a node, in [-1, 1]) through `patterns` (nodes x patterns, in
/// [-1, 1]) on `device`, 8 bits where it has no levels of its own. Values are dimmed where the
/// device compensates its light, and a device of homodyne readout shows its reference beside them,
/// at phase pi if `reference_pi`. Errors call values and patterns by `names`.
///
/// # Errors
/// When a number is out of range, there is not a row a node, or the nodes do not fit the panel.
pub fn encode(
    mut device: SpimDevice,
    chip: BenchChip,
    values: &[f64],
    patterns: &DMatrix<f64>,
    reference_pi: bool,
    names: [&str; 2],
) -> Result<Encoded> {
    let nodes = values.len();
    check_range(names[0], &DMatrix::from_column_slice(nodes, 1, values))?;
    if patterns.nrows() != nodes {
        let (name, rows) = (names[1], patterns.nrows());
        return Err(Error::input(format!(
            "{name}: expected {nodes} rows, one a node value, found {rows}"
        )));
    }
    check_range(names[1], patterns)?;
    if device.quantisation.bits == 0 {
        device.quantisation.bits = 8;
    }
    device.patterns.count = patterns.ncols();
    let optics = chip.optics(&device, nodes)?;
    let display = Display::new(&optics);
    let products = patterns.column_iter().map(|pattern| {
        let product: Vec<f64> = pattern.iter().zip(values).map(|(xi, value)| xi * value).collect();
        let mut shown = display.shown(&product);
        if reference_pi {
            shown[nodes..].iter_mut().for_each(|value| *value = -*value);
        }
        shown
    });
    let products: Vec<Vec<f64>> = products.collect();
    let products: Vec<&[f64]> = products.iter().map(Vec::as_slice).collect();
    let masks = device.masks(&products);
    let masks = masks.iter().map(|shown| Mask::encode(&optics.layout, shown, &optics.levels));
    Ok(Encoded { masks: masks.collect(), optics })
}

/// Refuses what cannot be shown.
fn check_range(name: &str, numbers: &DMatrix<f64>) -> Result<()> {
    let beyond = |value: &f64| !(-1.0..=1.0).contains(value);
    let Some(at) = numbers.iter().position(beyond) else { return Ok(()) };
    let (row, column) = (at % numbers.nrows() + 1, at / numbers.nrows() + 1);
    Err(Error::input(format!(
        "{name}: row {row}, column {column}: expected a number in [-1, 1], found {}",
        numbers[at]
    )))
}

/// What is looked at in the focal plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// How much of the optics is followed: by wave optics, or one of the tiers that see the zero
    /// order of masks that show node values.
    pub tier: Option<Tier>,
    /// Points of the focal plane, cycles a pixel down and across; of none, the zero order and the
    /// Nyquist orders. Only wave optics sees them.
    pub points: Vec<(f64, f64)>,
    /// Nodes on the mask, for the tiers that need to know.
    pub nodes: Option<usize>,
    /// Whether the whole focal plane is worked out. Only wave optics sees it.
    pub image: bool,
}

/// The focal plane of a mask. Intensities are relative to the zero order of a flat phase on a panel
/// without dead zones; frequencies are in cycles a pixel.
pub struct Frame {
    /// The zero order without noise.
    pub zero_order: f64,
    /// The zero order as the camera reads it.
    pub camera: f64,
    /// Intensities at points, cycles a pixel down and across.
    pub intensities: Vec<((f64, f64), f64)>,
    /// The intensities of the focal plane, zero order in the middle.
    pub image: Option<DMatrix<f64>>,
    optics: Optics,
    stream: Stream,
}

impl Frame {
    /// The height and width of the region that the camera sums, cycles a pixel.
    pub fn region(&self) -> (f64, f64) {
        let (layout, region) = (&self.optics.layout, &self.optics.device.region);
        let size = |blocks: usize| {
            region.side_px as f64 / ((blocks * layout.macro_pixel) as f64 * region.spot_px)
        };
        (size(layout.rows), size(layout.columns))
    }

    /// The [`image`](Self::image) as the camera sees it, with noise of its own.
    pub fn photograph(&mut self) -> Option<DMatrix<f64>> {
        let Self { image, optics, stream, .. } = self;
        image.as_ref().map(|image| {
            DMatrix::from_fn(image.nrows(), image.ncols(), |row, column| {
                optics.detector.pixel(image[(row, column)], stream).max(0.0)
            })
        })
    }
}

/// Shows the mask that `read` gives, for a device's bits and the size of its panel, on `device`, and
/// looks at the focal plane: a device without a panel or levels takes those of the mask. Errors call
/// the mask `name`.
///
/// # Errors
/// When the mask is none of this device, or a tier cannot see what is asked for.
pub fn frame(
    mut device: SpimDevice,
    chip: BenchChip,
    name: &str,
    read: impl FnOnce(u32, Option<(usize, usize)>) -> Result<Mask>,
    look: &Look,
) -> Result<Frame> {
    let mask = read(device.quantisation.bits, device.panel.size())?;
    device.quantisation.bits = mask.bits;
    device.frames.multiplexing = Multiplexing::Time;
    let panel = &mut device.panel;
    (panel.height_px, panel.width_px) = (mask.height, mask.width);
    if look.nodes.is_none() && look.tier.is_none() {
        // Wave optics needs no nodes: one macro-pixel stands for the whole panel.
        panel.checker_px = 1;
        let most = mask.width.min(mask.height) / 2 * 2;
        panel.macro_pixel_px = panel.macro_pixel_px.min(most).max(2) / 2 * 2;
    }
    let side = panel.macro_pixel_px;
    let whole = (mask.width / side) * (mask.height / side);
    let optics = chip.optics(&device, look.nodes.unwrap_or(whole).max(1))?;
    let stream = Key::new(chip.seed, "bench frame").stream();
    match look.tier {
        None => wave_frame(&mask, optics, stream, look),
        Some(tier) => node_frame(&mask, optics, stream, tier, name, look),
    }
}

/// What the camera reads of the zero order's `field`, after its intensity without noise; fields are
/// relative to that of all light in phase.
fn exposed(
    optics: &Optics,
    path: Path,
    (field, power): (Field, f64),
    stream: &mut Stream,
) -> [f64; 2] {
    let mut exposure = Exposure::new(optics.sight(path, 1.0, power), 1.0);
    let still = exposure.intensity(field);
    exposure.begin(stream);
    let count = exposure.frame(field, stream);
    [still, count + exposure.drawn(stream)]
}

/// The focal plane of the whole mask.
fn wave_frame(mask: &Mask, optics: Optics, mut stream: Stream, look: &Look) -> Result<Frame> {
    let mut wave = Wave::new(&optics);
    let near = wave.near_field(mask, Moment::default())?;
    let points = match &look.points[..] {
        [] => &[(0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.5, 0.5)],
        points => points,
    };
    let at = |(fy, fx): &(f64, f64)| ((*fy, *fx), wave.at(&near, *fy, *fx).norm_sqr());
    let intensities = points.iter().map(at).collect();
    let field = (wave.at(&near, 0.0, 0.0), Complex::default());
    let [zero_order, camera] = exposed(&optics, Path::Wave, (field, 0.0), &mut stream);
    let image = look.image.then(|| focal_plane(&optics.layout, wave.far_field(near)));
    Ok(Frame { zero_order, camera, intensities, image, optics, stream })
}

/// The zero order from node values.
fn node_frame(
    mask: &Mask,
    optics: Optics,
    mut stream: Stream,
    tier: Tier,
    name: &str,
    look: &Look,
) -> Result<Frame> {
    if !look.points.is_empty() || look.image {
        return Err(Error::input(
            "--at and --image: only the wave tier sees more than the zero order; expected \
             --tier wave",
        ));
    }
    let shown = mask
        .decode(&optics.layout, &optics.levels)
        .map_err(|e| Error::input(format!("{name}: {e}")))?;
    let [values] = &shown[..] else {
        return Err(Error::input(
            "--tier: a mask of several regions has several orders, which only the wave tier sees; \
             expected wave",
        ));
    };
    let light = Light::new(&optics, tier);
    let (field, slope) = light.zero_order(values, &[]);
    let share = optics.light_on_nodes(0) / optics.light() / optics.layout.nodes as f64;
    let field = ((field * share, slope * share), light.power() * share * share);
    let [zero_order, camera] = exposed(&optics, tier.path(), field, &mut stream);
    let intensities = vec![((0.0, 0.0), zero_order)];
    Ok(Frame { zero_order, camera, intensities, image: None, optics, stream })
}
