//! The camera's dark level: every reading stands on a pedestal, which the laboratory measures and
//! subtracts, all but a residual.
//!
//! ```text
//! reading = code(light + level) - (level - residual)
//! ```
//!
//! Noise is then not cut off in the dark, and a part of the range is lost. What is left of the
//! pedestal is the same in two frames and drops out of their difference where readings are linear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// A pedestal under every reading: the table `[device.spim.dark_level]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DarkLevel {
    /// The pedestal, in units of a pixel's full scale.
    #[serde(deserialize_with = "range::fraction")]
    pub level: f64,
    /// What is left of it after subtraction, in units of a pixel's full scale.
    #[serde(deserialize_with = "range::finite")]
    pub residual: f64,
}

impl Effect for DarkLevel {
    fn title(&self) -> &'static str {
        "dark level"
    }

    fn is_off(&self) -> bool {
        self.level == 0.0 && self.residual == 0.0
    }

    fn check(&self) -> Result<(), String> {
        if self.residual.abs() < 1.0 {
            return Ok(());
        }
        let found = self.residual;
        Err(format!("residual = {found}: expected a part of the full scale, within +-1"))
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.level *= factor;
        self.residual *= factor;
        true
    }
}

impl Optic for DarkLevel {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Once)
    }

    /// Noise, clipping and codes are the camera's.
    fn needs(&self) -> &'static [&'static str] {
        &["camera", "region"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let sensor = optics.detector.sensor_mut();
        sensor.pedestal += self.level;
        sensor.subtracted += self.level - self.residual;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    fn mean(device: &SpimDevice, light: f64) -> f64 {
        let optics = Optics::new(device, 1).unwrap();
        let mut stream = Key::new(1, "frame").stream();
        let mut frame = || optics.detector.frame(light, &mut false, &mut stream);
        (0..20_000).map(|_| frame()).sum::<f64>() / 20_000.0
    }

    /// Without a pedestal the dark end clips: the mean of max(0, noise) is sd / sqrt(2 pi). On one of
    /// ten deviations the mean is the light, and the residual on top.
    #[test]
    fn a_pedestal_keeps_the_mean_of_noise_in_the_dark() {
        let sd = 0.01;
        let clipping = SpimDevice::default().with(|device| {
            (device.camera.bits, device.camera.noise) = (16, sd);
        });
        let error = 5.0 * sd / 20_000f64.sqrt();
        let expected = sd / std::f64::consts::TAU.sqrt();
        assert!((mean(&clipping, 0.0) - expected).abs() < error);
        for residual in [0.0, 0.003] {
            let raised = clipping.clone().with(|device| {
                (device.dark_level.level, device.dark_level.residual) = (10.0 * sd, residual);
            });
            let found = mean(&raised, 0.0);
            assert!((found - residual).abs() < error, "{found}");
            // The brightest reading is the full scale less what is subtracted.
            let brightest = mean(&raised, 7.0);
            assert!((brightest - (1.0 - 10.0 * sd + residual)).abs() < 1e-12, "{brightest}");
        }
    }
}
