//! Effect 13, drift: the zero order wanders across the camera.
//!
//! Its middle takes a random step in either direction at every write of the parameters, so that it
//! stands still between the phases of one gradient. The camera goes on reading where the order was
//! when it was aligned.

use super::fill_factor::sinc;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;

/// Points of the numerical integral along one axis of the camera region.
const POINTS: usize = 64;

/// Where the zero order is, in camera pixels from where it was aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    /// Standard deviation of a step.
    pub step_px: f64,
    /// Distance down and across.
    pub offset_px: [f64; 2],
}

impl Drift {
    /// One step; `key` names the write.
    pub fn advance(&mut self, key: Key) {
        if self.step_px > 0.0 {
            let mut stream = key.stream();
            self.offset_px
                .iter_mut()
                .for_each(|offset| *offset += self.step_px * f64::normal(&mut stream));
        }
    }

    /// The light of a zero order of half width `spot_px` in a square of `region_px` pixels about
    /// where it was, as a part of the light there before any drift.
    pub fn gain(&self, region_px: usize, spot_px: f64) -> f64 {
        if self.offset_px == [0.0; 2] {
            return 1.0;
        }
        let half = region_px as f64 / 2.0;
        let along = |offset: f64| {
            let point = |index: usize| -half + (index as f64 + 0.5) * 2.0 * half / POINTS as f64;
            (0..POINTS).map(|index| sinc((point(index) + offset) / spot_px).powi(2)).sum::<f64>()
        };
        along(self.offset_px[0]) * along(self.offset_px[1]) / along(0.0).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_in_variance() {
        let (walks, steps) = (2000, 25);
        let end = |walk: u64| {
            let mut drift = Drift { step_px: 0.2, offset_px: [0.0; 2] };
            (0..steps).for_each(|step| drift.advance(Key::new(walk, "walk").with(step)));
            drift.offset_px[0]
        };
        let variance = (0..walks).map(end).map(|x| x * x).sum::<f64>() / walks as f64;
        // 25 steps of 0.2: variance 1, with a standard error of sqrt(2 / walks).
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / walks as f64).sqrt(), "{variance}");
    }

    #[test]
    fn light_is_lost_as_the_order_leaves_the_region() {
        let at = |offset| Drift { step_px: 1.0, offset_px: [offset, 0.0] }.gain(6, 2.0);
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
