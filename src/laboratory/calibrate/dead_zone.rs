//! Fill factor and dead zone, in the order of the pixel grid.
//!
//! In the zero order the light of dead zones cannot be told from any other that is not modulated. One
//! cycle a pixel away, the light of whole pixels is dark: what an active square of side q sends there
//! is what its dead zone lacks,
//!
//! ```text
//! I = (modulated sinc q)^2 |e^(i phi) - r e^(i theta)|^2,      all pixels at the phase phi
//! ```
//!
//! so that a turn of all pixels tells q, r and theta. A window's reflection is in the zero order
//! alone: it is what is left there. Of r and 1 / r, which look the same, r is the one below 1.

use num_complex::Complex;

use super::response::Response;
use crate::Result;
use crate::coupler::spim::optics::fourier::sinc;
use crate::laboratory::bench::Bench;
use crate::laboratory::fit::least_squares;

/// The order that is read: a pixel across.
const ORDER: [f64; 2] = [0.0, 1.0];
/// Levels of a turn of all pixels.
const LEVELS: u32 = 16;
/// How often each is shown.
const REPEATS: usize = 8;
/// How much brighter the first look is than at the zero order.
const BRIGHTER: f64 = 30.0;

/// What does not modulate of a pixel.
pub(super) struct DeadZone {
    /// The part of its area that does.
    pub fill: f64,
    /// The amplitude that the rest reflects.
    pub reflected: Complex<f64>,
}

/// Measures it; none where the bench does not take the exposure.
pub(super) fn dead_zone(
    bench: &mut Bench,
    exposure: f64,
    response: &Response,
) -> Result<Option<DeadZone>> {
    let levels: Vec<u16> =
        (0..LEVELS).map(|k| bench.level(f64::from(k) / f64::from(LEVELS))).collect();
    let paint = |level: &u16, _: usize, _: usize| *level;
    let brighter = bench.exposure_of(&levels, Some(ORDER), BRIGHTER * exposure)?;
    let Some(brighter) = brighter else { return Ok(None) };
    let shown = levels.repeat(REPEATS);
    let Some(seen) = bench.try_show(&shown, brighter, Some(ORDER), paint)? else {
        return Ok(None);
    };
    let square = response.modulated.powi(2) * brighter / exposure;
    let found = least_squares(&[0.02, 0.3, 0.0], |p| {
        let apart = |(level, seen): (&u16, &f64)| {
            let field =
                Complex::cis(response.phases[usize::from(*level)]) - Complex::new(p[1], p[2]);
            seen - square * p[0] * p[0] * field.norm_sqr()
        };
        shown.iter().zip(&seen).filter(|(_, seen)| seen.is_finite()).map(apart).collect()
    });
    let (mut dark, mut reflected) = (found[0].abs(), Complex::new(found[1], found[2]));
    if reflected.norm() > 1.0 {
        (dark, reflected) = (dark * reflected.norm(), reflected / reflected.norm_sqr());
    }
    // sinc falls from 1 to 0 as the side grows from 0 to 1.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if sinc(middle) > dark { low = middle } else { high = middle }
    }
    Ok(Some(DeadZone { fill: low * low, reflected }))
}
