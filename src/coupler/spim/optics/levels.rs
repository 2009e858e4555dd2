//! Levels: what the controller of a modulator drives for the phases it wants.
//!
//! The controller believes that level g shows the phase psi_g: 2 pi g / 2^b, or what a calibration
//! told it. It drives the level nearest to a phase,
//!
//! ```text
//! g(phi) = argmin_g |psi_g - phi|  modulo a turn
//! ```
//!
//! A value a wants two phases, +arccos(a) and -arccos(a). Evenly spaced levels are rounded so that
//! the two mirror each other, g(-phi) = 2^b - g(phi), halves too: the mean field stays real.

use std::collections::BTreeMap;
use std::f32::consts::FRAC_PI_2;
use std::f64::consts::{PI, TAU};

use crate::arithmetic::simd::vectorised;

/// Cells of the table by which a value finds its pair of levels, for each level of half a turn.
const CELLS_PER_LEVEL: usize = 8;
/// Thresholds closer than this, in radians, are one.
const SAME_ANGLE: f64 = 1e-9;

/// The levels of a modulator, as its controller knows them.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    bits: u32,
    /// The phase of each level, radians.
    phases: Vec<f64>,
    /// Levels by their phase within a turn; empty where they are evenly spaced from 0 on.
    sorted: Vec<(f64, u16)>,
    /// The two colours' levels at each entry, from value 1 to value -1.
    pairs: Vec<[u16; 2]>,
    /// A value that asks for each entry.
    values: Vec<f64>,
    /// The values between which each entry is asked for: from above `bounds[e + 1]` up to
    /// `bounds[e]`.
    bounds: Vec<f64>,
    /// The entry at the upper end of each cell of [-1, 1].
    first: Vec<u32>,
    /// The entry of each pair of levels.
    entries: BTreeMap<[u16; 2], usize>,
}

impl Levels {
    /// Phases that are exact: a modulator of 0 bits.
    pub fn exact() -> Self {
        Self::default().indexed(Vec::new())
    }

    /// Level g shows 2 pi g / 2^`bits`; 0 bits are exact phases.
    pub fn even(bits: u32) -> Self {
        if bits == 0 {
            return Self::exact();
        }
        let (count, half_turn) = (1usize << bits, 1usize << (bits - 1));
        let step = TAU / count as f64;
        let per_radian = half_turn as f64 / PI;
        let phases = (0..count).map(|level| step * level as f64).collect();
        let pairs =
            (0..=half_turn).map(|level| [level as u16, ((count - level) % count) as u16]).collect();
        let values =
            (0..=half_turn).map(|level| (PI * level as f64 / half_turn as f64).cos()).collect();
        let thresholds =
            (0..half_turn).map(|level| ((level as f64 + 0.5) / per_radian).cos()).collect();
        Self { bits, phases, pairs, values, ..Self::default() }.indexed(thresholds)
    }

    /// Levels that show `phases` (radians, one a level of `bits` bits, at least 1), in any order
    /// and over any number of turns.
    pub fn of_phases(bits: u32, phases: Vec<f64>) -> Self {
        let mut sorted: Vec<(f64, u16)> =
            phases.iter().zip(0..).map(|(phase, level)| (phase.rem_euclid(TAU), level)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        // The angles in (0, pi) at which the level of either colour changes.
        let ends = sorted[1..].iter().map(|level| level.0).chain([sorted[0].0 + TAU]);
        let mut angles: Vec<f64> = sorted
            .iter()
            .zip(ends)
            .filter(|(level, end)| *end > level.0)
            .map(|(level, end)| ((level.0 + end) / 2.0).rem_euclid(TAU))
            .map(|middle| if middle > PI { TAU - middle } else { middle })
            .filter(|angle| *angle > 0.0 && *angle < PI)
            .collect();
        angles.sort_by(f64::total_cmp);
        angles.dedup_by(|b, a| *b - *a < SAME_ANGLE);
        let bounds: Vec<f64> =
            [0.0].into_iter().chain(angles.iter().copied()).chain([PI]).collect();
        let (mut pairs, mut values) = (Vec::new(), Vec::new());
        for bounds in bounds.windows(2) {
            let middle = (bounds[0] + bounds[1]) / 2.0;
            let pair = [middle, TAU - middle].map(|phase| nearest(&sorted, phase));
            // What the pair shows best, where that is a value that asks for it.
            let shown = pair.map(|level| phases[usize::from(level)].rem_euclid(TAU));
            let best = (shown[0] + (TAU - shown[1])) / 2.0;
            let inside = best > bounds[0] && best < bounds[1];
            pairs.push(pair);
            values.push(if inside { best } else { middle }.cos());
        }
        let thresholds = angles.iter().map(|angle| angle.cos()).collect();
        Self { bits, phases, sorted, pairs, values, ..Self::default() }.indexed(thresholds)
    }

    /// With the tables by which values and pairs find their entries; from entry e to entry e + 1 the
    /// value falls below `thresholds[e]`.
    fn indexed(self, thresholds: Vec<f64>) -> Self {
        let Self { pairs, .. } = &self;
        let cells = pairs.len().saturating_sub(1).max(1) * CELLS_PER_LEVEL;
        let upper = |cell: usize| (2.0 * (cell + 1) as f64 / cells as f64 - 1.0).min(1.0);
        let entry = |value: f64| thresholds.partition_point(|t| value <= *t) as u32;
        let first = (0..cells).map(|cell| entry(upper(cell))).collect();
        let entries = pairs.iter().copied().zip(0..).collect();
        let upper = [f64::INFINITY].into_iter().chain(thresholds.iter().copied());
        let bounds = upper.chain([f64::NEG_INFINITY]).collect();
        Self { first, entries, bounds, ..self }
    }

    /// Bits of the modulator; 0 for exact phases.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Whether phases are exact.
    pub fn is_exact(&self) -> bool {
        self.bits == 0
    }

    /// How many pairs of levels values ask for.
    pub fn entries(&self) -> usize {
        self.pairs.len()
    }

    /// The entry of the pair that a value asks for; values beyond [-1, 1] are clipped.
    pub fn entry(&self, value: f64) -> usize {
        let value = value.clamp(-1.0, 1.0);
        let cell =
            (((value + 1.0) * 0.5 * self.first.len() as f64) as usize).min(self.first.len() - 1);
        let mut entry = self.first[cell] as usize;
        while value > self.bounds[entry] {
            entry -= 1;
        }
        while value <= self.bounds[entry + 1] {
            entry += 1;
        }
        entry
    }

    /// [`entry`](Self::entry) of `value` times each of `factors`; any entry of what is not a number.
    pub fn entries_of(&self, factors: &[f64], value: f64, entries: &mut [u32]) {
        let even = self.are_even() && !self.is_exact();
        let done = if even { even_entries(entries, factors, value, &self.bounds) } else { 0 };
        for (entry, factor) in entries[done..].iter_mut().zip(&factors[done..]) {
            *entry = self.entry(*factor * value) as u32;
        }
    }

    /// The levels of the two colours at `entry`.
    pub fn pair(&self, entry: usize) -> [u16; 2] {
        self.pairs[entry]
    }

    /// A value that asks for `entry`.
    pub fn value(&self, entry: usize) -> f64 {
        self.values[entry]
    }

    /// The entry of a pair of levels; none where no value asks for it.
    pub fn entry_of(&self, pair: [u16; 2]) -> Option<usize> {
        self.entries.get(&pair).copied()
    }

    /// The level nearest to `phase`, radians.
    pub fn level(&self, phase: f64) -> u16 {
        let phase = phase.rem_euclid(TAU);
        if self.sorted.is_empty() {
            let count = f64::from(1u32 << self.bits);
            return ((phase * (count / TAU)).round() as u32 % (1u32 << self.bits)) as u16;
        }
        nearest(&self.sorted, phase)
    }

    /// The phase of each level, radians.
    pub fn phases(&self) -> &[f64] {
        &self.phases
    }

    /// Whether level g is taken to show 2 pi g / 2^b.
    pub fn are_even(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether opposite values ask for entries that mirror each other, but for values halfway between
    /// two levels. Of one or two bits such values are common: 0, and an eighth of a turn.
    pub fn mirror(&self) -> bool {
        self.are_even() && (self.is_exact() || self.bits > 2)
    }

    /// The largest distance between neighbouring phases.
    pub fn coarseness(&self) -> f64 {
        let Some(first) = self.sorted.first() else { return TAU / f64::from(1u32 << self.bits) };
        let after = self.sorted[1..].iter().map(|level| level.0).chain([first.0 + TAU]);
        self.sorted.iter().zip(after).map(|(level, next)| next - level.0).fold(0.0, f64::max)
    }

    /// The level of a full turn; absent where the phases never reach one.
    pub fn full_turn(&self) -> Option<u32> {
        let [.., before, last] = self.phases[..] else { return None };
        let reached = self.phases.iter().position(|phase| phase.abs() >= TAU - 1e-9);
        let after_last = (2.0 * last - before).abs() >= TAU - 1e-9;
        reached.or(after_last.then_some(self.phases.len())).map(|level| level as u32)
    }
}

/// Entries that are worked out side by side.
const SIDE_BY_SIDE: usize = 16;
/// An angle (radians) that no error of [`even_entries`]'s angles reaches.
const ANGLE_ERROR: f32 = 1e-6;

vectorised! {
    /// The entries of evenly spaced levels that `value` times each of `factors` asks for, between
    /// `bounds`; of all but the last few, says of how many. By a polynomial of the angle in single
    /// precision (Abramowitz & Stegun 4.4.46); where one of those side by side is too near to a
    /// bound for that, all are compared with the bounds.
    fn even_entries(entries: &mut [u32], factors: &[f64], value: f64, bounds: &[f64]) -> usize {
        let last = bounds.len() as u32 - 2;
        let certain = 0.5 - ANGLE_ERROR * (last as f32 / PI as f32);
        let (entries, _) = entries.as_chunks_mut::<SIDE_BY_SIDE>();
        let (factors, _) = factors.as_chunks::<SIDE_BY_SIDE>();
        for (entries, factors) in entries.iter_mut().zip(factors) {
            if guess_entries(entries, factors, value, last, certain) {
                compare_entries(entries, factors, value, bounds);
            }
        }
        entries.len().min(factors.len()) * SIDE_BY_SIDE
    }
}

/// Guesses entries from 0 to `last`; whether any may be one off.
#[inline(always)]
fn guess_entries(
    entries: &mut [u32; SIDE_BY_SIDE],
    factors: &[f64; SIDE_BY_SIDE],
    value: f64,
    last: u32,
    certain: f32,
) -> bool {
    const SERIES: [f32; 8] = [
        -0.001_262_491,
        0.006_670_09,
        -0.017_088_126,
        0.030_891_88,
        -0.050_174_303,
        0.088_978_99,
        -0.214_598_8,
        FRAC_PI_2,
    ];
    const ROUNDER: f32 = (3u32 << 22) as f32;
    let per_radian = last as f32 / PI as f32;
    let (mut sizes, mut missing) = ([0.0; SIDE_BY_SIDE], [0.0; SIDE_BY_SIDE]);
    let mut asked_for = [0.0; SIDE_BY_SIDE];
    for (lane, factor) in factors.iter().enumerate() {
        let asked = *factor * value;
        let size = if asked.abs() < 1.0 { asked.abs() } else { 1.0 };
        // Subtracted in double precision: all digits of small angles.
        (sizes[lane], missing[lane]) = (size as f32, (1.0 - size) as f32);
        asked_for[lane] = asked as f32;
    }
    let mut doubtful = 0;
    for (lane, entry) in entries.iter_mut().enumerate() {
        let series = SERIES.into_iter().fold(0.0f32, |sum, term| sum.mul_add(sizes[lane], term));
        let angle = missing[lane].sqrt() * series;
        let place = (if asked_for[lane] < 0.0 { PI as f32 - angle } else { angle }) * per_radian;
        // Sums with this number are whole, and end on the whole number's bits.
        let whole = place + ROUNDER;
        doubtful |= u32::from((place - (whole - ROUNDER)).abs() > certain);
        let guess = whole.to_bits().wrapping_sub(ROUNDER.to_bits());
        *entry = if guess < last { guess } else { last };
    }
    doubtful != 0
}

/// Moves entries that are one off by the `bounds` between which they are asked for.
#[inline(always)]
fn compare_entries(
    entries: &mut [u32; SIDE_BY_SIDE],
    factors: &[f64; SIDE_BY_SIDE],
    value: f64,
    bounds: &[f64],
) {
    for (entry, factor) in entries.iter_mut().zip(factors) {
        let (asked, at) = (*factor * value, *entry as usize);
        let (upper, lower) = (bounds[at], bounds[at + 1]);
        *entry = *entry + u32::from(asked <= lower) - u32::from(asked > upper);
    }
}

/// The level of `sorted` whose phase is nearest to `phase`, in [0, 2 pi).
fn nearest(sorted: &[(f64, u16)], phase: f64) -> u16 {
    let at = sorted.partition_point(|level| level.0 < phase);
    let count = sorted.len();
    let (below, above) = (sorted[(at + count - 1) % count], sorted[at % count]);
    let distance = |other: f64| (other - phase).abs().min(TAU - (other - phase).abs());
    if distance(below.0) < distance(above.0) { below.1 } else { above.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_the_rounded_phase() {
        for bits in [1, 2, 5, 8, 12] {
            let levels = Levels::even(bits);
            for i in 0..=10_000 {
                let value = f64::from(i) / 5000.0 - 1.0;
                let exact = value.acos() / TAU * f64::from(1u32 << bits);
                let tie = (exact.fract() - 0.5).abs() < 1e-9;
                assert!(
                    tie || levels.entry(value) == exact.round() as usize,
                    "{bits} bits, {value}"
                );
            }
        }
    }

    #[test]
    fn opposite_values_ask_for_mirrored_entries() {
        for bits in [3, 4, 8, 12] {
            let levels = Levels::even(bits);
            assert!(levels.mirror());
            for i in -999..=999 {
                let value = f64::from(i) / 998.7;
                let [one, other] = [value, -value].map(|value| levels.entry(value));
                assert_eq!(one + other, levels.entries() - 1, "{bits} bits, {value}");
            }
        }
    }

    #[test]
    fn entries_side_by_side_are_those_one_by_one() {
        for bits in [1, 2, 5, 8, 12, 16] {
            let levels = Levels::even(bits);
            let thresholds = &levels.bounds[1..levels.bounds.len() - 1];
            let near = thresholds.iter().flat_map(|t| [*t, t.next_up(), t.next_down()]);
            let within = (-1200..=1200).map(|i| f64::from(i) / 1000.0);
            let values: Vec<f64> = near.chain(within).chain([-1.0, 1.0, 0.0, -0.0]).collect();
            for factor in [1.0, -0.7, 0.013, 1.4] {
                let mut entries = vec![0; values.len()];
                levels.entries_of(&values, factor, &mut entries);
                for (value, entry) in values.iter().zip(&entries) {
                    let expected = levels.entry(*value * factor);
                    assert_eq!(expected, *entry as usize, "{bits} bits, {value} times {factor}");
                }
            }
        }
    }

    /// Levels of more bits are halves of ours: whichever way a half goes, both colours go it.
    #[test]
    fn the_two_colours_mirror_each_other() {
        let falling = |bits: u32| {
            let step = TAU / f64::from(1u32 << bits);
            Levels::of_phases(bits, (0..1u32 << bits).map(|g| -step * f64::from(g)).collect())
        };
        for bits in 2..=10 {
            for levels in [Levels::even(bits), falling(bits)] {
                for fine in 0..=1u32 << (bits + 2) {
                    let value = (PI * f64::from(fine) / f64::from(1u32 << (bits + 2))).cos();
                    let [first, second] = levels.pair(levels.entry(value)).map(u32::from);
                    assert_eq!((first + second) % (1 << bits), 0, "{bits} bits: {first} {second}");
                }
            }
        }
    }

    #[test]
    fn every_entry_is_asked_for_by_its_value_and_found_by_its_pair() {
        let curved = |bits: u32, turns: f64| {
            let count = f64::from(1u32 << bits);
            let phase = |g: u32| TAU * turns * (f64::from(g) / count).powf(1.3);
            Levels::of_phases(bits, (0..1u32 << bits).map(phase).collect())
        };
        for levels in [Levels::even(8), Levels::even(1), curved(8, 1.2), curved(4, 0.9)] {
            for entry in 0..levels.entries() {
                assert_eq!(levels.entry(levels.value(entry)), entry);
                assert_eq!(levels.entry_of(levels.pair(entry)), Some(entry));
            }
        }
    }

    #[test]
    fn the_level_driven_is_the_nearest_one() {
        let phase = |g: f64| 7.0 * (g / 64.0).powf(1.2);
        let levels = Levels::of_phases(6, (0..64).map(f64::from).map(phase).collect());
        let apart = |a: f64, b: f64| ((a - b + PI).rem_euclid(TAU) - PI).abs();
        for i in 0..1000 {
            let wanted = TAU * f64::from(i) / 1000.0;
            let error = |level: u16| apart(phase(f64::from(level)), wanted);
            let best = (0..64).map(error).fold(f64::INFINITY, f64::min);
            assert!(error(levels.level(wanted)) <= best + 1e-12, "{wanted}");
            let value = (wanted / 2.0).cos();
            let [first, second] = levels.pair(levels.entry(value));
            for (level, phase) in [(first, wanted / 2.0), (second, TAU - wanted / 2.0)] {
                let at_best = error_of(&levels, phase);
                assert!(apart(levels.phases()[usize::from(level)], phase) <= at_best + 1e-9);
            }
        }
        fn error_of(levels: &Levels, phase: f64) -> f64 {
            let apart = |a: f64| ((a - phase + PI).rem_euclid(TAU) - PI).abs();
            levels.phases().iter().map(|found| apart(*found)).fold(f64::INFINITY, f64::min)
        }
    }
}
