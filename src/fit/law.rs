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
//!
//! A selector that all cells have, its threshold and its leak, is told where with it half of what is left
//! (rms) is left: its two numbers are those that leave least, found on a grid and from there in ever
//! smaller steps.

use nalgebra::{DMatrix, DVector, Matrix3, Vector3};

use super::columns::Columns;
use super::estimate::{Estimate, ends, rounded};
use super::{Fitted, Panel, source};
use crate::coupler::crossbar::Threshold;
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
/// A selector is told where the squares of what is left are at most this part of those without.
const TOLD: f64 = 0.25;
/// Currents beyond the numbers of the laws that this takes at least.
const FREE: f64 = 10.0;
/// Thresholds that are tried first, and the largest as a part of the largest voltage.
const THRESHOLDS: usize = 60;
const HIGHEST_THRESHOLD: f64 = 0.8;
/// Leaks that are tried first.
const LEAKS: [f64; 6] = [0.0, 0.003, 0.01, 0.03, 0.1, 0.3];
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

    /// The current (uA) at what a selector leaves.
    fn at(&self, u: f64) -> f64 {
        let [g, a, b] = self.coefficients;
        u * (g + u * (a + u * b))
    }
}

/// What is left (uA^2) of all `curves` with `selector`.
fn left_with(curves: &[Vec<(f64, f64)>], selector: &Threshold) -> f64 {
    let of = |points: &Vec<(f64, f64)>| {
        let seen: Vec<_> = points.iter().map(|(u, i)| (selector.leaves(*u), *i)).collect();
        Law::through(&seen).map_or(f64::INFINITY, |law| law.left)
    };
    curves.iter().map(of).sum()
}

/// The selector that leaves least of `curves`, the errors of its numbers for noise of the variance that
/// is left, and what is left.
fn selector(curves: &[Vec<(f64, f64)>], reach: f64) -> (Threshold, [Estimate; 2], f64) {
    let left = |[volts, leak]: [f64; 2]| left_with(curves, &Threshold { volts, leak });
    let (mut best, mut least) = ([0.0, 0.0], f64::INFINITY);
    let step = reach * HIGHEST_THRESHOLD / THRESHOLDS as f64;
    for (k, leak) in (1..=THRESHOLDS).flat_map(|k| LEAKS.map(|leak| (k, leak))) {
        let at = [step * k as f64, leak];
        let found = left(at);
        if found < least {
            (best, least) = (at, found);
        }
    }
    let mut steps = [step, 0.1];
    while steps[0] > 1e-6 * reach {
        let mut moved = false;
        for (k, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)] {
            let mut at = best;
            at[k] = (at[k] + sign * steps[k]).clamp(0.0, [HIGHEST_THRESHOLD * reach, 0.9][k]);
            let found = left(at);
            if found < least {
                (best, least, moved) = (at, found, true);
            }
        }
        if !moved {
            steps = steps.map(|step| 0.5 * step);
        }
    }
    let points: usize = curves.iter().map(Vec::len).sum();
    let variance = least / points.saturating_sub(3 * curves.len() + 2).max(1) as f64;
    let estimate = |k: usize| {
        // By the curvature of what is left.
        let by = [1e-2 * reach, 1e-2][k];
        let beside = [1.0, -1.0].map(|sign| {
            let mut at = best;
            at[k] += sign * by;
            if at[k] < 0.0 { f64::NAN } else { left(at) }
        });
        let curvature = (beside[0] - 2.0 * least + beside[1]) / (by * by);
        Estimate { value: best[k], error: (2.0 * variance / curvature).sqrt() }
    };
    let selector = Threshold { volts: best[0], leak: best[1] };
    (selector, [estimate(0), estimate(1)], least)
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
    let (mut curves, mut open) = (Vec::new(), 0);
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
        let all: f64 = points.iter().map(|(_, i)| i * i).sum();
        let noise = law.left / (points.len() - 3) as f64;
        match (all - law.left) / 3.0 > SEEN * SEEN * noise {
            true => curves.push(points),
            false => open += 1,
        }
    }
    if curves.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!("{path}: no cell conducts")));
    }
    let reach = curves.iter().flatten().map(|(u, _)| u.abs()).fold(0.0, f64::max);
    let plain = left_with(&curves, &Threshold::default());
    let (series, numbers, least) = selector(&curves, reach);
    // By what is left for each number that is not used up.
    let measured: usize = curves.iter().map(Vec::len).sum();
    let free = |numbers: usize| measured.saturating_sub(3 * curves.len() + numbers) as f64;
    let [threshold, _] = &numbers;
    let told = free(2) >= FREE
        && least / free(2) < TOLD * plain / free(0)
        && threshold.value > SEEN * threshold.error;
    let series = if told { series } else { Threshold::default() };
    let mut laws = Vec::new();
    curves.retain(|points| {
        let seen: Vec<_> = points.iter().map(|(u, i)| (series.leaves(*u), *i)).collect();
        let law = Law::through(&seen).filter(|law| law.coefficients[0] > SEEN * law.errors[0]);
        open += usize::from(law.is_none());
        let conducts = law.is_some();
        laws.extend(law);
        conducts
    });
    if laws.is_empty() {
        let path = table.path().display();
        return Err(Error::input(format!(
            "{path}: no cell conducts in proportion to a small voltage: expected a current of G u and more"
        )));
    }
    let decades: Vec<f64> = laws.iter().map(|law| (1e-6 * law.coefficients[0]).log10()).collect();
    let [g_low, g_high] = ends(laws.iter().map(|law| law.coefficients[0]));
    let points: usize = curves.iter().map(Vec::len).sum();
    let left: f64 = laws.iter().map(|law| law.left).sum();
    let residual = (left / (points - 3 * laws.len()) as f64).sqrt();
    let what = format!("{points} currents of {} cells", laws.len());
    let told_by = format!(
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
        let source = format!("{told_by}; through those of the cells within {off:.2} errors (rms)");
        found.number(key, terms, unit, source);
    }
    if told {
        for ((key, unit), number) in
            [("selector.threshold_V", "V"), ("selector.leak", "1")].into_iter().zip(numbers)
        {
            found.say(key, number);
            let source = format!(
                "{told_by}; without it {:.1} times as much; {number} {unit}",
                (plain / least).sqrt()
            );
            found.number(key, rounded(number.value, 5), unit, source);
        }
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
        (0..=40).map(|k| (place(k), law.at(series.leaves(place(k))))).collect()
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
