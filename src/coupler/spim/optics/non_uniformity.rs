//! Pixel non-uniformity of the camera: each pixel turns light into electrons with a gain of its own,
//! N(1, sd), fixed in the chip (EMVA 1288: PRNU). The laboratory's unit of light is that of a mean
//! pixel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// Camera pixels of different gains: the table `[device.spim.non_uniformity]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NonUniformity {
    /// Relative standard deviation of a pixel's gain.
    #[serde(deserialize_with = "range::fraction")]
    pub sd: f64,
}

impl Effect for NonUniformity {
    fn title(&self) -> &'static str {
        "pixel non-uniformity"
    }

    fn is_off(&self) -> bool {
        self.sd == 0.0
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.sd *= factor;
        true
    }
}

impl Optic for NonUniformity {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain | Path::Once)
    }

    fn needs(&self) -> &'static [&'static str] {
        &["region"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        let key = Key::new(0, "pixel gains").join(optics.chip);
        let gains = &mut optics.detector.sensor_mut().gains;
        key.add_normals(gains, self.sd);
        gains.iter_mut().for_each(|gain| *gain = gain.max(0.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The region's reading of a light I is I (1 + sum of share x deviate): its spread from chip to
    /// chip is sd times the root of the sum of squared shares.
    #[test]
    fn the_region_averages_the_gains_of_its_pixels() {
        let device = SpimDevice::default().with(|device| {
            device.non_uniformity.sd = 0.03;
            (device.region.side_px, device.region.spot_px) = (4, 3.0);
        });
        let chips = 4000;
        let (mut sum, mut squares, mut expected) = (0.0, 0.0, 0.0);
        for chip in 0..chips {
            let optics = Optics::on_chip(&device, 1, Key::new(chip, "chip")).unwrap();
            let mut stream = Key::new(1, "frame").stream();
            let off = optics.detector.frame(0.5, &mut false, &mut stream) / 0.5 - 1.0;
            (sum, squares) = (sum + off, squares + off * off);
            expected = optics.detector.shares().iter().map(|share| share * share).sum::<f64>();
        }
        let (mean, variance) = (sum / chips as f64, squares / chips as f64);
        let expected = expected * 0.03f64.powi(2);
        assert!(mean.abs() < 5.0 * (expected / chips as f64).sqrt(), "{mean}");
        let error = 5.0 * (2.0 / chips as f64).sqrt();
        assert!((variance / expected - 1.0).abs() < error, "{variance} {expected}");
    }
}
