//! How a machine learns: the table `[learning]`.

use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;
use crate::data::Task;
use crate::learning::{AsymEpTable, Common, Nudges, Nudging, Rule, RuleChoice};
use crate::quantity::range;
use crate::system::Cost;
use crate::training::Objective;
use crate::{Error, Result};

/// How the machine learns: the table `[learning]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningConfig {
    /// The rule, by name or with its table.
    pub rule: RuleChoice,
    /// Nudge strength.
    #[serde(deserialize_with = "range::not_zero")]
    pub beta: f64,
    /// On which sides the machine is nudged.
    pub nudging: Nudging,
    /// Updates after which the machine, once more, lets go of its nudges at the end of their
    /// phases, to see whether it returns to its free steady state: 1 is always, 0 never. Costs a
    /// phase a nudge where couplings close a loop, and nothing where a steady state is the only one.
    pub release_every: u64,
    /// The cost of outputs against targets.
    pub cost: Cost,
    /// Target of the outputs of other classes, for the squared error; of the least value of a target.
    #[serde(deserialize_with = "range::finite")]
    pub target_off: f64,
    /// Target of the output of a sample's class, for the squared error; of the greatest value of a
    /// target.
    #[serde(deserialize_with = "range::finite")]
    pub target_on: f64,
}

impl Default for LearningConfig {
    fn default() -> Self {
        Self {
            rule: AsymEpTable::default().into(),
            beta: 0.1,
            nudging: Nudging::Centred,
            release_every: 100,
            cost: Cost::SquaredError,
            target_off: -0.9,
            target_on: 0.9,
        }
    }
}

impl LearningConfig {
    /// The rule of these numbers; `seed` names its random streams.
    pub fn rule<T: Real>(&self, seed: u64) -> Box<dyn Rule<T>> {
        let nudges =
            Nudges { release_every: self.release_every, ..Nudges::new(self.beta, self.nudging) };
        self.rule.rule(Common { nudges, seed })
    }

    /// The same with another rule; one of the same name keeps its numbers.
    #[must_use]
    pub fn with_rule(&self, rule: RuleChoice) -> Self {
        match rule.name() == self.rule.name() {
            true => self.clone(),
            false => Self { rule, ..self.clone() },
        }
    }

    /// Checks that it can learn `task`.
    ///
    /// # Errors
    /// When the cost of a regression is one of classes, or outputs have no range for its targets.
    pub(super) fn check(&self, task: Task) -> Result<()> {
        if task == Task::Classification {
            return Ok(());
        }
        if self.cost.class_targets().is_some() {
            let name = |cost: &Cost| serde_json::to_string(cost).expect("a name");
            let others = Cost::ALL.iter().filter(|cost| cost.class_targets().is_none()).map(name);
            return Err(Error::input(format!(
                "learning.cost = {}: a cost of classes, and data.task is \"regression\"; expected {}",
                name(&self.cost),
                others.collect::<Vec<_>>().join(" or ")
            )));
        }
        if self.target_off == self.target_on {
            return Err(Error::input(format!(
                "learning.target_on = {}: learning.target_off is the same; expected the two ends of \
                 what an output shows of its target's range",
                self.target_on
            )));
        }
        Ok(())
    }

    /// What outputs should be.
    pub fn objective(&self) -> Objective {
        let Self { cost, target_off, target_on, .. } = *self;
        Objective { cost, target_off, target_on }
    }
}
