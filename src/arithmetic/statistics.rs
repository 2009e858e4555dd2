//! Mean, standard deviation and confidence interval of a few numbers.

use super::interval::wilson;

/// What the numbers of a sample, and so their mean, can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// Any number.
    All,
    /// This or more.
    From(f64),
    /// This or less.
    UpTo(f64),
    /// The first to the second.
    Between(f64, f64),
    /// 0 or 1: a failure or a success.
    Trial,
}

/// What a sample of independent numbers says of their distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// How many numbers there were, at least 1.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1 in the denominator; none of one number.
    pub deviation: Option<f64>,
    /// The 95 % interval of the mean, within what they can be; none of one number, and of numbers that are all
    /// the same, unless they are trials.
    pub interval: Option<(f64, f64)>,
}

impl Statistics {
    /// Of `values`, all finite, which can be what `span` says; none without values.
    ///
    /// The interval is the score interval, all mu with
    ///
    /// (m - mu)^2 <= t^2 s^2/n V(mu) / V(m),
    ///
    /// with mean m, standard deviation s and Student's t of n - 1 degrees of freedom. V = 1 makes it
    /// Student's m -+ t s / sqrt(n). For numbers between a and b, V(x) = (x - a)(b - x): Wilson's
    /// interval (J. Am. Stat. Assoc. 22, 209, 1927) of as many effective trials as the spread of the
    /// sample says (Dean & Pagano, J. Surv. Stat. Methodol. 3, 484, 2015); for numbers from a on, V(x)
    /// = x - a, and for numbers up to b, V(x) = b - x. It holds the mean and does not leave the span.
    /// That of trials is Wilson's own.
    pub fn of(values: &[f64], span: Span) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let deviation = (n > 1).then(|| {
            (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1) as f64).sqrt()
        });
        if span == Span::Trial {
            let interval = wilson(values.iter().filter(|value| **value > 0.0).count(), n);
            return Some(Self { n, mean, deviation, interval });
        }
        // Without spread nothing tells how far off the mean may be.
        let interval = deviation.filter(|deviation| *deviation > 0.0).map(|deviation| {
            score_interval(mean, student(n - 1, 0.05) * deviation / (n as f64).sqrt(), span)
        });
        Some(Self { n, mean, deviation, interval })
    }
}

/// The score interval about `mean` of which `half` would be half the width if V were constant.
fn score_interval(mean: f64, half: f64, span: Span) -> (f64, f64) {
    if let Span::UpTo(b) = span {
        let (low, high) = score_interval(-mean, half, Span::From(-b));
        return (-high, -low);
    }
    let square = half * half;
    let (low, high, ends) = match span {
        Span::From(a) if mean > a => {
            let c = 0.5 * square / (mean - a);
            let root = (c * (c + 2.0 * (mean - a))).sqrt();
            (mean + c - root, mean + c + root, (a, f64::INFINITY))
        }
        Span::Between(a, b) if mean > a && mean < b => {
            // In units of the span p = (m - a)/(b - a), with z^2/n of Wilson's formula as `c`.
            let p = (mean - a) / (b - a);
            let c = square / ((mean - a) * (b - mean));
            let centre = (p + 0.5 * c) / (1.0 + c);
            let root = (c * (p * (1.0 - p) + 0.25 * c)).sqrt() / (1.0 + c);
            let at = |place: f64| a + (b - a) * place;
            (at(centre - root), at(centre + root), (a, b))
        }
        // At the end of its span a sample has no spread.
        _ => (mean - half, mean + half, (f64::NEG_INFINITY, f64::INFINITY)),
    };
    (low.clamp(ends.0, mean), high.clamp(mean, ends.1))
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
        let s = Statistics::of(&[2.0, 4.0, 9.0], Span::All).unwrap();
        assert_eq!((s.n, s.mean, s.deviation), (3, 5.0, Some(13f64.sqrt())));
        let (low, high) = s.interval.unwrap();
        let half = 4.302_652_73 * (13f64 / 3.0).sqrt();
        assert!((low - 5.0 + half).abs() < 1e-6 && (high - 5.0 - half).abs() < 1e-6);
        assert_eq!(
            Statistics::of(&[3.0], Span::All),
            Some(Statistics { n: 1, mean: 3.0, deviation: None, interval: None })
        );
        assert_eq!(Statistics::of(&[3.0, 3.0], Span::All).unwrap().interval, None);
        assert_eq!(Statistics::of(&[], Span::All), None);
    }

    /// With t for z and the effective trials of the spread it is Wilson's interval.
    #[test]
    fn between_ends_it_is_wilsons() {
        let (p, n) = (0.75, 400.0f64);
        let half = 1.959_963_984_540_054 * (p * (1.0 - p) / n).sqrt();
        let (low, high) = score_interval(p, half, Span::Between(0.0, 1.0));
        let (l, h) = crate::arithmetic::wilson(300, 400).unwrap();
        assert!((low - l).abs() < 1e-12 && (high - h).abs() < 1e-12, "{low} to {high}: {l} to {h}");
        // The same in other units.
        let (low, high) = score_interval(75.0, 100.0 * half, Span::Between(0.0, 100.0));
        assert!((low - 100.0 * l).abs() < 1e-10 && (high - 100.0 * h).abs() < 1e-10);
    }

    /// The ends solve the equation that defines them, hold the mean, and stay within the span.
    #[test]
    fn intervals_are_what_they_say_and_stay_within() {
        for values in [&[0.97, 1.0][..], &[0.2, 0.9, 1.0], &[0.0, 0.0, 0.3], &[0.5, 0.50001]] {
            for (span, low, high) in
                [(Span::Between(0.0, 1.0), 0.0, 1.0), (Span::From(0.0), 0.0, f64::INFINITY)]
            {
                let v = |x: f64| if high == 1.0 { x * (1.0 - x) } else { x };
                let Statistics { n, mean, deviation, interval } =
                    Statistics::of(values, span).unwrap();
                let (from, to) = interval.unwrap();
                assert!(low <= from && from <= mean && mean <= to && to <= high, "{values:?}");
                let square = (student(n - 1, 0.05) * deviation.unwrap()).powi(2) / n as f64;
                for end in [from, to] {
                    let off = (mean - end).powi(2) - square * v(end) / v(mean);
                    assert!(off.abs() < 1e-9 * (square + 1.0), "{values:?}, {end}: {off}");
                }
            }
        }
        let same = Statistics::of(&[1.0, 1.0, 1.0], Span::Between(0.0, 1.0)).unwrap();
        assert_eq!(same.interval, None);
    }
}
