//! Laser intensity noise: I (1 + delta), delta normal from frame to frame.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::arithmetic::random::Stream;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Shot, Sight};
use crate::quantity::range;

/// The laser's noise: the table `[device.spim.laser]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Laser {
    /// Relative standard deviation of the intensity from frame to frame.
    #[serde(deserialize_with = "range::relative_noise")]
    pub noise: f64,
}

impl Effect for Laser {
    fn title(&self) -> &'static str {
        "laser noise"
    }

    fn is_off(&self) -> bool {
        self.noise == 0.0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// The deviation is.
    fn scale(&mut self, factor: f64) -> bool {
        self.noise *= factor;
        true
    }
}

impl Optic for Laser {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Plain)
    }

    fn intensity(&self, intensities: &mut [f64], _: &Shot, stream: Option<&mut Stream>) {
        if let Some(stream) = stream {
            let factor = 1.0 + self.noise * f64::normal(stream);
            intensities.iter_mut().for_each(|intensity| *intensity *= factor);
        }
    }

    fn deviation(&self, intensity: f64) -> f64 {
        self.noise * intensity
    }

    fn frame_error(&self, intensity: f64, _: &Sight) -> f64 {
        self.noise * intensity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;
    use crate::coupler::spim::optics::Optics;

    #[test]
    fn noise_is_proportional_to_the_light() {
        let laser = Laser { noise: 0.005 };
        let optics = Optics::new(&SpimDevice::default(), 1).unwrap();
        let sight = optics.sight(Path::Analytic, 1.0, 0.0);
        let shot = Shot { sight: &sight, number: 0, start: 0.0, shares: &[1.0] };
        let shine = |intensity: f64, stream: Option<&mut Stream>| {
            let mut seen = [intensity];
            laser.intensity(&mut seen, &shot, stream);
            seen[0]
        };
        let mut stream = Key::new(1, "laser").stream();
        let draws = 20_000;
        let squares =
            (0..draws).map(|_| (shine(3.0, Some(&mut stream)) / 3.0 - 1.0).powi(2)).sum::<f64>();
        let ratio = (squares / f64::from(draws)).sqrt() / 0.005;
        assert!((ratio - 1.0).abs() < 5.0 / (2.0 * f64::from(draws)).sqrt(), "{ratio}");
        assert_eq!(shine(0.4, None), 0.4);
    }
}
