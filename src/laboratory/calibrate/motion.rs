//! What does not stand still: common flicker, from request to request and from frame to frame, and
//! drift from the beginning to the end.
//!
//! A mask of two parts, at the level at which its light changes fastest with all phases, tells the
//! phases' motion, and the mask of all pixels in phase that of the light.

use std::f64::consts::{SQRT_2, TAU};

use serde::Serialize;

use super::noise::Noise;
use super::response::{Response, part};
use crate::Result;
use crate::laboratory::bench::{Bench, mean, moments};

/// Requests in which flicker is watched, and frames of each.
const REQUESTS: usize = 32;
const FRAMES: usize = 16;
/// Requests in which drift is looked at, each of the same mask in a few frames.
const LOOKS: usize = 16;
const FRAMES_OF_A_LOOK: usize = 4;

/// Flicker that is common to all pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flicker {
    /// Its amplitude, as a part of the phase.
    pub amplitude: f64,
    /// Its frequency, or one that frames cannot tell from it; none where it stands still within
    /// requests.
    pub rate_hz: Option<f64>,
}

/// The level beside 0 at which the light of two parts changes fastest with all phases.
fn steepest(response: &Response) -> u16 {
    let slope = |level: &u16| response.beside_zero(*level)[1].abs();
    let levels = 0..response.phases.len() as u16;
    levels.max_by(|a, b| slope(a).total_cmp(&slope(b))).unwrap_or(0)
}

/// Frames of two parts, one at the steepest level.
fn watch(bench: &mut Bench, exposure: f64, response: &Response, frames: usize) -> Result<Vec<f64>> {
    let (level, side) = (steepest(response), part(bench));
    bench.show(&vec![(); frames], exposure, |(), row, column| [0, level][side(row, column)])
}

/// Measures flicker.
pub(super) fn flicker(
    bench: &mut Bench,
    exposure: f64,
    response: &Response,
    noise: &Noise,
) -> Result<Flicker> {
    let requests = (0..REQUESTS).map(|_| watch(bench, exposure, response, FRAMES));
    let requests: Vec<Vec<f64>> = requests.collect::<Result<_>>()?;
    let all: Vec<f64> = requests.concat().into_iter().filter(|seen| seen.is_finite()).collect();
    let slope = response.beside_zero(steepest(response))[1].abs();
    let [middle, deviation] = moments(&all);
    let moved = (deviation.powi(2) - noise.variance(middle)).max(0.0);
    // The power of each frequency within requests, beside that of their means.
    let power = |bin: usize| -> f64 {
        let of = |request: &Vec<f64>| {
            let turn = |(at, seen): (usize, &f64)| {
                let seen = if seen.is_finite() { seen - middle } else { 0.0 };
                num_complex::Complex::from_polar(seen, -TAU * (bin * at) as f64 / FRAMES as f64)
            };
            request.iter().enumerate().map(turn).sum::<num_complex::Complex<f64>>().norm_sqr()
        };
        requests.iter().map(of).sum()
    };
    let bin = (0..=FRAMES / 2).max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap_or(0);
    let rate = bin as f64 / FRAMES as f64 * bench.kind.frame_rate_hz;
    Ok(Flicker { amplitude: SQRT_2 * moved.sqrt() / slope, rate_hz: (bin > 0).then_some(rate) })
}

/// How light and phases stand.
pub(super) struct Stand {
    flat: f64,
    steep: [f64; 2],
    frames: u64,
}

impl Stand {
    /// Looks at a bench.
    pub fn look(bench: &mut Bench, exposure: f64, response: &Response) -> Result<Self> {
        let frames = bench.frames;
        let (mut flat, mut steep) = (Vec::new(), Vec::new());
        for _ in 0..LOOKS {
            flat.push(mean(bench.flat(FRAMES_OF_A_LOOK, exposure)?));
            steep.push(mean(watch(bench, exposure, response, FRAMES_OF_A_LOOK)?));
        }
        let [steep, deviation] = moments(&steep);
        Ok(Self { flat: moments(&flat)[0], steep: [steep, deviation], frames })
    }
}

/// How far light and phases have drifted while a bench was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// How long that took at the instrument's own frame rate, seconds.
    pub seconds: f64,
    /// The relative change of the light, and its standard error.
    pub light: [f64; 2],
    /// The relative change of all phases, and its standard error.
    pub phase: [f64; 2],
}

impl Drift {
    /// What has changed from `before` to `after`.
    pub(super) fn between(
        bench: &Bench,
        response: &Response,
        noise: &Noise,
        [before, after]: [&Stand; 2],
    ) -> Self {
        let slope = response.beside_zero(steepest(response))[1];
        let light = after.flat / before.flat - 1.0;
        let frames = (LOOKS * FRAMES_OF_A_LOOK) as f64;
        let of_light = (2.0 * noise.variance(before.flat) / frames).sqrt() / before.flat;
        let moved = after.steep[0] - before.steep[0] - light * before.steep[0];
        let of_phase = before.steep[1].hypot(after.steep[1]) / (LOOKS as f64).sqrt();
        Self {
            seconds: (after.frames - before.frames) as f64 / bench.kind.frame_rate_hz,
            light: [light, of_light],
            phase: [moved / slope, of_phase / slope.abs()],
        }
    }
}
