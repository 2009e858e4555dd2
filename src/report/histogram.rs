//! How the values of arrays are distributed.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::canvas::{self, Paper};
use super::html;
use super::plot::{self, Area, LOOKS, Look, Picture, Style};
use crate::Result;
use crate::arithmetic::Real;
use crate::system::System;

/// Bins of a histogram at most.
const BINS: usize = 40;
/// Up to so many different values have a column each in place of bins.
const FEW: usize = 16;

/// Numbers of arrays, by their names.
type Arrays = Vec<(String, Vec<f64>)>;

/// The distributions of some arrays over the same bins.
pub struct Histogram {
    /// What the values are, with their unit.
    label: String,
    /// What the plot shows.
    caption: String,
    /// The file's name, without an extension.
    name: String,
    /// Arrays by name, at most as many as there are looks.
    arrays: Arrays,
    /// What the values are parts of.
    of: &'static str,
    /// Where a line is drawn.
    mark: Option<f64>,
}

/// The histograms of a machine: of its parameters, and of what its hardware holds beyond them; one
/// for each kind of numbers, with a curve for each array.
pub fn histograms<T: Real>(system: &dyn System<T>) -> Vec<Histogram> {
    let mut kinds: BTreeMap<(String, &str), Arrays> = BTreeMap::new();
    for parameter in system.parameters() {
        let (array, kind) = parameter.name.rsplit_once('.').unwrap_or(("", &parameter.name));
        let values = parameter.values.iter().map(|value| value.f64()).collect();
        let kind = (kind.replace('_', " "), "1");
        kinds.entry(kind).or_default().push((array.to_owned(), values));
    }
    for (array, quantity) in system.quantities() {
        let kind = (quantity.name, quantity.unit);
        kinds.entry(kind).or_default().push((array, quantity.values));
    }
    let histogram = |((kind, unit), mut arrays): ((String, &str), Arrays)| {
        arrays.retain(|(_, values)| values.len() > 1);
        arrays.truncate(LOOKS.len());
        let upper: String = kind.chars().take(1).flat_map(char::to_uppercase).collect();
        let sentence = upper + kind.get(1..).unwrap_or_default();
        let unit = if unit == "uS" { "µS" } else { unit };
        Histogram {
            label: if unit == "1" { sentence.clone() } else { format!("{sentence} ({unit})") },
            caption: match arrays.len() {
                1 => format!("{sentence}, as last written"),
                _ => format!("{sentence} of each array, as last written"),
            },
            name: kind.replace(' ', "-"),
            arrays,
            of: "the array's values",
            mark: None,
        }
    };
    let all = kinds.into_iter().map(histogram);
    all.filter(|histogram| !histogram.arrays.is_empty()).collect()
}

impl Histogram {
    /// That of the results of runs, by what they have in common; a line is drawn at `mark`.
    pub fn of_runs(label: String, groups: Arrays, mark: Option<f64>) -> Self {
        let name = "distribution".to_owned();
        Self { label, caption: String::new(), name, arrays: groups, of: "the runs", mark }
    }

    /// Draws it into the directory `plots`, as SVG and PNG, and gives the figure of a page.
    ///
    /// # Errors
    /// When it cannot be drawn, or a file cannot be written.
    pub fn write(&self, plots: &Path, paper: Paper) -> Result<String> {
        let svg = canvas::write(self, plots, &self.name, paper)?;
        Ok(html::figure(&svg, &self.caption))
    }

    /// The values there are, where they are few.
    fn distinct(&self) -> Option<Vec<f64>> {
        let mut distinct: Vec<f64> = Vec::new();
        for value in self.arrays.iter().flat_map(|(_, values)| values) {
            if let Err(place) = distinct.binary_search_by(|known| known.total_cmp(value)) {
                if distinct.len() == FEW || !value.is_finite() {
                    return None;
                }
                distinct.insert(place, *value);
            }
        }
        let many = |(_, values): &(String, Vec<f64>)| values.len() > 4 * distinct.len();
        (distinct.len() > 1 && self.arrays.iter().any(many)).then_some(distinct)
    }

    /// The lowest value, the width of a bin, and how many there are: fewer of fewer values.
    fn bins(&self) -> (f64, f64, usize) {
        let values = || {
            self.arrays
                .iter()
                .flat_map(|(_, values)| values.iter().copied())
                .filter(|value| value.is_finite())
        };
        let most = self.arrays.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        let bins = (2.0 * (most as f64).sqrt()).round().clamp(5.0, BINS as f64) as usize;
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let (low, width) = if high > low { (low, high - low) } else { (low - 0.5, 1.0) };
        (low, width / bins as f64, bins)
    }

    /// The percentage of `values` in each bin.
    fn percentages(&self, values: &[f64]) -> Vec<f64> {
        let (low, width, bins) = self.bins();
        let mut counts = vec![0usize; bins];
        for value in values.iter().filter(|value| value.is_finite()) {
            counts[(((value - low) / width) as usize).min(bins - 1)] += 1;
        }
        let percent = 100.0 / values.len() as f64;
        counts.iter().map(|count| *count as f64 * percent).collect()
    }

    /// What stands at each abscissa, array by array: columns between two, with their heights.
    fn columns(&self) -> Vec<Vec<(f64, f64, f64)>> {
        let Some(distinct) = self.distinct() else {
            let (low, width, _) = self.bins();
            let columns = |(_, values): &(String, Vec<f64>)| {
                let edge = |bin: usize| low + bin as f64 * width;
                let parts = self.percentages(values).into_iter().enumerate();
                parts.map(|(bin, part)| (edge(bin), edge(bin + 1), part)).collect()
            };
            return self.arrays.iter().map(columns).collect();
        };
        let apart = distinct.windows(2).map(|two| two[1] - two[0]).fold(f64::INFINITY, f64::min);
        let width = 0.6 * apart / self.arrays.len() as f64;
        let columns = |(index, (_, values)): (usize, &(String, Vec<f64>))| {
            let shift = (index as f64 - 0.5 * self.arrays.len() as f64) * width;
            let column = |at: &f64| {
                let count = values.iter().filter(|value| *value == at).count();
                (at + shift, at + shift + width, 100.0 * count as f64 / values.len() as f64)
            };
            distinct.iter().map(column).collect()
        };
        self.arrays.iter().enumerate().map(columns).collect()
    }
}

impl Picture for Histogram {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 7 / 8)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let columns = self.columns();
        let all = || columns.iter().flatten();
        let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), column| {
            (low.min(column.0), high.max(column.1))
        });
        let highest = all().map(|(.., part)| *part).fold(0.0, f64::max);
        let marked = self.mark.unwrap_or(low);
        let x = Axis::linear(&self.label, low.min(marked), high.max(marked));
        let few = self.distinct().is_some();
        let unit = if few { "%" } else { "% a bin" };
        let y = Axis::linear(&format!("Part of {} ({unit})", self.of), 0.0, highest);
        let named = |((name, _), look): (&(String, Vec<f64>), Look)| (look, name.clone());
        // Outlines that lie over each other have dashes; columns hide nothing where there is one array.
        let solid = few || columns.len() == 1;
        let looks = LOOKS.map(|look| if solid { look } else { look.of_points(usize::MAX) });
        let entries: Vec<_> = self.arrays.iter().zip(looks).map(named).collect();
        let entries = if entries.len() > 1 { entries } else { Vec::new() };
        let rows = plot::legend_rows(area, style, &entries)?;
        let chart = plot::axes(area, style, &x, &y, rows.len())?;
        for (columns, look) in columns.iter().zip(looks) {
            if solid {
                for (left, right, top) in columns {
                    plot::column(&chart, look, (*left, *right), *top)?;
                }
                continue;
            }
            let tops =
                columns.iter().flat_map(|(left, right, top)| [(*left, *top), (*right, *top)]);
            let ends = columns.first().zip(columns.last());
            let ends = ends.map(|(first, last)| ((first.0, 0.0), (last.1, 0.0)));
            let outline: Vec<_> = ends
                .map(|(first, _)| first)
                .into_iter()
                .chain(tops)
                .chain(ends.map(|(_, last)| last))
                .collect();
            plot::curve(&chart, style, look, &outline)?;
        }
        if let Some(mark) = self.mark {
            plot::vertical_line(&chart, style, mark, (0.0, highest))?;
        }
        plot::legend(area, &chart, style, None, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin() {
        let of = |values: Vec<f64>| {
            Histogram::of_runs(String::new(), vec![("a".into(), values)], Some(2.0))
        };
        let histogram = of((0..1000).map(|k| f64::from(k) / 999.0).collect());
        let parts = histogram.percentages(&histogram.arrays[0].1);
        assert!((parts.iter().sum::<f64>() - 100.0).abs() < 1e-9);
        assert!(parts.iter().all(|percent| (percent - 2.5).abs() < 0.21), "{parts:?}");
        for values in [vec![3.0; 5], vec![f64::NAN, 1.0], (0..90).map(f64::from).collect()] {
            canvas::svg(&of(values), Paper::default()).unwrap();
        }
    }

    #[test]
    fn few_values_have_a_column_each() {
        let values = [-1.0, 1.0, 1.0, 1.0].repeat(10);
        let arrays = vec![("a".into(), values), ("b".into(), vec![1.0; 12])];
        let histogram = Histogram::of_runs(String::new(), arrays, None);
        let heights: Vec<Vec<f64>> =
            histogram.columns().iter().map(|of| of.iter().map(|c| c.2).collect()).collect();
        assert_eq!(heights, [[25.0, 75.0], [0.0, 100.0]]);
        // Beside each other, about their value.
        let at = |array: usize| histogram.columns()[array][1];
        assert!(at(0).0 < 1.0 && (at(0).1 - 1.0).abs() < 1e-12 && at(1).1 > 1.0);
    }
}
