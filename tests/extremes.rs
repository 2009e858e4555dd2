//! Every number that an experiment can state, at its extremes: refused with a message, or it works, and
//! every file that a run writes reads back. The keys are those that the code itself writes, so that a new one is covered by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use equilux::experiment::{Experiment, RunDirectory, Session};
use toml::{Table, Value};

/// Small machines whose tables hold every key.
const BASES: [(&str, &str); 3] = [
    ("exact", "layers = [13, 4, 3]\n"),
    ("crossbar", "layers = [13, 4, 3]\n[device.crossbar]\nsheet = 'crossbar-generic'\n"),
    (
        "spim",
        "layers = [13, 3]\ntopology = 'all-to-all'\n[device.spim]\nsheet = 'spim-generic'\npatterns.count = 2\n",
    ),
];

const REST: &str = "[relaxation]\nmax_steps = 100\n[training]\nepochs = 1\nbatch = 4\n";

const EXTREMES: [&str; 9] =
    ["0", "-1", "nan", "inf", "1e308", "1e-320", "-1e308", "9223372036854775807", "[]"];

/// The paths of all numbers and of all lists of numbers below `table`.
fn numbers(table: &Table, at: &str) -> Vec<String> {
    let below = |(key, value): (&String, &Value)| match value {
        Value::Table(table) => numbers(table, &format!("{at}{key}.")),
        Value::Integer(_) | Value::Float(_) | Value::Array(_) => vec![format!("{at}{key}")],
        _ => Vec::new(),
    };
    table.iter().flat_map(below).collect()
}

/// Trains one epoch and judges the machine; what is refused is as well as what works.
fn tried(text: &str, setting: &str) -> Result<(), String> {
    let Ok(experiment) = Experiment::parse(text, "extreme.toml", &[setting.to_owned()]) else {
        return Ok(());
    };
    let written = experiment.to_toml();
    match Experiment::parse(&written, "written.toml", &[]) {
        Ok(again) if again == experiment => {}
        Ok(_) => return Err("it reads back as another experiment".into()),
        Err(error) => return Err(format!("it does not read back: {error}")),
    }
    let Ok(mut session) = Session::<f64>::new(experiment) else { return Ok(()) };
    if session.trainer.epoch(&mut |_| ()).is_err() {
        return Ok(());
    }
    let Ok(summary) = session.trainer.summary("extreme".into()) else { return Ok(()) };
    let place = tempfile::tempdir().unwrap();
    let Ok(run) = RunDirectory::create(&place.path().join("run"), &session.experiment) else {
        return Err("its directory is not made".into());
    };
    // What is written reads back; what could not is not written.
    let unread = |what: &str, error: equilux::Error| Err(format!("its {what}: {error}"));
    match run.experiment(&[]) {
        Ok(read) if read == session.experiment => {}
        read => return Err(format!("its config.toml: {:?}", read.err())),
    }
    let trainer = &mut session.trainer;
    if run.write_metrics(trainer.metrics()).is_ok() {
        match run.metrics() {
            // No number is itself, but for its text.
            Ok(read) if format!("{read:?}") == format!("{:?}", trainer.metrics()) => {}
            Ok(read) => return Err(format!("its metrics: {read:?}, not {:?}", trainer.metrics())),
            Err(error) => return unread("metrics", error),
        }
    }
    if run.save(trainer).is_ok() {
        match run.read_checkpoint() {
            Ok(read) => trainer
                .resume_from(&read, &run.checkpoint())
                .or_else(|e| unread("checkpoint", e))?,
            Err(error) => return unread("checkpoint", error),
        }
    }
    if run.write_summary(&summary).is_ok() {
        match run.summary() {
            Ok(read) if read == summary => {}
            Ok(read) => return Err(format!("its summary: {read:?}, not {summary:?}")),
            Err(error) => return unread("summary", error),
        }
    }
    let [test, train] = [summary.scores.test().value(), summary.scores.train().value()];
    if test.is_finite() && train.is_finite() {
        Ok(())
    } else {
        Err(format!("test accuracy {test}"))
    }
}

#[test]
fn every_number_at_its_extremes() {
    let mut found = Vec::new();
    let mut count = 0;
    for (name, network) in BASES {
        let text = format!("[data]\nset = 'wine'\ntrain_limit = 8\n[network]\n{network}{REST}");
        let base = Experiment::parse(&text, name, &[]).unwrap();
        // As it stands it works, or nothing below would be tried.
        let mut session = Session::<f64>::new(base.clone()).unwrap();
        session.trainer.epoch(&mut |_| ()).unwrap();
        let keys = numbers(&base.to_toml().parse().unwrap(), "");
        assert!(keys.len() > 30, "{name}: {}", keys.len());
        for key in keys {
            for value in EXTREMES {
                let setting = format!("{key}={value}");
                let start = Instant::now();
                let outcome = catch_unwind(AssertUnwindSafe(|| tried(&text, &setting)));
                count += 1;
                match outcome {
                    Err(_) => found.push(format!("{name}: {setting}: panic")),
                    Ok(Err(wrong)) => found.push(format!("{name}: {setting}: {wrong}")),
                    Ok(Ok(())) if start.elapsed() > Duration::from_secs(10) => {
                        found.push(format!("{name}: {setting}: {:?}", start.elapsed()));
                    }
                    Ok(Ok(())) => {}
                }
            }
        }
    }
    assert!(found.is_empty(), "{} of {count}:\n{}", found.len(), found.join("\n"));
}
