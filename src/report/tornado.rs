//! A tornado chart: what each effect costs, the one that costs most on top.

use plotters::prelude::DrawingBackend;

use super::axis::Axis;
use super::budget_table::metric;
use super::plot::{self, Area, LOOKS, Picture, Style};
use crate::Result;
use crate::study::budget::{Budget, Contrast, EffectCost};

/// More effects than this are left to the table.
const SHOWN: usize = 14;
/// What is drawn of an effect, from the top down: its name in the legend.
const BARS: [&str; 3] = ["lost by it alone", "gained without it", "lost when doubled"];
/// Height of a bar, as a part of an effect's row.
const BAR: f64 = 0.26;

/// Bars to both sides of zero, in points, with intervals.
pub struct Tornado {
    /// Name and bars of each effect, from the top down.
    rows: Vec<(String, [Option<Contrast>; 3])>,
    /// What points are of.
    metric: String,
}

impl Tornado {
    /// The tornado of `budget`.
    pub fn of(budget: &Budget) -> Self {
        let row = |effect: &EffectCost| {
            (effect.title.clone(), [effect.alone, effect.away, effect.doubled])
        };
        let rows = budget.effects.iter().take(SHOWN).map(row).collect();
        Self { rows, metric: metric(budget) }
    }

    fn axis(&self) -> Axis {
        let bars = self.rows.iter().flat_map(|(_, bars)| bars).flatten();
        let means = || bars.clone().map(|bar| 100.0 * bar.mean);
        let reach = 1.0 + 1.6 * means().fold(0.0, |most: f64, mean| most.max(mean.abs()));
        // A wide interval of few seeds is cut: bars are what is to be seen.
        let ends = || {
            bars.clone().flat_map(|bar| {
                let half = bar.half_width.unwrap_or(0.0);
                [bar.mean - half, bar.mean, bar.mean + half]
                    .map(|end| (100.0 * end).clamp(-reach, reach))
            })
        };
        let (low, high) = (ends().fold(0.0, f64::min), ends().fold(0.0, f64::max));
        Axis::linear(&format!("Points of test {}", self.metric), low, high)
    }
}

impl Picture for Tornado {
    fn size(&self, column: u32) -> (u32, u32) {
        (column, 240 + 90 * self.rows.len() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()> {
        let x = self.axis();
        let names: Vec<String> = self.rows.iter().rev().map(|(name, _)| name.clone()).collect();
        let y = Axis::ordinal("", &names);
        let entries: Vec<_> =
            LOOKS.into_iter().zip(BARS).map(|(look, name)| (look, name.to_owned())).collect();
        let legend = plot::legend_rows(area, style, &entries)?;
        let chart = plot::axes(area, style, &x, &y, legend.len())?;
        let limits = (x.lowest(), x.highest());
        for (place, (_, bars)) in self.rows.iter().rev().enumerate() {
            for ((index, bar), look) in bars.iter().enumerate().zip(LOOKS) {
                let Some(bar) = bar else { continue };
                let middle = place as f64 + (1.0 - index as f64) * BAR;
                let (mean, half) = (100.0 * bar.mean, 100.0 * bar.half_width.unwrap_or(0.0));
                plot::bar(&chart, style, look, (0.0, mean), (middle, 0.42 * BAR))?;
                let ends = [mean - half, mean + half].map(|end| end.clamp(limits.0, limits.1));
                plot::whisker(&chart, style, middle, (ends[0], ends[1]))?;
            }
        }
        plot::vertical_line(&chart, style, 0.0, (-0.5, self.rows.len() as f64 - 0.5))?;
        plot::legend(area, &chart, style, None, &legend)
    }
}
