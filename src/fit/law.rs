//! Cells that are not linear: each cell's currents against its voltages.
//!
//! Of each cell, by least squares,
//!
//! ```text
//! I = G u + a u^2 + b u^3
//! ```
//!
//! and of a and b over the cells, weighted by their errors, polynomials of log10(G / S): of the lowest
//! degree that goes through them within their errors. A coefficient that no cell shows is left out.

use nalgebra::{DMatrix, DVector, Matrix3, Vector3};

use super::columns::Columns;
use super::estimate::{Estimate, ends, rounded};
use super::{Fitted, Panel, source};
use crate::{Error, Result};

/// Voltages that a cell needs: three are no more than the three coefficients.
const LEAST: usize = 5;
/// Of a polynomial over the cells.
const HIGHEST_DEGREE: usize = 3;
/// Coefficients are no better known than this part of the largest of them: beyond, the law is another.
const FINEST: f64 = 1e-3;
/// From this many errors on, on average over the cells, a coefficient is seen.
const SEEN: f64 = 3.0;
/// A polynomial goes through coefficients where they are off by this many errors (rms).
const WITHIN: f64 = 1.5;
/// Cells of which the curves are drawn.
const DRAWN: usize = 8;

/// The law of one cell, in microsiemens, uA/V^2 and uA/V^3.
struct Law {
    coefficients: [f64; 3],
    errors: [f64; 3],
    /// The sum of the squares of what is left, uA^2.
    left: f64,
}

impl Law {
    /// Through currents (uA) at voltages (V); none where the voltages are too few.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let powers = |u: f64| Vector3::new(u, u * u, u * u * u);
        let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for (u, i) in points {
            normal += powers(*u) * powers(*u).transpose();
            right += powers(*u) * *i;
        }
        let inverse = normal.try_inverse().filter(|_| points.len() >= LEAST)?;
        let found = inverse * right;
        let rest = points.iter().map(|(u, i)| (i - found.dot(&powers(*u))).powi(2));
        let left: f64 = rest.sum();
        let variance = left / (points.len() - 3) as f64;
        let error = |k: usize| (variance * inverse[(k, k)]).sqrt();
        let errors = [error(0), error(1), error(2)];
        let law = Self { coefficients: found.into(), errors, left };
        law.coefficients.iter().chain(&law.errors).all(|x| x.is_finite()).then_some(law)
    }

    fn at(&self, u: f64) -> f64 {
        let [g, a, b] = self.coefficients;
        u * (g + u * (a + u * b))
    }
}

/// The polynomial of lowest degree, highest power first, that goes through `values` at `x` within their
/// `errors`, and by how many of these it misses them (rms).
fn polynomial(x: &[f64], values: &[f64], errors: &[f64]) -> (Vec<f64>, f64) {
    let middle = x.iter().sum::<f64>() / x.len() as f64;
    let distinct = {
        let mut sorted = x.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
        sorted.len()
    };
    let mut found = (Vec::new(), f64::INFINITY);
    for degree in 0..=HIGHEST_DEGREE.min(distinct.saturating_sub(1)) {
        let powers = DMatrix::from_fn(x.len(), degree + 1, |row, power| {
            (x[row] - middle).powi(power as i32) / errors[row]
        });
        let right = DVector::from_fn(x.len(), |row, _| values[row] / errors[row]);
        let Ok(fitted) = powers.clone().svd(true, true).solve(&right, 1e-12) else { break };
        let freedom = x.len().saturating_sub(degree + 1).max(1);
        let off = ((&powers * &fitted - right).norm_squared() / freedom as f64).sqrt();
        if off < found.1 {
            found = (about_zero(fitted.as_slice(), middle), off);
        }
        if off <= WITHIN {
            break;
        }
    }
    found
}

/// A polynomial of x - `middle`, lowest power first, as one of x, highest power first.
fn about_zero(terms: &[f64], middle: f64) -> Vec<f64> {
    // Horner: p = p (x - middle) + term.
    let mut found: Vec<f64> = Vec::new();
    for term in terms.iter().rev() {
        let mut next = vec![0.0; found.len() + 1];
        for (power, value) in found.iter().enumerate() {
            next[power + 1] += value;
            next[power] -= middle * value;
        }
        next[0] += term;
        found = next;
    }
    found.reverse();
    found
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let (voltages, currents) = (table.numbers("voltage_V")?, table.numbers("current_uA")?);
    let (mut laws, mut curves, mut open) = (Vec::new(), Vec::new(), 0);
    for (cell, rows) in table.groups("cell")? {
        let points: Vec<(f64, f64)> =
            rows.iter().map(|row| (voltages[*row], currents[*row])).collect();
        let law = Law::through(&points).ok_or_else(|| {
            let message = format!(
                "cell {cell}: {} currents: expected at least {LEAST}, at as many voltages",
                points.len()
            );
            table.wrong(rows[0], &message)
        })?;
        // Cells that do not conduct have no law.
        if law.coefficients[0] <= SEEN * law.errors[0] {
            open += 1;
            continue;
        }
        laws.push(law);
        curves.push(points);
    }
    if laws.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!("{path}: no cell conducts")));
    }
    let decades: Vec<f64> = laws.iter().map(|law| (1e-6 * law.coefficients[0]).log10()).collect();
    let [g_low, g_high] = ends(laws.iter().map(|law| law.coefficients[0]));
    let points: usize = curves.iter().map(Vec::len).sum();
    let left: f64 = laws.iter().map(|law| law.left).sum();
    let residual = (left / (points - 3 * laws.len()) as f64).sqrt();
    let reach = curves.iter().flatten().map(|(u, _)| u.abs()).fold(0.0, f64::max);
    let what = format!("{points} currents of {} cells", laws.len());
    let told = format!(
        "{}: conductances from {g_low:.4} to {g_high:.4} uS, up to {reach} V; {residual:.2e} uA rms left",
        source(table, &what)
    );
    let mut found = Fitted::new("crossbar");
    for (key, unit, k) in [("current.square", "A/V^2", 1), ("current.cube", "A/V^3", 2)] {
        let values: Vec<f64> = laws.iter().map(|law| law.coefficients[k]).collect();
        let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let errors: Vec<f64> =
            laws.iter().map(|law| law.errors[k].hypot(FINEST * largest)).collect();
        let size = values.iter().zip(&errors).map(|(value, error)| (value / error).powi(2));
        if (size.sum::<f64>() / values.len() as f64).sqrt() < SEEN {
            found.say(key, "none seen");
            continue;
        }
        let (terms, off) = polynomial(&decades, &values, &errors);
        // Digits cancel in a polynomial about another place.
        let terms = terms.iter().map(|term| toml::Value::Float(rounded(1e-6 * term, 12)));
        let terms = toml::Value::Array(terms.collect());
        found.say(
            key,
            format!("degree {} of log10(G / S)", terms.as_array().map_or(0, Vec::len) - 1),
        );
        let source = format!("{told}; through those of the cells within {off:.2} errors (rms)");
        found.number(key, terms, unit, source);
    }
    let mean = Estimate::mean(&laws.iter().map(|law| law.coefficients[0]).collect::<Vec<_>>());
    found.say("mean conductance", format!("{} uS", rounded(mean.value, 4)));
    found.say("left", format!("{residual:.2e} uA rms"));
    if open > 0 {
        found.say("cells that do not conduct", open);
    }
    let lines = laws.iter().zip(&curves).take(DRAWN).map(|(law, points)| {
        let [low, high] = ends(points.iter().map(|point| point.0));
        let place = |k: i32| low + (high - low) * f64::from(k) / 40.0;
        (0..=40).map(|k| (place(k), law.at(place(k)))).collect()
    });
    found.panels.push(Panel {
        name: "law",
        caption: format!(
            "Cells that are not linear: {what}, the first {} drawn",
            laws.len().min(DRAWN)
        ),
        axes: ["Voltage (V)".into(), "Current (µA)".into()],
        lines: lines.collect(),
        dots: curves.iter().take(DRAWN).flatten().copied().collect(),
        logarithmic: false,
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_is_moved() {
        // 2 + 3 (x - 4) + 5 (x - 4)^2 = 5 x^2 - 37 x + 70
        assert_eq!(about_zero(&[2.0, 3.0, 5.0], 4.0), [5.0, -37.0, 70.0]);
        let x = [-6.0, -5.5, -5.0, -4.5, -4.0];
        let values = x.map(|x: f64| 1.0 - 2.0 * x + 0.5 * x * x);
        let (found, off) = polynomial(&x, &values, &[1e-6; 5]);
        assert!(off < 1e-3 && found.len() == 3, "{found:?} {off}");
        let expected = [0.5, -2.0, 1.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{found:?}");
    }
}
