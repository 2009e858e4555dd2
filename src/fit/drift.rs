//! Drift: the exponent nu of G(t) = G(t0) (t/t0)^-nu of each cell.
//!
//! ln G is a straight line in ln t; its slope is -nu. Mean and spread are those over the cells, the spread
//! without what the cells' own errors add.

use super::columns::Columns;
use super::estimate::{Estimate, rounded};
use super::{Fitted, Panel, source};
use crate::{Error, Result};

/// Cells of which the curves are drawn.
const DRAWN: usize = 8;

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

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (times, held) = (table.numbers("time_s")?, table.numbers("conductance_uS")?);
    for (row, (time, g)) in times.iter().zip(&held).enumerate() {
        if *time <= 0.0 || *g <= 0.0 {
            return Err(table.wrong(row, "expected a time and a conductance above 0"));
        }
    }
    let (mut nus, mut own, mut lines, mut dots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
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
        if lines.len() < DRAWN {
            dots.extend(rows.iter().map(|row| (times[*row], held[*row])));
            let ends = points.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| {
                [low.min(p.0), high.max(p.0)]
            });
            lines.push(ends.map(|ln| (ln.exp(), (a + b * ln).exp())).to_vec());
        }
    }
    if nus.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!("{path}: expected at least three times of a cell")));
    }
    let (nu, spread) = (Estimate::mean(&nus), Estimate::spread(&nus, &own));
    let what = format!("{} conductances of {} cells", table.len(), nus.len());
    let mut found = Fitted::new("crossbar");
    let form = |value: f64| {
        let value = toml::Value::Float(rounded(value, 4));
        toml::Value::Array(vec![toml::Value::Float(0.0), value.clone(), value.clone(), value])
    };
    let source = source(table, &what);
    found.number("drift.nu", form(nu.value), "1", format!("{source}: {nu}"));
    found.number("drift.nu_sd", form(spread.value), "1", format!("{source}: {spread}"));
    found.say("nu", nu);
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
