//! Training: data, optimiser, schedule, checkpoints. Nothing here knows devices.

mod checkpoint;
mod metrics;
mod optimiser;
mod run_directory;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, Progress};
pub use metrics::{EpochMetrics, LabSummary, Summary, unsettled_fraction};
pub use optimiser::{Adam, Bop, Optimiser, OptimiserConfig, Sgd};
pub use run_directory::RunDirectory;
pub use schedule::Schedule;
pub use trainer::{
    Evaluation, Trainer, check_classes, check_fit, class_targets, evaluate, load_machine, predict,
};
