//! A sweep as a Slurm job array, one shard a task.

use std::path::Path;

use crate::{Error, Result};

/// The script of a job array of `tasks` tasks that does the study of the file `study` into the
/// directory `out`, which all nodes see.
///
/// # Errors
/// When a path is not text, or has a line break in it.
pub fn slurm_script(program: &Path, study: &Path, out: &Path, tasks: u16) -> Result<String> {
    let name = study
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let (program, study, out) = (quoted(program)?, quoted(study)?, quoted(out)?);
    Ok(format!(
        "#!/bin/bash\n\
         # sbatch THIS; a task that was stopped goes on when it is submitted again.\n\
         #SBATCH --job-name=equilux-{name}\n\
         #SBATCH --array=1-{tasks}\n\
         #SBATCH --cpus-per-task=1\n\
         #SBATCH --output=/dev/null\n\
         set -euo pipefail\n\
         out={out}\n\
         mkdir -p \"$out/logs\"\n\
         exec {program} sweep {study} --out \"$out\" --shard \"$SLURM_ARRAY_TASK_ID/{tasks}\" \\\n    \
         --jobs \"${{SLURM_CPUS_PER_TASK:-1}}\" > \"$out/logs/$SLURM_ARRAY_TASK_ID.log\" 2>&1\n"
    ))
}

/// `path` as one word of a shell.
fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.contains('\n'));
    let text = text.ok_or_else(|| {
        Error::input(format!("{}: a path that a script cannot name", path.display()))
    })?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words() {
        let script = slurm_script(
            Path::new("/a b/equilux"),
            Path::new("/it's/noise.toml"),
            Path::new("/out"),
            8,
        )
        .unwrap();
        for part in [
            "--array=1-8\n",
            "job-name=equilux-noise\n",
            "'/a b/equilux' sweep '/it'\\''s/noise.toml'",
            "$SLURM_ARRAY_TASK_ID/8",
        ] {
            assert!(script.contains(part), "{part} in {script}");
        }
    }
}
