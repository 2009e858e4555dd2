//! What was measured at a few conductances: straight lines between, the last value beyond.

/// Pairs [conductance, value], microsiemens, conductances rising; empty where nothing was measured.
pub(super) type Curve = Vec<[f64; 2]>;

/// Checks a curve in `key` whose values are deviations.
pub(super) fn check(key: &str, curve: &Curve) -> Result<(), String> {
    let wrong = |place: usize, expected: &str| {
        let [g, value] = curve[place];
        Err(format!("{key}: pair {}, [{g}, {value}]: expected {expected}", place + 1))
    };
    for (place, [g, value]) in curve.iter().enumerate() {
        if !g.is_finite() || *g < 0.0 {
            return wrong(place, "a conductance of at least 0");
        }
        if !value.is_finite() || *value < 0.0 {
            return wrong(place, "a deviation of at least 0");
        }
        if place > 0 && curve[place - 1][0] >= *g {
            return wrong(place, "more conductance than the pair before it has");
        }
    }
    Ok(())
}

/// The value of a `curve` that is not empty at `g`.
pub(super) fn at(curve: &Curve, g: f64) -> f64 {
    let above = curve.partition_point(|[at, _]| *at <= g);
    match (above.checked_sub(1).map(|below| curve[below]), curve.get(above).copied()) {
        (Some([g0, v0]), Some([g1, v1])) => v0 + (v1 - v0) * (g - g0) / (g1 - g0),
        (Some([_, value]), None) | (None, Some([_, value])) => value,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_straight_between_and_flat_beyond() {
        let curve = vec![[2.0, 0.5], [4.0, 1.5], [8.0, 0.5]];
        let found = [0.0, 2.0, 3.0, 4.0, 7.0, 8.0, 20.0].map(|g| at(&curve, g));
        assert_eq!(found, [0.5, 0.5, 1.0, 1.5, 0.75, 0.5, 0.5]);
        assert_eq!(at(&vec![[3.0, 0.25]], 1.0), 0.25);
        let refused = |curve: &[[f64; 2]]| check("points", &curve.to_vec()).unwrap_err();
        assert_eq!(
            refused(&[[1.0, 0.1], [1.0, 0.2]]),
            "points: pair 2, [1, 0.2]: expected more conductance than the pair before it has"
        );
        assert!(refused(&[[1.0, -0.1]]).contains("a deviation of at least 0"));
        assert!(refused(&[[f64::NAN, 0.1]]).contains("a conductance of at least 0"));
        assert!(check("points", &Vec::new()).is_ok());
    }
}
