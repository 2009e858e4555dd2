//! Error budgets: what each imperfection of a device costs.
//!
//! A [`Subject`] is a machine with effects that can be set one by one: an [`ExperimentSubject`] is
//! the machine of an experiment, its effects those of its device's list that are on; code from
//! outside brings its own. A budget runs
//!
//! ```text
//! full      the device as it is                 alone     one effect on an otherwise ideal device
//! ideal     without any effect                  away      the full device without one effect
//!                                               doubled   the full device, one effect twice as large
//! ```
//!
//! each with the same settings on the same seeds. A seed is a split of the data, a start and a chip;
//! differences are taken seed by seed. An effect that makes no sense without another (a measured
//! response without levels) is never without it.
//!
//! [`budget`] first runs all machines on the least number of seeds, then pairs of those effects that
//! matter most, both taken away: where the sum of parts is not the whole, two effects cancel or
//! feed each other. More seeds then go where the ranking is undecided, until the order of the first
//! few is settled or the runs are spent. What is run next follows from what came of the runs before
//! and nothing else, so a stopped budget goes on to the same bits, on any number of threads.
//!
//! # Intervals
//! 95 % for all effects of a column together (Student's t, Bonferroni's correction: each of m has
//! 1 - 0.05/m). The ranking compares neighbours; its look number r at k of them spends
//! 0.05/(k r (r + 1)) on each, which is 0.05 over all looks.

mod contrast;
mod directory;
mod ledger;
mod machines;
mod options;
mod outcome;
mod plan;
mod ranking;
mod subject;
mod tolerance;

pub use contrast::Contrast;
pub use directory::BudgetDirectory;
pub use ledger::Conduct;
pub use options::Options;
pub use outcome::{Budget, Costs, EffectCost, MachineCost, Pair, Sum};
pub use plan::{budget, first_runs};
pub use subject::{ExperimentSubject, Imperfection, Subject};
pub use tolerance::Tolerance;
