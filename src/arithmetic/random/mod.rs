//! Random numbers that do not depend on who asks first.
//!
//! Every random number comes from a stream with a name: the seed, what it is for, and the indices
//! of the thing it is for (array, sample, step...). Two runs with one seed draw the same numbers
//! whatever the number of threads or the order in which samples are visited.
//!
//! ```
//! use equilux::arithmetic::random::Key;
//! use rand::Rng;
//! let read = Key::new(7, "array read").with(3);
//! assert_eq!(read.with(0).stream().next_u64(), read.with(0).stream().next_u64());
//! assert_ne!(read.with(0).stream().next_u64(), read.with(1).stream().next_u64());
//! ```

pub(crate) mod normal;
mod philox;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::arithmetic::Real;

/// The generator behind every stream: xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772).
pub type Stream = Xoshiro256PlusPlus;

/// The name of a stream: a 64-bit digest of the seed, the purpose and any number of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The streams of `seed` that serve `purpose`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        purpose.bytes().fold(Self(mix(seed)), |key, byte| key.with(byte.into()))
    }

    /// The stream of the thing numbered `index`.
    #[must_use]
    pub fn with(self, index: u64) -> Self {
        Self(mix(self.0 ^ mix(index.wrapping_add(0x632b_e59b_d9b4_e019))))
    }

    /// The stream of the thing that has two names.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.with(other.0)
    }

    /// The stream itself, at its beginning.
    pub fn stream(self) -> Stream {
        Stream::seed_from_u64(self.0)
    }

    /// Adds `deviation` times the first standard normal deviates of this stream to `values`: the
    /// way to many deviates at once.
    pub fn add_normals<T: Real>(self, values: &mut [T], deviation: T) {
        T::add_normals(values, deviation, self.0);
    }

    /// The same in double precision, the deviates themselves in single precision: those of an f32, and
    /// as fast.
    pub fn add_single_normals(self, values: &mut [f64], deviation: f64) {
        normal::add_f32_to_f64(values, deviation, self.0);
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every input bit reaches every output
/// bit.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn neighbouring_streams_are_standard_normal_and_uncorrelated() {
        const STREAMS: u64 = 20_000;
        let first =
            |index| -> f64 { StandardNormal.sample(&mut Key::new(1, "test").with(index).stream()) };
        let draws: Vec<f64> = (0..=STREAMS).map(first).collect();
        let n = STREAMS as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|z| z * z).sum::<f64>() / n;
        let correlation = draws.windows(2).map(|z| z[0] * z[1]).sum::<f64>() / n;
        // Standard errors 1, sqrt(2) and 1 over sqrt(n); five of them.
        let error = 5.0 / n.sqrt();
        assert!(mean.abs() < error, "mean {mean}");
        assert!((variance - 1.0).abs() < error * 2f64.sqrt(), "variance {variance}");
        assert!(correlation.abs() < error, "correlation {correlation}");
    }

    #[test]
    fn indices_are_not_interchangeable() {
        let key = Key::new(1, "test");
        assert_ne!(key.with(1).with(2), key.with(2).with(1));
        assert_ne!(Key::new(1, "a"), Key::new(2, "a"));
    }
}
