//! A datasheet from intensities alone.
//!
//! With the modulated field normalised to a flat mask's, a mask gives in the zero order
//!
//! ```text
//! I = |m + c|^2 + u,      m the mean of e^(i phi) over the beam, c what is not modulated, u what
//!                         interferes with nothing
//! ```
//!
//! - [*Response*](response): two parts of the panel show a reference level and another; four
//!   references tell the phase of the other, c, u, and the light of the parts.
//! - [*Illumination*](illumination): one block after another sends its light into an order of its
//!   own; or is turned in four phases against the rest, where no order but the zero can be read.
//! - [*Crosstalk*](crosstalk): gratings of two levels and periods from 2 to 16 pixels; a kernel
//!   smears their edges, and what is left in the zero order tells its width.
//! - [*Fill factor and dead zone*](dead_zone): a turn of all pixels, read in the order of the pixel
//!   grid.
//! - [*Noise*](noise): the variance of many frames of one mask against its intensity, a + b I + c
//!   I^2.
//! - [*Flicker and drift*](motion): a mask whose light changes with all phases, and one whose does
//!   not.
//!
//! What flickers is another in every request; frames of one measurement are spread over many.

mod crosstalk;
mod dead_zone;
mod illumination;
mod motion;
mod noise;
mod response;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use self::illumination::BLOCKS;
pub use self::motion::Drift;
use self::motion::Stand;
use super::bench::Bench;
use crate::Result;
use crate::wire::Laboratory;

/// Standard errors beyond which a drift is one.
const SURE: f64 = 3.0;

/// A number that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// How it was measured.
    pub source: String,
}

/// What was measured of a bench.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// What the bench calls itself.
    pub name: String,
    /// The phase of each level against level 0, radians.
    pub phases: Vec<f64>,
    /// Whether the formula of a response says as much: scale and gamma.
    pub formula: Option<[f64; 2]>,
    /// Numbers of a datasheet by key.
    pub numbers: BTreeMap<&'static str, Measured>,
    /// How far light and phases have drifted meanwhile.
    pub drift: Drift,
    /// Frames shown.
    pub frames: u64,
}

/// Numbers of a datasheet as they are found, each with the frames that it took.
struct Found {
    bench: Bench,
    numbers: BTreeMap<&'static str, Measured>,
    /// Frames before the measurement that is told.
    before: u64,
}

impl Found {
    fn state(&mut self, key: &'static str, value: f64, unit: &'static str, source: &str) {
        let source =
            source.replace("{frames}", &format!("{} frames", self.bench.frames - self.before));
        self.numbers.insert(key, Measured { value, unit, source });
    }

    fn begin(&mut self) -> &mut Bench {
        self.before = self.bench.frames;
        &mut self.bench
    }
}

/// Measures `laboratory`; `tell` hears what is measured next.
///
/// # Errors
/// When it is no modulator and camera, or fails.
pub fn calibrate(laboratory: &Arc<Laboratory>, tell: &mut dyn FnMut(&str)) -> Result<Calibration> {
    let bench = Bench::new(laboratory.clone())?;
    let mut found = Found { bench, numbers: BTreeMap::new(), before: 0 };
    let kind = found.bench.kind.clone();
    for (key, value, unit) in [
        ("quantisation.bits", f64::from(kind.panel.bits), "bit"),
        ("panel.width_px", kind.panel.width as f64, "px"),
        ("panel.height_px", kind.panel.height as f64, "px"),
        ("frames.rate_Hz", kind.frame_rate_hz, "Hz"),
    ] {
        found.state(key, value, unit, "the instrument says so");
    }

    tell("exposure");
    let exposure = found.begin().exposure()?;
    tell("phase response");
    let response = response::response(found.begin(), exposure)?;
    let source = "measured: quarters of the panel across from each other, one pair at four reference \
                  levels, {frames}";
    if let Some([scale, gamma]) = response.formula {
        found.state("response.scale", scale, "1", source);
        found.state("response.gamma", gamma, "1", source);
    }
    let square = response.modulated.powi(2);
    found.state("unmodulated.incoherent", (response.incoherent / square).max(0.0), "1", source);
    let before = Stand::look(found.begin(), exposure, &response)?;

    tell("fill factor and dead zone");
    let reads_orders = found.begin().reads_orders(exposure)?;
    let dead_zone = match reads_orders {
        true => dead_zone::dead_zone(&mut found.bench, exposure, &response)?,
        false => None,
    };
    let (mut left, mut told) = (response.constant, "; dead zones and window together");
    if let Some(dead_zone) = &dead_zone {
        let order = "measured: a turn of all pixels in the order of the pixel grid, {frames}";
        let [size, phase] = [dead_zone.reflected.norm(), dead_zone.reflected.arg()];
        found.state("dead_zone.fill_factor", dead_zone.fill, "1", order);
        found.state("dead_zone.reflectivity", size, "1", order);
        found.state("dead_zone.phase_rad", phase, "rad", order);
        left = left * dead_zone.fill - dead_zone.reflected * (1.0 - dead_zone.fill);
        told = "; what dead zones leave of it";
    }
    let source = format!("{source}{told}");
    found.state("unmodulated.coherent", left.norm(), "all nodes in phase", &source);
    found.state("unmodulated.phase_rad", left.arg(), "rad", &source);

    tell("illumination");
    let bench = found.begin();
    let light = illumination::illumination(bench, exposure, &response, reads_orders)?;
    let source = format!(
        "measured: {BLOCKS} x {BLOCKS} blocks {}, {{frames}}; a Gaussian beam leaves {:.1} % rms of \
         the light of a block",
        light.how,
        100.0 * light.left
    );
    found.state("illumination.radius", light.radius, "half the panel's shorter side", &source);

    tell("crosstalk");
    let sigma = crosstalk::crosstalk(found.begin(), exposure, &response)?;
    let source = "measured: gratings of period 2 to 16, {frames}, with the exponent 1.2";
    found.state("fringing.sigma", sigma, "1/px", source);
    found.state("fringing.order", 1.2, "1", "assumed");

    tell("noise");
    let noise = noise::noise(found.begin(), exposure)?;
    let (bits, source) = match noise.bits > kind.camera.bits {
        true => (noise.bits, "measured: the smallest step between readings, many pixels together"),
        false => (kind.camera.bits, "the instrument says so"),
    };
    found.state("camera.bits", f64::from(bits), "bit", source);
    let source = "measured: variance against intensity, {frames}";
    let all = format!("{source}, all pixels of the region together");
    found.state("camera.noise", noise.read, "camera full scale", &all);
    if noise.shot > 0.0 {
        found.state("camera.electrons", 1.0 / noise.shot, "electron", &all);
    }
    found.state("laser.noise", noise.laser, "1", source);

    tell("flicker");
    let flicker = motion::flicker(found.begin(), exposure, &response, &noise)?;
    let source =
        "measured: the variance of a mask that changes with all phases beside noise, {frames}";
    found.state("flicker.amplitude", flicker.amplitude, "1", source);
    let (rate, source) = match flicker.rate_hz {
        Some(rate) => {
            (rate, "measured: the strongest frequency of the same frames, or an alias of it")
        }
        None => {
            (kind.frame_rate_hz, "the frame rate or a multiple: it stands still within a request")
        }
    };
    found.state("flicker.rate_Hz", rate, "Hz", source);

    tell("drift");
    let after = Stand::look(found.begin(), exposure, &response)?;
    let drift = Drift::between(&found.bench, &response, &noise, [&before, &after]);
    let source = format!(
        "measured: from the beginning to the end, {:.0} s, two looks of {{frames}}",
        drift.seconds
    );
    for (key, [change, error]) in
        [("power_drift.in_an_hour", drift.light), ("phase_drift.in_an_hour", drift.phase)]
    {
        if change.abs() > SURE * error {
            let in_an_hour = change.abs() / (drift.seconds / 3600.0).sqrt();
            found.state(key, in_an_hour, "1", &source);
        }
    }
    let (name, frames) = (laboratory.hello().name.clone(), found.bench.frames);
    let (phases, formula, numbers) = (response.phases, response.formula, found.numbers);
    Ok(Calibration { name, phases, formula, numbers, drift, frames })
}
