//! Studies: many runs that answer one question.
//!
//! A study is one TOML file: an experiment, axes over any of its keys, seeds.
//!
//! ```toml
//! title = "How much read noise does each rule stand?"
//! base = "../digits-crossbar.toml"      # or the experiment itself, as [experiment]
//! seeds = 5
//!
//! [[axis]]
//! key = "device.crossbar.read_noise.sd_uS"
//! values = [0.0, 0.1, 0.3, 1.0]         # or logarithmic = { from = 0.1, to = 10.0, steps = 7 }, or linear
//!
//! [[axis]]
//! key = "learning.rule"
//! values = ["asym-ep", "vector-field"]
//! ```
//!
//! [`Study::load`] reads it and [`Study::runs`] makes every run of it, resolved and checked, before
//! anything runs. A run's identity is a hash of all that decides its results, so [`sweep`] does
//! only what the [`StudyDirectory`] does not have yet: a stopped sweep goes on, an extended one
//! runs what is new, and shards of one sweep meet in one table.

mod axis;
pub mod budget;
mod definition;
mod directory;
mod draw;
mod gradient;
mod learnt;
mod measure;
mod nudge;
mod procedure;
mod record;
mod run;
mod slurm;
mod suggestion;
mod sweep;
mod table;
mod turn;

pub use axis::{Axis, Range};
pub use definition::{Procedure, Seeds, Study};
pub use directory::StudyDirectory;
pub use draw::{Draw, Method};
pub use gradient::{GradientConfig, Judged, Quality, judge};
pub use measure::{Measure, Reads};
pub use nudge::{AtNudge, NudgeModel};
pub use record::{Outcome, Record};
pub use run::Run;
pub use slurm::slurm_script;
pub use suggestion::{Suggestion, suggest_nudge};
pub use sweep::{Options, Progress, Shard, Swept, sweep};
pub use table::{Names, Point, Row, Table};
