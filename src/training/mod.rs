//! Training: data, optimiser, schedule, checkpoints. Nothing here knows devices, rules by name, or
//! configurations: a [`Trainer`] is handed a system, a rule, an optimiser and data.

mod answers;
mod checkpoint;
mod confusion;
mod epoch;
mod metrics;
mod objective;
pub mod optimiser;
mod outcome;
mod predicted;
pub mod schedule;
mod score;
mod trainer;

pub use checkpoint::{Begun, Checkpoint, Progress};
pub use confusion::Confusion;
pub use epoch::EpochMetrics;
pub use metrics::{LabSummary, Summary};
pub use objective::{Evaluation, Objective, infer_outputs, predict};
pub use outcome::Scores;
pub use predicted::Predicted;
pub use schedule::Schedule;
pub use score::{Errors, Fit, Score, TargetFit};
pub use trainer::{Plan, Trainer};
