//! The files that an experiment names, and what they held: measured tables, kernels, illuminations,
//! data. Results go stale with them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::Experiment;
use crate::data::Dataset;
use crate::file::{read_text, sha256, write_text};
use crate::{Error, Result};

/// The SHA-256 of every file that an experiment names, by its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedFiles(BTreeMap<String, String>);

impl NamedFiles {
    /// What the files of `experiment` hold; `known` has what was worked out before.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(experiment: &Experiment, known: &mut HashMap<PathBuf, String>) -> Result<Self> {
        let mut paths = Dataset::files(&experiment.data);
        let mut device = experiment.device.clone();
        paths.extend(device.files().into_iter().map(|(_, file)| PathBuf::from(&*file)));
        Self::at(paths, known)
    }

    /// What the files at `paths` hold; `known` has what was worked out before.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn at(paths: Vec<PathBuf>, known: &mut HashMap<PathBuf, String>) -> Result<Self> {
        let mut files = BTreeMap::new();
        for path in paths {
            let sum = match known.get(&path) {
                Some(sum) => sum.clone(),
                None => sha256(&path)?,
            };
            files.insert(path.display().to_string(), sum.clone());
            known.insert(path, sum);
        }
        Ok(Self(files))
    }

    /// Those that `path` holds; none without it.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let wrong = |e| Error::input(format!("{}: not a list of files: {e}", path.display()));
        serde_json::from_str(&read_text(path)?).map(Self).map_err(wrong)
    }

    /// Writes them to `path`; nothing where there are none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_string_pretty(&self.0).expect("names and digits");
        write_text(path, &(json + "\n"))
    }

    /// Both these and `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether one of them has this SHA-256.
    pub fn hold(&self, sum: &str) -> bool {
        self.0.values().any(|held| held == sum)
    }

    /// The first file that holds what none held `before`, by whatever name.
    pub fn changed_since(&self, before: &Self) -> Option<&str> {
        let changed = |(_, sum): &(&String, &String)| !before.hold(sum);
        self.0.iter().find(changed).map(|(path, _)| path.as_str())
    }

    /// What they hold, as one text, wherever they are.
    pub(crate) fn text(&self) -> String {
        let last = |path: &str| {
            Path::new(path)
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into())
        };
        let mut lines: Vec<String> =
            self.0.iter().map(|(path, sum)| format!("{} {sum}\n", last(path))).collect();
        lines.sort();
        lines.concat()
    }
}
