//! Arithmetic on slices, compiled for the vector units of the machine it runs on.
//!
//! [`vectorised!`] compiles one plain loop three times, for any processor, for AVX2 and for
//! AVX-512, and picks at run time. Products and sums are fused only where the code says `mul_add`,
//! so element-wise results have the same bits whichever is picked; without fused instructions (x86
//! before 2013) they are slow.

use crate::arithmetic::Real;

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
                    // SAFETY: this processor has what the function was compiled for.
                    return unsafe { avx512($($argument),*) };
                }
                if $crate::arithmetic::simd::has_avx2() {
                    // SAFETY: as above.
                    return unsafe { avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    )*};
}
pub(crate) use vectorised;

/// Whether the processor has all parts of AVX-512 that [`vectorised!`] compiles for.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as detected;
    detected!("avx512f") && detected!("avx512bw") && detected!("avx512dq") && detected!("avx512vl")
}

/// Whether the processor has AVX2 and fused products.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    use std::arch::is_x86_feature_detected as detected;
    detected!("avx2") && detected!("fma")
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
