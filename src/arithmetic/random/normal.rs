//! Normal deviates by the thousand: Box & Muller (1958, doi:10.1214/aoms/1177706645) on the
//! counters of [`super::philox`].
//!
//! ```text
//! z1 = sqrt(-2 ln u) cos 2 pi w,      z2 = sqrt(-2 ln u) sin 2 pi w
//! ```
//!
//! Logarithm, sine and cosine are polynomials without a branch, so that a vector unit works out
//! many deviates at a time. u has 31 bits: no deviate is beyond 6.7. In double precision, which
//! verifies and need not be fast, deviates are drawn one by one.

use std::f64::consts::TAU;

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::Stream;
use super::philox::words;
use crate::arithmetic::simd::vectorised;

/// Counters worked out side by side.
const LANES: usize = 16;

/// Deviates of one block: two pairs a counter.
const BLOCK: usize = 4 * LANES;

/// The steps of u in (0, 1); u is at their centres.
const STEPS: f64 = (1u64 << 31) as f64;

/// Radians of one step of a 32-bit angle.
const ANGLE_STEP: f64 = TAU / (1u64 << 32) as f64;

vectorised! {
    /// Adds `deviation` times the deviates of `key`, in order, to `values`.
    pub(crate) fn add_f32(values: &mut [f32], deviation: f32, key: u64) {
        for (index, chunk) in values.chunks_mut(BLOCK).enumerate() {
            let deviates = block(key, index);
            for (value, deviate) in chunk.iter_mut().zip(deviates.as_flattened()) {
                *value = deviation.mul_add(*deviate, *value);
            }
        }
    }

    /// The same deviates, added to values in double precision.
    pub(crate) fn add_f32_to_f64(values: &mut [f64], deviation: f64, key: u64) {
        for (index, chunk) in values.chunks_mut(BLOCK).enumerate() {
            let deviates = block(key, index);
            for (value, deviate) in chunk.iter_mut().zip(deviates.as_flattened()) {
                *value += deviation * f64::from(*deviate);
            }
        }
    }
}

/// Adds `deviation` times the deviates of `key`, in order, to `values`.
pub(crate) fn add_f64(values: &mut [f64], deviation: f64, key: u64) {
    let mut stream = Stream::seed_from_u64(key);
    for value in values {
        let deviate: f64 = StandardNormal.sample(&mut stream);
        *value += deviation * deviate;
    }
}

#[inline(always)]
fn block(key: u64, index: usize) -> [[f32; LANES]; 4] {
    let mut deviates = [[0.0; LANES]; 4];
    // By index: so the compiler sees that lanes are independent.
    #[allow(clippy::needless_range_loop)]
    for lane in 0..LANES {
        let words = words(key, (index * LANES + lane) as u128);
        for pair in 0..2 {
            let u = ((words[2 * pair] >> 1) as i32 as f32 + 0.5) * (1.0 / STEPS) as f32;
            let radius = (-2.0 * logarithm(u)).sqrt();
            let [cos, sin] = cos_sin(words[2 * pair + 1]);
            deviates[2 * pair][lane] = radius * cos;
            deviates[2 * pair + 1][lane] = radius * sin;
        }
    }
    deviates
}

/// ln u for normal positive u: exponent, and a polynomial in f = m - 1 for the mantissa m in [sqrt
/// 1/2, sqrt 2), within 1e-8.
#[inline(always)]
fn logarithm(u: f32) -> f32 {
    const HALF_ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    // Least squares on Chebyshev points of ln(1 + f) / f.
    const SERIES: [f32; 9] = [
        0.087_439_455,
        -0.143_773_3,
        0.149_490_95,
        -0.165_606_96,
        0.199_569_78,
        -0.250_021_55,
        0.333_341_84,
        -0.499_999_88,
        1.0,
    ];
    let shifted = u.to_bits().wrapping_sub(HALF_ROOT);
    let exponent = (shifted as i32) >> 23;
    let f = f32::from_bits(u.to_bits().wrapping_sub((exponent << 23) as u32)) - 1.0;
    let series = SERIES.into_iter().fold(0.0, |sum: f32, term| sum.mul_add(f, term));
    (exponent as f32).mul_add(std::f32::consts::LN_2, f * series)
}

/// cos and sin of the angle `bits` / 2^32 turns: Taylor series within an eighth of a turn, then
/// quarter turns.
#[inline(always)]
fn cos_sin(bits: u32) -> [f32; 2] {
    // The nearest quarter turn, and what is left of the angle.
    let quarters = bits.wrapping_add(1 << 29) >> 30;
    let left = bits.wrapping_sub(quarters << 30) as i32 as f32 * ANGLE_STEP as f32;
    let square = left * left;
    let series =
        |terms: [f32; 5]| terms.into_iter().fold(0.0, |sum: f32, term| sum.mul_add(square, term));
    let sin = left * series([1.0 / 362_880.0, -1.0 / 5_040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0]);
    let cos = series([1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0]);
    let swap = (quarters & 1) != 0;
    let (x, y) = if swap { (sin, cos) } else { (cos, sin) };
    // Quadrants 1 and 2 have a negative cosine, 2 and 3 a negative sine.
    let cos_sign = (quarters.wrapping_add(1) & 2) << 30;
    let sin_sign = (quarters & 2) << 30;
    [f32::from_bits(x.to_bits() ^ cos_sign), f32::from_bits(y.to_bits() ^ sin_sign)]
}

#[cfg(test)]
mod tests {
    use std::f32::consts::FRAC_1_SQRT_2;

    use super::*;

    fn deviates(key: u64, count: usize) -> Vec<f64> {
        let mut values = vec![0.0f32; count];
        add_f32(&mut values, 1.0, key);
        values.into_iter().map(f64::from).collect()
    }

    /// The same deviates from the same bits by the standard library's functions in double
    /// precision.
    fn reference(key: u64, counter: u128) -> [f64; 4] {
        let words = words(key, counter);
        let pair = |first: u32, second: u32| {
            let radius = (-2.0 * ((f64::from(first >> 1) + 0.5) / STEPS).ln()).sqrt();
            let angle = f64::from(second) * ANGLE_STEP;
            [radius * angle.cos(), radius * angle.sin()]
        };
        let ([a, b], [c, d]) = (pair(words[0], words[1]), pair(words[2], words[3]));
        [a, b, c, d]
    }

    #[test]
    fn deviates_are_those_of_the_formula() {
        for key in (0..500).map(|key| key << 30 | 7) {
            let deviates = deviates(key, 3 * BLOCK);
            for counter in 0..3 * LANES {
                let expected = reference(key, counter as u128);
                for (word, expected_word) in expected.into_iter().enumerate() {
                    let found = deviates[counter / LANES * BLOCK + word * LANES + counter % LANES];
                    // u is rounded to 2^-25 of itself, which moves a radius r by 2^-25 / r at most.
                    let rounding =
                        2f64.powi(-24) / expected[word / 2 * 2].hypot(expected[word / 2 * 2 + 1]);
                    assert!(
                        (found - expected_word).abs() < 2e-6 + rounding,
                        "{found} {expected_word}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_extremes_of_the_radius_and_every_quadrant() {
        for u in [
            0.5f32 / STEPS as f32,
            1e-9,
            1e-3,
            0.5,
            FRAC_1_SQRT_2.next_down(),
            FRAC_1_SQRT_2,
            0.999_999,
            1.0,
        ] {
            let exact = f64::from(u).ln();
            assert!((f64::from(logarithm(u)) - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{u}");
        }
        for step in 0..64u32 {
            let bits = step << 26 | 0x3ff;
            let angle = f64::from(bits) * ANGLE_STEP;
            let [cos, sin] = cos_sin(bits).map(f64::from);
            assert!(
                (cos - angle.cos()).abs() < 2e-7 && (sin - angle.sin()).abs() < 2e-7,
                "{step}: {cos} {sin}"
            );
        }
    }

    #[test]
    fn moments_and_tails_are_those_of_a_normal_deviate() {
        const N: usize = 4_000_000;
        let z = deviates(12, N);
        let n = N as f64;
        let moment = |power: i32| z.iter().map(|z| z.powi(power)).sum::<f64>() / n;
        // The variance of z^p is E z^2p - (E z^p)^2; five standard errors.
        for (power, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (6, 15.0, 10_170.0)]
        {
            let error = 5.0 * (variance / n).sqrt();
            assert!((moment(power) - expected).abs() < error, "moment {power}: {}", moment(power));
        }
        // P(|z| > t), Abramowitz & Stegun table 26.2.
        for (t, probability) in [
            (1.0, 0.317_310_508),
            (2.0, 0.045_500_264),
            (3.0, 0.002_699_796),
            (4.0, 6.334_248e-5),
            (5.0, 5.733e-7),
        ] {
            let beyond = z.iter().filter(|z| z.abs() > t).count() as f64;
            let expected: f64 = n * probability;
            assert!(
                (beyond - expected).abs() < 5.0 * expected.sqrt().max(1.0),
                "beyond {t}: {beyond}, expected {expected}"
            );
        }
    }

    #[test]
    fn streams_and_neighbours_are_uncorrelated() {
        const N: usize = 400_000;
        let (first, second) = (deviates(1, N), deviates(2, N));
        let correlation = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / b.len() as f64
        };
        let error = 5.0 / (N as f64).sqrt();
        assert!(correlation(&first, &second).abs() < error, "neighbouring keys");
        for distance in [1, 2, 16, 32, 48, 64] {
            assert!(correlation(&first, &first[distance..]).abs() < error, "distance {distance}");
        }
    }

    #[test]
    fn values_in_double_precision_get_the_same_deviates() {
        let mut values = vec![1.0; 3 * BLOCK + 5];
        add_f32_to_f64(&mut values, 0.25, 7);
        for (value, deviate) in values.iter().zip(deviates(7, values.len())) {
            assert!((value - 1.0 - 0.25 * deviate).abs() < 1e-15);
        }
    }

    #[test]
    fn a_shorter_slice_gets_the_same_deviates() {
        assert_eq!(deviates(3, 100)[..37], deviates(3, 37)[..]);
    }
}
