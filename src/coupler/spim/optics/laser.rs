//! Effect 9, laser intensity noise: I (1 + delta), delta normal from frame to frame.

use crate::arithmetic::random::Stream;
use crate::arithmetic::real::Real;

/// The laser's intensity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Laser {
    /// Relative standard deviation.
    pub noise: f64,
}

impl Laser {
    /// One frame's intensity.
    pub fn shine(&self, intensity: f64, stream: &mut Stream) -> f64 {
        if self.noise > 0.0 {
            intensity * (1.0 + self.noise * f64::normal(stream))
        } else {
            intensity
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::random::Key;

    #[test]
    fn noise_is_proportional_to_the_light() {
        let laser = Laser { noise: 0.005 };
        let mut stream = Key::new(1, "laser").stream();
        let draws = 20_000;
        let squares =
            (0..draws).map(|_| (laser.shine(3.0, &mut stream) / 3.0 - 1.0).powi(2)).sum::<f64>();
        let ratio = (squares / f64::from(draws)).sqrt() / 0.005;
        assert!((ratio - 1.0).abs() < 5.0 / (2.0 * f64::from(draws)).sqrt(), "{ratio}");
        assert_eq!(Laser { noise: 0.0 }.shine(0.4, &mut stream), 0.4);
    }
}
