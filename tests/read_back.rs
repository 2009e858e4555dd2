//! What exports, studies and budgets write at the extremes of a machine's numbers reads back as it was,
//! or is not written.

use std::collections::BTreeMap;
use std::path::Path;

use equilux::experiment::{Experiment, RunDirectory, Session};
use equilux::export::{ExportOptions, MaskOptions, Target, export, verify};
use equilux::stop::Stop;
use equilux::study::budget::{self, BudgetDirectory, Conduct, ExperimentSubject, budget};
use equilux::study::{Options, Progress, Shard, Study, StudyDirectory, Table, sweep};
use toml::Value;

const CROSSBAR: &str =
    "[network]\nlayers = [13, 4, 3]\n[device.crossbar]\nsheet = 'crossbar-generic'\n";
const SPIM: &str = "[network]\nlayers = [13, 3]\ntopology = 'all-to-all'\n\
                    [device.spim]\nsheet = 'spim-generic'\npatterns.count = 2\n";
const REST: &str = "[data]\nset = 'wine'\ntrain_limit = 8\n[relaxation]\nmax_steps = 100\n\
                    [training]\nepochs = 1\nbatch = 4\n";

/// Settings of which one alone takes a number of what is written to an end of its range.
const SHARED: [&str; 9] = [
    "seed=9223372036854775807",
    "chip=9223372036854775807",
    "network.initial_gain=2.3e-308",
    "network.initial_gain=1e100",
    "training.optimiser.sgd.rate=1e100",
    "training.optimiser.sgd.rate=2.3e-308",
    "data.gain=1e100",
    "data.gain=2.3e-308",
    "data.clip=2.3e-308",
];
const OF_CROSSBARS: [&str; 7] = [
    "relaxation.time_constant_us=1e100",
    "device.crossbar.cells.g_max_uS=1e100",
    "device.crossbar.cells.g_max_uS=1e-300",
    "device.crossbar.read_noise.sd_uS=1e100",
    "device.crossbar.programming.error_uS=1e100",
    "device.crossbar.adc.bits=2",
    "device.crossbar.cost.read_time_us=1e100",
];
const OF_OPTICS: [&str; 9] = [
    "device.spim.frames.rate_Hz=1e-300",
    "device.spim.frames.rate_Hz=1e100",
    "device.spim.frames.settling_ms=1e100",
    "device.spim.patterns.weight=1e100",
    "device.spim.patterns.weight=2.3e-308",
    "device.spim.camera.noise=1",
    "device.spim.camera.full_scale=1e100",
    "device.spim.camera.full_scale=2.3e-308",
    "device.spim.panel.wavelength_nm=1e100",
];

/// Each machine of `settings` that may be, as text, with its setting; most of them are.
fn machines(base: &str, settings: &[&str]) -> Vec<(String, Experiment)> {
    let text = format!("{base}{REST}");
    let all: Vec<&str> = SHARED.iter().chain(settings).copied().collect();
    let made = |setting: &&str| match Experiment::parse(&text, "extreme.toml", &[(*setting).into()])
    {
        Ok(experiment) => Some(((*setting).to_owned(), experiment)),
        Err(error) => {
            assert!(!error.to_string().contains("unknown"), "{setting}: {error}");
            None
        }
    };
    let made: Vec<_> = all.iter().filter_map(made).collect();
    assert!(2 * made.len() > all.len(), "{} of {}", made.len(), all.len());
    made
}

#[test]
fn exports() {
    let mut whole = 0;
    for (base, settings, target) in
        [(CROSSBAR, &OF_CROSSBARS[..], Target::Crossbar), (SPIM, &OF_OPTICS[..], Target::Slm)]
    {
        for (setting, experiment) in machines(base, settings) {
            let place = tempfile::tempdir().unwrap();
            let Ok(mut session) = Session::<f64>::new(experiment) else { continue };
            let _ = session.trainer.epoch(&mut |_| ());
            let run = RunDirectory::create(&place.path().join("run"), &session.experiment).unwrap();
            if run.save(&session.trainer).is_err() {
                continue;
            }
            for target in [target, Target::Safetensors, Target::Npz] {
                let masks = MaskOptions { bits: Some(8), phases: true, ..Default::default() };
                let options = ExportOptions { clip: true, masks, ..ExportOptions::to(target) };
                let maps = place.path().join(format!("{target:?}"));
                if export(run.path(), &options, &maps).is_ok() {
                    let verified = verify(&maps).unwrap_or_else(|e| panic!("{setting}: {e}"));
                    assert!(verified.ok, "{setting}: {target:?}");
                    whole += 1;
                }
            }
        }
    }
    assert!(whole > 40, "{whole}");
}

#[test]
fn studies() {
    for (base, settings) in [(CROSSBAR, &OF_CROSSBARS[..]), (SPIM, &OF_OPTICS[..])] {
        let mut axes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (setting, _) in machines(base, settings) {
            let (key, value) = setting.split_once('=').unwrap();
            if key == "seed" {
                continue; // among those of every study
            }
            let value: toml::Table = format!("value = {value}").parse().unwrap();
            axes.entry(key.to_owned()).or_default().push(value["value"].clone());
        }
        for (key, values) in axes {
            let place = tempfile::tempdir().unwrap();
            let values = Value::Array(values);
            let experiment: toml::Table = format!("{base}{REST}").parse().unwrap();
            let text = toml::Table::from_iter([
                (
                    "seeds".to_owned(),
                    Value::Array(vec![Value::Integer(1), Value::Integer(i64::MAX)]),
                ),
                ("experiment".to_owned(), Value::Table(experiment)),
            ]);
            let text = format!("{text}\n[[axis]]\nkey = '{key}'\nvalues = {values}\n");
            std::fs::write(place.path().join("study.toml"), text).unwrap();
            let study = Study::load(&place.path().join("study.toml"))
                .unwrap_or_else(|error| panic!("{key} = {values}: {error}"));
            let (stop, path) = (Stop::default(), place.path().join("study"));
            let kept = |_: &Path| Ok(());
            let options = Options {
                jobs: 1,
                shard: Shard::ALL,
                retry_failed: false,
                kept: &kept,
                stop: &stop,
            };
            let swept = || {
                let directory = || StudyDirectory::for_study(&path, &study);
                sweep(&study, directory, &options, &mut |_| ()).unwrap()
            };
            let first = swept();
            let (directory, read) = StudyDirectory::open(&path).unwrap();
            assert_eq!(read.to_toml(), study.to_toml(), "{key} = {values}");
            // Numbers that are none are themselves in their text only.
            let read = Table::read(&directory.results(), &study).unwrap();
            assert_eq!(format!("{read:?}"), format!("{:?}", first.table), "{key} = {values}");
            let again = swept();
            assert_eq!(again.ran, 0, "{key} = {values}: its records do not read back");
            assert_eq!(format!("{:?}", again.table), format!("{:?}", first.table));
        }
    }
}

#[test]
fn budgets() {
    let mut whole = 0;
    for (base, settings) in [(CROSSBAR, &OF_CROSSBARS[..]), (SPIM, &OF_OPTICS[..])] {
        for (setting, experiment) in machines(base, settings) {
            let place = tempfile::tempdir().unwrap();
            let Ok(directory) = BudgetDirectory::for_experiment(place.path(), &experiment) else {
                panic!("{setting}: no directory")
            };
            let subject = ExperimentSubject::new(experiment.clone(), None).unwrap();
            let options = budget::Options { seeds: 2, paired: 0, ..Default::default() };
            let conduct = Conduct { jobs: 1, shard: Shard::ALL, retry_failed: false };
            let Ok(found) = budget(&subject, &directory, &options, conduct, &mut |_: Progress| {})
            else {
                continue;
            };
            let (_, asked, read) = BudgetDirectory::open(place.path())
                .unwrap_or_else(|error| panic!("{setting}: {error}"));
            assert_eq!(asked.as_ref(), Some(&experiment), "{setting}");
            assert_eq!(format!("{read:?}"), format!("{found:?}"), "{setting}");
            whole += 1;
        }
    }
    assert!(whole > 10, "{whole}");
}
