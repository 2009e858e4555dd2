//! The numbers that describe a crossbar, as a datasheet or an experiment states them.

use serde::{Deserialize, Serialize};

use super::Crossbar;
use super::circuit::CellCurrent;
use super::pulse::{Pulses, Rounding, StepModel, StepNoise};
use super::wires::Wires;
use crate::arithmetic::real::Real;
use crate::coupler::{Coupler, Family, Site, chip_key};
use crate::quantity::{duration, range};
use crate::{Error, Result};

/// How a weight becomes conductances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Where the partial sums of tiles are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TileSum {
    /// As numbers: each row of tiles converts on its own.
    #[default]
    Digital,
    /// As currents: one conversion for all.
    Analog,
}

/// What happens to cells when new weights are programmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// Cells are written to their targets; the weights themselves are kept in digital memory.
    #[default]
    Write,
    /// The change of the weights becomes pulses; the cells are the only memory.
    Pulsed,
}

macro_rules! device {
    ($($(#[doc = $doc:literal])* $(#[serde($($attribute:tt)*)])* $name:ident: $type:ty = $ideal:expr;)*) => {
        /// A crossbar of resistive cells with its converters: the table `[device.crossbar]`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct CrossbarDevice {
            $($(#[doc = $doc])* $(#[serde($($attribute)*)])* pub $name: $type,)*
        }

        impl CrossbarDevice {
            /// Cells, wires and converters without any imperfection.
            pub fn ideal() -> Self {
                Self { $($name: $ideal,)* }
            }
        }
    };
}

device! {
    /// The datasheet under these numbers: a name in `devices/` or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<String> = None;

    /// Lowest conductance of a cell, microsiemens.
    #[serde(rename = "g_min_uS", deserialize_with = "range::non_negative")]
    g_min_us: f64 = 0.0;
    /// Highest conductance of a cell, microsiemens.
    #[serde(rename = "g_max_uS", deserialize_with = "range::positive")]
    g_max_us: f64 = 25.0;
    /// The weight that the whole conductance range stands for; weights beyond are clipped.
    #[serde(deserialize_with = "range::positive")]
    weight_max: f64 = 2.0;
    /// How a weight becomes conductances.
    mapping: Mapping = Mapping::Differential;
    /// Conductance levels of a cell; 0 is a continuum.
    #[serde(deserialize_with = "range::levels")]
    levels: u32 = 0;

    /// Standard deviation of a written cell's conductance, microsiemens.
    #[serde(rename = "programming_error_uS", deserialize_with = "range::non_negative")]
    programming_error_us: f64 = 0.0;
    /// Coefficients of g, g^2, ... (g in microsiemens) that are added to `programming_error_uS`;
    /// the sum is cut at 0.
    programming_error_terms: Vec<f64> = Vec::new();
    /// Write-and-verify stops within this distance of the target, microsiemens; 0 writes once. A
    /// cell within it is not written again.
    #[serde(rename = "write_tolerance_uS", deserialize_with = "range::non_negative")]
    write_tolerance_us: f64 = 0.0;
    /// Writes after which write-and-verify gives up.
    #[serde(deserialize_with = "range::positive_integer")]
    write_attempts: usize = 1;
    /// Fraction of cells stuck at g_min.
    #[serde(deserialize_with = "range::fraction")]
    stuck_at_min: f64 = 0.0;
    /// Fraction of cells stuck at g_max.
    #[serde(deserialize_with = "range::fraction")]
    stuck_at_max: f64 = 0.0;

    /// Time between a cell's programming and its reads, with its unit.
    #[serde(rename = "at", with = "duration")]
    at_s: f64 = 0.0;
    /// Drift G(t) = G (t / t0)^-nu: t0, seconds.
    #[serde(deserialize_with = "range::positive")]
    drift_t0_s: f64 = 20.0;
    /// Mean of a cell's nu: a, b, low, high of clip(a ln(g / g_max) + b, low, high); empty is no
    /// drift.
    drift_nu: Vec<f64> = Vec::new();
    /// Standard deviation of a cell's nu, in the same form.
    drift_nu_sd: Vec<f64> = Vec::new();
    /// Whether outputs are scaled by the measured loss of conductance since programming.
    drift_compensation: bool = false;

    /// Standard deviation of a cell's conductance from read to read, microsiemens.
    #[serde(rename = "read_noise_uS", deserialize_with = "range::non_negative")]
    read_noise_us: f64 = 0.0;
    /// 1/f noise in proportion to conductance, g Q sqrt(ln((t + tr) / (2 tr))) with Q = min(a /
    /// x^b, c), x = g / g_max: a, b, c; empty is none.
    read_noise_q: Vec<f64> = Vec::new();
    /// Duration of a read, tr of the 1/f noise, seconds.
    #[serde(deserialize_with = "range::positive")]
    read_noise_tr_s: f64 = 250e-9;

    /// Resistance of a word line's segment, ohm.
    #[serde(deserialize_with = "range::non_negative")]
    r_word_ohm: f64 = 0.0;
    /// Resistance of a bit line's segment, ohm.
    #[serde(deserialize_with = "range::non_negative")]
    r_bit_ohm: f64 = 0.0;
    /// Programmings after which the wires' effect is worked out anew.
    #[serde(deserialize_with = "range::positive_integer")]
    wire_refresh: usize = 1;
    /// Most word lines (inputs) of a tile; 0 is no limit.
    #[serde(deserialize_with = "range::tile")]
    tile_rows: usize = 0;
    /// Most bit lines (outputs) of a tile; 0 is no limit.
    #[serde(deserialize_with = "range::tile")]
    tile_cols: usize = 0;
    /// Where the partial sums of tiles are added.
    tile_sum: TileSum = TileSum::Digital;

    /// Voltage of a line driven at `dac_range`, volt.
    #[serde(rename = "read_voltage_V", deserialize_with = "range::positive")]
    read_voltage_v: f64 = 0.2;
    /// The current's u^2 term, A/V^2: a polynomial of log10(G / S), the highest power first; empty
    /// is 0.
    current_square: Vec<f64> = Vec::new();
    /// The current's u^3 term, A/V^3, in the same form.
    current_cube: Vec<f64> = Vec::new();

    /// Bits of the converters that drive the lines; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    dac_bits: u32 = 0;
    /// The node value at which the driving converters clip.
    #[serde(deserialize_with = "range::positive")]
    dac_range: f64 = 1.0;
    /// Bits of the converters that read the lines; 0 is an analog line.
    #[serde(deserialize_with = "range::converter_bits")]
    adc_bits: u32 = 0;
    /// The current, weight times node value, at which the reading converters clip.
    #[serde(deserialize_with = "range::positive")]
    adc_range: f64 = 4.0;
    /// Whether both ranges follow the largest value of every read instead.
    auto_range: bool = false;
    /// Standard deviation of the noise of the reading amplifiers, weight times node value.
    #[serde(deserialize_with = "range::non_negative")]
    output_noise: f64 = 0.0;
    /// Standard deviation of the lines' gains from output to output, constant in time and the same
    /// in both directions.
    #[serde(deserialize_with = "range::non_negative")]
    gain_sd: f64 = 0.0;
    /// Standard deviation of the outputs' offsets, weight times node value.
    #[serde(deserialize_with = "range::non_negative")]
    offset_sd: f64 = 0.0;
    /// Standard deviation of gains that only reads at the inputs have: what makes an array
    /// non-reciprocal.
    #[serde(deserialize_with = "range::non_negative")]
    reverse_gain_sd: f64 = 0.0;
    /// Standard deviation of offsets that only reads at the inputs have.
    #[serde(deserialize_with = "range::non_negative")]
    reverse_offset_sd: f64 = 0.0;

    /// Whether cells are written to targets or pulsed.
    update: Update = Update::Write;
    /// How a pulsed weight steps.
    pulse_model: StepModel = StepModel::Constant;
    /// Mean step of a pulse, in units of `weight_max`.
    #[serde(deserialize_with = "range::positive")]
    pulse_step: f64 = 0.001;
    /// Standard deviation of the step from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_step_spread: f64 = 0.0;
    /// Standard deviation of the step from pulse to pulse, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_step_noise: f64 = 0.0;
    /// What that fraction is of.
    pulse_noise: StepNoise = StepNoise::Proportional;
    /// Asymmetry: steps up are 1 + this, steps down 1 - this times the mean.
    #[serde(deserialize_with = "range::finite")]
    pulse_up_down: f64 = 0.0;
    /// Standard deviation of the asymmetry from cell to cell.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_up_down_spread: f64 = 0.0;
    /// Lowest weight, in units of `weight_max`.
    #[serde(deserialize_with = "range::negative")]
    pulse_low: f64 = -1.0;
    /// Highest weight, in units of `weight_max`.
    #[serde(deserialize_with = "range::positive")]
    pulse_high: f64 = 1.0;
    /// Standard deviation of the lowest weight from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_low_spread: f64 = 0.0;
    /// Standard deviation of the highest weight from cell to cell, as a fraction.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_high_spread: f64 = 0.0;
    /// gamma of the linear and the exponential step, upwards.
    #[serde(deserialize_with = "range::finite")]
    pulse_gamma_up: f64 = 0.0;
    /// gamma of the linear and the exponential step, downwards.
    #[serde(deserialize_with = "range::finite")]
    pulse_gamma_down: f64 = 0.0;
    /// A of the exponential step, upwards and downwards.
    #[serde(deserialize_with = "range::finite")]
    pulse_exponential_up: f64 = 0.0;
    /// A of the exponential step, downwards.
    #[serde(deserialize_with = "range::finite")]
    pulse_exponential_down: f64 = 0.0;
    /// a of the exponential step.
    #[serde(deserialize_with = "range::finite")]
    pulse_exponential_a: f64 = 0.0;
    /// b of the exponential step.
    #[serde(deserialize_with = "range::finite")]
    pulse_exponential_b: f64 = 0.0;
    /// Standard deviation of what is read of a weight beside what it is, anew at each write, in
    /// units of `pulse_step`.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_write_noise: f64 = 0.0;
    /// Programmings in which a weight leaks to 1/e; 0 is for ever.
    #[serde(deserialize_with = "range::non_negative")]
    pulse_lifetime: f64 = 0.0;
    /// How a change becomes a whole number of pulses.
    pulse_rounding: Rounding = Rounding::Stochastic;
    /// Most pulses of one weight in one programming.
    #[serde(deserialize_with = "range::positive_integer")]
    pulse_limit: usize = 100;

    /// Time of one read of the whole array, settling and conversion, microseconds.
    #[serde(deserialize_with = "range::non_negative")]
    read_time_us: f64 = 0.0;
    /// Time of one write pulse of one cell, microseconds.
    #[serde(deserialize_with = "range::non_negative")]
    write_time_us: f64 = 0.0;
    /// Energy of one conversion that drives a line, picojoule.
    #[serde(rename = "dac_energy_pJ", deserialize_with = "range::non_negative")]
    dac_energy_pj: f64 = 0.0;
    /// Energy of one conversion that reads a line, picojoule.
    #[serde(rename = "adc_energy_pJ", deserialize_with = "range::non_negative")]
    adc_energy_pj: f64 = 0.0;
    /// Energy of one write pulse, picojoule.
    #[serde(rename = "write_energy_pJ", deserialize_with = "range::non_negative")]
    write_energy_pj: f64 = 0.0;
}

impl CrossbarDevice {
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
            Mapping::Differential => [weight, -weight].map(|w| low + w.max(0.0) / scale),
            Mapping::Balanced => [weight, -weight].map(|w| middle + 0.5 * w / scale),
            Mapping::Offset => [middle + weight / scale, middle],
        }
    }

    /// The wires' segments.
    pub fn wires(&self) -> Wires {
        Wires { r_word_ohm: self.r_word_ohm, r_bit_ohm: self.r_bit_ohm }
    }

    /// The current of a cell.
    pub fn cell_current(&self) -> CellCurrent {
        CellCurrent { square: self.current_square.clone(), cube: self.current_cube.clone() }
    }

    /// The step model of a pulsed array.
    pub fn pulses(&self) -> Pulses {
        Pulses::of(self)
    }

    /// Standard deviation of the error of a cell written to `g_us`, microsiemens.
    pub fn programming_error(&self, g_us: f64) -> f64 {
        let terms =
            self.programming_error_terms.iter().rev().fold(0.0, |sum, term| (sum + term) * g_us);
        (self.programming_error_us + terms).max(0.0)
    }

    /// Mean and standard deviation of the drift coefficient nu of a cell written to `g_us`
    /// (Nandakumar et al. 2019).
    pub fn drift_coefficient(&self, g_us: f64) -> [f64; 2] {
        let ln = (g_us / self.g_max_us).max(1e-6).ln();
        [&self.drift_nu, &self.drift_nu_sd].map(|form| match form[..] {
            [a, b, low, high] => (a * ln + b).clamp(low, high),
            _ => 0.0,
        })
    }

    /// Standard deviation of a read of a cell of `g_us` at the device's time, microsiemens.
    pub fn read_noise(&self, g_us: f64) -> f64 {
        let flicker = match self.read_noise_q[..] {
            [a, b, most] if g_us > 0.0 => {
                let q = (a / (g_us / self.g_max_us).powf(b)).min(most);
                let (t, tr) = (self.at_s.max(self.drift_t0_s), self.read_noise_tr_s);
                g_us * q * ((t + tr) / (2.0 * tr)).ln().max(0.0).sqrt()
            }
            _ => 0.0,
        };
        self.read_noise_us.hypot(flicker)
    }

    /// Checks what no single key can tell.
    ///
    /// # Errors
    /// Naming the keys that do not fit each other.
    pub fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::input(format!("device.crossbar.{message}")));
        if self.g_min_us >= self.g_max_us {
            return wrong(format!(
                "g_min_uS = {}: expected less than g_max_uS = {}",
                self.g_min_us, self.g_max_us
            ));
        }
        if self.stuck_at_min + self.stuck_at_max >= 1.0 {
            return wrong(format!(
                "stuck_at_min = {} and stuck_at_max = {}: expected a sum below 1",
                self.stuck_at_min, self.stuck_at_max
            ));
        }
        let lists = [
            ("drift_nu", &self.drift_nu, 4),
            ("drift_nu_sd", &self.drift_nu_sd, 4),
            ("read_noise_q", &self.read_noise_q, 3),
        ];
        for (name, list, length) in lists {
            if !list.is_empty() && list.len() != length {
                return wrong(format!(
                    "{name}: expected {length} numbers or none, found {}",
                    list.len()
                ));
            }
            if length == 4 && list.len() == 4 && list[2] > list[3] {
                return wrong(format!(
                    "{name} = {list:?}: expected the third number, the lower limit, to be at most the fourth"
                ));
            }
        }
        let terms = [
            ("programming_error_terms", &self.programming_error_terms),
            ("current_square", &self.current_square),
        ];
        for (name, list) in terms
            .into_iter()
            .chain([("current_cube", &self.current_cube)])
            .chain(lists.map(|(name, list, _)| (name, list)))
        {
            if let Some(number) = list.iter().find(|number| !number.is_finite()) {
                return wrong(format!("{name}: expected finite numbers, found {number}"));
            }
        }
        if !self.cell_current().is_linear() && !self.wires().are_perfect() {
            return wrong(
                "current_square, current_cube: cells that are not linear cannot be trained behind resistive wires (no matrix describes \
                 them); expected r_word_ohm = 0 and r_bit_ohm = 0"
                    .into(),
            );
        }
        Ok(())
    }
}

impl Default for CrossbarDevice {
    fn default() -> Self {
        Self::ideal()
    }
}

impl Family for CrossbarDevice {
    fn describe(&self) -> String {
        let sheet = self.sheet.as_ref().map_or(String::new(), |sheet| format!(" ({sheet})"));
        format!("resistive crossbars{sheet}")
    }

    fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    fn check(&self) -> Result<()> {
        self.check()
    }

    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>> {
        let key = chip_key(site.seed, site.chip, "first programming").with(site.index);
        Ok(Box::new(Crossbar::new(self.clone(), (site.weights)(), key)?))
    }
}
