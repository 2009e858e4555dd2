//! Cost and score against the epoch.

use std::path::Path;

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::canvas::{self, Paper};
use super::plot::{self, Area, LOOKS, Look, Picture, Style};
use crate::training::{EpochMetrics, Score};
use crate::{Error, Result};

const TRAIN: Look = LOOKS[0];
const TEST: Look = LOOKS[1];
const VALIDATION: Look = LOOKS[2];

/// Writes the learning curves of a run into `plots`: training cost on the left, accuracies (or R2) on
/// the right.
///
/// A value that is not finite interrupts its curve.
///
/// # Errors
/// Without epochs, or when they cannot be drawn or written.
pub fn write_curves(
    metrics: &[EpochMetrics],
    title: &str,
    plots: &Path,
    paper: Paper,
) -> Result<()> {
    let picture = LearningCurves::new(metrics, title)?;
    canvas::write(&picture, plots, "learning-curves", paper).map(drop)
}

/// The two panels of the learning curves as pictures of their own, each with its caption, for pages
/// that arrange them to their width.
pub fn panels(metrics: &[EpochMetrics], paper: Paper) -> Result<[(String, String); 2]> {
    let validated = metrics.iter().any(|row| row.validation.is_some());
    let parts = if validated { "test and validation" } else { "the test" };
    let scores = format!("{} in each epoch, of {parts} after it", score_name(metrics));
    let costs = "Training cost, free phases of each epoch".into();
    Ok([
        (canvas::svg(&CostPanel(metrics), paper)?, costs),
        (canvas::svg(&ScorePanel(metrics), paper)?, scores),
    ])
}

/// What the scores of a run are called, at the start of a sentence.
fn score_name(metrics: &[EpochMetrics]) -> &'static str {
    match metrics.first().map(|row| row.test) {
        Some(Score::Fit(_)) => "R2",
        _ => "Accuracy",
    }
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
    fn size(&self, column: u32) -> (u32, u32) {
        (2 * column, column * 7 / 8 + 64)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let rest = plot::title(area, style, self.title)?;
        let (left, right) = rest.split_horizontally(rest.dim_in_pixel().0 as i32 / 2);
        CostPanel(self.metrics).draw(&left, style)?;
        ScorePanel(self.metrics).draw(&right, style)
    }
}

/// The training cost against the epoch.
struct CostPanel<'a>(&'a [EpochMetrics]);

impl Picture for CostPanel<'_> {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 7 / 8)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let costs =
            Series { name: "train", look: TRAIN, points: points(self.0, |m| Some(m.train_cost)) };
        let y = Axis::spanning("Mean cost per sample (dimensionless)", costs.values());
        draw_panel(area, style, self.0, &y, &[costs])
    }
}

/// The accuracies, or R2, against the epoch.
struct ScorePanel<'a>(&'a [EpochMetrics]);

impl Picture for ScorePanel<'_> {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, column * 7 / 8)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let shown = |score: Score| match score {
            Score::Accuracy(fraction) => 100.0 * fraction,
            Score::Fit(fit) => fit.r2,
        };
        let mut series = vec![
            Series { name: "train", look: TRAIN, points: points(self.0, |m| Some(shown(m.train))) },
            Series {
                name: "validation",
                look: VALIDATION,
                points: points(self.0, |m| m.validation.map(shown)),
            },
            Series { name: "test", look: TEST, points: points(self.0, |m| Some(shown(m.test))) },
        ];
        series.retain(|s| !s.points.is_empty());
        let values = series.iter().flat_map(|s| s.values());
        let y = match score_name(self.0) {
            "R2" => Axis::linear("R2", values.fold(0.0, f64::min), 1.0),
            _ => Axis::percent("Accuracy (%)", values),
        };
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
    let look = |one: &Series| one.look.of_points(metrics.len());
    let entries: Vec<_> = series.iter().map(|s| (look(s), s.label())).collect();
    let rows = plot::legend_rows(area, style, &entries)?;
    let chart = plot::axes(area, style, &x, y, rows.len())?;
    for one in series {
        plot::curve(&chart, style, look(one), &one.points)?;
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
                train: Score::Accuracy(0.985 - 0.13 * (-t / 9.0).exp()),
                validation: validation
                    .then(|| Score::Accuracy(0.962 - 0.11 * (-t / 7.0).exp() + 0.002 * wiggle)),
                test: Score::Accuracy(0.957 - 0.12 * (-t / 7.0).exp() + 0.003 * wiggle),
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

    fn learning_curves(metrics: &[EpochMetrics], title: &str) -> Result<String> {
        canvas::svg(&LearningCurves::new(metrics, title)?, Paper::default())
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
            let all = Score::Accuracy(1.0);
            (m.train_cost, m.train, m.validation, m.test) = (0.0, all, Some(all), all);
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
        metrics[4].test = Score::Accuracy(f64::NAN);
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
    fn files_have_their_sizes_and_replace_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = |extension: &str| directory.path().join(format!("learning-curves.{extension}"));
        std::fs::write(path("png"), "old").unwrap();
        let paper: Paper = "width=10,font=10".parse().unwrap();
        write_curves(&plausible(4, true), "t", directory.path(), paper).unwrap();
        let png = std::fs::read(path("png")).unwrap();
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        // Two of 10 cm, a pixel 10 pt * 1.24 / 32 wide.
        assert_eq!(png[16..20], (2 * 732u32).to_be_bytes());
        // 20 cm are 567 points.
        let svg = std::fs::read_to_string(path("svg")).unwrap();
        assert!(svg.starts_with("<svg width=\"567.30pt\""), "{}", &svg[..80]);
        let pdf = std::fs::read(path("pdf")).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-") && text.contains("/MediaBox [0 0 567.3"), "{text}");
        assert!(text.trim_end().ends_with("%%EOF"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
