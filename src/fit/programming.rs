//! Programming error: the deviation of what cells hold from what they were written to.

use super::columns::Columns;
use super::estimate::Estimate;
use super::reads::Deviations;
use super::{Fitted, Panel, points, source};
use crate::Result;

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (targets, held) = (table.numbers("target_uS")?, table.numbers("conductance_uS")?);
    if let Some(row) = targets.iter().position(|target| *target < 0.0) {
        let message = format!("target_uS = {}: expected 0 or more", targets[row]);
        return Err(table.wrong(row, &message));
    }
    let once = "every target was written once: expected at least two cells or writes of a target";
    let deviations = Deviations::of(table, "target_uS", |rows| targets[rows[0]], once)?;
    let off: Vec<f64> = held.iter().zip(&targets).map(|(held, target)| held - target).collect();
    let off = Estimate::mean(&off);
    let what = format!("{} cells written to {} targets", table.len(), deviations.groups.len());
    let mut found = Fitted::new("crossbar");
    let source = format!(
        "{}; {}; the mean is off its target by {off} uS, which is not in here",
        source(table, &what),
        deviations.known()
    );
    found.number("programming.error_points_uS", points(&deviations.curve), "uS", source);
    found.say(
        "programming error",
        format!("{} points, {}", deviations.curve.len(), deviations.known()),
    );
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
        lines: vec![deviations.curve],
        logarithmic: false,
    });
    Ok(found)
}
