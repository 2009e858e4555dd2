//! How sure a measured proportion is.

/// The 95 % interval of a proportion of which `successes` of `trials` were seen (Wilson, J. Am.
/// Stat. Assoc. 22, 209, 1927):
///
/// (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n), with p = successes/n, n = trials
/// and z = 1.96.
///
/// It stays within 0 and 1, also when all or none succeeded. None without trials.
pub fn wilson(successes: usize, trials: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = (successes as f64 / n).min(1.0);
    let shrink = 1.0 / (1.0 + Z * Z / n);
    let centre = (p + Z * Z / (2.0 * n)) * shrink;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() * shrink;
    Some(((centre - half).max(0.0), (centre + half).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::wilson;

    /// Newcombe, Stat. Med. 17, 857 (1998), table I, method 3.
    #[test]
    fn published_intervals() {
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(successes, trials).unwrap();
            assert!(
                (l - low).abs() <= 5e-5 && (h - high).abs() <= 5e-5,
                "{successes}/{trials}: {l} to {h}"
            );
        }
    }

    #[test]
    fn nothing_seen_says_nothing() {
        assert_eq!(wilson(0, 0), None);
    }
}
