//! `equilux spim`: bench instruments of a spatial photonic Ising machine.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use nalgebra::DMatrix;
use serde_json::{Value, json};

use super::print;
use crate::coupler::spim::bench::{self, BenchChip, Encoded, Look};
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::agreement::{Deviation, agreement};
use crate::coupler::spim::optics::mask::Mask;
use crate::coupler::spim::{SpimDevice, Tier};
use crate::experiment::Sheet;
use crate::file::matrix::{read_matrix, read_vector, write_matrix};
use crate::report::format::percent;
use crate::report::{FocalPlane, focal_plane};
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
/// One PNG a pattern (NAME-01.png, NAME-02.png... of ten and more), or one for all in focal-plane division; 8-bit
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
    /// Nodes on the mask: all of them in phase are the camera's full scale [default: as many as fit
    /// the panel]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Write the focal plane, zero order in the middle: all intensities in an .npy or .csv file, or
    /// a picture of its orders as the camera sees them in a .png
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
    fn device(&self) -> Result<SpimDevice> {
        Sheet::spim(&self.sheet, &self.settings)
    }

    fn chip(&self) -> BenchChip {
        BenchChip { seed: self.seed, chip: self.chip }
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

fn encode(command: &Encode, json: bool) -> Result<()> {
    if command.out.extension().is_none_or(|extension| extension != "png") {
        let out = command.out.display();
        return Err(Error::input(format!("--out {out}: expected a file that ends in .png")));
    }
    let values = read_vector(&command.values)?;
    let patterns = match &command.patterns {
        None => DMatrix::from_element(values.len(), 1, 1.0),
        Some(path) => read_matrix(path)?,
    };
    let names = [Some(&command.values), command.patterns.as_ref()]
        .map(|path| path.map_or(String::new(), |path| path.display().to_string()));
    let Encoded { optics, masks } = bench::encode(
        command.device.device()?,
        command.device.chip(),
        values.as_slice(),
        &patterns,
        command.reference == ReferencePhase::Pi,
        [&names[0], &names[1]],
    )?;
    let mut files = Vec::new();
    for (index, mask) in masks.iter().enumerate() {
        let path = match masks.len() {
            1 => command.out.clone(),
            all => numbered(&command.out, index + 1, all),
        };
        mask.write_png(&path)?;
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

/// `name-03.png` of 12 for `name.png`: as many digits as the last has, so that names sort.
fn numbered(path: &Path, number: usize, all: usize) -> PathBuf {
    let digits = all.to_string().len();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path
        .extension()
        .map_or(String::new(), |extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number:0digits$}{extension}"))
}

fn frame(command: &Frame, json: bool) -> Result<()> {
    let look = Look {
        tier: match command.tier {
            TierName::Wave => None,
            TierName::Analytic => Some(Tier::Analytic),
            TierName::Effective => Some(Tier::Effective),
        },
        points: command.points.clone(),
        nodes: command.nodes,
        image: command.image.is_some(),
    };
    let (device, chip) = (command.device.device()?, command.device.chip());
    let name = command.mask.display().to_string();
    let read = |bits, size| Mask::read(&command.mask, bits, size);
    let mut seen = bench::frame(device, chip, &name, read, &look)?;
    if let Some(path) = &command.image {
        write_image(path, &mut seen)?;
    }
    let bench::Frame { zero_order, camera, intensities, .. } = seen;
    if json {
        let intensities: Vec<Value> = intensities
            .iter()
            .map(|((fy, fx), value)| json!({ "fy": fy, "fx": fx, "value": value }))
            .collect();
        let tier = look.tier.map_or("wave", Tier::name);
        let seen = json!({
            "tier": tier, "zero_order": zero_order, "camera": camera, "intensities": intensities,
        });
        return print(&seen.to_string());
    }
    let mut lines = Vec::new();
    if look.tier.is_none() {
        lines.push(format!("{:>9} {:>9}  intensity", "fy", "fx"));
        let line =
            |((fy, fx), value): &((f64, f64), f64)| format!("{fy:9.5} {fx:9.5}  {value:.9e}");
        lines.extend(intensities.iter().map(line));
    }
    lines.push(format!("zero order {zero_order:.9e}, the camera reads {camera:.9e}"));
    if camera == 0.0 && zero_order > 0.0 && look.nodes.is_none() {
        lines.push(
            "its full scale is a whole panel in phase: --nodes N says how many nodes there are"
                .into(),
        );
    }
    print(&lines.join("\n"))
}

fn write_image(path: &Path, seen: &mut bench::Frame) -> Result<()> {
    if path.extension().is_none_or(|extension| extension != "png") {
        return seen.image.as_ref().map_or(Ok(()), |image| write_matrix(path, image));
    }
    let Some(photograph) = seen.photograph() else { return Ok(()) };
    focal_plane(&FocalPlane { image: &photograph, region: seen.region() }, path)
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
