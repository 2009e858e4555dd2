//! The directory of a budget: what was asked, and what came of it.

use std::path::{Path, PathBuf};

use super::Budget;
use crate::experiment::Experiment;
use crate::file::{create_directory, read_text, write_text};
use crate::study::directory::holds_other_things;
use crate::study::turn::Turn;
use crate::{Error, Result};

/// A budget's directory: `experiment.toml`, `records/`, `budget.json`, `results.csv`, and the page
/// and plots that are made of them.
#[derive(Clone, Debug)]
pub struct BudgetDirectory {
    path: PathBuf,
}

impl BudgetDirectory {
    /// The directory `path` of the budget of `experiment`: made, or gone on with.
    ///
    /// # Errors
    /// When it holds something else, or the budget of another experiment.
    pub fn for_experiment(path: &Path, experiment: &Experiment) -> Result<Self> {
        let directory = Self { path: path.to_owned() };
        let (definition, text) = (directory.definition(), experiment.to_toml_in(path)?);
        if definition.is_file() && path.join("records").is_dir() {
            if read_text(&definition)? != text {
                return Err(Error::input(format!(
                    "{}: it holds the budget of another experiment; --out names another directory",
                    path.display()
                )));
            }
        } else if path.exists() && holds_other_things(path)? {
            return Err(Error::input(format!(
                "{}: not the directory of a budget; --out names another",
                path.display()
            )));
        }
        create_directory(&directory.records())?;
        let _turn = Turn::take(&directory.records(), path)?;
        write_text(&definition, &text)?;
        Ok(directory)
    }

    /// A directory `path` for the budget of a machine that is no experiment; whoever goes on with it
    /// sees to it that it is the same machine.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(path: &Path) -> Result<Self> {
        create_directory(&path.join("records"))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The budget at `path`: its experiment, none where it is of a machine that is no experiment,
    /// and what was found.
    ///
    /// # Errors
    /// When there is none that has ended, or it is damaged.
    pub fn open(path: &Path) -> Result<(Self, Option<Experiment>, Budget)> {
        let directory = Self { path: path.to_owned() };
        let results = directory.results();
        let budget = serde_json::from_str(&read_text(&results)?)
            .map_err(|e| Error::input(format!("{}: not a budget: {e}", results.display())))?;
        let definition = directory.definition();
        let experiment = definition.is_file().then(|| Experiment::load(&definition, &[]));
        Ok((directory, experiment.transpose()?, budget))
    }

    /// Whether `path` is the directory of a budget that has ended.
    pub fn is_one(path: &Path) -> bool {
        Self { path: path.to_owned() }.results().is_file()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The experiment, resolved.
    pub fn definition(&self) -> PathBuf {
        self.path.join("experiment.toml")
    }

    /// The budget as JSON.
    pub fn results(&self) -> PathBuf {
        self.path.join("budget.json")
    }

    /// Writes `budget.json`, and `runs`, one line a run, as `results.csv`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, budget: &Budget, runs: &str) -> Result<()> {
        let json = serde_json::to_string_pretty(budget).expect("names and finite numbers");
        let _turn = Turn::take(&self.records(), &self.path)?;
        write_text(&self.path.join("results.csv"), runs)?;
        write_text(&self.results(), &(json + "\n"))
    }

    /// Where the records of runs are.
    pub(super) fn records(&self) -> PathBuf {
        self.path.join("records")
    }
}
