//! `equilux spim`: bench instruments of a spatial photonic Ising machine.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use nalgebra::DMatrix;
use num_complex::Complex;
use serde_json::{Value, json};

use super::print;
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::agreement::{Deviation, agreement};
use crate::coupler::spim::optics::display::Display;
use crate::coupler::spim::optics::exposure::{Exposure, Field};
use crate::coupler::spim::optics::light::Light;
use crate::coupler::spim::optics::mask::Mask;
use crate::coupler::spim::optics::wave::{Moment, Wave, focal_plane};
use crate::coupler::spim::{Multiplexing, Path as LightPath, SpimDevice, Tier};
use crate::experiment::Sheet;
use crate::file::grey::write_grey;
use crate::file::matrix::{read_matrix, read_vector, write_matrix};
use crate::report::format::percent;
use crate::{Error, Result};

/// The arguments of `equilux spim`.
#[derive(Debug, Args)]
pub struct SpimCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Encode(Encode),
    Frame(Frame),
    Agree(Agree),
}

/// Write the masks that show node values through patterns
///
/// One PNG a pattern (NAME-1.png, NAME-2.png...), or one for all in focal-plane division; 8-bit
/// grey, 16-bit for modulators of more than 8 bits. The grey value is the level: level g adds the
/// phase +2 pi g / 2^bits, or what the device's measured response says. Values are dimmed where the
/// device compensates its light, and a device of homodyne readout shows its reference beside them.
#[derive(Debug, Args)]
struct Encode {
    /// Node values in [-1, 1]: a vector in an .npy or .csv file
    values: PathBuf,
    /// Patterns in [-1, 1], one row a node and one column a pattern: an .npy or .csv file [default:
    /// one of ones]
    #[arg(long, value_name = "FILE")]
    patterns: Option<PathBuf>,
    /// The mask to write
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// The phase of the reference of homodyne readout
    #[arg(long, value_enum, default_value = "zero")]
    reference: ReferencePhase,
    #[command(flatten)]
    device: DeviceArguments,
}

/// Show a mask and look at the focal plane
///
/// Intensities are relative to the zero order of a flat phase on a panel without dead zones;
/// frequencies are in cycles a pixel.
#[derive(Debug, Args)]
struct Frame {
    /// The mask: a grey PNG, or levels in an .npy or .csv file
    mask: PathBuf,
    /// How much of the optics is followed; all but `wave` see the zero order of masks that show
    /// node values
    #[arg(long, value_enum, default_value = "wave")]
    tier: TierName,
    /// A point of the focal plane, cycles a pixel down and across; may be repeated [default: zero
    /// order and Nyquist orders]
    #[arg(long = "at", value_name = "FY,FX", value_parser = point, allow_hyphen_values = true)]
    points: Vec<(f64, f64)>,
    /// Nodes on the mask, for the tiers that need to know
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Write the focal plane, zero order in the middle: intensities in an .npy or .csv file, or
    /// what the camera shows in a .png
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArguments,
}

/// Say how far the tiers part on a device, and which effect is to blame
#[derive(Debug, Args)]
struct Agree {
    /// A datasheet's name or path
    sheet: String,
    /// Nodes, showing random values [default: 64, or as many as fit the panel]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    nodes: Option<u32>,
    /// Sets of values
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Names the values, and what is fixed in the hardware
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Change a number of the sheet, for example panel.checker_px=4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

#[derive(Debug, Args)]
struct DeviceArguments {
    /// A datasheet's name or path
    #[arg(long = "device", value_name = "SHEET", default_value = "ideal-slm")]
    sheet: String,
    /// Change a number of the sheet, for example panel.macro_pixel_px=16; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Names what is fixed in the hardware, as in an experiment of that seed, and the noise of a
    /// frame
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names, beside the seed, what is fixed in the hardware
    #[arg(long, default_value_t = 0)]
    chip: u64,
}

impl DeviceArguments {
    /// The light path of `device` with `nodes` macro-pixels, of the first array of an experiment.
    fn optics(&self, device: &SpimDevice, nodes: usize) -> Result<Optics> {
        Optics::on_chip(device, nodes, SpimDevice::chip(self.seed, self.chip, 0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum ReferencePhase {
    Zero,
    Pi,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum TierName {
    Analytic,
    Effective,
    Wave,
}

fn point(text: &str) -> std::result::Result<(f64, f64), String> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    match numbers[..] {
        [fy, fx] if fy.is_finite() && fx.is_finite() => Ok((fy, fx)),
        _ => Err("expected two numbers, for example 0.25,-0.0833".into()),
    }
}

pub(super) fn run(command: &SpimCommand, json: bool) -> Result<()> {
    match &command.action {
        Action::Encode(command) => encode(command, json),
        Action::Frame(command) => frame(command, json),
        Action::Agree(command) => agree(command, json),
    }
}

/// Refuses what cannot be shown.
fn check_range(path: &Path, numbers: &DMatrix<f64>) -> Result<()> {
    let beyond = |value: &f64| !(-1.0..=1.0).contains(value);
    let Some(at) = numbers.iter().position(beyond) else { return Ok(()) };
    let (row, column) = (at % numbers.nrows() + 1, at / numbers.nrows() + 1);
    Err(Error::input(format!(
        "{}: row {row}, column {column}: expected a number in [-1, 1], found {}",
        path.display(),
        numbers[at]
    )))
}

fn encode(command: &Encode, json: bool) -> Result<()> {
    let values = read_vector(&command.values)?;
    let nodes = values.len();
    check_range(&command.values, &DMatrix::from_column_slice(nodes, 1, values.as_slice()))?;
    let patterns = match &command.patterns {
        None => DMatrix::from_element(nodes, 1, 1.0),
        Some(path) => {
            let patterns = read_matrix(path)?;
            if patterns.nrows() != nodes {
                let rows = patterns.nrows();
                return Err(Error::input(format!(
                    "{}: expected {nodes} rows, one a node value, found {rows}",
                    path.display()
                )));
            }
            check_range(path, &patterns)?;
            patterns
        }
    };
    let mut device = Sheet::spim(&command.device.sheet, &command.device.settings)?;
    if device.quantisation.bits == 0 {
        device.quantisation.bits = 8;
    }
    device.patterns.count = patterns.ncols();
    let optics = command.device.optics(&device, nodes)?;
    let display = Display::new(&optics);
    let products = patterns.column_iter().map(|pattern| {
        let product: Vec<f64> = pattern.iter().zip(&values).map(|(xi, value)| xi * value).collect();
        let mut shown = display.shown(&product);
        if command.reference == ReferencePhase::Pi {
            shown[nodes..].iter_mut().for_each(|value| *value = -*value);
        }
        shown
    });
    let products: Vec<Vec<f64>> = products.collect();
    let products: Vec<&[f64]> = products.iter().map(Vec::as_slice).collect();
    let masks = device.masks(&products);
    let mut files = Vec::new();
    for (index, shown) in masks.iter().enumerate() {
        let path =
            if masks.len() == 1 { command.out.clone() } else { numbered(&command.out, index + 1) };
        Mask::encode(&optics.layout, shown, &optics.levels).write_png(&path)?;
        files.push(path.display().to_string());
    }
    describe_masks(&optics, &files, patterns.ncols(), json)
}

/// Prints what was written.
fn describe_masks(optics: &Optics, files: &[String], patterns: usize, json: bool) -> Result<()> {
    let (layout, nodes) = (&optics.layout, optics.layout.nodes);
    if json {
        let regions: Vec<Value> = layout
            .regions
            .iter()
            .map(|region| {
                let carrier = [region.carrier.0, region.carrier.1];
                json!({ "top": region.top, "left": region.left, "carrier": carrier })
            })
            .collect();
        let phase = match optics.levels.are_even() {
            true => "+2 pi level / 2^bits",
            false => "the device's measured response",
        };
        let manifest = json!({
            "files": files, "nodes": nodes, "patterns": patterns, "bits": optics.levels.bits(),
            "width_px": layout.width, "height_px": layout.height,
            "pitch_um": optics.device.panel.pitch_um,
            "macro_pixel_px": layout.macro_pixel, "checker_px": layout.checker,
            "columns": layout.columns, "rows": layout.rows,
            "regions": regions, "reference_macro_pixels": layout.reference, "phase": phase,
        });
        return print(&manifest.to_string());
    }
    print(&format!(
        "{} mask(s) of {} x {} pixels, {} bits: {nodes} nodes on {} x {} macro-pixels of {} px, \
         checkerboard of {} px\n{}",
        files.len(),
        layout.width,
        layout.height,
        optics.levels.bits(),
        layout.columns,
        layout.rows,
        layout.macro_pixel,
        layout.checker,
        files.join("\n")
    ))
}

/// `name-3.png` for `name.png`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path
        .extension()
        .map_or(String::new(), |extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{extension}"))
}

/// The mask and the light path that it meets: a sheet without a panel or levels takes those of the
/// mask.
fn load(command: &Frame) -> Result<(Mask, Optics)> {
    let mut device = Sheet::spim(&command.device.sheet, &command.device.settings)?;
    let mask = Mask::read(&command.mask, device.quantisation.bits, device.panel.size())?;
    device.quantisation.bits = mask.bits;
    device.frames.multiplexing = Multiplexing::Time;
    let panel = &mut device.panel;
    (panel.height_px, panel.width_px) = (mask.height, mask.width);
    if command.nodes.is_none() && command.tier == TierName::Wave {
        // The wave tier needs no nodes: one macro-pixel stands for the whole panel.
        panel.checker_px = 1;
        let most = mask.width.min(mask.height) / 2 * 2;
        panel.macro_pixel_px = panel.macro_pixel_px.min(most).max(2) / 2 * 2;
    }
    let side = panel.macro_pixel_px;
    let whole = (mask.width / side) * (mask.height / side);
    let optics = command.device.optics(&device, command.nodes.unwrap_or(whole).max(1))?;
    Ok((mask, optics))
}

fn frame(command: &Frame, json: bool) -> Result<()> {
    let (mask, optics) = load(command)?;
    match command.tier {
        TierName::Wave => wave_frame(command, &mask, &optics, json),
        TierName::Analytic => node_frame(command, &mask, &optics, Tier::Analytic, json),
        TierName::Effective => node_frame(command, &mask, &optics, Tier::Effective, json),
    }
}

/// What the camera reads of the zero order's `field`, after its intensity without noise; fields are
/// relative to that of all light in phase.
fn exposed(
    optics: &Optics,
    path: LightPath,
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
fn wave_frame(command: &Frame, mask: &Mask, optics: &Optics, json: bool) -> Result<()> {
    let mut wave = Wave::new(optics);
    let near = wave.near_field(mask, Moment::default())?;
    let points = if command.points.is_empty() {
        vec![(0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.5, 0.5)]
    } else {
        command.points.clone()
    };
    let intensities: Vec<f64> =
        points.iter().map(|(fy, fx)| wave.at(&near, *fy, *fx).norm_sqr()).collect();
    let field = (wave.at(&near, 0.0, 0.0), Complex::default());
    let mut stream = Key::new(command.device.seed, "bench frame").stream();
    let [zero_order, count] = exposed(optics, LightPath::Wave, (field, 0.0), &mut stream);
    if let Some(path) = &command.image {
        let image = focal_plane(&optics.layout, wave.far_field(near));
        write_image(path, &image, optics, &mut stream)?;
    }
    if json {
        let intensities: Vec<Value> = points
            .iter()
            .zip(&intensities)
            .map(|((fy, fx), value)| json!({ "fy": fy, "fx": fx, "value": value }))
            .collect();
        let seen = json!({
            "tier": "wave", "zero_order": zero_order, "camera": count, "intensities": intensities,
        });
        return print(&seen.to_string());
    }
    let mut lines = vec![format!("{:>9} {:>9}  intensity", "fy", "fx")];
    lines.extend(
        points
            .iter()
            .zip(&intensities)
            .map(|((fy, fx), value)| format!("{fy:9.5} {fx:9.5}  {value:.9e}")),
    );
    lines.push(format!("zero order {zero_order:.9e}, the camera reads {count:.9e}"));
    print(&lines.join("\n"))
}

/// The zero order from node values.
fn node_frame(command: &Frame, mask: &Mask, optics: &Optics, tier: Tier, json: bool) -> Result<()> {
    if !command.points.is_empty() || command.image.is_some() {
        return Err(Error::input(
            "--at and --image: only the wave tier sees more than the zero order; expected \
             --tier wave",
        ));
    }
    let shown = mask
        .decode(&optics.layout, &optics.levels)
        .map_err(|e| Error::input(format!("{}: {e}", command.mask.display())))?;
    let [values] = &shown[..] else {
        return Err(Error::input(
            "--tier: a mask of several regions has several orders, which only the wave tier sees; \
             expected wave",
        ));
    };
    let light = Light::new(optics, tier);
    let (field, slope) = light.zero_order(values, &[]);
    let share = optics.light_on_nodes(0) / optics.light() / optics.layout.nodes as f64;
    let field = ((field * share, slope * share), light.power() * share * share);
    let mut stream = Key::new(command.device.seed, "bench frame").stream();
    let [zero_order, count] = exposed(optics, tier.path(), field, &mut stream);
    if json {
        let intensities = json!([{ "fy": 0.0, "fx": 0.0, "value": zero_order }]);
        let seen = json!({
            "tier": tier.name(), "zero_order": zero_order, "camera": count,
            "intensities": intensities,
        });
        return print(&seen.to_string());
    }
    print(&format!("zero order {zero_order:.9e}, the camera reads {count:.9e}"))
}

fn write_image(
    path: &Path,
    image: &DMatrix<f64>,
    optics: &Optics,
    stream: &mut Stream,
) -> Result<()> {
    if path.extension().is_none_or(|extension| extension != "png") {
        return write_matrix(path, image);
    }
    // The camera's own noise; the brightest pixel of the image at the top of a 16-bit scale.
    let seen = DMatrix::from_fn(image.nrows(), image.ncols(), |row, column| {
        optics.detector.pixel(image[(row, column)], stream).max(0.0)
    });
    let scale = 65_535.0 / seen.max().max(f64::MIN_POSITIVE);
    let grey: Vec<u16> =
        seen.transpose().iter().map(|value| (value * scale).round() as u16).collect();
    write_grey(path, image.shape(), true, &grey)
}

fn agree(command: &Agree, json: bool) -> Result<()> {
    let device: SpimDevice = Sheet::spim(&command.sheet, &command.settings)?;
    let room = device.panel.room(device.regions()).unwrap_or(usize::MAX);
    let nodes = command.nodes.map_or(room.clamp(1, 64), |nodes| nodes as usize);
    let samples = command.samples as usize;
    let found = agreement(&device, nodes, samples, command.seed)?;
    if json {
        let row = |name: &str, found: &Deviation| {
            let Deviation { analytic, effective } = found;
            json!({ "effect": name, "analytic": analytic, "effective": effective })
        };
        let alone: Vec<Value> =
            found.alone.iter().map(|(name, deviation)| row(name, deviation)).collect();
        let all = row("all", &found.all);
        let found = json!({
            "device": command.sheet, "nodes": nodes, "all": all, "alone": alone,
        });
        return print(&found.to_string());
    }
    let line = |name: &str, d: &Deviation| {
        format!("{name:30} {:>10} {:>10}", percent(d.analytic), percent(d.effective))
    };
    let mut lines = vec![
        format!(
            "zero-order intensities of {nodes} nodes on {}: rms error against the wave tier",
            command.sheet
        ),
        format!("{:30} {:>10} {:>10}", "effect", "analytic", "effective"),
    ];
    lines.extend(
        found.alone.iter().map(|(name, deviation)| line(&format!("{name} alone"), deviation)),
    );
    lines.push(line("all together", &found.all));
    let worst = |of: fn(&Deviation) -> f64| {
        found
            .alone
            .iter()
            .max_by(|a, b| of(&a.1).total_cmp(&of(&b.1)))
            .filter(|(_, d)| of(d) > 1e-6)
            .map(|(name, _)| *name)
    };
    for (tier, of) in
        [("analytic", (|d| d.analytic) as fn(&Deviation) -> f64), ("effective", |d| d.effective)]
    {
        let blame = worst(of).map_or("nothing parts it from the wave tier".into(), |name| {
            format!("what parts it most is {name}")
        });
        lines.push(format!("{tier} tier: {} off; {blame}", percent(of(&found.all))));
    }
    print(&lines.join("\n"))
}
