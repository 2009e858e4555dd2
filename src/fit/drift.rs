//! Drift: the exponent nu of G(t) = G(t0) (t/t0)^-nu of each cell.
//!
//! ln G is a straight line in ln t; its slope is -nu. Mean and spread are those over the cells, the spread
//! without what the cells' own errors add. Where nu is seen to depend on the conductance at the first time, it
//! is a straight line in ln G, and constant beyond the conductances that were measured.

use super::columns::Columns;
use super::estimate::{Estimate, ends, rounded};
use super::{Fitted, Panel, source};
use crate::{Error, Result};

/// Cells of which the curves are drawn.
const DRAWN: usize = 8;
/// Standard errors from which on nu depends on the conductance.
const SURE: f64 = 3.0;
/// Cells from which on it is looked for.
const STATES: usize = 5;

/// The line y = a + b x through points: a, b and the variance of b.
fn line(points: &[(f64, f64)]) -> [f64; 3] {
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let xx: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let b = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / xx;
    let left: f64 = points.iter().map(|p| (p.1 - y - b * (p.0 - x)).powi(2)).sum();
    [y - b * x, b, left / (n - 2.0).max(1.0) / xx]
}

/// nu as a straight line in ln G.
struct ByState {
    slope: Estimate,
    /// nu at the highest conductance.
    at_highest: f64,
    /// The lowest and the highest ln G.
    ends: [f64; 2],
}

/// The line of `nus` over the logarithms of conductances, where they depend on them.
fn by_state(states: &[f64], nus: &[f64]) -> Option<ByState> {
    let points: Vec<(f64, f64)> = states.iter().copied().zip(nus.iter().copied()).collect();
    let [low, high] = ends(states.iter().copied());
    if points.len() < STATES || high - low < 1e-6 {
        return None;
    }
    let [a, slope, variance] = line(&points);
    let slope = Estimate { value: slope, error: variance.sqrt() };
    (slope.value.abs() > SURE * slope.error).then_some(ByState {
        at_highest: a + slope.value * high,
        slope,
        ends: [low, high],
    })
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (times, held) = (table.numbers("time_s")?, table.numbers("conductance_uS")?);
    for (row, (time, g)) in times.iter().zip(&held).enumerate() {
        if *time <= 0.0 || *g <= 0.0 {
            return Err(table.wrong(row, "expected a time and a conductance above 0"));
        }
    }
    let (mut nus, mut own, mut lines, mut dots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut states = Vec::new();
    for (_, rows) in table.groups("cell")? {
        let points: Vec<(f64, f64)> =
            rows.iter().map(|row| (times[*row].ln(), held[*row].ln())).collect();
        let apart = points.iter().any(|point| point.0 != points[0].0);
        if points.len() < 3 || !apart {
            continue;
        }
        let [a, b, variance] = line(&points);
        nus.push(-b);
        own.push(variance);
        let [first, _] = ends(points.iter().map(|point| point.0));
        states.push(a + b * first);
        if lines.len() < DRAWN {
            dots.extend(rows.iter().map(|row| (times[*row], held[*row])));
            lines.push(
                ends(points.iter().map(|point| point.0))
                    .map(|ln| (ln.exp(), (a + b * ln).exp()))
                    .to_vec(),
            );
        }
    }
    if nus.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!("{path}: expected at least three times of a cell")));
    }
    let what = format!("{} conductances of {} cells", table.len(), nus.len());
    let mut found = Fitted::new("crossbar");
    let form = |numbers: [f64; 4]| {
        let numbers = numbers.map(|number| toml::Value::Float(rounded(number, 4)));
        toml::Value::Array(numbers.to_vec())
    };
    let constant = |value: f64| form([0.0, value, value, value]);
    let (source, nu) = (source(table, &what), Estimate::mean(&nus));
    found.say("nu", nu);
    let by_state = by_state(&states, &nus);
    let left = match &by_state {
        None => {
            found.number("drift.nu", constant(nu.value), "1", format!("{source}: {nu}"));
            nus
        }
        Some(line) => {
            let [low, high] = line.ends;
            let (g_low, g_high) = (low.exp(), high.exp());
            let at = |ln: f64| line.slope.value * (ln - high) + line.at_highest;
            let clip = [at(low), at(high)];
            let numbers =
                [line.slope.value, line.at_highest, clip[0].min(clip[1]), clip[0].max(clip[1])];
            let told = format!(
                "{} by a factor e of conductance, from {g_low:.4} to {g_high:.4} uS",
                line.slope
            );
            found.number(
                "drift.nu",
                form(numbers),
                "1",
                format!("{source}: {nu} on average, {told}"),
            );
            found.say("nu over conductances", told);
            found.of_conductance_us = Some(rounded(g_high, 6));
            nus.iter().zip(&states).map(|(nu, ln)| nu - at(*ln)).collect()
        }
    };
    let spread = Estimate::spread(&left, &own);
    found.number("drift.nu_sd", constant(spread.value), "1", format!("{source}: {spread}"));
    found.say("spread of nu", spread);
    found.panels.push(Panel {
        name: "drift",
        caption: format!("Drift: {what}, those of the first {} with the line of each", lines.len()),
        axes: ["Time (s)".into(), "Conductance (µS)".into()],
        dots,
        lines,
        logarithmic: true,
    });
    Ok(found)
}
