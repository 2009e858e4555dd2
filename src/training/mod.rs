//! Training.

mod metrics;

pub use metrics::{EpochMetrics, LabSummary, Summary};
