//! `equilux compare`: what differs between runs, in configuration and result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::print;
use crate::Result;
use crate::experiment::{Experiment, RunDirectory, outcome};
use crate::report::scores::{beside, full, number};
use crate::report::{aligned, format};
use crate::training::{Score, Scores, Summary};

/// Show what differs between runs, in configuration and result
#[derive(Debug, Args)]
pub struct CompareCommand {
    /// The directories of the runs
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
}

/// A result: what it is called and how it reads.
type ResultOf = (&'static str, fn(&Summary) -> String);

const RESULTS: [ResultOf; 6] = [
    ("test unsettled", |of| format!("{} of {}", of.test_unsettled, of.test_samples)),
    ("epochs", |of| of.epochs.to_string()),
    ("laboratory time", |of| format::duration(of.lab.seconds)),
    ("camera frames", |of| format::count(of.lab.frames as f64)),
    ("conversions", |of| format::count(of.lab.conversions as f64)),
    ("energy", |of| format::energy(&of.lab.energy)),
];

pub(super) fn run(command: &CompareCommand, json: bool) -> Result<()> {
    let mut configs = Vec::new();
    let mut summaries = Vec::new();
    for path in &command.runs {
        let directory = RunDirectory::open(path)?;
        configs.push(keys(&Experiment::load(&directory.config(), &[])?));
        summaries.push(outcome(&directory)?);
    }
    let differing = differing(&configs);
    if json {
        let differing: BTreeMap<&String, &Vec<Option<String>>> =
            differing.iter().map(|(key, values)| (key, values)).collect();
        let results: Vec<Value> = summaries.iter().map(|summary| json!(summary)).collect();
        return print(
            &json!({ "runs": command.runs, "differs": differing, "results": results }).to_string(),
        );
    }
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(command.runs.iter().map(|run| name(run)))
            .collect::<Vec<_>>(),
    ];
    for (key, values) in &differing {
        rows.push(
            std::iter::once(key.clone())
                .chain(values.iter().map(|value| value.clone().unwrap_or_else(|| "-".into())))
                .collect(),
        );
    }
    if differing.is_empty() {
        rows.push(vec!["(the same configuration)".into()]);
    }
    rows.push(Vec::new());
    rows.extend(scores(&summaries));
    rows.extend(RESULTS.iter().map(|(label, read)| {
        // A run that was killed in its first epoch has none.
        let result = |summary: &Option<Summary>| summary.as_ref().map_or("-".into(), read);
        std::iter::once((*label).to_owned()).chain(summaries.iter().map(result)).collect()
    }));
    print(&aligned(&rows).join("\n"))
}

/// How well the runs do on their test and training parts: called accuracy or R2 where all of them
/// learn classes, or all of them targets.
fn scores(summaries: &[Option<Summary>]) -> [Vec<String>; 2] {
    let all = || summaries.iter().flatten().map(|summary| summary.scores.test().name());
    let name = all().next().filter(|name| all().all(|other| other == *name));
    let shown = |score: Score| match name {
        Some(_) => number(score) + &beside(score),
        None => full(score),
    };
    let row = |part: &str, of: fn(&Scores) -> Score| {
        let result = |summary: &Option<Summary>| {
            summary.as_ref().map_or("-".into(), |summary| shown(of(&summary.scores)))
        };
        let label = format!("{part} {}", name.unwrap_or("score"));
        [label].into_iter().chain(summaries.iter().map(result)).collect()
    };
    [row("test", Scores::test), row("train", Scores::train)]
}

fn name(run: &Path) -> String {
    run.display().to_string()
}

/// Every key of an experiment with its value.
fn keys(experiment: &Experiment) -> BTreeMap<String, String> {
    fn collect(value: &toml::Value, path: &str, keys: &mut BTreeMap<String, String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    collect(
                        value,
                        &if path.is_empty() { key.clone() } else { format!("{path}.{key}") },
                        keys,
                    );
                }
            }
            value => {
                keys.insert(path.to_owned(), value.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    if let Ok(value) = toml::Value::try_from(experiment) {
        collect(&value, "", &mut found);
    }
    // One of several tables is chosen by its name.
    if let Some(family) = found.keys().find_map(|key| family(key)) {
        found.insert("device".into(), family);
    }
    found
}

/// The family of devices whose `key` this is, as a value of `device`.
fn family(key: &str) -> Option<String> {
    key.strip_prefix("device.")?.split('.').next().map(|family| format!("{family:?}"))
}

/// The keys that are not the same in all of `configs`, with their values. Numbers of a device, its
/// datasheet aside, are compared among devices of its family.
fn differing(configs: &[BTreeMap<String, String>]) -> Vec<(String, Vec<Option<String>>)> {
    let all: std::collections::BTreeSet<&String> =
        configs.iter().flat_map(BTreeMap::keys).collect();
    let values =
        |key: &String| configs.iter().map(|config| config.get(key).cloned()).collect::<Vec<_>>();
    let differs = |(key, values): &(String, Vec<Option<String>>)| {
        let own = family(key).filter(|_| !key.ends_with(".sheet"));
        let beside = values.iter().zip(configs);
        let mut beside = beside.filter(|(_, of)| own.is_none() || of.get("device") == own.as_ref());
        let first = beside.next();
        beside.any(|(value, _)| first.is_none_or(|(first, _)| value != first))
    };
    all.into_iter().map(|key| (key.clone(), values(key))).filter(differs).collect()
}
