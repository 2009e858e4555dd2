//! Results as people read them: on an axis, in a table, in a line of text.

use super::axis::Axis;
use super::format::{count, duration, joules, percent, time_unit};
use crate::arithmetic::{Span, Statistics};
use crate::study::{Measure, Reads};

/// How a result is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// What it is called, with its unit on plots.
    pub label: String,
    /// The factor from results to an ordinate.
    pub factor: f64,
    span: Span,
    reads: Reads,
}

impl Quantity {
    /// That of the result `name`, whose plots go up to `largest`.
    pub fn of(name: &str, largest: f64) -> Self {
        let measure = Measure::named(name);
        let reads = measure.map_or(Reads::Number, |measure| measure.reads);
        let span = measure.map_or(Span::All, |measure| measure.span);
        let label = measure.map_or_else(|| capitalised(name), |measure| measure.label.to_owned());
        let (factor, unit) = match reads {
            Reads::Percent => (100.0, "%"),
            Reads::Time => {
                let (length, unit) = time_unit(largest);
                (1.0 / length, unit)
            }
            Reads::Energy => (1.0, "J"),
            Reads::Count | Reads::Number => (1.0, ""),
        };
        let label = if unit.is_empty() { label } else { format!("{label} ({unit})") };
        Self { label, factor, span, reads }
    }

    /// Mean and interval on an ordinate.
    pub fn ends(&self, statistics: &Statistics) -> (f64, f64, f64) {
        let Statistics { mean, interval, .. } = *statistics;
        let (low, high) = interval.unwrap_or((mean, mean));
        (self.factor * mean, self.factor * low, self.factor * high)
    }

    /// An axis that shows all of `statistics`.
    pub fn axis<'a>(&self, statistics: impl Iterator<Item = &'a Statistics>) -> Axis {
        let all: Vec<_> = statistics.map(|of| self.ends(of)).collect();
        if self.reads == Reads::Percent {
            return Axis::percent(&self.label, all.iter().flat_map(|(_, low, high)| [*low, *high]));
        }
        let means = || all.iter().map(|(mean, ..)| *mean);
        let (smallest, largest) =
            (means().fold(f64::INFINITY, f64::min), means().fold(0.0, f64::max));
        if self.span == Span::From(0.0) && smallest > 0.0 && largest > 30.0 * smallest {
            // An interval that reaches down to zero has no place on a logarithmic axis.
            let shown =
                all.iter().flat_map(|(mean, low, high)| [*mean, low.max(0.5 * mean), *high]);
            return Axis::spanning(&self.label, shown);
        }
        let low = all.iter().map(|(_, low, _)| *low).fold(f64::INFINITY, f64::min);
        let high = all.iter().map(|(.., high)| *high).fold(f64::NEG_INFINITY, f64::max);
        match self.span {
            Span::Between(..) | Span::UpTo(_) if all.is_empty() => {
                Axis::linear(&self.label, 0.0, 1.0)
            }
            Span::Between(..) | Span::UpTo(_) => {
                let from = if low > 0.0 && low < 0.5 { 0.0 } else { low };
                Axis::linear(&self.label, from, high)
            }
            _ => Axis::spanning(&self.label, [low, high].into_iter().filter(|end| end.is_finite())),
        }
    }
}

/// What the result `name` is called in a table, whose cells have their units.
pub fn title(name: &str) -> String {
    Measure::named(name).map_or_else(|| capitalised(name), |measure| measure.label.to_owned())
}

/// A value of the result `name` with its unit: `94.44 %`, `47 days`, `3.84 million`.
pub fn value(name: &str, value: f64) -> String {
    match Measure::named(name).map(|measure| measure.reads) {
        Some(Reads::Percent) => percent(value),
        Some(Reads::Time) => duration(value),
        Some(Reads::Count) => count(value),
        Some(Reads::Energy) => joules(value),
        Some(Reads::Number) | None => digits(value),
    }
}

/// The 95 % interval of the result `name`: `84.10 to 98.20 %`; none of one value, or where all were
/// the same.
pub fn interval(name: &str, statistics: &Statistics) -> Option<String> {
    let (low, high) = statistics.interval.filter(|(low, high)| low < high)?;
    let (low, high) = (value(name, low), value(name, high));
    let unit = high.rsplit_once(' ').map_or("", |(_, unit)| unit);
    let low = low.strip_suffix(unit).map_or(low.as_str(), str::trim_end);
    Some(format!("{low} to {high}"))
}

/// Four digits of any number.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if (1e-3..1e4).contains(&size) {
        format!("{value:.*}", (3 - size.log10().floor() as i32).clamp(0, 6) as usize)
    } else {
        format!("{value:.3e}")
    }
}

/// A name as a label: words, the first letter large.
fn capitalised(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roots of (m - x)^2 = t^2 s^2/n V(x)/V(m): t = 4.302653 and V = x (1 - x), t = 12.70620 and
    /// V = x.
    #[test]
    fn results_read_as_people_write_them() {
        let (part, time) = (Span::Between(0.0, 1.0), Span::From(0.0));
        let read = |name: &str, values: &[f64], span| {
            let of = Statistics::of(values, span).unwrap();
            (value(name, of.mean), interval(name, &of).unwrap_or_default())
        };
        let told = |mean: &str, interval: &str| (mean.to_owned(), interval.to_owned());
        assert_eq!(
            read("test_accuracy", &[0.75, 1.0, 0.95], part),
            told("90.00 %", "37.09 to 99.28 %")
        );
        assert_eq!(read("test_accuracy", &[0.95], part), told("95.00 %", ""));
        assert_eq!(read("lab_seconds", &[4.085e6, 4.085e6], time), told("47.3 days", ""));
        assert_eq!(
            read("frames", &[2e6, 2.2e6], time),
            told("2.1 million", "1.16 to 3.81 million")
        );
        assert_eq!(read("lab_seconds", &[3000.0, 9000.0], time).0, "100 min");
        assert_eq!(
            Quantity::of("lab_seconds", 4.085e6).label,
            "Laboratory time of training (days)"
        );
        assert_eq!(title("cosine/hidden"), "Cosine to the exact gradient");
    }
}
