//! The best nudge of a study of gradients, found and predicted.

use super::html::table;
use super::quantity::digits;
use crate::experiment::Experiment;
use crate::study::{AtNudge, NudgeModel, Point, Procedure, Study, Table};

/// The key of the nudge.
const BETA: &str = "learning.beta";

/// The section of best nudges, one for each point of the other axes; empty where a study has no
/// axis of nudges.
pub fn best_nudges(
    study: &Study,
    data: &Table,
    points: &[Point],
    experiment: &Experiment,
) -> String {
    let (Procedure::Gradient, Some(beta)) =
        (study.procedure, data.keys.iter().position(|key| key == BETA))
    else {
        return String::new();
    };
    let mut groups: Vec<(Vec<String>, Vec<AtNudge>)> = Vec::new();
    for point in points {
        let mut others = point.values.clone();
        let Some(at) =
            others.remove(beta).parse().ok().and_then(|beta| at_nudge(data, point, beta))
        else {
            continue;
        };
        match groups.iter_mut().find(|(values, _)| *values == others) {
            Some((_, found)) => found.push(at),
            None => groups.push((others, vec![at])),
        }
    }
    let mut heads: Vec<String> = data.keys.iter().filter(|key| *key != BETA).cloned().collect();
    heads.extend(
        [
            "Best nudge found",
            "Cosine there",
            "Predicted",
            "Noise × β",
            "Bias at β = 1",
            "Bias at any nudge",
        ]
        .map(String::from),
    );
    let row = |(others, found): (Vec<String>, Vec<AtNudge>)| {
        let finite = found.iter().filter(|at| at.error().is_finite());
        let best = finite.min_by(|a, b| a.error().total_cmp(&b.error()))?;
        let model = NudgeModel::fit(&found, experiment.learning.nudging);
        let of = |read: &dyn Fn(&NudgeModel) -> Option<f64>| {
            model.as_ref().and_then(read).map_or("–".into(), digits)
        };
        let mut cells = others;
        cells.extend([digits(best.beta), digits(best.cosine)]);
        cells.extend([
            of(&NudgeModel::optimum),
            of(&|m| Some(m.noise)),
            of(&|m| Some(m.bias)),
            of(&|m| Some(m.floor)),
        ]);
        Some(cells)
    };
    let rows: Vec<Vec<String>> = groups.into_iter().filter_map(row).collect();
    if rows.is_empty() || heads.len() == 6 && rows.len() != 1 {
        return String::new();
    }
    format!(
        "<section>\n<h2>Best nudges</h2>\n<p>The nudge of the smallest error of one estimate (bias and noise together), found among those \
         tried; and predicted, where noise c/β and bias a β<sup>p</sup> balance: β<sup>2p+2</sup> = c²/(p a²).</p>\n{}</section>\n",
        table("Best nudges", &heads, rows.into_iter())
    )
}

fn at_nudge(data: &Table, point: &Point, beta: f64) -> Option<AtNudge> {
    let mean = |name: &str| Some(point.statistics[data.result(name)?]?.mean);
    Some(AtNudge {
        beta,
        bias: mean("bias")?,
        noise: mean("noise")?,
        cosine: mean("cosine")?,
        unsettled: mean("unsettled")?,
    })
}
