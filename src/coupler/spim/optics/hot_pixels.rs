//! Hot pixels: a few pixels of the camera leak, and show light in the dark, always the same ones.
//!
//! The laboratory subtracts one dark level from all pixels, so the light of a hot one stays in its
//! readings. Two frames have the same: it drops out of their difference, but its shot noise does
//! not, nor the range that it fills.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Camera pixels that show light in the dark: the table `[device.spim.hot_pixels]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HotPixels {
    /// The part of all pixels that is hot.
    #[serde(deserialize_with = "range::unit_interval")]
    pub fraction: f64,
    /// What a hot pixel shows in the dark, in units of its full scale.
    #[serde(deserialize_with = "range::unit_interval")]
    pub level: f64,
}

impl Default for HotPixels {
    fn default() -> Self {
        Self { fraction: 0.0, level: 0.1 }
    }
}

impl Effect for HotPixels {
    fn title(&self) -> &'static str {
        "hot pixels"
    }

    fn is_off(&self) -> bool {
        self.fraction == 0.0 || self.level == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.fraction *= factor;
        true
    }
}

impl Optic for HotPixels {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Once)
    }

    /// Shot noise, clipping and codes are the camera's.
    fn needs(&self) -> &'static [&'static str] {
        &["camera", "region"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let mut stream = Key::new(0, "hot pixels").join(optics.chip).stream();
        for dark in &mut optics.detector.sensor_mut().dark {
            if stream.random::<f64>() < self.fraction {
                *dark += self.level;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pixels_are_hot() {
        let device = SpimDevice::default().with(|device| {
            (device.hot_pixels.fraction, device.hot_pixels.level) = (0.1, 0.25);
            (device.region.side_px, device.region.spot_px) = (6, 24.0);
        });
        let chips = 1000;
        let mut lit = 0.0;
        for chip in 0..chips {
            let optics = Optics::on_chip(&device, 1, Key::new(chip, "chip")).unwrap();
            let mut stream = Key::new(1, "frame").stream();
            lit += optics.detector.frame(0.0, &mut false, &mut stream)
                / (0.25 * optics.detector.pixel_full_scale());
        }
        let pixels = f64::from(36 * chips as u32);
        let error = 5.0 * (0.1 * 0.9 / pixels).sqrt();
        assert!((lit / pixels - 0.1).abs() < error, "{lit}");
    }
}
