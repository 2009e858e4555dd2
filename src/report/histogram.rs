//! How the values of arrays are distributed.

use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::plot::{self, Area, LOOKS, Picture, Style};
use crate::Result;
use crate::experiment::{Device, Experiment, Precision};
use crate::training::Checkpoint;

/// Bins of a histogram.
const BINS: usize = 40;

/// The distributions of some arrays over the same bins.
pub struct Histogram {
    /// What the values are, with their unit.
    label: String,
    /// What the plot shows.
    pub caption: String,
    /// The file's name, without an extension.
    pub name: &'static str,
    /// Arrays by name, at most as many as there are looks.
    arrays: Vec<(String, Vec<f64>)>,
}

/// The histograms of a run: its weights, and the conductances of its cells where it has any. Empty
/// without the checkpoint.
///
/// # Errors
/// When the checkpoint is damaged.
pub fn histograms(experiment: &Experiment, checkpoint: &Path) -> Result<Vec<Histogram>> {
    if !checkpoint.exists() {
        return Ok(Vec::new());
    }
    let tensors = tensors(experiment, checkpoint)?;
    let named = |prefix: &str, suffix: &str| -> Vec<(String, Vec<f64>)> {
        let chosen = tensors.iter().filter_map(|(name, values)| {
            Some((name.strip_prefix(prefix)?.strip_suffix(suffix)?, values))
        });
        chosen
            .filter(|(_, values)| values.len() > 1)
            .map(|(name, values)| (name.to_owned(), values.clone()))
            .take(LOOKS.len())
            .collect()
    };
    let mut histograms = vec![Histogram {
        label: "Weight".into(),
        caption: "Trained weights of each array".into(),
        name: "weights",
        arrays: named("parameters/", ".weights"),
    }];
    if matches!(experiment.device, Device::Spim(_)) {
        let kinds = ["patterns", "readers", "writers"].iter().flat_map(|kind| {
            let arrays = named("parameters/", &format!(".{kind}")).into_iter();
            arrays.map(move |(name, values)| (format!("{name} {kind}"), values))
        });
        histograms.push(Histogram {
            label: "Pattern value".into(),
            caption: "Trained patterns of each array".into(),
            name: "patterns",
            arrays: kinds.take(LOOKS.len()).collect(),
        });
    }
    if matches!(experiment.device, Device::Crossbar(_)) {
        let both: Vec<(String, Vec<f64>)> = ["plus", "minus"]
            .iter()
            .flat_map(|side| {
                named("machine/", &format!(".cells_{side}"))
                    .into_iter()
                    .map(move |(name, v)| (format!("{name} {side}"), v))
            })
            .collect();
        histograms.push(Histogram {
            label: "Conductance (µS)".into(),
            caption: "Conductances of the cells, as last written".into(),
            name: "conductances",
            arrays: both.into_iter().take(LOOKS.len()).collect(),
        });
    }
    histograms.retain(|histogram| !histogram.arrays.is_empty());
    Ok(histograms)
}

/// The tensors of a checkpoint of whatever precision by name, column by column.
pub(super) fn tensors(experiment: &Experiment, path: &Path) -> Result<Vec<(String, Vec<f64>)>> {
    Ok(match experiment.network.precision {
        Precision::F64 => Checkpoint::<f64>::read(path)?
            .tensors
            .into_iter()
            .map(|(name, m)| (name, m.as_slice().to_vec()))
            .collect(),
        Precision::F32 => {
            let widened =
                |m: nalgebra::DMatrix<f32>| m.iter().map(|value| f64::from(*value)).collect();
            Checkpoint::<f32>::read(path)?
                .tensors
                .into_iter()
                .map(|(name, m)| (name, widened(m)))
                .collect()
        }
    })
}

impl Histogram {
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
            name: "x",
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
