//! Training: data, optimiser, schedule, checkpoints. Nothing here knows devices, rules by name, or
//! configurations: a [`Trainer`] is handed a system, a rule, an optimiser and data.

mod checkpoint;
mod confusion;
mod metrics;
mod objective;
pub mod optimiser;
pub mod schedule;
mod trainer;

pub use checkpoint::{Begun, Checkpoint, Progress};
pub use confusion::Confusion;
pub use metrics::{EpochMetrics, LabSummary, Summary};
pub use objective::{Evaluation, Objective, predict};
pub use schedule::Schedule;
pub use trainer::{Plan, Trainer};
