//! Mean, standard deviation and confidence interval of a few numbers.

/// What a sample of independent numbers says of their distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// How many numbers there were, at least 1.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1 in the denominator; none of one number.
    pub deviation: Option<f64>,
    /// Half the 95 % interval of the mean, t s / sqrt(n) with Student's t of n - 1 degrees of
    /// freedom; none of one number.
    pub half_width: Option<f64>,
}

impl Statistics {
    /// Of `values`, all finite; none without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let deviation = (n > 1).then(|| {
            (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1) as f64).sqrt()
        });
        let half_width =
            deviation.map(|deviation| student(n - 1, 0.05) * deviation / (n as f64).sqrt());
        Some(Self { n, mean, deviation, half_width })
    }
}

/// The value that |t| of Student's distribution exceeds with probability `exceeds`, from 1e-9 to
/// 0.05, for whole degrees of freedom, 1,000,000 at most: beyond, the sum only takes longer.
pub fn student(freedom: usize, exceeds: f64) -> f64 {
    let freedom = freedom.min(1_000_000);
    let (mut low, mut high) = (1.9, 12.8);
    while within(high, freedom) < 1.0 - exceeds {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if within(middle, freedom) < 1.0 - exceeds { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability that |t| is at most `t` (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, square) = (angle.sin(), angle.cos().powi(2));
    // 1 + 1/2 c^2 + (1 3)/(2 4) c^4 + ... for even degrees, c + 2/3 c^3 + (2 4)/(3 5) c^5 + ... for
    // odd ones
    let odd = freedom % 2;
    let (mut term, mut sum) = (if odd == 1 { angle.cos() } else { 1.0 }, 0.0);
    for k in 0..(freedom / 2) {
        sum += term;
        let (above, below) = (2 * k + 1 + odd, 2 * k + 2 + odd);
        term *= square * above as f64 / below as f64;
    }
    if odd == 1 { (angle + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fisher & Yates, Statistical Tables, table III, P = 0.05; the last as
    /// scipy.stats.t.ppf(0.975, 1000) gives it.
    #[test]
    fn published_quantiles() {
        for (freedom, t) in [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (9, 2.262),
            (10, 2.228),
            (30, 2.042),
            (120, 1.980),
            (1000, 1.962),
        ] {
            let found = student(freedom, 0.05);
            assert!((found - t).abs() < 6e-4, "{freedom}: {found}");
        }
    }

    /// tan(pi (1 - p) / 2); sqrt(2) (1 - p) / sqrt(1 - (1 - p)^2); Fisher & Yates, table III, P = 0.001.
    #[test]
    fn rarer_values() {
        for (freedom, exceeds, t) in [(1, 0.01, 63.6567), (2, 0.005, 14.0890), (4, 0.001, 8.6103)] {
            let found = student(freedom, exceeds);
            assert!((found / t - 1.0).abs() < 1e-5, "{freedom}: {found}");
        }
    }

    #[test]
    fn of_a_sample() {
        let s = Statistics::of(&[2.0, 4.0, 9.0]).unwrap();
        assert_eq!((s.n, s.mean, s.deviation), (3, 5.0, Some(13f64.sqrt())));
        assert!((s.half_width.unwrap() - 4.302_652_73 * (13f64 / 3.0).sqrt()).abs() < 1e-6);
        assert_eq!(
            Statistics::of(&[3.0]),
            Some(Statistics { n: 1, mean: 3.0, deviation: None, half_width: None })
        );
        assert_eq!(Statistics::of(&[]), None);
    }
}
