//! The light on the panel, block by block.

use num_complex::Complex;
use rand::SeedableRng;
use rand::seq::SliceRandom;

use super::response::Response;
use crate::Result;
use crate::laboratory::bench::{BRIGHT, Bench, mean};
use crate::laboratory::fit::least_squares;

/// Blocks along a side of the panel.
pub(super) const BLOCKS: usize = 8;
/// How often each frame is shown.
const REPEATS: usize = 8;
/// Points of a block along its side, on which a beam is averaged.
const POINTS: usize = 6;

/// The order to which a block's blaze sends its light, cycles a pixel down and across.
const ORDER: [f64; 2] = [0.125, 0.125];
/// How much brighter the first look at one block is than at all pixels in phase.
const BRIGHTER: f64 = 1000.0;

/// Which block a pixel belongs to.
fn block_of(bench: &Bench) -> impl Fn(usize, usize) -> usize + use<> {
    let (height, width) = (bench.height(), bench.width());
    move |row, column| row * BLOCKS / height * BLOCKS + column * BLOCKS / width
}

/// The light of each block, in units of its own, by its intensity in an order to which it alone
/// sends light; none where the exposure is not to be had.
fn by_order(bench: &mut Bench, exposure: f64, response: &Response) -> Result<Option<Vec<f64>>> {
    let block_of = block_of(bench);
    let blaze: Vec<u16> = (0..8).map(|k| response.nearest(f64::from(k) / 8.0)).collect();
    // One more, of no block: what else falls there.
    let all: Vec<usize> = (0..=BLOCKS * BLOCKS).collect();
    let paint = |block: &usize, row: usize, column: usize| {
        if block_of(row, column) == *block { blaze[(row + column) % 8] } else { 0 }
    };
    let mut exposure = BRIGHTER * exposure;
    for _ in 0..10 {
        let Some(seen) = bench.try_show(&all, exposure, Some(ORDER), paint)? else {
            return Ok(None);
        };
        let brightest = seen.iter().copied().fold(0.0, f64::max);
        if seen.iter().any(|seen| !seen.is_finite()) {
            exposure /= 10.0;
        } else if !(BRIGHT / 2.0..=BRIGHT + 0.2).contains(&brightest) {
            exposure *= BRIGHT / brightest.max(1e-3);
        } else {
            let Some(seen) = bench.try_show(&all.repeat(REPEATS), exposure, Some(ORDER), paint)?
            else {
                return Ok(None);
            };
            let of = |block: usize| mean(seen.iter().skip(block).step_by(all.len()).copied());
            let (dark, blocks) = (of(BLOCKS * BLOCKS), 0..BLOCKS * BLOCKS);
            return Ok(Some(blocks.map(|block| (of(block) - dark).max(0.0).sqrt()).collect()));
        }
    }
    Ok(None)
}

/// The light of each block, each turned in four phases against the rest.
fn by_turns(bench: &mut Bench, exposure: f64, response: &Response) -> Result<Vec<f64>> {
    let block_of = block_of(bench);
    let mut asked: Vec<(usize, usize)> = Vec::new();
    for _ in 0..REPEATS {
        asked.extend((0..BLOCKS * BLOCKS).flat_map(|block| (0..4).map(move |k| (block, k))));
    }
    asked.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(2));
    let levels = [0.0, 0.25, 0.5, 0.75].map(|turns| response.nearest(turns));
    let seen = bench.show(&asked, exposure, |(block, k), row, column| {
        if block_of(row, column) == *block { levels[*k] } else { 0 }
    })?;
    let mut sums = vec![[0.0; 4]; BLOCKS * BLOCKS];
    let mut counts = vec![[0.0f64; 4]; BLOCKS * BLOCKS];
    for ((block, k), seen) in asked.iter().zip(&seen).filter(|(_, seen)| seen.is_finite()) {
        sums[*block][*k] += seen;
        counts[*block][*k] += 1.0;
    }
    let turned: Vec<Complex<f64>> = sums
        .iter()
        .zip(&counts)
        .map(|(sums, counts)| {
            let mean = |k: usize| sums[k] / counts[k].max(1.0);
            Complex::new(mean(0) - mean(2), mean(1) - mean(3))
        })
        .collect();
    // Along the direction of all: a magnitude of its own would make light of noise.
    let along = turned.iter().sum::<Complex<f64>>();
    let all = response.modulated * (1.0 + response.constant).norm();
    // 4 B (T - B) of the block's field B and the whole one T.
    let light = turned.iter().map(|turned| {
        let product = (turned * along.conj()).re / along.norm().max(f64::MIN_POSITIVE);
        (all - (all * all - product).max(0.0).sqrt()) / 2.0
    });
    Ok(light.collect())
}

/// The light on a panel.
pub(super) struct Illumination {
    /// The radius of the Gaussian beam that fits the light of blocks best, wherever its middle lies.
    pub radius: f64,
    /// What it leaves of a block's light, rms.
    pub left: f64,
    /// How the light of blocks was measured.
    pub how: &'static str,
}

/// Measures it; `reads_orders` says whether the bench reads more than the zero order.
pub(super) fn illumination(
    bench: &mut Bench,
    exposure: f64,
    response: &Response,
    reads_orders: bool,
) -> Result<Illumination> {
    let (height, width) = (bench.height(), bench.width());
    let alone = if reads_orders { by_order(bench, exposure, response)? } else { None };
    let (light, how) = match alone {
        Some(light) => (light, "one after another blazed into an order of its own"),
        None => (by_turns(bench, exposure, response)?, "turned against the rest"),
    };
    let half = 0.5 * height.min(width) as f64;
    // The mean amplitude of a Gaussian beam on each block, on a grid of points.
    let gaussian = |radius: f64, middle: [f64; 2]| -> Vec<f64> {
        let along = |block: usize, pixels: usize, point: usize| {
            let block = block as f64 + (point as f64 + 0.5) / POINTS as f64;
            (block / BLOCKS as f64 - 0.5) * pixels as f64 / half
        };
        let of = |block: usize| {
            let mut sum = 0.0;
            for point in 0..POINTS * POINTS {
                let y = along(block / BLOCKS, height, point / POINTS) - middle[0];
                let x = along(block % BLOCKS, width, point % POINTS) - middle[1];
                sum += (-(x * x + y * y) / (radius * radius)).exp();
            }
            sum
        };
        (0..BLOCKS * BLOCKS).map(of).collect()
    };
    let total: f64 = light.iter().sum();
    let shares: Vec<f64> = light.iter().map(|light| light / total).collect();
    let residuals = |p: &[f64]| -> Vec<f64> {
        let beam = gaussian(p[0].exp(), [p[1], p[2]]);
        let all: f64 = beam.iter().sum();
        beam.iter().zip(&shares).map(|(beam, share)| beam / all - share).collect()
    };
    let found = least_squares(&[0.5, 0.0, 0.0], residuals);
    let square: f64 = residuals(&found).iter().map(|x| x * x).sum();
    // A mean share is one of as many as there are blocks.
    let left = (square / shares.len() as f64).sqrt() * shares.len() as f64;
    Ok(Illumination { radius: found[0].exp(), left, how })
}
