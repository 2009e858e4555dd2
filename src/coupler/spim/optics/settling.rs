//! Effect 12, settling: the liquid crystal follows its voltage slowly.
//!
//! ```text
//! phi <- phi + (phi* - phi) (1 - e^(-dt / tau))
//! ```
//!
//! Between two frames dt is a frame's time. The node that a readout shifts from frame to frame
//! lags; all others have had the settling time of their force.

use std::f64::consts::PI;

/// How much of a step is left after one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settling {
    /// e^(-dt / tau).
    left: f64,
}

impl Settling {
    /// A modulator of time constant `response_ms` at `frame_rate_hz`; 0 follows at once.
    pub fn new(response_ms: f64, frame_rate_hz: f64) -> Self {
        let frames = response_ms * 1e-3 * frame_rate_hz;
        Self { left: if frames > 0.0 { (-1.0 / frames).exp() } else { 0.0 } }
    }

    /// Whether every frame shows what was asked for.
    pub fn is_immediate(&self) -> bool {
        self.left == 0.0
    }

    /// The phase shown one frame after `from` was to become `to`.
    pub fn phase(&self, from: f64, to: f64) -> f64 {
        to + (from - to) * self.left
    }

    /// The value that a macro-pixel shows one frame after its value `from` was to become `to`: both
    /// colours of its checkerboard lag alike, +-arccos.
    pub fn value(&self, from: f64, to: f64) -> f64 {
        if self.is_immediate() {
            return to;
        }
        let angle = |value: f64| value.clamp(-1.0, 1.0).acos();
        let phase = self.phase(angle(from), angle(to));
        debug_assert!((0.0..=PI).contains(&phase));
        phase.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_decay_exponentially() {
        // Time constant 10 ms, frames of 5 ms.
        let settling = Settling::new(10.0, 200.0);
        let mut phase = 3.0;
        for _ in 0..4 {
            phase = settling.phase(phase, 1.0);
        }
        assert!((phase - (1.0 + 2.0 * (-2.0f64).exp())).abs() < 1e-14);
        assert!(Settling::new(0.0, 60.0).is_immediate());
        assert_eq!(Settling::new(0.0, 60.0).value(0.3, -0.7), -0.7);
    }
}
