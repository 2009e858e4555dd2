//! What an instrument says of itself.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::PROTOCOL;
use crate::file::limits;
use crate::{Error, Result};

/// What an instrument can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// What it is called.
    pub name: String,
    /// Its serial number, if it says one.
    pub serial: Option<String>,
    /// Names what it holds: another session has forgotten what was programmed.
    pub session: String,
    /// The kind of instrument.
    pub kind: Kind,
}

/// The kinds of instruments.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A phase modulator and a camera.
    Frames(FramesKind),
    /// A crossbar and its converters.
    Array(ArrayKind),
    /// A machine that relaxes by itself.
    System(SystemKind),
}

/// A phase modulator and a camera.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FramesKind {
    /// The modulator.
    pub panel: PanelSays,
    /// The camera.
    pub camera: CameraSays,
    /// Regions that it reads of a frame.
    pub regions: usize,
    /// The most frames of a request.
    pub max_frames: usize,
    /// Frames a second.
    #[serde(rename = "frame_rate_Hz")]
    pub frame_rate_hz: f64,
}

/// What an instrument says of its modulator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PanelSays {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Bits of a level.
    pub bits: u32,
}

/// What an instrument says of its camera.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CameraSays {
    /// Bits of a reading.
    pub bits: u32,
    /// Pixels from left to right, if it says so.
    pub width: Option<usize>,
    /// Pixels from top to bottom, if it says so.
    pub height: Option<usize>,
}

/// A crossbar and its converters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ArrayKind {
    /// Outputs: bit lines.
    pub rows: usize,
    /// Inputs: word lines.
    pub columns: usize,
    /// The smallest conductance of a cell, microsiemens.
    #[serde(rename = "g_min_uS")]
    pub g_min_us: f64,
    /// The largest conductance of a cell, microsiemens.
    #[serde(rename = "g_max_uS")]
    pub g_max_us: f64,
    /// The most samples of a read.
    pub max_samples: usize,
    /// Samples that are read in a second.
    pub reads_per_second: f64,
}

/// A machine that relaxes by itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SystemKind {
    /// Driven inputs.
    pub inputs: usize,
    /// Nodes that are measured.
    pub nodes: usize,
    /// The first output among the nodes, and the one after the last.
    pub outputs: [usize; 2],
    /// What can be programmed.
    pub parameters: Vec<SystemParameter>,
    /// The phases that it can do.
    pub phases: Vec<String>,
    /// The smallest force that its steady states tell from none.
    pub resolution: f64,
}

/// A parameter of a machine that relaxes by itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SystemParameter {
    /// Unique within its machine.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// `real`, `binary` or `[-1,1]`.
    pub domain: Value,
    /// The first row that it reaches and the one after the last, of inputs and then nodes; absent
    /// is all nodes.
    pub to: Option<[usize; 2]>,
    /// The rows that drive it; absent is what its columns say, if they do.
    pub from: Option<[usize; 2]>,
    /// Whether it acts both ways, W and back W^T.
    #[serde(default)]
    pub both_ways: bool,
}

impl Kind {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Frames(_) => "frames",
            Self::Array(_) => "array",
            Self::System(_) => "system",
        }
    }
}

impl Hello {
    /// What the `fields` of a hello say; `laboratory` is what it is called in errors.
    ///
    /// # Errors
    /// When the protocol is another, or something is missing or out of range.
    pub fn parse(fields: &Map<String, Value>, laboratory: &str) -> Result<Self> {
        let wrong = |what: String| Error::input(format!("{laboratory}: hello: {what}"));
        let text = |name: &str| match fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong(format!("{name} = {other}: expected text"))),
        };
        let required = |name: &str| {
            text(name)?.ok_or_else(|| wrong(format!("it has no `{name}`: expected one")))
        };
        let protocol = required("protocol")?;
        if protocol != PROTOCOL {
            return Err(wrong(format!("protocol = \"{protocol}\": expected \"{PROTOCOL}\"")));
        }
        let all = || Value::Object(fields.clone());
        let missing = |e: serde_json::Error| wrong(e.to_string());
        let count = |name: &str, value: usize, most: usize| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(wrong(format!("{name} = {value}: expected 1 to {most}"))),
        };
        let rate = |name: &str, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(wrong(format!("{name} = {value}: expected a number above 0"))),
        };
        let kind = match &*required("kind")? {
            "frames" => {
                let kind: FramesKind = serde_json::from_value(all()).map_err(missing)?;
                let PanelSays { width, height, bits } = kind.panel;
                count("panel.width", width, 1 << 13)?;
                count("panel.height", height, 1 << 13)?;
                count("panel.bits", bits as usize, 16)?;
                count("camera.bits", kind.camera.bits as usize, 32)?;
                count("regions", kind.regions, 1 << 16)?;
                count("max_frames", kind.max_frames, 1 << 20)?;
                rate("frame_rate_Hz", kind.frame_rate_hz)?;
                Kind::Frames(kind)
            }
            "array" => {
                let kind: ArrayKind = serde_json::from_value(all()).map_err(missing)?;
                count("rows", kind.rows, 1 << 16)?;
                count("columns", kind.columns, 1 << 16)?;
                count("max_samples", kind.max_samples, 1 << 20)?;
                rate("reads_per_second", kind.reads_per_second)?;
                if !(kind.g_min_us >= 0.0 && kind.g_max_us > kind.g_min_us) {
                    return Err(wrong(format!(
                        "g_min_uS = {}, g_max_uS = {}: expected 0 <= g_min_uS < g_max_uS",
                        kind.g_min_us, kind.g_max_us
                    )));
                }
                Kind::Array(kind)
            }
            "system" => {
                let kind: SystemKind = serde_json::from_value(all()).map_err(missing)?;
                count("inputs", kind.inputs, 1 << 20)?;
                count("nodes", kind.nodes, 1 << 20)?;
                let [first, end] = kind.outputs;
                if first >= end || end > kind.nodes {
                    return Err(wrong(format!(
                        "outputs = [{first}, {end}]: expected the first output and the one after \
                         the last, among {} nodes",
                        kind.nodes
                    )));
                }
                for SystemParameter { name, shape, .. } in &kind.parameters {
                    let fits = limits::NUMBERS.product(shape);
                    fits.map_err(|e| wrong(format!("parameter {name}: {e}")))?;
                }
                if !(kind.resolution.is_finite() && kind.resolution >= 0.0) {
                    let found = kind.resolution;
                    return Err(wrong(format!("resolution = {found}: expected at least 0")));
                }
                Kind::System(kind)
            }
            other => {
                return Err(wrong(format!(
                    "kind = \"{other}\": expected \"frames\", \"array\" or \"system\""
                )));
            }
        };
        Ok(Self {
            name: required("name")?,
            serial: text("serial")?,
            session: required("session")?,
            kind,
        })
    }
}
