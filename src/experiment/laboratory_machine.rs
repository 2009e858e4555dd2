//! The machine `laboratory`: one that relaxes by itself.

use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::arithmetic::Real;
use crate::system::{RemoteSystem, System};
use crate::wire::LaboratoryTable;
use crate::{Error, Result};

/// The machine `laboratory`: one that relaxes by itself behind the table `[laboratory]`. It says
/// what its parameters are; `network.initial_gain` spreads their first values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaboratoryMachine {}

impl LaboratoryMachine {
    pub(super) fn describe(&self, experiment: &Experiment) -> String {
        experiment.laboratory.as_ref().map_or("a laboratory".into(), |table| table.name())
    }

    /// Checks that the rule is one for what measurements alone can say.
    pub(super) fn check(&self, experiment: &Experiment) -> Result<()> {
        phases_of(experiment)?;
        experiment.laboratory.as_ref().map_or(Ok(()), LaboratoryTable::check)
    }

    /// The machine says what it takes.
    pub(super) fn check_data(&self, _: &Experiment, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    pub(super) fn build<T: Real>(&self, experiment: &Experiment) -> Result<Box<dyn System<T>>> {
        let laboratory = experiment.reach_laboratory()?.ok_or_else(|| {
            Error::input(
                "machine = \"laboratory\": expected a table [laboratory] with its command or address, \
                 or --laboratory",
            )
        })?;
        let (gain, seed) = (experiment.network.initial_gain, experiment.seed);
        let system = RemoteSystem::new(laboratory, gain, seed)?;
        system.expect_phases(experiment.learning.rule.name(), phases_of(experiment)?)?;
        Ok(Box::new(system))
    }
}

/// The phases that the rule of an experiment asks of its machine.
fn phases_of(experiment: &Experiment) -> Result<&'static [&'static str]> {
    let rule = experiment.learning.rule.name();
    match rule {
        "spsa" => Ok(&["free"]),
        "ep" | "vector-field" => Ok(&["free", "nudged"]),
        "asym-ep" => Ok(&["free", "reversed"]),
        "dyadic-ep" => Ok(&["free", "dyadic"]),
        _ => Err(Error::input(format!(
            "learning.rule = \"{rule}\": a laboratory has no model of its machine; expected \"ep\", \
             \"vector-field\", \"asym-ep\", \"dyadic-ep\" or \"spsa\""
        ))),
    }
}
