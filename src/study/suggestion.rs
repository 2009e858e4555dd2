//! A nudge for a device, with the reasons.

use serde_json::{Value, json};

use super::{AtNudge, NudgeModel, judge};
use crate::experiment::LearningConfig;
use crate::learning::{Batch, Nudging};
use crate::system::System;
use crate::{Error, Result};

/// The nudges that are tried unless others are asked for: from 0.01 to about 10, a quarter of a
/// decade apart.
const TRIED: (f64, f64, usize) = (0.01, 1.778_279_41, 13);

/// What was found at every nudge, and the nudge to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The rule.
    pub rule: &'static str,
    /// The sides on which it nudges.
    pub nudging: Nudging,
    /// What was found, by ascending nudge.
    pub found: Vec<AtNudge>,
    /// The bias and the noise of that.
    pub model: Option<NudgeModel>,
    /// The nudge of the smallest error.
    pub beta: f64,
}

/// Tries nudges on `machine` (`betas`, above 0, or the usual ones), judging the gradient of
/// `learning`'s rule in `repeats` estimates each.
///
/// # Errors
/// When the rule has no nudge, a nudge is not above 0, or no estimate is finite.
pub fn suggest_nudge(
    machine: &mut dyn System<f64>,
    batch: &Batch<f64>,
    learning: &LearningConfig,
    seed: u64,
    repeats: usize,
    betas: Option<&[f64]>,
) -> Result<Suggestion> {
    if !learning.rule.traits().nudges {
        return Err(Error::input(format!(
            "--suggest-beta: the rule {} has no nudge",
            learning.rule.name()
        )));
    }
    let (first, ratio, count) = TRIED;
    let mut betas = betas.map_or_else(
        || (0..count).map(|k| first * ratio.powi(k as i32)).collect(),
        <[f64]>::to_vec,
    );
    if let Some(beta) = betas.iter().find(|beta| **beta <= 0.0) {
        return Err(Error::input(format!(
            "--beta {beta}: expected numbers above 0 with --suggest-beta"
        )));
    }
    betas.sort_by(f64::total_cmp);
    let mut found = Vec::with_capacity(betas.len());
    for beta in betas {
        let rule = LearningConfig { beta, ..learning.clone() }.rule(seed);
        found.push(AtNudge::new(beta, &judge(machine, batch, rule.as_ref(), repeats)?));
    }
    let finite = found.iter().filter(|at| at.error().is_finite() && at.cosine.is_finite());
    let best = finite.min_by(|a, b| a.error().total_cmp(&b.error()));
    let best = best.ok_or_else(|| {
        Error::Machine("--suggest-beta: no nudge gave a gradient: did the machine settle?".into())
    })?;
    let model = NudgeModel::fit(&found, learning.nudging);
    Ok(Suggestion {
        rule: learning.rule.name(),
        nudging: learning.nudging,
        beta: best.beta,
        model,
        found,
    })
}

impl Suggestion {
    /// What was found at the nudge to use.
    fn best(&self) -> Option<&AtNudge> {
        self.found.iter().find(|at| at.beta == self.beta)
    }

    /// The table of what was found, the suggestion and the reasons.
    pub fn describe(&self) -> String {
        let mut lines = vec![format!(
            "{:>9}  {:>10}  {:>10}  {:>10}  {:>10}",
            "beta", "cosine", "bias", "noise", "error"
        )];
        lines.extend(self.found.iter().map(|at| {
            let mark = if at.beta == self.beta { "  <" } else { "" };
            if !at.cosine.is_finite() {
                return format!("{:>9.4}  no sample settled", at.beta);
            }
            format!(
                "{:>9.4}  {:>10.6}  {:>10.3e}  {:>10.3e}  {:>10.3e}{mark}",
                at.beta,
                at.cosine,
                at.bias,
                at.noise,
                at.error().sqrt()
            )
        }));
        lines.push(String::new());
        lines.push(format!("suggested beta  {:.3} for {}", self.beta, self.rule));
        lines.extend(self.reasons().iter().map(|reason| format!("because         {reason}")));
        lines.join("\n")
    }

    /// Why this nudge.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(best) = self.best() {
            reasons.push(format!(
                "of those tried it has the smallest error: bias {:.2e} and noise {:.2e} of the gradient's size",
                best.bias, best.noise
            ));
        }
        let Some(model) = self.model else { return reasons };
        let noise = format!("the noise of one estimate is {:.2e} / beta", model.noise);
        let power =
            if model.order == 1 { "beta".to_owned() } else { format!("beta^{}", model.order) };
        let bias = format!("the bias grows as {:.2e} {power}", model.bias);
        match model.optimum() {
            Some(optimum) => {
                reasons.push(format!("{noise} and {bias}: they balance at beta = {optimum:.3}"))
            }
            None if model.noise <= 1e-9 => reasons.push(format!(
                "there is no noise, and {bias}: the weakest nudge that settles is best"
            )),
            None => reasons
                .push(format!("{noise}, and no bias grows with the nudge: the strongest is best")),
        }
        if model.floor > 0.05 {
            let floor = model.floor;
            reasons
                .push(format!("a bias of {floor:.2} is there at every nudge: it is the rule's or the converters', and no nudge mends it"));
        }
        if self.found.len() > 1 && [self.found.first(), self.found.last()].contains(&self.best()) {
            reasons.push("it is at the end of those tried: --beta may name others beyond".into());
        }
        reasons
    }

    /// All of it for programs.
    pub fn json(&self) -> Value {
        let found = |at: &AtNudge| json!({ "beta": at.beta, "cosine": at.cosine, "bias": at.bias, "noise": at.noise });
        let model = self.model.map(|model| {
            let NudgeModel { bias, noise, order, floor } = model;
            json!({ "bias": bias, "noise": noise, "order": order, "floor": floor, "optimum": model.optimum() })
        });
        let found: Vec<Value> = self.found.iter().map(found).collect();
        json!({ "rule": self.rule, "suggested_beta": self.beta, "because": self.reasons(), "nudges": found, "model": model })
    }
}
