//! How the values of arrays are distributed.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::html;
use super::plot::{self, Area, LOOKS, Picture, Style};
use crate::Result;
use crate::arithmetic::Real;
use crate::file::write_text;
use crate::system::System;

/// Bins of a histogram.
const BINS: usize = 40;

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
            caption: format!("{sentence} of each array, as last written"),
            name: kind.replace(' ', "-"),
            arrays,
        }
    };
    let all = kinds.into_iter().map(histogram);
    all.filter(|histogram| !histogram.arrays.is_empty()).collect()
}

impl Histogram {
    /// Draws it into the directory `plots`, as SVG and PNG, and gives the figure of a page.
    ///
    /// # Errors
    /// When it cannot be drawn, or a file cannot be written.
    pub fn write(&self, plots: &Path) -> Result<String> {
        let svg = plot::svg(self)?;
        write_text(&plots.join(format!("{}.svg", self.name)), &svg)?;
        plot::png(self, &plots.join(format!("{}.png", self.name)))?;
        Ok(html::figure(&svg, &self.caption))
    }

    /// The lowest value and the width of a bin.
    fn bins(&self) -> (f64, f64) {
        let values = || {
            self.arrays
                .iter()
                .flat_map(|(_, values)| values.iter().copied())
                .filter(|value| value.is_finite())
        };
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if high > low { (low, (high - low) / BINS as f64) } else { (low - 0.5, 1.0 / BINS as f64) }
    }

    /// The middle of each bin and the percentage of `values` in it.
    fn curve(&self, values: &[f64]) -> Vec<(f64, f64)> {
        let (low, width) = self.bins();
        let mut counts = [0usize; BINS];
        for value in values.iter().filter(|value| value.is_finite()) {
            counts[(((value - low) / width) as usize).min(BINS - 1)] += 1;
        }
        let percent = 100.0 / values.len() as f64;
        counts
            .iter()
            .enumerate()
            .map(|(bin, count)| (low + (bin as f64 + 0.5) * width, *count as f64 * percent))
            .collect()
    }
}

impl Picture for Histogram {
    fn size(&self) -> (u32, u32) {
        (800, 700)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let (low, width) = self.bins();
        let curves: Vec<Vec<(f64, f64)>> =
            self.arrays.iter().map(|(_, values)| self.curve(values)).collect();
        let highest = curves.iter().flatten().map(|(_, percent)| *percent).fold(0.0, f64::max);
        let x = Axis::linear(&self.label, low, low + BINS as f64 * width);
        let y = Axis::linear("Part of the array's values (% a bin)", 0.0, highest);
        let entries: Vec<_> =
            self.arrays.iter().zip(LOOKS).map(|((name, _), look)| (look, name.clone())).collect();
        let rows = plot::legend_rows(area, style, &entries)?;
        let mut chart = plot::axes(area, style, &x, &y, rows.len())?;
        for (points, look) in curves.iter().zip(LOOKS) {
            plot::curve(&mut chart, style, look, points)?;
        }
        plot::legend(area, &chart, style, None, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin() {
        let of = |values: Vec<f64>| Histogram {
            label: String::new(),
            caption: String::new(),
            name: "x".into(),
            arrays: vec![("a".into(), values)],
        };
        let histogram = of((0..1000).map(|k| f64::from(k) / 999.0).collect());
        let curve = histogram.curve(&histogram.arrays[0].1);
        assert!((curve.iter().map(|(_, percent)| percent).sum::<f64>() - 100.0).abs() < 1e-9);
        assert!(curve.iter().all(|(_, percent)| (percent - 2.5).abs() < 0.21), "{curve:?}");
        plot::svg(&histogram).unwrap();
        plot::svg(&of(vec![3.0; 5])).unwrap();
    }
}
