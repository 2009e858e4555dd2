//! `equilux gradient`: how close every rule comes to the exact gradient.

use std::path::PathBuf;

use clap::Args;
use nalgebra::DMatrix;
use serde_json::{Value, json};

use super::print;
use crate::coupler::Domain;
use crate::error::did_you_mean;
use crate::experiment::{Case, Experiment, LearningConfig, Precision, RunDirectory, Session};
use crate::learning::{
    Adjoint, Batch, Estimate, Fidelity, FiniteDifferences, Rule, RuleChoice, fidelity,
};
use crate::report::format::counted;
use crate::study::suggest_nudge;
use crate::system::{Cost, Gradient, System};
use crate::{Error, Result};

/// The steps in which case files relax, in time constants: the first that settles. One step is
/// stable for eigenvalues with h < 2 |Re l| / |l|^2, so the last will do for |l|^2 up to 2500 |Re l|.
const CASE_STEPS: [f64; 5] = [0.2, 0.05, 0.0125, 0.0031, 0.0008];

/// Compare every rule's gradient with the exact adjoint
///
/// An experiment's untrained machine, or a run's trained one, learns from one batch of training
/// samples, in double precision; all trained parameters are compared. In a case file (W, U, b, x,
/// target) the gradient of W is compared. EP trains tied pairs W_ij = W_ji, so in a case file its
/// gradient is that of tied pairs.
#[derive(Debug, Args)]
pub struct GradientCommand {
    /// An experiment (.toml), a case file (.json) or the directory of a run
    source: PathBuf,
    /// Rules to compare [default: all that apply]
    #[arg(long = "rule", value_name = "RULE", value_delimiter = ',')]
    rules: Vec<String>,
    /// Nudge strengths [default: the experiment's; 0.1,0.01,0.001 for a case file]
    #[arg(long, value_name = "BETA", value_delimiter = ',', allow_hyphen_values = true)]
    beta: Vec<f64>,
    /// Samples of the batch [default: training.batch]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Compare with finite differences of the machine itself, parameters moved by STEP: slow, and
    /// nothing is left out
    #[arg(long, value_name = "STEP", num_args = 0..=1, default_missing_value = "1e-3", conflicts_with = "suggest_beta", value_parser = step)]
    truth: Option<f64>,
    /// Recommend a nudge for this device and one rule [default: the experiment's], and say why
    #[arg(long)]
    suggest_beta: bool,
    /// Estimates at each nudge, each with noise of its own, for --suggest-beta
    #[arg(long, value_name = "N", default_value_t = 16, requires = "suggest_beta", value_parser = clap::value_parser!(u32).range(2..))]
    repeats: u32,
    /// Change a key of the experiment, for example learning.nudging=one-sided; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// One line of the comparison.
struct Row {
    rule: RuleChoice,
    beta: Option<f64>,
    fidelity: Fidelity,
    unsettled: usize,
    truncated: usize,
    /// The gradient of W, for case files.
    gradient: Option<DMatrix<f64>>,
}

pub(super) fn run(command: &GradientCommand, json: bool) -> Result<()> {
    if let Some(beta) = command.beta.iter().find(|beta| !beta.is_finite() || **beta == 0.0) {
        return Err(Error::input(format!("--beta {beta}: expected numbers other than 0")));
    }
    let rules = command.rules.iter().map(|name| rule_named(name)).collect::<Result<Vec<_>>>()?;
    if command.source.extension().is_some_and(|extension| extension == "json") {
        if !command.settings.is_empty()
            || command.samples.is_some()
            || command.suggest_beta
            || command.truth.is_some()
        {
            return Err(Error::input(
                "--set, --samples, --truth and --suggest-beta go with an experiment or a run, not with a case file",
            ));
        }
        return cases(command, &rules, json);
    }
    let bench = Bench::new(command)?;
    if command.suggest_beta {
        suggest(command, &rules, bench, json)
    } else {
        experiment(command, &rules, bench, json)
    }
}

fn step(text: &str) -> std::result::Result<f64, String> {
    let step = text.parse().ok().filter(|step: &f64| step.is_finite() && *step > 0.0);
    step.ok_or_else(|| "expected a number above 0".into())
}

fn rule_named(name: &str) -> Result<RuleChoice> {
    RuleChoice::named(name).ok_or_else(|| {
        let names = RuleChoice::NAMES;
        Error::input(format!(
            "--rule {name}: expected one of {}{}",
            names.join(", "),
            did_you_mean(name, names.iter().copied())
        ))
    })
}

/// The rules to compare at each nudge; rules that cannot train `binary` patterns are left out
/// unless asked for.
fn plan(rules: &[RuleChoice], betas: &[f64], binary: bool) -> Vec<(RuleChoice, Option<f64>)> {
    let usual = RuleChoice::all().into_iter().filter(|rule| {
        let traits = rule.traits();
        !(traits.settles_often || binary && traits.moves_parameters)
    });
    let rules: Vec<RuleChoice> = if rules.is_empty() { usual.collect() } else { rules.to_vec() };
    let each = |rule: &RuleChoice| -> Vec<Option<f64>> {
        if rule.traits().nudges { betas.iter().copied().map(Some).collect() } else { vec![None] }
    };
    let pair = |rule: RuleChoice| each(&rule).into_iter().map(move |beta| (rule.clone(), beta));
    rules.into_iter().flat_map(pair).collect()
}

/// An experiment in double precision before one batch of training samples.
struct Bench {
    session: Session<f64>,
    inputs: DMatrix<f64>,
    targets: DMatrix<f64>,
}

impl Bench {
    /// An experiment's untrained machine, or the trained one of a run.
    fn new(command: &GradientCommand) -> Result<Self> {
        let session = if command.source.is_dir() {
            let run = RunDirectory::open(&command.source)?;
            let experiment = run.experiment(&command.settings)?;
            Session::<f64>::reopen(&run, Experiment { precision: Precision::F64, ..experiment })?
        } else {
            Session::new(Experiment::load(&command.source, &command.settings)?)?
        };
        let usual = session.experiment.training.batch;
        let samples = command.samples.map_or(usual, |samples| samples as usize);
        let (inputs, targets) = session.first_batch(samples);
        Ok(Self { session, inputs, targets })
    }
}

/// Recommends a nudge.
fn suggest(
    command: &GradientCommand,
    rules: &[RuleChoice],
    mut bench: Bench,
    json: bool,
) -> Result<()> {
    let learning = &bench.session.experiment.learning;
    let learning = match rules {
        [] => learning.clone(),
        [rule] => learning.with_rule(rule.clone()),
        _ => return Err(Error::input("--suggest-beta: expected one --rule")),
    };
    let Bench { session, inputs, targets } = &mut bench;
    let batch = Batch { inputs, targets, cost: learning.cost, update: 0 };
    let betas = if command.beta.is_empty() { None } else { Some(command.beta.as_slice()) };
    let (seed, repeats) = (session.experiment.seed, command.repeats as usize);
    let machine = session.trainer.system_mut();
    let suggestion = suggest_nudge(machine, &batch, &learning, seed, repeats, betas)?;
    if json {
        return print(&suggestion.json().to_string());
    }
    let (machine, samples) = (session.experiment.describe(), inputs.ncols());
    print(&format!(
        "{machine}, {}, {repeats} estimates a nudge\n{}",
        counted(samples, "sample"),
        suggestion.describe()
    ))
}

fn experiment(
    command: &GradientCommand,
    rules: &[RuleChoice],
    mut bench: Bench,
    json: bool,
) -> Result<()> {
    let Bench { session, inputs, targets } = &mut bench;
    let Session { experiment, trainer, .. } = session;
    let (learning, samples) = (&experiment.learning, inputs.ncols());
    let batch = Batch { inputs, targets, cost: learning.cost, update: 0 };
    let machine = trainer.system_mut();
    let parameters = machine.parameters();
    let trained = |gradient: Gradient<f64>| -> Gradient<f64> {
        let pairs = gradient.into_iter().zip(&parameters);
        pairs.filter(|(_, p)| p.domain != Domain::Fixed).map(|(gradient, _)| gradient).collect()
    };
    let (exact, yardstick) = match command.truth {
        Some(step) => {
            let rule = FiniteDifferences { step, ..FiniteDifferences::default() };
            let yardstick =
                format!("finite differences of the machine itself, {step} to either side");
            (rule.estimate(machine, &batch)?, yardstick)
        }
        None => {
            let yardstick = format!(
                "the adjoint of this machine without noise, rounding and clipping, by {} (--truth: \
                 finite differences of the machine itself)",
                machine.derivative_by()
            );
            (Adjoint::default().estimate(machine, &batch)?, yardstick)
        }
    };
    let cost = mean_cost(machine, &batch, &exact);
    let exact = trained(exact.gradient.whole());
    let betas = if command.beta.is_empty() { vec![learning.beta] } else { command.beta.clone() };
    let binary = parameters.iter().any(|parameter| parameter.domain == Domain::Binary);
    let mut programmed: Gradient<f64> = parameters.iter().map(|p| p.values.clone()).collect();
    let found = machine.state();
    let (mut rows, mut moved) = (Vec::new(), false);
    for (rule, beta) in plan(rules, &betas, binary) {
        let beta_used = beta.unwrap_or(learning.beta);
        let learning = LearningConfig { beta: beta_used, ..learning.with_rule(rule.clone()) };
        // Every rule looks at the hardware that the yardstick saw, whoever has moved it since.
        if moved {
            machine.program(&mut programmed)?;
            machine.restore(&found)?;
        }
        moved = rule.traits().moves_parameters;
        let estimate = learning.rule(experiment.seed).estimate(machine, &batch)?;
        let (unsettled, truncated) = (estimate.unsettled, estimate.truncated);
        let fidelity = fidelity(&trained(estimate.gradient.whole()), &exact);
        rows.push(Row { rule, beta, fidelity, unsettled, truncated, gradient: None });
    }
    if json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        let json = json!({ "rules": rows, "free": { "cost": cost }, "samples": samples, "yardstick": yardstick });
        return print(&json.to_string());
    }
    print(&format!(
        "{}, {}, mean cost {cost:.6}\nagainst {yardstick}\n{}",
        experiment.describe(),
        counted(samples, "sample"),
        table(&rows, samples)
    ))
}

/// The mean cost of the free phase.
fn mean_cost(system: &dyn System<f64>, batch: &Batch<f64>, estimate: &Estimate<'_, f64>) -> f64 {
    let costs = batch.costs(system, &estimate.free);
    costs.iter().sum::<f64>() / costs.len() as f64
}

fn cases(command: &GradientCommand, rules: &[RuleChoice], json: bool) -> Result<()> {
    let betas = if command.beta.is_empty() { vec![0.1, 0.01, 0.001] } else { command.beta.clone() };
    let mut results = Vec::new();
    let mut failed = Vec::new();
    for case in Case::read(&command.source)? {
        let (rows, free, cost) = match compare(&case, rules, &betas) {
            Ok(found) => found,
            Err(error) => {
                results.push(json!({ "name": case.name, "error": error.to_string() }));
                failed.push(error.to_string());
                continue;
            }
        };
        if json {
            let rows: Vec<Value> = rows.iter().map(Row::json).collect();
            results.push(
                json!({ "name": case.name, "rules": rows, "free": { "v0": free, "cost": cost } }),
            );
        } else {
            let values = free.iter().map(|v| format!("{v:.6}")).collect::<Vec<_>>().join(" ");
            print(&format!(
                "{}\nfree state {values}\ncost {cost:.9}\n{}\n",
                case.name,
                table(&rows, 1)
            ))?;
        }
    }
    match (json, results.len()) {
        (false, _) => {}
        (true, 1) => print(&results[0].to_string())?,
        (true, _) => print(&json!({ "cases": results }).to_string())?,
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Machine(format!("{}: {}", command.source.display(), failed.join("\n"))))
}

/// What comes of a case: a row a rule, the free state and its cost.
type Compared = (Vec<Row>, Vec<f64>, f64);

/// Every rule's gradient of W against the exact one, in the longest steps that settle.
fn compare(case: &Case, rules: &[RuleChoice], betas: &[f64]) -> Result<Compared> {
    for step in CASE_STEPS {
        if let Some(found) = compare_in_steps(step, case, rules, betas)? {
            return Ok(found);
        }
    }
    let shortest = CASE_STEPS[CASE_STEPS.len() - 1];
    Err(Error::Machine(format!(
        "case {}: a phase did not settle in steps of {shortest} time constants: its steady state is \
         unstable, marginal, or none",
        case.name
    )))
}

/// [`compare`] in steps of `step` time constants; none where a phase does not settle in them.
fn compare_in_steps(
    step: f64,
    case: &Case,
    rules: &[RuleChoice],
    betas: &[f64],
) -> Result<Option<Compared>> {
    let mut machine = case.machine(step)?;
    let (inputs, targets) = (case.inputs(), case.targets());
    let cost = Cost::SquaredError;
    let batch = Batch { inputs: &inputs, targets: &targets, cost, update: 0 };
    let mut of = |rule: RuleChoice, beta: Option<f64>| {
        let usual = LearningConfig::default();
        let learning = LearningConfig { rule, beta: beta.unwrap_or(usual.beta), ..usual };
        let estimate = learning.rule(0).estimate(&mut machine, &batch)?;
        Ok::<_, Error>(if estimate.unsettled == 0 { Some(estimate) } else { None })
    };
    let Some(exact) = of(Adjoint::default().into(), None)? else { return Ok(None) };
    let exact_gradient = exact.gradient.whole().swap_remove(0);
    let mut rows = Vec::new();
    for (rule, beta) in plan(rules, betas, false) {
        let Some(estimate) = of(rule.clone(), beta)? else { return Ok(None) };
        let found = estimate.gradient.whole().swap_remove(0);
        let ties = rule.traits().ties_pairs;
        let pair = |gradient: DMatrix<f64>| if ties { tied(&gradient) } else { gradient };
        let (found, exact) = (pair(found), pair(exact_gradient.clone()));
        let fidelity = fidelity(std::slice::from_ref(&found), &[exact]);
        let gradient = Some(found);
        rows.push(Row { rule, beta, fidelity, unsettled: 0, truncated: 0, gradient });
    }
    let free: Vec<f64> = exact.free.values.iter().copied().collect();
    let cost = mean_cost(&machine, &batch, &exact);
    Ok(Some((rows, free, cost)))
}

/// The gradient of tied pairs W_ij = W_ji; diagonal entries count once.
fn tied(gradient: &DMatrix<f64>) -> DMatrix<f64> {
    let mut tied = gradient + gradient.transpose();
    tied.set_diagonal(&gradient.diagonal());
    tied
}

impl Row {
    fn json(&self) -> Value {
        let Fidelity { cosine, relative_error } = self.fidelity;
        let mut row = json!({ "rule": self.rule.name(), "beta": self.beta, "cosine": cosine, "relative_error": relative_error });
        match &self.gradient {
            Some(gradient) => {
                let rows: Vec<Vec<f64>> =
                    gradient.row_iter().map(|row| row.iter().copied().collect()).collect();
                row[if self.rule.traits().ties_pairs { "dW_tied" } else { "dW" }] = json!(rows);
            }
            None => {
                row["unsettled"] = json!(self.unsettled);
                row["truncated"] = json!(self.truncated);
            }
        }
        row
    }
}

fn table(rows: &[Row], samples: usize) -> String {
    let mut lines =
        vec![format!("{:<14} {:>9} {:>12} {:>15}", "rule", "beta", "cosine", "relative error")];
    for Row { rule, beta, fidelity, unsettled, truncated, .. } in rows {
        let beta = beta.map_or("-".into(), |beta| beta.to_string());
        let mut warning = String::new();
        if *unsettled > 0 {
            warning += &format!("   {unsettled} of {samples} samples did not settle");
        }
        if *truncated > 0 {
            warning += &format!("   {truncated} of {samples} samples truncated");
        }
        lines.push(format!(
            "{:<14} {beta:>9} {:>12.8} {:>15.3e}{warning}",
            rule.name(),
            fidelity.cosine,
            fidelity.relative_error
        ));
    }
    lines.join("\n")
}
