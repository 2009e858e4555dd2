//! What an axis covers and where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// The largest over the smallest value from which on a logarithmic axis shows more than a linear
/// one.
const LOGARITHMIC_FROM: f64 = 30.0;
/// About how many ticks an axis gets.
const TICKS: f64 = 6.0;
/// What is left free at both ends of an axis, as a fraction of its length.
const PADDING: f64 = 0.04;

/// Pixels beyond which nothing is told apart: no picture is as large, and the products of two such
/// distances that drawing needs do not wrap.
const FAR_OUTSIDE: i32 = 30_000;

/// One axis: its label with the unit, what it covers, its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What the axis shows, with its unit.
    pub label: String,
    /// The value of each tick, ascending, and what is written there.
    pub ticks: Vec<(f64, String)>,
    logarithmic: bool,
    /// The values it covers, or their decimal logarithms.
    span: Range<f64>,
}

impl Axis {
    /// From `low` to `high` at least, with some room at both ends, ticks at multiples of 1, 2 or 5
    /// times a power of ten.
    pub fn linear(label: &str, low: f64, high: f64) -> Self {
        Self::with_smallest_step(label, low, high, 0.0)
    }

    /// A linear axis of whole numbers, such as epochs.
    pub fn whole(label: &str, low: usize, high: usize) -> Self {
        Self::with_smallest_step(label, low as f64, high as f64, 1.0)
    }

    /// An axis that shows all of `values` (finite, below 1e300): logarithmic where they are
    /// positive and span more than a factor of thirty, else linear, and from zero unless that would
    /// flatten the curve. Without values it goes from 0 to 1.
    pub fn spanning(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let Some((low, high)) = extremes(values) else { return Self::linear(label, 0.0, 1.0) };
        if low > 0.0 && high / low > LOGARITHMIC_FROM {
            Self::logarithmic(label, low, high)
        } else if low > 0.0 && low < 0.5 * high {
            Self::linear(label, 0.0, high)
        } else {
            Self::linear(label, low, high)
        }
    }

    /// From 0 to 100 %, or from just below the lowest of `percentages` where all are above 40 %.
    pub fn percent(label: &str, percentages: impl Iterator<Item = f64>) -> Self {
        let lowest = percentages.fold(100.0, f64::min);
        Self::linear(label, if lowest > 40.0 { lowest.min(99.0) } else { 0.0 }, 100.0)
    }

    /// The lowest value it covers.
    pub fn lowest(&self) -> f64 {
        self.range().start
    }

    /// The highest value it covers.
    pub fn highest(&self) -> f64 {
        self.range().end
    }

    /// One place for each of `names`, at equal distances: 0, 1, 2...
    pub fn ordinal(label: &str, names: &[String]) -> Self {
        let ticks =
            names.iter().enumerate().map(|(place, name)| (place as f64, name.clone())).collect();
        Self {
            label: label.to_owned(),
            ticks,
            logarithmic: false,
            span: -0.5..names.len() as f64 - 0.5,
        }
    }

    fn with_smallest_step(label: &str, low: f64, high: f64, smallest_step: f64) -> Self {
        let (low, high) = widened(low, high, smallest_step);
        let padding = PADDING * (high - low);
        let step = nice_step(high - low).max(smallest_step);
        // a tick may lie in the room at the ends, but no tick is put beyond the values by rounding
        let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
        let ticks = (0..=(last - first).max(0.0) as usize).map(|k| (first + k as f64) * step);
        let ticks = ticks.map(|at| (at, number(at, step))).collect();
        Self {
            label: label.to_owned(),
            ticks,
            logarithmic: false,
            span: low - padding..high + padding,
        }
    }

    fn logarithmic(label: &str, low: f64, high: f64) -> Self {
        let (low, high) = (low.log10(), high.log10());
        let padding = PADDING * (high - low);
        let span = low - padding..high + padding;
        let decades = span.start.floor() as i32..=span.end.ceil() as i32;
        let multiples: &[f64] = if high - low < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = ((high - low) / TICKS).ceil() as i32;
        let ticks = decades.filter(|decade| decade.rem_euclid(every) == 0).flat_map(|decade| {
            let power = 10f64.powi(decade);
            multiples
                .iter()
                .map(move |multiple| (multiple * power, number(multiple * power, power)))
        });
        let ticks = ticks.filter(|(at, _)| span.contains(&at.log10())).collect();
        Self { label: label.to_owned(), ticks, logarithmic: true, span }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let place = if self.logarithmic { value.log10() } else { *value };
        let fraction = (place - self.span.start) / (self.span.end - self.span.start);
        let pixels = (fraction * f64::from(limit.1 - limit.0)).round() as i32;
        limit.0 + pixels.clamp(-FAR_OUTSIDE, FAR_OUTSIDE)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.iter().map(|(at, _)| *at).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        if self.logarithmic {
            10f64.powf(self.span.start)..10f64.powf(self.span.end)
        } else {
            self.span.clone()
        }
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks
            .iter()
            .find(|(at, _)| at == value)
            .map(|(_, text)| text.clone())
            .unwrap_or_default()
    }
}

/// The smallest and the largest of `values`.
fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// `low` and `high`, moved apart where they (nearly) coincide.
fn widened(low: f64, high: f64, smallest_step: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > 1e-9 * size {
        (low, high)
    } else {
        let room = if smallest_step > 0.0 {
            0.5 * smallest_step
        } else if size > 0.0 {
            0.1 * size
        } else {
            1.0
        };
        (low - room, high + room)
    }
}

/// 1, 2 or 5 times a power of ten, such that about [`TICKS`] of it make `length`.
pub(super) fn nice_step(length: f64) -> f64 {
    let rough = length / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    // the geometric means of neighbours are where the one becomes the nearer
    let multiple = match rough / power {
        m if m < 2f64.sqrt() => 1.0,
        m if m < 10f64.sqrt() => 2.0,
        m if m < 50f64.sqrt() => 5.0,
        _ => 10.0,
    };
    multiple * power
}

/// `value`, a multiple of `step`, with as many digits as tell it from its neighbours.
fn number(value: f64, step: f64) -> String {
    let last_digit = (step.log10() + 1e-9).floor() as i32;
    if value.abs() < 0.5 * step {
        return "0".to_owned();
    }
    let first_digit = value.abs().log10().floor() as i32;
    if last_digit < -4 || first_digit > 5 {
        format!("{value:.*e}", (first_digit - last_digit).max(0) as usize)
    } else {
        format!("{value:.*}", (-last_digit).max(0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(labels(&Axis::linear("", 0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            labels(&Axis::linear("", 88.0, 100.0)),
            ["88", "90", "92", "94", "96", "98", "100"]
        );
        assert_eq!(
            labels(&Axis::linear("", 1e-6, 3e-6)),
            ["1.0e-6", "1.5e-6", "2.0e-6", "2.5e-6", "3.0e-6"]
        );
        assert_eq!(
            labels(&Axis::linear("", -3e7, 3e7)),
            ["-3e7", "-2e7", "-1e7", "0", "1e7", "2e7", "3e7"]
        );
    }

    #[test]
    fn whole_numbers_have_whole_ticks() {
        assert_eq!(labels(&Axis::whole("", 1, 1)), ["1"]);
        assert_eq!(labels(&Axis::whole("", 1, 3)), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::whole("", 1, 300)), ["50", "100", "150", "200", "250", "300"]);
    }

    #[test]
    fn wide_spans_become_logarithmic() {
        let axis = Axis::spanning("", [0.5, 0.011].into_iter());
        assert!(axis.logarithmic);
        assert_eq!(labels(&axis), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]);
        let axis = Axis::spanning("", [1e-12, 1.0].into_iter());
        assert!(axis.ticks.len() >= 4 && axis.ticks.len() <= 8, "{axis:?}");
        assert!(!Axis::spanning("", [0.0, 1.0].into_iter()).logarithmic);
    }

    #[test]
    fn accuracies_above_40_percent_are_zoomed_in() {
        assert!(Axis::percent("", [85.0, 97.0].into_iter()).range().start > 80.0);
        assert!(Axis::percent("", [30.0, 97.0].into_iter()).range().start < 0.0);
        assert!(Axis::percent("", [100.0].into_iter()).range().start < 99.0);
    }

    #[test]
    fn no_span_is_no_obstacle() {
        for values in [
            vec![],
            vec![0.0],
            vec![0.3, 0.3],
            vec![-5.0],
            vec![1e299, -1e299],
            vec![0.1, 0.1 + 1e-16],
        ] {
            let axis = Axis::spanning("", values.iter().copied());
            assert!(!axis.ticks.is_empty() && axis.ticks.len() < 12, "{values:?}: {axis:?}");
            assert!(values.iter().all(|v| axis.range().contains(v)), "{values:?}: {axis:?}");
        }
    }
}
