//! Cost and accuracy against the epoch.

use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::plot::{self, Area, LOOKS, Look, Picture, Style};
use crate::training::EpochMetrics;
use crate::{Error, Result};

const TRAIN: Look = LOOKS[0];
const TEST: Look = LOOKS[1];
const VALIDATION: Look = LOOKS[2];

/// The learning curves of a run as the text of an SVG file: training cost on the left, accuracies
/// on the right.
///
/// A value that is not finite interrupts its curve. Errors without epochs.
pub fn learning_curves(metrics: &[EpochMetrics], title: &str) -> Result<String> {
    plot::svg(&LearningCurves::new(metrics, title)?)
}

/// Writes the picture of [`learning_curves`] to `path` as a PNG of 1600 x 900 pixels.
pub fn learning_curves_png(metrics: &[EpochMetrics], title: &str, path: &Path) -> Result<()> {
    plot::png(&LearningCurves::new(metrics, title)?, path)
}

/// The two panels of the learning curves as pictures of their own, for pages that arrange them to
/// their width.
pub(super) fn panels(metrics: &[EpochMetrics]) -> Result<[String; 2]> {
    Ok([plot::svg(&CostPanel(metrics))?, plot::svg(&AccuracyPanel(metrics))?])
}

struct LearningCurves<'a> {
    metrics: &'a [EpochMetrics],
    title: &'a str,
}

impl<'a> LearningCurves<'a> {
    fn new(metrics: &'a [EpochMetrics], title: &'a str) -> Result<Self> {
        if metrics.is_empty() {
            return Err(Error::input(
                "learning curves need at least one epoch of training, there is none",
            ));
        }
        Ok(Self { metrics, title })
    }
}

impl Picture for LearningCurves<'_> {
    fn size(&self) -> (u32, u32) {
        (1600, 900)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let rest = plot::title(area, style, self.title)?;
        let (left, right) = rest.split_horizontally(style.pixels(800));
        CostPanel(self.metrics).draw(&left, style)?;
        AccuracyPanel(self.metrics).draw(&right, style)
    }
}

/// The training cost against the epoch.
struct CostPanel<'a>(&'a [EpochMetrics]);

impl Picture for CostPanel<'_> {
    fn size(&self) -> (u32, u32) {
        (800, 700)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let costs =
            Series { name: "train", look: TRAIN, points: points(self.0, |m| Some(m.train_cost)) };
        let y = Axis::spanning("Mean cost per sample (dimensionless)", costs.values());
        draw_panel(area, style, self.0, &y, &[costs])
    }
}

/// The accuracies against the epoch.
struct AccuracyPanel<'a>(&'a [EpochMetrics]);

impl Picture for AccuracyPanel<'_> {
    fn size(&self) -> (u32, u32) {
        (800, 700)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let percent = |fraction: f64| 100.0 * fraction;
        let mut series = vec![
            Series {
                name: "train",
                look: TRAIN,
                points: points(self.0, |m| Some(percent(m.train_accuracy))),
            },
            Series {
                name: "validation",
                look: VALIDATION,
                points: points(self.0, |m| m.validation_accuracy.map(percent)),
            },
            Series {
                name: "test",
                look: TEST,
                points: points(self.0, |m| Some(percent(m.test_accuracy))),
            },
        ];
        series.retain(|s| !s.points.is_empty());
        let y = Axis::percent("Accuracy (%)", series.iter().flat_map(|s| s.values()));
        draw_panel(area, style, self.0, &y, &series)
    }
}

/// One curve of a panel.
struct Series {
    name: &'static str,
    look: Look,
    /// Epochs and values; NaN for values that cannot be drawn.
    points: Vec<(f64, f64)>,
}

impl Series {
    /// The values that can be drawn.
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite())
    }

    /// The name, and how many points are missing.
    fn label(&self) -> String {
        match self.points.len() - self.values().count() {
            0 => self.name.to_owned(),
            missing => format!("{} ({missing} not finite)", self.name),
        }
    }
}

/// `value` against the epoch, for the epochs that have it.
fn points(
    metrics: &[EpochMetrics],
    value: impl Fn(&EpochMetrics) -> Option<f64>,
) -> Vec<(f64, f64)> {
    // coordinates beyond this would overflow
    let drawable = |value: f64| if value.abs() < 1e300 { value } else { f64::NAN };
    metrics.iter().filter_map(|m| value(m).map(|v| (m.epoch as f64, drawable(v)))).collect()
}

fn draw_panel<DB: DrawingBackend>(
    area: &Area<DB>,
    style: Style,
    metrics: &[EpochMetrics],
    y: &Axis,
    series: &[Series],
) -> Result<()> {
    let epochs = || metrics.iter().map(|m| m.epoch);
    let x = Axis::whole("Epoch", epochs().min().unwrap_or(0), epochs().max().unwrap_or(1));
    let entries: Vec<_> = series.iter().map(|s| (s.look, s.label())).collect();
    let rows = plot::legend_rows(area, style, &entries)?;
    let mut chart = plot::axes(area, style, &x, y, rows.len())?;
    for one in series {
        plot::curve(&mut chart, style, one.look, &one.points)?;
    }
    plot::legend(area, &chart, style, None, &rows)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run of `epochs` epochs that goes well.
    pub fn plausible(epochs: usize, validation: bool) -> Vec<EpochMetrics> {
        let row = |epoch: usize| {
            let (t, wiggle) = (epoch as f64, (epoch as f64 * 1.7).sin());
            EpochMetrics {
                epoch,
                rate_factor: 1.0,
                train_cost: 0.45 * (-t / 8.0).exp() + 0.02 + 0.002 * wiggle,
                train_accuracy: 0.985 - 0.13 * (-t / 9.0).exp(),
                validation_accuracy: validation
                    .then(|| 0.962 - 0.11 * (-t / 7.0).exp() + 0.002 * wiggle),
                test_accuracy: 0.957 - 0.12 * (-t / 7.0).exp() + 0.003 * wiggle,
                unsettled: epoch % 3,
                left: 0,
                truncated: 0,
                test_unsettled: 0,
                test_truncated: 0,
                inference_steps: 7.5,
                frames: 240_000 * epoch as u64,
                conversions: 188_160_000 * epoch as u64,
                lab_seconds: 1340.0 * t,
                non_reciprocity: None,
            }
        };
        (1..=epochs).map(row).collect()
    }

    #[test]
    fn axes_have_labels_with_units() {
        let svg = learning_curves(&plausible(40, true), "digits <& more>").unwrap();
        for text in [
            "Epoch",
            "Mean cost per sample (dimensionless)",
            "Accuracy (%)",
            "train",
            "validation",
            "test",
            "digits &lt;&amp; more&gt;",
        ] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text} in {svg}");
        }
        assert!(svg.contains("font-family=\"sans-serif\"") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn validation_is_named_only_if_there_is_one() {
        assert!(!learning_curves(&plausible(3, false), "").unwrap().contains("validation"));
    }

    #[test]
    fn any_run_can_be_drawn() {
        for epochs in [1, 2, 500] {
            learning_curves(&plausible(epochs, true), "t").unwrap();
        }
        let mut constant = plausible(5, true);
        for m in &mut constant {
            (m.train_cost, m.train_accuracy, m.validation_accuracy, m.test_accuracy) =
                (0.0, 1.0, Some(1.0), 1.0);
        }
        learning_curves(&constant, "t").unwrap();
        let title = "An extraordinarily long title ".repeat(20);
        assert!(learning_curves(&constant, &title).unwrap().contains("…\n"));
    }

    #[test]
    fn values_that_are_not_finite_interrupt_a_curve() {
        let mut metrics = plausible(10, true);
        (metrics[3].train_cost, metrics[4].train_cost, metrics[5].train_cost) =
            (f64::NAN, f64::INFINITY, f64::MAX);
        metrics[4].test_accuracy = f64::NAN;
        let svg = learning_curves(&metrics, "t").unwrap();
        assert!(svg.contains("train (3 not finite)") && !svg.contains("NaN"));
        metrics.iter_mut().for_each(|m| m.train_cost = f64::NAN);
        learning_curves(&metrics, "t").unwrap();
    }

    #[test]
    fn no_epochs_are_an_error() {
        assert!(matches!(learning_curves(&[], "t"), Err(Error::Input(_))));
    }

    #[test]
    fn a_png_has_its_size_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("curves.png");
        std::fs::write(&path, "old").unwrap();
        learning_curves_png(&plausible(4, true), "t", &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(bytes[16..24], [0, 0, 6, 64, 0, 0, 3, 132]); // 1600 x 900
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
