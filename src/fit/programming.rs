//! Programming error: the deviation of what cells hold from what they were written to.

use super::columns::Columns;
use super::estimate::{Estimate, variance};
use super::reads::curve;
use super::{Fitted, Panel, points, source};
use crate::{Error, Result};

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (targets, held) = (table.numbers("target_uS")?, table.numbers("conductance_uS")?);
    let mut groups = Vec::new();
    for (_, rows) in table.groups("target_uS")? {
        let own: Vec<f64> = rows.iter().map(|row| held[*row]).collect();
        if own.len() > 1 {
            groups.push((targets[rows[0]], variance(&own), own.len()));
        }
    }
    if groups.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!(
            "{path}: every target was written once: expected at least two cells or writes of a target"
        )));
    }
    let freedom: usize = groups.iter().map(|(_, _, n)| n - 1).sum();
    let many = groups.len();
    let curve = curve(groups);
    let error = (curve.len() as f64 / (2.0 * freedom as f64)).sqrt();
    let off: Vec<f64> = held.iter().zip(&targets).map(|(held, target)| held - target).collect();
    let off = Estimate::mean(&off);
    let what = format!("{} cells written to {many} targets", table.len());
    let mut found = Fitted::new("crossbar");
    let source = format!(
        "{}; each deviation to {:.0} %; the mean is off its target by {off} uS, which is not in here",
        source(table, &what),
        100.0 * error
    );
    found.number("programming.error_points_uS", points(&curve), "uS", source);
    found
        .say("programming error", format!("{} points to {:.0} % each", curve.len(), 100.0 * error));
    found.say("mean off the target", format!("{off} uS"));
    let dots = targets.iter().zip(&held).map(|(target, held)| (*target, (held - target).abs()));
    found.panels.push(Panel {
        name: "programming",
        caption: format!(
            "Programming error: {what}. Points are distances from the target, of which a third should be \
             above the line, the deviation that the datasheet says"
        ),
        axes: ["Target (µS)".into(), "Distance from it (µS)".into()],
        dots: dots.collect(),
        lines: vec![curve],
        logarithmic: false,
    });
    Ok(found)
}
