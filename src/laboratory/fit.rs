//! Least squares.

use nalgebra::{DMatrix, DVector};

/// The numbers near `start` for which the sum of the squares of `residuals` is smallest: Levenberg
/// and Marquardt's method, derivatives by differences.
pub(super) fn least_squares(start: &[f64], residuals: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut at = DVector::from_column_slice(start);
    let of = |at: &DVector<f64>| DVector::from_vec(residuals(at.as_slice()));
    let (mut now, mut damping) = (of(&at), 1e-3);
    for _ in 0..200 {
        let mut slopes = DMatrix::zeros(now.len(), at.len());
        for column in 0..at.len() {
            let step = 1e-6 * (1.0 + at[column].abs());
            let mut moved = at.clone();
            moved[column] += step;
            slopes.set_column(column, &((of(&moved) - &now) / step));
        }
        let (square, pull) = (slopes.tr_mul(&slopes), slopes.tr_mul(&now));
        let before = now.norm_squared();
        let mut better = false;
        while !better && damping < 1e12 {
            let mut damped = square.clone();
            for i in 0..at.len() {
                damped[(i, i)] += damping * square[(i, i)].max(1e-12);
            }
            let step = damped.cholesky().map(|damped| damped.solve(&pull));
            let moved = step.map(|step| &at - step);
            let found = moved.as_ref().map(&of).filter(|found| found.norm_squared() <= before);
            match (moved, found) {
                (Some(moved), Some(found)) => {
                    (at, now, better) = (moved, found, true);
                    damping *= 0.3;
                }
                _ => damping *= 4.0,
            }
        }
        if !better || before - now.norm_squared() < 1e-12 * before {
            break;
        }
    }
    at.as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_is_found_again() {
        let times: Vec<f64> = (0..20).map(|t| 0.3 * f64::from(t)).collect();
        let decay = |p: &[f64], t: f64| p[0] * (-p[1] * t).exp() + p[2];
        let truth = [2.0, 0.7, 0.1];
        let seen: Vec<f64> = times.iter().map(|t| decay(&truth, *t)).collect();
        let found = least_squares(&[1.0, 1.0, 0.0], |p| {
            times.iter().zip(&seen).map(|(t, seen)| decay(p, *t) - seen).collect()
        });
        assert!(found.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-8), "{found:?}");
    }
}
