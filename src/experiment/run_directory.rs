//! The directory of a run: what was asked, what came out, and all that is needed to go on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::places::{anywhere, from_here};
use super::take_along::COPY;
use super::{Experiment, NamedFiles, rename_files};
use crate::arithmetic::Real;
use crate::data::{Columns, Dataset, Task};
use crate::file::lock::Lock;
use crate::file::{
    TEMPORARY, create_directory, hexadecimal, read_text, sha256, write_text, write_whole,
};
use crate::training::{Checkpoint, EpochMetrics, Predicted, Summary, Trainer};
use crate::{Error, Result};

/// The resolved experiment, in a run's directory.
const CONFIG: &str = "config.toml";

/// What the files that it names held when the run began, and their copies.
const FILES: &str = "files.json";

/// The data that a run was given in place of a set that has a name.
const DATA: &str = "data.csv";

/// The outcome.
const SUMMARY: &str = "summary.json";

/// What a regression told of the test part.
const PREDICTIONS: &str = "predictions.csv";

/// A run's directory: `config.toml`, copies of the files that the device is made of and `files.json`
/// where there are any, `metrics.csv`, `checkpoint.safetensors`, `summary.json`, `predictions.csv`
/// of a regression, `plots/` and
/// `report.html`.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Held by the one process that writes the run.
    _lock: Option<Arc<Lock>>,
}

impl RunDirectory {
    /// The columns of labels in the copy of data that were given.
    ///
    /// # Errors
    /// When two targets have one name.
    pub(super) fn label_of(data: &Dataset) -> Result<Columns> {
        match data.labels.task() {
            Task::Classification => Ok("class".into()),
            Task::Regression => Columns::of(data.outputs.clone()).map_err(Error::input),
        }
    }

    /// A new directory at `path` for `experiment`, held until this and its copies are dropped.
    ///
    /// # Errors
    /// When it cannot be made, already holds something, or another process is at work in it.
    pub fn create(path: &Path, experiment: &Experiment) -> Result<Self> {
        Self::create_with(path, &mut experiment.clone(), None)
    }

    /// [`create`](Self::create) with the `data` that were given in place of the experiment's own, if
    /// they were: they are kept in the directory, as are the files that the device is made of, and
    /// `experiment` names the copies.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub fn create_with(
        path: &Path,
        experiment: &mut Experiment,
        data: Option<&Dataset>,
    ) -> Result<Self> {
        create_directory(path)?;
        let _lock = Some(Arc::new(Lock::take(path)?));
        let entries = std::fs::read_dir(path).map_err(Error::reading(path))?;
        // A run that failed before its first epoch left what it was asked, and no more.
        let begun = [CONFIG, FILES, DATA].map(std::ffi::OsString::from);
        for entry in entries {
            let name = entry.map_err(Error::reading(path))?.file_name();
            let begins = |start| name.to_string_lossy().starts_with(start);
            if begun.contains(&name) || begins(TEMPORARY) || begins(COPY) {
                continue;
            }
            let path = path.display();
            return Err(Error::input(format!(
                "{path}: not an empty directory; --resume goes on with a run, --out names another place"
            )));
        }
        let directory = Self { path: path.to_owned(), _lock };
        if let Some(data) = data {
            let copy = directory.copy(DATA)?;
            data.write_csv(&copy, &Self::label_of(data)?)?;
            experiment.data.set = copy.display().to_string();
        }
        let known = &mut HashMap::new();
        let originals = NamedFiles::of(experiment, known)?;
        for file in experiment.take_along(&directory.copy("")?)? {
            write_whole(&path.join(&file.name), |copy| copy.write_all(&file.content))?;
        }
        let copies = NamedFiles::of(experiment, known)?;
        originals.and(copies).write(&path.join(FILES))?;
        write_text(&directory.config(), &experiment.to_toml_in(path)?)?;
        Ok(directory)
    }

    /// Where the copy `name` of a file is; in full, so that it is found from anywhere.
    fn copy(&self, name: &str) -> Result<PathBuf> {
        std::path::absolute(self.path.join(name)).map_err(Error::reading(&self.path))
    }

    /// Checks that this run was given these `data`; `experiment` then names the copy of them.
    ///
    /// # Errors
    /// When it was given others, or none.
    pub(super) fn expect_data(&self, experiment: &mut Experiment, data: &Dataset) -> Result<()> {
        let copy = self.copy(DATA)?;
        experiment.data.set = copy.display().to_string();
        let before = Dataset::load(&experiment.data)?;
        let same = before.features == data.features
            && before.labels == data.labels
            && before.outputs == data.outputs;
        if same {
            return Ok(());
        }
        let copy = copy.display();
        Err(Error::input(format!("{copy}: other data than are given now: expected the same")))
    }

    /// The run at `path`, to be read.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let directory = Self { path: path.to_owned(), _lock: None };
        if directory.config().is_file() {
            Ok(directory)
        } else {
            let hint = if path.join("study.toml").is_file() {
                "; it is that of a study, whose runs are in runs/ where it has keep = true"
            } else if path.is_file() {
                "; it is a file, and equilux train makes the run of an experiment"
            } else if !path.exists() {
                "; there is none"
            } else {
                ""
            };
            Err(Error::input(format!(
                "{}: not the directory of a run: it has no config.toml{hint}",
                path.display()
            )))
        }
    }

    /// The run at `path`, to go on with: held until this and its copies are dropped.
    ///
    /// # Errors
    /// When there is none, or another process is at work in it.
    pub fn hold(path: &Path) -> Result<Self> {
        let directory = Self::open(path)?;
        Ok(Self { _lock: Some(Arc::new(Lock::take(path)?)), ..directory })
    }

    /// The first of `base`, `base-2`, `base-3`... that does not exist.
    pub fn unused(base: &Path) -> PathBuf {
        let numbered = (2..).map(|number| PathBuf::from(format!("{}-{number}", base.display())));
        std::iter::once(base.to_owned())
            .chain(numbered)
            .find(|path| !path.exists())
            .unwrap_or_else(|| base.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved experiment.
    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// The experiment, with `settings` (`a.b=value`) applied.
    ///
    /// # Errors
    /// Those of [`Experiment::load`]; when a copy of a file is not what it was.
    pub fn experiment(&self, settings: &[String]) -> Result<Experiment> {
        let mut experiment = Experiment::load(&self.config(), settings)?;
        let files = self.files()?;
        for (_, file) in experiment.device.files() {
            let is_copy = *file == from_here(&self.path, &anywhere(file));
            if is_copy && !files.hold(&sha256(Path::new(&*file))?) {
                return Err(Error::input(format!(
                    "{file}: not what this run copied into its directory, and {FILES} says: expected the \
                     copy, or device.* of another file"
                )));
            }
        }
        Ok(experiment)
    }

    /// What the files that the experiment names held when the run began, and their copies.
    ///
    /// # Errors
    /// When the list of them is damaged.
    pub fn files(&self) -> Result<NamedFiles> {
        NamedFiles::read(&self.path.join(FILES))
    }

    /// [`experiment`](Self::experiment) on the `device` of a datasheet, if one is named: its numbers
    /// replace those of the run, and `settings` stand above both.
    ///
    /// # Errors
    /// Those of [`Experiment::load`] and [`Experiment::on_device`].
    pub fn experiment_on(&self, device: Option<&str>, settings: &[String]) -> Result<Experiment> {
        let experiment = self.experiment(settings)?;
        match device {
            None => Ok(experiment),
            Some(device) => experiment.on_device(device)?.with_settings(settings),
        }
    }

    /// Whether `experiment` can go on with this run: it differs in nothing but the number of
    /// epochs, and the files that it names hold what they held.
    ///
    /// # Errors
    /// When it cannot, naming the keys or the file.
    pub fn expect_same(&self, experiment: &Experiment) -> Result<()> {
        let mut before = self.experiment(&[])?;
        before.training.epochs = experiment.training.epochs;
        // What was trained in simulation goes on in a laboratory.
        before.laboratory.clone_from(&experiment.laboratory);
        // What the files hold is looked at below.
        let named = |experiment: Experiment| Experiment {
            device: experiment.device.without_places(),
            ..experiment
        };
        let differing = named(before).differing_keys(&named(experiment.clone()));
        if !differing.is_empty() {
            return Err(Error::input(format!(
                "--resume: the experiment differs from that of this run, {}, in {}: expected \
                 another training.epochs at most",
                self.config().display(),
                differing.join(", ")
            )));
        }
        let files = NamedFiles::of(experiment, &mut HashMap::new())?;
        match files.changed_since(&self.files()?) {
            None => Ok(()),
            Some(file) => Err(Error::input(format!(
                "--resume: {file} is not what it was when {} began",
                self.path.display()
            ))),
        }
    }

    /// What tells this run's checkpoints from others: the SHA-256 of its experiment, as `config.toml`
    /// has it, but for the number of epochs, the laboratory, and the way to its files.
    ///
    /// # Errors
    /// When `config.toml` cannot be read.
    pub fn origin(&self) -> Result<String> {
        let mut table = self.table()?;
        if let Some(Value::Table(training)) = table.get_mut("training") {
            training.remove("epochs");
        }
        table.remove("laboratory");
        // The same files wherever they are.
        rename_files(&mut table, &mut |file| Ok(anywhere(file)))?;
        Ok(hexadecimal(&Sha256::digest(table.to_string())))
    }

    fn table(&self) -> Result<Table> {
        let path = self.config();
        let wrong = |e| super::located(&path.display().to_string(), &e);
        toml::from_str(&read_text(&path)?).map_err(wrong)
    }

    /// Writes into `config.toml` that the run has so many epochs, if it says otherwise.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn set_epochs(&self, epochs: usize) -> Result<()> {
        let mut table = self.table()?;
        let Some(Value::Table(training)) = table.get_mut("training") else { return Ok(()) };
        let epochs = Value::Integer(epochs as i64);
        if training.insert("epochs".into(), epochs.clone()) == Some(epochs) {
            return Ok(());
        }
        let text = toml::to_string_pretty(&table).expect("a table that was read");
        write_text(&self.config(), &text)
    }

    /// Writes the checkpoint of `trainer`, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save<T: Real>(&self, trainer: &Trainer<T>) -> Result<()> {
        trainer.checkpoint(self.origin()?).write(&self.checkpoint())
    }

    /// The last checkpoint, read and checked to be this run's.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it is another run's.
    pub fn read_checkpoint<T: Real>(&self) -> Result<Checkpoint<T>> {
        let path = self.checkpoint();
        let checkpoint = Checkpoint::read(&path)?;
        if checkpoint.origin == self.origin()? {
            return Ok(checkpoint);
        }
        Err(Error::input(format!(
            "{}: a checkpoint of another run: expected one of the experiment in {}",
            path.display(),
            self.config().display()
        )))
    }

    /// The last checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Writes `metrics.csv`, one row an epoch.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_metrics(&self, metrics: &[EpochMetrics]) -> Result<()> {
        write_whole(&self.path.join("metrics.csv"), |file| {
            let mut writer = csv::Writer::from_writer(file);
            for row in metrics {
                writer.serialize(row).map_err(std::io::Error::other)?;
            }
            writer.flush()
        })
    }

    /// The epochs of `metrics.csv`; none without the file.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>> {
        let path = self.path.join("metrics.csv");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = read_text(&path)?;
        let rows = csv::Reader::from_reader(text.as_bytes())
            .into_deserialize()
            .collect::<Result<_, csv::Error>>();
        rows.map_err(|e| Error::input(format!("{}: not the metrics of a run: {e}", path.display())))
    }

    /// Whether there is a `summary.json`: a run that was killed may have none.
    pub fn has_summary(&self) -> bool {
        self.path.join(SUMMARY).exists()
    }

    /// The outcome in `summary.json`.
    ///
    /// # Errors
    /// When there is none, as of a run that has not ended, or it is damaged.
    pub fn summary(&self) -> Result<Summary> {
        let path = self.path.join(SUMMARY);
        let text = read_text(&path)?;
        let mut summary: Summary = serde_json::from_str(&text).map_err(|e| {
            Error::input(format!("{}: not the summary of a run: {e}", path.display()))
        })?;
        let predictions = self.path.join(PREDICTIONS);
        let targets = summary.scores.targets().len();
        if targets > 0 && predictions.exists() {
            summary.predicted = Some(Predicted::read(&predictions, targets)?);
        }
        Ok(summary)
    }

    /// Writes `summary.json`, and `predictions.csv` beside it where there are targets.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        let json = serde_json::to_string_pretty(summary).expect("names and numbers");
        let path = self.path.join(SUMMARY);
        // JSON has no infinity: what cannot be read again is not written.
        if let Err(error) = serde_json::from_str::<Summary>(&json) {
            let path = path.display();
            let message = format!("{path}: a result is beyond double precision: {error}");
            return Err(Error::Machine(message));
        }
        if let Some(predicted) = &summary.predicted {
            let names = summary.scores.targets().iter().map(|fit| fit.target.as_str());
            predicted.write(&self.path.join(PREDICTIONS), &names.collect::<Vec<_>>())?;
        }
        write_text(&path, &(json + "\n"))
    }
}
