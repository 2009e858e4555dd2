//! Non-linearity of the camera: readings fall short of the light as a pixel fills,
//!
//! ```text
//! y = x (1 - b x),      x in units of a pixel's full scale
//! ```
//!
//! so that b is the part that is missing at the full scale. The laboratory takes readings for light.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Readings that are not proportional to the light: the table `[device.spim.non_linearity]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NonLinearity {
    /// The part of the light that a reading at the full scale falls short, b; below 0 it exceeds it.
    #[serde(deserialize_with = "range::finite")]
    pub bend: f64,
}

impl Effect for NonLinearity {
    fn title(&self) -> &'static str {
        "camera non-linearity"
    }

    fn is_off(&self) -> bool {
        self.bend == 0.0
    }

    fn check(&self) -> Result<(), String> {
        if self.bend.abs() < 0.5 {
            return Ok(());
        }
        let found = self.bend;
        Err(format!("bend = {found}: expected within +-0.5, so that readings rise with the light"))
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.bend *= factor;
        true
    }
}

impl Optic for NonLinearity {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Once)
    }

    /// The full scale is the camera's.
    fn needs(&self) -> &'static [&'static str] {
        &["camera", "region"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        optics.detector.sensor_mut().bend += self.bend;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    #[test]
    fn readings_fall_short_by_the_square_of_the_light() {
        let device = SpimDevice::default().with(|device| {
            device.non_linearity.bend = 0.04;
            device.camera.full_scale = 0.5;
        });
        let optics = Optics::new(&device, 1).unwrap();
        let mut stream = Key::new(1, "frame").stream();
        for light in [0.0, 0.1, 0.5] {
            let found = optics.detector.frame(light, &mut false, &mut stream);
            assert!((found - light * (1.0 - 0.04 * light / 0.5)).abs() < 1e-15, "{light}");
        }
    }
}
