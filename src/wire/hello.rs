//! What an instrument says of itself.

use serde::Deserialize;
use serde::de::DeserializeOwned;
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
#[derive(Clone, Debug, PartialEq)]
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
    pub frame_rate_hz: f64,
}

/// What an instrument says of its modulator.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelSays {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Bits of a level.
    pub bits: u32,
}

/// What an instrument says of its camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSays {
    /// Bits of a reading.
    pub bits: u32,
    /// Pixels from left to right, if it says so.
    pub width: Option<usize>,
    /// Pixels from top to bottom, if it says so.
    pub height: Option<usize>,
}

/// A crossbar and its converters.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayKind {
    /// Outputs: bit lines.
    pub rows: usize,
    /// Inputs: word lines.
    pub columns: usize,
    /// The smallest conductance of a cell, microsiemens.
    pub g_min_us: f64,
    /// The largest conductance of a cell, microsiemens.
    pub g_max_us: f64,
    /// The most samples of a read.
    pub max_samples: usize,
    /// Samples that are read in a second.
    pub reads_per_second: f64,
}

/// A machine that relaxes by itself.
#[derive(Clone, Debug, PartialEq)]
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
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(wrong(format!("{name} = {other}: expected text"))),
        };
        let required = |name: &str| {
            text(name)?.ok_or_else(|| wrong(format!("it has no `{name}`: expected one")))
        };
        let protocol = required("protocol")?;
        if !protocol.eq_ignore_ascii_case(PROTOCOL) {
            return Err(wrong(format!("protocol = \"{protocol}\": expected \"{PROTOCOL}\"")));
        }
        let said = Said(fields);
        let kind = said.kind(&required("kind")?).map_err(wrong)?;
        Ok(Self {
            name: required("name")?,
            serial: text("serial")?,
            session: required("session")?,
            kind,
        })
    }
}

/// The fields of a hello, each by its path.
struct Said<'a>(&'a Map<String, Value>);

impl Said<'_> {
    fn find(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    fn expect(&self, path: &str, expected: &str) -> Result<&Value, String> {
        self.find(path).ok_or_else(|| format!("it has no `{path}`: expected {expected}"))
    }

    /// A whole number from 1 to `most`.
    fn count(&self, path: &str, most: usize) -> Result<usize, String> {
        let expected = format!("a whole number, 1 to {most}");
        let found = self.expect(path, &expected)?;
        let count = found.as_u64().filter(|count| (1..=most as u64).contains(count));
        count
            .map(|count| count as usize)
            .ok_or_else(|| format!("{path} = {found}: expected {expected}"))
    }

    /// A number of at least `low`, or above it.
    fn number(&self, path: &str, low: f64, or_equal: bool) -> Result<f64, String> {
        let expected = format!("a number {} {low}", if or_equal { "of at least" } else { "above" });
        let found = self.expect(path, &expected)?;
        let number =
            found.as_f64().filter(|x| x.is_finite() && (*x > low || or_equal && *x == low));
        number.ok_or_else(|| format!("{path} = {found}: expected {expected}"))
    }

    /// What else there may be.
    fn read<T: DeserializeOwned>(&self, path: &str, expected: &str) -> Result<T, String> {
        let found = self.expect(path, expected)?;
        let read = serde_json::from_value(found.clone());
        read.map_err(|e| format!("{path} = {found}: {e}: expected {expected}"))
    }

    fn kind(&self, name: &str) -> Result<Kind, String> {
        match &*name.to_lowercase() {
            "frames" => {
                let pixels = |path| self.find(path).map(|_| self.count(path, 1 << 20)).transpose();
                Ok(Kind::Frames(FramesKind {
                    panel: PanelSays {
                        width: self.count("panel.width", 1 << 13)?,
                        height: self.count("panel.height", 1 << 13)?,
                        bits: self.count("panel.bits", 16)? as u32,
                    },
                    camera: CameraSays {
                        bits: self.count("camera.bits", 32)? as u32,
                        width: pixels("camera.width")?,
                        height: pixels("camera.height")?,
                    },
                    regions: self.count("regions", 1 << 16)?,
                    max_frames: self.count("max_frames", 1 << 20)?,
                    frame_rate_hz: self.number("frame_rate_Hz", 0.0, false)?,
                }))
            }
            "array" => {
                let g_min_us = self.number("g_min_uS", 0.0, true)?;
                Ok(Kind::Array(ArrayKind {
                    rows: self.count("rows", 1 << 16)?,
                    columns: self.count("columns", 1 << 16)?,
                    g_min_us,
                    g_max_us: self.number("g_max_uS", g_min_us, false)?,
                    max_samples: self.count("max_samples", 1 << 20)?,
                    reads_per_second: self.number("reads_per_second", 0.0, false)?,
                }))
            }
            "system" => {
                let nodes = self.count("nodes", 1 << 20)?;
                let expected = format!(
                    "[first, end]: the first output and the one after the last, of {nodes} nodes"
                );
                let outputs: [usize; 2] = self.read("outputs", &expected)?;
                if outputs[0] >= outputs[1] || outputs[1] > nodes {
                    return Err(format!("outputs = {outputs:?}: expected {expected}"));
                }
                let expected = "a list of {\"name\", \"shape\": [rows, columns], \"domain\"}";
                let parameters: Vec<SystemParameter> = self.read("parameters", expected)?;
                for SystemParameter { name, shape, .. } in &parameters {
                    let fits = limits::NUMBERS.product(shape);
                    fits.map_err(|e| format!("parameter {name}: {e}"))?;
                }
                let phases: Vec<String> = self.read("phases", "a list of names")?;
                Ok(Kind::System(SystemKind {
                    inputs: self.count("inputs", 1 << 20)?,
                    nodes,
                    outputs,
                    parameters,
                    phases: phases.iter().map(|phase| phase.to_lowercase()).collect(),
                    resolution: self.number("resolution", 0.0, true)?,
                }))
            }
            other => {
                Err(format!("kind = \"{other}\": expected \"frames\", \"array\" or \"system\""))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(hello: &Value) -> Result<Hello> {
        Hello::parse(hello.as_object().unwrap(), "a test")
    }

    #[test]
    fn an_unusual_hello_is_read_and_a_wrong_one_is_told_its_key() {
        let mut hello = json!({
            "protocol": "Equilux-Laboratory/1", "kind": "FRAMES", "name": "", "session": 17,
            "panel": {"width": 40, "height": 30, "bits": 8, "maker": null}, "camera": {"bits": 12},
            "regions": 1, "max_frames": 1, "frame_rate_Hz": 60, "more": [1, {}],
        });
        let found = parsed(&hello).unwrap();
        assert!(
            found.session == "17"
                && matches!(found.kind, Kind::Frames(kind) if kind.panel.width == 40)
        );
        hello["panel"]["height"] = json!("high");
        let refusal = parsed(&hello).unwrap_err().to_string();
        assert!(refusal.contains("panel.height = \"high\": expected a whole number"), "{refusal}");
    }
}
