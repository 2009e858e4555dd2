//! Arithmetic on slices, compiled for the vector units of the machine it runs on.
//!
//! [`vectorised!`] compiles one plain loop three times, for any processor, for AVX2 and for
//! AVX-512, and picks at run time. Products and sums are fused only where the code says `mul_add`,
//! so element-wise results have the same bits whichever is picked; without fused instructions (x86
//! before 2013) they are slow. `EQUILUX_VECTORS` picks a narrower [`Unit`] than there is, so that one
//! machine can test all three.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::arithmetic::Real;
use crate::{Error, Result};

/// Defines functions whose body is also compiled for wider vector units, and chosen between at run
/// time.
macro_rules! vectorised {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident $(<$generic:ident: $bound:path>)? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        $visibility fn $name $(<$generic: $bound>)? ($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body $(<$generic: $bound>)? ($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512 $(<$generic: $bound>)? ($($argument: $type),*) $(-> $result)? {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$generic: $bound>)? ($($argument: $type),*) $(-> $result)? {
                    body($($argument),*)
                }
                if $crate::arithmetic::simd::has_avx512() {
                    // SAFETY: the function is safe but for what it was compiled for, and `has_avx512`
                    // says no more than what was detected of this processor.
                    return unsafe { avx512($($argument),*) };
                }
                if $crate::arithmetic::simd::has_avx2() {
                    // SAFETY: as above, with `has_avx2`.
                    return unsafe { avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    )*};
}
pub(crate) use vectorised;

/// The vector unit that loops are run on.
static WIDEST: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = u8::MAX;

/// The environment variable that asks for a narrower unit than there is.
const VARIABLE: &str = "EQUILUX_VECTORS";

/// A vector unit, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// What every processor of its family has. On x86 products and sums of matrices are not fused.
    Portable,
    /// AVX2 and fused products, of x86.
    Avx2,
    /// AVX-512 F, BW, DQ and VL, of x86.
    Avx512,
}

/// All units with their names, narrowest first.
const UNITS: [(Unit, &str); 3] =
    [(Unit::Portable, "portable"), (Unit::Avx2, "avx2"), (Unit::Avx512, "avx512")];

impl Unit {
    /// What it is called in `EQUILUX_VECTORS`.
    pub fn name(self) -> &'static str {
        UNITS[self as usize].1
    }

    /// The widest that this processor has.
    pub fn of_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as detected;
            // Each is what the functions of `vectorised!` and of products are compiled for.
            let avx2 = detected!("avx2") && detected!("fma");
            let avx512 = detected!("avx512f")
                && detected!("avx512bw")
                && detected!("avx512dq")
                && detected!("avx512vl");
            if avx512 && avx2 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// The one that is computed with: the widest that this processor has, or the narrower one that
    /// the environment variable `EQUILUX_VECTORS` names.
    ///
    /// # Errors
    /// When that names none, or one that this processor has not. Computing goes on with the widest.
    pub fn asked() -> Result<Self> {
        let widest = Self::of_processor();
        let Some(asked) = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty()) else {
            return Ok(widest);
        };
        let asked = asked.to_string_lossy();
        let have: Vec<&str> =
            UNITS.iter().filter(|(unit, _)| *unit <= widest).map(|(_, name)| *name).collect();
        match UNITS.iter().find(|(unit, name)| *name == asked && *unit <= widest) {
            Some((unit, _)) => Ok(*unit),
            None => {
                let have = have.join(", ");
                let message = format!("{VARIABLE}={asked}: expected one that is here: {have}");
                Err(Error::input(message))
            }
        }
    }
}

/// The unit that is computed with; asked once a process.
#[inline]
fn current() -> u8 {
    match WIDEST.load(Ordering::Relaxed) {
        UNKNOWN => find(),
        unit => unit,
    }
}

#[cold]
fn find() -> u8 {
    let unit = Unit::asked().unwrap_or_else(|_| Unit::of_processor()) as u8;
    WIDEST.store(unit, Ordering::Relaxed);
    unit
}

/// Whether to compute with AVX-512, which this processor then has.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    current() == Unit::Avx512 as u8
}

/// Whether to compute with AVX2 and fused products, which this processor then has; it has those too
/// where it has AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    current() >= Unit::Avx2 as u8
}

/// Numbers that are compared or added side by side.
const SIDE_BY_SIDE: usize = 32;

vectorised! {
    /// y <- y + a x.
    pub(crate) fn add_scaled<T: Real>(y: &mut [T], a: T, x: &[T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += a * *x;
        }
    }

    /// y <- y + x.
    pub(crate) fn add<T: Real>(y: &mut [T], x: &[T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += *x;
        }
    }

    /// y <- y x.
    pub(crate) fn multiply<T: Real>(y: &mut [T], x: &[T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y *= *x;
        }
    }

    /// y <- a y.
    pub(crate) fn scale<T: Real>(y: &mut [T], a: T) {
        for y in y {
            *y *= a;
        }
    }

    /// Moves what is beyond `low` or `high` there.
    pub(crate) fn clamp<T: Real>(y: &mut [T], low: T, high: T) {
        for y in y {
            let raised = if *y < low { low } else { *y };
            *y = if raised > high { high } else { raised };
        }
    }

    /// Whether all numbers of `x` are from `low` to `high`.
    pub(crate) fn all_within<T: Real>(x: &[T], low: T, high: T) -> bool {
        side_by_side(x, |x| if x >= low && x <= high { T::zero() } else { T::one() }, |any, x| if x > any { x } else { any }) == T::zero()
    }

    /// The sum of the squares of `x`, in an order of its own.
    pub(crate) fn sum_of_squares<T: Real>(x: &[T]) -> T {
        side_by_side(x, |x| x * x, |sum, x| sum + x)
    }

    /// The largest magnitude in `x`; infinite if any number is not finite.
    pub(crate) fn largest<T: Real>(x: &[T]) -> T {
        let (most, infinite) = (T::max_value().unwrap_or(T::one()), T::of(f64::INFINITY));
        side_by_side(x, |x| if x.abs() <= most { x.abs() } else { infinite }, |largest, x| if x > largest { x } else { largest })
    }
}

/// `combine`s what `map` makes of the numbers of `x`: `SIDE_BY_SIDE` chains, zeros after the last
/// number, and then chain with chain.
#[inline(always)]
fn side_by_side<T: Real>(x: &[T], map: impl Fn(T) -> T, combine: impl Fn(T, T) -> T) -> T {
    let mut chains = [T::zero(); SIDE_BY_SIDE];
    let mut take = |chunk: &[T; SIDE_BY_SIDE]| {
        for (chain, x) in chains.iter_mut().zip(chunk) {
            *chain = combine(*chain, map(*x));
        }
    };
    let (chunks, rest) = x.as_chunks::<SIDE_BY_SIDE>();
    chunks.iter().for_each(&mut take);
    if !rest.is_empty() {
        let mut last = [T::zero(); SIDE_BY_SIDE];
        last[..rest.len()].copy_from_slice(rest);
        take(&last);
    }
    let mut width = SIDE_BY_SIDE;
    while width > 1 {
        width /= 2;
        let (low, high) = chains.split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = combine(*low, *high));
    }
    chains[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_magnitude_is_found_wherever_it_is() {
        for length in [0, 1, 31, 32, 33, 100] {
            for place in 0..length {
                let mut x = vec![0.5f32; length];
                x[place] = -2.0;
                assert_eq!(largest(&x), 2.0);
                x[place] = f32::NAN;
                assert_eq!(largest(&x), f32::INFINITY);
                x[place] = f32::NEG_INFINITY;
                assert_eq!(largest(&x), f32::INFINITY);
            }
        }
        assert_eq!(largest::<f64>(&[]), 0.0);
        assert!(all_within(&[0.0, 0.5, 1.0], 0.0, 1.0) && all_within::<f32>(&[], 1.0, 2.0));
        for outside in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(!all_within(&[0.5, outside], 0.0, 1.0));
        }
    }

    #[test]
    fn loops_do_what_they_say() {
        let mut y = vec![1.0, 2.0, 3.0];
        add_scaled(&mut y, 2.0, &[1.0, 0.5, 0.0]);
        add(&mut y, &[1.0, 1.0, 1.0]);
        multiply(&mut y, &[1.0, 2.0, 3.0]);
        scale(&mut y, 0.5);
        assert_eq!(y, [2.0, 4.0, 6.0]);
        clamp(&mut y, 3.0, 5.0);
        assert_eq!(y, [3.0, 4.0, 5.0]);
        let ramp: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(sum_of_squares(&ramp), 338_350.0);
    }
}
