//! The nudge that a device calls for: a weak one is lost in noise, a strong one leaves the linear regime.

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
}

impl AtNudge {
    /// What `judged` says of `beta`.
    pub fn new(beta: f64, judged: &Judged) -> Self {
        let whole = judged.whole;
        Self { beta, bias: whole.bias, noise: whole.noise, cosine: whole.cosine }
    }

    /// The mean square error of one estimate, in units of the gradient's square.
    pub fn error(&self) -> f64 {
        self.bias * self.bias + self.noise * self.noise
    }
}

/// The error a^2 beta^2p + c^2 / beta^2 + floor^2 of a nudge: bias beyond the linear regime, noise that the nudge divides, and what
/// neither changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NudgeModel {
    /// a: the bias at beta = 1.
    pub bias: f64,
    /// c: the noise at beta = 1.
    pub noise: f64,
    /// p: 2 for centred nudges, 1 for one-sided ones (Laborieux et al. 2021, arXiv 2006.03824).
    pub order: i32,
    /// What of the bias no nudge changes.
    pub floor: f64,
}

impl NudgeModel {
    /// The model of what was found at several nudges; none where there are fewer than three, or an error says nothing.
    ///
    /// The bias is a line in beta^p by least squares, neither end below 0; the noise is the geometric mean of beta times noise over the
    /// weaker half of the nudges, where it is largest.
    pub fn fit(found: &[AtNudge], nudging: Nudging) -> Option<Self> {
        let order = match nudging {
            Nudging::Centred => 2,
            Nudging::OneSided => 1,
        };
        let usable = found.iter().filter(|at| at.bias.is_finite() && at.noise.is_finite() && at.beta > 0.0);
        let mut sorted: Vec<AtNudge> = usable.copied().collect();
        if sorted.len() < 3 {
            return None;
        }
        sorted.sort_by(|a, b| a.beta.total_cmp(&b.beta));
        let weak = &sorted[..sorted.len().div_ceil(2)];
        let noise = weak.iter().map(|at| (at.beta * at.noise).max(f64::MIN_POSITIVE).ln()).sum::<f64>() / weak.len() as f64;
        // Each bias is known to within a fraction of its noise: it counts with that weight.
        let weight = |at: &AtNudge| 1.0 / (at.noise * at.noise + 1e-12);
        let sum = |f: &dyn Fn(&AtNudge) -> f64| sorted.iter().map(|at| weight(at) * f(at)).sum::<f64>();
        let power = |at: &AtNudge| at.beta.powi(order);
        let (s, sx, sy) = (sum(&|_| 1.0), sum(&power), sum(&|at| at.bias));
        let (sxx, sxy) = (sum(&|at| power(at) * power(at)), sum(&|at| power(at) * at.bias));
        let slope = (s * sxy - sx * sy) / (s * sxx - sx * sx);
        let (slope, floor) = if slope > 0.0 { (slope, (sy - slope * sx) / s) } else { (0.0, sy / s) };
        let slope = if floor < 0.0 { sxy / sxx } else { slope };
        Some(Self { bias: slope, noise: noise.exp(), order, floor: floor.max(0.0) })
    }

    /// The nudge of the smallest error where the floor is small: beta^(2p + 2) = c^2 / (p a^2). None where nothing speaks for a weak
    /// nudge (no bias), or nothing for a strong one (no noise).
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
        for (nudging, order) in [(Nudging::Centred, 2), (Nudging::OneSided, 1)] {
            let (a, c) = (0.3, 0.02);
            let at = |beta: f64| AtNudge { beta, bias: a * beta.powi(order), noise: c / beta, cosine: 1.0 };
            let found: Vec<_> = (0..9).map(|k| at(0.05 * 1.6f64.powi(k))).collect();
            let model = NudgeModel::fit(&found, nudging).unwrap();
            assert!((model.bias - a).abs() < 1e-9 && (model.noise - c).abs() < 1e-9 && model.floor < 1e-9, "{model:?}");
            // By search over a fine grid.
            let fine = (1..100_000).map(|k| at(f64::from(k) * 1e-5));
            let best = fine.min_by(|a, b| a.error().total_cmp(&b.error())).unwrap().beta;
            assert!((model.optimum().unwrap() - best).abs() < 2e-5, "{} {best}", model.optimum().unwrap());
        }
    }

    #[test]
    fn without_noise_or_bias_there_is_no_optimum() {
        let found = |bias: f64, noise: f64| {
            [0.1, 0.2, 0.4].map(|beta| AtNudge { beta, bias: bias * beta * beta, noise: noise / beta, cosine: 1.0 })
        };
        assert_eq!(NudgeModel::fit(&found(0.1, 0.0), Nudging::Centred).unwrap().optimum(), None);
        assert_eq!(NudgeModel::fit(&found(0.0, 0.1), Nudging::Centred).unwrap().optimum(), None);
        assert_eq!(NudgeModel::fit(&found(0.1, 0.1)[..2], Nudging::Centred), None);
    }
}
