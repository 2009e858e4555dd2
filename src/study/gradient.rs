//! How good a rule's gradient is on a machine with noise: its direction, its bias and its noise,
//! array by array.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::coupler::Domain;
use crate::data::Dataset;
use crate::experiment::{Experiment, Session};
use crate::learning::{Adjoint, Batch, Rule, fidelity};
use crate::quantity::range;
use crate::system::{Gradient, System};

/// How gradients are judged: the table `[gradient]` of a study.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GradientConfig {
    /// Training samples of the batch.
    #[serde(deserialize_with = "range::positive_integer")]
    pub samples: usize,
    /// Estimates, each with noise of its own.
    #[serde(deserialize_with = "range::positive_integer")]
    pub repeats: usize,
}

impl Default for GradientConfig {
    fn default() -> Self {
        Self { samples: 32, repeats: 16 }
    }
}

/// What repeated estimates say of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Of all parameters together.
    pub whole: Quality,
    /// Of each trained array by its name.
    pub arrays: Vec<(String, Quality)>,
    /// The fraction of samples that did not settle and took no part, 0 to 1.
    pub unsettled: f64,
}

/// The quality of estimates g of an exact gradient e.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Mean cosine of the angle between an estimate and e.
    pub cosine: f64,
    /// Mean of |g - e| / |e|.
    pub relative_error: f64,
    /// |mean g - e| / |e|, less what noise leaves in a mean of that many.
    pub bias: f64,
    /// Standard deviation of g, sqrt(E |g - mean g|^2) / |e|; 0 of one estimate.
    pub noise: f64,
}

/// Judges the gradient that `rule` finds on `machine`, in `repeats` estimates, against the exact
/// adjoint.
///
/// # Errors
/// When the machine does not take the batch, or cannot do what the rule needs.
pub fn judge(
    machine: &mut dyn System<f64>,
    batch: &Batch<f64>,
    rule: &dyn Rule<f64>,
    repeats: usize,
) -> Result<Judged> {
    let parameters = machine.parameters();
    let trained: Vec<usize> =
        (0..parameters.len()).filter(|index| parameters[*index].domain != Domain::Fixed).collect();
    let of_trained = |gradient: Gradient<f64>| -> Gradient<f64> {
        trained.iter().map(|index| gradient[*index].clone()).collect()
    };
    let exact = of_trained(Adjoint::default().gradient(machine, batch)?);
    let (mut estimates, mut unsettled) = (Vec::with_capacity(repeats), 0);
    for repeat in 0..repeats {
        let estimate = rule.estimate(machine, &Batch { update: repeat as u64, ..*batch })?;
        unsettled += estimate.unsettled;
        estimates.push(of_trained(estimate.gradient.whole()));
    }
    let array = |place: usize| {
        let of_array: Vec<Gradient<f64>> =
            estimates.iter().map(|estimate| vec![estimate[place].clone()]).collect();
        (parameters[trained[place]].name.clone(), quality(&of_array, &exact[place..=place]))
    };
    Ok(Judged {
        whole: quality(&estimates, &exact),
        arrays: (0..trained.len()).map(array).collect(),
        unsettled: unsettled as f64 / (repeats * batch.inputs.ncols()).max(1) as f64,
    })
}

fn quality(estimates: &[Gradient<f64>], exact: &[DMatrix<f64>]) -> Quality {
    let n = estimates.len() as f64;
    let each: Vec<_> = estimates.iter().map(|estimate| fidelity(estimate, exact)).collect();
    let square =
        |matrices: &[DMatrix<f64>]| matrices.iter().map(DMatrix::norm_squared).sum::<f64>();
    let difference = |a: &[DMatrix<f64>], b: &[DMatrix<f64>]| {
        a.iter().zip(b).map(|(a, b)| (a - b).norm_squared()).sum::<f64>()
    };
    let mean: Vec<DMatrix<f64>> = (0..exact.len())
        .map(|place| estimates.iter().fold(exact[place].map(|_| 0.0), |sum, g| sum + &g[place]) / n)
        .collect();
    let spread: f64 = estimates.iter().map(|estimate| difference(estimate, &mean)).sum();
    let variance = if estimates.len() > 1 { spread / (n - 1.0) } else { 0.0 };
    let size = square(exact);
    Quality {
        cosine: each.iter().map(|fidelity| fidelity.cosine).sum::<f64>() / n,
        relative_error: each.iter().map(|fidelity| fidelity.relative_error).sum::<f64>() / n,
        bias: ((difference(&mean, exact) - variance / n).max(0.0) / size).sqrt(),
        noise: (variance / size).sqrt(),
    }
}

/// Judges the rule of `experiment` on its untrained machine and the first training samples.
pub(super) fn judge_experiment(
    experiment: &Experiment,
    config: GradientConfig,
    dataset: &Dataset,
) -> Result<Judged> {
    let mut session = Session::<f64>::with_data(experiment.clone(), dataset.clone())?;
    let (inputs, targets) = session.first_batch(config.samples);
    let cost = experiment.learning.cost;
    let batch = Batch { inputs: &inputs, targets: &targets, cost, update: 0 };
    let rule = experiment.learning.rule(experiment.seed);
    judge(session.trainer.system_mut(), &batch, rule.as_ref(), config.repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bias_and_noise_are_told_apart() {
        // Estimates e + bias + noise of known sizes: |e| = 5, bias 0.5 in one entry, deviation 0.2
        // in each of 100 entries.
        let mut exact = DMatrix::zeros(10, 10);
        (exact[(0, 0)], exact[(1, 1)]) = (3.0, 4.0);
        let estimate = |repeat: u64| {
            let mut g: DMatrix<f64> = exact.clone();
            g[(2, 2)] += 0.5;
            crate::arithmetic::random::Key::new(1, "test")
                .with(repeat)
                .add_normals(g.as_mut_slice(), 0.2);
            vec![g]
        };
        let estimates: Vec<_> = (0..400).map(estimate).collect();
        let found = quality(&estimates, std::slice::from_ref(&exact));
        // 40,000 deviates: a relative error of 1/sqrt(80,000) = 0.35 % of the deviation; the mean
        // is off by 0.1 of 25 squared at most.
        assert!((found.noise - 2.0 / 5.0).abs() < 5.0 * 0.0035 * 0.4, "{found:?}");
        assert!((found.bias - 0.1).abs() < 5.0 * 0.2 / 20.0 / 5.0, "{found:?}");
        let once = quality(&estimates[..1], std::slice::from_ref(&exact));
        assert_eq!((once.noise, once.bias), (0.0, once.relative_error));
    }
}
