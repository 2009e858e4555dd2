//! What commands that do many runs share: how many at a time, a job array.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::study::slurm_script;
use crate::{Error, Result};

/// How many runs are done.
#[derive(Debug, Args)]
pub struct ManyRuns {
    /// Runs at a time [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Try runs again that failed
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// Write a Slurm job array that does them, and run nothing here
    #[arg(long, value_name = "OUT.sbatch", conflicts_with_all = ["shard", "dry_run", "retry_failed"])]
    pub(super) slurm: Option<PathBuf>,
    /// Tasks of the job array
    #[arg(long, value_name = "N", default_value_t = 8, requires = "slurm", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) tasks: u16,
}

impl ManyRuns {
    /// Runs at a time.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.map_or_else(rayon::current_num_threads, usize::from)
    }

    /// Writes to `script` the job array of the command `words` for the file `input`, its results in
    /// `out`; returns where that is.
    pub(super) fn write_script(
        &self,
        script: &Path,
        words: &[&str],
        [input, out]: [&Path; 2],
    ) -> Result<PathBuf> {
        let program = super::program()?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::reading(path));
        let out = absolute(out)?;
        let job = slurm_script(&program, words, &absolute(input)?, &out, self.tasks)?;
        crate::file::write_text(script, &job)?;
        Ok(out)
    }
}

/// An error that tells, where it is one of being stopped, what goes on.
pub(super) fn how_to_go_on(error: Error) -> Error {
    match error {
        Error::Stopped(_) => Error::Stopped(
            "stopped; runs that had ended are kept, and the same command does the others".into(),
        ),
        other => other,
    }
}
