//! What a crossbar is made of, none of it an imperfection: its cells, drivers, tiles and costs.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hook::Path;
use crate::coupler::{Span, Streams};
use crate::quantity::{duration, range};

/// How a weight becomes conductances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// w ~ G+ - G-, one of the pair at g_min.
    #[default]
    Differential,
    /// w ~ G+ - G-, both symmetric about the middle of the range.
    Balanced,
    /// One cell, minus a reference column at the middle of the range: half the weight for the same
    /// range.
    Offset,
}

/// Pairs of cells: the table `[device.crossbar.cells]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pairs {
    /// Lowest conductance of a cell, microsiemens.
    #[serde(rename = "g_min_uS", deserialize_with = "range::non_negative")]
    pub g_min_us: f64,
    /// Highest conductance of a cell, microsiemens.
    #[serde(rename = "g_max_uS", deserialize_with = "range::positive")]
    pub g_max_us: f64,
    /// The weight that the whole conductance range stands for; weights beyond are clipped.
    #[serde(deserialize_with = "range::positive")]
    pub weight_max: f64,
    /// The same of single arrays of a network, by their names (0-1), in place of `weight_max`: what scales
    /// the sums of an array is its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weight_max_of: BTreeMap<String, f64>,
    /// How a weight becomes conductances.
    pub mapping: Mapping,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            g_min_us: 0.0,
            g_max_us: 25.0,
            weight_max: 2.0,
            weight_max_of: BTreeMap::new(),
            mapping: Mapping::Differential,
        }
    }
}

impl Pairs {
    /// Those of the array `name` of a network.
    #[must_use]
    pub fn of_array(&self, name: &str) -> Self {
        let weight_max = self.weight_max_of.get(name).copied().unwrap_or(self.weight_max);
        Self { weight_max, weight_max_of: BTreeMap::new(), ..self.clone() }
    }

    /// The weight of one microsiemens of difference.
    pub fn weight_per_us(&self) -> f64 {
        let range = self.g_max_us - self.g_min_us;
        match self.mapping {
            Mapping::Differential | Mapping::Balanced => self.weight_max / range,
            Mapping::Offset => 2.0 * self.weight_max / range,
        }
    }

    /// The conductances G+ and G-, microsiemens, that stand for `weight`.
    pub fn conductances(&self, weight: f64) -> [f64; 2] {
        let (low, middle, scale) =
            (self.g_min_us, 0.5 * (self.g_min_us + self.g_max_us), self.weight_per_us());
        match self.mapping {
            Mapping::Differential => {
                let above = low + weight.abs() / scale;
                [if weight > 0.0 { above } else { low }, if weight < 0.0 { above } else { low }]
            }
            Mapping::Balanced => {
                let half = 0.5 * weight / scale;
                [middle + half, middle - half]
            }
            Mapping::Offset => [middle + weight / scale, middle],
        }
    }

    /// The weight that conductances G+ and G-, microsiemens, stand for.
    pub fn weight(&self, [plus, minus]: [f64; 2]) -> f64 {
        (plus - minus) * self.weight_per_us()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let Self { g_min_us: low, g_max_us: high, .. } = self;
        if low >= high {
            return Err(format!("g_min_uS = {low}: expected less than g_max_uS = {high}"));
        }
        match self.weight_max_of.iter().find(|(_, of)| !(of.is_finite() && **of > 0.0)) {
            None => Ok(()),
            Some((name, of)) => {
                Err(format!("weight_max_of.{name} = {of}: expected a number above 0"))
            }
        }
    }
}

/// How values become voltages: the table `[device.crossbar.drive]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drive {
    /// The node value that drives a line at `voltage_V`, and at which converters of the drive clip.
    #[serde(deserialize_with = "range::positive")]
    pub range: f64,
    /// The voltage of a line driven at `range`, volt.
    #[serde(rename = "voltage_V", deserialize_with = "range::positive")]
    pub voltage_v: f64,
}

impl Default for Drive {
    fn default() -> Self {
        Self { range: 1.0, voltage_v: 0.2 }
    }
}

impl Drive {
    /// Volts of a node value of 1.
    pub fn volts_per_value(&self) -> f64 {
        self.voltage_v / self.range
    }
}

/// When cells are read: the table `[device.crossbar.age]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Age {
    /// Time between a cell's programming and its reads, with its unit.
    #[serde(rename = "at", with = "duration")]
    #[schemars(with = "String")]
    pub at_s: f64,
    /// Time after programming to which conductances as programmed refer, seconds.
    #[serde(deserialize_with = "range::positive")]
    pub t0_s: f64,
}

impl Default for Age {
    fn default() -> Self {
        Self { at_s: 0.0, t0_s: 20.0 }
    }
}

impl Age {
    /// ln(t / t0) at the time t of the reads; 0 until t0.
    pub fn ln(&self) -> f64 {
        if self.at_s > self.t0_s { (self.at_s / self.t0_s).ln() } else { 0.0 }
    }
}

/// How fast the noise of currents is: the table `[device.crossbar.noise]`.
///
/// A stated deviation is that of all noise up to the bandwidth B of amplifiers and converters, which
/// is another one every 1 / 2B seconds. A step of a continuous relaxation sees the mean of those in
/// it ([`Span`]), so that halving the step changes nothing (white noise of density S in a step h:
/// deviation sqrt(S / 2h)); steps shorter than 1 / 2B share one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// The bandwidth B, hertz, 5 MHz unless a sheet knows better; 0 for a clocked array: every read
    /// has noise of its own, and a step is an update of the machine.
    #[serde(rename = "bandwidth_Hz", deserialize_with = "range::non_negative")]
    pub bandwidth_hz: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { bandwidth_hz: 5e6 }
    }
}

impl Noise {
    /// Independent values of the noise in so many seconds; one where nobody says how many, and in
    /// every read of a clocked array.
    fn values_in(&self, seconds: f64) -> f64 {
        let continuous = self.bandwidth_hz > 0.0 && seconds > 0.0;
        if continuous { 2.0 * self.bandwidth_hz * seconds } else { 1.0 }
    }

    /// The deviation of the noise of a read, relative to the one that is stated.
    pub(super) fn share(&self, span: Span) -> f64 {
        1.0 / self.values_in(span.averages_s).max(1.0).sqrt()
    }

    /// The streams of a read: the reads between two values of the noise share theirs.
    pub(super) fn streams<'a>(&self, streams: Streams<'a>, span: Span) -> Streams<'a> {
        let values = self.values_in(span.lasts_s);
        if values >= 1.0 {
            return streams;
        }
        Streams { step: (streams.step as f64 * values) as u64, ..streams }
    }
}

/// Where the partial sums of tiles are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TileSum {
    /// As numbers: each row of tiles converts on its own.
    #[default]
    Digital,
    /// As currents: one conversion for all.
    Analog,
}

/// How a large array is divided: the table `[device.crossbar.tiles]`. Each tile has wires of its
/// own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tiles {
    /// Most word lines (inputs) of a tile; 0 is no limit.
    #[serde(deserialize_with = "range::tile")]
    pub rows: usize,
    /// Most bit lines (outputs) of a tile; 0 is no limit.
    #[serde(deserialize_with = "range::tile")]
    pub columns: usize,
    /// Where the partial sums of tiles are added.
    pub sum: TileSum,
}

impl Tiles {
    /// The tiles of an array of `shape` = (outputs, inputs): (outputs, inputs) of each.
    pub fn of(&self, shape: (usize, usize)) -> Vec<(Range<usize>, Range<usize>)> {
        let (outputs, inputs) = (pieces(shape.0, self.columns), pieces(shape.1, self.rows));
        inputs
            .iter()
            .flat_map(|inputs| outputs.iter().map(|outputs| (outputs.clone(), inputs.clone())))
            .collect()
    }

    /// The parts of such an array that convert on their own.
    pub fn converting(&self, shape: (usize, usize)) -> Vec<(Range<usize>, Range<usize>)> {
        match self.sum {
            TileSum::Digital => self.of(shape),
            TileSum::Analog => vec![(0..shape.0, 0..shape.1)],
        }
    }
}

/// Pieces of `0..length` of at most `limit`; 0 is no limit.
fn pieces(length: usize, limit: usize) -> Vec<Range<usize>> {
    let limit = if limit == 0 { length.max(1) } else { limit };
    (0..length).step_by(limit).map(|start| start..length.min(start + limit)).collect()
}

/// What reads and writes cost: the table `[device.crossbar.cost]`. Converters state their own
/// energies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Time of one read of the whole array, settling and conversion, microseconds. The heat of
    /// cells and wires in that time is counted; 0 is unknown.
    #[serde(deserialize_with = "range::non_negative")]
    pub read_time_us: f64,
    /// Time of one write pulse of one cell, microseconds.
    #[serde(deserialize_with = "range::non_negative")]
    pub write_time_us: f64,
    /// Energy of one write pulse, picojoule; 0 is unknown.
    #[serde(rename = "write_energy_pJ", deserialize_with = "range::non_negative")]
    pub write_energy_pj: f64,
}

impl Cost {
    /// Whether the heat of cells is counted, which takes their conductances.
    pub(super) fn counts_heat(&self) -> bool {
        self.read_time_us > 0.0
    }

    /// Whether heat is counted where an array is worked out on `path`.
    pub(super) fn follows(&self, path: Path) -> bool {
        path.is_of_writes() || path.is_of_cells() || !self.counts_heat()
    }
}
