//! The light on the panel, block by block.

use num_complex::Complex;
use rand::SeedableRng;
use rand::seq::SliceRandom;

use super::response::Response;
use crate::Result;
use crate::laboratory::bench::{Bench, moments};
use crate::laboratory::fit::least_squares;

/// Blocks along a side of the panel.
pub(super) const BLOCKS: usize = 8;
/// How often each frame is shown.
const REPEATS: usize = 8;
/// Points of a block along its side, on which a beam is averaged.
const POINTS: usize = 6;

/// The radius of the Gaussian beam that fits the light of blocks best, wherever its middle lies, and
/// what it leaves of it: each block is turned in four phases against the rest.
pub(super) fn illumination(
    bench: &mut Bench,
    exposure: f64,
    response: &Response,
) -> Result<(f64, f64)> {
    let (height, width) = (bench.height(), bench.width());
    let mut asked: Vec<(usize, usize)> = Vec::new();
    for _ in 0..REPEATS {
        asked.extend((0..BLOCKS * BLOCKS).flat_map(|block| (0..4).map(move |k| (block, k))));
    }
    asked.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(2));
    let block_of =
        |row: usize, column: usize| row * BLOCKS / height * BLOCKS + column * BLOCKS / width;
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
    let light: Vec<f64> = turned
        .iter()
        .map(|turned| {
            // 4 B (T - B) of the block's field B and the whole one T.
            let product = (turned * along.conj()).re / along.norm().max(f64::MIN_POSITIVE);
            (all - (all * all - product).max(0.0).sqrt()) / 2.0
        })
        .collect();
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
    let [mean, _] = moments(&shares);
    let square: f64 = residuals(&found).iter().map(|x| x * x).sum();
    Ok((found[0].exp(), (square / shares.len() as f64).sqrt() / mean))
}
