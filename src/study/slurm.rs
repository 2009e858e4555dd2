//! A sweep or a budget as a Slurm job array, one shard a task.

use std::path::Path;

use crate::{Error, Result};

/// The script of a job array of `tasks` tasks in which the command `[name, options...]` of `program`
/// does the file `file` into the directory `out`, which all nodes see.
///
/// # Errors
/// When a path is not text, or it or an option has a line break in it.
pub fn slurm_script(
    program: &Path,
    command: &[&str],
    file: &Path,
    out: &Path,
    tasks: u16,
) -> Result<String> {
    let name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let (program, file, out) = (quoted(program)?, quoted(file)?, quoted(out)?);
    let (command, options) = command.split_first().unwrap_or((&"", &[]));
    let options = options.iter().map(|option| Ok(format!(" {}", quoted(Path::new(option))?)));
    let options = options.collect::<Result<String>>()?;
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
         exec {program} {command} {file}{options} --out \"$out\" --shard \"$SLURM_ARRAY_TASK_ID/{tasks}\" \\\n    \
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
            &["sweep"],
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
        let command = ["budget", "--set", "data.set=a b"];
        let script =
            slurm_script(Path::new("/e"), &command, Path::new("/x.toml"), Path::new("/out"), 2);
        assert!(script.unwrap().contains("'/e' budget '/x.toml' '--set' 'data.set=a b' --out"));
    }
}
