//! The nudge that a device calls for: a weak one is lost in noise, a strong one leaves the linear
//! regime.

use super::Judged;
use crate::learning::Nudging;

/// What was found at one nudge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtNudge {
    /// Nudge strength, above 0.
    pub beta: f64,
    /// Bias of the gradient, of its size.
    pub bias: f64,
    /// Noise of one estimate, of its size.
    pub noise: f64,
    /// Mean cosine to the exact gradient.
    pub cosine: f64,
    /// The fraction of samples that did not settle, 0 to 1.
    pub unsettled: f64,
}

impl AtNudge {
    /// What `judged` says of `beta`.
    pub fn new(beta: f64, judged: &Judged) -> Self {
        let whole = judged.whole;
        Self {
            beta,
            bias: whole.bias,
            noise: whole.noise,
            cosine: whole.cosine,
            unsettled: judged.unsettled,
        }
    }

    /// The mean square error of one estimate, in units of the gradient's square.
    pub fn error(&self) -> f64 {
        self.bias * self.bias + self.noise * self.noise
    }
}

/// A bias beyond this is no more of the form of the model: nodes saturate.
const LARGEST_BIAS: f64 = 0.5;
/// With more samples than this that do not settle, a gradient says little.
const MOST_UNSETTLED: f64 = 0.1;

/// The error a^2 beta^2p + c^2 / beta^2 + floor^2 of a nudge: bias beyond the linear regime, noise
/// that the nudge divides, and what neither changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NudgeModel {
    /// a: the bias at beta = 1.
    pub bias: f64,
    /// c: the noise at beta = 1.
    pub noise: f64,
    /// p: 1 for one-sided nudges, 2 for centred ones (Laborieux et al. 2021, arXiv 2006.03824), 4
    /// for four-point ones.
    pub order: i32,
    /// What of the bias no nudge changes.
    pub floor: f64,
}

impl NudgeModel {
    /// The model of what was found at several nudges; none where fewer than three of them are in
    /// its range.
    ///
    /// The square of the bias is a line in beta^2p by least squares, each weighted by how well its
    /// noise lets it be known, neither coefficient below 0; the noise is the geometric mean of beta
    /// times noise.
    pub fn fit(found: &[AtNudge], nudging: Nudging) -> Option<Self> {
        let order = match nudging {
            Nudging::OneSided => 1,
            Nudging::Centred => 2,
            Nudging::FourPoint => 4,
        };
        let usable = |at: &&AtNudge| {
            at.error().is_finite() && at.bias <= LARGEST_BIAS && at.unsettled <= MOST_UNSETTLED
        };
        let usable: Vec<&AtNudge> = found.iter().filter(usable).collect();
        if usable.len() < 3 {
            return None;
        }
        let noise =
            usable.iter().map(|at| (at.beta * at.noise).max(f64::MIN_POSITIVE).ln()).sum::<f64>()
                / usable.len() as f64;
        let weight = |at: &AtNudge| 1.0 / (at.noise.powi(2) * at.error() + 1e-12);
        let sum =
            |f: &dyn Fn(&AtNudge) -> f64| usable.iter().map(|at| weight(at) * f(at)).sum::<f64>();
        let power = |at: &AtNudge| at.beta.powi(2 * order);
        let square = |at: &AtNudge| at.bias * at.bias;
        let (s, sx, sy) = (sum(&|_| 1.0), sum(&power), sum(&square));
        let (sxx, sxy) = (sum(&|at| power(at) * power(at)), sum(&|at| power(at) * square(at)));
        let slope = (s * sxy - sx * sy) / (s * sxx - sx * sx);
        let (slope, floor) = match (slope, (sy - slope * sx) / s) {
            (slope, floor) if slope > 0.0 && floor >= 0.0 => (slope, floor),
            (slope, _) if slope > 0.0 => (sxy / sxx, 0.0),
            _ => (0.0, sy / s),
        };
        Some(Self { bias: slope.sqrt(), noise: noise.exp(), order, floor: floor.sqrt() })
    }

    /// The nudge of the smallest error: beta^(2p + 2) = c^2 / (p a^2). None where nothing speaks
    /// for a weak nudge (no bias), or nothing for a strong one (no noise).
    pub fn optimum(&self) -> Option<f64> {
        let ratio = self.noise * self.noise / (f64::from(self.order) * self.bias * self.bias);
        let beta = ratio.powf(1.0 / f64::from(2 * self.order + 2));
        (beta.is_normal() && self.noise > 1e-9).then_some(beta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optimum_of_known_bias_and_noise() {
        for (nudging, order) in
            [(Nudging::OneSided, 1), (Nudging::Centred, 2), (Nudging::FourPoint, 4)]
        {
            // A floor moves no optimum.
            let (a, c, floor) = (0.3, 0.02, 0.2f64);
            let at = |beta: f64| AtNudge {
                beta,
                bias: (a * beta.powi(order)).hypot(floor),
                noise: c / beta,
                cosine: 1.0,
                unsettled: 0.0,
            };
            let found: Vec<_> = (0..9).map(|k| at(0.05 * 1.6f64.powi(k))).collect();
            assert!(found.iter().filter(|at| at.bias > LARGEST_BIAS).count() < 4);
            let model = NudgeModel::fit(&found, nudging).unwrap();
            assert!(
                (model.bias - a).abs() < 1e-9
                    && (model.noise - c).abs() < 1e-9
                    && (model.floor - floor).abs() < 1e-9,
                "{model:?}"
            );
            // By search over a fine grid.
            let fine = (1..100_000).map(|k| at(f64::from(k) * 1e-5));
            let best = fine.min_by(|a, b| a.error().total_cmp(&b.error())).unwrap().beta;
            assert!(
                (model.optimum().unwrap() - best).abs() < 2e-5,
                "{} {best}",
                model.optimum().unwrap()
            );
        }
    }

    #[test]
    fn without_noise_or_bias_there_is_no_optimum() {
        let found = |bias: f64, noise: f64| {
            [0.1, 0.2, 0.4].map(|beta| AtNudge {
                beta,
                bias: bias * beta * beta,
                noise: noise / beta,
                cosine: 1.0,
                unsettled: 0.0,
            })
        };
        assert_eq!(NudgeModel::fit(&found(0.1, 0.0), Nudging::Centred).unwrap().optimum(), None);
        assert_eq!(NudgeModel::fit(&found(0.0, 0.1), Nudging::Centred).unwrap().optimum(), None);
        assert_eq!(NudgeModel::fit(&found(0.1, 0.1)[..2], Nudging::Centred), None);
    }
}
