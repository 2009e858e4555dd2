//! `equilux budget`: what each imperfection of a device costs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::many_runs::{ManyRuns, how_to_go_on};
use super::print;
use super::progress::Runs;
use crate::experiment::Experiment;
use crate::report::{Paper, describe_budget, write_budget};
use crate::study::budget::{
    BudgetDirectory, Conduct, ExperimentSubject, Options, budget, first_runs,
};
use crate::study::{GradientConfig, Shard};
use crate::{Error, Result};

/// Estimates of the gradient of each run.
const ESTIMATES: usize = 4;

/// Say what each imperfection of a device costs
///
/// Trains the device as it is, without any effect, with each effect alone, without each, with each
/// doubled, and without pairs of those that matter most; all on the same seeds, each a split, a
/// start and a chip. More seeds go where the ranking is undecided. Intervals are 95 % for all effects
/// of a column together (Student, Bonferroni). The same command goes on with a budget that was
/// stopped, or with more runs. Writes budget.json, results.csv, index.html and plots.
#[derive(Debug, Args)]
pub struct BudgetCommand {
    /// The experiment, a TOML file
    config: PathBuf,
    /// The directory of the budget [default: budgets/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a key of the experiment, for example training.epochs=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The least number of seeds of every machine
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: u32,
    /// Runs after which no more seeds are asked for [default: three times what --seeds takes]
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// How many effects are to be in a settled order
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Points (of accuracy, or hundredths of R2) below which a difference is none
    #[arg(long, value_name = "POINTS", default_value_t = 0.5)]
    within: f64,
    /// How many of the effects that matter most are tested in pairs
    #[arg(long, value_name = "N", default_value_t = 4)]
    pairs: u16,
    /// Find how large each effect may be; these runs come on top of --runs
    #[arg(long)]
    tolerances: bool,
    /// The loss that tolerances allow, points
    #[arg(long, value_name = "POINTS", default_value_t = 1.0, requires = "tolerances")]
    loss: f64,
    /// Samples on which the gradient is judged; 0 judges none
    #[arg(long, value_name = "N", default_value_t = 16)]
    gradient_samples: u16,
    /// Be process i of n that share the directory: each begins elsewhere, all end with the whole
    #[arg(long, value_name = "i/n")]
    shard: Option<String>,
    /// Check everything and say how many runs there are at least, but do none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    many: ManyRuns,
}

pub(super) fn run(command: &BudgetCommand, json: bool) -> Result<()> {
    let shard = command.shard.as_deref().map_or(Ok(Shard::ALL), str::parse)?;
    let experiment = Experiment::load(&command.config, &command.settings)?;
    let out = command.out.clone().unwrap_or_else(|| {
        Path::new("budgets").join(command.config.file_stem().unwrap_or_default())
    });
    let options = Options {
        seeds: command.seeds.into(),
        runs: command.runs,
        top: command.top.into(),
        within: 0.01 * command.within,
        paired: command.pairs.into(),
        tolerances: command.tolerances.then_some(0.01 * command.loss),
    };
    let samples = usize::from(command.gradient_samples);
    let gradient = (samples > 0).then_some(GradientConfig { samples, repeats: ESTIMATES });
    let subject =
        ExperimentSubject::new(experiment.clone(), gradient).map_err(|error| match error {
            Error::Input(message) => {
                Error::input(format!("{}: {message}", command.config.display()))
            }
            other => other,
        })?;
    let subject = subject.stopping_with(super::stop_on_signals());
    if command.dry_run || command.many.slurm.is_some() {
        let runs = first_runs(&subject, &options)?;
        if let Some(script) = &command.many.slurm {
            return slurm(command, script, &out, runs, json);
        }
        return print(&if json {
            json!({ "budget": out, "runs": runs }).to_string()
        } else {
            format!("at least {runs} runs into {}", out.display())
        });
    }
    let jobs = command.many.jobs();
    let conduct = Conduct { jobs, shard, retry_failed: command.many.retry_failed };
    let mut bar = Runs::new(" of this round");
    let mut watch = |progress| bar.advance(progress);
    // Options are checked before anything is written.
    first_runs(&subject, &options)?;
    let directory = BudgetDirectory::for_experiment(&out, &experiment)?;
    let found = budget(&subject, &directory, &options, conduct, &mut watch);
    let found = found.map_err(how_to_go_on)?;
    bar.finish();
    write_budget(&directory, &found, Some(&experiment), Paper::default())?;
    if gradient.is_some() && found.full.costs.cosine.is_none() {
        super::tell(&format!(
            "the gradient of the device could not be judged: equilux gradient {} says why",
            command.config.display()
        ));
    }
    if json {
        let mut told = serde_json::to_value(&found).expect("names and finite numbers");
        told["budget"] = json!(out);
        return print(&told.to_string());
    }
    let mut lines = describe_budget(&found);
    lines.push(format!("report         {}", out.join("index.html").display()));
    print(&lines.join("\n"))
}

fn slurm(
    command: &BudgetCommand,
    script: &Path,
    out: &Path,
    runs: usize,
    json: bool,
) -> Result<()> {
    let mut words: Vec<String> = vec!["budget".into()];
    for setting in &command.settings {
        words.extend(["--set".into(), setting.clone()]);
    }
    for (option, value) in [
        ("--seeds", command.seeds.to_string()),
        ("--top", command.top.to_string()),
        ("--within", command.within.to_string()),
        ("--pairs", command.pairs.to_string()),
        ("--gradient-samples", command.gradient_samples.to_string()),
    ] {
        words.extend([option.to_owned(), value]);
    }
    if let Some(runs) = command.runs {
        words.extend(["--runs".into(), runs.to_string()]);
    }
    if command.tolerances {
        words.extend(["--tolerances".into(), "--loss".into(), command.loss.to_string()]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let out = command.many.write_script(script, &words, [&command.config, out])?;
    if json {
        return print(&json!({ "budget": out, "runs": runs, "slurm": script }).to_string());
    }
    print(&format!(
        "at least {runs} runs in {} tasks: sbatch {}",
        command.many.tasks,
        script.display()
    ))
}
