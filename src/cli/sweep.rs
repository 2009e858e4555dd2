//! `equilux sweep` and `equilux merge`: the runs of a study, here or on many machines.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::many_runs::{ManyRuns, how_to_go_on};
use super::print;
use super::progress::Runs;
use crate::Result;
use crate::report::{Paper, describe_points, format, rewrite_run};
use crate::study::{Options, Shard, Study, StudyDirectory, Table, sweep};

/// Failures that are shown one by one.
const FAILURES_SHOWN: usize = 3;

/// Do the runs of a study
///
/// Runs go in parallel, each on one core; every one that ends is recorded at once. The same command
/// goes on with a sweep that was stopped, and does only what is new of a study that was extended.
/// Writes results.csv, one row a run, and summary.csv, one row a point with mean, standard
/// deviation and 95 % interval over seeds.
#[derive(Debug, Args)]
pub struct SweepCommand {
    /// The study, a TOML file
    study: PathBuf,
    /// The directory of the study [default: studies/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do only part i of n; the parts may share a directory, or be put together by equilux merge
    #[arg(long, value_name = "i/n")]
    shard: Option<String>,
    /// Check everything and say how many runs there are, but do none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    many: ManyRuns,
}

/// Put together the parts of a study that ran in directories of their own
#[derive(Debug, Args)]
pub struct MergeCommand {
    /// The directories of the parts
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,
    /// The directory of the whole; may be one of the parts
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(command: &SweepCommand, json: bool) -> Result<()> {
    let shard = command.shard.as_deref().map_or(Ok(Shard::ALL), str::parse)?;
    let study = Study::load(&command.study)?;
    let out = command.out.clone().unwrap_or_else(|| {
        Path::new("studies").join(command.study.file_stem().unwrap_or_default())
    });
    if command.dry_run {
        let runs = study.runs()?.len();
        return print(&if json {
            json!({ "study": out, "runs": runs }).to_string()
        } else {
            format!("{runs} runs into {}", out.display())
        });
    }
    if let Some(script) = &command.many.slurm {
        return slurm(command, &study, script, &out, json);
    }
    let jobs = command.many.jobs();
    let retry_failed = command.many.retry_failed;
    let stop = super::stop_on_signals();
    let kept = |path: &Path| rewrite_run(path, Paper::default());
    let options = Options { jobs, shard, retry_failed, kept: &kept, stop: &stop };
    let mut bar = Runs::new("");
    let mut watch = |progress| bar.advance(progress);
    let directory = || StudyDirectory::for_study(&out, &study);
    let swept = sweep(&study, directory, &options, &mut watch).map_err(how_to_go_on)?;
    bar.finish();
    tell(&study, &out, &swept.table, swept.runs, Some(swept.ran), json)
}

pub(super) fn merge(command: &MergeCommand, json: bool) -> Result<()> {
    let (_, study) = StudyDirectory::open(&command.parts[0])?;
    let runs = study.runs()?;
    let whole = StudyDirectory::for_study(&command.out, &study)?;
    for part in command.parts.iter().filter(|part| **part != command.out) {
        whole.merge(&study, part)?;
    }
    let table = whole.write_tables(&study, &runs)?;
    tell(&study, &command.out, &table, runs.len(), None, json)
}

fn slurm(
    command: &SweepCommand,
    study: &Study,
    script: &Path,
    out: &Path,
    json: bool,
) -> Result<()> {
    let runs = study.runs()?.len();
    let out = command.many.write_script(script, &["sweep"], [&command.study, out])?;
    if json {
        return print(&json!({ "study": out, "runs": runs, "slurm": script }).to_string());
    }
    print(&format!("{runs} runs in {} tasks: sbatch {}", command.many.tasks, script.display()))
}

/// What a user reads at the end: every point's result, what failed, where the tables are.
fn tell(
    study: &Study,
    out: &Path,
    table: &Table,
    runs: usize,
    ran: Option<usize>,
    json: bool,
) -> Result<()> {
    let results = out.join("results.csv");
    let (failed, ended) = (table.failed(), table.rows.len());
    if json {
        let told = json!({ "study": out, "runs": runs, "done": ended - failed, "failed": failed, "ran": ran, "results": results });
        return print(&told.to_string());
    }
    let mut lines = describe_points(study, table);
    for row in table.rows.iter().filter(|row| row.outcome.is_err()).take(FAILURES_SHOWN) {
        let error =
            row.outcome.as_ref().err().map_or("", |error| error.lines().next().unwrap_or_default());
        lines.push(format!("failed         run {}: {error}", row.number));
    }
    let count = |n: usize| format::count(n as f64);
    let mut done = format!("runs           {} of {} done", count(ended - failed), count(runs));
    if failed > 0 {
        done += &format!(", {} failed (--retry-failed tries them again)", count(failed));
    }
    if let Some(ran) = ran.filter(|ran| *ran < ended) {
        done += &format!("; {} of them now", count(ran));
    }
    lines.push(done);
    lines.push(format!("results        {}", results.display()));
    print(&lines.join("\n"))
}
