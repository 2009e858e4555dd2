//! Pointing drift: the zero order wanders across the camera.
//!
//! Its middle takes a random step in either direction at every write of the parameters (`step_px`),
//! and stands still between the phases of one gradient; or it walks as time goes (`in_an_hour_px`),
//! between them too. The camera goes on reading where the order was
//! when it was aligned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fourier::sinc;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, random_walk};
use crate::quantity::range;

/// Points of the numerical integral along one axis of the camera region.
const POINTS: usize = 64;

/// A zero order that wanders: the table `[device.spim.drift]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Standard deviation of the step between two writes, camera pixels.
    #[serde(deserialize_with = "range::non_negative")]
    pub step_px: f64,
    /// Standard deviation after an hour of frames, camera pixels: a walk that also goes on between
    /// the phases of one update.
    #[serde(deserialize_with = "range::non_negative")]
    pub in_an_hour_px: f64,
    /// Hours in which that walk is drawn back to where the order was when it was aligned, by a factor
    /// e; 0 is never.
    #[serde(deserialize_with = "range::non_negative")]
    pub time_constant_h: f64,
}

impl Effect for Drift {
    fn title(&self) -> &'static str {
        "pointing drift"
    }

    fn is_off(&self) -> bool {
        self.step_px == 0.0 && self.in_an_hour_px == 0.0
    }

    /// The step is.
    fn scale(&mut self, factor: f64) -> bool {
        self.step_px *= factor;
        self.in_an_hour_px *= factor;
        true
    }
}

impl Optic for Drift {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        path != Path::Overlaps
    }

    /// Distance down and across, camera pixels.
    fn aligned(&self) -> Option<(&'static str, Vec<f64>)> {
        Some(("pointing_px", vec![0.0; 2]))
    }

    fn wander(&self, offset_px: &mut [f64], key: Key) {
        let mut stream = key.stream();
        offset_px.iter_mut().for_each(|offset| *offset += self.step_px * f64::normal(&mut stream));
    }

    fn walk(&self, offset_px: &mut [f64], hours: f64, key: Key) {
        random_walk(offset_px, (self.in_an_hour_px, self.time_constant_h), hours, key);
    }

    /// The light of the zero order in the camera's region about where it was, as a part of the
    /// light there before any drift.
    fn gain(&self, offset_px: &[f64], device: &SpimDevice) -> f64 {
        if offset_px.iter().all(|offset| *offset == 0.0) {
            return 1.0;
        }
        let (half, spot_px) = (device.region.side_px as f64 / 2.0, device.region.spot_px);
        let along = |offset: f64| {
            let point = |index: usize| -half + (index as f64 + 0.5) * 2.0 * half / POINTS as f64;
            (0..POINTS).map(|index| sinc((point(index) + offset) / spot_px).powi(2)).sum::<f64>()
        };
        along(offset_px[0]) * along(offset_px[1]) / along(0.0).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_in_variance() {
        let (walks, steps, drift) = (2000, 25, Drift { step_px: 0.2, ..Drift::default() });
        let end = |walk: u64| {
            let mut offset = [0.0; 2];
            (0..steps)
                .for_each(|step| drift.wander(&mut offset, Key::new(walk, "walk").with(step)));
            offset[0]
        };
        let variance = (0..walks).map(end).map(|x| x * x).sum::<f64>() / walks as f64;
        // 25 steps of 0.2: variance 1, with a standard error of sqrt(2 / walks).
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / walks as f64).sqrt(), "{variance}");
    }

    #[test]
    fn light_is_lost_as_the_order_leaves_the_region() {
        let device = SpimDevice::default().with(|device| {
            (device.region.side_px, device.region.spot_px) = (6, 2.0);
        });
        let at = |offset| Drift { step_px: 1.0, ..Drift::default() }.gain(&[offset, 0.0], &device);
        assert_eq!(at(0.0), 1.0);
        assert!(
            at(1.0) < 1.0 && at(3.0) < 0.6 && at(3.0) > 0.4 && at(20.0) < 0.02,
            "{} {} {}",
            at(1.0),
            at(3.0),
            at(20.0)
        );
    }
}
