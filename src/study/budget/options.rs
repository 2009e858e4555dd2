//! What a budget asks.

use crate::{Error, Result};

/// What a budget asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The least number of seeds of every machine, at least 2.
    pub seeds: u64,
    /// Runs after which no more seeds are asked for; tolerances come on top. None is three times
    /// what the least number of seeds takes.
    pub runs: Option<usize>,
    /// How many effects are to be in a settled order.
    pub top: usize,
    /// Differences of score below this are none: effects closer than that need no order.
    pub within: f64,
    /// How many effects are tested in pairs.
    pub paired: usize,
    /// The loss of score whose tolerances are wanted, 0 to 1.
    pub tolerances: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seeds: 5, runs: None, top: 3, within: 0.005, paired: 4, tolerances: None }
    }
}

impl Options {
    /// Checks that they are in range.
    pub(super) fn check(&self) -> Result<()> {
        if self.seeds < 2 {
            let seeds = self.seeds;
            return Err(Error::input(format!(
                "--seeds {seeds}: one seed has no standard error; expected at least 2"
            )));
        }
        for (option, value) in [("--within", Some(self.within)), ("--loss", self.tolerances)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && *value < 1.0)) {
                return Err(Error::input(format!(
                    "{option} {}: expected points above 0 and below 100",
                    100.0 * value
                )));
            }
        }
        Ok(())
    }
}
