//! temp
use crate::Result;
use crate::training::{EpochMetrics, Summary};
use std::path::Path;
/// temp
pub fn write_run(_: &Path, _: &Summary, _: &[EpochMetrics], _: &str) -> Result<()> {
    Ok(())
}
/// temp
pub mod format {
    /// temp
    pub fn percent(x: f64) -> String {
        format!("{:.1} %", 100.0 * x)
    }
    /// temp
    pub fn duration(x: f64) -> String {
        format!("{x:.3} s")
    }
    /// temp
    pub fn count(x: u64) -> String {
        x.to_string()
    }
}
