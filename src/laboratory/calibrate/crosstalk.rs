//! The width of the kernel that smears phases over neighbours, by what it leaves of gratings in the
//! zero order.

use std::f64::consts::TAU;

use num_complex::Complex;

use super::response::Response;
use crate::Result;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::mask::{Drive, Mask};
use crate::coupler::spim::optics::wave::{Moment, Wave};
use crate::laboratory::bench::{Bench, mean};
use crate::laboratory::fit::least_squares;

/// How often each grating is shown.
const REPEATS: usize = 8;
/// Pixels along the side of the panel on which a kernel is tried.
const SIDE: usize = 48;

/// A grating of two levels: its period, pixels, the other level than 0, and whether it runs across.
type Grating = (usize, u16, bool);

fn level((period, level, across): &Grating, row: usize, column: usize) -> u16 {
    let at = if *across { column } else { row };
    if at % period < period / 2 { *level } else { 0 }
}

/// Measures it, cycles a pixel.
pub(super) fn crosstalk(bench: &mut Bench, exposure: f64, response: &Response) -> Result<f64> {
    let mut gratings: Vec<Grating> = Vec::new();
    for period in [2, 4, 8, 16] {
        for turn in [0.35, 0.5, 0.65, 0.8] {
            gratings.extend([false, true].map(|across| (period, bench.level(turn), across)));
        }
    }
    let seen = bench.show(&gratings.repeat(REPEATS), exposure, level)?;
    let of_grating = |at: usize| mean(seen.iter().skip(at).step_by(gratings.len()).copied());
    let means: Vec<f64> = (0..gratings.len()).map(of_grating).collect();
    let predicted = |p: &[f64]| -> Vec<f64> {
        let device = SpimDevice::default().with(|device| {
            device.fringing.sigma = p[0].exp();
            (device.panel.width_px, device.panel.height_px) = (SIDE, SIDE);
        });
        let Ok(optics) = Optics::new(&device, 1) else {
            return vec![f64::INFINITY; gratings.len()];
        };
        let wave = Wave::new(&optics);
        let of = |grating: &Grating| {
            let phase = |at: usize| {
                let level = level(grating, at / SIDE, at % SIDE);
                response.phases[usize::from(level)].rem_euclid(TAU)
            };
            let drive = Drive::Phases((0..SIDE * SIDE).map(phase).collect());
            let mask = Mask { height: SIDE, width: SIDE, bits: 0, drive };
            let field = wave.zero_order(&mask, Moment::default()).unwrap_or_default();
            let all = field + response.constant + Complex::new(p[1], p[2]);
            (all * response.modulated).norm_sqr() + response.incoherent
        };
        gratings.iter().map(of).collect()
    };
    let found = least_squares(&[0.5, 0.0, 0.0], |p| {
        predicted(p).iter().zip(&means).map(|(a, b)| a - b).collect()
    });
    Ok(found[0].exp())
}
